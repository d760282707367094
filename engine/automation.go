package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"gopkg.in/yaml.v3"
)

// A stack with a Backend runs through the CLI and the Automation API, the interfaces that Pulumi supports.

// variables are the CLI's environment.
func (s *Stack) variables() map[string]string {
	env := map[string]string{
		"HOME":                     s.home(),
		"PULUMI_BACKEND_URL":       s.url(),
		"PULUMI_SKIP_UPDATE_CHECK": "true",
	}
	for name, value := range s.Env {
		env[name] = value
	}
	return env
}

func (s *Stack) home() string {
	if s.Home != "" {
		return s.Home
	}
	return filepath.Join(s.dir, "home")
}

// prepareCLI lays out the workspace.
func (s *Stack) prepareCLI(ctx context.Context) error {
	if err := os.MkdirAll(s.home(), 0o700); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	project, err := withoutStackDir(s.Project)
	if err == nil {
		err = renameio.WriteFile(filepath.Join(s.dir, "Pulumi.yaml"), project, 0o600)
	}
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err = s.Config.write(filepath.Join(s.dir, "Pulumi."+s.Stack+".yaml"), *s.Backend); err != nil {
		return err
	}
	local, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(s.dir), auto.PulumiHome(s.home()), auto.Pulumi(s.CLI),
		auto.Program(s.Program), auto.EnvVars(s.env), auto.SecretsProvider(s.Backend.SecretsProvider))
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.auto, err = auto.UpsertStack(ctx, s.Stack, &workspace{local.(*auto.LocalWorkspace), s})
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// withoutStackDir is Pulumi.yaml without the folder of the stacks' files (stackConfigDir, and config as a string, its former
// name): the workspace has its one stack beside Pulumi.yaml.
func withoutStackDir(project []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(project, &document); err != nil {
		return nil, err
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return project, nil
	}
	var kept []*yaml.Node
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		if name := pairs[i].Value; name == "stackConfigDir" || name == "config" && pairs[i+1].Kind == yaml.ScalarNode {
			continue
		}
		kept = append(kept, pairs[i], pairs[i+1])
	}
	if len(kept) == len(pairs) {
		return project, nil
	}
	document.Content[0].Content = kept
	return yaml.Marshal(&document)
}

// A workspace is the Automation API's, without the two calls that start the CLI for what is known here: whether a stack
// exists, and what its outputs are. Each costs half a second per run.
type workspace struct {
	*auto.LocalWorkspace
	s *Stack
}

func (w *workspace) SelectStack(ctx context.Context, name string) error {
	if there, err := w.s.exists(ctx); err != nil || there {
		return err
	}
	return w.CreateStack(ctx, name)
}

func (w *workspace) StackOutputs(context.Context, string) (auto.OutputMap, error) { return nil, nil }

// runCLI has the CLI run an action.
func (s *Stack) runCLI(ctx context.Context, a action, hear func(apitype.EngineEvent)) error {
	if a.kind != update || s.ReadBack == nil {
		return s.automate(ctx, a, hear)
	}
	before, err := s.read(ctx)
	if err != nil {
		return err
	}
	err = s.automate(ctx, a, hear)
	if ctx.Err() != nil {
		return err
	}
	if unread := s.readBack(ctx, before); unread != nil && err == nil {
		s.Logf("The next drift check may report changes that this up made as manual changes: reading them back failed: %v", unread)
	}
	return err
}

// automate runs an action through the Automation API.
func (s *Stack) automate(ctx context.Context, a action, hear func(apitype.EngineEvent)) error {
	stream, followed := make(chan events.EngineEvent), make(chan struct{})
	go func() {
		defer close(followed)
		for event := range stream {
			hear(event.EngineEvent)
		}
	}()
	var words bytes.Buffer
	err := s.call(ctx, a, stream, &words)
	select {
	case <-followed:
	case <-time.After(time.Second): // the engine ended before it reported anything, so the stream was never opened
		if err == nil {
			<-followed
		}
	}
	if err != nil {
		if said := strings.TrimSpace(words.String()); said != "" { // the Automation API's error is the whole transcript
			err = errors.New(said)
		}
	}
	return err
}

func (s *Stack) call(ctx context.Context, a action, stream chan<- events.EngineEvent, words io.Writer) (err error) {
	switch a.kind {
	case update:
		options := []optup.Option{optup.EventStreams(stream), optup.ErrorProgressStreams(words), optup.SuppressOutputs(),
			optup.SuppressProgress(), optup.Target(a.targets)}
		if a.refresh {
			options = append(options, optup.Refresh())
		}
		if a.parallel > 0 {
			options = append(options, optup.Parallel(a.parallel))
		}
		_, err = s.auto.Up(ctx, options...)
	case preview:
		options := []optpreview.Option{optpreview.EventStreams(stream), optpreview.ErrorProgressStreams(words),
			optpreview.SuppressOutputs(), optpreview.SuppressProgress()}
		if a.refresh {
			options = append(options, optpreview.Refresh())
		}
		_, err = s.auto.Preview(ctx, options...)
	case destroy:
		_, err = s.auto.Destroy(ctx, optdestroy.EventStreams(stream), optdestroy.ErrorProgressStreams(words),
			optdestroy.SuppressOutputs(), optdestroy.SuppressProgress(), optdestroy.Target(a.targets))
	case refresh, previewRefresh:
		options := []optrefresh.Option{optrefresh.EventStreams(stream), optrefresh.ErrorProgressStreams(words),
			optrefresh.SuppressOutputs(), optrefresh.SuppressProgress(), optrefresh.RunProgram(false), optrefresh.Target(a.targets)}
		if a.kind == previewRefresh {
			_, err = s.auto.PreviewRefresh(ctx, options...)
		} else {
			_, err = s.auto.Refresh(ctx, options...)
		}
	}
	return err
}

func (s *Stack) outputsCLI(ctx context.Context, showSecrets bool) (map[string]any, error) {
	args := []string{"stack", "output", "--json", "--stack", s.Stack}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	out, err := s.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	outputs := map[string]any{}
	if err := json.Unmarshal(out, &outputs); err != nil {
		return nil, fmt.Errorf("engine: the engine's outputs: %w", err)
	}
	return outputs, nil
}

func (s *Stack) exportCLI(ctx context.Context, showSecrets bool) ([]byte, error) {
	args := []string{"stack", "export", "--stack", s.Stack}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	return s.command(ctx, args...)
}

// replaceCLI replaces the state with an edited export.
func (s *Stack) replaceCLI(ctx context.Context, edited []byte) error {
	file := filepath.Join(s.dir, "repaired.json")
	defer os.Remove(file)
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	_, err := s.command(ctx, "stack", "import", "--file", file, "--stack", s.Stack)
	return err
}

// command runs the CLI in the stack's workspace.
func (s *Stack) command(ctx context.Context, args ...string) ([]byte, error) {
	env := []string{"PULUMI_HOME=" + s.home()}
	for name, value := range s.env {
		env = append(env, name+"="+value)
	}
	stdout, stderr, _, err := s.CLI.Run(ctx, s.dir, nil, nil, nil, env, args...)
	if err != nil {
		return nil, fmt.Errorf("engine: pulumi %s %s: %w\n%s", args[0], args[1], err, bytes.TrimSpace([]byte(stderr)))
	}
	return []byte(stdout), nil
}
