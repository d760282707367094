package awsaccount

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"slipway/operation/account"
)

// Alarms implements account.Observer.
func (o observer) Alarms(ctx context.Context, names []string) ([]account.Alarm, error) {
	var all []account.Alarm
	const most = 100 // names in a call
	for part := range slices.Chunk(names, most) {
		in := url.Values{"MaxRecords": {strconv.Itoa(most)}}
		for i, name := range part {
			in.Set(fmt.Sprintf("AlarmNames.member.%d", i+1), name)
		}
		var out struct {
			Alarms []struct {
				AlarmName, AlarmDescription, StateValue, StateReason string
				StateTransitionedTimestamp, StateUpdatedTimestamp    instant
			} `xml:"DescribeAlarmsResult>MetricAlarms>member"`
		}
		if err := cloudwatchService.call(ctx, o.settings, "DescribeAlarms", in, &out); err != nil {
			return nil, err
		}
		for _, a := range out.Alarms {
			since := a.StateTransitionedTimestamp
			if since.IsZero() {
				since = a.StateUpdatedTimestamp
			}
			all = append(all, account.Alarm{Name: a.AlarmName, State: a.StateValue, Description: a.AlarmDescription, Reason: a.StateReason,
				Since: since.Time})
		}
	}
	return all, nil
}

// How far back Metrics looks, and the length of a period. RDS and ElastiCache report once a minute.
const (
	metricWindow = 15 * time.Minute
	metricPeriod = 60 * time.Second
)

// Metrics implements account.Observer.
func (o observer) Metrics(ctx context.Context, metrics []account.Metric) ([]*float64, error) {
	values := make([]*float64, len(metrics))
	if len(metrics) == 0 {
		return values, nil
	}
	now := time.Now().UTC()
	in := url.Values{"StartTime": {now.Add(-metricWindow).Format(time.RFC3339)}, "EndTime": {now.Add(metricPeriod).Format(time.RFC3339)},
		"ScanBy": {"TimestampDescending"}}
	for i, m := range metrics {
		query := fmt.Sprintf("MetricDataQueries.member.%d.", i+1)
		in.Set(query+"Id", fmt.Sprintf("m%d", i))
		stat := query + "MetricStat."
		in.Set(stat+"Stat", m.Statistic)
		in.Set(stat+"Period", strconv.Itoa(int(metricPeriod.Seconds())))
		in.Set(stat+"Metric.Namespace", m.Namespace)
		in.Set(stat+"Metric.MetricName", m.Name)
		for n, name := range slices.Sorted(maps.Keys(m.Dimensions)) {
			dimension := fmt.Sprintf("%sMetric.Dimensions.member.%d.", stat, n+1)
			in.Set(dimension+"Name", name)
			in.Set(dimension+"Value", m.Dimensions[name])
		}
	}
	var out struct {
		Results []struct {
			ID     string    `xml:"Id"`
			Values []float64 `xml:"Values>member"`
		} `xml:"GetMetricDataResult>MetricDataResults>member"`
	}
	if err := cloudwatchService.call(ctx, o.settings, "GetMetricData", in, &out); err != nil {
		return nil, err
	}
	for _, r := range out.Results {
		var i int
		if _, err := fmt.Sscanf(r.ID, "m%d", &i); err == nil && i < len(values) && len(r.Values) > 0 {
			values[i] = &r.Values[0]
		}
	}
	return values, nil
}
