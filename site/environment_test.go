package site

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/config"
	"slipway/internal/graph"
)

func asJSON(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// loaded is the configuration of a stack of this repository, with more on top.
func loaded(t testing.TB, stack string, further map[string]string) *config.Stack {
	t.Helper()
	source := config.Source{Project: "slipway", Stack: stack, Root: "..", Values: map[string]config.RawValue{}}
	for key, text := range configured(t, stack, further) {
		source.Values[key] = config.RawValue{Text: text}
	}
	loaded, err := Load(source)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// A started container is what ECS starts the app's container with.
type started struct {
	env     map[string]string
	secrets map[string]string // the ARNs of parameters
	command []string
}

func appContainer(t testing.TB, g graph.Graph, task string) started {
	t.Helper()
	type pair struct{ Name, Value, ValueFrom string }
	var containers []struct {
		Name                 string
		Environment, Secrets []pair
		EntryPoint, Command  []string
	}
	if err := json.Unmarshal([]byte(fmt.Sprint(g.Named("aws:ecs/taskDefinition:TaskDefinition", task).Input("containerDefinitions"))),
		&containers); err != nil {
		t.Fatalf("%s: %v", task, err)
	}
	s := started{env: map[string]string{}, secrets: map[string]string{}}
	for _, c := range containers {
		if c.Name != "django" {
			continue
		}
		s.command = append(c.EntryPoint, c.Command...)
		for _, v := range c.Environment {
			s.env[v.Name] = v.Value
		}
		for _, v := range c.Secrets {
			s.secrets[v.Name] = v.ValueFrom
		}
	}
	return s
}

// parameters are the names of the parameters with what the app's environment is put together from, by their logical names.
func parameters(g graph.Graph) map[string]string {
	all := map[string]string{}
	for _, r := range g.Of("aws:ssm/parameter:Parameter") {
		if strings.HasPrefix(r.Name, "environment-") {
			all[r.Name] = fmt.Sprint(r.Input("name"))
		}
	}
	return all
}

func TestTemplatesInContainers(t *testing.T) {
	g := declared(t, "prod", map[string]string{"slipway:app": asJSON(t, map[string]any{"env": map[string]string{
		"DATABASE_URL": "{db.url}", "PGPASSWORD": "{db.password}", "DJANGO_SECRET_KEY": "{key}",
		"BROKER": "redis://:{secret.REDIS}@cache:6379", "SENTRY": "{secret.SENTRY_DSN}",
		"SITE": "{url}/?a={{b}}&c=100%", "DB_USER": "{db.user}", "POOL": "{connections}", "GUNICORN_CMD_ARGS": "--threads 4",
	}}), "slipway:secrets": `{"REDIS":"hunter2","SENTRY_DSN":"https://hunter2@sentry.example.com/1"}`})
	web, worker, job, migration := appContainer(t, g, "web-task"), appContainer(t, g, "worker-feed-task"),
		appContainer(t, g, "job-clean-up-task"), appContainer(t, g, "migration-task")

	for name, c := range map[string]struct {
		got             started
		user, connected string
	}{
		"web": {web, "slipway_site", "16"}, "worker": {worker, "slipway_site", "1"}, "job": {job, "slipway_site", "1"},
		"migration": {migration, "slipway_owner", "1"},
	} {
		want := map[string]string{"SITE": "https://www.example.com/?a={b}&c=100%", "DB_USER": c.user, "POOL": c.connected,
			"GUNICORN_CMD_ARGS": "--threads 4", "PORT": "8000", "PGSSLMODE": "verify-full", "SLIPWAY_HOST": "www.example.com"}
		for variable, value := range want {
			if c.got.env[variable] != value {
				t.Errorf("%s: %s is %q, want %q", name, variable, c.got.env[variable], value)
			}
		}
		role := strings.TrimPrefix(c.user, "slipway_")
		parts := map[string]string{"DATABASE_URL": "environment-" + role + "/DATABASE_URL", "BROKER": "environment-" + role + "/BROKER",
			"DJANGO_SECRET_KEY": "settings-django/secret-key", "SENTRY": "settings-app/SENTRY_DSN", "REDIS": "settings-app/REDIS",
			"PGPASSWORD": "settings-db/password", "SLIPWAY_DB_PASSWORD": "settings-db/password"}
		if role == "owner" {
			parts["PGPASSWORD"], parts["SLIPWAY_DB_PASSWORD"] = "settings-db/owner-password", "settings-db/owner-password"
		}
		for variable, parameter := range parts {
			if !strings.HasSuffix(c.got.secrets[variable], "/"+parameter) {
				t.Errorf("%s: %s is from %s, want %s", name, variable, c.got.secrets[variable], parameter)
			}
		}
	}

	if diff := cmp.Diff(map[string]string{
		"environment-site/DATABASE_URL": "/slipway/prod/env/site/DATABASE_URL", "environment-site/BROKER": "/slipway/prod/env/site/BROKER",
		"environment-owner/DATABASE_URL": "/slipway/prod/env/owner/DATABASE_URL", "environment-owner/BROKER": "/slipway/prod/env/owner/BROKER",
	}, parameters(g)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	// Nothing secret is in plain text, and the site's tasks cannot read what the owner has.
	text, err := g.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range g.Of("aws:ecs/taskDefinition:TaskDefinition") {
		if shown := fmt.Sprint(task.Inputs); strings.Contains(shown, "hunter2") || strings.Contains(shown, "generated-") {
			t.Errorf("%s has a secret in plain text", task.Name)
		}
	}
	policy := fmt.Sprint(g.Named("aws:iam/rolePolicy:RolePolicy", "site-roles-execution-policy").Input("policy"))
	if strings.Contains(policy, "environment-owner") || strings.Contains(policy, "owner-password") {
		t.Error("the site's tasks can read the owner's values")
	}
	if !strings.Contains(policy, "environment-site/DATABASE_URL") || len(text) == 0 {
		t.Error("the site's tasks cannot read their own values")
	}
}

// A new password makes new tasks also where the password is only a part of a value: its parameter's version is in the environment.
func TestComposedValuesCountAsSettings(t *testing.T) {
	g := declared(t, "dev", map[string]string{"slipway:app": `{"env":{"DATABASE_URL":"{db.url}"}}`})
	if got := appContainer(t, g, "web-task").env["SLIPWAY_SETTINGS_VERSION"]; !strings.Contains(got, "DATABASE_URL:") {
		t.Errorf("the version of the settings is %q", got)
	}
	if got := parameters(declared(t, "dev", nil)); len(got) != 0 {
		t.Errorf("the sample needs no parameters of its own for its environment, and has %v", got)
	}
}

func TestTheOwnersRoleOnRequest(t *testing.T) {
	g := declared(t, "dev", map[string]string{"slipway:database": `{"role":"owner"}`,
		"slipway:app": `{"env":{"DATABASE_URL":"{db.url}","DB_USER":"{db.user}"}}`})
	web, migration := appContainer(t, g, "web-task"), appContainer(t, g, "migration-task")
	if web.env["DB_USER"] != "slipway_owner" || web.env["SLIPWAY_DB_USER"] != "slipway_owner" {
		t.Errorf("the site connects as %s and %s", web.env["DB_USER"], web.env["SLIPWAY_DB_USER"])
	}
	if diff := cmp.Diff([]string{"environment-owner/DATABASE_URL"}, slices.Sorted(maps.Keys(parameters(g)))); diff != "" {
		t.Error(diff)
	}
	for _, absent := range []string{"SLIPWAY_DB_ROLE", "SLIPWAY_DB_ROLE_PASSWORD"} {
		if migration.env[absent]+migration.secrets[absent] != "" {
			t.Errorf("the migration makes a role that nothing uses: %s is %s", absent, migration.env[absent]+migration.secrets[absent])
		}
	}
	release := fmt.Sprint(g.Named("aws:ssm/parameter:Parameter", "migration-marker").Input("insecureValue"))
	if !strings.HasSuffix(release, " as owner") {
		t.Errorf("a change of the role is no reason to migrate: %s", release)
	}
}

func TestTheMigrationOfAnyProject(t *testing.T) {
	g := declared(t, "dev", map[string]string{"slipway:app": asJSON(t, map[string]any{
		"manage": []string{"shopctl"}, "entrypoint": []string{"/entrypoint"}, "migrate": map[string]any{
			"commands": [][]string{{"migrate", "--noinput"}, {"loaddata", "it's"}}, "limit": 30},
	})})
	migration := appContainer(t, g, "migration-task")
	if diff := cmp.Diff([]string{"/opt/slipway/helper", "migrate"}, migration.command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"SLIPWAY_MANAGE": `["shopctl"]`, "SLIPWAY_MIGRATE": `[["migrate","--noinput"],["loaddata","it's"]]`, "SLIPWAY_MIGRATE_LIMIT": "1800",
		"SLIPWAY_DB_OWNER": "slipway_owner", "SLIPWAY_DB_ROLE": "slipway_site", "SLIPWAY_DB_NAME": "site", "SLIPWAY_DB_PORT": "5432",
	} {
		if got := migration.env[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"SLIPWAY_DB_OWNER_PASSWORD": "db/owner-password", "SLIPWAY_DB_ROLE_PASSWORD": "db/password"} {
		if got := migration.secrets[name]; !strings.HasSuffix(got, "/settings-"+want) {
			t.Errorf("%s is from %q, want %q", name, got, want)
		}
	}
	released := func(g graph.Graph) string {
		return fmt.Sprint(g.Named("aws:ssm/parameter:Parameter", "migration-marker").Input("insecureValue"))
	}
	if plain := released(declared(t, "dev", nil)); strings.Contains(plain, "commands") || !strings.Contains(released(g), " commands ") {
		t.Errorf("other commands are no reason to migrate: %s, %s", released(g), plain)
	}
	if web := appContainer(t, g, "web-task"); !slices.Equal(web.command, []string{"/entrypoint"}) {
		t.Errorf("web starts with %v", web.command)
	}
}

func TestTheOverlay(t *testing.T) {
	env := func(app string) started {
		t.Helper()
		return appContainer(t, declared(t, "dev", map[string]string{"slipway:app": app}), "web-task")
	}
	if c := env(`{"settings":"shop.settings.production"}`); c.env["DJANGO_SETTINGS_MODULE"] != "shop.settings.production" ||
		c.env["SLIPWAY_OVERLAY"] != "" {
		t.Errorf("settings without overlay: %v", c.env)
	}
	c := env(`{"settings":"shop.settings","overlay":["SECRET_KEY","ALLOWED_HOSTS","CSRF_TRUSTED_ORIGINS","MEDIA"]}`)
	for name, want := range map[string]string{"DJANGO_SETTINGS_MODULE": "slipway_settings", "SLIPWAY_SETTINGS": "shop.settings",
		"SLIPWAY_OVERLAY": "SECRET_KEY,ALLOWED_HOSTS,CSRF_TRUSTED_ORIGINS,MEDIA", "SLIPWAY_HOSTS": c.env["SLIPWAY_HOST"],
		"SLIPWAY_ORIGINS": "http://" + c.env["SLIPWAY_HOST"], "SLIPWAY_BUCKET": "media-bucket"} {
		if got := c.env[name]; got != want || got == "" {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasSuffix(c.secrets["SLIPWAY_SECRET_KEY"], "/settings-django/secret-key") {
		t.Errorf("the secret key is from %q", c.secrets["SLIPWAY_SECRET_KEY"])
	}
}

// A literal of one stack is not in the build, so that it makes no other image; what Pulumi.yaml has for all stacks is.
func TestALiteralOfOneStackIsNotInTheBuild(t *testing.T) {
	stack := loaded(t, "dev", map[string]string{"slipway:app": `{"env":{"GREETING":"hello","SITE_MODE":"staging","QUEUE":"{bucket}"}}`})
	stack.App.Shared = map[string]string{"SITE_MODE": "production"}
	env := buildEnv(stack)
	if greeting, ok := env["GREETING"]; ok || env["SITE_MODE"] != "production" || env["QUEUE"] != "placeholder" {
		t.Errorf("GREETING is %q, SITE_MODE %q, QUEUE %q", greeting, env["SITE_MODE"], env["QUEUE"])
	}
	if loaded(t, "dev", nil).App.Shared["DB_HOST"] != "{db.host}" {
		t.Error("app.env of this repository's Pulumi.yaml is not known as shared")
	}
}

// The image is built with every name that the app has at run time, and without any of their values.
func TestTheBuildHasEveryName(t *testing.T) {
	stack := loaded(t, "dev", map[string]string{"slipway:app": `{"env":{"DATABASE_URL":"{db.url}","LOG_LEVEL":"DEBUG"}}`})
	stack.SecretNames, stack.App.Env["BROKER"] = []string{"REDIS"}, "redis://:{secret.REDIS}@{host}"
	stack.App.Shared = nil
	env := buildEnv(stack)
	for name, want := range map[string]string{"DATABASE_URL": "postgres://site:placeholder@localhost:5432/site",
		"BROKER": "redis://:placeholder@localhost", "REDIS": "placeholder", "PORT": "8000", "LOG_LEVEL": "DEBUG"} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
}
