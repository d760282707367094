package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gopkg.in/yaml.v3"

	"slipway/ecs"
	"slipway/engine"
	"slipway/site"
)

const region = "us-east-1"

// A deployment is one stack of the program, deployed by the real engine with the providers that env selects.
type deployment struct {
	t       *testing.T
	name    string         // of the stack
	further map[string]any // settings in addition to the stack's own; keys may be paths such as "slipway:web.max"
	dir     string         // the engine's folder, with a copy of the app that may be changed
	stack   auto.Stack
	config  map[string]any // the configuration that the engine gets
	unlock  bool           // declare a protected stack without its protection
}

// migrated reports every migration as successful, because no endpoint here runs tasks.
type migrated struct{}

func (migrated) RunTask(context.Context, ecs.TaskRun) (ecs.TaskResult, error) {
	return ecs.TaskResult{TaskARN: "arn:aws:ecs:us-east-1:123456789012:task/none"}, nil
}

// mirrored reports every copy of an image as successful, because no endpoint here has a registry.
func mirrored(context.Context, string, string) error { return nil }

// deploy prepares a stack of this repository with additional configuration. Plugins is the folder of the engine's plugins, or "" if
// env selects the providers.
func deploy(t *testing.T, name string, further map[string]any, env map[string]string, plugins string) *deployment {
	t.Helper()
	d := &deployment{t: t, name: name, further: maps.Clone(further), dir: t.TempDir()}
	if d.further == nil {
		d.further = map[string]any{}
	}
	if err := os.CopyFS(filepath.Join(d.dir, "app"), os.DirFS(filepath.Join("..", "app"))); err != nil {
		t.Fatal(err)
	}
	d.configure()

	home := filepath.Join(d.dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if plugins != "" {
		if err := os.Symlink(plugins, filepath.Join(home, "plugins")); err != nil {
			t.Fatal(err)
		}
	}
	vars := map[string]string{
		"PULUMI_BACKEND_URL": "file://" + d.dir, "PULUMI_CONFIG_PASSPHRASE": "correct horse", "PULUMI_SKIP_UPDATE_CHECK": "true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "PULUMI_SKIP_CHECKPOINTS": "true", "DOCKER_PLUGIN_FAKE": "1",
	}
	maps.Copy(vars, env)
	cli, err := engine.FindCLI(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	workspace, err := auto.NewLocalWorkspace(t.Context(), auto.WorkDir(d.dir), auto.PulumiHome(home), auto.Pulumi(cli), auto.EnvVars(vars))
	if err != nil {
		t.Fatal(err)
	}
	d.stack, err = auto.UpsertStack(t.Context(), name, workspace)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) write(name string, text []byte) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// setting is one top-level value of the configuration as a string, or "".
func (d *deployment) setting(key string) string {
	value := d.config[key]
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// configure writes the project file, and the stack's own configuration merged with the additional settings.
func (d *deployment) configure() {
	d.t.Helper()
	project, err := os.ReadFile(filepath.Join("..", "Pulumi.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.write("Pulumi.yaml", project)
	text, err := os.ReadFile(filepath.Join("..", "Pulumi."+d.name+".yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		d.t.Fatal(err)
	}
	config := file["config"].(map[string]any)
	d.config = config
	for path, value := range d.further {
		at, steps := config, strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			below, _ := at[step].(map[string]any)
			if below == nil {
				below = map[string]any{}
			}
			at[step] = below
			at = below
		}
		at[steps[len(steps)-1]] = value
	}
	for key, value := range map[string]string{
		"aws:skipCredentialsValidation": "true", "aws:skipMetadataApiCheck": "true", "aws:s3UsePathStyle": "true", "aws:maxRetries": "5",
	} {
		config[key] = value
	}
	// The engine stores the salt of its passphrase in this file.
	var before map[string]any
	if text, err := os.ReadFile(filepath.Join(d.dir, "Pulumi."+d.name+".yaml")); err == nil {
		if err := yaml.Unmarshal(text, &before); err != nil {
			d.t.Fatal(err)
		}
		if salt := before["encryptionsalt"]; salt != nil {
			file["encryptionsalt"] = salt
		}
	}
	if text, err = yaml.Marshal(file); err != nil {
		d.t.Fatal(err)
	}
	d.write("Pulumi."+d.name+".yaml", text)
}

// edit changes the app, so that the next up is a release.
func (d *deployment) edit() {
	d.t.Helper()
	path := filepath.Join(d.dir, "app", "manage.py")
	text, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(text, "# %d\n", time.Now().UnixNano()), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// Changes are the steps of an operation or a preview by URN, without those of type "same".
type changes map[string]change

type change struct {
	Op    apitype.OpType
	Paths []string // what differs
}

// of returns the sorted short names of the resources with one of these steps.
func (c changes) of(ops ...apitype.OpType) []string {
	var names []string
	for urn, change := range c {
		if slices.Contains(ops, change.Op) {
			names = append(names, short(urn))
		}
	}
	slices.Sort(names)
	return names
}

// short is the type and name of a resource, such as "ecs/service:Service web".
func short(urn string) string {
	if urn == "" {
		return "the stack"
	}
	u := resource.URN(urn)
	return strings.TrimPrefix(string(u.Type()), "aws:") + " " + u.Name()
}

func (c changes) String() string {
	var lines []string
	for urn, change := range c {
		lines = append(lines, fmt.Sprintf("%s %s %v", change.Op, short(urn), change.Paths))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// operate runs one operation and collects its changes. It fails the test if the operation fails.
func (d *deployment) operate(what string, run func(chan<- events.EngineEvent, *strings.Builder) error) changes {
	d.t.Helper()
	d.stack.Workspace().SetProgram(site.New(site.Options{Root: d.dir, Runner: migrated{}, Mirror: mirrored, Unlock: d.unlock}).Run)
	stream, followed := make(chan events.EngineEvent), make(chan struct{})
	done := changes{}
	var problems []string
	begun, slow := map[string]int{}, map[string]int{} // seconds
	go func() {
		defer close(followed)
		for e := range stream {
			switch {
			case e.ResourcePreEvent != nil:
				begun[e.ResourcePreEvent.Metadata.URN] = e.Timestamp
			case e.ResOutputsEvent != nil:
				m := e.ResOutputsEvent.Metadata
				done.note(m)
				if took := e.Timestamp - begun[m.URN]; took >= 20 && strings.HasPrefix(m.Type, "aws:") {
					slow[short(m.URN)] = took
				}
			case e.DiagnosticEvent != nil && e.DiagnosticEvent.Severity == "error":
				problems = append(problems, short(e.DiagnosticEvent.URN)+": "+e.DiagnosticEvent.Message)
			}
		}
	}()
	started := time.Now()
	var words strings.Builder
	err := run(stream, &words)
	select {
	case <-followed:
	case <-time.After(5 * time.Second):
	}
	d.t.Logf("%s of %s took %s: %d changes; slow resources in seconds: %v", what, d.name,
		time.Since(started).Round(time.Second), len(done), slow)
	if err != nil {
		if len(problems) == 0 {
			problems = []string{words.String(), err.Error()}
		}
		d.t.Fatalf("%s of %s failed:\n%s", what, d.name, strings.Join(problems, "\n"))
	}
	return done
}

// note records the main step of a resource: a replacement consists of several steps.
func (c changes) note(m apitype.StepEventMetadata) {
	switch m.Op {
	case apitype.OpSame, apitype.OpRead, apitype.OpRefresh, apitype.OpDeleteReplaced, apitype.OpCreateReplacement, apitype.OpReadDiscard,
		apitype.OpDiscardReplaced:
		return
	}
	if strings.HasPrefix(m.Type, "pulumi:pulumi:") {
		return
	}
	paths := slices.Sorted(maps.Keys(m.DetailedDiff))
	if len(paths) == 0 {
		paths = m.Diffs
	}
	c[m.URN] = change{m.Op, paths}
}

func (d *deployment) up() changes {
	d.t.Helper()
	return d.operate("up", func(stream chan<- events.EngineEvent, words *strings.Builder) error {
		_, err := d.stack.Up(d.t.Context(), optup.EventStreams(stream), optup.ErrorProgressStreams(words), optup.SuppressOutputs())
		return err
	})
}

func (d *deployment) preview() changes {
	d.t.Helper()
	return d.operate("preview", func(stream chan<- events.EngineEvent, words *strings.Builder) error {
		_, err := d.stack.Preview(d.t.Context(), optpreview.EventStreams(stream), optpreview.ErrorProgressStreams(words),
			optpreview.SuppressOutputs())
		return err
	})
}

func (d *deployment) refresh() changes {
	d.t.Helper()
	return d.operate("refresh", func(stream chan<- events.EngineEvent, words *strings.Builder) error {
		_, err := d.stack.Refresh(d.t.Context(), optrefresh.EventStreams(stream), optrefresh.ErrorProgressStreams(words),
			optrefresh.SuppressOutputs())
		return err
	})
}

func (d *deployment) destroy() changes {
	d.t.Helper()
	return d.operate("destroy", func(stream chan<- events.EngineEvent, words *strings.Builder) error {
		_, err := d.stack.Destroy(d.t.Context(), optdestroy.EventStreams(stream), optdestroy.ErrorProgressStreams(words),
			optdestroy.SuppressOutputs())
		return err
	})
}

// state returns the engine's state of every resource from a provider, by URN.
func (d *deployment) state() map[string]apitype.ResourceV3 {
	d.t.Helper()
	exported, err := d.stack.Export(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	var deployment apitype.DeploymentV3
	if err := json.Unmarshal(exported.Deployment, &deployment); err != nil {
		d.t.Fatal(err)
	}
	state := map[string]apitype.ResourceV3{}
	for _, r := range deployment.Resources {
		if r.Custom && !strings.HasPrefix(string(r.Type), "pulumi:") {
			state[string(r.URN)] = r
		}
	}
	return state
}
