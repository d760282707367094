package operation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/engine"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
)

// logged is a Progress that writes to the test's log.
type logged struct{ t testing.TB }

func (l logged) Event(engine.Event)              {}
func (l logged) Logf(format string, args ...any) { l.t.Logf(format, args...) }

// github are the settings that let workflows deploy a stack that has none of its own.
const github = `github={"repository": "example/site", "branches": ["main"], "readBranches": ["main"]}`

// callers counts the calls by their caller.
type callers struct {
	mu   sync.Mutex
	made map[cloud.Caller]int
}

func (c *callers) hooks() ModelHooks {
	c.made = map[cloud.Caller]int{}
	return ModelHooks{Opened: func(a *cloud.Account) {
		a.Watch = func(caller cloud.Caller, _ cloud.Call) { c.mu.Lock(); c.made[caller]++; c.mu.Unlock() }
	}}
}

// The deploy role that bootstrap makes may do all that a stack's life takes, from its first deployment in an empty account to its
// destroy.
func TestTheDeployRoleMayDeploy(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		stack     string
		overrides []string
	}{
		"prod": {"prod", nil}, "staging": {"staging", nil}, "dev": {"dev", []string{github}}, "local": {"local", []string{github}},
		"no NAT":           {"local", []string{github, "network.nat=none", "bastion.enabled=true"}},
		"NAT in each zone": {"dev", []string{github, "network.nat=perZone", "logs.route=firelens", "keys=perPurpose"}},
		"cache":            {"dev", []string{github, "cache.node=cache.t4g.micro", `app.env={"REDIS_URL": "{redis.url}"}`}},
		"protected":        {"staging", []string{"protect=true", "waf.enabled=true", "waf.uploadPaths=[/]"}},
	} {
		t.Run(name, func(t *testing.T) {
			var count callers
			v, err := Rehearse(t.Context(), Target{Root: root, Stack: c.stack, Overrides: c.overrides, Progress: logged{t}, Model: count.hooks()})
			if err != nil {
				t.Fatal(err)
			}
			for _, reason := range v.Reasons {
				t.Error(reason)
			}
			if n := count.made[cloud.Caller{Role: "slipway-" + c.stack + "-deploy"}]; n < 500 {
				t.Errorf("the deploy role made only %d calls: %v", n, count.made)
			}
		})
	}
}

// A stack without github is deployed by an administrator.
func TestAStackWithoutWorkflowsIsDeployedByAnAdministrator(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	var count callers
	v, err := Rehearse(t.Context(), Target{Root: root, Stack: "dev", Progress: logged{t}, Model: count.hooks()})
	if err != nil || !v.Good {
		t.Fatal(err, v)
	}
	if len(count.made) != 1 || count.made[cloud.Caller{}] < 500 {
		t.Errorf("calls by caller: %v", count.made)
	}
}

// checkout is a copy of the project whose stacks are not the user's.
func checkout(t testing.TB) string {
	t.Helper()
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(root, "Pulumi*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var data []byte
		if data, err = os.ReadFile(file); err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err = os.CopyFS(filepath.Join(dir, "app"), os.DirFS(filepath.Join(root, "app"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// deployedByRole bootstraps and deploys prod, and returns its target.
func deployedByRole(t testing.TB, count *callers) Target {
	t.Helper()
	target := Target{Root: checkout(t), Stack: "prod", Throwaway: true, Progress: logged{t}, Model: count.hooks()}
	if _, err := Bootstrap(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	return target
}

// Preview and drift run as the read role, a second up, a release and destroy as the deploy role.
func TestEachOperationRunsAsItsRole(t *testing.T) {
	var count callers
	target := deployedByRole(t, &count)
	deploy, read := cloud.Caller{Role: "slipway-prod-deploy"}, cloud.Caller{Role: "slipway-prod-read"}
	expect := func(what string, who cloud.Caller, least int) {
		t.Helper()
		if count.made[who] < least || len(count.made) > 1 {
			t.Errorf("%s: expected at least %d calls of %s alone, got %v", what, least, who.Role, count.made)
		}
		count.made = map[cloud.Caller]int{}
	}
	delete(count.made, cloud.Caller{}) // of the bootstrap
	expect("the first up", deploy, 500)
	if _, err := Preview(t.Context(), target, ""); err != nil {
		t.Error(err)
	}
	expect("a preview", read, 1)
	found, err := Drift(t.Context(), target, DriftArgs{})
	if err != nil || len(found.Found) > 0 {
		t.Error(err, found)
	}
	expect("a drift check", read, 300)

	// A release: the app changes, and with it the images, task definitions and services.
	settings, err := os.OpenFile(filepath.Join(target.Root, "app", "website", "settings.py"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = settings.WriteString("\n# a release\n")
	}
	if err = errors.Join(err, settings.Close()); err != nil {
		t.Fatal(err)
	}
	released, err := Up(t.Context(), target, UpArgs{Confirm: anything})
	if err != nil || released.Result.Changed() == 0 {
		t.Fatal(err, released)
	}
	expect("a release", deploy, 20)
}

// Old forms of the deploy role's policies, planted into the model: each is refused at the resource that needs the right, with the
// action that is missing.
func TestOldFormsOfTheDeployRoleAreRefused(t *testing.T) {
	var count callers
	target := deployedByRole(t, &count)
	account, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer account.Close()
	deploy := cloud.Caller{Role: "slipway-prod-deploy"}
	named := func(kind, name string) *cloud.Object {
		for _, o := range account.Objects() {
			if o.Type == kind && (name == "" || strings.HasSuffix(o.URN, "::"+name)) {
				return o
			}
		}
		t.Fatalf("there is no %s %s", kind, name)
		return nil
	}
	// edit changes a policy of the deploy role, or of another object, and returns how to restore it.
	edit := func(kind, name, path, old, now string) (restore func(), edits int) {
		var undo []func()
		for _, o := range account.Objects() {
			text := cloud.Inputs(o.Outputs).String(path)
			if o.Type != kind || !strings.HasPrefix(cloud.Inputs(o.Outputs).String("name")+o.URN[strings.LastIndex(o.URN, ":")+1:], name) ||
				!strings.Contains(text, old) {
				continue
			}
			edits++
			set := func(text string) {
				if err := account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs[path], o.Inputs[path] = text, text }); err != nil {
					t.Fatal(err)
				}
			}
			set(strings.ReplaceAll(text, old, now))
			undo = append(undo, func() { set(text) })
		}
		return func() {
			for _, u := range undo {
				u()
			}
		}, edits
	}
	const policies = "aws:iam/policy:Policy"
	drop := func(action string) [3]string {
		return [3]string{"slipway-prod-deploy", `"` + action + `"`, `"sts:GetCallerIdentity"`}
	}
	const (
		instance   = "aws:ec2/instance:Instance"
		repository = "aws:ecr/repository:Repository"
	)
	for _, c := range []struct {
		name     string
		edits    [][3]string // prefix of the policy's name, text, what it was in the old form
		op       string
		kind, of string // the resource that is refused
		want     []string
	}{
		{"row 2: the bastion's root disk, data key", [][3]string{drop("kms:GenerateDataKeyWithoutPlaintext")}, "create", instance,
			"bastion", []string{"kms:GenerateDataKeyWithoutPlaintext", ":key/", "via ec2, with the caller's rights"}},
		{"row 2: the bastion's root disk, re-encryption",
			[][3]string{drop("kms:ReEncrypt*"), drop("kms:ReEncryptFrom"), drop("kms:ReEncryptTo")},
			"create", instance, "bastion", []string{"kms:ReEncryptFrom", "via ec2"}},
		{"row 3: target tracking", [][3]string{drop("cloudwatch:PutMetricAlarm")}, "create", "aws:appautoscaling/policy:Policy",
			"web-scaling-cpu", []string{"cloudwatch:PutMetricAlarm", "target tracking"}},
		{"row 4: the web ACL's logs", [][3]string{drop("logs:PutResourcePolicy")}, "create",
			"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "waf",
			[]string{"logs:PutResourcePolicy", "WAF sets up the delivery"}},
		{"row 5: a repository with a key", [][3]string{drop("kms:RetireGrant")}, "create", repository, "images-django",
			[]string{"kms:RetireGrant", "via ecr"}},
		{"row 5: its deletion", [][3]string{drop("kms:RetireGrant")}, "delete", repository, "images-django",
			[]string{"kms:RetireGrant", "via ecr"}},
		{"A01: tags of a task definition", [][3]string{drop("ecs:TagResource")}, "create", "aws:ecs/taskDefinition:TaskDefinition",
			"web-task", []string{"ecs:TagResource", "task-definition/", "tags at creation"}},
		{"A05: schedules", [][3]string{drop("scheduler:CreateSchedule")}, "create", "aws:scheduler/schedule:Schedule", "job-clean-up",
			[]string{"scheduler:CreateSchedule", "schedule/slipway-prod-jobs/"}},
		{"A16: reading a topic", [][3]string{drop("sns:GetTopicAttributes")}, "create", "aws:sns/topic:Topic", "alarms",
			[]string{"sns:GetTopicAttributes"}},
		{"B04: a grant for the disk's key", [][3]string{drop("kms:CreateGrant")}, "create", instance, "bastion",
			[]string{"kms:CreateGrant", "via ec2"}},
		{"B19: passing the role of a schedule", [][3]string{drop("scheduler.amazonaws.com")}, "create", "aws:scheduler/schedule:Schedule",
			"job-clean-up", []string{"iam:PassRole", "clean-up-starter", "scheduler.amazonaws.com"}},
		{"B24: log deliveries", [][3]string{drop("logs:CreateLogDelivery")}, "create", "aws:ec2/flowLog:FlowLog", "network-flow",
			[]string{"logs:CreateLogDelivery", "flow logs"}},
		{"B25: passing the role of the flow log", [][3]string{drop("vpc-flow-logs.amazonaws.com")}, "create", "aws:ec2/flowLog:FlowLog",
			"network-flow", []string{"iam:PassRole", "slipway-prod-flow", "vpc-flow-logs.amazonaws.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := named(c.kind, c.of)
			if err := account.Try(deploy, c.op, o.Type, o.ID); err != nil {
				t.Fatalf("the program is refused before anything is planted: %v", err)
			}
			edits := 0
			for _, e := range c.edits {
				restore, n := edit(policies, e[0], "policy", e[1], e[2])
				defer restore()
				edits += n
			}
			if edits == 0 {
				t.Fatalf("the deploy role's policies do not have %q: the plant does nothing", c.edits)
			}
			err := account.Try(deploy, c.op, o.Type, o.ID)
			if err == nil {
				t.Fatal("it is not refused")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the refusal lacks %q: %v", want, err)
				}
			}
		})
	}

	t.Run("row 6: no service-linked roles", func(t *testing.T) {
		const linked = "aws:iam/serviceLinkedRole:ServiceLinkedRole"
		restore, edits := edit(policies, "slipway-prod-deploy", "policy", `"iam:CreateServiceLinkedRole"`, `"sts:GetCallerIdentity"`)
		defer restore()
		removed := 0
		for _, o := range account.Objects() {
			if o.Type == linked && cloud.Inputs(o.Inputs).String("awsServiceName") == "ecs.amazonaws.com" {
				if _, err := account.Remove(linked, o.ID); err != nil {
					t.Fatal(err)
				}
				removed++
			}
		}
		o := named("aws:ecs/cluster:Cluster", "cluster")
		err := account.Try(deploy, "create", o.Type, o.ID)
		if removed != 1 || err == nil || !strings.Contains(err.Error(), "AWSServiceRoleForECS") {
			t.Errorf("removed %d, edited %d: %v", removed, edits, err)
		}
	})

	// Rights that are too wide.
	trespasses := func() string {
		found, err := account.Trespasses(deploy.Role)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(found)
	}
	if found := trespasses(); found != "[]" {
		t.Errorf("the deploy role may do too much: %s", found)
	}
	wide := func(statement string) (restore func()) {
		restore, edits := edit(policies, "slipway-prod-deploy", "policy", `"Statement":[`, `"Statement":[`+statement+`,`)
		if edits == 0 {
			t.Fatal("no policy was edited")
		}
		return restore
	}
	t.Run("row 7: every key of the account", func(t *testing.T) {
		defer wide(`{"Sid":"KeepKeys","Effect":"Allow","Action":["kms:PutKeyPolicy","kms:ScheduleKeyDeletion"],` +
			`"Resource":"arn:aws:kms:us-east-1:123456789012:key/*"}`)()
		found := trespasses()
		for _, want := range []string{"may kms:PutKeyPolicy", "another stack", "KeepKeys"} {
			if !strings.Contains(found, want) {
				t.Errorf("expected %q in %s", want, found)
			}
		}
	})
	t.Run("row 8: the state bucket", func(t *testing.T) {
		// The old form had the wide statement and no denial.
		restore, edits := edit(policies, "slipway-prod-deploy", "policy", `"Effect":"Deny"`, `"Effect":"Allow"`)
		defer restore()
		defer wide(`{"Sid":"KeepBuckets","Effect":"Allow","Action":["s3:PutBucketPolicy","s3:DeleteObjectVersion","s3:PutBucketVersioning"],` +
			`"Resource":["arn:aws:s3:::slipway-prod-*","arn:aws:s3:::slipway-prod-*/*"]}`)()
		found := trespasses()
		for _, want := range []string{"may s3:PutBucketPolicy", "may s3:DeleteObjectVersion", "holds the state"} {
			if !strings.Contains(found, want) {
				t.Errorf("with %d denials lifted, expected %q in %s", edits, want, found)
			}
		}
	})
}

// A service control policy limits the administrator and the deploy role alike. The refusal names it.
func TestAServiceControlPolicyLimitsEveryCaller(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "organisation.json")
	err = os.WriteFile(file, []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Sid": "NoRepositories", "Effect": "Deny", "Action": "ecr:CreateRepository", "Resource": "*"}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, overrides := range map[string][]string{"administrator": nil, "deploy role": {github}} {
		v, err := Rehearse(t.Context(), Target{Root: root, Stack: "dev", Overrides: overrides, SCP: []string{file}, Progress: logged{t}})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(v.Reasons, "\n")
		for _, want := range []string{"ecr:CreateRepository", "explicit deny in a service control policy", "organisation.json NoRepositories"} {
			if v.Good || !strings.Contains(text, want) {
				t.Errorf("%s: expected %q in %s", name, want, text)
			}
		}
	}
	_, err = Rehearse(t.Context(), Target{Root: root, Stack: "dev", SCP: []string{file + ".missing"}, Progress: logged{t}})
	if err == nil || !strings.Contains(err.Error(), "--scp") {
		t.Errorf("a missing file: %v", err)
	}
}

// The data perimeter that AWS publishes (https://github.com/aws-samples/data-perimeter-policy-examples) lets every stack deploy, and the
// services that a site uses work. One without the exception for AWS's services does not.
func TestAResourceControlPolicyLimitsServices(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(`{"Version": "2012-10-17", "Statement": [`+text+`]}`), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const services = `"Principal": "*", "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:AssumeRole", "ecr:*"], "Resource": "*"`
	perimeter := write("perimeter.json", `{"Sid": "OwnCallers", "Effect": "Deny", `+services+`, "Condition": {
			"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}},
		{"Sid": "OwnSources", "Effect": "Deny", `+services+`, "Condition": {"StringNotEqualsIfExists": {"aws:SourceOrgID": "o-example1234"},
			"Null": {"aws:SourceAccount": "false"}, "Bool": {"aws:PrincipalIsAWSService": "true"}}},
		{"Sid": "TLS", "Effect": "Deny", `+services+`, "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}}`)
	for _, stack := range []string{"prod", "staging", "dev", "local"} {
		v, err := Rehearse(t.Context(), Target{Root: root, Stack: stack, SCP: []string{perimeter}, Progress: logged{t}})
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range v.Reasons {
			t.Errorf("%s: %s", stack, reason)
		}
	}
	forgetful := write("forgetful.json", `{"Sid": "OwnCallers", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
		"Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"}}}`)
	v, err := Rehearse(t.Context(), Target{Root: root, Stack: "prod", SCP: []string{forgetful}, Progress: logged{t}})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(v.Reasons, "\n")
	for _, want := range []string{"jobs-failed", "events.amazonaws.com -> sqs:SendMessage", "resource control policy",
		"forgetful.json OwnCallers"} {
		if v.Good || !strings.Contains(text, want) {
			t.Errorf("expected %q in %s", want, text)
		}
	}
}

// BenchmarkEvaluation deploys prod without a change, and compares the time with that of both judges in an account that was just opened:
// every call that reads the site, and all findings about permissions, paths and contracts.
func BenchmarkEvaluation(b *testing.B) {
	var count callers
	target := deployedByRole(b, &count)
	var up, evaluation time.Duration
	calls := 0
	for b.Loop() {
		start := time.Now()
		if _, err := Up(b.Context(), target, UpArgs{Confirm: anything}); err != nil {
			b.Fatal(err)
		}
		up += time.Since(start)
		account, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		for _, o := range account.Made() {
			if err := account.Try(cloud.Caller{Role: "slipway-prod-deploy"}, "read", o.Type, o.ID); err != nil {
				b.Error(err)
			}
			calls++
		}
		if found := account.Findings(); len(found) > 0 {
			b.Fatal(found)
		}
		evaluation += time.Since(start)
		account.Close()
	}
	b.ReportMetric(float64(evaluation.Milliseconds())/float64(b.N), "ms-evaluation/op")
	b.ReportMetric(100*evaluation.Seconds()/up.Seconds(), "%of-up")
	b.ReportMetric(float64(calls)/float64(b.N), "resources")
}

// anything agrees to every plan.
func anything(*Plan) error { return nil }
