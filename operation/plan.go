package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"slipway/drift"
	"slipway/engine"
	"slipway/internal/catalog"
	"slipway/operation/account"
	"slipway/site"
)

// A Plan is what an operation would do to a stack. It is made before anything is changed.
type Plan struct {
	Stack     string
	Live      bool
	Operation string
	New       bool             // the stack has no resources yet
	Where     account.Identity // of the account that would change
	Result    engine.Result    // as the engine planned it
	Changes   []PlannedChange
	Losses    []Effect // of data, or of what protects it: the user must confirm them
	Downtime  []Effect // what is down for a while

	WhatIf *Rehearsal // of a change that is tried; nil: none is

	// Refresh says that the up has to read the resources too: the plan reverts something that was changed outside Slipway, or a drift
	// check found something since the last up.
	Refresh bool
	Differs []drift.Resource // all that was changed outside Slipway
	Left    []drift.Resource // those that the plan does not change
}

// A PlannedChange is a change of one resource, with the settings that differ by name.
type PlannedChange struct {
	engine.Change
	Details []Detail `json:"details,omitempty"`
}

// Part is the part of the site that the resource is in, by its outermost component: "network".
func (c PlannedChange) Part() string {
	outermost, _, _ := strings.Cut(string(resource.URN(c.URN).QualifiedType()), "$")
	if parts := strings.Split(outermost, ":"); parts[0] == "slipway" && len(parts) == 3 {
		return parts[1]
	}
	return ""
}

// An Effect is what a change does beyond the change itself.
type Effect struct {
	Kind string `json:"kind"` // "database"; or the name of the resource's type
	Name string `json:"name"` // in the account; in the program if it has none yet
	Op   string `json:"op"`
	Says string `json:"says"`
	Why  string `json:"why,omitempty"` // the setting that causes it: "dbName: site -> foo"
}

// ErrPlanned ends an operation after its plan. Nothing was changed.
var ErrPlanned = errors.New("nothing was done: only the plan was wanted")

// A PlanSummary is a Plan for other programs to read.
type PlanSummary struct {
	Stack    string          `json:"stack"`
	Live     bool            `json:"live,omitempty"`
	Losses   []Effect        `json:"losses"`
	Downtime []Effect        `json:"downtime"`
	Changes  []PlannedChange `json:"changes"`
	Counts   map[string]int  `json:"counts"`
	Seconds  float64         `json:"seconds"`
	WhatIf   *Rehearsal      `json:"whatIf,omitempty"`
}

// Summary is the plan with the settings that differ in both forms, by name and as the engine has them.
func (p *Plan) Summary() PlanSummary {
	s := p.Result.Summary()
	return PlanSummary{p.Stack, p.Live, p.Losses, p.Downtime, p.Changes, s.Counts, s.Seconds, p.WhatIf}
}

// A RefusedError says why a plan cannot be carried out. Nothing was changed.
type RefusedError struct {
	Stack   string
	Reasons []string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("stack %s cannot be changed like this; nothing was changed:\n  %s", e.Stack,
		strings.ReplaceAll(strings.Join(e.Reasons, "\n"), "\n", "\n  "))
}

// plan has the engine plan the operation, and refuses what cannot be completed.
func (s *session) plan(ctx context.Context, operation string) (*Plan, error) {
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.imagesExist(ctx, state); err != nil {
		return nil, err
	}
	result, err := s.stack.Preview(ctx, s.account.Lock(), engine.UpOptions{Refresh: true})
	var failure *engine.Failure
	if errors.As(err, &failure) && !failure.Interrupted {
		if refusal := s.refusal(failure); refusal != nil {
			return nil, refusal
		}
	}
	if err != nil {
		return nil, err
	}
	p := newPlan(facts(), result, state)
	// The losses of a destroy were confirmed when it began. The ledger is read only if it matters.
	gone := func(e Effect) bool { return e.Op == "create" }
	if slices.ContainsFunc(p.Losses, gone) && s.destroying(ctx) {
		p.Losses = slices.DeleteFunc(p.Losses, gone)
	}
	s.compare(ctx, p)
	p.Stack, p.Live, p.Operation, p.Where = s.target.Stack, s.target.Live, operation, s.account.Identity()
	reasons := impossible(facts(), result, state)
	reasons = append(reasons, s.overQuota(ctx, result)...)
	if reasons = append(reasons, s.takenNames(ctx, result, state)...); len(reasons) > 0 {
		return nil, &RefusedError{s.target.Stack, reasons}
	}
	return p, nil
}

// destroying says whether the last operation was a destroy: it was killed, or it failed.
func (s *session) destroying(ctx context.Context) bool {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return false
	}
	h, err := ledger.Read(ctx)
	last, any := h.Last()
	return errors.Join(err, ledger.Close()) == nil && any && last.Operation == "destroy"
}

// compare reports what was changed outside Slipway, as the plan found it: the engine read every resource for it.
func (s *session) compare(ctx context.Context, p *Plan) {
	var reverted, left []string
	last, _ := s.lastCheck(ctx) // one that cannot be read counts as none
	steps := p.Result.Reread
	if paused, err := s.readPaused(ctx); err == nil {
		steps, _ = paused.without(steps)
	}
	p.Differs, _ = differences(last, steps)
	for _, d := range p.Differs {
		if slices.ContainsFunc(p.Changes, func(c PlannedChange) bool { return c.URN == d.URN }) {
			reverted = append(reverted, d.Name)
		} else {
			left = append(left, d.Name)
			p.Left = append(p.Left, d)
		}
	}
	p.Refresh = len(reverted) > 0 || last != nil && last.Found > 0
	if len(reverted) > 0 {
		s.target.Progress.Logf("Changed outside Slipway, and part of this plan: %s.", strings.Join(reverted, ", "))
	}
	if len(left) > 0 {
		s.target.Progress.Logf("Changed outside Slipway, and not part of this plan, because the program does not set it: %s\n"+
			"to see what was changed, run: slipway drift%s", strings.Join(left, ", "), s.target.Flags())
	}
}

// refusal is why the engine or the program refused the plan, in the user's terms; nil if that is not what failed.
func (s *session) refusal(failure *engine.Failure) error {
	var reasons []string
	for _, p := range failure.Problems {
		if p.Hook == site.FixedHook {
			return errors.New(p.Message)
		}
		if p.Protected {
			i := slices.IndexFunc(failure.Done.Changes, func(c engine.Change) bool { return c.URN == p.URN })
			if i < 0 {
				failure.Done.Changes = append(failure.Done.Changes, engine.Change{URN: p.URN, Op: "delete"})
				i = len(failure.Done.Changes) - 1
			}
			reasons = append(reasons, protectedReason(failure.Done.Changes[i]))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &RefusedError{s.target.Stack, reasons}
}

func protectedReason(c engine.Change) string {
	reason := fmt.Sprintf("%s (%s) is protected, and this would %s it", c.Name(), c.Type, c.Op)
	if why := causes(c); why != "" {
		reason += ", because of " + why
	}
	return reason + ".\n  Take the change back; or, to give up what it holds, set protect to false, run up, and make the change then."
}

// newPlan derives from the facts about the resources what a result of the engine means.
func newPlan(rules catalog.Catalog, result engine.Result, state engine.Checkpoint) *Plan {
	p := &Plan{Result: result, Changes: []PlannedChange{}, Losses: []Effect{}, Downtime: []Effect{}}
	was := map[string]engine.Resource{}
	for _, r := range state.Managed() {
		was[r.URN] = r
	}
	p.New = len(was) == 0
	order := map[string]int{}
	for _, c := range result.Changes {
		p.Changes = append(p.Changes, PlannedChange{c, detailsOf(c)})
		old, existed := was[c.URN]
		if !existed {
			continue
		}
		loss, loses := rules.Loss(c.Type)
		effect := Effect{Kind: kindOf(c.Type), Name: nameOf(old), Op: c.Op}
		if loses {
			effect.Kind = loss.Kind
			order[loss.Kind] = loss.Order
		}
		add := func(does catalog.Does, says, why string) {
			one := effect
			one.Says, one.Why = says, why
			switch does {
			case catalog.Loses:
				p.Losses = append(p.Losses, one)
			case catalog.Interrupts:
				p.Downtime = append(p.Downtime, one)
			}
		}
		switch c.Op {
		case "create": // again: it is gone from the account
			if loses && !loss.Again {
				add(catalog.Loses, cmp.Or(rules.Missing(c.Type), loss.Says), "it was deleted outside Slipway")
			}
		case "replace", "delete":
			if loses {
				add(map[bool]catalog.Does{false: catalog.Loses, true: catalog.Interrupts}[loss.Again], loss.Says, causes(c))
			}
			for _, e := range rules.Replaced(c.Type) {
				add(e.Does, e.Says, causes(c))
			}
		case "update":
			each(rules, c, old, func(e catalog.Effect, property engine.Property) { add(e.Does, e.Says, change(property)) })
		}
	}
	rank := func(e Effect) int { return cmp.Or(order[e.Kind], 100) }
	slices.SortStableFunc(p.Losses, func(a, b Effect) int { return rank(a) - rank(b) })
	return p
}

// each visits the effects of the settings that change in place. Where the provider reports what a setting is in fact, such as
// the minor version that runs, that is what it changes from.
func each(rules catalog.Catalog, c engine.Change, old engine.Resource, visit func(catalog.Effect, engine.Property)) {
	for _, property := range c.Properties {
		from := property.From
		if actual, ok := old.Outputs[property.Path+"Actual"]; ok && actual != "" {
			from = actual
		}
		for _, e := range rules.Effects(c.Type, property.Path, from, property.To) {
			visit(e, property)
		}
	}
}

// impossible is what AWS would refuse, and what is protected, with the way to do it.
func impossible(rules catalog.Catalog, result engine.Result, state engine.Checkpoint) []string {
	var reasons []string
	was := map[string]engine.Resource{}
	for _, r := range state.Managed() {
		was[r.URN] = r
	}
	for _, c := range result.Changes {
		old, existed := was[c.URN]
		switch {
		case !existed:
		case c.Op == "update":
			each(rules, c, old, func(e catalog.Effect, property engine.Property) {
				if e.Does == catalog.Impossible {
					reasons = append(reasons, fmt.Sprintf("%s: %s: %s.\n  The way to do it: %s.", c.Name(), change(property), e.Says, e.Way))
				}
			})
		case old.Protect && (c.Op == "replace" || c.Op == "delete"):
			reasons = append(reasons, protectedReason(c))
		}
	}
	return append(reasons, zoneOfDatabase(result, was)...)
}

// zoneOfDatabase refuses to delete a subnet that the database uses: RDS does not let go of it. The standby may be in any zone.
// Source: RDS API reference, ModifyDBSubnetGroup, SubnetAlreadyInUse.
func zoneOfDatabase(result engine.Result, was map[string]engine.Resource) []string {
	var reasons []string
	for _, c := range result.Changes {
		subnet := was[c.URN]
		if c.Type != "aws:ec2/subnet:Subnet" || c.Op != "delete" && c.Op != "replace" {
			continue
		}
		for _, r := range was {
			zone := subnet.Text("availabilityZone")
			if standby, _ := r.Outputs["multiAz"].(bool); r.Type != typeInstance || !standby && r.Text("availabilityZone") != zone || zone == "" {
				continue
			}
			where := "the database is in it"
			if standby, _ := r.Outputs["multiAz"].(bool); standby {
				where = "the database or its standby may be in it"
			}
			reason := fmt.Sprintf("network.zones: this would delete the subnets in %s, and %s: RDS does not give them up.\n  "+
				"The way to do it: set network.zones back; or create a stack with fewer zones and copy the data with pg_dump and pg_restore.",
				zone, where)
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	return reasons
}

// kindOf is a word for a type without one of its own: "listener" for aws:lb/listener:Listener.
func kindOf(token string) string {
	name := token[strings.LastIndex(token, ":")+1:]
	return strings.ToLower(name[:min(1, len(name))]) + name[min(1, len(name)):]
}

// nameOf is what a resource is called in the account.
func nameOf(r engine.Resource) string {
	return cmp.Or(r.Text("identifier"), r.Text("bucket"), r.Text("publicIp"), r.Text("name"), r.Text("arn"), r.ID, r.Name)
}

// causes are the settings that replace a resource.
func causes(c engine.Change) string {
	var all []string
	for _, p := range c.Properties {
		if strings.HasSuffix(p.Kind, "-replace") {
			all = append(all, change(p))
		}
	}
	return strings.Join(all, ", ")
}

func change(p engine.Property) string {
	return fmt.Sprintf("%s: %s -> %s", p.Path, brief(p.From), brief(p.To))
}

// brief is a value in a few words.
func brief(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string, bool, float64, int:
		text := []rune(strings.ReplaceAll(fmt.Sprint(v), "\n", " "))
		if len(text) > 60 {
			return string(text[:57]) + "..."
		}
		return string(text)
	}
	return "..."
}

// A Deviation is a resource to which something else was done than planned.
type Deviation struct {
	URN     string `json:"urn"`
	Name    string `json:"name"`
	Planned string `json:"planned,omitempty"` // the planned operation; "": none
	Done    string `json:"done,omitempty"`    // what was done; "": nothing
}

func (d Deviation) String() string {
	past := func(op string) string { return strings.TrimSuffix(op, "e") + "ed" } // created, updated, replaced, deleted
	switch {
	case d.Done == "":
		return fmt.Sprintf("Planned, and then not necessary: %s of %s.", d.Planned, d.Name)
	case d.Planned == "":
		return fmt.Sprintf("Not planned: %s was %s.", d.Name, past(d.Done))
	}
	return fmt.Sprintf("Otherwise than planned: %s was %s instead of %s.", d.Name, past(d.Done), past(d.Planned))
}

// deviations compares what was done with the plan. The engine plans with what it knows then, and does not hold an update to
// its plan (pulumi#7181).
func (p *Plan) deviations(done engine.Result) []Deviation {
	ops := map[string]string{}
	for _, c := range done.Changes {
		if !c.Component {
			ops[c.URN] = c.Op
		}
	}
	var all []Deviation
	for _, c := range p.Changes {
		if op := ops[c.URN]; op != c.Op && !c.Component {
			all = append(all, Deviation{URN: c.URN, Name: c.Name(), Planned: c.Op, Done: op})
		}
		delete(ops, c.URN)
	}
	for _, c := range done.Changes {
		if op := ops[c.URN]; op != "" {
			all = append(all, Deviation{URN: c.URN, Name: c.Name(), Done: op})
		}
	}
	return all
}
