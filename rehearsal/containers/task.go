package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

// A definition is a task definition as the program declared it.
type definition struct {
	ARN, Family string
	Memory      int // MiB of the whole task
	Containers  []container
}

// A container is one of its containers: the settings that Docker supports.
type container struct {
	Name, Image, User, WorkingDirectory string
	Command, EntryPoint                 []string
	Essential                           *bool // default true
	ReadonlyRootFilesystem              bool
	StopTimeout                         int // seconds; default 30
	Environment                         []struct{ Name, Value string }
	Secrets                             []struct{ Name, ValueFrom string }
	MountPoints                         []mountPoint
	DependsOn                           []struct{ ContainerName, Condition string }
	HealthCheck                         *healthCheck
	LinuxParameters                     struct{ InitProcessEnabled bool }
	Ulimits                             []struct {
		Name                 string
		SoftLimit, HardLimit int
	}
	PortMappings          []struct{ ContainerPort int }
	LogConfiguration      logConfiguration
	FirelensConfiguration map[string]any
}

type mountPoint struct {
	SourceVolume, ContainerPath string
	ReadOnly                    bool
}

type healthCheck struct {
	Command                                 []string
	Interval, Timeout, Retries, StartPeriod int // seconds
}

type logConfiguration struct {
	LogDriver string
	Options   map[string]string
}

func (c *container) essential() bool { return c.Essential == nil || *c.Essential }

// definition reads a task definition of the account, without a FireLens log router: the lines are delivered from Docker's log
// instead.
func (r *Run) definition(arn string) (*definition, error) {
	o := r.find("aws:ecs/taskDefinition:TaskDefinition", "arn", arn)
	if o == nil {
		return nil, fmt.Errorf("the account has no task definition %s", arn)
	}
	out := cloud.Inputs(o.Outputs)
	d := &definition{ARN: arn, Family: out.String("family")}
	fmt.Sscan(out.String("memory"), &d.Memory)
	if err := json.Unmarshal([]byte(out.String("containerDefinitions")), &d.Containers); err != nil {
		return nil, fmt.Errorf("task definition %s: %w", arn, err)
	}
	d.Containers = slices.DeleteFunc(d.Containers, func(c container) bool { return c.FirelensConfiguration != nil })
	return d, d.sort()
}

// sort puts containers after those that they depend on.
func (d *definition) sort() error {
	var sorted []container
	for len(d.Containers) > 0 {
		i := slices.IndexFunc(d.Containers, func(c container) bool {
			for _, on := range c.DependsOn {
				if slices.ContainsFunc(d.Containers, func(c container) bool { return c.Name == on.ContainerName }) {
					return false
				}
			}
			return true
		})
		if i < 0 {
			return fmt.Errorf("task definition %s: its containers depend on each other in a cycle", d.ARN)
		}
		sorted = append(sorted, d.Containers[i])
		d.Containers = slices.Delete(d.Containers, i, i+1)
	}
	d.Containers = sorted
	return nil
}

// A task is a running task definition. Its containers share the network namespace of the first one, as those of an awsvpc task
// share a network interface.
type task struct {
	id         string
	service    string // "" for a task that runs to its end
	detached   bool   // it outlives the command that started it
	definition *definition
	restarts   string // see cloud.Object.Restarts
}

func (t *task) box(r *Run, c string) string {
	return fmt.Sprintf("slipway-%s-%s-%s", r.id, t.id, c)
}

// start starts the containers of a task in the order of their dependencies. override, if not nil, changes a container before it
// starts. A task that does not start is removed; the error has its last lines.
func (r *Run) start(ctx context.Context, t *task, override func(*container)) error {
	for i := range t.definition.Containers {
		c := t.definition.Containers[i]
		if override != nil {
			override(&c)
		}
		for _, on := range c.DependsOn {
			if err := r.await(ctx, t, on.ContainerName, on.Condition); err != nil {
				return r.fail(ctx, t, on.ContainerName, err)
			}
		}
		if err := r.launch(ctx, t, &c, i); err != nil {
			return r.fail(ctx, t, c.Name, err)
		}
	}
	return nil
}

// fail removes a task, and returns err with the last lines of the failed container.
func (r *Run) fail(ctx context.Context, t *task, container string, err error) error {
	ctx = context.WithoutCancel(ctx)
	stopped := &errStopped{reason: fmt.Sprintf("task %s of %s, container %s: %v", t.id, t.definition.Family, container, err),
		logs: r.last(ctx, t.box(r, container), 20)}
	stopped.failure = &cloud.Failure{Container: container, ExitCode: cloud.NeverStarted, Reason: err.Error(), Logs: stopped.logs}
	var exited essentialExited
	var sick *unwell
	switch {
	case errors.As(err, &exited):
		stopped.failure.ExitCode = int(exited)
	case errors.As(err, &sick) && sick.target:
		stopped.failure.Reason, stopped.failure.Check = sick.reason, sick.said
		stopped.failure.Others = map[string][]string{}
		for _, c := range t.definition.Containers {
			if c.Name != container {
				stopped.failure.Others[c.Name] = r.last(ctx, t.box(r, c.Name), 20)
			}
		}
	case errors.As(err, &sick):
		stopped.failure.Reason, stopped.failure.Check, stopped.failure.Detail = sick.reason, sick.said, "its health check failed"
	}
	return errors.Join(stopped, r.remove(ctx, t.id))
}

// launch starts one container.
func (r *Run) launch(ctx context.Context, t *task, c *container, order int) error {
	image := r.local(c.Image)
	if _, err := r.engine.do(ctx, nil, "image", "inspect", image); err != nil {
		if _, err := r.engine.do(ctx, nil, "pull", "-q", image); err != nil {
			return fmt.Errorf("CannotPullContainerError: %s: %w", c.Image, err)
		}
	}
	args, err := r.identity(t, c, order)
	if err != nil {
		return err
	}
	args = append(args, r.limits(t, c)...)
	mounts, err := r.mounts(ctx, t, c, image)
	if err != nil {
		return err
	}
	trust, err := r.trust(ctx, c, image)
	if err != nil {
		return err
	}
	args = slices.Concat(args, mounts, trust, r.healthCheck(c))
	variables, secrets, err := r.environment(c)
	if err != nil {
		return err
	}
	args = append(args, variables...)
	command := c.Command
	if len(c.EntryPoint) > 0 {
		args = append(args, "--entrypoint", c.EntryPoint[0])
		command = append(slices.Clone(c.EntryPoint[1:]), command...)
	}
	_, err = r.engine.do(ctx, secrets, append(append(args, image), command...)...)
	if err != nil && strings.Contains(err.Error(), "error setting rlimit") && r.unlimited.CompareAndSwap(false, true) {
		// Docker inside a restricted container may not raise limits.
		if err := r.reportLimits(); err != nil {
			return err
		}
		if _, err := r.engine.do(ctx, nil, "rm", "-fv", t.box(r, c.Name)); err != nil {
			return err
		}
		return r.launch(ctx, t, c, order)
	}
	return err
}

// reportLimits says once in the life of a stack that its containers run without the task definition's ulimits.
func (r *Run) reportLimits() error {
	r.limiting.Lock()
	defer r.limiting.Unlock()
	if r.kept.Unlimited {
		return nil
	}
	r.options.Say("Docker is not allowed to set ulimits here; containers run with its defaults.")
	r.kept.Unlimited = true
	return r.keep()
}

// identity is the beginning of a docker run: the container's name, its labels, and its network.
func (r *Run) identity(t *task, c *container, order int) ([]string, error) {
	ship, err := json.Marshal(destinationOf(c.LogConfiguration, c.Name, t.id))
	if err != nil {
		return nil, err
	}
	network := r.network
	if order > 0 {
		network = "container:" + t.box(r, t.definition.Containers[0].Name)
	}
	return []string{"run", "-d", "--name", t.box(r, c.Name),
		"--label", r.engine.label, "--label", labelTask + "=" + t.id, "--label", labelService + "=" + t.service,
		"--label", labelDefinition + "=" + t.definition.ARN, "--label", labelContainer + "=" + c.Name,
		"--label", labelRestarts + "=" + t.restarts,
		"--label", labelOrder + "=" + fmt.Sprint(order), "--label", labelShip + "=" + string(ship),
		"--label", labelDetached + "=" + strconv.FormatBool(t.detached),
		"--stop-timeout", fmt.Sprint(cmp.Or(c.StopTimeout, 30)), "--network", network,
	}, nil
}

// limits are what the container may use and how it runs.
func (r *Run) limits(t *task, c *container) []string {
	var args []string
	if t.definition.Memory > 0 {
		args = append(args, "--memory", fmt.Sprintf("%dm", t.definition.Memory))
	}
	if c.User != "" {
		args = append(args, "--user", c.User)
	}
	if c.WorkingDirectory != "" {
		args = append(args, "--workdir", c.WorkingDirectory)
	}
	if c.ReadonlyRootFilesystem {
		args = append(args, "--read-only")
	}
	if c.LinuxParameters.InitProcessEnabled {
		args = append(args, "--init")
	}
	if r.unlimited.Load() {
		return args
	}
	for _, u := range c.Ulimits {
		args = append(args, "--ulimit", fmt.Sprintf("%s=%d:%d", u.Name, u.SoftLimit, u.HardLimit))
	}
	return args
}

// mounts creates the container's volumes if they do not exist yet.
func (r *Run) mounts(ctx context.Context, t *task, c *container, image string) ([]string, error) {
	foreign, err := r.foreign(ctx, image, c.MountPoints)
	if err != nil {
		return nil, err
	}
	var args []string
	for _, m := range c.MountPoints {
		volume := fmt.Sprintf("slipway-%s-%s-%s", r.id, t.id, m.SourceVolume)
		_, err := r.engine.do(ctx, nil, "volume", "create", "--label", r.engine.label, "--label", labelTask+"="+t.id, volume)
		if err != nil {
			return nil, err
		}
		mount := "type=volume,src=" + volume + ",dst=" + m.ContainerPath
		if m.ReadOnly {
			mount += ",readonly"
		}
		if foreign[m.ContainerPath] {
			mount += ",volume-nocopy"
		}
		args = append(args, "--mount", mount)
	}
	return args, nil
}

// foreign says which mounts get a volume of root's. Docker gives a new volume the content and owner of the image's directory at
// that path, following links. Fargate does so only where the image declares this very path as VOLUME and the path has no
// symbolic link in it; else the volume is root's, with mode 0755 (ECS guide, "Use bind mounts with Amazon ECS";
// aws/containers-roadmap#938). An image without readlink is taken to have no links.
func (r *Run) foreign(ctx context.Context, image string, mounts []mountPoint) (map[string]bool, error) {
	if len(mounts) == 0 {
		return nil, nil
	}
	out, err := r.engine.do(ctx, nil, "image", "inspect", "-f", "{{json .Config.Volumes}}", image)
	if err != nil {
		return nil, err
	}
	var declared map[string]struct{}
	if err := json.Unmarshal([]byte(out), &declared); err != nil {
		return nil, fmt.Errorf("image %s: its volumes: %w", image, err)
	}
	look := []string{"run", "--rm", "--network", "none", "--label", r.engine.label, "--user", "0", "--entrypoint", "readlink", image, "-f"}
	for _, m := range mounts {
		look = append(look, m.ContainerPath)
	}
	real, err := r.engine.do(ctx, nil, look...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	paths := strings.Split(real, "\n")
	foreign := map[string]bool{}
	for i, m := range mounts {
		_, own := declared[m.ContainerPath]
		linked := err == nil && len(paths) == len(mounts) && paths[i] != m.ContainerPath
		foreign[m.ContainerPath] = !own || linked
	}
	return foreign, nil
}

// healthCheck is the task definition's. Like ECS, it ignores the health check of the image.
func (r *Run) healthCheck(c *container) []string {
	h := c.HealthCheck
	if h == nil || len(h.Command) < 2 {
		return []string{"--no-healthcheck"}
	}
	return []string{"--health-cmd", shell(h.Command),
		"--health-interval", r.sooner(cmp.Or(h.Interval, 30)).String(), "--health-timeout", fmt.Sprintf("%ds", cmp.Or(h.Timeout, 5)),
		"--health-retries", fmt.Sprint(cmp.Or(h.Retries, 3)), "--health-start-period", fmt.Sprintf("%ds", h.StartPeriod)}
}

// environment is the container's variables as arguments. Secrets appear there by name only; their values are for the environment
// of the docker command.
func (r *Run) environment(c *container) (args, secrets []string, err error) {
	env := map[string]string{}
	for _, e := range c.Environment {
		env[e.Name] = e.Value
	}
	if slices.Contains(slices.Collect(maps.Values(env)), rdsBundle) {
		// The certificate bundle of RDS is replaced by the authority of the stand-in.
		args = append(args, "--mount", "type=bind,readonly,src="+filepath.Join(r.dir, "ca.pem")+",dst="+rdsBundle)
	}
	for name, value := range r.awsSettings() {
		if _, set := env[name]; !set {
			env[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		args = append(args, "-e", name+"="+env[name])
	}
	for _, s := range c.Secrets {
		value, err := r.secret(s.ValueFrom)
		if err != nil {
			return nil, nil, err
		}
		args, secrets = append(args, "-e", s.Name), append(secrets, s.Name+"="+value)
	}
	return args, secrets, nil
}

// rdsBundle is where an image has the certificates of RDS. A container that connects to a database gets the path in a variable
// (PGSSLROOTCERT).
const rdsBundle = "/etc/ssl/rds/global-bundle.pem"

// shell is a health check as a shell command.
func shell(command []string) string {
	if command[0] == "CMD-SHELL" {
		return strings.Join(command[1:], " ")
	}
	words := make([]string, len(command)-1)
	for i, w := range command[1:] {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

// secret is the value of a parameter.
func (r *Run) secret(from string) (string, error) {
	for _, by := range []string{"arn", "name"} {
		if o := r.find("aws:ssm/parameter:Parameter", by, from); o != nil {
			out := cloud.Inputs(o.Outputs)
			return cmp.Or(out.String("value"), out.String("insecureValue")), nil
		}
	}
	return "", fmt.Errorf("ResourceInitializationError: unable to retrieve secret: %s does not exist", from)
}

// await waits until a container of the task reaches a condition: START, HEALTHY, COMPLETE or SUCCESS.
func (r *Run) await(ctx context.Context, t *task, container, condition string) error {
	name := t.box(r, container)
	for {
		boxes, err := r.engine.inspect(ctx, name)
		if err != nil {
			return err
		}
		if len(boxes) == 0 {
			return errors.New("it was removed")
		}
		b := boxes[0]
		switch {
		case condition == "COMPLETE" && b.ended(), condition == "SUCCESS" && b.ended() && b.State.ExitCode == 0:
			return nil
		case b.ended():
			return essentialExited(b.State.ExitCode)
		case condition == "START" && b.State.Running:
			return nil
		case condition == "HEALTHY" && b.State.Health != nil && b.State.Health.Status == "healthy":
			return nil
		case condition == "HEALTHY" && b.State.Health != nil && b.State.Health.Status == "unhealthy":
			return b.unhealthy()
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// well returns nil while every essential container of the task runs and none is unhealthy, or an error and the container's name.
func (r *Run) well(ctx context.Context, t *task) (name string, err error) {
	boxes, err := r.engine.boxes(ctx, labelTask+"="+t.id)
	if err != nil {
		return "", err
	}
	if len(boxes) < len(t.definition.Containers) {
		return t.definition.Containers[0].Name, errors.New("a container was removed")
	}
	for _, b := range boxes {
		name := b.Config.Labels[labelContainer]
		i := slices.IndexFunc(t.definition.Containers, func(c container) bool { return c.Name == name })
		if i < 0 || !t.definition.Containers[i].essential() {
			continue
		}
		if b.ended() {
			return name, essentialExited(b.State.ExitCode)
		}
		if b.State.Health != nil && b.State.Health.Status == "unhealthy" {
			return name, b.unhealthy()
		}
	}
	return "", nil
}

// address is the task's address on its network.
func (r *Run) address(ctx context.Context, t *task) (string, error) {
	boxes, err := r.engine.inspect(ctx, t.box(r, t.definition.Containers[0].Name))
	if err != nil || len(boxes) == 0 {
		return "", errors.Join(err, errors.New("the task no longer exists"))
	}
	return boxes[0].NetworkSettings.Networks[r.network].IPAddress, nil
}

// remove stops the containers of a task in reverse order, each with its stop timeout, and removes them and their volumes.
func (r *Run) remove(ctx context.Context, id string) error {
	boxes, err := r.engine.boxes(ctx, labelTask+"="+id)
	if err != nil {
		return err
	}
	slices.SortFunc(boxes, func(a, b *box) int {
		return cmp.Compare(b.Config.Labels[labelOrder], a.Config.Labels[labelOrder])
	})
	var wrong []error
	for _, b := range boxes {
		if b.State.Running {
			if _, err := r.engine.do(ctx, nil, "stop", b.ID); err != nil && !gone(err.Error()) {
				wrong = append(wrong, err)
			}
		}
	}
	wrong = append(wrong, r.ship(ctx, boxes, true))
	for _, b := range boxes {
		if _, err := r.engine.do(ctx, nil, "rm", "-fv", b.ID); err != nil && !gone(err.Error()) {
			wrong = append(wrong, err)
		}
	}
	volumes, err := r.engine.do(ctx, nil, "volume", "ls", "-q", "--filter", "label="+r.engine.label, "--filter", "label="+labelTask+"="+id)
	wrong = append(wrong, err)
	if names := strings.Fields(volumes); len(names) > 0 {
		_, err := r.engine.do(ctx, nil, append([]string{"volume", "rm"}, names...)...)
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// Task runs one task of the account to its end: the migration, or a job. It stops the task when ctx is done.
func (r *Run) Task(ctx context.Context, run cloud.TaskRun) cloud.TaskResult {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.ctx, func() { cancel(r.ctx.Err()) })()
	result, err := r.task(ctx, run)
	if err != nil {
		result.ExitCode, result.Reason = cloud.NeverStarted, err.Error()
		var stopped *errStopped
		if errors.As(err, &stopped) {
			result.Reason, result.Logs = stopped.reason, stopped.logs
		}
	}
	return result
}

func (r *Run) task(ctx context.Context, run cloud.TaskRun) (result cloud.TaskResult, err error) {
	d, err := r.definition(run.TaskDefinition)
	if err != nil {
		return result, err
	}
	if err := r.ensureData(ctx); err != nil {
		return result, err
	}
	if run.Memory != 0 {
		d.Memory = run.Memory
	}
	t := &task{id: draw(), definition: d, detached: run.Detach}
	defer func() {
		if !run.Detach || err != nil {
			err = errors.Join(err, r.remove(context.WithoutCancel(ctx), t.id))
		}
	}()
	err = r.start(ctx, t, func(c *container) {
		if c.Name != run.Container {
			return
		}
		if run.Command != nil {
			c.Command = run.Command
		}
		for _, name := range slices.Sorted(maps.Keys(run.Environment)) {
			c.Environment = append(c.Environment, struct{ Name, Value string }{name, run.Environment[name]})
		}
	})
	if err != nil {
		return result, err
	}
	name := t.box(r, run.Container)
	if run.Detach {
		return result, nil
	}
	if run.Line != nil {
		defer r.stream(ctx, name, run.Line)()
	}
	code, err := r.engine.do(ctx, nil, "wait", name)
	result.Logs = r.last(context.WithoutCancel(ctx), name, 50)
	if err != nil {
		return result, err
	}
	fmt.Sscan(code, &result.ExitCode)
	return result, nil
}
