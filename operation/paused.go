package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"slipway/engine"
	"slipway/operation/account"
)

// stoppedFor is how long RDS keeps an instance stopped (RDS User Guide, "Stopping an Amazon RDS DB instance temporarily").
const stoppedFor = 7 * 24 * time.Hour

// A Paused is a paused stack: what was before, so that resume can restore it. It is kept beside the state, and written before anything is
// changed. So a pause or a resume that was killed can be repeated, and neither loses what was before.
type Paused struct {
	Since     time.Time       `json:"since"`
	Who       string          `json:"who"`
	Services  []PausedService `json:"services"`
	Schedules []Schedule      `json:"schedules"`         // that were enabled
	Database  string          `json:"database"`          // its identifier
	Stopped   *time.Time      `json:"stopped,omitempty"` // when the database was stopped; nil: not yet
}

// A PausedService is a service as it was.
type PausedService struct {
	Service string           `json:"service"`
	Tasks   int              `json:"tasks"`
	Scaling *account.Scaling `json:"scaling,omitempty"`
}

// A Schedule is one of EventBridge Scheduler.
type Schedule struct {
	Group string `json:"group"`
	Name  string `json:"name"`
}

// Starts is when AWS starts the database again; nil: it was not stopped.
func (p *Paused) Starts() *time.Time {
	if p.Stopped == nil {
		return nil
	}
	at := p.Stopped.Add(stoppedFor)
	return &at
}

func (p *Paused) String() string {
	return fmt.Sprintf("paused since %s, by %s", p.Since.Format(time.DateTime+" MST"), p.Who)
}

// refuse says that a paused stack cannot be changed; nil: it is not paused.
func (p *Paused) refuse(t Target) error {
	if p == nil {
		return nil
	}
	return fmt.Errorf("stack %s is %s; nothing was changed\nto bring it back, run: slipway resume%s", t.Stack, p, t.Flags())
}

// withPaused opens the bucket of the record.
func withPaused(ctx context.Context, stack *engine.Stack, do func(bucket *blob.Bucket, key string) error) error {
	bucket, err := stack.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	key := ".slipway/paused/" + stack.ProjectName() + "/" + stack.Stack + ".json"
	if err := do(bucket, key); err != nil {
		return fmt.Errorf("the record of a pause, %s: %w", key, err)
	}
	return nil
}

func (s *session) readPaused(ctx context.Context) (*Paused, error) { return readPaused(ctx, s.stack) }

// readPaused is the record of a paused stack; nil if it is not paused.
func readPaused(ctx context.Context, stack *engine.Stack) (p *Paused, err error) {
	err = withPaused(ctx, stack, func(bucket *blob.Bucket, key string) error {
		data, err := bucket.ReadAll(ctx, key)
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil
		}
		if err == nil {
			p = &Paused{}
			err = json.Unmarshal(data, p)
		}
		return err
	})
	return p, err
}

// writePaused writes the record. The first write of two pauses at once wins: the other returns false, and reads what was before.
func (s *session) writePaused(ctx context.Context, p *Paused, first bool) (written bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience) // what was done is recorded, also after an interrupt
	defer cancel()
	err = withPaused(ctx, s.stack, func(bucket *blob.Bucket, key string) error {
		data, err := json.MarshalIndent(p, "", "  ")
		if err == nil {
			err = bucket.WriteAll(ctx, key, data, &blob.WriterOptions{IfNotExist: first})
		}
		if first && gcerrors.Code(err) == gcerrors.FailedPrecondition {
			return nil
		}
		written = err == nil
		return err
	})
	return written, err
}

func (s *session) removePaused(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	return withPaused(ctx, s.stack, func(bucket *blob.Bucket, key string) error {
		err := bucket.Delete(ctx, key)
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil
		}
		return err
	})
}

// notPaused refuses to deploy to a paused stack: its database accepts neither a migration nor a change of its
// settings (RDS User Guide, "Stopping an Amazon RDS DB instance temporarily", limitations).
func (s *session) notPaused(ctx context.Context) error {
	p, err := s.readPaused(ctx)
	if err != nil {
		return err
	}
	return p.refuse(s.target)
}

// deletable refuses to destroy a paused stack whose database has to start first. RDS does not change a stopped instance, so its deletion
// protection cannot be lifted (RDS User Guide, "Stopping an Amazon RDS DB instance temporarily", limitations). No page says that it takes a
// final snapshot of one, so that is not relied on. With --keep-data the database stays, and the next up needs it.
func (d *demolition) deletable(ctx context.Context, state engine.Checkpoint) error {
	p, err := d.readPaused(ctx)
	if err != nil || p == nil {
		return err
	}
	if d.keep {
		return fmt.Errorf("%w\nthe database that --keep-data keeps is stopped", p.refuse(d.target))
	}
	for _, r := range state.Managed() {
		skips, _ := r.Outputs["skipFinalSnapshot"].(bool)
		locked, _ := r.Outputs["deletionProtection"].(bool)
		if r.Type != typeInstance || skips && !locked {
			continue
		}
		is, err := d.account.Observe().Database(ctx, r.Text("identifier"))
		if errors.Is(err, account.ErrGone) || err == nil && is.Status == "available" {
			continue
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%w\nthen destroy it: RDS neither lifts the deletion protection of a stopped database nor takes its final snapshot",
			p.refuse(d.target))
	}
	return nil
}

// without undoes in the steps of a refresh what the pause changed: each value that the pause set is what it was before. So a manual change
// from before the pause, or to anything else, is still drift. It also names the resources whose values it undid.
func (p *Paused) without(steps []apitype.StepEventMetadata) (all []apitype.StepEventMetadata, left []string) {
	all = slices.Clone(steps)
	if p == nil {
		return all, nil
	}
	for i, step := range all {
		if step.Old == nil || step.New == nil {
			continue
		}
		before := maps.Clone(step.New.Outputs)
		for key, value := range p.before(step) {
			before[key] = value
		}
		if reflect.DeepEqual(before, step.New.Outputs) {
			continue
		}
		is := *step.New
		is.Outputs = before
		all[i].New = &is
		left = append(left, resource.URN(step.URN).Name())
	}
	return all, left
}

// before are the outputs of a resource that have the value of a pause, as they were before it.
func (p *Paused) before(step apitype.StepEventMetadata) map[string]any {
	is := outputs(step.New.Outputs)
	switch step.Type {
	case typeService:
		for _, s := range p.Services {
			if s.Service == is.text("name") && is.number("desiredCount") == 0 {
				return map[string]any{"desiredCount": float64(s.Tasks)}
			}
		}
	case typeScaling:
		for _, s := range p.Services {
			if s.Scaling != nil && strings.HasSuffix(is.text("resourceId"), "/"+s.Service) &&
				reflect.DeepEqual(map[string]any(is.object("suspendedState")), suspendedState(true, true, true)) {
				return map[string]any{"suspendedState": suspendedState(s.Scaling.InSuspended, s.Scaling.OutSuspended, s.Scaling.TimeSuspended)}
			}
		}
	case typeSchedule:
		if slices.Contains(p.Schedules, Schedule{is.text("groupName"), is.text("name")}) && is.text("state") == "DISABLED" {
			return map[string]any{"state": "ENABLED"}
		}
	}
	return nil
}

// suspendedState is the output of a scalable target.
func suspendedState(in, out, scheduled bool) map[string]any {
	return map[string]any{"dynamicScalingInSuspended": in, "dynamicScalingOutSuspended": out, "scheduledScalingSuspended": scheduled}
}

// leaves says what of a paused stack is no drift.
func (p *Paused) leaves(t Target, left []string) string {
	words := fmt.Sprintf("Stack %s is %s. What the pause changed is no drift", t.Stack, p)
	if len(left) > 0 {
		words += ", and is left out: " + strings.Join(left, ", ")
	}
	return words + ". Back with: slipway resume" + t.Flags()
}
