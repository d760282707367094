// Package toy is a resource provider for tests of the engine: one type of resource, and an account in memory behind it.
package toy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Type is the type of resource that the provider has. Another value of the input "shape" replaces it.
const Type = "toy:index:Thing"

// A Provider serves Type. Set its hooks while no engine runs.
type Provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	BeforeCreate func(name string) error // an error refuses the resource
	AfterCreate  func(Thing)             // before the engine learns of the resource; no other call changes the account meanwhile
	BeforeUpdate func()

	mu       sync.Mutex
	Things   map[string]Thing // what the account has, by ID
	Created  int              // how many resources were ever created
	Canceled int              // how often the engine canceled the provider
	done     []string         // since the last call of Done
}

// A Thing is a resource in the account.
type Thing struct {
	URN    string
	Inputs *structpb.Struct
}

// Name is the logical name of the resource.
func (t Thing) Name() string { return nameIn(t.URN) }

func nameIn(urn string) string { return urn[strings.LastIndex(urn, "::")+len("::"):] }

// New returns a provider whose account is empty.
func New() *Provider { return &Provider{Things: map[string]Thing{}} }

// All are the resources in the account, by ID.
func (p *Provider) All() map[string]Thing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.Things)
}

// Remove removes a resource from the account.
func (p *Provider) Remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.Things, id)
}

// Names are the logical names of the resources in the account, sorted.
func (p *Provider) Names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, t := range p.Things {
		all = append(all, t.Name())
	}
	slices.Sort(all)
	return all
}

// Done returns what was created, updated and deleted since its last call, sorted: "create base".
func (p *Provider) Done() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := p.done
	p.done = nil
	slices.Sort(done)
	return done
}

// GetPluginInfo implements pulumirpc.ResourceProviderServer, as do the methods below.
func (p *Provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

// Attach accepts an engine that found a provider already running.
func (p *Provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Configure says what the provider can do.
func (p *Provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true, AcceptOutputs: true}, nil
}

// CheckConfig accepts every configuration.
func (p *Provider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig never replaces the provider.
func (p *Provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{}, nil
}

// Check accepts every input.
func (p *Provider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// Diff updates a resource for every input but "shape".
func (p *Provider) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	resp := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true,
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{}}
	for key, value := range r.GetNews().GetFields() {
		if cmp.Equal(value.AsInterface(), r.GetOldInputs().GetFields()[key].AsInterface()) {
			continue
		}
		resp.Changes = pulumirpc.DiffResponse_DIFF_SOME
		resp.Diffs = append(resp.Diffs, key)
		resp.DetailedDiff[key] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_UPDATE}
		if key == "shape" {
			resp.Replaces = append(resp.Replaces, key)
			resp.DetailedDiff[key].Kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
		}
	}
	return resp, nil
}

// Create adds a resource to the account.
func (p *Provider) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if r.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: r.GetProperties()}, nil
	}
	if p.BeforeCreate != nil {
		if err := p.BeforeCreate(r.GetName()); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Created++
	id, created := fmt.Sprintf("thing-%d", p.Created), Thing{r.GetUrn(), r.GetProperties()}
	p.Things[id] = created
	p.done = append(p.done, "create "+created.Name())
	if p.AfterCreate != nil {
		p.AfterCreate(created)
	}
	return &pulumirpc.CreateResponse{Id: id, Properties: r.GetProperties()}, nil
}

// Update replaces the inputs of a resource.
func (p *Provider) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if !r.GetPreview() {
		if p.BeforeUpdate != nil {
			p.BeforeUpdate()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.Things[r.GetId()] = Thing{r.GetUrn(), r.GetNews()}
		p.done = append(p.done, "update "+nameIn(r.GetUrn()))
	}
	return &pulumirpc.UpdateResponse{Properties: r.GetNews()}, nil
}

// Read returns a resource as the account has it.
func (p *Provider) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.Things[r.GetId()]
	if !ok {
		return &pulumirpc.ReadResponse{}, nil
	}
	return &pulumirpc.ReadResponse{Id: r.GetId(), Inputs: found.Inputs, Properties: found.Inputs}, nil
}

// Delete removes a resource from the account.
func (p *Provider) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.Things, r.GetId())
	p.done = append(p.done, "delete "+nameIn(r.GetUrn()))
	return &emptypb.Empty{}, nil
}

// Cancel counts what the engine does when it is interrupted.
func (p *Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Canceled++
	return &emptypb.Empty{}, nil
}
