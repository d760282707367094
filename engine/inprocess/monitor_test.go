package inprocess_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/engine/inprocess"
)

// A meddler leaves out the resource "middle", edits "top", and adds "more" at the end.
type meddler struct {
	mu      sync.Mutex
	seen    []string
	outputs int
	failing error
}

func (m *meddler) Register(ctx context.Context, q *pulumirpc.RegisterResourceRequest, engine inprocess.Register,
) (*pulumirpc.RegisterResourceResponse, error) {
	m.mu.Lock()
	m.seen = append(m.seen, q.GetName())
	m.mu.Unlock()
	switch q.GetName() {
	case "middle":
		return &pulumirpc.RegisterResourceResponse{Urn: "urn:pulumi:local::nursery::toy:index:Thing::middle", Id: "ghost",
			Object: q.GetObject()}, nil
	case "top":
		q.Dependencies = nil
		for _, d := range q.GetPropertyDependencies() {
			d.Urns = nil
		}
		q.Object.Fields["size"] = structpb.NewStringValue("9")
	}
	return engine(ctx, q)
}

func (m *meddler) Outputs(*pulumirpc.RegisterResourceOutputsRequest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outputs++
	return true
}

func (m *meddler) Finish(ctx context.Context, engine inprocess.Register) error {
	if m.failing != nil {
		return m.failing
	}
	_, err := engine(ctx, &pulumirpc.RegisterResourceRequest{Type: "toy:index:Thing", Name: "more", Custom: true, Object: &structpb.Struct{}})
	return err
}

// A monitor changes what the program registers; the engine and the program know nothing of it, also in a second up and a destroy.
func TestAMonitorChangesWhatTheProgramRegisters(t *testing.T) {
	n, m := newNursery(t, chain), &meddler{}
	n.Monitor = func() inprocess.Monitor { return m }
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "up did", n.toy.Done(), []string{"create base", "create more", "create top"})
	for _, found := range n.toy.Things {
		if found.Name() == "top" && (found.Inputs.GetFields()["on"].GetStringValue() != "ghost" ||
			found.Inputs.GetFields()["size"].GetStringValue() != "9") {
			t.Errorf("top is %v", found.Inputs)
		}
	}
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "a second up did", n.toy.Done(), nil)
	if m.outputs != 2 || !slices.Contains(m.seen, "middle") {
		t.Errorf("the monitor saw %v, and %d times outputs", m.seen, m.outputs)
	}
	must(t, n.Destroy(t.Context(), inprocess.Run{}))
	wants(t, "destroy did", n.toy.Done(), []string{"delete base", "delete more", "delete top"})
}

func TestAMonitorFailsTheProgram(t *testing.T) {
	n := newNursery(t, func(*pulumi.Context) error { return nil })
	n.Monitor = func() inprocess.Monitor { return &meddler{failing: errors.New("nothing fits")} }
	var said []string
	err := n.Up(t.Context(), inprocess.Run{})
	for _, e := range n.events {
		if e.DiagnosticEvent != nil {
			said = append(said, e.DiagnosticEvent.Message)
		}
	}
	if err == nil || !strings.Contains(strings.Join(said, " ")+err.Error(), "nothing fits") {
		t.Errorf("got %v: %s", err, said)
	}
}
