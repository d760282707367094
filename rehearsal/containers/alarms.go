package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway/rehearsal/alarm"
	"slipway/rehearsal/cloud"
)

// CloudWatch's part in a run: the process that serves evaluates the account's alarms on what its meter measures. Their states are a file,
// because the process that asks may be another one.

// evaluate is the state of every alarm.
func (m *meter) evaluate(was map[string]alarm.State) map[string]alarm.State {
	states := map[string]alarm.State{}
	for _, o := range m.run.all(typeAlarm) {
		name := cloud.Inputs(o.Outputs).String("name")
		rule, err := alarm.Read(o.Outputs)
		if err == nil && !isMeasured(rule.Metric) {
			err = fmt.Errorf("containers have no metric %s", rule.Metric)
		}
		if err != nil {
			states[name] = alarm.State{State: alarm.Insufficient, Reason: "not evaluated: " + err.Error()}
			continue
		}
		states[name] = rule.Faster(m.run.kept.AlarmPace).Evaluate(&m.metrics, was[name], m.now())
	}
	return states
}

const typeAlarm = "aws:cloudwatch/metricAlarm:MetricAlarm"

// alarmStates are what is kept about alarms.
type alarmStates struct {
	At     time.Time
	States map[string]alarm.State
}

func (r *Run) alarmsFile() string { return filepath.Join(r.dir, "alarms.json") }

// alarms are the states of the alarms, by name; none if no process evaluates them.
func (r *Run) alarms() map[string]alarm.State {
	const late = 10 * time.Second
	kept := r.keptAlarms()
	if time.Since(kept.At) > late {
		return nil
	}
	return kept.States
}

func (r *Run) keepAlarms(states alarmStates) error {
	text, err := json.Marshal(states)
	if err != nil {
		return err
	}
	return replace(r.alarmsFile(), text)
}

func (r *Run) keptAlarms() alarmStates {
	var kept alarmStates
	text, err := os.ReadFile(r.alarmsFile())
	if err != nil || json.Unmarshal(text, &kept) != nil {
		return alarmStates{}
	}
	return kept
}

// check measures the targets until ctx is done. A target that does not answer delays it, so watch does not wait for it.
func (m *meter) check(ctx context.Context) {
	probes := &rounds{run: m.run, ask: (*probe).ask}
	for pause(ctx, time.Second) == nil {
		for group, n := range probes.round(ctx, m.now()) {
			m.put(group, map[string]float64{"HealthyHostCount": float64(n.healthy), "UnHealthyHostCount": float64(n.unhealthy)})
		}
	}
}

// watch evaluates the alarms until ctx is done.
func (m *meter) watch(ctx context.Context) {
	states := m.run.keptAlarms().States
	for pause(ctx, time.Second) == nil {
		was := states
		states = m.evaluate(was)
		m.run.announce(was, states)
		_ = m.run.keepAlarms(alarmStates{m.now(), states}) // it fails if another command has removed the stack
	}
}

// announce says which alarms begin or end.
func (r *Run) announce(was, now map[string]alarm.State) {
	for name, state := range now {
		switch before := was[name].State; {
		case state.State == alarm.Firing && before != alarm.Firing:
			r.options.Say(fmt.Sprintf("Alarm %s fires: %s", name, state.Reason))
		case state.State == alarm.OK && before == alarm.Firing:
			r.options.Say(fmt.Sprintf("Alarm %s ends: %s", name, state.Reason))
		}
	}
}
