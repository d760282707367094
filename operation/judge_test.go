package operation

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/engine"
	"slipway/verdict"
)

// TestWhatARunBegan takes events of the engine as they come: only deployments that this run began are its own.
func TestWhatARunBegan(t *testing.T) {
	const service, group = verdict.TypeService, verdict.TypeTargetGroup
	event := func(phase engine.Phase, op, kind, urn string, properties ...engine.Property) engine.Event {
		return engine.Event{Phase: phase, Change: engine.Change{URN: urn, Type: kind, Op: op, Properties: properties}}
	}
	definition := engine.Property{Path: "taskDefinition", From: "web:1", To: "web:2"}
	for _, c := range []struct {
		name    string
		events  []engine.Event
		want    verdict.Started
		recheck bool
	}{
		{name: "an update asks for another task definition", want: verdict.Started{"web": "web:2"}, events: []engine.Event{
			event(engine.Begun, "update", service, "web", definition), event(engine.Failed, "update", service, "web", definition)}},
		{name: "a create is in the checkpoint", want: verdict.Started{"web": ""}, events: []engine.Event{event(engine.Begun, "create", service,
			"web")}},
		{name: "a replacement is three steps", want: verdict.Started{"web": "web:2"}, events: []engine.Event{
			event(engine.Begun, "create-replacement", service, "web", definition), event(engine.Begun, "replace", service, "web")}},
		{name: "a refresh and a delete begin nothing", events: []engine.Event{
			event(engine.Begun, "refresh", service, "web"), event(engine.Begun, "delete", service, "mail"), event(engine.Begun, "update",
				"aws:ssm/parameter:Parameter", "marker")}},
		{name: "another health path", recheck: true, events: []engine.Event{
			event(engine.Begun, "update", group, "targets", engine.Property{Path: "healthCheck.path", From: "/healthz", To: "/x"})}},
		{name: "a tag of the target group", events: []engine.Event{event(engine.Begun, "update", group, "targets",
			engine.Property{Path: "tags.team"})}},
	} {
		var b begun
		b.hear(event(engine.Begun, "update", service, "of the run before"))
		b.reset()
		for _, e := range c.events {
			b.hear(e)
		}
		got, recheck := b.known()
		if diff := cmp.Diff(c.want, got); diff != "" || recheck != c.recheck {
			t.Errorf("%s: recheck is %t (-want +got):\n%s", c.name, recheck, diff)
		}
	}
}
