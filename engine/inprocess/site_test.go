package inprocess_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"slipway/ecs"
	"slipway/engine"
	"slipway/engine/inprocess"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/site"
)

// repository is the folder of Pulumi.yaml.
const repository = "../.."

// A world is a stack of the site, its model of AWS, and the folder that holds both.
type world struct {
	*inprocess.Stack
	dir    string
	root   string // a clone: Pulumi.yaml and the app
	model  *rehearsal.Rehearsal
	counts map[apitype.OpType]int // of the last operation, custom resources and components alike
	failed []string
	judge  ecs.Judge // of the program; may be nil
}

// clone copies what a deployment reads: Pulumi.yaml and the app.
func clone(tb testing.TB) string {
	tb.Helper()
	root := tb.TempDir()
	must(tb, os.CopyFS(filepath.Join(root, "app"), os.DirFS(filepath.Join(repository, "app"))))
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi.yaml"))
	must(tb, err)
	must(tb, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), data, 0o600))
	return root
}

const passphraseOfTests = "correct horse"

// settings are the configuration in a stack's file.
func settings(tb testing.TB, stack string) config.Map {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi."+stack+".yaml"))
	must(tb, err)
	var file struct {
		Config config.Map `yaml:"config"`
	}
	must(tb, encoding.YAML.Unmarshal(data, &file))
	return file.Config
}

// open opens a stack of the site in dir, as the rehearsal keeps one. Close its model.
func open(tb testing.TB, dir, root, stack string) *world {
	return openAs(tb, dir, root, stack, stack, nil)
}

// openAs opens it under another name, and with other values.
func openAs(tb testing.TB, dir, root, file, stack string, values map[string]string) *world {
	tb.Helper()
	w := &world{dir: dir, root: root}
	var zones []cloud.HostedZone
	if file != "local" {
		zones = []cloud.HostedZone{{Name: "example.com"}}
	}
	var err error
	w.model, err = rehearsal.Open(filepath.Join(dir, "model.json"), rehearsal.Options{Root: root, Zones: zones})
	must(tb, err)
	data, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	must(tb, err)
	project, err := workspace.LoadProjectBytes(data, "Pulumi.yaml", encoding.YAML)
	must(tb, err)
	configured := settings(tb, file)
	for key, value := range values {
		configured[config.MustParseKey(key)] = config.NewValue(value)
	}
	w.Stack, err = inprocess.Open(inprocess.Options{
		Project: project, Stack: stack, Dir: root, State: filepath.Join(dir, "state"), Passphrase: passphraseOfTests, Config: configured,
		Program: w.program(), Providers: w.model.Providers(), OnEvent: w.hear,
	})
	must(tb, err)
	return w
}

func (w *world) program() pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		return site.New(site.Options{Root: w.root, Runner: modelaccount.Runner(w.model.Account), Judge: w.judge}).Run(ctx)
	}
}

func (w *world) hear(e apitype.EngineEvent) {
	switch {
	case e.PreludeEvent != nil:
		w.counts, w.failed = map[apitype.OpType]int{}, nil
	case e.ResOutputsEvent != nil:
		w.counts[e.ResOutputsEvent.Metadata.Op]++
	case e.DiagnosticEvent != nil && e.DiagnosticEvent.Severity == "error":
		w.failed = append(w.failed, e.DiagnosticEvent.URN+": "+e.DiagnosticEvent.Message)
	}
}

func (w *world) must(tb testing.TB, operation string, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", operation, err, strings.Join(w.failed, "\n"))
	}
}

func (w *world) up(tb testing.TB, run inprocess.Run) {
	tb.Helper()
	w.must(tb, "up", w.Up(tb.Context(), run))
}

func (w *world) destroy(tb testing.TB) {
	tb.Helper()
	w.must(tb, "destroy", w.Destroy(tb.Context(), inprocess.Run{}))
}

// changed are the operations of the last run that changed something.
func (w *world) changed() map[apitype.OpType]int {
	changed := maps.Clone(w.counts)
	delete(changed, apitype.OpSame)
	return changed
}

// release changes the app, so that the next up has a new image to build.
func (w *world) release(tb testing.TB, text string) {
	tb.Helper()
	must(tb, os.WriteFile(filepath.Join(w.root, "app", "website", "release.txt"), []byte(text), 0o600))
}

// tamper changes something in the account by hand, and deletes something.
func (w *world) tamper(tb testing.TB) {
	tb.Helper()
	var altered bool
	for _, o := range w.model.Account.Objects() {
		if o.Type == "aws:cloudwatch/logGroup:LogGroup" && o.URN != "" && !altered {
			altered = true
			must(tb, w.model.Account.Alter(o.Type, o.ID, func(o *cloud.Object) {
				o.Inputs["retentionInDays"], o.Outputs["retentionInDays"] = 1.0, 1.0
			}))
		}
	}
	if !altered {
		tb.Fatal("the site has no log group")
	}
}

// latest is the deployment in a state file.
func latest(tb testing.TB, path string) *apitype.DeploymentV3 {
	tb.Helper()
	data, err := os.ReadFile(path)
	must(tb, err)
	var s state
	must(tb, json.Unmarshal(data, &s))
	if s.Checkpoint.Latest == nil {
		return &apitype.DeploymentV3{}
	}
	return s.Checkpoint.Latest
}

// twins fails unless the state and the account match: each object has one resource, and each resource its object.
func (w *world) twins(tb testing.TB) {
	tb.Helper()
	objects := map[string]int{}
	for _, o := range w.model.Account.Made() {
		objects[o.Type+" "+o.ID]++
	}
	deployment := latest(tb, w.StatePath())
	for _, op := range deployment.PendingOperations {
		tb.Errorf("%s %s is pending", op.Type, op.Resource.URN)
	}
	urns := map[resource.URN]bool{}
	for _, r := range deployment.Resources {
		if urns[r.URN] {
			tb.Errorf("%s is in the state twice", r.URN)
		}
		urns[r.URN] = true
		if r.Custom && !r.External && slices.Contains(cloud.Types(), string(r.Type)) {
			objects[string(r.Type)+" "+string(r.ID)]--
		}
	}
	// A task definition stays registered when its resource is deleted, and then belongs to no stack. If the delete was cut
	// short, the resource is in the state as well.
	registered := map[string]bool{}
	for _, o := range w.model.Account.Objects() {
		registered[o.Type+" "+o.ID] = o.Type == "aws:ecs/taskDefinition:TaskDefinition"
	}
	for object, n := range objects {
		if n > 0 {
			tb.Errorf("%s is in the account, and no resource stands for it", object)
		} else if n < 0 && !registered[object] {
			tb.Errorf("%s is in the state and not in the account", object)
		}
	}
}

// empty fails unless a destroy left nothing but task definitions. These stay registered until slipway deregisters them.
func (w *world) empty(t *testing.T) {
	t.Helper()
	left := w.model.Account.Summary()
	delete(left, "aws:ecs/taskDefinition:TaskDefinition")
	wants(t, "destroy left", left, map[string]int{})
}

func TestSite(t *testing.T) {
	w := open(t, t.TempDir(), clone(t), "local")
	defer w.model.Close()
	w.up(t, inprocess.Run{})
	if n := w.counts[apitype.OpCreate]; n < 150 || len(w.changed()) != 1 {
		t.Errorf("up: %v", w.counts)
	}
	w.twins(t)

	w.up(t, inprocess.Run{})
	wants(t, "up again changed", w.changed(), map[apitype.OpType]int{})
	w.must(t, "preview", w.Preview(t.Context(), inprocess.Run{}))

	w.release(t, "two")
	w.up(t, inprocess.Run{})
	if n := w.counts[apitype.OpReplace]; n < 2 || n > 10 || w.counts[apitype.OpSame] < 150 {
		t.Errorf("a release: %v", w.counts)
	}
	w.twins(t)

	w.tamper(t)
	w.must(t, "drift check", w.PreviewRefresh(t.Context(), inprocess.Run{}))
	if w.counts[apitype.OpUpdate]+w.counts[apitype.OpRefresh] == 0 {
		t.Errorf("a drift check found nothing: %v", w.counts)
	}
	w.up(t, inprocess.Run{Refresh: true})
	if w.counts[apitype.OpUpdate] == 0 {
		t.Errorf("nothing was reverted: %v", w.counts)
	}
	w.up(t, inprocess.Run{})
	wants(t, "up after that changed", w.changed(), map[apitype.OpType]int{})

	w.destroy(t)
	w.empty(t)
}

// Plain `pulumi up` has no command that looks at the services afterwards. A rollback of ECS, after which a service is stable,
// fails the program's own run, and what comes after the service stays as it is. The next run deploys again: the provider has read the
// earlier revision back into the state.
func TestARolledBackServiceFailsTheProgram(t *testing.T) {
	w := open(t, t.TempDir(), clone(t), "staging")
	defer func() { must(t, w.model.Close()) }()
	both := []string{"slipway-staging-web", "slipway-staging-worker-feed"}
	runs := func(service string) string {
		for _, o := range w.model.Account.Objects() {
			if name, _ := o.Outputs["name"].(string); o.Type == "aws:ecs/service:Service" && name == service {
				definition, _ := o.Outputs["taskDefinition"].(string)
				return definition
			}
		}
		return ""
	}
	var judged []string
	w.judge = func(_ context.Context, s ecs.Settled) error {
		if !strings.HasPrefix(s.TaskDefinition, "arn:aws:ecs:") || !strings.Contains(s.Cluster, "slipway-staging") {
			t.Errorf("it is asked about %+v", s)
		}
		judged = append(judged, s.Service)
		if runs(s.Service) != s.TaskDefinition {
			return errors.New("it was rolled back")
		}
		return nil
	}
	bad := false // tasks of a new web deployment become unhealthy
	w.model.Account.Healthy = func(service, _ *cloud.Object) *cloud.Failure {
		if bad && service.Outputs["name"] == both[0] {
			return &cloud.Failure{Container: "django", ExitCode: 1, Reason: "Essential container in task exited"}
		}
		return nil
	}
	w.up(t, inprocess.Run{})
	if diff := cmp.Diff(both, judged); diff != "" {
		t.Fatalf("judged at creation (-want +got):\n%s", diff)
	}

	first := runs(both[0])
	bad = true
	w.release(t, "a bad one")
	for _, when := range []string{"the run of a bad release", "the next run of the same sources"} {
		judged = nil
		err := w.Up(t.Context(), inprocess.Run{})
		if err == nil || !strings.Contains(err.Error()+strings.Join(w.failed, "\n"), "it was rolled back") {
			t.Fatalf("%s ends with %v, %q", when, err, w.failed)
		}
		if diff := cmp.Diff(both[:1], judged); diff != "" {
			t.Errorf("%s: after the web service failed, others changed (-want +got):\n%s", when, diff)
		}
		if got := runs(both[0]); got != first {
			t.Errorf("%s: ECS runs %s, want the earlier %s", when, got, first)
		}
	}

	// What was wrong is repaired outside of the program, such as a secret's value: the sources are still the same.
	judged, bad = nil, false
	w.up(t, inprocess.Run{})
	if diff := cmp.Diff(both, judged); diff != "" || runs(both[0]) == first {
		t.Errorf("the run that deploys again runs %s, judged (-want +got):\n%s", runs(both[0]), diff)
	}
	judged = nil
	w.up(t, inprocess.Run{})
	if len(judged) != 0 {
		t.Errorf("services that do not change are judged: %q", judged)
	}
}

// An interrupt at any moment leaves a state that agrees with the account, and the next up completes it. SLIPWAY_INTERRUPTS says
// how often.
func TestInterruptedAtAnyMoment(t *testing.T) {
	seed, dice := seeded(t)
	for i := range times("SLIPWAY_INTERRUPTS", 3) {
		w := open(t, t.TempDir(), clone(t), "local")
		must(t, w.Init(t.Context()))
		ctx, interrupt := context.WithTimeout(t.Context(), time.Duration(dice.IntN(900_000))*time.Microsecond)
		err := w.Up(ctx, inprocess.Run{})
		interrupt()
		if errors.Is(err, inprocess.ErrTerminated) {
			t.Error(err)
		}
		w.twins(t)
		w.up(t, inprocess.Run{})
		w.twins(t)
		w.up(t, inprocess.Run{})
		wants(t, "up again changed", w.changed(), map[apitype.OpType]int{})
		w.destroy(t)
		w.empty(t)
		must(t, w.model.Close())
		if t.Failed() {
			t.Fatalf("interrupt %d of SLIPWAY_SEED=%d", i, seed)
		}
	}
}

// times is how often a test tries something: as a variable says, or as usual.
func times(variable string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	if testing.Short() {
		return min(usual, 3)
	}
	return usual
}

// seeded is the chance of a test. SLIPWAY_SEED repeats a run.
func seeded(t *testing.T) (uint64, *rand.Rand) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("SLIPWAY_SEED"), 10, 64); err == nil {
		seed = n
	}
	return seed, rand.New(rand.NewPCG(seed, 0))
}

// findCLI is the Pulumi CLI of this machine, if it has one: nothing is downloaded or built for these tests.
var findCLI = sync.OnceValues(func() (*engine.CLI, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cached, _ := filepath.Glob(filepath.Join(cache, "slipway", "pulumi", "v*", "pulumi*"))
	_, onPath := exec.LookPath("pulumi")
	if onPath != nil && len(cached) == 0 {
		return nil, fmt.Errorf("no Pulumi CLI on PATH or in %s", cache)
	}
	return engine.FindCLI(context.Background(), func(string, ...any) {})
})

func needCLI(tb testing.TB) *engine.CLI {
	tb.Helper()
	cli, err := findCLI()
	if err != nil {
		tb.Skip(err)
	}
	return cli
}

// command is the CLI as the Automation API expects it.
func command(tb testing.TB) auto.PulumiCommand {
	tb.Helper()
	cli := needCLI(tb)
	root := tb.TempDir() // it looks for the CLI in a folder called bin
	must(tb, os.MkdirAll(filepath.Join(root, "bin"), 0o700))
	must(tb, os.Symlink(cli.Path(), filepath.Join(root, "bin", "pulumi")))
	found, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root, SkipVersionCheck: true})
	must(tb, err)
	return found
}

// cliStack is the same stack as the CLI opens it.
type cliStack struct {
	auto.Stack
	tb  testing.TB
	env map[string]string
}

// through opens the stack in the way that a user of the CLI would.
func (w *world) through(tb testing.TB) *cliStack {
	tb.Helper()
	env, err := w.model.Serve(tb.Context())
	must(tb, err)
	maps.Copy(env, map[string]string{
		"PULUMI_CONFIG_PASSPHRASE": passphraseOfTests, "PULUMI_BACKEND_URL": "file://" + w.State, "PULUMI_HOME": filepath.Join(w.dir, "home"),
	})
	project, err := os.ReadFile(filepath.Join(w.root, "Pulumi.yaml"))
	must(tb, err)
	must(tb, os.WriteFile(filepath.Join(w.dir, "Pulumi.yaml"), project, 0o600))
	configured, err := encoding.YAML.Marshal(map[string]any{"config": w.Config})
	must(tb, err)
	must(tb, os.WriteFile(filepath.Join(w.dir, "Pulumi."+w.Options.Stack+".yaml"), configured, 0o600))
	must(tb, os.MkdirAll(w.State, 0o700))
	s, err := auto.UpsertStackInlineSource(tb.Context(), w.Options.Stack, string(w.Project.Name), w.program(), auto.Pulumi(command(tb)),
		auto.WorkDir(w.dir), auto.EnvVars(env))
	must(tb, err)
	return &cliStack{s, tb, env}
}

func (s *cliStack) up(o ...optup.Option) error {
	result, err := s.Up(s.tb.Context(), append(o, optup.SuppressProgress(), optup.SuppressOutputs())...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, result.StdErr)
	}
	return nil
}

// output is what a command of the CLI writes.
func (s *cliStack) output(args ...string) []byte {
	s.tb.Helper()
	cmd := exec.Command(needCLI(s.tb).Path(), append(args, "--non-interactive", "--stack", s.Name())...)
	cmd.Dir = s.Workspace().WorkDir()
	cmd.Env = os.Environ()
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		s.tb.Fatalf("pulumi %v: %v\n%s", args, err, &words)
	}
	return out
}

// The engine in this process and the CLI leave the same state after every step of a stack's life, but for times and random
// values; and what they export is the same to the byte. SLIPWAY_DEEP compares every stack of the project.
func TestSameStateAsTheCLI(t *testing.T) {
	stacks := []string{"local"}
	if os.Getenv("SLIPWAY_DEEP") != "" {
		stacks = append(stacks, "dev", "staging", "prod")
	}
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) { sameState(t, stack) })
	}
}

func sameState(t *testing.T, name string) {
	stackName, values := name, map[string]string{}
	if name == "prod" { // which must be protected under its own name, and then destroy would delete nothing
		stackName, values["slipway:protect"] = "unprotected", "false"
	}
	ours := openAs(t, t.TempDir(), clone(t), name, stackName, values)
	theirs := openAs(t, t.TempDir(), clone(t), name, stackName, values)
	defer ours.model.Close()
	defer theirs.model.Close()
	stack := theirs.through(t)

	for _, step := range []struct {
		name         string
		before       func(w *world)
		ours, theirs func() error
	}{
		{"up", func(*world) {}, func() error { return ours.Up(t.Context(), inprocess.Run{}) }, func() error { return stack.up() }},
		{"up again", func(*world) {}, func() error { return ours.Up(t.Context(), inprocess.Run{}) }, func() error { return stack.up() }},
		{"release", func(w *world) { w.release(t, "two") }, func() error { return ours.Up(t.Context(), inprocess.Run{}) },
			func() error { return stack.up() }},
		{"drift", func(w *world) { w.tamper(t) }, func() error { return ours.Up(t.Context(), inprocess.Run{Refresh: true}) },
			func() error { return stack.up(optup.Refresh()) }},
		{"destroy", func(*world) {}, func() error { return ours.Destroy(t.Context(), inprocess.Run{}) }, func() error {
			_, err := stack.Destroy(t.Context(), optdestroy.SuppressProgress(), optdestroy.SuppressOutputs())
			return err
		}},
	} {
		step.before(ours)
		step.before(theirs)
		ours.must(t, step.name+" in process", step.ours())
		if err := step.theirs(); err != nil {
			t.Fatalf("%s with the CLI: %v", step.name, err)
		}
		a, b := comparable(t, ours), comparable(t, theirs)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Fatalf("after %s the states differ (-CLI +in process):\n%s", step.name, diff)
		}
		for _, shown := range []bool{false, true} {
			var show []string
			if shown {
				show = []string{"--show-secrets"}
			}
			want := stack.output(append([]string{"stack", "export"}, show...)...)
			got, err := theirs.Export(t.Context(), shown)
			must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("after %s the export (secrets shown: %v) differs:\n%s", step.name, shown, cmp.Diff(string(want), string(got)))
			}
			wantOutputs := map[string]any{}
			must(t, json.Unmarshal(stack.output(append([]string{"stack", "output", "--json"}, show...)...), &wantOutputs))
			gotOutputs, err := theirs.Outputs(t.Context(), shown)
			must(t, err)
			wants(t, "outputs after "+step.name, gotOutputs, wantOutputs)
		}
	}
}

// Each of the two continues from the state that the other left, and finds nothing to change.
func TestTheCLIOpensTheState(t *testing.T) {
	needCLI(t)
	w := open(t, t.TempDir(), clone(t), "local")
	defer w.model.Close()
	w.up(t, inprocess.Run{})
	stack := w.through(t)
	result, err := stack.Up(t.Context(), optup.SuppressProgress(), optup.SuppressOutputs())
	must(t, err)
	if changes := *result.Summary.ResourceChanges; len(changes) != 1 || changes["same"] < 150 {
		t.Errorf("the CLI counts %v", changes)
	}
	w.up(t, inprocess.Run{})
	wants(t, "up after the CLI changed", w.changed(), map[apitype.OpType]int{})
	_, err = stack.Destroy(t.Context(), optdestroy.SuppressProgress(), optdestroy.SuppressOutputs())
	must(t, err)
	w.empty(t)
}

var (
	instant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z| UTC| \+0000 UTC|[+-]\d\d:?\d\d)`)
	// drawn are the outputs that the model draws.
	drawn  = []string{"publicIp", "privateIp", "publicDns", "privateDns", "uniqueId", "policyId", "b64Std", "b64Url"}
	random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{7,}|db-[A-Z0-9]{26}`)
)

// comparable is the state by URN, without times and random values.
func comparable(t *testing.T, w *world) map[string]any {
	t.Helper()
	data, err := json.Marshal(latest(t, w.StatePath()))
	must(t, err)
	var deployment map[string]any
	must(t, json.Unmarshal(data, &deployment))
	all := map[string]any{}
	resources, _ := deployment["resources"].([]any)
	for _, one := range resources {
		r := one.(map[string]any)
		delete(r, "created")
		delete(r, "modified")
		if trace, ok := r["stackTrace"].([]any); ok { // who called the program is not its business
			end := slices.IndexFunc(trace, func(frame any) bool { return strings.Contains(fmt.Sprint(frame), "go/pulumi/run.go") })
			r["stackTrace"] = trace[:max(0, end)]
		}
		switch r["type"] {
		case "pulumi:pulumi:Stack":
			delete(r, "sourcePosition")
		case "random:index/randomId:RandomId":
			r["id"] = "#"
		case "aws:rds/instance:Instance":
			r["outputs"].(map[string]any)["availabilityZone"] = "#"
		}
		key := fmt.Sprint(r["urn"], " ", r["delete"])
		if all[key] != nil {
			t.Errorf("%s is in the state twice", key)
		}
		all[key] = masked(r, w.root)
	}
	delete(deployment, "resources")
	deployment["manifest"].(map[string]any)["time"] = nil
	if providers, ok := deployment["secrets_providers"].(map[string]any); ok {
		providers["state"] = nil // the salt
	}
	all[""] = deployment
	return all
}

func masked(v any, root string) any {
	switch v := v.(type) {
	case string:
		v = strings.ReplaceAll(v, root, "ROOT")
		return random.ReplaceAllString(instant.ReplaceAllString(v, "#time"), "#")
	case []any:
		list := make([]any, len(v))
		urns := true
		for i, element := range v {
			list[i] = masked(element, root)
			s, ok := list[i].(string)
			urns = urns && ok && strings.HasPrefix(s, "urn:pulumi:")
		}
		if urns { // a set
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		return list
	case map[string]any:
		if v[resource.SigKey] == resource.SecretSig {
			return "#secret"
		}
		m := map[string]any{}
		for key, value := range v {
			if slices.Contains(drawn, key) && value != "" {
				value = "#"
			}
			m[random.ReplaceAllString(key, "#")] = masked(value, root)
		}
		return m
	}
	return v
}

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("INPROCESS_VICTIM"); dir != "" {
		victim(dir, os.Getenv("INPROCESS_ROOT"), os.Getenv("INPROCESS_OPERATION"))
		return
	}
	os.Exit(m.Run())
}

// victim runs one operation on the stack in dir. Its parent kills it.
func victim(dir, root, operation string) {
	err := func() error {
		lock, err := engine.Acquire(dir, "local", operation)
		if err != nil {
			return err
		}
		t := &panicking{}
		w := open(t, dir, root, "local")
		fmt.Println("ready")
		if operation == "destroy" {
			err = w.Destroy(context.Background(), inprocess.Run{})
		} else {
			err = w.Up(context.Background(), inprocess.Run{})
		}
		for _, problem := range w.failed {
			fmt.Fprintln(os.Stderr, problem)
		}
		if err == nil {
			err = w.model.Close()
		}
		if err == nil {
			err = lock.Unlock()
		}
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// panicking is a testing.TB outside of a test.
type panicking struct{ testing.TB }

func (panicking) Helper()           {}
func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// A process is killed at random moments of up, release and destroy. The next run repairs what it left: nothing is created
// twice, nothing is left over. SLIPWAY_KILLS says how often; SLIPWAY_SEED repeats a run.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := times("SLIPWAY_KILLS", 10)
	seed, dice := seeded(t)
	t.Logf("SLIPWAY_SEED=%d SLIPWAY_KILLS=%d", seed, kills)
	self, err := os.Executable()
	must(t, err)

	// A stack that is up, for those that are killed later in their life.
	root, lived := clone(t), t.TempDir()
	w := open(t, lived, root, "local")
	w.up(t, inprocess.Run{})
	all := w.counts[apitype.OpCreate]
	must(t, w.model.Close())

	outcomes := map[string]int{}
	for killed := 0; killed < kills; {
		operation := []string{"up", "release", "destroy"}[killed%3]
		dir, root := filepath.Join(t.TempDir(), "local"), clone(t)
		if operation != "up" {
			must(t, os.CopyFS(dir, os.DirFS(lived)))
		} else {
			must(t, os.MkdirAll(dir, 0o700))
		}
		if operation == "release" {
			must(t, os.WriteFile(filepath.Join(root, "app", "website", "release.txt"), []byte(operation), 0o600))
		}
		child := exec.Command(self)
		child.Env = append(os.Environ(), "INPROCESS_VICTIM="+dir, "INPROCESS_ROOT="+root, "INPROCESS_OPERATION="+operation)
		out, err := child.StdoutPipe()
		must(t, err)
		var words bytes.Buffer
		child.Stderr = &words
		must(t, child.Start())
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			child.Wait()
			t.Fatalf("the child said %q: %s", line, &words)
		}
		longest := map[string]int{"up": 1200, "release": 500, "destroy": 900}[operation]
		time.Sleep(time.Duration(dice.IntN(longest*1000)) * time.Microsecond)
		_ = child.Process.Kill()
		if err := child.Wait(); err == nil {
			outcomes["ended before"]++
			continue
		} else if child.ProcessState.Exited() {
			t.Fatalf("the child failed: %s", &words)
		}
		killed++
		outcomes[operation]++
		survive(t, dir, root, all, outcomes)
		if t.Failed() {
			t.Fatalf("kill %d, of %s", killed, operation)
		}
	}
	t.Logf("%v", outcomes)
}

// repair is what the next run of a stack does with what a killed one left.
func (w *world) repair(t *testing.T, lock *engine.Lock) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi.local.yaml"))
	must(t, err)
	var file struct{ Config yaml.Node }
	must(t, yaml.Unmarshal(data, &file))
	project, err := os.ReadFile(filepath.Join(w.root, "Pulumi.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.dir, "passphrase"), []byte(passphraseOfTests), 0o600))
	s, err := engine.Open(engine.Options{
		Dir: w.dir, Stack: "local", Project: project, Config: engine.Config{Node: &file.Config}, Program: w.program(),
		Providers: w.model.Providers(), Inventory: modelaccount.Inventory(w.model.Account),
	})
	must(t, err)
	_, err = s.Recover(t.Context(), lock, nil)
	must(t, err)
}

// survive repairs the stack in dir, deploys it and destroys it.
func survive(t *testing.T, dir, root string, all int, outcomes map[string]int) {
	t.Helper()
	lock, err := engine.Acquire(dir, "local", "up")
	must(t, err)
	w := open(t, dir, root, "local")
	defer w.model.Close()
	if path := w.StatePath(); lock.Killed != nil {
		if _, err := os.Stat(path); err == nil {
			if d := latest(t, path); len(d.PendingOperations) > 0 {
				outcomes["pending"]++
			}
		}
	}
	w.repair(t, lock)
	w.up(t, inprocess.Run{})
	w.twins(t)
	if got := w.counts[apitype.OpCreate] + w.counts[apitype.OpSame] + w.counts[apitype.OpUpdate] + w.counts[apitype.OpReplace]; got < all {
		t.Errorf("there are %d resources after the repair, want %d: %v", got, all, w.counts)
	}
	w.up(t, inprocess.Run{})
	wants(t, "up again changed", w.changed(), map[apitype.OpType]int{})
	w.destroy(t)
	w.empty(t)
	must(t, lock.Unlock())
}

// BenchmarkEmpty is an up of a stack without resources, in process and through the Automation API.
func BenchmarkEmpty(b *testing.B) {
	nothing := func(*pulumi.Context) error { return nil }
	b.Run("inprocess", func(b *testing.B) {
		s, err := inprocess.Open(inprocess.Options{
			Project: &workspace.Project{Name: "empty", Runtime: workspace.NewProjectRuntimeInfo("go", nil)},
			Stack:   "local", Dir: b.TempDir(), State: b.TempDir(), Passphrase: passphraseOfTests, Program: nothing,
		})
		must(b, err)
		must(b, s.Up(b.Context(), inprocess.Run{}))
		for b.Loop() {
			must(b, s.Up(b.Context(), inprocess.Run{}))
		}
	})
	b.Run("automation", func(b *testing.B) {
		dir := b.TempDir()
		s, err := auto.UpsertStackInlineSource(b.Context(), "local", "empty", nothing, auto.Pulumi(command(b)), auto.WorkDir(dir),
			auto.EnvVars(map[string]string{
				"PULUMI_CONFIG_PASSPHRASE": passphraseOfTests, "PULUMI_BACKEND_URL": "file://" + dir,
				"PULUMI_HOME": filepath.Join(dir, "home"), "PULUMI_SKIP_UPDATE_CHECK": "true",
			}))
		must(b, err)
		_, err = s.Up(b.Context())
		must(b, err)
		for b.Loop() {
			_, err := s.Up(b.Context())
			must(b, err)
		}
	})
}

// BenchmarkSite takes stacks of the site through up, up again and destroy.
func BenchmarkSite(b *testing.B) {
	for _, c := range []struct {
		file, stack string
		values      map[string]string
		skip        bool
	}{
		{"local", "local", nil, false},
		{"local", "local", nil, true},
		{"prod", "unprotected", map[string]string{"slipway:protect": "false"}, false},
		{"prod", "unprotected", map[string]string{"slipway:protect": "false"}, true},
	} {
		b.Run(fmt.Sprintf("%s/skip=%v", c.file, c.skip), func(b *testing.B) {
			var up, again, destroy time.Duration
			var resources int
			for b.Loop() {
				w := openAs(b, b.TempDir(), clone(b), c.file, c.stack, c.values)
				w.SkipCheckpoints = c.skip
				must(b, w.Init(b.Context()))
				for _, step := range []struct {
					run   func()
					spent *time.Duration
				}{
					{func() { w.up(b, inprocess.Run{}) }, &up},
					{func() { w.up(b, inprocess.Run{}) }, &again},
					{func() { resources = w.counts[apitype.OpSame]; w.destroy(b) }, &destroy},
				} {
					started := time.Now()
					step.run()
					*step.spent += time.Since(started)
				}
				must(b, w.model.Close())
			}
			b.ReportMetric(float64(resources), "resources")
			for name, spent := range map[string]time.Duration{"up": up, "again": again, "destroy": destroy} {
				b.ReportMetric(spent.Seconds()*1e3/float64(b.N), name+"-ms")
			}
		})
	}
}
