// Package alarm evaluates CloudWatch alarms: from the values of metrics and the definition of an alarm it decides whether the alarm
// fires, and why.
//
// It implements what an alarm on one metric has: statistics and percentiles, datapoints to alarm, comparisons, and missing data as in
// CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data", whose tables its tests repeat. An alarm that uses
// something else, such as metric math or an anomaly band, is not evaluated, and its state says so.
package alarm

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A Rule is the definition of an alarm.
type Rule struct {
	Metric     Metric
	Period     time.Duration
	Periods    int // to evaluate: N
	Datapoints int // of them, that must breach: M
	Threshold  float64
	Comparison string
	Missing    string // missing, notBreaching, breaching, ignore

	counts    bool // the statistic adds values up
	statistic func([]float64) float64
}

// comparisons are CloudWatch's, and how its reasons put them.
var comparisons = map[string]struct {
	words    string
	breaches func(value, threshold float64) bool
}{
	"GreaterThanOrEqualToThreshold": {"greater than or equal to", func(v, t float64) bool { return v >= t }},
	"GreaterThanThreshold":          {"greater than", func(v, t float64) bool { return v > t }},
	"LessThanThreshold":             {"less than", func(v, t float64) bool { return v < t }},
	"LessThanOrEqualToThreshold":    {"less than or equal to", func(v, t float64) bool { return v <= t }},
}

var percentiles = regexp.MustCompile(`^p(\d{1,2}(?:\.\d+)?|100)$`)

// Read is the rule of an alarm that has these properties, by the names of the provider: namespace, metricName, dimensions, statistic. The
// error says why it cannot be evaluated.
func Read(properties map[string]any) (Rule, error) {
	text := func(name string) string { s, _ := properties[name].(string); return s }
	number := func(name string) float64 { n, _ := properties[name].(float64); return n }
	if text("metricName") == "" {
		return Rule{}, errors.New("it is on a metric math expression")
	}
	comparison := text("comparisonOperator")
	if _, known := comparisons[comparison]; !known || text("thresholdMetricId") != "" {
		return Rule{}, errors.New("it compares with an anomaly band")
	}
	if text("evaluateLowSampleCountPercentiles") == "ignore" {
		return Rule{}, errors.New("it ignores percentiles of few values")
	}
	r := Rule{
		Metric: Metric{text("namespace"), text("metricName"), map[string]string{}}, Period: time.Duration(number("period")) * time.Second,
		Periods: int(number("evaluationPeriods")), Threshold: number("threshold"), Comparison: comparison,
		Missing: cmp.Or(text("treatMissingData"), "missing"),
	}
	r.Datapoints = cmp.Or(int(number("datapointsToAlarm")), r.Periods)
	if r.Period <= 0 || r.Periods <= 0 {
		return Rule{}, errors.New("it has no period")
	}
	dimensions, _ := properties["dimensions"].(map[string]any)
	for name, value := range dimensions {
		r.Metric.Dimensions[name], _ = value.(string)
	}
	statistic := cmp.Or(text("statistic"), text("extendedStatistic"))
	r.counts = statistic == "Sum" || statistic == "SampleCount"
	r.statistic = statistics[statistic]
	if found := percentiles.FindStringSubmatch(statistic); found != nil {
		p, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			return Rule{}, err
		}
		r.statistic = percentile(p)
	}
	if r.statistic == nil {
		return Rule{}, fmt.Errorf("its statistic is %s", statistic)
	}
	return r, nil
}

// Faster is the rule with a period that is this many times shorter, but not below a second.
func (r Rule) Faster(factor int) Rule {
	r.Period = max(r.Period/time.Duration(max(factor, 1)), time.Second)
	return r
}

// Range is how far an alarm looks back: the time after which it has forgotten a value.
func (r Rule) Range() time.Duration { return r.Period * time.Duration(r.Periods+beyond) }

func (r Rule) breaches(value float64) bool {
	return comparisons[r.Comparison].breaches(value, r.Threshold)
}
