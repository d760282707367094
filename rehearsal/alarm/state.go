package alarm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The states of an alarm.
const (
	OK           = "OK"
	Firing       = "ALARM"
	Insufficient = "INSUFFICIENT_DATA"
)

// A State is that of an alarm.
type State struct {
	State  string
	Reason string    // in CloudWatch's words
	Since  time.Time // when it became so

	// Near is when something was measured that could make it fire: the end of the last period if that breaches, or the newest value of
	// the period that goes on, if it breaches or adds up. Zero: nothing was.
	Near time.Time `json:",omitzero"`
}

// beyond is how many periods CloudWatch looks back beyond those that it evaluates. The guide does not say how many; its tables, for three
// periods, look at five.
const beyond = 2

// A point is the value of a period; missing if nothing was measured.
type point struct {
	at      time.Time
	value   float64
	missing bool
}

// points are those of an alarm's range, the newest first. The period that goes on now is not among them.
func (r Rule) points(metrics *Metrics, now time.Time) []point {
	end := now.Truncate(r.Period)
	all := make([]point, 0, r.Periods+beyond)
	for i := range r.Periods + beyond {
		all = append(all, r.point(metrics, end.Add(-time.Duration(i+1)*r.Period)))
	}
	return all
}

func (r Rule) point(metrics *Metrics, from time.Time) point {
	values := metrics.between(r.Metric, from, from.Add(r.Period))
	if len(values) == 0 {
		return point{at: from, missing: true}
	}
	return point{at: from, value: r.statistic(values)}
}

// Evaluate is the state of an alarm that had another one. It changes when a period ends: AWS's metrics also arrive late, the load
// balancer's by minutes, which it does not repeat.
func (r Rule) Evaluate(metrics *Metrics, was State, now time.Time) State {
	state := State{State: was.State, Reason: was.Reason, Since: was.Since}
	all := r.points(metrics, now)
	present := make([]point, 0, len(all))
	oldest := 0 // age of the oldest value in periods
	for i, p := range all {
		if !p.missing {
			present, oldest = append(present, p), i+1
		}
	}
	present = present[:min(len(present), r.Periods)]
	if next := r.decide(present, oldest, was.State); next != was.State {
		state.State, state.Since = next, now
	}
	if state.State != was.State || was.Reason == "" {
		state.Reason = r.reason(present, state.State)
	}
	began := now.Truncate(r.Period)
	if last := all[0]; !last.missing && r.breaches(last.value) {
		state.Near = began
	}
	if at, found := metrics.newest(r.Metric, began, func(v float64) bool { return r.breaches(v) || r.counts && v > 0 }); found {
		state.Near = at
	}
	return state
}

// decide is the state that follows from the values that there are, the newest first and at most as many as are evaluated.
func (r Rule) decide(present []point, oldest int, was string) string {
	breaching := 0
	for _, p := range present {
		if r.breaches(p.value) {
			breaching++
		}
	}
	filled := r.Periods - len(present)
	within := len(present) > breaching // a value is within the threshold
	switch {
	case breaching >= r.Datapoints, r.Missing == "breaching" && breaching+filled >= r.Datapoints:
		return Firing
	case filled == 0, r.Missing == "breaching", r.Missing == "notBreaching", within:
		return OK
	case r.Missing == "ignore":
		return cmp.Or(was, Insufficient)
	case breaching > 0 && oldest >= r.Datapoints:
		return Firing // "premature" transitions are avoided only while the breach is young
	}
	return Insufficient
}

// reason says why, in CloudWatch's words.
func (r Rule) reason(present []point, state string) string {
	crossed := make([]string, 0, len(present))
	for _, p := range present {
		if r.breaches(p.value) == (state == Firing) {
			crossed = append(crossed, fmt.Sprintf("%s (%s)", decimal(p.value), p.at.UTC().Format("02/01/06 15:04:05")))
		}
	}
	if state == Insufficient {
		return "Insufficient Data: " + plural(r.Periods-len(present), "datapoint was unknown.", "datapoints were unknown.")
	}
	text := "Threshold Crossed: "
	switch list := "[" + strings.Join(crossed, ", ") + "]"; {
	case len(present) == 0:
		text += "no datapoints were received for " + plural(r.Periods, "period", "periods")
	case state == Firing:
		text += fmt.Sprintf("%d out of the last %s %s %s %s the threshold (%s)", len(crossed), plural(r.Periods, "datapoint", "datapoints"), list,
			verb(len(crossed)), comparisons[r.Comparison].words, decimal(r.Threshold))
	case len(crossed) > 0:
		text += fmt.Sprintf("%s %s %s not %s the threshold (%s)", plural(len(crossed), "datapoint", "datapoints"), list, verb(len(crossed)),
			comparisons[r.Comparison].words, decimal(r.Threshold))
	}
	if n := r.Periods - len(present); n > 0 && (r.Missing == "breaching" || r.Missing == "notBreaching") {
		treated := map[string]string{"breaching": "Breaching", "notBreaching": "NonBreaching"}[r.Missing]
		if len(present) == 0 || len(crossed) > 0 {
			text += " and "
		}
		text += fmt.Sprintf("%s treated as [%s]", plural(n, "missing datapoint was", "missing datapoints were"), treated)
	}
	if state == Firing {
		text += fmt.Sprintf(" (minimum %s for OK -> ALARM transition)", plural(r.Datapoints, "datapoint", "datapoints"))
	}
	return text + "."
}

func verb(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// decimal is a number as CloudWatch writes it: 5.0.
func decimal(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
