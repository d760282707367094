package main

import (
	"cmp"
	"strings"
	"time"

	"slipway/engine"
	"slipway/screen"
)

// A progress shows the steps of the engine on the screen. It is an operation.Progress.
type progress struct {
	*screen.Progress
	usual func(engine.Change) time.Duration // how long a step usually takes; nil: not known
}

// Event implements operation.Progress.
func (p *progress) Event(e engine.Event) {
	if e.Component {
		return
	}
	step := screen.Step{
		ID: e.Change.Op + " " + e.Change.URN, Group: rowOf(e.Group), Name: e.Change.Name(), Type: e.Change.Type, Op: e.Change.Op,
		Phase: map[engine.Phase]screen.Phase{engine.Begun: screen.Begun, engine.Done: screen.Done, engine.Failed: screen.Failed}[e.Phase],
		Took:  e.Took,
	}
	if p.usual != nil {
		step.Usual = p.usual(e.Change)
	}
	p.Step(step)
}

// expect says how many steps each component is going to have.
func (p *progress) expect(planned engine.Result) {
	steps := map[string]int{}
	for group, n := range planned.Groups {
		steps[rowOf(group)] += n
	}
	p.Expect(steps)
}

// rowOf is the line that a component is shown on. Log groups share one: there is one for each container.
func rowOf(g engine.Group) string {
	if strings.HasSuffix(g.Type, ":Group") {
		return "logs"
	}
	return cmp.Or(g.Name, "stack")
}
