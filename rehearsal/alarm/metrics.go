package alarm

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Metric is a metric of CloudWatch with its dimensions.
type Metric struct {
	Namespace, Name string
	Dimensions      map[string]string
}

// key tells metrics apart. Two sets of dimensions are two metrics: CloudWatch does not add them up.
func (m Metric) key() string {
	var key strings.Builder
	fmt.Fprintf(&key, "%q %q", m.Namespace, m.Name)
	for _, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
		fmt.Fprintf(&key, " %q=%q", name, m.Dimensions[name])
	}
	return key.String()
}

// String names the metric without its dimensions.
func (m Metric) String() string { return m.Namespace + " " + m.Name }

// A moment is the values of one second.
type moment struct {
	second int64
	values []float64
}

// Metrics are the values of metrics since Keep ago. The zero value has none. It can be used from several goroutines.
type Metrics struct {
	Keep time.Duration // default a day, the longest that an alarm looks back with periods below an hour

	mu     sync.Mutex
	values map[string][]moment // in the order of time
}

// Put adds a value to a metric. A value that is older than the newest one counts as new.
func (m *Metrics) Put(metric Metric, at time.Time, value float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = map[string][]moment{}
	}
	key, second := metric.key(), at.Unix()
	all := m.values[key]
	if n := len(all); n > 0 && all[n-1].second >= second {
		all[n-1].values = append(all[n-1].values, value)
		return
	}
	keep := m.Keep
	if keep == 0 {
		keep = 24 * time.Hour
	}
	first := slices.IndexFunc(all, func(s moment) bool { return s.second > second-int64(keep/time.Second) })
	if first < 0 {
		first = len(all)
	}
	m.values[key] = append(slices.Delete(all, 0, first), moment{second, []float64{value}})
}

// between are the values of a metric in a range of time.
func (m *Metrics) between(metric Metric, from, to time.Time) []float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []float64
	for _, s := range slices.Backward(m.values[metric.key()]) {
		if s.second < from.Unix() {
			break
		}
		if s.second < to.Unix() {
			found = append(found, s.values...)
		}
	}
	return found
}

// newest is when the newest value since from was measured that is of a sort.
func (m *Metrics) newest(metric Metric, from time.Time, sort func(float64) bool) (at time.Time, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Backward(m.values[metric.key()]) {
		if s.second < from.Unix() {
			break
		}
		if slices.ContainsFunc(s.values, sort) {
			return time.Unix(s.second, 0), true
		}
	}
	return time.Time{}, false
}

// statistics are those that an alarm can have, but for percentiles.
var statistics = map[string]func([]float64) float64{
	"SampleCount": func(v []float64) float64 { return float64(len(v)) },
	"Sum":         sum,
	"Average":     func(v []float64) float64 { return sum(v) / float64(len(v)) },
	"Minimum":     slices.Min[[]float64],
	"Maximum":     slices.Max[[]float64],
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// percentile is the value that this percentage of the values does not exceed.
func percentile(p float64) func([]float64) float64 {
	return func(values []float64) float64 {
		sorted := slices.Sorted(slices.Values(values))
		return sorted[max(int(math.Ceil(p/100*float64(len(sorted))))-1, 0)]
	}
}
