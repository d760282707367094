package verdict_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"slipway/internal/awstest"
	"slipway/operation/account/awsaccount"
	"slipway/verdict"
)

type said = awstest.Answer

// pretendAWS is an ECSReader that answers from lists, and records the calls.
func pretendAWS(t *testing.T, answers map[string][]said) (verdict.ECSReader, func() []string) {
	t.Helper()
	calls := awstest.Pretend(t, answers)
	return awsaccount.ECS(settings(t)), calls
}

// settings are those of the SDK as the environment has them.
func settings(t *testing.T) aws.Config {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

const (
	awsPart = "arn:aws:ecs:us-east-1:123456789012:"
	oldTask = awsPart + "task-definition/shop-web:6"
	newTask = awsPart + "task-definition/shop-web:7"
)

func askedWeb() verdict.Expected {
	return verdict.Expected{Cluster: awsPart + "cluster/shop", Services: []verdict.Running{{
		Service: "shop-web", TaskDefinition: newTask, Images: map[string]string{"django": "r/django@sha256:new", "nginx": "r/nginx@sha256:same"},
		Check: &verdict.TargetCheck{Path: "/healthz", Matcher: "200-299"},
	}}}
}

// deployments are given as "STATUS task definition ROLLOUT running/desired failed", the reason after a semicolon.
func webService(status string, desired, running int, deployments ...string) said {
	all := []any{}
	for i, text := range deployments {
		text, reason, _ := strings.Cut(text, ";")
		var status, definition, rollout string
		var running, desired, failed int
		fmt.Sscanf(text, "%s %s %s %d/%d %d", &status, &definition, &rollout, &running, &desired, &failed)
		d := map[string]any{"id": fmt.Sprintf("ecs-svc/%d", i), "status": status, "taskDefinition": definition,
			"rolloutStateReason": strings.TrimSpace(reason),
			"desiredCount":       desired, "runningCount": running, "failedTasks": failed, "createdAt": 1700000000 - i}
		if rollout != "-" {
			d["rolloutState"] = rollout
		}
		all = append(all, d)
	}
	return said{"services": []any{map[string]any{"serviceName": "shop-web", "status": status, "desiredCount": desired,
		"runningCount": running, "deployments": all}}}
}

// withEvents adds events to a service, the newest first.
func withEvents(service said, messages ...string) said {
	var events []any
	for i, m := range messages {
		events = append(events, map[string]any{"createdAt": 1800000000 - i, "message": m})
	}
	service["services"].([]any)[0].(map[string]any)["events"] = events
	return service
}

// withAlarms gives a service alarms that roll a release back.
func withAlarms(service said, names ...string) said {
	service["services"].([]any)[0].(map[string]any)["deploymentConfiguration"] = map[string]any{
		"alarms": map[string]any{"alarmNames": names, "enable": true, "rollback": true}}
	return service
}

func stoppedTask(id, definition, reason string, containers ...map[string]any) map[string]any {
	return map[string]any{"taskArn": awsPart + "task/shop/" + id, "taskDefinitionArn": definition, "lastStatus": "STOPPED",
		"stopCode": "EssentialContainerExited", "stoppedReason": reason, "stoppedAt": 1700000000, "containers": containers}
}

func webDefinition(arn, image string) said {
	log := func(name string) map[string]any {
		return map[string]any{"logDriver": "awslogs", "options": map[string]any{"awslogs-group": "/shop/" + name, "awslogs-stream-prefix": "web"}}
	}
	return said{"taskDefinition": map[string]any{"taskDefinitionArn": arn, "containerDefinitions": []any{
		map[string]any{"name": "django", "image": image, "logConfiguration": log("django")},
		map[string]any{"name": "nginx", "image": "r/nginx@sha256:same", "logConfiguration": log("nginx")},
	}}}
}

func logSays(lines ...string) said {
	events := []any{}
	for _, l := range lines {
		events = append(events, map[string]any{"message": l + "\n", "timestamp": 1})
	}
	return said{"events": events}
}

func TestVerdict(t *testing.T) {
	verdict.SetPoll(t, time.Millisecond)
	rolledBack := webService("ACTIVE", 2, 2, "PRIMARY "+oldTask+" COMPLETED 2/2 0",
		"ACTIVE "+newTask+" FAILED 0/0 4; ECS deployment circuit breaker: tasks failed to start.")
	crash := map[string]any{"name": "django", "exitCode": 3}
	ended := map[string]any{"name": "nginx", "exitCode": 0}
	definitions := []said{webDefinition(oldTask, "r/django@sha256:old"), webDefinition(newTask, "r/django@sha256:new")}
	failing := func(reason string, log said, containers ...map[string]any) map[string][]said {
		return map[string][]said{
			"DescribeServices": {rolledBack}, "DescribeTaskDefinition": definitions,
			"ListTasks":     {{"taskArns": []string{awsPart + "task/shop/a"}}},
			"DescribeTasks": {{"tasks": []any{stoppedTask("a", newTask, reason, containers...)}}},
			"GetLogEvents":  {log},
		}
	}
	for _, c := range []struct {
		name    string
		answers map[string][]said
		good    bool
		want    []string // words of the verdict, in order
		not     string
	}{
		{name: "the deployment completed", good: true, answers: map[string][]said{
			"DescribeServices": {webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0")}}, want: []string{"shop-web runs shop-web:7"}},
		{name: "it is still rolling out, and completes", good: true, answers: map[string][]said{"DescribeServices": {
			webService("ACTIVE", 2, 3, "PRIMARY "+newTask+" IN_PROGRESS 1/2 0", "ACTIVE "+oldTask+" COMPLETED 2/2 0"),
			webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0")}}, want: []string{"shop-web runs shop-web:7"}},
		{name: "a worker that is paused", good: true, answers: map[string][]said{
			"DescribeServices": {webService("ACTIVE", 0, 0, "PRIMARY "+newTask+" COMPLETED 0/0 0")}}, want: []string{"shop-web runs shop-web:7"}},
		{name: "an alarm rolled it back, and its service deployment names it", answers: map[string][]said{
			"DescribeServices": {withAlarms(webService("ACTIVE", 2, 2, "PRIMARY "+oldTask+" COMPLETED 2/2 0",
				"ACTIVE "+newTask+" FAILED 0/0 0; ECS deployment failed: alarm detected."), "shop-5xx-site", "shop-unhealthy-hosts")},
			"DescribeTaskDefinition": definitions, "ListTasks": {{"taskArns": []string{}}},
			"ListServiceDeployments": {{"serviceDeployments": []any{map[string]any{"serviceDeploymentArn": awsPart + "service-deployment/1"}}}},
			"DescribeServiceDeployments": {{"serviceDeployments": []any{map[string]any{"createdAt": 1800000000,
				"alarms": map[string]any{"status": "TRIGGERED", "triggeredAlarmNames": []string{"shop-5xx-site"}}}}}}},
			want: []string{"shop-web was rolled back because of alarm shop-5xx-site: it runs shop-web:6, and shop-web:7 was asked for",
				"Likely cause: an alarm fired while the release was being deployed", "docs/runbook.md"}, not: "unhealthy-hosts"},
		{name: "an alarm rolled it back, and only the events say so", answers: map[string][]said{
			"DescribeServices": {withAlarms(withEvents(webService("ACTIVE", 2, 2, "PRIMARY "+oldTask+" COMPLETED 2/2 0"),
				"(service shop-web) rolling back to deployment ecs-svc/0.",
				"(service shop-web) (deployment ecs-svc/1) deployment failed: alarm detected."), "shop-5xx-site", "shop-unhealthy-hosts")},
			"DescribeTaskDefinition": definitions, "ListTasks": {{"taskArns": []string{}}}, "ListServiceDeployments": {{}}},
			want: []string{"shop-web was rolled back because of one of its alarms (shop-5xx-site, shop-unhealthy-hosts): it runs shop-web:6",
				"an alarm fired while the release was being deployed"}},
		{name: "the circuit breaker rolled it back, and the service is stable again", answers: failing("Essential container in task exited",
			logSays("Booting worker", "db is postgres://site:hunter2@db/x", "ModuleNotFoundError: No module named 'shop'"), crash, ended),
			want: []string{
				"shop-web was rolled back: it runs shop-web:6, and shop-web:7 was asked for (ECS deployment circuit breaker: tasks failed to start)",
				"Asked for: shop-web:7", "django r/django@sha256:new", "Runs now:  shop-web:6, 2 of 2 tasks", "django r/django@sha256:old",
				"Essential container in task exited (django: exit code 3)\n", "django, log group /shop/django, stream web/django/a:",
				"Booting worker", "postgres://site:…@db/x", "No module named", "Likely cause: the application cannot be imported", "Next: "},
			not: "hunter2"},
		{name: "the first deployment fails: there is nothing to go back to", answers: map[string][]said{
			"DescribeServices": {webService("ACTIVE", 2,
				0, "PRIMARY "+newTask+" FAILED 0/2 10; ECS deployment circuit breaker: tasks failed to start.")},
			"DescribeTaskDefinition": {webDefinition(newTask, "r/django@sha256:new")},
			"ListTasks":              {{"taskArns": []string{awsPart + "task/shop/a"}}},
			"DescribeTasks": {{"tasks": []any{stoppedTask("a", newTask,
				"CannotPullContainerError: failed to resolve ref r/django@sha256:new: not found",
				map[string]any{"name": "django"}, map[string]any{"name": "nginx"})}}},
			"GetLogEvents": {{"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}}},
			want: []string{"failed: shop-web:7 does not come up, and there is no deployment before it", "CannotPullContainerError",
				"Likely cause: the image is no longer in the registry"}},
		{name: "the failed deployment is forgotten, the events are not", answers: map[string][]said{
			"DescribeServices": {{"services": []any{map[string]any{"serviceName": "shop-web", "status": "ACTIVE",
				"desiredCount": 1, "runningCount": 1,
				"deployments": []any{map[string]any{"id": "ecs-svc/0", "status": "PRIMARY", "taskDefinition": oldTask, "rolloutState": "COMPLETED",
					"desiredCount": 1, "runningCount": 1, "createdAt": 1600000000}},
				"events": []any{map[string]any{"createdAt": 1700000000, "message": "(service shop-web) deployment failed: tasks failed to start."},
					map[string]any{"createdAt": 1700000000,
						"message": "(service shop-web) (port 8080) is unhealthy in (target-group x) due to (reason Health checks failed with these codes: " +
							"[400])."}}}}}},
			"DescribeTaskDefinition": {webDefinition(oldTask, "r/django@sha256:old")},
			"ListTasks":              {{"taskArns": []string{}}}},
			want: []string{"was rolled back: it runs shop-web:6", "codes: [400]", "Django refuses the host name"}},
		{name: "deployed outside of the stack", answers: map[string][]said{
			"DescribeServices":       {webService("ACTIVE", 2, 2, "PRIMARY "+awsPart+"task-definition/shop-web:9 COMPLETED 2/2 0")},
			"DescribeTaskDefinition": {webDefinition(oldTask, "r/django@sha256:other")}, "ListTasks": {{"taskArns": []string{}}}},
			want: []string{"it runs shop-web:9, and shop-web:7 was asked for; it was rolled back, or another deployment has replaced it",
				"ECS started no task"}},
		{name: "it never settles", answers: map[string][]said{
			"DescribeServices":       {webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" IN_PROGRESS 1/2 7", "ACTIVE "+oldTask+" COMPLETED 1/1 0")},
			"DescribeTaskDefinition": {webDefinition(newTask, "r/django@sha256:new")},
			"ListTasks":              {{"taskArns": []string{awsPart + "task/shop/a"}}},
			"DescribeTasks": {{"tasks": []any{stoppedTask("a", newTask, "Task failed ELB health checks in (target-group web)", ended,
				map[string]any{"name": "django", "exitCode": 0})}}},
			"GetLogEvents": {logSays("GET /healthz 500")}},
			want: []string{"did not settle within 50ms: 1 of 2 tasks of shop-web:7 run, 7 failed", "GET /healthz 500",
				"does not answer the balancer's health check"}},
		{name: "the service is gone", answers: map[string][]said{
			"DescribeServices": {{"services": []any{}, "failures": []any{map[string]any{"arn": "x", "reason": "MISSING"}}}}},
			want: []string{"service shop-web does not run: ECS says that there is none"}},
		{name: "the service is being deleted", answers: map[string][]said{"DescribeServices": {webService("DRAINING", 0, 1)},
			"ListTasks": {{"taskArns": []string{}}}},
			want: []string{"service shop-web does not run: ECS says DRAINING"}},
		{name: "the cluster is gone",
			answers: map[string][]said{"DescribeServices": {{"__type": "ClusterNotFoundException", "message": "Cluster not found."}}},
			want:    []string{"service shop-web does not run"}},
		{name: "the health check was changed, and running targets fail it", answers: map[string][]said{
			"DescribeServices": {withEvents(webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0"),
				"(service shop-web) (task 1) (port 8080) is unhealthy in (target-group x) "+
					"due to (reason Health checks failed with these codes: [400]).",
				"(service shop-web) has reached a steady state.")}, "ListTasks": {{"taskArns": []string{}}}},
			want: []string{"did not settle within 50ms: runs shop-web:7, but its load balancer calls it unhealthy", "codes: [400]",
				"ALLOWED_HOSTS"}, not: "not what was asked for"},
		{name: "a target was unhealthy, and the service is steady again", good: true, answers: map[string][]said{
			"DescribeServices": {withEvents(webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0"),
				"(service shop-web) has reached a steady state.",
				"(service shop-web) (task 1) (port 8080) is unhealthy in (target-group x) due to (reason Request timed out).")}},
			want: []string{"shop-web runs shop-web:7"}},
		{name: "a container's own health check fails", answers: func() map[string][]said {
			a := failing("Task failed container health checks", logSays("listening on 8001"),
				map[string]any{"name": "django", "healthStatus": "UNHEALTHY"}, map[string]any{"name": "nginx"})
			a["DescribeTaskDefinition"] = []said{webDefinition(oldTask, "r/django@sha256:old"),
				{"taskDefinition": map[string]any{"taskDefinitionArn": newTask, "containerDefinitions": []any{
					map[string]any{"name": "django", "image": "r/django@sha256:new", "healthCheck": map[string]any{"command": []string{"CMD",
						"healthcheck"}}},
					map[string]any{"name": "nginx", "image": "r/nginx@sha256:x", "healthCheck": map[string]any{"command": []string{"CMD", "other"}}}}}}}
			return a
		}(), want: []string{"Task failed container health checks (django: its health check failed)",
			"Health check:\n  container django: CMD healthcheck", "own health check fails"}, not: "CMD other"},
		{name: "the balancer's health check is redirected", answers: failing("Task failed ELB health checks in (target-group x)",
			logSays("a line of django"), map[string]any{"name": "django", "exitCode": 0}, ended),
			want: []string{"Health check:\n  the load balancer's: GET /healthz must answer 200-299", "django, log group", "a line of django",
				"nginx, log group"}},
		{name: "ECS watches no rollout", good: true,
			answers: map[string][]said{"DescribeServices": {webService("ACTIVE", 1, 1, "PRIMARY "+newTask+" - 1/1 0")}},
			want:    []string{"runs shop-web:7"}},
		{name: "the log may not be read", answers: failing("Essential container in task exited",
			said{"__type": "AccessDeniedException", "message": "not authorized to perform: logs:GetLogEvents"}, crash),
			want: []string{"was rolled back", "it cannot be read", "logs:GetLogEvents", "ended with an error as it started"}},
		{name: "the first pages of the log are empty", answers: func() map[string][]said {
			a := failing("Essential container in task exited", nil, crash)
			a["GetLogEvents"] = []said{{"events": []any{}, "nextBackwardToken": "b/1"},
				{"events": []any{map[string]any{"message": "late words"}}, "nextBackwardToken": "b/2"}}
			return a
		}(), want: []string{"late words"}},
		{name: "tasks that were taken back with their deployment are not its reason", answers: func() map[string][]said {
			a := failing("", logSays("x"), crash)
			a["DescribeTasks"] = []said{{"tasks": []any{stoppedTask("b", newTask, "Scaling activity initiated by (deployment ecs-svc/0)", ended),
				stoppedTask("c", oldTask, "of before", ended),
				stoppedTask("a", newTask, "OutOfMemoryError: Container killed due to memory usage",
					map[string]any{"name": "django", "exitCode": 137})}}}
			return a
		}(), want: []string{"Its tasks stopped:\n  OutOfMemoryError: Container killed due to memory usage (django: exit code 137)\n",
			"more memory than it has"}, not: "Scaling activity"},
		{name: "many stopped tasks come in pages", answers: func() map[string][]said {
			a := failing("", logSays("x"), crash)
			a["ListTasks"] = []said{{"taskArns": []string{awsPart + "task/shop/b"}, "nextToken": "more"},
				{"taskArns": []string{awsPart + "task/shop/a"}}}
			a["DescribeTasks"] = []said{{"tasks": []any{stoppedTask("b", oldTask, "of before")}},
				{"tasks": []any{stoppedTask("a", newTask, "on the second page", crash)}}}
			return a
		}(), want: []string{"on the second page"}, not: "of before"},
		{name: "the log goes past CloudWatch", answers: func() map[string][]said {
			a := failing("Essential container in task exited", nil, crash, ended)
			a["DescribeTaskDefinition"] = []said{{"taskDefinition": map[string]any{"taskDefinitionArn": newTask, "containerDefinitions": []any{
				map[string]any{"name": "django", "image": "r/django@sha256:new", "logConfiguration": map[string]any{"logDriver": "awsfirelens"}}}}}}
			return a
		}(), want: []string{"it is not in CloudWatch Logs", "ended with an error as it started"}},
		{name: "the program ended on its own, and the log router was killed after it", answers: func() map[string][]said {
			a := failing("Essential container in task exited", logSays("router words"), map[string]any{"name": "log-router", "exitCode": 137},
				map[string]any{"name": "django", "exitCode": 0})
			a["DescribeTaskDefinition"] = []said{webDefinition(oldTask, "r/django@sha256:old"),
				{"taskDefinition": map[string]any{"taskDefinitionArn": newTask, "containerDefinitions": []any{
					map[string]any{"name": "django", "image": "r/django@sha256:new", "logConfiguration": map[string]any{"logDriver": "awsfirelens"}},
					map[string]any{"name": "log-router", "image": "r/router@sha256:x", "firelensConfiguration": map[string]any{"type": "fluentbit"},
						"logConfiguration": map[string]any{"logDriver": "awslogs",
							"options": map[string]any{"awslogs-group": "/shop/django", "awslogs-stream-prefix": "web"}}}}}}}
			return a
		}(), want: []string{"Essential container in task exited (django: exit code 0)", "Likely cause: the program ended on its own"},
			not: "137"},
		{name: "the log router fails, and ends the task with it", answers: func() map[string][]said {
			a := failing("Essential container in task exited", logSays("no such stream"), map[string]any{"name": "log-router", "exitCode": 1},
				map[string]any{"name": "django", "exitCode": 0})
			a["DescribeTaskDefinition"] = []said{webDefinition(oldTask, "r/django@sha256:old"),
				{"taskDefinition": map[string]any{"taskDefinitionArn": newTask, "containerDefinitions": []any{
					map[string]any{"name": "log-router", "image": "r/router@sha256:x", "firelensConfiguration": map[string]any{"type": "fluentbit"}}}}}}
			return a
		}(), want: []string{"Essential container in task exited (log-router: exit code 1)"}},
		{name: "throttled, once", good: true, answers: map[string][]said{"DescribeServices": {
			{"__type": "ThrottlingException", "message": "Rate exceeded"}, webService("ACTIVE", 1, 1, "PRIMARY "+newTask+" COMPLETED 1/1 0")}},
			want: []string{"runs shop-web:7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader, calls := pretendAWS(t, c.answers)
			v, err := verdict.Judge(t.Context(), reader, askedWeb(), 50*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			words := v.String()
			if v.Good != c.good || c.not != "" && strings.Contains(words, c.not) {
				t.Errorf("good is %t:\n%s\ncalls: %q", v.Good, words, calls())
			}
			rest := words
			for _, want := range c.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("the verdict does not go on with %q:\n%s", want, words)
				}
				rest = after
			}
			if text, err := json.Marshal(v); err != nil || c.not != "" && strings.Contains(string(text), c.not) {
				t.Errorf("as JSON: %s, %v", text, err)
			}
		})
	}
}

func TestVerdictOfManyServicesTellsOfTheFirstThatIsWrong(t *testing.T) {
	asked := verdict.Expected{Cluster: "shop"}
	var all []any
	for i := range 23 {
		name := fmt.Sprintf("shop-worker-%02d", i)
		asked.Services = append(asked.Services, verdict.Running{Service: name, TaskDefinition: newTask})
		runs := newTask
		if i == 4 || i == 20 {
			runs = oldTask
		}
		all = append(all, map[string]any{"serviceName": name, "status": "ACTIVE",
			"deployments": []any{map[string]any{"id": "x", "status": "PRIMARY", "taskDefinition": runs, "rolloutState": "COMPLETED"}}})
	}
	reader, calls := pretendAWS(t, map[string][]said{
		"DescribeServices": {{"services": all[:10]}, {"services": all[10:20]}, {"services": all[20:]}},
		"ListTasks":        {{"taskArns": []string{}}}, "DescribeTaskDefinition": {webDefinition(oldTask, "r/django@sha256:old")},
	})
	v, err := verdict.Judge(t.Context(), reader, asked, 0)
	if err != nil {
		t.Fatal(err)
	}
	if v.Good || len(v.Reasons) != 2 || v.Expected.Service != "shop-worker-04" || v.Runs.TaskDefinition != oldTask ||
		len(v.Services) != 23 || v.Services[20].Good {
		t.Errorf("verdict is %+v", v)
	}
	described := 0
	for _, call := range calls() {
		if strings.HasPrefix(call, "DescribeServices") {
			described++
		}
	}
	if described != 3 { // 10 services a call
		t.Errorf("%d calls: %q", described, calls())
	}
}

func TestVerdictFailsWhereItCannotAsk(t *testing.T) {
	reader, _ := pretendAWS(t, map[string][]said{
		"DescribeServices": {{"__type": "AccessDeniedException", "message": "not authorized to perform: ecs:DescribeServices"}}})
	if _, err := verdict.Judge(t.Context(), reader, askedWeb(), 0); err == nil ||
		!strings.Contains(err.Error(), "not authorized to perform: ecs:DescribeServices") {
		t.Errorf("error is %v", err)
	}
}

// A destroy that was interrupted leaves services without tasks, steady and with the right task definition.
func TestAServiceWithoutTasksIsNoGoodRelease(t *testing.T) {
	asked := askedWeb()
	asked.Services[0].Tasks = 2
	reader, _ := pretendAWS(t, map[string][]said{
		"DescribeServices": {webService("ACTIVE", 0, 0, "PRIMARY "+newTask+" COMPLETED 0/0 0")}, "ListTasks": {{"taskArns": []string{}}}})
	v, err := verdict.Judge(t.Context(), reader, asked, 0)
	if err != nil || v.Good || !strings.Contains(v.String(), "service shop-web is scaled to zero") {
		t.Errorf("%v\n%s", err, v)
	}
}

func TestWhatWasAsked(t *testing.T) {
	service := func(name, definition string, gone bool) apitype.ResourceV3 {
		return apitype.ResourceV3{Type: "aws:ecs/service:Service", Delete: gone,
			URN:    resource.URN("urn:pulumi:dev::shop::aws:ecs/service:Service::" + name),
			Inputs: map[string]any{"cluster": "shop", "name": "shop-" + name, "taskDefinition": definition},
			// A refresh has recorded what runs; what is expected stays the same.
			Outputs: map[string]any{"taskDefinition": oldTask}}
	}
	got, err := verdict.ExpectedOf([]apitype.ResourceV3{
		{Type: "aws:ecs/taskDefinition:TaskDefinition",
			Outputs: map[string]any{"arn": newTask, "containerDefinitions": `[{"name":"django","image":"r@sha256:1"}]`}},
		service("web", newTask, false), service("mail", oldTask, false), service("old", oldTask, true),
	})
	want := verdict.Expected{Cluster: "shop", Services: []verdict.Running{
		{Service: "shop-web", TaskDefinition: newTask, Images: map[string]string{"django": "r@sha256:1"}},
		{Service: "shop-mail", TaskDefinition: oldTask}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// The engine does not record the inputs of an update that failed, so the checkpoint has the task definition of the run before.
func TestARunIsJudgedByWhatItStarted(t *testing.T) {
	urn := func(name string) resource.URN {
		return resource.URN("urn:pulumi:dev::shop::aws:ecs/service:Service::" + name)
	}
	service := func(name string) apitype.ResourceV3 {
		return apitype.ResourceV3{Type: verdict.TypeService, URN: urn(name), Inputs: map[string]any{"cluster": "shop", "name": "shop-" + name,
			"taskDefinition": oldTask}}
	}
	resources := []apitype.ResourceV3{
		{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{"arn": newTask,
			"containerDefinitions": `[{"name":"django","image":"r@sha256:1"}]`}},
		service("web"), service("mail"), service("feed"),
	}
	got, err := verdict.Started{string(urn("web")): newTask, string(urn("feed")): ""}.ExpectedOf(resources)
	want := verdict.Expected{Cluster: "shop", Services: []verdict.Running{
		{Service: "shop-web", TaskDefinition: newTask, Images: map[string]string{"django": "r@sha256:1"}}, {Service: "shop-feed",
			TaskDefinition: oldTask}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if resources[1].Inputs["taskDefinition"] != oldTask {
		t.Error("the checkpoint was changed")
	}
}

func TestScalingOwnsTheNumberWithinItsRange(t *testing.T) {
	resources := []apitype.ResourceV3{
		{Type: "aws:appautoscaling/target:Target", Inputs: map[string]any{"resourceId": "service/shop-site/shop-web", "minCapacity": 2.0,
			"maxCapacity": 4.0}},
		{Type: verdict.TypeService, URN: "urn:pulumi:dev::shop::aws:ecs/service:Service::web", Inputs: map[string]any{"cluster": "shop",
			"name": "shop-web", "desiredCount": 1.0}},
		{Type: verdict.TypeService, URN: "urn:pulumi:dev::shop::aws:ecs/service:Service::feed", Inputs: map[string]any{"cluster": "shop",
			"name": "shop-feed", "desiredCount": 3.0}},
	}
	expected, err := verdict.ExpectedOf(resources)
	if err != nil {
		t.Fatal(err)
	}
	web, feed := expected.Services[0], expected.Services[1]
	for _, c := range []struct {
		name          string
		service       verdict.Running
		desired, want int
	}{
		{"below the minimum", web, 1, 2}, {"within", web, 3, 3}, {"above the maximum", web, 9, 4}, {"scaled to zero by a destroy", web, 0, 2},
		{"a worker does not scale", feed, 1, 1}, {"a worker that a destroy stopped", feed, 0, 3},
	} {
		if got := c.service.Wanted(c.desired); got != c.want {
			t.Errorf("%s: %d desired tasks become %d, want %d", c.name, c.desired, got, c.want)
		}
	}
}

// An asked is an ECSReader of one service that is as it should be, whose running task was asked for its health.
type asked struct {
	verdict.ECSReader
	sick *verdict.Unhealthy
}

func (a asked) Services(context.Context, string, []string) ([]verdict.Service, error) {
	return []verdict.Service{{Name: "shop-web", Status: "ACTIVE", Desired: 1, Running: 1,
		Deployments: []verdict.Deployed{{ID: "1", Status: "PRIMARY", TaskDefinition: newTask, Rollout: "COMPLETED"}}}}, nil
}

func (a asked) Unhealthy(context.Context, string, string) (*verdict.Unhealthy, error) {
	return a.sick, nil
}

func TestARunningTaskThatFailsItsHealthCheckIsNotGood(t *testing.T) {
	v, err := verdict.Judge(t.Context(), asked{}, askedWeb(), 0)
	if err != nil || !v.Good {
		t.Errorf("a healthy task: %v\n%s", err, v)
	}
	began := time.Now()
	v, err = verdict.Judge(t.Context(), asked{sick: &verdict.Unhealthy{Reason: "Task failed ELB health checks in (target-group web)",
		Check: []string{"GET /healthz answered 301, to https://10.0.0.1/healthz"}, Logs: []string{"container django:", "token=hunter2"}}},
		askedWeb(), time.Hour)
	words := v.String()
	if err != nil || v.Good || time.Since(began) > time.Minute {
		t.Fatalf("after %s: %v\n%s", time.Since(began), err, words)
	}
	for _, want := range []string{"the release does not run as it should\n", "its load balancer calls it unhealthy",
		"Health check:\n  the load balancer's: GET /healthz must answer 200-299\n  GET /healthz answered 301",
		"container django:", "SECURE_SSL_REDIRECT"} {
		if !strings.Contains(words, want) {
			t.Errorf("it does not say %q:\n%s", want, words)
		}
	}
	if strings.Contains(words, "Asked for:") || strings.Contains(words, "hunter2") {
		t.Errorf("it says too much:\n%s", words)
	}
}

// A changed health check is noticed only after some failures, so the verdict waits as long as the load balancer needs.
func TestAChangedHealthCheckIsWaitedFor(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/1"
	expected, err := verdict.ExpectedOf([]apitype.ResourceV3{
		{Type: verdict.TypeTargetGroup, Outputs: map[string]any{"arn": group}, Inputs: map[string]any{"healthCheck": map[string]any{
			"path": "/ht/", "matcher": "200-299", "interval": 10.0, "timeout": 5.0, "unhealthyThreshold": 3.0}}},
		{Type: verdict.TypeService, URN: "urn:pulumi:dev::shop::aws:ecs/service:Service::web", Inputs: map[string]any{"cluster": "shop",
			"name": "shop-web", "taskDefinition": newTask, "loadBalancers": []any{map[string]any{"targetGroupArn": group}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	check := expected.Services[0].Check
	if diff := cmp.Diff(&verdict.TargetCheck{Path: "/ht/", Matcher: "200-299", Notices: 55 * time.Second}, check); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	check.Notices = 100 * time.Millisecond
	for _, recheck := range []bool{true, false} {
		expected.Recheck = recheck
		began := time.Now()
		v, err := verdict.Judge(t.Context(), asked{}, expected, time.Hour)
		if took := time.Since(began); err != nil || !v.Good || (took >= check.Notices) != recheck {
			t.Errorf("recheck %t: after %s: %v\n%s", recheck, took, err, v)
		}
	}
}

// A restarted service runs the same task definition before and after: only its deployment tells whether the new tasks came up.
func TestARestartIsJudgedByItsDeployment(t *testing.T) {
	verdict.SetPoll(t, time.Millisecond)
	for _, c := range []struct {
		name     string
		services []said
		good     bool
		want     string
	}{
		{"it completed", []said{webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0")}, true, "shop-web runs shop-web:7"},
		{"it is not shown yet", []said{
			webService("ACTIVE", 2, 2, "ACTIVE "+newTask+" IN_PROGRESS 0/2 0", "PRIMARY "+newTask+" COMPLETED 2/2 0"),
			webService("ACTIVE", 2, 2, "PRIMARY "+newTask+" COMPLETED 2/2 0")}, true, "shop-web runs shop-web:7"},
		{"it failed", []said{webService("ACTIVE", 2, 2, "ACTIVE "+newTask+" FAILED 0/0 4; tasks failed to start.",
			"PRIMARY "+newTask+" COMPLETED 2/2 0")}, false,
			"was rolled back: its new tasks failed, and the ones before run on (tasks failed to start)"},
		{"it is forgotten", []said{webService("ACTIVE", 2, 2, "ACTIVE "+oldTask+" COMPLETED 0/0 0",
			"PRIMARY "+newTask+" COMPLETED 2/2 0")}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			expected := askedWeb()
			expected.Services[0].Restarted = "ecs-svc/0"
			if c.name == "it is forgotten" { // another deployment has replaced it
				expected.Services[0].Restarted, c.good, c.want = "ecs-svc/9", false, "was rolled back"
			}
			reader, _ := pretendAWS(t, map[string][]said{"DescribeServices": c.services,
				"DescribeTaskDefinition": {webDefinition(newTask, "r/django@sha256:new")}, "ListTasks": {{"taskArns": []string{}}}})
			v, err := verdict.Judge(t.Context(), reader, expected, time.Minute)
			if err != nil || v.Good != c.good || !strings.Contains(v.String(), c.want) {
				t.Errorf("%v\n%s", err, v)
			}
		})
	}
}
