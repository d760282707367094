package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/awstest"
)

type answer = awstest.Answer

const taskARN = "arn:aws:ecs:us-east-1:123456789012:task/slipway-test-site/0123456789abcdef"

func started() []answer { return []answer{{"tasks": []any{map[string]any{"taskArn": taskARN}}}} }

func state(status string, exit any) answer {
	container := map[string]any{"name": "django"}
	if exit != nil {
		container["exitCode"] = exit
	}
	// A second container: its exit code says nothing.
	return answer{"tasks": []any{map[string]any{"taskArn": taskARN, "lastStatus": status,
		"stoppedReason": "Essential container in task exited",
		"containers":    []any{map[string]any{"name": "log-router", "exitCode": 3}, container}}}}
}

func lines(all ...string) []answer {
	events := []any{}
	for _, l := range all {
		events = append(events, map[string]any{"message": l + "\n", "timestamp": 1})
	}
	return []answer{{"events": events}}
}

var run = TaskRun{
	Cluster: "arn:aws:ecs:us-east-1:123456789012:cluster/slipway-test-site", TaskDefinition: "arn:td:7",
	Subnets: []string{"subnet-a"}, SecurityGroups: []string{"sg-work"},
	Container: "django", LogGroup: "/slipway/test/migration", LogPrefix: "migration", StartedBy: "slipway-test-migration",
}

func quick() AWSRunner {
	return AWSRunner{Region: "us-east-1", Poll: time.Millisecond, Settle: 5 * time.Second}
}

func TestAWSRunner(t *testing.T) {
	refusal := func(reason string) answer {
		a := state("STOPPED", nil)
		task := a["tasks"].([]any)[0].(map[string]any)
		task["stoppedReason"], task["stopCode"] = reason, "TaskFailedToStart"
		return a
	}
	const (
		noSecrets = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
			"unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: " +
			"User: arn:aws:sts::123456789012:assumed-role/x/y is not authorized to perform: ssm:GetParameters"
		noRegistry = "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry auth: " +
			"AccessDeniedException: " +
			"User: x is not authorized to perform: ecr:GetAuthorizationToken"
		noRole  = "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided for this task."
		noRoute = "ResourceInitializationError: unable to pull secrets or registry auth: context deadline exceeded"
	)
	noLog := []answer{{"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}}
	assume := answer{"__type": "ClientException", "message": "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x'"}
	for _, c := range []struct {
		name    string
		answers map[string][]answer
		want    TaskResult
		err     string
		calls   []string // operations in order
		warned  []string // parts of the warnings
	}{
		{
			name: "the roles' policies are a moment old",
			answers: map[string][]answer{"RunTask": started(),
				"DescribeTasks": {refusal(noSecrets), refusal(noRegistry), refusal(noRole), state("STOPPED", 0)},
				"GetLogEvents":  lines("one")},
			want: TaskResult{TaskARN: taskARN, ExitCode: 0, StoppedReason: "Essential container in task exited", Logs: []string{"one"}},
			calls: []string{"RunTask", "DescribeTasks", "RunTask", "DescribeTasks", "RunTask", "DescribeTasks", "RunTask",
				"DescribeTasks", "GetLogEvents"},
			warned: []string{"attempt 1 of 4: " + noSecrets, "attempt 2 of 4: " + noRegistry, "attempt 3 of 4: " + noRole},
		},
		{
			name:    "a secret is denied for good",
			answers: map[string][]answer{"RunTask": started(), "DescribeTasks": {refusal(noSecrets)}, "GetLogEvents": noLog},
			want:    TaskResult{TaskARN: taskARN, ExitCode: NotStarted, StoppedReason: noSecrets},
			calls: []string{"RunTask", "DescribeTasks", "RunTask", "DescribeTasks", "RunTask", "DescribeTasks", "RunTask",
				"DescribeTasks", "GetLogEvents"},
			warned: []string{"attempt 1 of 4", "attempt 2 of 4", "attempt 3 of 4"},
		},
		{
			name:    "no way to the secrets: time does not help",
			answers: map[string][]answer{"RunTask": started(), "DescribeTasks": {refusal(noRoute)}, "GetLogEvents": noLog},
			want:    TaskResult{TaskARN: taskARN, ExitCode: NotStarted, StoppedReason: noRoute},
			calls:   []string{"RunTask", "DescribeTasks", "GetLogEvents"},
		},
		{
			name:    "the command itself is denied something: it ran, and does not run twice",
			answers: map[string][]answer{"RunTask": started(), "DescribeTasks": {state("STOPPED", 1)}, "GetLogEvents": lines(noSecrets)},
			want: TaskResult{TaskARN: taskARN, ExitCode: 1, StoppedReason: "Essential container in task exited",
				Logs: []string{noSecrets}},
			calls: []string{"RunTask", "DescribeTasks", "GetLogEvents"},
		},
		{
			name: "success",
			answers: map[string][]answer{"RunTask": started(),
				"DescribeTasks": {state("PENDING", nil), state("RUNNING", nil), state("STOPPED", 0)},
				"GetLogEvents":  lines("one", "two")},
			want: TaskResult{TaskARN: taskARN, ExitCode: 0, StoppedReason: "Essential container in task exited",
				Logs: []string{"one", "two"}},
			calls: []string{"RunTask", "DescribeTasks", "DescribeTasks", "DescribeTasks", "GetLogEvents"},
		},
		{
			name:    "exit code 1",
			answers: map[string][]answer{"RunTask": started(), "DescribeTasks": {state("STOPPED", 1)}, "GetLogEvents": lines("boom")},
			want:    TaskResult{TaskARN: taskARN, ExitCode: 1, StoppedReason: "Essential container in task exited", Logs: []string{"boom"}},
			calls:   []string{"RunTask", "DescribeTasks", "GetLogEvents"},
		},
		{
			name: "never started, no log stream",
			answers: map[string][]answer{"RunTask": started(), "DescribeTasks": {state("STOPPED", nil)},
				"GetLogEvents": {{"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}}},
			want:  TaskResult{TaskARN: taskARN, ExitCode: NotStarted, StoppedReason: "Essential container in task exited"},
			calls: []string{"RunTask", "DescribeTasks", "GetLogEvents"},
		},
		{
			name: "the role is a moment old",
			answers: map[string][]answer{"RunTask": append([]answer{assume, assume}, started()...), "DescribeTasks": {state("STOPPED", 0)},
				"GetLogEvents": lines("one")},
			want:   TaskResult{TaskARN: taskARN, ExitCode: 0, StoppedReason: "Essential container in task exited", Logs: []string{"one"}},
			calls:  []string{"RunTask", "RunTask", "RunTask", "DescribeTasks", "GetLogEvents"},
			warned: []string{"unable to assume the role", "unable to assume the role"},
		},
		{
			name: "the connection breaks for a moment, the log comes late",
			answers: map[string][]answer{"RunTask": started(),
				"DescribeTasks": {state("RUNNING", nil), {"__type": "ClientException", "message": "try again"}, state("STOPPED", 1)},
				"GetLogEvents":  append(lines(), lines("boom")...)},
			want:  TaskResult{TaskARN: taskARN, ExitCode: 1, StoppedReason: "Essential container in task exited", Logs: []string{"boom"}},
			calls: []string{"RunTask", "DescribeTasks", "DescribeTasks", "DescribeTasks", "GetLogEvents", "GetLogEvents"},
		},
		{
			name: "no capacity",
			answers: map[string][]answer{"RunTask": {{"tasks": []any{},
				"failures": []any{map[string]any{"reason": "RESOURCE:FARGATE", "detail": "Capacity is unavailable at this time"}}}}},
			err:   "ECS did not start the task: RESOURCE:FARGATE Capacity is unavailable at this time",
			calls: []string{"RunTask"},
		},
		{
			name: "not allowed",
			answers: map[string][]answer{"RunTask": {{"__type": "AccessDeniedException",
				"message": "not authorized to perform: ecs:RunTask"}}},
			err:   "not authorized to perform: ecs:RunTask",
			calls: []string{"RunTask"},
		},
		{
			name: "unknown for a moment after its start",
			answers: map[string][]answer{"RunTask": started(),
				"DescribeTasks": {{"tasks": []any{}, "failures": []any{map[string]any{"reason": "MISSING"}}}, state("STOPPED", 0)},
				"GetLogEvents":  lines("one")},
			want:  TaskResult{TaskARN: taskARN, ExitCode: 0, StoppedReason: "Essential container in task exited", Logs: []string{"one"}},
			calls: []string{"RunTask", "DescribeTasks", "DescribeTasks", "GetLogEvents"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := awstest.Pretend(t, c.answers)
			var warned []string
			runner := quick()
			runner.Warn = func(text string) { warned = append(warned, text) }
			got, err := runner.RunTask(context.Background(), run)
			if len(warned) != len(c.warned) {
				t.Errorf("%d warnings, want %d: %q", len(warned), len(c.warned), warned)
			}
			for i, want := range c.warned[:min(len(c.warned), len(warned))] {
				if !strings.Contains(warned[i], want) {
					t.Errorf("warning %d is %q, want %q", i, warned[i], want)
				}
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error is %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			var operations []string
			for _, call := range calls() {
				operation, _, _ := strings.Cut(call, " ")
				operations = append(operations, operation)
			}
			if diff := cmp.Diff(c.calls, operations); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// A permission that is missing for longer than IAM takes ends the attempts before their limit does.
func TestAWSRunnerGivesUpWhenIAMHasSettled(t *testing.T) {
	assume := answer{"__type": "ClientException", "message": "ECS was unable to assume the role"}
	calls := awstest.Pretend(t, map[string][]answer{"RunTask": {assume}})
	runner := quick()
	runner.Settle = 20 * time.Millisecond
	if _, err := runner.RunTask(context.Background(), run); err == nil || !strings.Contains(err.Error(), "unable to assume") ||
		len(calls()) < 2 {
		t.Errorf("error is %v after %d calls", err, len(calls()))
	}
}

func TestAWSRunnerAsksForAPrivateTask(t *testing.T) {
	calls := awstest.Pretend(t, map[string][]answer{"RunTask": started(), "DescribeTasks": {state("STOPPED", 0)}, "GetLogEvents": lines()})
	if _, err := quick().RunTask(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"assignPublicIp":"DISABLED"`, `"launchType":"FARGATE"`, `"securityGroups":["sg-work"]`, `"taskDefinition":"arn:td:7"`,
		`"clientToken":`, `"startedBy":"slipway-test-migration"`,
	} {
		if !strings.Contains(calls()[0], want) {
			t.Errorf("RunTask was called without %s: %s", want, calls()[0])
		}
	}
	if want := fmt.Sprintf(`"logStreamName":"migration/django/%s"`, "0123456789abcdef"); !strings.Contains(calls()[2], want) {
		t.Errorf("the log was requested differently from %s: %s", want, calls()[2])
	}
}

func TestAWSRunnerStopsATaskItNoLongerWaitsFor(t *testing.T) {
	calls := awstest.Pretend(t, map[string][]answer{"RunTask": started(), "DescribeTasks": {state("RUNNING", nil)}, "StopTask": {{}},
		"GetLogEvents": lines("waiting for the lock")})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	got, err := quick().RunTask(ctx, run)
	if err == nil || !cmp.Equal(got.Logs, []string{"waiting for the lock"}) {
		t.Errorf("error is %v, result %+v", err, got)
	}
	if !slices.ContainsFunc(calls(), func(c string) bool { return strings.HasPrefix(c, "StopTask ") && strings.Contains(c, taskARN) }) {
		t.Errorf("the task was not stopped; calls: %q", calls())
	}
}

// What a run changes of its container goes into RunTask's overrides; a run without changes sends none.
func TestARunMayChangeItsContainer(t *testing.T) {
	for name, test := range map[string]struct {
		command []string
		env     map[string]string
		want    string
	}{
		"nothing": {nil, nil, ""},
		"both": {[]string{"doctor", "--json"}, map[string]string{"B": "2", "A": "1"},
			`"overrides":{"containerOverrides":[{"command":["doctor","--json"],"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],` +
				`"name":"django"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			calls := awstest.Pretend(t, map[string][]answer{"RunTask": started(), "DescribeTasks": {state("STOPPED", 0)},
				"GetLogEvents": lines("{}")})
			changed := run
			changed.Command, changed.Environment = test.command, test.env
			if _, err := quick().RunTask(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			asked := calls()[0]
			if test.want == "" && strings.Contains(asked, "overrides") || !strings.Contains(asked, test.want) {
				t.Errorf("it asked %s", asked)
			}
		})
	}
}
