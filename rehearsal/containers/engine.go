package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// An engine is the Docker engine that the docker command uses. The command rather than a client library, because it has the user's
// contexts, remote sockets and builders.
type engine struct {
	label    string // of everything that this package creates: slipway.stack=ID
	buildKit bool
}

// newEngine finds the engine. Its error is one line with what is missing and how to install it.
func newEngine(ctx context.Context, id string) (*engine, error) {
	const get = "install Docker (https://docs.docker.com/engine/install), start it, or omit --run"
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, fmt.Errorf("--run needs the docker command, which is not on PATH: %s", get)
	}
	e := &engine{label: "slipway.stack=" + id}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := e.do(ctx, nil, "version", "--format", "{{.Server.Version}}"); err != nil {
		return nil, fmt.Errorf("--run needs a Docker engine, and none answers (%s): %s", firstLine(err.Error()), get)
	}
	_, err := e.do(ctx, nil, "buildx", "version")
	e.buildKit = err == nil
	return e, nil
}

// do runs docker. extra is added to the environment of this process: values that must not appear in a list of processes are passed
// that way.
func (e *engine) do(ctx context.Context, extra []string, args ...string) (string, error) {
	return e.feed(ctx, extra, nil, nil, args...)
}

// feed runs docker with an input, or with none. also, if not nil, gets the standard output while docker writes it.
func (e *engine) feed(ctx context.Context, extra []string, input io.Reader, also io.Writer, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), extra...)
	cmd.Stdin = input
	cmd.WaitDelay = time.Second
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	if also != nil {
		cmd.Stdout = io.MultiWriter(&out, also)
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		words := strings.TrimSpace(wrong.String())
		if words == "" {
			words = err.Error()
		}
		return out.String(), fmt.Errorf("docker %s: %s", args[0], words)
	}
	return strings.TrimSpace(out.String()), nil
}

// gone reports whether the message means that the container does not exist or is being removed.
func gone(words string) bool {
	return strings.Contains(words, "No such container") || strings.Contains(words, "marked for removal") ||
		strings.Contains(words, "is already in progress")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// A box is a container in the output of docker inspect.
type box struct {
	ID, Name string
	State    struct {
		Status   string
		Running  bool
		ExitCode int

		StartedAt, FinishedAt time.Time
		Health                *struct {
			Status        string
			FailingStreak int
			Log           []struct {
				ExitCode int
				Output   string
			}
		}
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress string }
	}
}

// ended reports whether the container has stopped.
func (b *box) ended() bool { return b.State.Status == "exited" || b.State.Status == "dead" }

// inspect returns the state of containers, without those that no longer exist.
func (e *engine) inspect(ctx context.Context, names ...string) ([]*box, error) {
	if len(names) == 0 {
		return nil, nil
	}
	out, err := e.do(ctx, nil, append([]string{"container", "inspect"}, names...)...)
	if err != nil && !gone(err.Error()) {
		return nil, err
	}
	var boxes []*box
	if err := json.Unmarshal([]byte(out), &boxes); err != nil {
		return nil, fmt.Errorf("docker container inspect: %w", err)
	}
	return boxes, nil
}

// boxes are the containers of this run that have all of the labels (name=value), running or not.
func (e *engine) boxes(ctx context.Context, labels ...string) ([]*box, error) {
	args := []string{"ps", "-aq", "--no-trunc", "--filter", "label=" + e.label}
	for _, l := range labels {
		args = append(args, "--filter", "label="+l)
	}
	out, err := e.do(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	return e.inspect(ctx, strings.Fields(out)...)
}

// clean removes every container, network and volume of this run, its images below prefix, and those of stages that are untagged
// and unused.
func (e *engine) clean(ctx context.Context, prefix string, stages []string) error {
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "-aq"}, []string{"rm", "-fv"}},
		{[]string{"network", "ls", "-q"}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "-q"}, []string{"volume", "rm"}},
	} {
		out, err := e.do(ctx, nil, append(kind.list, "--filter", "label="+e.label)...)
		if err != nil {
			return err
		}
		if names := strings.Fields(out); len(names) > 0 {
			if _, err := e.do(ctx, nil, append(kind.remove, names...)...); err != nil {
				return err
			}
		}
	}
	if prefix == "" {
		return nil
	}
	out, err := e.do(ctx, nil, "images", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}", "--digests", "--filter",
		"reference="+prefix+"/*/*")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) != 3 {
			continue
		}
		name := words[0] + ":" + words[1]
		if words[1] == "<none>" {
			name = words[0] + "@" + words[2]
		}
		// It may have been removed together with another tag.
		if _, err := e.do(ctx, nil, "rmi", name); err != nil && !strings.Contains(err.Error(), "No such image") {
			return err
		}
	}
	for _, made := range stages {
		if id, is := strings.CutPrefix(made, inContainer); is {
			if _, err := e.do(ctx, nil, "rm", "-fv", id); err != nil && !gone(err.Error()) {
				return err
			}
		}
	}
	nameless, err := e.do(ctx, nil, "images", "-q", "--filter", "dangling=true")
	if err != nil {
		return err
	}
	for _, id := range strings.Fields(nameless) {
		if slices.Contains(stages, id) {
			e.do(ctx, nil, "rmi", id) // Docker refuses if the image is in use
		}
	}
	return nil
}

// both runs docker and returns its standard output and error: `docker logs` writes to both.
func (e *engine) both(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	return string(out), err
}

// The labels of containers and volumes.
const (
	labelTask       = "slipway.task"
	labelService    = "slipway.service"
	labelDefinition = "slipway.definition"
	labelRestarts   = "slipway.restarts"
	labelContainer  = "slipway.container"
	labelDatabase   = "slipway.database"
	labelCache      = "slipway.cache"
	labelOrder      = "slipway.order"
	labelDetached   = "slipway.detached" // true: a task to its end that outlives its command
	labelShip       = "slipway.ship"     // where the log goes: JSON of a destination
)
