package ecs

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const (
	nginxPort  = 8080
	djangoPort = 8000

	// stopTimeout is longer than the balancer's drain, and longer than gunicorn and nginx take to end their requests.
	stopTimeout = 40
)

// django is a container of the application's image. Who runs one for longer than a task lives gives it version, so that
// a changed secret makes new tasks; nil leaves it out.
func django(image pulumi.StringInput, command []string, binding wiring.Binding, version pulumi.StringInput, group pulumi.StringInput) fargate.Container {
	env := maps.Clone(binding.Env)
	if version != nil {
		if env == nil {
			env = map[string]pulumi.StringInput{}
		}
		env["SETTINGS_VERSION"] = version
	}
	return fargate.Container{
		Name: "django", Image: image, Command: command, User: "10001:10001",
		Env: env, Secrets: binding.Secrets,
		Writable: append([]string{"/tmp"}, fargate.ExecPaths...),
		Stop:     stopTimeout,
		Group:    group,
	}
}

// web are the containers of the web task: nginx takes the requests once gunicorn behind it is healthy.
func web(args *WebArgs) []fargate.Container {
	gunicorn := django(args.Django, nil, args.Binding, wiring.Version(args.Binding.Secrets), args.DjangoGroup)
	gunicorn.Port = djangoPort
	gunicorn.Health = health(30)
	return []fargate.Container{gunicorn, {
		Name: "nginx", Image: args.Nginx, User: "101:101", Port: nginxPort,
		Writable: append([]string{"/tmp", "/var/cache/nginx", "/var/run"}, fargate.ExecPaths...),
		Health:   health(10),
		After:    []string{"django"},
		Stop:     stopTimeout,
		Group:    args.NginxGroup,
	}}
}

// health asks the program that both images carry under this name; start is how long it may take to come up, in seconds.
func health(start int) *fargate.Health {
	return &fargate.Health{Command: []string{"CMD", "healthcheck"}, Interval: 10, Timeout: 5, Retries: 3, StartPeriod: start}
}
