package containers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway/rehearsal/cloud"
)

// watched runs deploy, and returns how many containers of a service ran at the same time at most.
func (r *Run) watched(t *testing.T, service string, deploy func()) (most int) {
	t.Helper()
	since := time.Now()
	boxes, err := r.engine.boxes(t.Context(), labelService+"="+service)
	if err != nil {
		t.Fatal(err)
	}
	running := map[string]bool{}
	for _, b := range boxes {
		running[b.ID] = true
	}
	most = len(running)
	deploy()
	stamp := func(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
	out, err := r.engine.do(t.Context(), nil, "events", "--since", stamp(since), "--until", stamp(time.Now()), "--format", "{{json .}}",
		"--filter", "label="+r.engine.label, "--filter", "label="+labelService+"="+service, "--filter", "event=start", "--filter", "event=die")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out, "\n") {
		var event struct {
			Action string
			Actor  struct{ ID string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if event.Action == "start" {
			running[event.Actor.ID] = true
		} else {
			delete(running, event.Actor.ID)
		}
		most = max(most, len(running))
	}
	return most
}

// Celery's beat must not run twice: both would send every task. A deployment therefore stops the old task first, and one that fails
// starts the old definition again.
func TestASingleServiceIsNeverThereTwice(t *testing.T) {
	const works, fails = "trap 'exit 0' TERM; while :; do sleep 0.1; done", "exit 3"
	for _, c := range []struct {
		percent int
		want    int
	}{{200, 2}, {100, 1}} {
		t.Run(fmt.Sprint(c.percent), func(t *testing.T) {
			r := dockered(t, "[]")
			definitions := []*cloud.Object{}
			for n, command := range []string{works, works, fails} {
				definitions = append(definitions, &cloud.Object{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{
					"arn": fmt.Sprintf("task:%d", n), "family": "task", "containerDefinitions": fmt.Sprintf(
						`[{"name":"django","image":"slipway-debian:sid","stopTimeout":2,"command":["sh","-c",%q]}]`, command)}})
			}
			r.frozen.Store(&definitions)
			deploy := func(n int) error {
				return r.roll(t.Context(), &cloud.Object{Outputs: map[string]any{"name": "beat", "desiredCount": 1.0,
					"taskDefinition": fmt.Sprintf("task:%d", n), "deploymentMaximumPercent": float64(c.percent)}}, nil)
			}
			runs := func(n int) {
				t.Helper()
				tasks, err := r.tasks(t.Context(), "beat")
				if err != nil || len(tasks) != 1 {
					t.Fatalf("%d tasks, %v", len(tasks), err)
				}
				for _, boxes := range tasks {
					if is := boxes[0].Config.Labels[labelDefinition]; is != fmt.Sprintf("task:%d", n) || !boxes[0].State.Running {
						t.Errorf("%s runs: %v, want task:%d", is, boxes[0].State.Running, n)
					}
				}
			}
			if err := deploy(0); err != nil {
				t.Fatal(err)
			}
			if most := r.watched(t, "beat", func() {
				if err := deploy(1); err != nil {
					t.Error(err)
				}
			}); most != c.want {
				t.Errorf("%d tasks at once in a deployment, want %d", most, c.want)
			}
			runs(1)
			if c.percent > 100 {
				return
			}
			if most := r.watched(t, "beat", func() {
				if failed, is := errors.AsType[*cloud.Failure](deploy(2)); !is || failed.ExitCode != 3 {
					t.Errorf("the deployment that fails: %+v", failed)
				}
			}); most != c.want {
				t.Errorf("%d tasks at once in a deployment that fails, want %d", most, c.want)
			}
			runs(1)
		})
	}
}
