package cloud

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// stage creates everything that a task with one container needs, and the run that starts it.
func stage(t *testing.T, a *Account) TaskRun {
	t.Helper()
	vpc, subnet := network(t, a)
	group := create(t, a, groupType, "web", map[string]any{"vpcId": vpc.ID, "description": "web"})
	cluster := create(t, a, clusterType, "site", map[string]any{"name": "site"})
	create(t, a, repositoryType, "app", map[string]any{"name": "app"})
	if err := a.Push(a.imageRegistry()+"/app:v1", digest); err != nil {
		t.Fatal(err)
	}
	logs := create(t, a, logGroupType, "web", map[string]any{"name": "/site/web"})
	secret := create(t, a, parameterType, "key", map[string]any{"name": "/site/key", "type": "SecureString",
		"value": Secret{"hunter2-correct-horse"}})
	role := create(t, a, roleType, "run", map[string]any{"name": "run",
		"assumeRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}`})
	containers, err := json.Marshal([]any{map[string]any{
		"name": "django", "image": a.imageRegistry() + "/app@" + digest, "command": []string{"python", "manage.py", "check"}, "essential": true,
		"secrets": []any{map[string]any{"name": "SECRET_KEY", "valueFrom": secret.Outputs["arn"]}},
		"logConfiguration": map[string]any{"logDriver": "awslogs", "options": map[string]any{"awslogs-group": logs.Outputs["name"],
			"awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	task := create(t, a, taskType, "web", map[string]any{
		"family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": []any{"FARGATE"},
		"executionRoleArn": role.Outputs["arn"], "containerDefinitions": string(containers),
	})
	return TaskRun{Cluster: Inputs(cluster.Outputs).String("arn"), TaskDefinition: Inputs(task.Outputs).String("arn"),
		Subnets: []string{subnet.ID}, SecurityGroups: []string{group.ID}, Container: "django"}
}

func TestATaskRuns(t *testing.T) {
	a := account(t)
	run := stage(t, a)
	result, err := a.RunTask(t.Context(), run)
	if err != nil || result.ExitCode != 0 || !strings.HasPrefix(result.ARN, "arn:aws:ecs:us-east-1:123456789012:task/site/") ||
		len(result.Logs) != 1 || !strings.Contains(result.Logs[0], "python manage.py check") {
		t.Fatalf("%+v, %v", result, err)
	}
	run.Cluster, run.TaskDefinition, run.Container, run.Command = "site", "web", "", []string{"true"}
	a.Tasks = func(_ context.Context, run TaskRun) TaskResult {
		return TaskResult{ExitCode: 3, Logs: []string{run.Container + " failed: " + run.Command[0]}}
	}
	if result, err = a.RunTask(t.Context(), run); err != nil || result.ExitCode != 3 || result.Logs[0] != "django failed: true" ||
		result.ARN == "" {
		t.Errorf("%+v, %v", result, err)
	}
	if records := a.TaskRecords(); len(records) != 2 || records[1].Result.ExitCode != 3 {
		t.Errorf("recorded %+v", records)
	}
}

func TestATaskThatCannotRun(t *testing.T) {
	for _, c := range []struct {
		name    string
		spoil   func(a *Account, run *TaskRun)
		refused string // the error code, if ECS does not start it
		stopped string // the reason, if it does
	}{
		{"no such cluster", func(_ *Account, r *TaskRun) { r.Cluster = "other" }, "ClusterNotFoundException", ""},
		{"no such task definition", func(_ *Account, r *TaskRun) { r.TaskDefinition = "web:7" }, "ClientException", ""},
		{"no subnet", func(_ *Account, r *TaskRun) { r.Subnets = nil }, "InvalidParameterException", ""},
		{"no such subnet", func(_ *Account, r *TaskRun) { r.Subnets = []string{"subnet-0123456789abcdef0"} }, "InvalidParameterException", ""},
		{"no such security group", func(_ *Account, r *TaskRun) {
			r.SecurityGroups = []string{"sg-0123456789abcdef0"}
		}, "InvalidParameterException", ""},
		{"no such container", func(_ *Account, r *TaskRun) { r.Container = "nginx" }, "InvalidParameterException", ""},
		{"the parameter was deleted", func(a *Account, _ *TaskRun) { a.Remove(parameterType, a.list(parameterType)[0].ID) }, "",
			"unable to retrieve secret SECRET_KEY"},
		{"the log group was deleted", func(a *Account, _ *TaskRun) {
			a.Remove(logGroupType, a.list(logGroupType)[0].ID)
		}, "", "log group does not exist"},
		{"the image was deleted", func(a *Account, _ *TaskRun) { a.Remove(imageType, a.list(imageType)[0].ID) }, "", "CannotPullContainerError"},
		{"denied", func(a *Account, _ *TaskRun) {
			a.Before = func(_ int, action string, _ *Object) error {
				return &Error{Code: "AccessDeniedException", Action: action, Status: 403}
			}
		}, "AccessDeniedException", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := account(t)
			run := stage(t, a)
			c.spoil(a, &run)
			result, err := a.RunTask(t.Context(), run)
			if c.refused != "" {
				if got := code(t, err); got != c.refused {
					t.Errorf("refused with %s: %v", got, err)
				}
				return
			}
			if err != nil || result.ExitCode != NeverStarted || !strings.Contains(result.Reason, c.stopped) {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

func TestATagNamesOneImage(t *testing.T) {
	a := account(t)
	create(t, a, repositoryType, "app", map[string]any{"name": "app", "imageTagMutability": "MUTABLE", "forceDelete": true})
	other := strings.Replace(digest, "0", "f", 1)
	for _, push := range []struct{ tag, digest string }{{"v1", digest}, {"v2", digest}, {"v1", other}} {
		if err := a.Push(a.imageRegistry()+"/app:"+push.tag, push.digest); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string][]string{"app@" + digest: {"v2"}, "app@" + other: {"v1"}} {
		if got := Inputs(a.Object(imageType, id).Outputs).Strings("imageTags"); !slices.Equal(got, want) {
			t.Errorf("%s has the tags %v, expected %v", id, got, want)
		}
	}
	if err := a.Delete(repositoryType, "app"); err != nil {
		t.Fatal(err)
	}
	if !a.Empty() {
		t.Errorf("the images outlive their repository: %v", a.Summary())
	}
}
