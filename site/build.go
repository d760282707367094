package site

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"slipway/adapter"
	"slipway/config"
	"slipway/datastore"
	"slipway/internal/image"
)

// sources say what the images of a stack are built from.
func sources(stack *config.Stack, root string) (image.Builds, error) {
	app := stack.App
	return adapter.App{
		Root: root, Path: app.Path, Context: app.Context, Dockerfile: app.Dockerfile, Target: app.Target, Args: app.Args,
		Platform: "linux/" + stack.Web.Architecture, Region: stack.Region,
		Settings: app.Settings, Manage: app.Manage, Overlay: app.Overlay, Writable: app.Writable, Env: buildEnv(stack),
		Static:    adapter.Static{Serve: app.Static.Serve, URL: app.Static.URL, Commands: app.Static.Commands},
		NginxBase: app.Nginx.Base,
	}.Builds()
}

// Builds are the builds of a stack's images, Django's first.
func Builds(stack *config.Stack, root string) ([]image.Build, error) {
	builds, err := sources(stack, root)
	return []image.Build{builds.Django, builds.Nginx}, err
}

// placeholders stand for values in the build, where collectstatic imports the settings. They have the form of real ones: settings
// check them. They are the same for all stacks.
var placeholders = map[string]string{
	"bucket": "placeholder", "connections": "1", "host": "localhost", "hosts": "localhost", "https": "true",
	"key": "placeholder-0123456789-abcdefghijklmnopqrstuvwxyz-not-a-secret", "origins": "https://localhost", "port": "8000",
	"region": "us-east-1", "url": "https://localhost",
	"db.host": "localhost", "db.name": "site", "db.password": "placeholder", "db.port": "5432", "db.sslmode": datastore.SSLMode,
	"db.sslrootcert": datastore.CABundle, "db.url": "postgres://site:placeholder@localhost:5432/site", "db.user": "site",
	"redis.host": "localhost", "redis.port": "6379", "redis.password": "placeholder",
	"redis.url": "rediss://:placeholder@localhost:6379/0?ssl_cert_reqs=required",
	"db.json":   `{"dbname":"site","engine":"postgres","host":"localhost","password":"placeholder","port":5432,"username":"site"}`,
}

// buildEnv is the app's environment in the build, without any secret. Of literals, only those that Pulumi.yaml has for all stacks
// count, so that a stack's own LOG_LEVEL is no other image; without an app in Pulumi.yaml the stack's own do.
func buildEnv(stack *config.Stack) map[string]string {
	env := map[string]string{"AWS_REGION": placeholders["region"], "PORT": strconv.Itoa(stack.App.Port),
		"SLIPWAY_DB_HOST": placeholders["db.host"], "SLIPWAY_DB_PORT": placeholders["db.port"], "SLIPWAY_DB_NAME": placeholders["db.name"],
		"SLIPWAY_DB_USER": placeholders["db.user"], "SLIPWAY_DB_PASSWORD": placeholders["db.password"],
		"SLIPWAY_SECRET_KEY": placeholders["key"], "SLIPWAY_HOST": placeholders["host"], "SLIPWAY_HOSTS": placeholders["hosts"],
		"SLIPWAY_ORIGINS": placeholders["origins"], "SLIPWAY_BUCKET": placeholders["bucket"]}
	maps.Copy(env, fixedEnv)
	for _, name := range stack.SecretNames {
		env[name] = "placeholder"
	}
	for name, template := range templates(stack) {
		if shared := stack.App.Shared; shared != nil && literal(template) {
			common, ok := shared[name]
			if !ok {
				continue
			}
			template, _ = config.ParseTemplate(common)
		}
		var text strings.Builder
		for _, part := range template {
			value, known := placeholders[part.Name]
			if part.Name != "" && !known { // secret.NAME
				value = "placeholder"
			}
			text.WriteString(part.Text + value)
		}
		env[name] = text.String()
	}
	return env
}

func literal(t config.Template) bool {
	return !slices.ContainsFunc(t, func(p config.Part) bool { return p.Name != "" })
}
