package batch

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/graph"
	"slipway/internal/wiring"
)

var site = wiring.Site{Project: "slipway", Stack: "test", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}

const (
	cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/slipway-test-site"
	key     = "arn:aws:kms:us-east-1:123456789012:key/alarms"
	topic   = "arn:aws:sns:us-east-1:123456789012:slipway-test-alarms"
	queue   = "arn:aws:sqs:us-east-1:123456789012:queue/timetable-failures"
	role    = "arn:aws:iam:us-east-1:123456789012:role/"
)

func record(change func(*JobArgs)) (graph.Graph, error) {
	return graph.Record("test", nil, func(ctx *pulumi.Context) error {
		timetable, err := NewTimetable(ctx, "timetable", &TimetableArgs{
			Site: site, ClusterARN: pulumi.String(cluster), KeyARN: pulumi.String(key), TopicARN: pulumi.String(topic),
		})
		if err != nil {
			return err
		}
		roles, err := fargate.NewRoles(ctx, "roles",
			&fargate.RolesArgs{Site: site, Part: "jobs", Groups: []pulumi.StringInput{pulumi.String("/slipway/test/job-cleanup")}})
		if err != nil {
			return err
		}
		args := &JobArgs{
			Site: site, Name: "cleanup", Timetable: timetable, Roles: roles,
			Schedule: "cron(0 3 * * ? *)", TimeZone: "Europe/Paris", Command: []string{"python", "manage.py", "clearsessions"},
			Placement: wiring.Placement{Subnets: pulumi.ToStringArray([]string{"subnet-a"}),
				SecurityGroups: pulumi.ToStringArray([]string{"sg-work"})},
			Binding: wiring.Binding{
				Env: map[string]pulumi.StringInput{"DB_PORT": pulumi.String("5432")},
				Secrets: map[string]wiring.Secret{"DB_PASSWORD": {
					ARN: pulumi.String("arn:aws:ssm:us-east-1:123456789012:parameter/x"), KeyARN: pulumi.String(key),
					Version: pulumi.Int(2),
				}},
			},
			Program: fargate.Program{Image: pulumi.String("django@sha256:00")}, Group: pulumi.String("/slipway/test/job-cleanup"),
			CPU: 256, Memory: 512, Architecture: "arm64",
		}
		if change != nil {
			change(args)
		}
		_, err = NewJob(ctx, "cleanup", args)
		return err
	})
}

func sample(t *testing.T) graph.Graph {
	t.Helper()
	g, err := record(nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func statements(t *testing.T, g graph.Graph, token, name string) map[string]map[string]any {
	t.Helper()
	text, _ := g.Named(token, name).Inputs["policy"].(string)
	var document struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%s %s: %v", token, name, err)
	}
	all := map[string]map[string]any{}
	for _, s := range document.Statement {
		all[s["Sid"].(string)] = s
	}
	return all
}

func TestSchedule(t *testing.T) {
	schedule := sample(t).Named("aws:scheduler/schedule:Schedule", "cleanup")
	for path, want := range map[string]any{
		"name": "slipway-test-job-cleanup", "groupName": "slipway-test-jobs",
		"scheduleExpression": "cron(0 3 * * ? *)", "scheduleExpressionTimezone": "Europe/Paris",
		"flexibleTimeWindow": map[string]any{"mode": "OFF"}, "kmsKeyArn": key,
		"target.arn":                             cluster,
		"target.roleArn":                         role + "cleanup-starter",
		"target.deadLetterConfig.arn":            queue,
		"target.retryPolicy":                     map[string]any{"maximumRetryAttempts": 2.0, "maximumEventAgeInSeconds": 3600.0},
		"target.ecsParameters.taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/cleanup-task:1",
		"target.ecsParameters.networkConfiguration": map[string]any{
			"subnets": []any{"subnet-a"}, "securityGroups": []any{"sg-work"}, "assignPublicIp": false},
	} {
		if diff := cmp.Diff(want, schedule.Input(path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, first := range []string{"cleanup-starter-policy", "roles-execution-policy", "timetable-failed"} {
		if !slices.Contains(schedule.DependsOn, first) {
			t.Errorf("the schedule may fall due before %s; it waits for %v", first, schedule.DependsOn)
		}
	}
}

func TestTheSchedulerMayOnlyStartThisJob(t *testing.T) {
	got := statements(t, sample(t), "aws:iam/rolePolicy:RolePolicy", "cleanup-starter-policy")
	want := map[string]map[string]any{
		"RunThisJob": {"Sid": "RunThisJob", "Effect": "Allow", "Action": "ecs:RunTask",
			"Resource":  "arn:aws:ecs:us-east-1:123456789012:task-definition/slipway-test-job-cleanup:*",
			"Condition": map[string]any{"ArnEquals": map[string]any{"ecs:cluster": cluster}}},
		"TagItsTasks": {"Sid": "TagItsTasks", "Effect": "Allow", "Action": "ecs:TagResource",
			"Resource":  "arn:aws:ecs:us-east-1:123456789012:task/slipway-test-site/*",
			"Condition": map[string]any{"StringEquals": map[string]any{"ecs:CreateAction": "RunTask"}}},
		"PassItsRoles": {"Sid": "PassItsRoles", "Effect": "Allow", "Action": "iam:PassRole",
			"Resource":  []any{role + "roles-execution", role + "roles-task"},
			"Condition": map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
		"ReportFailures": {"Sid": "ReportFailures", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue},
		"ReadScheduleAndEncryptReport": {"Sid": "ReadScheduleAndEncryptReport", "Effect": "Allow",
			"Action": []any{"kms:Decrypt", "kms:GenerateDataKey"}, "Resource": key},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	trust, _ := sample(t).Named("aws:iam/role:Role", "cleanup-starter").Input("assumeRolePolicy").(string)
	if !strings.Contains(trust, `"Service":"scheduler.amazonaws.com"`) || !strings.Contains(trust, `"aws:SourceAccount":"123456789012"`) ||
		!strings.Contains(trust, `"aws:SourceArn":"arn:aws:scheduler:us-east-1:123456789012:schedule-group/slipway-test-jobs"`) {
		t.Errorf("trust policy is %s", trust)
	}
}

func TestAJobReadsItsSecretsAtEachRunAndKeepsItsRevision(t *testing.T) {
	task := func(g graph.Graph) string {
		return g.Named("aws:ecs/taskDefinition:TaskDefinition", "cleanup-task").Inputs["containerDefinitions"].(string)
	}
	first := task(sample(t))
	if !strings.Contains(first, `"name":"DB_PASSWORD"`) || strings.Contains(first, "SETTINGS_VERSION") {
		t.Errorf("container definitions are %s", first)
	}
	g, err := record(func(args *JobArgs) {
		s := args.Binding.Secrets["DB_PASSWORD"]
		s.Version = pulumi.Int(3)
		args.Binding.Secrets["DB_PASSWORD"] = s
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, task(g)); diff != "" {
		t.Errorf("a changed secret made a new revision of a job that reads it anyway:\n%s", diff)
	}
}

func TestFailuresAreKeptEncrypted(t *testing.T) {
	g := sample(t)
	q := g.Named("aws:sqs/queue:Queue", "timetable-failures")
	if q.Input("kmsMasterKeyId") != key || q.Input("messageRetentionSeconds") != 1209600.0 {
		t.Errorf("queue is %v", q.Inputs)
	}
	got := statements(t, g, "aws:sqs/queuePolicy:QueuePolicy", "timetable-failures")
	if s := got["TLSOnly"]; s["Effect"] != "Deny" ||
		!cmp.Equal(s["Condition"], any(map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}})) {
		t.Errorf("plain HTTP is not refused: %v", s)
	}
	s := got["FailedRuns"]
	if !cmp.Equal(s["Principal"], any(map[string]any{"Service": "events.amazonaws.com"})) ||
		!cmp.Equal(s["Condition"], any(map[string]any{"ArnEquals": map[string]any{
			"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:123456789012:eventRule/timetable-failed",
		}})) {
		t.Errorf("who may send is %v", s)
	}
	if target := g.Named("aws:cloudwatch/eventTarget:EventTarget", "timetable-failed"); target.Input("arn") != queue {
		t.Errorf("failed runs go to %v", target.Input("arn"))
	}
}

func TestFailedRunsAreThoseOfJobsInThisCluster(t *testing.T) {
	text, _ := sample(t).Named("aws:cloudwatch/eventRule:EventRule", "timetable-failed").Input("eventPattern").(string)
	const want = `{"detail":{"$or":[{"containers":{"exitCode":[{"anything-but":[0]}],"name":["django"]}},` +
		`{"stopCode":[{"anything-but":["EssentialContainerExited"]}]},` +
		`{"containers":{"exitCode":[{"anything-but":[0,137,143]}]},"startedAt":[{"exists":false}]}],` +
		`"clusterArn":["` + cluster + `"],"group":[{"prefix":"family:slipway-test-job-"}],"lastStatus":["STOPPED"]},` +
		`"detail-type":["ECS Task State Change"],"source":["aws.ecs"]}`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("pattern (-want +got):\n%s", diff)
	}
}

// matches reports whether an event matches a pattern, as Event Ruler does: in an array of objects one element must match
// all fields of the pattern. It supports the operators that failedRuns uses.
func matches(t *testing.T, pattern, event any) bool {
	t.Helper()
	switch pattern := pattern.(type) {
	case map[string]any:
		if elements, ok := event.([]any); ok {
			return slices.ContainsFunc(elements, func(e any) bool { return matches(t, pattern, e) })
		}
		fields, _ := event.(map[string]any)
		for name, p := range pattern {
			if name == "$or" {
				if !slices.ContainsFunc(p.([]any), func(p any) bool { return matches(t, p, event) }) {
					return false
				}
			} else if value, is := fields[name]; !is {
				if !cmp.Equal(p, any([]any{map[string]any{"exists": false}})) {
					return false
				}
			} else if !matches(t, p, value) {
				return false
			}
		}
		return true
	case []any:
		return slices.ContainsFunc(pattern, func(p any) bool {
			operator, ok := p.(map[string]any)
			if !ok {
				return p == event
			}
			for name, operand := range operator {
				switch name {
				case "prefix":
					return strings.HasPrefix(event.(string), operand.(string))
				case "anything-but":
					return !slices.Contains(operand.([]any), event)
				case "exists":
					return operand == true
				}
				t.Fatalf("operator %s is not known here", name)
			}
			return false
		})
	}
	t.Fatalf("pattern %v", pattern)
	return false
}

func TestTheJobsOwnContainerDecides(t *testing.T) {
	text, _ := sample(t).Named("aws:cloudwatch/eventRule:EventRule", "timetable-failed").Input("eventPattern").(string)
	var pattern any
	if err := json.Unmarshal([]byte(text), &pattern); err != nil {
		t.Fatal(err)
	}
	const none = -1
	for _, c := range []struct {
		name           string
		router, django float64 // exit codes
		stop           string  // stopCode; default EssentialContainerExited
		unstarted      bool    // the task has no startedAt
		want           bool
	}{
		{name: "all is well"},
		{name: "the router is killed after the job", router: 137},
		{name: "the router crashes after the job", router: 139},
		{name: "the router ends by its signal", router: 143},
		{name: "the job fails", django: 1, want: true},
		{name: "the job fails, the router is killed", router: 137, django: 1, want: true},
		{name: "the job runs out of memory", django: 137, want: true},
		{name: "the job is stopped by hand and ends with 0", stop: "UserInitiated", want: true},
		{name: "the image cannot be pulled", router: none, django: none, stop: "TaskFailedToStart", unstarted: true, want: true},
		{name: "the router ends before the job begins", router: 1, django: none, unstarted: true, want: true},
		{name: "a short job, seen only at its end", unstarted: true, router: 137},
	} {
		t.Run(c.name, func(t *testing.T) {
			containers := []any{}
			for _, one := range []struct {
				name string
				code float64
			}{{"log-router", c.router}, {"django", c.django}} {
				container := map[string]any{"name": one.name, "lastStatus": "STOPPED"}
				if one.code != none {
					container["exitCode"] = one.code
				}
				containers = append(containers, container)
			}
			detail := map[string]any{"clusterArn": cluster, "lastStatus": "STOPPED", "group": "family:slipway-test-job-cleanup",
				"containers": containers, "stopCode": "EssentialContainerExited", "startedAt": "2030-01-01T03:00:00Z"}
			if c.stop != "" {
				detail["stopCode"] = c.stop
			}
			if c.unstarted {
				delete(detail, "startedAt")
			}
			event := map[string]any{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}
			if got := matches(t, pattern, any(event)); got != c.want {
				t.Errorf("the rule matches: %v, want %v", got, c.want)
			}
		})
	}
}

func TestAlarmsNotifyTheTopic(t *testing.T) {
	g := sample(t)
	for name, want := range map[string]map[string]any{
		"timetable-failures": {"namespace": "AWS/SQS", "metricName": "ApproximateNumberOfMessagesVisible",
			"dimensions": map[string]any{"QueueName": "slipway-test-jobs-failures"}},
		"timetable-failed-run": {"namespace": "AWS/Events", "metricName": "TriggeredRules",
			"dimensions": map[string]any{"RuleName": "slipway-test-job-failed"}},
	} {
		alarm := g.Named("aws:cloudwatch/metricAlarm:MetricAlarm", name)
		want["alarmActions"], want["threshold"], want["comparisonOperator"], want["treatMissingData"] = []any{topic}, 0.0,
			"GreaterThanThreshold", "notBreaching"
		for path, value := range want {
			if diff := cmp.Diff(value, alarm.Input(path)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, path, diff)
			}
		}
	}
}

func TestEverythingDescendsFromAComponent(t *testing.T) {
	for _, r := range sample(t) {
		if r.Custom() && r.Parent != "timetable" && r.Parent != "roles" && r.Parent != "cleanup" {
			t.Errorf("%s %s is parented to %s", r.Type, r.Name, r.Parent)
		}
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	_, err := record(func(args *JobArgs) {
		args.Command, args.Schedule, args.TimeZone, args.Memory = nil, "* * * * *", "", 1
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"job cleanup: command must be", `got "* * * * *"`, "time zone must be", "memory for cpu 256"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

// One-off tasks run the application alone, as the image starts by itself, and their log can be read back.
func TestTask(t *testing.T) {
	declare := func(change func(*TaskArgs)) (graph.Graph, error) {
		return graph.Record("test", nil, func(ctx *pulumi.Context) error {
			roles, err := fargate.NewRoles(ctx, "roles", &fargate.RolesArgs{Site: site, Part: "site"})
			if err != nil {
				return err
			}
			args := &TaskArgs{
				Site: site, ClusterARN: pulumi.String(cluster), Roles: roles, Group: pulumi.String("/slipway/test/django"),
				Placement: wiring.Placement{Subnets: pulumi.ToStringArray([]string{"subnet-a"}),
					SecurityGroups: pulumi.ToStringArray([]string{"sg-work"})},
				Program: fargate.Program{Image: pulumi.String("django@sha256:00")}, Command: []string{"python", "manage.py", "check"},
				CPU: 256, Memory: 512, Architecture: "arm64",
			}
			if change != nil {
				change(args)
			}
			_, err = NewTask(ctx, "task", args)
			return err
		})
	}
	g, err := declare(nil)
	if err != nil {
		t.Fatal(err)
	}
	definition := g.Named("aws:ecs/taskDefinition:TaskDefinition", "task-definition")
	if definition.Input("family") != "slipway-test-task" || definition.Parent != "task" {
		t.Errorf("the definition is %v, below %q", definition.Inputs, definition.Parent)
	}
	var containers []map[string]any
	if err := json.Unmarshal([]byte(definition.Inputs["containerDefinitions"].(string)), &containers); err != nil || len(containers) != 1 {
		t.Fatalf("its containers are %v, %v", containers, err)
	}
	options, _ := containers[0]["logConfiguration"].(map[string]any)["options"].(map[string]any)
	if containers[0]["name"] != "django" || len(containers[0]["command"].([]any)) != 3 || options["awslogs-group"] != "/slipway/test/django" ||
		options["awslogs-stream-prefix"] != "task" {
		t.Errorf("its container is %v", containers[0])
	}
	for want, change := range map[string]func(*TaskArgs){
		"memory for cpu 256":                func(a *TaskArgs) { a.Memory = 700 },
		"one-off tasks need a cluster":      func(a *TaskArgs) { a.ClusterARN = nil },
		"need a command":                    func(a *TaskArgs) { a.Command = nil },
		"subnets and security groups":       func(a *TaskArgs) { a.Placement = wiring.Placement{} },
		"architecture must be arm64 or":     func(a *TaskArgs) { a.Architecture = "sparc" },
		"log group must be given":           func(a *TaskArgs) { a.Group = nil },
		`container "django": image must be`: func(a *TaskArgs) { a.Program.Image = nil },
	} {
		if _, err := declare(change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
