package alarm

import (
	"strings"
	"testing"
	"time"
)

var errors5xx = Metric{"AWS/ApplicationELB", "HTTPCode_Target_5XX_Count",
	map[string]string{"LoadBalancer": "app/shop/1", "TargetGroup": "targetgroup/shop/2"}}

// properties are those of an alarm of the site: five errors a minute, for five minutes.
func properties(changes ...any) map[string]any {
	p := map[string]any{
		"namespace": "AWS/ApplicationELB", "metricName": "HTTPCode_Target_5XX_Count", "statistic": "Sum", "period": 60.0,
		"dimensions":        map[string]any{"LoadBalancer": "app/shop/1", "TargetGroup": "targetgroup/shop/2"},
		"evaluationPeriods": 5.0, "threshold": 5.0, "comparisonOperator": "GreaterThanOrEqualToThreshold", "treatMissingData": "notBreaching",
	}
	for i := 0; i < len(changes); i += 2 {
		p[changes[i].(string)] = changes[i+1]
	}
	return p
}

func read(t *testing.T, changes ...any) Rule {
	t.Helper()
	r, err := Read(properties(changes...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var start = time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)

// TestMissingData is the tables of CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data": 0 is within the
// threshold, X breaches it, - is missing; the newest comes last. keep is "retain current state".
func TestMissingData(t *testing.T) {
	const keep = "the state before"
	for _, c := range []struct {
		of     int // datapoints to alarm, out of three
		points string
		want   [4]string // missing, ignore, breaching, notBreaching
	}{
		{3, "0 - X - X", [4]string{OK, OK, OK, OK}},
		{3, "0 - - - -", [4]string{OK, OK, OK, OK}},
		{3, "- - - - -", [4]string{Insufficient, keep, Firing, OK}},
		{3, "0 X X - X", [4]string{Firing, Firing, Firing, Firing}},
		{3, "- - - - X", [4]string{Insufficient, keep, Firing, OK}},
		{3, "X - - - -", [4]string{Firing, keep, Firing, OK}},
		{2, "0 - X - X", [4]string{Firing, Firing, Firing, Firing}},
		{2, "0 0 X 0 X", [4]string{Firing, Firing, Firing, Firing}},
		{2, "0 - X - -", [4]string{OK, OK, Firing, OK}},
		{2, "- - - - 0", [4]string{OK, OK, Firing, OK}},
		{2, "- - - - X", [4]string{Insufficient, keep, Firing, OK}},
	} {
		for i, missing := range []string{"missing", "ignore", "breaching", "notBreaching"} {
			r := read(t, "period", 300.0, "evaluationPeriods", 3.0, "datapointsToAlarm", float64(c.of), "treatMissingData", missing)
			var metrics Metrics
			for period, what := range strings.Fields(c.points) {
				if at := start.Add(time.Duration(period)*r.Period + time.Minute); what != "-" {
					metrics.Put(r.Metric, at, map[string]float64{"X": 7, "0": 1}[what])
				}
			}
			if got := r.Evaluate(&metrics, State{State: keep}, start.Add(5*r.Period+time.Second)); got.State != c.want[i] {
				t.Errorf("%d of 3, %s, %s: %s, want %s", c.of, c.points, missing, got.State, c.want[i])
			}
		}
	}
}

// TestAnErrorSpreeFiresAndEnds follows the site's own alarm through a night: the clock goes in steps of a second.
func TestAnErrorSpreeFiresAndEnds(t *testing.T) {
	r := read(t)
	var metrics Metrics
	var state State
	changes := map[string]time.Duration{} // when the state became so
	for s := range 20 * 60 {
		now := start.Add(time.Duration(s) * time.Second)
		if bad := s >= 90 && s < 500; bad && s%10 == 0 { // from 3:01:30 to 3:08:20, six a minute
			metrics.Put(errors5xx, now, 1)
		}
		was := state
		state = r.Evaluate(&metrics, was, now)
		if was.State != state.State {
			changes[state.State] = now.Sub(start)
			if !state.Since.Equal(now) {
				t.Errorf("%s since %s, at %s", state.State, state.Since, now)
			}
		}
		// It is over with minute 8, whose two errors are within the threshold.
		if near := s >= 90 && s < 540; state.Near.IsZero() == near {
			t.Fatalf("after %d s near is %v", s, state.Near)
		}
		const why = "Threshold Crossed: 5 out of the last 5 datapoints [6.0 (29/11/26 03:06:00), 6.0 "
		if state.State == Firing && !strings.HasPrefix(state.Reason, why) {
			t.Fatalf("the reason is %s", state.Reason)
		}
	}
	// Minutes 2 to 6 have six errors each, so it fires when minute 6 ends. Minute 1 has three, minute 8 has two: within the threshold.
	if changes[Firing] != 7*time.Minute {
		t.Errorf("it fires after %s", changes[Firing])
	}
	if changes[OK] != 9*time.Minute {
		t.Errorf("it ends after %s", changes[OK])
	}
	const why = "1 datapoint [2.0 (29/11/26 03:08:00)] was not greater than or equal to the threshold (5.0)"
	if !strings.Contains(state.Reason, why) {
		t.Errorf("the reason is %s", state.Reason)
	}
}

// TestAMetricThatStopsEndsItsAlarm has no value at all after the errors, as AWS reports no zeros. CloudWatch then looks back two periods
// further, so that the alarm ends later.
func TestAMetricThatStopsEndsItsAlarm(t *testing.T) {
	r := read(t)
	var metrics Metrics
	for s := range 10 * 60 {
		metrics.Put(errors5xx, start.Add(time.Duration(s)*time.Second), 1)
	}
	state := r.Evaluate(&metrics, State{State: OK}, start.Add(10*time.Minute))
	if state.State != Firing || !state.Near.Equal(start.Add(10*time.Minute)) {
		t.Fatalf("%+v", state)
	}
	for minute, want := range map[int]string{12: Firing, 13: OK} {
		if got := r.Evaluate(&metrics, state, start.Add(time.Duration(minute)*time.Minute)); got.State != want || !got.Near.IsZero() {
			t.Errorf("after %d minutes: %+v, want %s", minute, got, want)
		}
	}
	young := r.Evaluate(&metrics, state, start.Add(13*time.Minute))
	if want := "Threshold Crossed: 1 missing datapoint was treated as [NonBreaching]."; young.Reason != want {
		t.Errorf("%s", young.Reason)
	}
	ended := r.Evaluate(&metrics, state, start.Add(time.Hour))
	const none = "Threshold Crossed: no datapoints were received for 5 periods and 5 missing datapoints were treated as [NonBreaching]."
	if ended.Reason != none {
		t.Errorf("%s", ended.Reason)
	}
}

func TestStatistics(t *testing.T) {
	var metrics Metrics
	for i := range 100 {
		metrics.Put(errors5xx, start.Add(time.Duration(i)*100*time.Millisecond), float64(i+1))
	}
	other := errors5xx
	other.Dimensions = map[string]string{"LoadBalancer": "app/shop/1"}
	metrics.Put(other, start, 1e6)
	for statistic, want := range map[string]float64{"SampleCount": 100, "Sum": 5050, "Average": 50.5, "Minimum": 1, "Maximum": 100, "p99": 99,
		"p50": 50, "p99.9": 100} {
		name, none := "statistic", "extendedStatistic"
		if statistic[0] == 'p' {
			name, none = none, name
		}
		r := read(t, name, statistic, none, nil, "evaluationPeriods", 1.0)
		if got := r.point(&metrics, start); got.missing || got.value != want {
			t.Errorf("%s: %+v, want %v", statistic, got, want)
		}
	}
}

func TestComparisons(t *testing.T) {
	for comparison, want := range map[string][3]string{ // below, at, above the threshold
		"GreaterThanOrEqualToThreshold": {OK, Firing, Firing}, "GreaterThanThreshold": {OK, OK, Firing},
		"LessThanThreshold": {Firing, OK, OK}, "LessThanOrEqualToThreshold": {Firing, Firing, OK},
	} {
		r := read(t, "comparisonOperator", comparison, "evaluationPeriods", 1.0)
		for i, value := range []float64{4, 5, 6} {
			var metrics Metrics
			metrics.Put(errors5xx, start, value)
			if got := r.Evaluate(&metrics, State{}, start.Add(time.Minute)); got.State != want[i] {
				t.Errorf("%v %s 5: %s", value, comparison, got.State)
			}
		}
	}
}

func TestTheAlarmsThatAreNotEvaluated(t *testing.T) {
	for want, changes := range map[string][]any{
		"metric math expression": {"metricName", nil, "metricQueries", []any{map[string]any{"id": "e"}}},
		"anomaly band":           {"comparisonOperator", "GreaterThanUpperThreshold"},
		"its statistic is tm90":  {"statistic", nil, "extendedStatistic", "tm90"},
		"few values":             {"evaluateLowSampleCountPercentiles", "ignore"},
		"no period":              {"period", nil},
	} {
		if _, err := Read(properties(changes...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestFaster(t *testing.T) {
	r := read(t).Faster(12)
	if r.Period != 5*time.Second || r.Periods != 5 || r.Threshold != 5 {
		t.Errorf("%+v", r)
	}
	if r := read(t).Faster(1000); r.Period != time.Second {
		t.Errorf("%s", r.Period)
	}
	if r := read(t).Faster(0); r.Period != time.Minute {
		t.Errorf("%s", r.Period)
	}
}

func TestMetricsForgetWhatIsOld(t *testing.T) {
	m := Metrics{Keep: time.Minute}
	for s := range 600 {
		m.Put(errors5xx, start.Add(time.Duration(s)*time.Second), 1)
	}
	if n := len(m.values[errors5xx.key()]); n != 60 {
		t.Errorf("%d seconds are kept", n)
	}
	if got := m.between(errors5xx, start, start.Add(time.Hour)); len(got) != 60 {
		t.Errorf("%d values", len(got))
	}
}
