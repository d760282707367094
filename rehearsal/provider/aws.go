package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/rehearsal/cloud"
)

// AWS is the AWS provider, backed by the model of an account.
type AWS struct {
	base
	account *cloud.Account

	mu   sync.RWMutex
	tags map[string]string // the provider's default tags
}

// NewAWS returns the AWS provider for account. It calls report, if not nil, after each operation.
func NewAWS(account *cloud.Account, report func(Event)) *AWS {
	return &AWS{base: base{name: "aws", version: "6.83.2", report: report}, account: account}
}

// config reads the provider's configuration, in which nested values are JSON strings.
func config(s *structpb.Struct) (map[string]any, error) {
	m, err := raw(s)
	if err != nil {
		return nil, err
	}
	for name, v := range m {
		text, ok := v.(string)
		switch name {
		case "version", "pluginDownloadURL", "pluginChecksums", "parameterization":
			delete(m, name)
			continue
		}
		if !ok {
			continue
		}
		var parsed any
		if json.Unmarshal([]byte(text), &parsed) == nil {
			switch parsed.(type) {
			case map[string]any, []any, bool:
				m[name] = parsed
			case float64:
				if name == "maxRetries" || name == "tokenBucketRateLimiterCapacity" {
					m[name] = parsed
				}
			}
		}
	}
	return m, nil
}

// CheckConfig refuses a configuration with unknown names, wrong types, or a region that does not exist.
func (p *AWS) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	m, err := config(r.GetNews())
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: r.GetNews(), Failures: failures(cloud.CheckConfig(m))}, nil
}

// DiffConfig replaces the provider, and so its resources, when the region changes. No other change matters here.
func (p *AWS) DiffConfig(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := config(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := config(r.GetNews())
	if err != nil {
		return nil, err
	}
	d := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for name := range merged(olds, news) {
		if was, now := olds[name], news[name]; !cloud.Same(plainOf(was), plainOf(now)) {
			d.Changes = pulumirpc.DiffResponse_DIFF_SOME
			d.Diffs = append(d.Diffs, name)
			if name == "region" {
				d.Replaces = append(d.Replaces, name)
			}
		}
	}
	slices.Sort(d.Diffs)
	return d, nil
}

func merged(x, y map[string]any) map[string]any {
	all := maps.Clone(x)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, y)
	return all
}

func plainOf(v any) any {
	in, _ := cloud.Plain(map[string]any{"v": v})
	return in["v"]
}

// Configure sets the region and the default tags.
func (p *AWS) Configure(_ context.Context, r *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	m, err := config(r.GetArgs())
	if err != nil {
		return nil, err
	}
	in, _ := cloud.Plain(m)
	if region := in.String("region"); region != "" {
		if err := p.account.Move(region); err != nil {
			return nil, err
		}
	}
	// The provider compares the guards with the caller's account before anything else, with this message for both.
	allowed, forbidden := in.List("allowedAccountIds"), in.List("forbiddenAccountIds")
	if id := any(p.account.AccountID); len(allowed) > 0 && !slices.Contains(allowed, id) || slices.Contains(forbidden, id) {
		return nil, fmt.Errorf("AWS account ID not allowed: %s", id)
	}
	tags := map[string]string{}
	for name, v := range in.Map("defaultTags.tags") {
		if s, ok := v.(string); ok {
			tags[name] = s
		}
	}
	p.mu.Lock()
	p.tags = tags
	p.mu.Unlock()
	return configured(), nil
}

func (p *AWS) defaultTags() map[string]string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.tags
}

// Check validates inputs and generates a name if the program sets none.
func (p *AWS) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := raw(r.GetOlds())
	if err != nil {
		return nil, err
	}
	c := cloud.CheckRequest{Type: typeOf(r.GetUrn()), URN: r.GetUrn(), News: news, Olds: olds, Tags: p.defaultTags(),
		RandomSeed: r.GetRandomSeed()}
	if a := r.GetAutonaming(); a != nil {
		c.Name = a.GetProposedName()
		c.Unnamed = a.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE
	}
	inputs, problems := p.account.Check(c)
	s, err := wire(inputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: s, Failures: failures(problems)}, nil
}

// Diff plans an update or a replacement.
func (p *AWS) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	oldInputs, err := raw(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	oldOutputs, err := raw(r.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	plan, err := p.account.Diff(cloud.Difference{Type: typeOf(r.GetUrn()), OldInputs: oldInputs, OldOutputs: oldOutputs,
		News: news, Tags: p.defaultTags()})
	if err != nil {
		return nil, err
	}
	return planned(plan), nil
}

// planned converts a plan to the engine's format.
func planned(plan cloud.Plan) *pulumirpc.DiffResponse {
	d := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true,
		DeleteBeforeReplace: plan.DeleteFirst, DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	kinds := map[cloud.Op][2]pulumirpc.PropertyDiff_Kind{
		cloud.Add:    {pulumirpc.PropertyDiff_ADD, pulumirpc.PropertyDiff_ADD_REPLACE},
		cloud.Delete: {pulumirpc.PropertyDiff_DELETE, pulumirpc.PropertyDiff_DELETE_REPLACE},
		cloud.Update: {pulumirpc.PropertyDiff_UPDATE, pulumirpc.PropertyDiff_UPDATE_REPLACE},
	}
	for _, c := range plan.Changes {
		d.Changes = pulumirpc.DiffResponse_DIFF_SOME
		kind, top := kinds[c.Op][0], cloud.Top(c.Path)
		if c.Replaces {
			kind = kinds[c.Op][1]
			d.Replaces = append(d.Replaces, top)
		}
		d.Diffs = append(d.Diffs, top)
		d.DetailedDiff[c.Path] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: c.Path != "tagsAll"}
	}
	d.Diffs, d.Replaces = slices.Compact(d.Diffs), slices.Compact(d.Replaces)
	return d
}

// Create creates a resource, or predicts it in a preview.
func (p *AWS) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	start := time.Now()
	inputs, err := raw(r.GetProperties())
	if err != nil {
		return nil, err
	}
	var id string
	var outputs map[string]any
	change := cloud.Change{Type: typeOf(r.GetUrn()), URN: r.GetUrn(), Inputs: inputs, Tags: p.defaultTags(), Preview: r.GetPreview()}
	err = patiently(change.Type, func() (err error) {
		id, outputs, err = p.account.Create(change)
		return err
	})
	if !r.GetPreview() {
		p.event("create", r.GetUrn(), start, err)
	}
	if err != nil && id == "" {
		return nil, err
	}
	s, wrong := wire(outputs)
	if wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return nil, partly(id, s, err)
	}
	return &pulumirpc.CreateResponse{Id: id, Properties: s}, nil
}

// partly reports that a resource was created or changed, but is not in its final state. The engine keeps it and updates it next
// time.
func partly(id string, outputs *structpb.Struct, err error) error {
	s, wrong := status.New(codes.Unknown, err.Error()).WithDetails(&pulumirpc.ErrorResourceInitFailed{Id: id, Properties: outputs,
		Reasons: []string{err.Error()}})
	if wrong != nil {
		return errors.Join(err, wrong)
	}
	return s.Err()
}

// Update changes a resource in place, or predicts the change in a preview.
func (p *AWS) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	start := time.Now()
	inputs, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	olds, err := raw(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	var outputs map[string]any
	change := cloud.Change{Type: typeOf(r.GetUrn()), URN: r.GetUrn(), ID: r.GetId(), Inputs: inputs, Tags: p.defaultTags(),
		Preview: r.GetPreview()}
	err = patiently(change.Type, func() (err error) {
		outputs, err = p.account.Update(change, olds)
		return err
	})
	if !r.GetPreview() {
		p.event("update", r.GetUrn(), start, err)
	}
	var unsteady *cloud.Unsteady
	var partial *cloud.Partial
	if err != nil && !errors.As(err, &unsteady) && !errors.As(err, &partial) {
		return nil, err
	}
	s, wrong := wire(outputs)
	if wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return nil, partly(r.GetId(), s, err)
	}
	return &pulumirpc.UpdateResponse{Properties: s}, nil
}

// Read returns the resource's current state; without an ID if it no longer exists.
func (p *AWS) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	if err := p.account.MayRead(typeOf(r.GetUrn()), r.GetId()); err != nil {
		return nil, err
	}
	inputs, outputs, ok := p.account.Read(typeOf(r.GetUrn()), r.GetId())
	if !ok {
		return &pulumirpc.ReadResponse{}, nil
	}
	in, err := wire(inputs)
	if err != nil {
		return nil, err
	}
	out, err := wire(outputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.ReadResponse{Id: r.GetId(), Inputs: in, Properties: out}, nil
}

// Delete removes a resource.
func (p *AWS) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	start := time.Now()
	token := typeOf(r.GetUrn())
	err := patiently(token, func() error { return p.account.Delete(token, r.GetId()) })
	p.event("delete", r.GetUrn(), start, err)
	return &emptypb.Empty{}, err
}

// Invoke answers a data source.
func (p *AWS) Invoke(_ context.Context, r *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args, err := raw(r.GetArgs())
	if err != nil {
		return nil, err
	}
	out, problems, err := p.account.Invoke(r.GetTok(), args)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return &pulumirpc.InvokeResponse{Failures: failures(problems)}, nil
	}
	s, err := wire(out)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.InvokeResponse{Return: s}, nil
}
