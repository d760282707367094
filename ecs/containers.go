package ecs

import (
	"maps"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/fargate/mount"
	"slipway/internal/wiring"
)

// stopTimeout is longer than the balancer's drain, and than the app's server and nginx take to finish their requests.
const stopTimeout = 40

// Times of the containers' health checks, in seconds.
const (
	checkEach   = 10
	checkWithin = 5
	checkTries  = 3

	// nginxStart is how long nginx may take: before it listens, it has up to 60 seconds to publish static files.
	nginxStart = 75
)

// longRunning is the application's container in a service: ECS Exec works, it stops after finishing its requests, and a
// changed secret changes its environment, so that the service rolls.
func longRunning(program fargate.Program, command []string, binding wiring.Binding, group pulumi.StringInput) fargate.Container {
	c := program.Container(command, binding, group)
	c.Env = map[string]pulumi.StringInput{"SLIPWAY_SETTINGS_VERSION": wiring.Version(binding.Secrets)}
	maps.Copy(c.Env, binding.Env)
	c.Writable = append(c.Writable, mount.ExecPaths...)
	c.Stop = stopTimeout
	return c
}

// web are the containers of the web task: nginx starts once the app behind it is healthy.
func web(args *WebArgs) []fargate.Container {
	app := longRunning(args.Program, args.Command, args.Binding, args.DjangoGroup)
	app.Port = args.Port
	app.Health = health(args.Start, args.question()...)
	// Longer than a container may take until ECS calls it unhealthy: nginx must not give up before.
	app.Start = args.Start + checkTries*(checkEach+checkWithin)
	return []fargate.Container{app, {
		Name: "nginx", Image: args.Nginx, User: "101:101", Port: NginxPort(args.Port), Env: args.Proxy.environment(args.Port),
		Writable: append([]string{"/tmp", "/var/cache/nginx"}, mount.ExecPaths...),
		Health:   health(nginxStart, "--port="+strconv.Itoa(NginxPort(args.Port)), "--path=/.slipway/nginx", "--below=400"),
		After:    []string{fargate.AppName},
		Stop:     stopTimeout,
		Group:    args.NginxGroup,
	}}
}

// question is what the app's health check asks: the site's host with https, on the app's own port. Without a path for it the app
// is healthy if it answers at all; a redirect or a page for users that are logged in is no failure.
func (args *WebArgs) question() []string {
	port := "--port=" + strconv.Itoa(args.Port)
	switch {
	case args.TCP:
		return []string{port, "--tcp"}
	case args.Proxy.HealthPath == "":
		return []string{port, "--path=/", "--below=500"}
	}
	return []string{port, "--path=" + args.Proxy.HealthPath, "--below=400"}
}

// health runs the helper, which both images contain; start is the allowed startup time in seconds.
func health(start int, question ...string) *fargate.Health {
	return &fargate.Health{
		Command:  append([]string{"CMD", fargate.Helper, "health"}, question...),
		Interval: checkEach, Timeout: checkWithin, Retries: checkTries, StartPeriod: start,
	}
}
