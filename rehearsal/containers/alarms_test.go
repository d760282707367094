package containers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slipway/rehearsal/alarm"
	"slipway/rehearsal/cloud"
)

// alarming is an account with a load balancer, its target group and alarms on them, as the provider describes them.
func alarming() []*cloud.Object {
	of := func(name, metric, statistic string, threshold float64, dimensions map[string]any) *cloud.Object {
		return &cloud.Object{Type: typeAlarm, ID: name, Outputs: map[string]any{
			"name": name, "namespace": "AWS/ApplicationELB", "metricName": metric, "statistic": statistic, "period": 60.0, "evaluationPeriods": 3.0,
			"threshold": threshold, "comparisonOperator": "GreaterThanOrEqualToThreshold", "treatMissingData": "notBreaching",
			"dimensions": dimensions}}
	}
	balancer := map[string]any{"LoadBalancer": "app/web/1"}
	targets := map[string]any{"LoadBalancer": "app/web/1", "TargetGroup": "targetgroup/web/2"}
	cpu := of("cpu", "CPUUtilization", "Average", 90, map[string]any{"ServiceName": "web"})
	cpu.Outputs["namespace"] = "AWS/ECS"
	zone := of("zone", "RequestCount", "Sum", 1, map[string]any{"LoadBalancer": "app/web/1", "AvailabilityZone": "us-east-1a"})
	return []*cloud.Object{
		{Type: "aws:lb/loadBalancer:LoadBalancer", Outputs: map[string]any{"dnsName": "web-1.elb.amazonaws.com", "arnSuffix": "app/web/1"}},
		{Type: "aws:lb/targetGroup:TargetGroup", ID: "arn:group", Outputs: map[string]any{"arn": "arn:group", "arnSuffix": "targetgroup/web/2",
			"healthCheck": map[string]any{"interval": 10.0, "unhealthyThreshold": 2.0, "healthyThreshold": 3.0}}},
		{Type: "aws:ecs/service:Service", Outputs: map[string]any{"name": "web",
			"loadBalancers": []any{map[string]any{"targetGroupArn": "arn:group", "containerName": "nginx", "containerPort": 8080.0}}}},
		of("site", "HTTPCode_Target_5XX_Count", "Sum", 5, targets), of("balancer", "HTTPCode_ELB_5XX_Count", "Sum", 5, balancer),
		of("latency", "TargetResponseTime", "Maximum", 2, targets), of("requests", "RequestCount", "Sum", 7, targets),
		of("unhealthy", "UnHealthyHostCount", "Maximum", 1, targets), cpu, zone,
	}
}

// TestAlarmsFollowWhatTheBalancerServes sends requests through the balancer, minute by minute.
func TestAlarmsFollowWhatTheBalancerServes(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/drop") {
			panic(http.ErrAbortHandler)
		}
		if strings.HasPrefix(q.URL.Path, "/bad") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer site.Close()
	r := frozen(t, alarming()...)
	now := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	r.meter.now = func() time.Time { return now }
	front := httptest.NewServer(r.balancer())
	defer front.Close()
	states := map[string]alarm.State{}
	minute := func(paths ...string) {
		t.Helper()
		for _, path := range paths {
			answer, err := http.Get(front.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
		}
		now = now.Add(time.Minute)
		states = r.meter.evaluate(states)
	}
	fire := func(want ...string) {
		t.Helper()
		var firing []string
		for _, o := range alarming() {
			if states[o.ID].State == alarm.Firing {
				firing = append(firing, o.ID)
			}
		}
		if fmt.Sprint(firing) != fmt.Sprint(want) {
			t.Errorf("%s: %q fire, want %q; site: %s", now.Format(time.TimeOnly), firing, want, states["site"].Reason)
		}
	}
	for range 3 { // without a target the load balancer answers 503, and no target group has the requests
		minute("/", "/", "/", "/", "/", "/", "/")
	}
	fire("balancer")
	r.register("live", "arn:group", strings.TrimPrefix(site.URL, "http://"))
	for range 2 {
		minute("/bad", "/bad", "/bad", "/bad", "/bad", "/")
	}
	if !states["site"].Near.Equal(now) || !states["balancer"].Near.IsZero() {
		t.Errorf("near: %+v", states)
	}
	minute("/bad", "/bad", "/bad", "/bad", "/bad")
	fire("site") // the balancer's errors are over, and a 500 of the site is none of them
	if !strings.HasPrefix(states["site"].Reason, "Threshold Crossed: 3 out of the last 3 datapoints [5.0 (29/11/26 03:05:00), ") ||
		!states["site"].Since.Equal(now) {
		t.Errorf("%+v", states["site"])
	}
	for range 3 {
		minute("/drop", "/drop", "/drop", "/drop", "/drop", "/", "/")
	}
	fire("balancer", "requests") // a target that drops the connection has had the request, and answered nothing
	minute()
	minute()
	minute()
	fire()
	cpu := alarm.State{State: alarm.Insufficient, Reason: "not evaluated: containers have no metric AWS/ECS CPUUtilization"}
	if states["cpu"] != cpu {
		t.Errorf("%+v", states["cpu"])
	}
	if states["zone"].State != alarm.Insufficient {
		t.Errorf("an alarm of a zone: %+v", states["zone"])
	}
	if states["latency"].State != alarm.OK {
		t.Errorf("latency: %+v", states["latency"])
	}
}

// TestUnhealthyTargetsAreCounted lets a target fail its checks and recover. The group has an interval of 10 seconds, and thresholds of 2
// failures and 3 successes.
func TestUnhealthyTargetsAreCounted(t *testing.T) {
	r := frozen(t, alarming()...)
	r.options.Haste = 1
	r.register("a", "arn:group", "10.0.0.1:8080")
	r.register("b", "arn:group", "10.0.0.2:8080")
	sick := false
	asked := map[string]int{}
	mine := make(chan string, 100)
	rounds := &rounds{run: r, ask: func(p *probe, _ context.Context, address string) *unwell {
		mine <- address
		if sick && address == "10.0.0.2" {
			return &unwell{reason: "no"}
		}
		return nil
	}}
	now := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	// A round every five seconds: every second one asks.
	for i, want := range []struct {
		sick bool
		hosts
	}{
		{false, hosts{2, 0}}, {false, hosts{2, 0}}, {true, hosts{2, 0}}, {true, hosts{2, 0}}, {true, hosts{1, 1}}, {true, hosts{1, 1}},
		{false, hosts{1, 1}}, {false, hosts{1, 1}}, {true, hosts{1, 1}}, {false, hosts{1, 1}}, // a failure starts the successes again
		{false, hosts{1, 1}}, {false, hosts{1, 1}}, {false, hosts{1, 1}}, {false, hosts{1, 1}}, {false, hosts{2, 0}},
	} {
		sick = want.sick
		if got := rounds.round(t.Context(), now)["arn:group"]; got != want.hosts {
			t.Errorf("round %d: %+v, want %+v", i, got, want.hosts)
		}
		now = now.Add(5 * time.Second)
	}
	close(mine)
	for address := range mine {
		asked[address]++
	}
	if asked["10.0.0.1"] != 8 || asked["10.0.0.2"] != 8 {
		t.Errorf("asked: %v", asked)
	}
	r.register("a", "", "")
	r.register("b", "", "")
	if got, is := rounds.round(t.Context(), now)["arn:group"]; is {
		t.Errorf("without targets: %+v", got)
	}
}

// Another process reads the states, but not those that a process left which has ended.
func TestTheStatesAreThoseOfAProcessThatServes(t *testing.T) {
	r := frozen(t, alarming()...)
	r.options.Haste, r.options.Say = 5, func(string) {}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { r.meter.watch(ctx); close(ended) }()
	view := &View{frozen(t)}
	view.run.dir = r.dir
	for start := time.Now(); len(view.Alarms()) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("there are no states")
		}
	}
	stop()
	<-ended
	if got := view.Alarms()["site"].State; got != alarm.OK {
		t.Errorf("%q", got)
	}
	old, err := time.Parse(time.RFC3339, "2026-11-29T03:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	if err := view.run.keepAlarms(alarmStates{old, view.Alarms()}); err != nil {
		t.Fatal(err)
	}
	if got := view.Alarms(); got != nil {
		t.Errorf("states of a process that has ended: %v", got)
	}
}

func TestWhichDeploymentsAreWatched(t *testing.T) {
	service := func(definition, restarts string, enable bool) *cloud.Object {
		return &cloud.Object{State: map[string]string{"restarts": restarts}, Outputs: map[string]any{"taskDefinition": definition,
			"alarms": map[string]any{"enable": enable, "rollback": true, "alarmNames": []any{"site", "unhealthy"}}}}
	}
	r := frozen(t, alarming()...)
	r.kept.AlarmPace = 12
	for what, c := range map[string]struct {
		was, now *cloud.Object
		fires    string
		want     bool
	}{
		"a first deployment":       {nil, service("web:1", "", true), "", false},
		"a release":                {service("web:1", "", true), service("web:2", "", true), "", true},
		"a restart":                {service("web:1", "", true), service("web:1", "1", true), "", true},
		"another number of tasks":  {service("web:1", "", true), service("web:1", "", true), "", false},
		"alarms that are disabled": {service("web:1", "", true), service("web:2", "", false), "", false},
		"an alarm fires already":   {service("web:1", "", true), service("web:2", "", true), "unhealthy", false},
		"an alarm of another part": {service("web:1", "", true), service("web:2", "", true), "balancer", true},
	} {
		states := alarmStates{time.Now(), map[string]alarm.State{c.fires: {State: alarm.Firing}}}
		if err := r.keepAlarms(states); err != nil {
			t.Fatal(err)
		}
		v := r.vigil(c.was, c.now)
		if (v != nil) != c.want {
			t.Errorf("%s: watched is %v", what, v != nil)
		}
		if v != nil && v.bakes != 25*time.Second { // three periods and two beyond them, of five seconds each
			t.Errorf("%s: it bakes for %s", what, v.bakes)
		}
	}
}

func TestHowLongADeploymentIsWatched(t *testing.T) {
	for what, c := range map[string]struct {
		near, fires int           // after how many steps the alarm is no longer near, and fires; 0: never
		before      time.Duration // by how much the deployment began after the errors
		want        time.Duration
		fired       string
	}{
		"nothing is measured":             {0, 0, 0, 2 * time.Second, ""},
		"errors that end":                 {20, 0, 0, 10 * time.Second, ""},
		"errors that do not end":          {1000, 0, 0, time.Minute, ""},
		"errors that make it fire":        {1000, 40, 0, 20 * time.Second, "site"},
		"it fires at the very end":        {0, 4, 0, 2 * time.Second, "site"},
		"another alarm is not watched":    {1000, -40, 0, time.Minute, ""},
		"errors of the release before it": {1000, 0, time.Minute, 2 * time.Second, ""},
	} {
		step := 0
		seen := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
		v := &vigil{names: []string{"site"}, bakes: time.Minute, began: seen.Add(c.before - time.Second),
			pause: func(context.Context, time.Duration) error { step++; return nil },
			states: func() map[string]alarm.State {
				s := map[string]alarm.State{"site": {State: alarm.OK}, "cpu": {State: alarm.OK}}
				if step < c.near {
					s["site"] = alarm.State{State: alarm.OK, Near: seen}
				}
				if c.fires > 0 && step >= c.fires {
					s["site"] = alarm.State{State: alarm.Firing, Near: seen}
				}
				if c.fires < 0 && step >= -c.fires {
					s["cpu"] = alarm.State{State: alarm.Firing}
				}
				return s
			}}
		fired, err := v.bake(t.Context())
		if took := time.Duration(step) * 500 * time.Millisecond; err != nil || fired != c.fired || took != c.want {
			t.Errorf("%s: %q after %s, want %q after %s; %v", what, fired, took, c.fired, c.want, err)
		}
	}
	interrupted := errors.New("interrupted")
	v := &vigil{pause: func(context.Context, time.Duration) error { return interrupted }, states: func() map[string]alarm.State { return nil }}
	if _, err := v.bake(t.Context()); !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
}

// TestAnAlarmRollsADeploymentBack lets an alarm fire after the new task has replaced the old one, and while it starts.
func TestAnAlarmRollsADeploymentBack(t *testing.T) {
	const works = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
	for what, fires := range map[string]int{"while tasks start": 0, "after they replaced the old ones": 3} {
		t.Run(what, func(t *testing.T) {
			r := dockered(t, "[]")
			definitions := []*cloud.Object{}
			for n := range 2 {
				definitions = append(definitions, &cloud.Object{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{
					"arn": fmt.Sprintf("task:%d", n), "family": "task", "containerDefinitions": fmt.Sprintf(
						`[{"name":"django","image":"slipway-debian:sid","stopTimeout":2,"command":["sh","-c",%q]}]`, works)}})
			}
			r.frozen.Store(&definitions)
			service := func(n int) *cloud.Object {
				return &cloud.Object{Outputs: map[string]any{"name": "web", "desiredCount": 1.0, "taskDefinition": fmt.Sprintf("task:%d", n),
					"deploymentMaximumPercent": 200.0, "alarms": map[string]any{"rollback": true}}}
			}
			if err := r.roll(t.Context(), service(0), nil); err != nil {
				t.Fatal(err)
			}
			step := 0
			v := &vigil{names: []string{"site"}, pause: func(context.Context, time.Duration) error { step++; return nil },
				states: func() map[string]alarm.State {
					if step >= fires {
						return map[string]alarm.State{"site": {State: alarm.Firing}}
					}
					return nil
				}}
			var said []string
			r.options.Say = func(words string) { said = append(said, words) }
			err := r.roll(t.Context(), service(1), v)
			failed, is := errors.AsType[*cloud.Failure](err)
			if !is || failed.Alarm != "site" || !strings.Contains(strings.Join(said, "\n"), "web: deployment failed: alarm detected: rolled back") {
				t.Errorf("%v: %+v; it says %q", err, failed, said)
			}
			tasks, err := r.tasks(t.Context(), "web")
			if err != nil || len(tasks) != 1 {
				t.Fatalf("%d tasks, %v", len(tasks), err)
			}
			for _, boxes := range tasks {
				if is := boxes[0].Config.Labels[labelDefinition]; is != "task:0" || !boxes[0].State.Running {
					t.Errorf("%s runs: %v", is, boxes[0].State.Running)
				}
			}
		})
	}
}

func TestAnAlarmWithoutRollbackKeepsTheNewTasks(t *testing.T) {
	r := frozen(t) // it has no engine, so nothing can be stopped
	o := &rollout{Run: r, in: cloud.Inputs{"alarms": map[string]any{"enable": true, "rollback": false}}, made: []string{"new"},
		was: &standing{old: []string{"old"}, before: "task:0"}}
	if failed, is := errors.AsType[*cloud.Failure](o.alarmed(t.Context(), "site")); !is || failed.Alarm != "site" {
		t.Errorf("%+v", failed)
	}
}
