package containers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"slipway/rehearsal/alarm"
	"slipway/rehearsal/cloud"
)

const namespace = "AWS/ApplicationELB"

// measured are the metrics of the load balancer that a run has, and by which dimensions (Application Load Balancer guide, "CloudWatch
// metrics for your Application Load Balancer").
var measured = map[string][]string{
	"RequestCount":              {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"HTTPCode_Target_2XX_Count": {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"HTTPCode_Target_3XX_Count": {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"HTTPCode_Target_4XX_Count": {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"HTTPCode_Target_5XX_Count": {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"TargetResponseTime":        {"LoadBalancer", "LoadBalancer,TargetGroup"},
	"HTTPCode_ELB_5XX_Count":    {"LoadBalancer"},
	"HTTPCode_ELB_502_Count":    {"LoadBalancer"},
	"HTTPCode_ELB_503_Count":    {"LoadBalancer"},
	"HTTPCode_ELB_504_Count":    {"LoadBalancer"},
	"HealthyHostCount":          {"LoadBalancer,TargetGroup"},
	"UnHealthyHostCount":        {"LoadBalancer,TargetGroup"},
}

// isMeasured reports whether a run has values of a metric, when there are any.
func isMeasured(m alarm.Metric) bool {
	var names []string
	for name := range m.Dimensions {
		names = append(names, name)
	}
	slices.Sort(names)
	return m.Namespace == namespace && slices.Contains(measured[m.Name], strings.Join(names, ","))
}

// A meter measures what passes a load balancer.
type meter struct {
	run     *Run
	metrics alarm.Metrics
	now     func() time.Time
}

// put adds values to metrics, to each by all of its dimensions. group is the ID of a target group; "": none is concerned.
func (m *meter) put(group string, values map[string]float64) {
	at := m.now()
	balancer, targets := m.run.suffixes(group)
	for name, value := range values {
		for _, dimensions := range measured[name] {
			all := map[string]string{"LoadBalancer": balancer}
			if dimensions != "LoadBalancer" {
				if targets == "" {
					continue
				}
				all["TargetGroup"] = targets
			}
			m.metrics.Put(alarm.Metric{Namespace: namespace, Name: name, Dimensions: all}, at, value)
		}
	}
}

// suffixes are the values of dimensions for the load balancer, and for a target group.
func (r *Run) suffixes(group string) (balancer, targets string) {
	for _, o := range r.objects() {
		suffix := cloud.Inputs(o.Outputs).String("arnSuffix")
		switch {
		case o.Type == "aws:lb/loadBalancer:LoadBalancer" && balancer == "":
			balancer = suffix
		case o.Type == "aws:lb/targetGroup:TargetGroup" && o.ID == group:
			targets = suffix
		}
	}
	return balancer, targets
}

// A journey is a request on its way through the load balancer.
type journey struct {
	group string    // that of the target which has it; "": it has reached none
	sent  time.Time // to that target
}

type journeyKey struct{}

// measure counts the requests that a load balancer takes. proxy passes them on with their context.
func (m *meter) measure(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		j := &journey{}
		proxy.ServeHTTP(w, q.WithContext(context.WithValue(q.Context(), journeyKey{}, j)))
	})
}

// reached says which target has a request.
func reached(ctx context.Context, group string) {
	if j, ok := ctx.Value(journeyKey{}).(*journey); ok {
		j.group, j.sent = group, time.Now()
	}
}

// answered counts what a target answered.
func (m *meter) answered(ctx context.Context, status int) {
	j, ok := ctx.Value(journeyKey{}).(*journey)
	if !ok || j.group == "" {
		return
	}
	values := map[string]float64{"RequestCount": 1, "TargetResponseTime": time.Since(j.sent).Seconds()}
	if class := status / 100; class >= 2 && class <= 5 {
		values[fmt.Sprintf("HTTPCode_Target_%dXX_Count", class)] = 1
	}
	m.put(j.group, values)
}

// failed counts what the load balancer itself answered. A request for which it found no target is not in RequestCount.
func (m *meter) failed(ctx context.Context, status int) {
	values := map[string]float64{"HTTPCode_ELB_5XX_Count": 1, fmt.Sprintf("HTTPCode_ELB_%d_Count", status): 1}
	group := ""
	if j, ok := ctx.Value(journeyKey{}).(*journey); ok && j.group != "" {
		group, values["RequestCount"] = j.group, 1
	}
	m.put(group, values)
}
