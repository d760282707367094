package operation

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/internal/catalog"
	"slipway/internal/wiring"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/iam"
	"slipway/site"
)

const (
	sessionPages = "Systems Manager User Guide, \"Sample IAM policies for Session Manager\""
	execPages    = "ECS Developer Guide, \"Monitor Amazon ECS containers with ECS Exec\", IAM permissions"
	ecsPages     = "Service Authorization Reference, Amazon ECS"
	logsPages    = "Service Authorization Reference, Amazon CloudWatch Logs"
	otherPages   = "Service Authorization Reference, the service of the action"
)

// onCallCalls are the calls of the commands that the model does not see, by command: it has no CloudWatch Logs API, no Session Manager
// and no state in S3. Those of scale, restart, pause and resume on what runs are seen. Groups of calls that several commands make stand
// before them.
var (
	callsOfAll = []ownCall{
		{"s3:ListBucket", "{bucket}", "", diyState},
		{"s3:GetObject", "{bucket}/.pulumi/stacks/slipway/{stack}.json", "", diyState},
		{"kms:Decrypt", "{key}", "kms:ViaService=s3.{region}.amazonaws.com", sealed},
	}
	callsOnTask = []ownCall{
		{"ecs:ListTasks", "*", "ecs:cluster={arn}ecs:{region}:{account}:cluster/slipway-{stack}-site", ecsPages},
		{"ecs:DescribeTasks", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", ecsPages},
	}
	callsOfRun = []ownCall{
		{"ecs:TagResource", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "ecs:CreateAction=RunTask", ecsPages},
		{"ecs:DescribeTasks", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", ecsPages},
		{"ecs:StopTask", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "{cluster}", ecsPages},
		{"logs:GetLogEvents", "{arn}logs:{region}:{account}:log-group:/slipway/{stack}/django:log-stream:task/django/1", "", logsPages},
	}
	callsOfPassing = []ownCall{
		{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-site-execution", "iam:PassedToService=ecs-tasks.amazonaws.com", ecsPages},
		{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-site-task", "iam:PassedToService=ecs-tasks.amazonaws.com", ecsPages},
	}
	callsOfSession = []ownCall{
		{"kms:GenerateDataKey", "{logs key}", "{own}", execPages},
		{"ssm:TerminateSession ssm:ResumeSession", "{arn}ssm:{region}:{account}:session/AROAEXAMPLE:ann-1",
			"aws:userid=AROAEXAMPLE:ann", sessionPages},
	}
	callsOfTunnel = append([]ownCall{
		{"ssm:StartSession", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", sessionPages},
		{"ssm:StartSession", "{arn}ec2:{region}:{account}:instance/i-1",
			"ssm:resourceTag/project=slipway ssm:resourceTag/stack={stack}", sessionPages},
		{"ssm:StartSession", "{arn}ssm:{region}::document/AWS-StartPortForwardingSessionToRemoteHost", "", sessionPages},
		{"ssm:TerminateSession ssm:ResumeSession", "{arn}ssm:{region}:{account}:session/AROAEXAMPLE:ann-1",
			"aws:userid=AROAEXAMPLE:ann", sessionPages},
	}, callsOnTask...)
	callsOfVerdict = slices.Concat(callsOnTask, []ownCall{
		{"ecs:DescribeServices ecs:ListServiceDeployments", "{service}", "", ecsPages},
		{"ecs:DescribeServiceDeployments",
			"{arn}ecs:{region}:{account}:service-deployment/slipway-{stack}-site/slipway-{stack}-web/1", "", ecsPages},
		{"ecs:DescribeTaskDefinition", "*", "", ecsPages},
		{"logs:GetLogEvents", "{arn}logs:{region}:{account}:log-group:/slipway/{stack}/django:log-stream:web/django/1", "", logsPages},
	})
	callsOfPause = []ownCall{
		{"s3:PutObject s3:DeleteObject", "{bucket}/.slipway/paused/slipway/{stack}.json", "", diyState},
		{"kms:GenerateDataKey", "{key}", "kms:ViaService=s3.{region}.amazonaws.com", sealed},
	}
)

var onCallCalls = map[string][]ownCall{
	"status": {
		{"ecs:ListTasks", "*", "ecs:cluster={arn}ecs:{region}:{account}:cluster/slipway-{stack}-site", ecsPages},
		{"ecs:DescribeTasks", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", ecsPages},
		{"ecs:DescribeServices", "{service}", "", ecsPages},
		{"application-autoscaling:DescribeScalableTargets elasticloadbalancing:DescribeTargetHealth cloudwatch:DescribeAlarms " +
			"cloudwatch:GetMetricData", "*", "", otherPages},
		{"rds:DescribeDBInstances", "{arn}rds:{region}:{account}:db:slipway-{stack}-database-0123abcd", "", otherPages},
		{"rds:DescribeDBSnapshots", "{arn}rds:{region}:{account}:db:slipway-{stack}-database-0123abcd", "", otherPages},
		{"rds:DescribeDBSnapshots", "{arn}rds:{region}:{account}:snapshot:rds:slipway-{stack}-database-0123abcd-2026", "", otherPages},
		{"elasticache:DescribeReplicationGroups", "{arn}elasticache:{region}:{account}:replicationgroup:slipway-{stack}-cache", "", otherPages},
		{"acm:DescribeCertificate", "{arn}acm:{region}:{account}:certificate/1", "{own}", otherPages},
	},
	"logs": {
		{"logs:DescribeLogGroups logs:DescribeLogStreams logs:FilterLogEvents",
			"{arn}logs:{region}:{account}:log-group:/slipway/{stack}/django", "",
			logsPages},
		{"s3:ListBucket", "arn:aws:s3:::slipway-{stack}-logs-0123abcd", "", otherPages},
		{"s3:GetObject", "arn:aws:s3:::slipway-{stack}-logs-0123abcd/django/2026/x.gz", "", otherPages},
		{"kms:Decrypt", "{logs key}", "kms:ViaService=s3.{region}.amazonaws.com {own}", sealed},
	},
	"doctor": slices.Concat(callsOfVerdict, callsOfRun, []ownCall{
		{"ssm:DescribeParameters elasticloadbalancing:DescribeTargetHealth cloudwatch:DescribeAlarms", "*", "", otherPages},
		{"rds:DescribeDBInstances", "{arn}rds:{region}:{account}:db:slipway-{stack}-database-0123abcd", "", otherPages},
		{"acm:DescribeCertificate", "{arn}acm:{region}:{account}:certificate/1", "{own}", otherPages},
		{"ecr:DescribeImages", "{arn}ecr:{region}:{account}:repository/slipway-{stack}/django", "", otherPages},
		{"ecs:RunTask", "{arn}ecs:{region}:{account}:task-definition/slipway-{stack}-migration:3", "{cluster}", ecsPages},
		{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-migration-execution",
			"iam:PassedToService=ecs-tasks.amazonaws.com", ecsPages},
		{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-migration-task", "iam:PassedToService=ecs-tasks.amazonaws.com", ecsPages},
	}),
	"exec": slices.Concat(callsOnTask, callsOfSession, []ownCall{
		{"ecs:ExecuteCommand", "{arn}ecs:{region}:{account}:cluster/slipway-{stack}-site", "", execPages},
		{"ecs:ExecuteCommand", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", execPages},
	}),
	"task": slices.Concat(callsOfRun, callsOfPassing, []ownCall{
		{"ecs:RunTask", "{arn}ecs:{region}:{account}:task-definition/slipway-{stack}-task:1", "{cluster}", ecsPages},
	}),
	"job": slices.Concat(callsOfRun, callsOfPassing, []ownCall{
		{"ecs:RunTask", "{arn}ecs:{region}:{account}:task-definition/slipway-{stack}-job-clean-up:1", "{cluster}", ecsPages},
	}),
	"shell": slices.Concat(callsOfSession, []ownCall{
		{"ssm:StartSession", "{arn}ec2:{region}:{account}:instance/i-1",
			"ssm:resourceTag/project=slipway ssm:resourceTag/stack={stack}", sessionPages},
		{"ssm:StartSession", "{arn}ssm:{region}:{account}:document/slipway-{stack}-session", "ssm:SessionDocumentAccessCheck=true", sessionPages},
	}),
	"db tunnel": callsOfTunnel,
	"db psql": slices.Concat(callsOfTunnel, []ownCall{
		{"ssm:GetParameter", "{arn}ssm:{region}:{account}:parameter/slipway/{stack}/db/password", "", otherPages},
		{"kms:Decrypt", "{settings key}", "kms:ViaService=ssm.{region}.amazonaws.com {own}", sealed},
		{"ecr:GetAuthorizationToken", "*", "", pulling},
		{"ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
			"{arn}ecr:{region}:{account}:repository/slipway-{stack}/psql", "", pulling},
	}),
	"scale":   callsOfVerdict,
	"restart": callsOfVerdict,
	"pause":   slices.Concat(callsOfVerdict, callsOfPause),
	"resume":  slices.Concat(callsOfVerdict, callsOfPause),
}

// notOfADeployedStack are the commands beside those after a deployment: init writes files, run says that it is called job now, and a
// policy is printed by who makes it. Secrets are set by who deploys, with the key of the state, before any deployment.
var notOfADeployedStack = []string{"init", "run", "policy on-call", "secret set", "secret list"}

// Each command of the day after has its calls in the table: one that is added gets its permissions, or this test fails.
func TestEachCommandOnCallHasItsCalls(t *testing.T) {
	files, err := filepath.Glob("../cmd/slipway/operate/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	use := regexp.MustCompile(`(?m)^func (\w+)\(|\bUse:\s+"([a-z-]+)`)
	parents := regexp.MustCompile(`AddCommand\(`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range use.FindAllStringSubmatch(string(text), -1) {
			if m[2] != "" {
				names = append(names, m[2])
			}
		}
		if parents.Match(text) { // the first is the parent
			for i := 1; i < len(names); i++ {
				names[i] = names[0] + " " + names[i]
			}
			names = names[1:]
		}
		commands = append(commands, names...)
	}
	t.Logf("the commands are %q", commands)
	if len(commands) < 16 {
		t.Errorf("only %d commands were found", len(commands))
	}
	for _, name := range commands {
		if _, ok := onCallCalls[name]; !ok && !slices.Contains(notOfADeployedStack, name) {
			t.Errorf("%s has no row: what does it call?", name)
		}
	}
	for name := range onCallCalls {
		if !slices.Contains(commands, name) {
			t.Errorf("there is no command %s", name)
		}
	}
}

// Alarms and the runbook say of a command that it needs the rights to deploy unless the policy for people on call allows it.
func TestTheRunbookKnowsWhatPeopleOnCallMayDo(t *testing.T) {
	for name := range onCallCalls {
		if !catalog.OnCall(name) {
			t.Errorf("slipway %s is for people on call, and the runbook says that it needs the rights to deploy", name)
		}
	}
	for _, name := range []string{"up", "preview", "drift", "rollback", "promote", "destroy", "unlock", "secret set", "statuses"} {
		if catalog.OnCall(name) {
			t.Errorf("the policy for people on call does not allow slipway %s, and the runbook does not say so", name)
		}
	}
	shop := wiring.Site{Project: "slipway", Stack: "prod", Partition: "aws", Region: "us-east-1", AccountID: "123456789012"}
	page := site.Catalog(shop).Runbook()
	const mark = " (needs the rights to deploy)"
	marked := 0
	for _, at := range regexp.MustCompile("`slipway ([^`]+)`").FindAllStringSubmatchIndex(page, -1) {
		command, after := page[at[2]:at[3]], page[at[1]:]
		words := append(strings.Fields(command), "")
		_, one := onCallCalls[words[0]]
		_, two := onCallCalls[words[0]+" "+words[1]]
		allowed := one || two
		if command == "policy on-call" {
			continue
		}
		if strings.HasPrefix(after, mark) == allowed {
			t.Errorf("slipway %s is for people on call: %v, but the runbook continues %q", command, allowed, after[:len(mark)])
		}
		if !allowed {
			marked++
		}
	}
	if marked < 3 {
		t.Errorf("only %d commands of the runbook need the rights to deploy", marked)
	}
}

// notOnCall are calls that such a person must not make.
var notOnCall = []ownCall{
	{"s3:PutObject s3:DeleteObject", "{bucket}/.pulumi/stacks/slipway/{stack}.json", "", "the state"},
	{"ssm:GetParameter", "{arn}ssm:{region}:{account}:parameter/slipway/{stack}/db/owner-password", "", "the owner's password"},
	{"ssm:PutParameter ssm:DeleteParameter", "{arn}ssm:{region}:{account}:parameter/slipway/{stack}/db/password", "", "a setting"},
	{"ecs:UpdateService", "{arn}ecs:{region}:{account}:service/slipway-prod-site/slipway-prod-web", "", "another stack"},
	{"ecs:ExecuteCommand", "{arn}ecs:{region}:{account}:task/slipway-prod-site/1", "", "another stack"},
	{"rds:StopDBInstance", "{arn}rds:{region}:{account}:db:slipway-prod-database-0123abcd", "", "another stack"},
	{"rds:DeleteDBInstance rds:ModifyDBInstance", "{arn}rds:{region}:{account}:db:slipway-{stack}-database-0123abcd", "", "the database"},
	{"ecs:DeleteService ecs:CreateService", "{service}", "", "the service"},
	{"ecs:RegisterTaskDefinition", "*", "", "other code"},
	{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-site-task", "iam:PassedToService=ec2.amazonaws.com", "the site's role"},
	{"iam:PassRole", "arn:aws:iam::{account}:role/slipway-{stack}-deploy", "iam:PassedToService=ecs-tasks.amazonaws.com", "the deploy role"},
	{"kms:Decrypt", "{logs key}", "kms:ViaService=s3.{region}.amazonaws.com", "a key without the tags of the stack"},
	{"ssm:StartSession", "{arn}ec2:{region}:{account}:instance/i-2", "", "another instance"},
	{"s3:GetObject", "arn:aws:s3:::slipway-{stack}-media-0123abcd/cat.jpg", "", "uploads"},
	{"ecr:BatchGetImage ecr:GetDownloadUrlForLayer", "{arn}ecr:{region}:{account}:repository/slipway-{stack}/django", "", "the site's image"},
	{"ecr:BatchGetImage", "{arn}ecr:{region}:{account}:repository/slipway-prod/psql", "", "another stack"},
	{"ecr:PutImage ecr:InitiateLayerUpload ecr:BatchDeleteImage ecr:DeleteRepository",
		"{arn}ecr:{region}:{account}:repository/slipway-{stack}/psql", "", "an image of another's making"},
}

// A person on call may make every call of the commands after a deployment, and each statement of the policy is needed for one.
func TestTheOnCallPolicyAllowsWhatTheCommandsNeed(t *testing.T) {
	target := Target{Root: checkout(t), Stack: "staging", Throwaway: true, Progress: logged{t},
		Overrides: []string{"database.psqlImage=public.ecr.aws/docker/library/postgres"}}
	if _, err := Bootstrap(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	calls := actCalls(t, target)
	account := opened(t, target)
	fill := onCallFill(t, account, "staging")
	for _, list := range onCallCalls {
		for _, c := range append(slices.Clone(callsOfAll), list...) {
			calls = append(calls, c.expand(fill)...)
		}
	}
	p, err := OnCallPolicy(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Version   string
		Statement []map[string]any
	}
	if err := json.Unmarshal([]byte(p.Document), &document); err != nil {
		t.Fatal(err)
	}
	denied := func(role string, calls []cloud.Call) []string {
		var all []string
		for _, c := range calls {
			d, err := account.Decide(cloud.Caller{Role: role}, c)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Allowed() {
				all = append(all, fmt.Sprintf("%s on %s (%s)", c.Action, c.Resource, c.Source))
			}
		}
		return all
	}
	for _, call := range denied(personWith(t, account, "all", document), calls) {
		t.Errorf("a person on call may not %s", call)
	}
	for i, statement := range document.Statement {
		less := document
		less.Statement = slices.Delete(slices.Clone(document.Statement), i, i+1)
		if len(denied(personWith(t, account, fmt.Sprint(statement["Sid"]), less), calls)) == 0 {
			t.Errorf("statement %v is needed for nothing", statement["Sid"])
		}
	}
	for _, c := range notOnCall {
		for _, call := range c.expand(fill) {
			if len(denied("on-call-all", []cloud.Call{call})) == 0 {
				t.Errorf("a person on call may %s on %s: %s", call.Action, call.Resource, call.Source)
			}
		}
	}
}

// A stack without an image with psql has no registry that a person on call signs in to.
func TestTheOnCallPolicyIsSilentAboutPsqlThatIsNotThere(t *testing.T) {
	for setting, want := range map[string]bool{
		"database.psqlImage=public.ecr.aws/docker/library/postgres": true, "database.rotation=2": false,
	} {
		target := Target{Root: checkout(t), Stack: "staging", Progress: logged{t}, Overrides: []string{setting}}
		p, err := OnCallPolicy(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "/psql"} {
			if strings.Contains(p.Document, part) != want {
				t.Errorf("%s: the policy mentions %s: %t", setting, part, !want)
			}
		}
	}
}

// actCalls are the calls that scale, restart, pause and resume make on the model.
func actCalls(t *testing.T, target Target) []cloud.Call {
	t.Helper()
	var mu sync.Mutex
	var calls []cloud.Call
	target.Model.Opened = func(a *cloud.Account) {
		a.Watch = func(_ cloud.Caller, c cloud.Call) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c)
		}
	}
	_, scaled := Scale(t.Context(), target, ScaleArgs{Service: "web", Tasks: "2..6"})
	_, restarted := Restart(t.Context(), target, "")
	_, paused := Pause(t.Context(), target, PauseArgs{Confirm: func(Pausing) error { return nil }})
	_, resumed := Resume(t.Context(), target)
	for _, err := range []error{scaled, restarted, paused, resumed} {
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, c := range calls {
		seen[c.Action] = true
	}
	for _, action := range []string{"ecs:UpdateService", "application-autoscaling:RegisterScalableTarget", "rds:StopDBInstance",
		"rds:StartDBInstance", "scheduler:UpdateSchedule", "scheduler:GetSchedule", "iam:PassRole"} {
		if !seen[action] {
			t.Errorf("no command called %s", action)
		}
	}
	return calls
}

// personWith makes a role with a policy, and returns its name.
func personWith(t *testing.T, account *cloud.Account, name string, document any) string {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	role := "on-call-" + name
	for _, c := range []cloud.Change{
		{Type: "aws:iam/role:Role", Inputs: map[string]any{"name": role, "assumeRolePolicy": `{"Version":"2012-10-17","Statement":[{` +
			`"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + account.AccountID + `:root"}}]}`}},
		{Type: "aws:iam/rolePolicy:RolePolicy", Inputs: map[string]any{"role": role, "name": "on-call", "policy": string(text)}},
	} {
		c.URN = "urn:pulumi:people::people::" + c.Type + "::" + role
		if _, _, err := account.Create(c); err != nil {
			t.Fatal(err)
		}
	}
	return role
}

func onCallFill(t *testing.T, account *cloud.Account, stack string) *strings.Replacer {
	t.Helper()
	key, named := "", map[string]string{}
	for _, o := range account.Objects() {
		out := cloud.Inputs(o.Outputs)
		switch {
		case o.Type == "aws:kms/key:Key" && o.Seeded:
			key = out.String("arn")
		case o.Type == "aws:kms/alias:Alias":
			named[o.ID] = out.String("targetKeyArn")
		}
	}
	own := func(purpose string) string { return named["alias/slipway-"+stack+"-"+purpose] }
	if key == "" || own("logs") == "" || own("settings") == "" {
		t.Fatalf("not all keys are there: %q, %q", key, named)
	}
	prefix := "arn:aws:ecs:" + account.Region + ":" + account.AccountID
	return strings.NewReplacer("{arn}", "arn:aws:", "{region}", account.Region, "{account}", account.AccountID, "{stack}", stack,
		"{key}", key, "{logs key}", own("logs"), "{settings key}", own("settings"),
		"{bucket}", "arn:aws:s3:::slipway-"+stack+"-state-"+account.AccountID+"-"+account.Region,
		"{own}", "aws:ResourceTag/project=slipway aws:ResourceTag/stack="+stack,
		"{cluster}", "ecs:cluster="+prefix+":cluster/slipway-"+stack+"-site",
		"{service}", prefix+":service/slipway-"+stack+"-site/slipway-"+stack+"-web")
}

// expand are the calls of a row.
func (c ownCall) expand(fill *strings.Replacer) []cloud.Call {
	var all []cloud.Call
	for _, action := range strings.Fields(c.actions) {
		call := cloud.Call{Action: action, Resource: fill.Replace(c.on), Context: iam.Context{}, Source: c.source}
		for _, pair := range strings.Fields(fill.Replace(fill.Replace(c.keys))) {
			key, value, _ := strings.Cut(pair, "=")
			call.Context.Set(key, iam.One(value))
		}
		all = append(all, call)
	}
	return all
}
