package ecs

import (
	"strings"
	"testing"
	"time"

	"slipway/internal/awstest"
)

// After a rollback a service is as stable as after a success; only its task definition tells them apart.
func TestARolledBackServiceIsNotWhatWasDeployed(t *testing.T) {
	const new, old = "arn:aws:ecs:us-east-1:123456789012:task-definition/slipway-test-web:7",
		"arn:aws:ecs:us-east-1:123456789012:task-definition/slipway-test-web:6"
	service := func(runs, rollout string) answer {
		return answer{"services": []any{map[string]any{
			"serviceName": "slipway-test-web", "status": "ACTIVE", "taskDefinition": runs,
			"events": []any{map[string]any{"message": "(service slipway-test-web) rolling back to deployment ecs-svc/1."}},
			"deployments": []any{
				map[string]any{"status": "PRIMARY", "taskDefinition": runs, "rolloutState": rollout},
				map[string]any{"status": "ACTIVE", "taskDefinition": old, "rolloutState": "COMPLETED"},
			},
		}}}
	}
	for _, c := range []struct {
		name   string
		answer answer
		want   []string
	}{
		{"it runs", service(new, "COMPLETED"), nil},
		{"it was rolled back", service(old, "COMPLETED"), []string{"service slipway-test-web was rolled back",
			"it runs slipway-test-web:6, and not slipway-test-web:7", "ECS: (service slipway-test-web) rolling back",
			"aws ecs list-tasks --cluster slipway-test-site --service-name slipway-test-web --desired-status STOPPED"}},
		{"the first deployment failed", service(new, "FAILED"), []string{"does not run slipway-test-web:7", "no earlier revision"}},
		{"it was deleted", answer{"services": []any{}, "failures": []any{map[string]any{"reason": "MISSING", "arn": "x"}}},
			[]string{"does not exist", "MISSING"}},
		{"it cannot be read", answer{"__type": "AccessDeniedException", "message": "not authorized"},
			[]string{"cannot find out what it runs", "not authorized"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			awstest.Pretend(t, map[string][]answer{"DescribeServices": {c.answer}})
			err := quick().Judge(t.Context(), Settled{Cluster: run.Cluster, Service: "slipway-test-web", TaskDefinition: new})
			if (err == nil) != (c.want == nil) {
				t.Fatalf("error is %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %v", want, err)
				}
			}
		})
	}
}

// The provider calls a service stable while ECS still watches its alarms: plain pulumi up must wait, or it misses the rollback.
func TestAReleaseThatAnAlarmRollsBackIsNotGood(t *testing.T) {
	was := alarmPoll
	alarmPoll = time.Millisecond
	t.Cleanup(func() { alarmPoll = was })
	service := func(runs, rollout, event string) answer {
		return answer{"services": []any{map[string]any{
			"serviceName": "web", "status": "ACTIVE", "taskDefinition": runs, "events": []any{map[string]any{"message": event}},
			"deployments":             []any{map[string]any{"status": "PRIMARY", "taskDefinition": runs, "rolloutState": rollout}},
			"deploymentConfiguration": map[string]any{"alarms": map[string]any{"enable": true, "rollback": true, "alarmNames": []string{"5xx"}}},
		}}}
	}
	calls := awstest.Pretend(t, map[string][]answer{"DescribeServices": {
		service("web:7", "IN_PROGRESS", ""), service("web:7", "IN_PROGRESS", ""),
		service("web:6", "COMPLETED", "(service web) (deployment ecs-svc/1) deployment failed: alarm detected."),
	}})
	err := quick().Judge(t.Context(), Settled{Cluster: run.Cluster, Service: "web", TaskDefinition: "web:7"})
	if err == nil || !strings.Contains(err.Error(), "was rolled back") || !strings.Contains(err.Error(), "alarm detected") {
		t.Errorf("an alarm rolled the release back: %v", err)
	}
	if n := len(calls()); n != 3 {
		t.Errorf("%d calls, want 3: it must wait until ECS has done watching", n)
	}
}
