package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// always are the variables that Slipway sets in each container of an app, whatever the configuration says.
func (p *project) always() map[string]string {
	all := map[string]string{
		"PORT": strconv.Itoa(p.App.port()), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "UV_NO_SYNC": "1",
		"AWS_REGION": p.region(),
		"PGSSLMODE":  "verify-full", "PGSSLROOTCERT": "/etc/ssl/rds/global-bundle.pem", "GUNICORN_CMD_ARGS": "--worker-tmp-dir=/dev/shm",
		"SLIPWAY_HOST": p.host(),
	}
	if p.App.Settings != "" {
		all["DJANGO_SETTINGS_MODULE"] = p.App.Settings
	}
	return all
}

func (p *project) region() string {
	if p.Stack != nil && p.Stack.Region != "" {
		return p.Stack.Region
	}
	return "us-east-1"
}

// host is the site's host, or a stand-in: without a domain it is known only after the deployment.
func (p *project) host() string {
	if p.Stack != nil && p.Stack.Domain != "" {
		return p.Stack.Domain
	}
	return standInHost
}

const standInHost = "site.slipway.invalid"

var placeholder = regexp.MustCompile(`\{\{|\}\}|\{([A-Za-z0-9_.]+)\}`)

// standIns are values of all templates, for what only the deployment knows.
func (p *project) standIns() map[string]string {
	scheme := "http"
	if p.Stack != nil && p.Stack.Domain != "" {
		scheme = "https"
	}
	return map[string]string{
		"db.url": "postgres://site:stand-in@database.slipway.invalid:5432/site", "db.host": "database.slipway.invalid", "db.port": "5432",
		"db.name": "site", "db.user": "site", "db.password": "stand-in", "db.sslmode": "verify-full",
		"db.sslrootcert": "/etc/ssl/rds/global-bundle.pem", "key": strings.Repeat("stand-in.", 6),
		"db.json": `{"engine":"postgres","host":"database.slipway.invalid","port":5432,"username":"site","password":"stand-in",` +
			`"dbname":"site"}`,
		"host": p.host(), "hosts": p.host(), "url": scheme + "://" + p.host(), "origins": scheme + "://" + p.host(),
		"https": strconv.FormatBool(scheme == "https"), "bucket": "stand-in", "region": p.region(), "port": strconv.Itoa(p.App.port()),
		"connections": "2", "redis.url": "rediss://:stand-in@cache.slipway.invalid:6379/0?ssl_cert_reqs=required",
		"redis.host": "cache.slipway.invalid", "redis.port": "6379", "redis.password": "stand-in",
	}
}

// render is the value of a template, with stand-ins for what only the deployment knows.
func (p *project) render(template string) string {
	values := p.standIns()
	return placeholder.ReplaceAllStringFunc(template, func(m string) string {
		switch m {
		case "{{", "}}":
			return m[:1]
		}
		if value, known := values[m[1:len(m)-1]]; known {
			return value
		}
		return "stand-in" // of a secret, or a mistake that the configuration reports
	})
}

// environment are the variables of the app's containers; nil is a value that is not known. Without a stack nothing is known but what
// the image and Slipway itself set.
func (p *project) environment() map[string]*string {
	env := map[string]*string{}
	if p.image != nil {
		for name, value := range p.image.env {
			if !strings.Contains(value, "$") {
				env[name] = &value
			}
		}
	}
	for name, value := range p.always() {
		env[name] = &value
	}
	if p.Stack == nil {
		return env
	}
	for _, name := range p.Stack.Secrets {
		env[name] = nil
	}
	for name, template := range p.App.Env {
		value := p.render(template)
		env[name] = &value
	}
	return env
}

// suggested is the line of the configuration that gives a variable its value; "" if Slipway has none for it.
func (p *project) suggested(name string) string {
	if value, has := p.template(name); has {
		return fmt.Sprintf("app.env.%s: %q", name, value)
	}
	return ""
}

// template is the value for a variable that Slipway has one for. What the settings do with it counts more than its name.
func (p *project) template(name string) (value string, has bool) {
	value = p.use(name)
	upper := strings.ToUpper(name)
	for _, k := range kinds {
		if value == "" && k.name.MatchString(upper) {
			value = k.value
		}
	}
	// Without access keys boto3 finds the role of the task.
	return value, value != "" || strings.HasSuffix(upper, "AWS_ACCESS_KEY_ID") || strings.HasSuffix(upper, "AWS_SECRET_ACCESS_KEY")
}

// use is the template for a variable that is the whole value of a setting; "" if it is none.
func (p *project) use(name string) string {
	whole := func(v value) bool {
		return len(v.Reads) == 1 && v.Reads[0] == name && len(v.Alts) == 0 && !v.is("json")
	}
	if key, set, _ := p.setting("SECRET_KEY"); set && whole(key) {
		return "{key}"
	}
	databases, _, _ := p.setting("DATABASES")
	one := databases.get("default")
	for _, part := range []struct{ key, value string }{{"HOST", "{db.host}"}, {"PORT", "{db.port}"}, {"NAME", "{db.name}"}, {"USER",
		"{db.user}"},
		{"PASSWORD", "{db.password}"}} {
		if v, has := one.Dict[part.key]; has && whole(v) {
			if v.is("json") {
				return ""
			}
			if v.is("url") {
				return "{db.url}"
			}
			return part.value
		}
	}
	for setting, value := range map[string]string{"ALLOWED_HOSTS": "{hosts}", "CSRF_TRUSTED_ORIGINS": "{origins}",
		"AWS_STORAGE_BUCKET_NAME": "{bucket}", "AWS_S3_REGION_NAME": "{region}"} {
		v, set, _ := p.setting(setting)
		for _, item := range v.List {
			if whole(item) && !item.is("csv") && setting == "ALLOWED_HOSTS" && len(v.Reads) == 0 {
				return "{host}" // one item of the list
			}
		}
		if set && whole(v) {
			return value
		}
	}
	return ""
}

// setVariable is how to set a variable that has no value yet.
func (p *project) setVariable(name string) string {
	line := p.suggested(name)
	switch {
	case line != "":
		return "Set " + line + "."
	case secretName.MatchString(name):
		return "Set it as a secret: " + p.setSecret(name)
	}
	return "Set app.env." + name + "."
}

// setSecret is the command that sets a secret. It ends the text that it is in, without a full stop, so that it can be copied.
func (p *project) setSecret(name string) string {
	command := "slipway secret set " + name
	switch {
	case p.Stack == nil:
		return command + " --stack STACK"
	case p.Stack.Name != "local":
		command += " --stack " + p.Stack.Name
	}
	if p.Stack.Bootstrapped {
		command += " --live"
	}
	return command
}

// lines joins what suggests values for variables.
func (p *project) lines(names []string) string {
	var all []string
	for _, n := range names {
		if line := p.suggested(n); line != "" {
			all = append(all, line)
		} else if secretName.MatchString(n) {
			all = append(all, "the secret "+n)
		} else {
			all = append(all, "app.env."+n)
		}
	}
	return listed(all)
}

// orOverlay adds to a fix that Slipway can replace the setting.
func (p *project) orOverlay(fix, setting string) string {
	also := ""
	if p.App.Settings == "" && p.facts != nil && p.facts.Settings != nil {
		also = " with app.settings: " + p.facts.Settings.Module
	}
	names := append(slices.Clone(p.App.Overlay), setting)
	return strings.TrimSuffix(fix, ".") + ". To keep the code: app.overlay: [" + strings.Join(names, ", ") + "]" + also + "."
}

// applyApp makes the image what the configuration makes of it.
func (p *project) applyApp() {
	i := p.image
	if i == nil || i.target == nil {
		return
	}
	if p.App.Target != "" {
		if s := i.named(p.App.Target); s != nil {
			own := *i
			own.env, own.user, own.workdir, own.cmd, own.entrypoint = map[string]string{}, nil, "", nil, nil
			own.volumes, own.exposed = nil, nil
			own.run(s)
			*i = own
		} else {
			p.find("target-missing", place{i.file, 0}, "app.target is %s, and the stages are %s", p.App.Target, listed(i.stageNames()))
		}
	}
	if p.App.Entrypoint != nil {
		i.entrypoint = nil
		if len(p.App.Entrypoint) > 0 {
			i.entrypoint, i.cmd = p.configured("entrypoint", p.App.Entrypoint), nil // as the Docker engine does
		}
	}
	if p.App.Command != nil {
		i.cmd = p.configured("command", p.App.Command)
	}
}

// configured is a command that the configuration gives.
func (p *project) configured(key string, words []string) *dockerCommand {
	at := p.source("app."+key, key)
	return &dockerCommand{words: words, at: &at}
}

// source is the place of a key in the configuration.
func (p *project) source(key, short string) place {
	at := place{file: key}
	if p.Stack == nil {
		return at
	}
	form := regexp.MustCompile(`(?m)^\s*["']?(?:[\w-]+:)?(?:app\.)?(?:env\.)?` + regexp.QuoteMeta(short) + `["']?\s*:`)
	for _, s := range p.Stack.Sources {
		if found := form.FindStringIndex(s.Text); found != nil {
			return place{s.File, lineAt(s.Text, found[1]-1)}
		}
	}
	return at
}

func (i *dockerImage) stageNames() []string {
	var all []string
	for n, s := range i.stages {
		if s.name != "" {
			all = append(all, s.name)
		} else {
			all = append(all, strconv.Itoa(n))
		}
	}
	return all
}
