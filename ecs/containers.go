package ecs

import (
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const (
	djangoPort = 8000

	// stopTimeout is longer than the balancer's drain, and than gunicorn and nginx take to finish their requests.
	stopTimeout = 40
)

// longRunning is the application's container in a service: ECS Exec works, it stops after finishing its requests, and a
// changed secret changes its environment, so that the service rolls.
func longRunning(image pulumi.StringInput, command []string, binding wiring.Binding, group pulumi.StringInput) fargate.Container {
	c := fargate.App(image, command, binding, group)
	c.Env = map[string]pulumi.StringInput{"SETTINGS_VERSION": wiring.Version(binding.Secrets)}
	maps.Copy(c.Env, binding.Env)
	c.Writable = append(c.Writable, fargate.ExecPaths...)
	c.Stop = stopTimeout
	return c
}

// web are the containers of the web task: nginx starts once gunicorn behind it is healthy.
func web(args *WebArgs) []fargate.Container {
	gunicorn := longRunning(args.Django, nil, args.Binding, args.DjangoGroup)
	gunicorn.Env["DB_CONNECTIONS"] = pulumi.String(strconv.Itoa(args.Connections))
	gunicorn.Port = djangoPort
	gunicorn.Health = health(30)
	return []fargate.Container{gunicorn, {
		Name: "nginx", Image: args.Nginx, User: "101:101", Port: Port,
		Writable: append([]string{"/tmp", "/var/cache/nginx"}, fargate.ExecPaths...),
		Health:   health(10),
		After:    []string{"django"},
		Stop:     stopTimeout,
		Group:    args.NginxGroup,
	}}
}

// health runs the health check program that both images contain; start is the allowed startup time in seconds.
func health(start int) *fargate.Health {
	return &fargate.Health{Command: []string{"CMD", "healthcheck"}, Interval: 10, Timeout: 5, Retries: 3, StartPeriod: start}
}
