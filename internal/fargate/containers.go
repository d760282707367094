// Package fargate makes the parts that all Fargate workloads of a site share: container definitions, the two roles of a
// task, and the task definition. Services and scheduled jobs are both built from it.
package fargate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate/mount"
	"slipway/internal/wiring"
)

// A Container is one container of a task. Its root file system is read-only, an init process reaps its children, and it
// is essential: when it stops, the task stops.
type Container struct {
	Name  string
	Image pulumi.StringInput // repository@sha256:digest
	// Entrypoint and Command are the image's own if they are nil. An Entrypoint without Command runs alone: Docker then ignores the
	// image's command. An empty Entrypoint is none: the command's program takes its place, because ECS reads an empty list as the
	// image's own.
	Entrypoint, Command []string
	User                string // uid:gid, or a name in the image's /etc/passwd; not root
	Port                int    // 0: it does not listen
	Env                 map[string]pulumi.StringInput
	Secrets             map[string]wiring.Secret // read by the execution role when the task starts

	// Writable are the writable paths. Each becomes a volume that lasts as long as the task. The image must declare the
	// same paths as VOLUME, on directories owned by User: Fargate then copies their owner and mode to the volume, which
	// otherwise belongs to root (ECS guide, "Use bind mounts with Amazon ECS").
	Writable []string

	Health *Health
	After  []string // containers that must be healthy before this one starts; it also stops before they do

	// Start is the number of seconds after which the containers that wait for this one give up; default: the agent's.
	Start int

	// Stop is the number of seconds between SIGTERM and SIGKILL, from 2 to 120; default: Fargate's 30.
	Stop int

	Group pulumi.StringInput // log group for its output, unless the task sends it to Firehose

	router bool
}

// AppName is the name of the container that runs the application, in every task.
const AppName = "django"

// User is the name of the user in the application's image. Its number is the one that the project's image chose, which only the
// build knows; ECS takes a name as well (ECS API reference, ContainerDefinition, user).
const User = "slipway"

// Helper is the program that Slipway adds to both images: it checks health, migrates, and starts nginx.
const Helper = "/opt/slipway/helper"

// A Program is the application's image and how it starts, in every task.
type Program struct {
	Image      pulumi.StringInput // repository@sha256:digest
	Entrypoint []string           // nil: the image's own; empty: none
	Writable   []string           // paths besides /tmp
}

// Container is the application's container: as the image's user, with binding's environment and secrets, and with a read-only
// root file system but for /tmp and the program's own paths. A nil command runs the image's own.
func (p Program) Container(command []string, binding wiring.Binding, group pulumi.StringInput) Container {
	return Container{
		Name: AppName, Image: p.Image, Entrypoint: p.Entrypoint, Command: command, User: User,
		Env: binding.Env, Secrets: binding.Secrets,
		Writable: append([]string{"/tmp"}, p.Writable...),
		Group:    group,
	}
}

// A Health check runs inside the container. Times are in seconds.
type Health struct {
	Command              []string // CMD and its arguments, or CMD-SHELL and one line
	Interval, Timeout    int
	Retries, StartPeriod int // failures during StartPeriod do not count
}

// Firehose is the log route that bypasses CloudWatch: a log router in the task sends the containers' output to a delivery
// stream.
type Firehose struct {
	Name, ARN   pulumi.StringInput
	KeyARN      pulumi.StringInput // the stream's
	RouterImage pulumi.StringInput // AWS for Fluent Bit; by digest if the stack must be reproducible
}

const routerName = "log-router"

// maxBuffer is what a container's log driver buffers in memory while the receiver is slow. When the buffer is full, lines
// are dropped: with mode blocking the site would hang instead.
const maxBuffer = "25m"

// check returns every mistake in the containers of one task.
func check(containers []Container) error {
	var all []error
	bad := func(c Container, format string, args ...any) {
		all = append(all, fmt.Errorf("fargate: container %q: %s", c.Name, fmt.Sprintf(format, args...)))
	}
	if len(containers) == 0 {
		all = append(all, errors.New("fargate: a task needs a container"))
	}
	named, ports := map[string]Container{}, map[int]string{}
	for _, c := range containers {
		if _, twice := named[c.Name]; twice || c.Name == "" {
			bad(c, "name must be given, and only once")
		}
		named[c.Name] = c
	}
	for _, c := range containers {
		if c.Image == nil {
			bad(c, "image must be given")
		}
		if c.Group == nil {
			bad(c, "log group must be given")
		}
		if uid, _, _ := strings.Cut(c.User, ":"); !c.router && (uid == "" || uid == "0" || uid == "root") {
			bad(c, "user must be a user other than root, got %q", c.User)
		}
		if c.Port < 0 || c.Port > 65535 {
			bad(c, "port must be from 1 to 65535, got %d", c.Port)
		}
		if other, taken := ports[c.Port]; taken && c.Port != 0 {
			bad(c, "port %d is taken by %q: the containers of a task share one network interface", c.Port, other)
		}
		ports[c.Port] = c.Name
		if c.Entrypoint != nil && len(c.Entrypoint) == 0 && len(c.Command) == 0 {
			bad(c, "an empty entrypoint also needs a command")
		}
		if c.Stop != 0 && (c.Stop < 2 || c.Stop > 120) {
			bad(c, "stop must be from 2 to 120 seconds, got %d", c.Stop)
		}
		for _, first := range c.After {
			if other, there := named[first]; !there || other.Health == nil {
				bad(c, "after names %q, which must be a container of the task with a health check", first)
			}
		}
		for name := range c.Env {
			if _, twice := c.Secrets[name]; twice {
				bad(c, "%s is set both as a plain variable and as a secret", name)
			}
		}
		for _, path := range c.Writable {
			if !strings.HasPrefix(path, "/") || path == "/" {
				bad(c, "writable path must be absolute and not the root, got %q", path)
			}
			if link := mount.LinkAbove(path); link != "" {
				bad(c, "writable path %q is under %s, a symbolic link in most images: on Fargate only root could write it", path, link)
			}
		}
	}
	return errors.Join(all...)
}

// definitions renders the container definitions of a task as ECS returns them: containers, variables and secrets sorted by
// name, defaults filled in, empty lists present. So an unchanged definition never shows a difference.
func definitions(family, region string, containers []Container, firehose *Firehose) pulumi.StringOutput {
	if firehose != nil {
		containers = append([]Container{router(containers[0].Group, firehose)}, containers...)
	}
	sorted := slices.SortedFunc(slices.Values(containers), func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	list := make([]any, 0, len(sorted))
	for _, c := range sorted {
		d := c.definition()
		d["logConfiguration"] = logs(family, region, c, firehose)
		list = append(list, d)
	}
	return pulumi.JSONMarshal(list)
}

func (c Container) definition() map[string]any {
	d := map[string]any{
		"name":                   c.Name,
		"image":                  c.Image,
		"cpu":                    0, // the containers share the task's CPU
		"essential":              true,
		"user":                   c.User,
		"readonlyRootFilesystem": !c.router,
		"linuxParameters":        map[string]any{"initProcessEnabled": true},
		"ulimits":                []any{map[string]any{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}},
		"environment":            c.environment(),
		"portMappings":           []any{},
		"mountPoints":            c.mounts(),
		"volumesFrom":            []any{},
		"systemControls":         []any{},
	}
	entrypoint, command := c.Entrypoint, c.Command
	if entrypoint != nil && len(entrypoint) == 0 && len(command) > 0 {
		entrypoint, command = command[:1], command[1:]
	}
	if len(entrypoint) > 0 {
		d["entryPoint"] = anys(entrypoint)
	}
	if len(command) > 0 {
		d["command"] = anys(command)
	}
	if c.Start != 0 {
		d["startTimeout"] = c.Start
	}
	if c.Port != 0 {
		d["portMappings"] = []any{map[string]any{"containerPort": c.Port, "hostPort": c.Port, "protocol": "tcp"}}
	}
	if c.Stop != 0 {
		d["stopTimeout"] = c.Stop
	}
	if len(c.Secrets) > 0 {
		secrets := make([]any, 0, len(c.Secrets))
		for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
			secrets = append(secrets, map[string]any{"name": name, "valueFrom": c.Secrets[name].ARN})
		}
		d["secrets"] = secrets
	}
	if h := c.Health; h != nil {
		d["healthCheck"] = map[string]any{
			"command": anys(h.Command), "interval": h.Interval, "timeout": h.Timeout,
			"retries": h.Retries, "startPeriod": h.StartPeriod,
		}
	}
	if len(c.After) > 0 {
		after := make([]any, 0, len(c.After))
		for _, name := range slices.Sorted(slices.Values(c.After)) {
			after = append(after, map[string]any{"containerName": name, "condition": "HEALTHY"})
		}
		d["dependsOn"] = after
	}
	if c.router {
		d["firelensConfiguration"] = map[string]any{"type": "fluentbit", "options": map[string]any{"enable-ecs-log-metadata": "true"}}
	}
	return d
}

func (c Container) environment() []any {
	env := make([]any, 0, len(c.Env))
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, map[string]any{"name": name, "value": c.Env[name]})
	}
	return env
}

func (c Container) mounts() []any {
	mounts := make([]any, 0, len(c.Writable))
	for _, path := range slices.Sorted(slices.Values(c.Writable)) {
		mounts = append(mounts, map[string]any{"sourceVolume": c.volume(path), "containerPath": path, "readOnly": false})
	}
	return mounts
}

// volume is the name of the volume for path. Containers share no volume, because their users differ.
func (c Container) volume(path string) string { return mount.Volume(c.Name, path) }

// logs is where a container's output goes. With FireLens each record names its container, task and task definition (the router's
// enable-ecs-log-metadata). The time has to be asked for: without time_key a record has none (Fluent Bit manual, "Amazon Kinesis Data
// Firehose").
func logs(family, region string, c Container, firehose *Firehose) map[string]any {
	if firehose != nil && !c.router {
		return map[string]any{"logDriver": "awsfirelens", "options": map[string]any{
			"Name":                    "kinesis_firehose",
			"delivery_stream":         firehose.Name,
			"region":                  region,
			"time_key":                "time",
			"time_key_format":         "%Y-%m-%dT%H:%M:%S.%3N",
			"retry_limit":             "5",
			"log-driver-buffer-limit": "26214400",
		}}
	}
	return map[string]any{"logDriver": "awslogs", "options": map[string]any{
		"awslogs-group":         c.Group,
		"awslogs-region":        region,
		"awslogs-stream-prefix": family,
		"mode":                  "non-blocking",
		"max-buffer-size":       maxBuffer,
	}}
}

// router is the sidecar that sends the other containers' output to Firehose with the task role. Its own output goes to
// CloudWatch, where it shows why the route is broken. It is the only container that runs as root and with a writable root
// file system: the agent makes the directory of its socket as root (aws/containers-roadmap#2122), and the image does not
// start with a read-only one (fluent/fluent-bit#7308).
func router(group pulumi.StringInput, firehose *Firehose) Container {
	return Container{Name: routerName, Image: firehose.RouterImage, User: "0", Group: group, router: true}
}

func anys(words []string) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
	}
	return all
}
