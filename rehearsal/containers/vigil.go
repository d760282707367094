package containers

import (
	"context"
	"slices"
	"time"

	"slipway/rehearsal/alarm"
	"slipway/rehearsal/cloud"
)

// A vigil watches the alarms that end a deployment of a service: while new tasks replace old ones, and for a while after (ECS Developer
// Guide, "How CloudWatch alarms detect Amazon ECS deployment failures"). The nil vigil watches nothing.
type vigil struct {
	names  []string
	states func() map[string]alarm.State
	bakes  time.Duration // how long at most after the last old task stopped
	began  time.Time
	pause  func(context.Context, time.Duration) error
}

// vigil is that of an update of a service; nil if the update deploys nothing, if the service has no alarms, or if one of them fires
// already: ECS then ignores them all (aws/copilot-cli#4512), so that a release which mends the site can be deployed.
func (r *Run) vigil(was, now *cloud.Object) *vigil {
	in := cloud.Inputs(now.Outputs)
	if was == nil || !in.Bool("alarms.enable") ||
		cloud.Inputs(was.Outputs).String("taskDefinition") == in.String("taskDefinition") && was.Restarts() == now.Restarts() {
		return nil
	}
	v := &vigil{names: in.Strings("alarms.alarmNames"), states: r.alarms, pause: pause, began: r.meter.now()}
	if v.fired() != "" {
		return nil
	}
	for _, o := range r.all(typeAlarm) {
		if rule, err := alarm.Read(o.Outputs); err == nil && slices.Contains(v.names, cloud.Inputs(o.Outputs).String("name")) {
			v.bakes = max(v.bakes, rule.Faster(r.kept.AlarmPace).Range())
		}
	}
	return v
}

// fired is an alarm that fires; "": none does.
func (v *vigil) fired() string {
	if v == nil {
		return ""
	}
	states := v.states()
	for _, name := range v.names {
		if states[name].State == alarm.Firing {
			return name
		}
	}
	return ""
}

// bake watches the alarms after the new tasks have replaced the old ones. ECS does so for a time that it "computes based on the alarm
// configuration", whatever is measured. This one is over as soon as nothing that could make an alarm fire is measured: a release that
// serves no error need not wait for minutes.
func (v *vigil) bake(ctx context.Context) (fired string, err error) {
	if v == nil {
		return "", nil
	}
	const step = 500 * time.Millisecond
	// The newest requests are in the states a second later.
	least := 2 * time.Second
	for waited := time.Duration(0); waited < least || waited < v.bakes && v.near(); waited += step {
		if name := v.fired(); name != "" {
			return name, nil
		}
		if err := v.pause(ctx, step); err != nil {
			return "", err
		}
	}
	return v.fired(), nil
}

// near reports whether an alarm has measured what could make it fire, since the deployment began.
func (v *vigil) near() bool {
	states := v.states()
	return slices.ContainsFunc(v.names, func(name string) bool { return states[name].Near.After(v.began) })
}
