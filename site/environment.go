package site

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
	"slipway/internal/wiring"
	"slipway/settings"
)

// makeEnvironment collects what templates may use, for each database role, and stores the values of templates with secrets.
func (d *deployment) makeEnvironment() error {
	d.offers, d.composed = map[string]wiring.Offer{}, map[string]map[string]wiring.Secret{}
	values := map[string]map[string]pulumi.StringInput{}
	for _, as := range []string{asOwner, role(d.stack)} {
		offer, err := d.offer(as)
		if err != nil {
			return err
		}
		d.offers[as], values[as] = offer, map[string]pulumi.StringInput{}
		for name, template := range templates(d.stack) {
			if text, secret := fill(template, offer.Values); secret && held(template, offer.Values) == nil {
				values[as][name] = text
			}
		}
	}
	if len(values[asOwner]) == 0 {
		return nil
	}
	made, err := settings.NewEnvironment(d.ctx, "environment", &settings.EnvironmentArgs{
		Site: d.site, KeyARN: d.keys.Settings, Values: values,
	}, d.opts...)
	if err == nil {
		d.composed = made.Secrets
	}
	return err
}

// offer is what the components offer to a container that uses the database in a role.
func (d *deployment) offer(as string) (wiring.Offer, error) {
	own := wiring.Offer{Values: map[string]wiring.Value{
		"region": {Text: pulumi.String(d.site.Region)}, "port": {Text: pulumi.String(strconv.Itoa(d.stack.App.Port))},
		"connections": {Text: pulumi.String("1")}, // differs from one workload to the next
	}}
	offer, err := wiring.Offers(own, d.balancer.Offer, d.store.Offer(as == asOwner), d.media.Offer, d.settings.Offer, d.cache.Offer())
	if err != nil {
		return offer, err
	}
	for name := range Catalog(d.site).Values() {
		if _, there := offer.Values[name]; !there && (d.cache != nil || !config.OfCache(name)) {
			return offer, fmt.Errorf("site: no component offers {%s}: this is a bug in slipway", name)
		}
	}
	part := sitePassword
	if as == asOwner {
		part = ownerPassword
	}
	parameter, password := d.settings.Secrets[part], offer.Values["db.password"]
	password.Parameter = &parameter
	offer.Values["db.password"] = password
	for _, name := range d.stack.SecretNames {
		parameter := d.settings.Secrets[userSecret(name)]
		offer.Values["secret."+name] = wiring.Value{Text: d.stack.Secrets[name], Secret: true, Parameter: &parameter}
	}
	return offer, nil
}

// fill puts values in the place of names; secret says that one of them is a secret.
func fill(t config.Template, values map[string]wiring.Value) (text pulumi.StringInput, secret bool) {
	var format strings.Builder
	var args []any
	for _, part := range t {
		if part.Name == "" {
			format.WriteString(strings.ReplaceAll(part.Text, "%", "%%"))
			continue
		}
		value := values[part.Name]
		format.WriteString("%s")
		args, secret = append(args, value.Text), secret || value.Secret
	}
	switch {
	case len(args) == 0:
		return pulumi.String(strings.ReplaceAll(format.String(), "%%", "%")), false
	case format.String() == "%s":
		return args[0].(pulumi.StringInput), secret
	}
	return pulumi.Sprintf(format.String(), args...), secret
}

// held is the parameter that has the whole value of a template already: of {key} alone, for example. Nil: none has.
func held(t config.Template, values map[string]wiring.Value) *wiring.Secret {
	if len(t) != 1 || t[0].Name == "" {
		return nil
	}
	return values[t[0].Name].Parameter
}

// bind is the environment of a container of the app that uses the database in a role, with at most so many connections.
func (d *deployment) bind(as string, connections int) wiring.Binding {
	offer := d.offers[as]
	values := maps.Clone(offer.Values)
	values["connections"] = wiring.Value{Text: pulumi.String(strconv.Itoa(connections))}
	b := wiring.Binding{Env: map[string]pulumi.StringInput{
		"AWS_REGION": values["region"].Text, "PORT": values["port"].Text, "SLIPWAY_HOST": values["host"].Text,
		"SLIPWAY_DB_HOST": values["db.host"].Text, "SLIPWAY_DB_PORT": values["db.port"].Text,
		"SLIPWAY_DB_NAME": values["db.name"].Text, "SLIPWAY_DB_USER": values["db.user"].Text,
		"SLIPWAY_MANAGE": words(d.stack.App.Manage), gunicornArgs: pulumi.String("--worker-tmp-dir=/dev/shm"),
	}, Secrets: map[string]wiring.Secret{"SLIPWAY_DB_PASSWORD": *values["db.password"].Parameter}, Grants: offer.Grants}
	for name, value := range fixedEnv {
		b.Env[name] = pulumi.String(value)
	}
	d.replace(&b, values)
	for _, name := range d.stack.SecretNames {
		delete(b.Env, name)
		b.Secrets[name] = *values["secret."+name].Parameter
	}
	for name, template := range templates(d.stack) {
		text, secret := fill(template, values)
		switch parameter := held(template, values); {
		case parameter != nil:
			delete(b.Env, name)
			b.Secrets[name] = *parameter
		case secret:
			delete(b.Env, name)
			b.Secrets[name] = d.composed[as][name]
		default:
			b.Env[name] = text
		}
	}
	return b
}

// replace adds what the module slipway_settings reads: the settings that it imports, and what it puts into the place of some.
func (d *deployment) replace(b *wiring.Binding, values map[string]wiring.Value) {
	app := d.stack.App
	if len(app.Overlay) == 0 {
		if app.Settings != "" {
			b.Env["DJANGO_SETTINGS_MODULE"] = pulumi.String(app.Settings)
		}
		return
	}
	b.Env["DJANGO_SETTINGS_MODULE"] = pulumi.String("slipway_settings")
	b.Env["SLIPWAY_SETTINGS"] = pulumi.String(app.Settings)
	b.Env["SLIPWAY_OVERLAY"] = pulumi.String(strings.Join(app.Overlay, ","))
	for setting, uses := range map[string]struct{ variable, name string }{
		"ALLOWED_HOSTS": {"SLIPWAY_HOSTS", "hosts"}, "CSRF_TRUSTED_ORIGINS": {"SLIPWAY_ORIGINS", "origins"},
		"MEDIA": {"SLIPWAY_BUCKET", "bucket"},
	} {
		if slices.Contains(app.Overlay, setting) {
			b.Env[uses.variable] = values[uses.name].Text
		}
	}
	if slices.Contains(app.Overlay, "SECRET_KEY") {
		b.Secrets["SLIPWAY_SECRET_KEY"] = *values["key"].Parameter
	}
}

// migrationBinding is the migration's: the app's environment as the owner of the database, and what the helper needs to migrate
// and to make the site's role.
func (d *deployment) migrationBinding() wiring.Binding {
	b, migrate := d.bind(asOwner, 1), d.stack.App.Migrate
	b.Grants = nil // a migration needs only the database
	b.Env["SLIPWAY_MIGRATE"] = words(migrate.Commands)
	b.Env["SLIPWAY_MIGRATE_LIMIT"] = pulumi.String(strconv.Itoa(migrate.Limit * 60))
	b.Env["SLIPWAY_DB_OWNER"] = pulumi.String(d.store.OwnerName)
	b.Secrets["SLIPWAY_DB_OWNER_PASSWORD"] = d.settings.Secrets[ownerPassword]
	if role(d.stack) == asSite {
		b.Env["SLIPWAY_DB_ROLE"] = pulumi.String(d.store.SiteName)
		b.Secrets["SLIPWAY_DB_ROLE_PASSWORD"] = d.settings.Secrets[sitePassword]
	}
	return b
}
