package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"gopkg.in/yaml.v3"

	"slipway/internal/awstest"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/provider"
)

// An edit is a change of inputs: values by property path; null removes one.
type edit map[string]any

// An inputsOf is the entry of one resource type in inputs.yaml.
type inputsOf struct {
	With     map[string]any
	Provider []edit
	API      map[string][]edit
	Document map[string][]edit
	Replaces []edit
	Updates  []edit
	Same     []edit
	Known    map[string]any
}

// TestInputs sends the same invalid values and the same changes to the model and, if requested, to the real provider. Both must reject
// the same values and replace for the same changes. It needs no engine and no waiting.
func TestInputs(t *testing.T) {
	words, err := os.ReadFile("inputs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var types map[string]inputsOf
	decoder := yaml.NewDecoder(bytes.NewReader(words))
	decoder.KnownFields(true)
	if err := decoder.Decode(&types); err != nil {
		t.Fatalf("inputs.yaml: %v", err)
	}

	p := pair{model: modelled(t), counts: map[string]int{}}
	if folder, why := asksGenuine(); why != "" {
		t.Logf("only the model is tested: %s", why)
	} else {
		p.genuine = plugged(t, folder, aws(t))
	}
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		t.Run(kind, func(t *testing.T) { p.check(t, "aws:"+kind, types[kind]) })
	}
	t.Logf("%d types: %v", len(types), p.counts)
}

// A pair is the model and, unless nil, the real provider.
type pair struct {
	model, genuine *served
	counts         map[string]int // by expected result
}

func (p pair) both() []*served {
	if p.genuine == nil {
		return []*served{p.model}
	}
	return []*served{p.model, p.genuine}
}

// check compares the results of both for one type with the expected ones.
func (p pair) check(t *testing.T, kind string, of inputsOf) {
	news, idle := map[*served]resource.PropertyMap{}, map[*served][]string{}
	for _, s := range p.both() {
		checked, refused := s.check(t, kind, nil, asked(t, of.With, nil))
		if refused != "" {
			t.Fatalf("%s rejects valid inputs: %s", s.name, refused)
		}
		// Differences without a change are outputs that are unknown because the resource does not exist.
		news[s] = checked
		_, idle[s] = s.diff(t, kind, of.Known, checked, checked, nil)
	}
	if len(idle[p.model]) > 0 {
		t.Errorf("the model plans changes of %v without a change of inputs", idle[p.model])
	}

	for _, e := range of.Provider {
		p.wrong(t, kind, of, e, "the provider")
	}
	for _, code := range slices.Sorted(maps.Keys(of.API)) {
		for _, e := range of.API[code] {
			checked := p.wrong(t, kind, of, e, "AWS")
			if p.genuine == nil {
				continue
			}
			if refused := p.genuine.create(t, kind, checked); !strings.Contains(refused, code) {
				t.Errorf("%s: AWS should reject it with %s, got %q", described(e), code, refused)
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(of.Document)) {
		for _, e := range of.Document[source] {
			p.wrong(t, kind, of, e, "AWS's documentation")
		}
	}

	change := func(e edit, want string) {
		t.Helper()
		p.counts[want]++
		for _, s := range p.both() {
			checked, refused := s.check(t, kind, news[s], asked(t, of.With, e))
			if refused != "" {
				t.Errorf("%s: %s rejects it: %s", described(e), s.name, refused)
				continue
			}
			if got, what := s.diff(t, kind, of.Known, news[s], checked, idle[s]); got != want {
				t.Errorf("%s: %s %s %v; expected: %s", described(e), s.name, got, what, want)
			}
		}
	}
	for _, e := range of.Replaces {
		change(e, "replaces")
	}
	for _, e := range of.Updates {
		change(e, "updates")
	}
	for _, e := range of.Same {
		change(e, "leaves it alone")
	}
}

// wrong fails unless inputs are rejected where they should be. It returns the real provider's checked inputs.
func (p pair) wrong(t *testing.T, kind string, of inputsOf, e edit, where string) (checked resource.PropertyMap) {
	t.Helper()
	p.counts["rejected by "+where]++
	in := asked(t, of.With, e)
	if p.genuine != nil {
		var refused string
		checked, refused = p.genuine.check(t, kind, nil, in)
		if byProvider := refused != ""; byProvider != (where == "the provider") {
			t.Errorf("%s: expected to be rejected by %s; the real provider says %q", described(e), where, refused)
		}
	}
	if _, refused := p.model.check(t, kind, nil, in); refused == "" {
		t.Errorf("%s: the model accepts it, but it is rejected by %s", described(e), where)
	}
	return checked
}

func described(e edit) string {
	out := text(e)
	return out[:min(len(out), 200)]
}

var long = regexp.MustCompile(`^\{\{([0-9]+) characters\}\}$`)

// asked returns inputs with an edit applied.
func asked(t *testing.T, with map[string]any, e edit) resource.PropertyMap {
	t.Helper()
	in := resource.NewProperty(resource.NewPropertyMapFromMap(with).Copy())
	for _, at := range slices.Sorted(maps.Keys(e)) {
		path, err := resource.ParsePropertyPath(at)
		if err != nil {
			t.Fatal(err)
		}
		value := e[at]
		if text, ok := value.(string); ok && long.MatchString(text) {
			n, _ := strconv.Atoi(long.FindStringSubmatch(text)[1])
			value = strings.Repeat("a", n)
		}
		if value == nil {
			path.Delete(in)
		} else if _, ok := path.Add(in, resource.NewPropertyValue(value)); !ok {
			t.Fatalf("there is no %s to change", at)
		}
	}
	return in.ObjectValue()
}

// A served is a connection to a provider.
type served struct {
	name string
	pulumirpc.ResourceProviderClient
}

// limit bounds one call.
const limit = 40 * time.Second

func (s *served) urn(kind string) string { return "urn:pulumi:stack::slipway::" + kind + "::thing" }

func (s *served) wire(t *testing.T, m resource.PropertyMap) *structpb.Struct {
	t.Helper()
	out, err := plugin.MarshalProperties(m, plugin.MarshalOptions{KeepSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// check returns the provider's checked inputs, or its error if it rejects them.
func (s *served) check(t *testing.T, kind string, olds, news resource.PropertyMap) (resource.PropertyMap, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	answer, err := s.Check(ctx, &pulumirpc.CheckRequest{Urn: s.urn(kind), Olds: s.wire(t, olds), News: s.wire(t, news),
		RandomSeed: []byte("seed")})
	if err != nil {
		return nil, err.Error()
	}
	var refused []string
	for _, f := range answer.GetFailures() {
		refused = append(refused, f.GetProperty()+": "+f.GetReason())
	}
	checked, err := plugin.UnmarshalProperties(answer.GetInputs(), plugin.MarshalOptions{KeepSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return checked, strings.Join(refused, "; ")
}

// create returns AWS's error, or "".
func (s *served) create(t *testing.T, kind string, in resource.PropertyMap) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if _, err := s.Create(ctx, &pulumirpc.CreateRequest{Urn: s.urn(kind), Properties: s.wire(t, in), Timeout: limit.Seconds()}); err != nil {
		return err.Error()
	}
	return ""
}

// diff returns the effect of a change and the affected properties, except those in anyway.
func (s *served) diff(t *testing.T, kind string, known map[string]any, olds, news resource.PropertyMap,
	anyway []string) (string, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	state := olds.Copy()
	delete(state, "__defaults")
	state["id"] = resource.NewProperty("thing")
	if tags, ok := state["tags"]; ok {
		state["tagsAll"] = tags
	}
	maps.Copy(state, resource.NewPropertyMapFromMap(known))
	answer, err := s.Diff(ctx, &pulumirpc.DiffRequest{Id: "thing", Urn: s.urn(kind), Olds: s.wire(t, state), OldInputs: s.wire(t, olds),
		News: s.wire(t, news)})
	if err != nil {
		return "fails: " + err.Error(), nil
	}
	var replaced, changed []string
	for path, d := range answer.GetDetailedDiff() {
		switch {
		case slices.Contains(anyway, path):
		case strings.HasSuffix(d.GetKind().String(), "_REPLACE"):
			replaced = append(replaced, path)
		default:
			changed = append(changed, path)
		}
	}
	if len(answer.GetDetailedDiff()) == 0 { // the newer part of the provider returns no details
		but := func(names []string) []string {
			return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(anyway, name) })
		}
		replaced, changed = but(answer.GetReplaces()), but(answer.GetDiffs())
	}
	switch {
	case len(replaced) > 0:
		return "replaces", append(replaced, changed...)
	case len(changed) > 0:
		return "updates", changed
	}
	return "leaves it alone", nil
}

// modelled serves the model.
func modelled(t *testing.T) *served {
	t.Helper()
	account, err := cloud.Open(filepath.Join(t.TempDir(), "model.json"), cloud.Options{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { account.Close() })
	server, err := provider.Serve(provider.NewAWS(account, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return attach(t, "the model", server.Port)
}

// plugged starts the real provider.
func plugged(t *testing.T, folder string, e endpoint) *served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine := grpc.NewServer()
	pulumirpc.RegisterEngineServer(engine, deaf{})
	go engine.Serve(listener)
	t.Cleanup(engine.Stop)

	plugin := exec.Command(filepath.Join(folder, awstest.ProviderPlugin, "pulumi-resource-aws"), listener.Addr().String())
	plugin.Env = os.Environ()
	for name, value := range e.env() {
		plugin.Env = append(plugin.Env, name+"="+value)
	}
	plugin.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := plugin.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-plugin.Process.Pid, syscall.SIGKILL)
		plugin.Wait()
	})
	var port int
	if _, err := fmt.Fscanln(out, &port); err != nil {
		t.Fatalf("the real provider does not print its port: %v", err)
	}
	go io.Copy(io.Discard, out)
	return attach(t, "the real provider", port)
}

// deaf is an engine that ignores logs.
type deaf struct {
	pulumirpc.UnimplementedEngineServer
}

func (deaf) Log(context.Context, *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// attach connects to a provider on a port and configures it.
func attach(t *testing.T, name string, port int) *served {
	t.Helper()
	connection, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	s := &served{name: name, ResourceProviderClient: pulumirpc.NewResourceProviderClient(connection)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	settings := resource.PropertyMap{}
	for key, value := range map[string]string{
		"region": region, "skipCredentialsValidation": "true", "skipMetadataApiCheck": "true", "s3UsePathStyle": "true", "maxRetries": "2",
	} {
		settings[resource.PropertyKey(key)] = resource.NewProperty(value)
	}
	if _, err := s.Configure(ctx, &pulumirpc.ConfigureRequest{Args: s.wire(t, settings), AcceptSecrets: true, AcceptResources: true},
		grpc.WaitForReady(true)); err != nil {
		t.Fatalf("%s: configure: %v", name, err)
	}
	return s
}
