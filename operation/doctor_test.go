package operation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/diagnosis"
	"slipway/engine"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
	"slipway/verdict"
)

// working is a stack that is up in a model of its own.
func working(t *testing.T, stack string) Target {
	t.Helper()
	target := Target{Root: checkout(t), Stack: stack, Progress: logged{t}}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	return target
}

// copied is the same stack in a folder of its own, so that each problem is planted in one that works.
func copied(t *testing.T, target Target) Target {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(target.Root)); err != nil {
		t.Fatal(err)
	}
	target.Root, target.Progress = dir, logged{t}
	return target
}

// byHand changes objects of a stack's model, as an owner would in the console.
func byHand(t *testing.T, target Target, change func(*cloud.Account)) {
	t.Helper()
	model, err := cloud.Open(modelaccount.File(filepath.Join(target.Root, ".slipway", target.Stack)), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	change(model)
	if err := model.Close(); err != nil {
		t.Fatal(err)
	}
}

// alter changes the objects of a type whose ID, or name in the program, contains a text.
func alter(t *testing.T, model *cloud.Account, kind, named string, change func(o *cloud.Object)) {
	t.Helper()
	n := 0
	for _, o := range model.Objects() {
		if o.Type == kind && strings.Contains(o.ID+" "+o.URN, named) {
			n++
			if err := model.Alter(o.Type, o.ID, change); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Fatalf("the model has no %s %s", kind, named)
	}
}

func lose(t *testing.T, model *cloud.Account, kind, named string) {
	t.Helper()
	n := 0
	for _, o := range model.Objects() {
		if o.Type == kind && strings.Contains(o.ID+" "+o.URN, named) {
			n++
			if _, err := model.Remove(o.Type, o.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n == 0 {
		t.Fatalf("the model has no %s %s", kind, named)
	}
}

// A site that works has no problem, whatever the stack has.
func TestDoctorOfHealthyStacks(t *testing.T) {
	for _, stack := range []string{"local", "dev", "staging", "prod"} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			c, err := Doctor(t.Context(), working(t, stack), DoctorArgs{})
			if err != nil {
				t.Fatal(err)
			}
			if c.State != Healthy || len(c.Causes) != 0 || len(c.Notices) != 0 {
				t.Errorf("state %s, causes %+v, notices %+v, checks %+v", c.State, c.Causes, c.Notices, c.Checks)
			}
			want := []string{"services", "images", "secrets", "database", "network path", "permissions", "load balancer", "tasks", "lock", "drift"}
			if stack == "prod" {
				want = slices.Insert(want, 8, "certificate", "alarms")
			}
			var got []string
			for _, check := range c.Checks {
				got = append(got, check.Name)
				if len(check.Detail) == 0 {
					t.Errorf("check %s saw nothing", check.Name)
				}
			}
			if stack == "prod" && !slices.Equal(got, want) {
				t.Errorf("checks are %v, want %v", got, want)
			}
			if !strings.Contains(c.Inside, "not seen: in the model nothing runs") {
				t.Errorf("the inside was %s", c.Inside)
			}
		})
	}
}

// Each problem that a model can hold is planted in a stack that works, and is the first cause.
func TestDoctorNamesThePlantedCauseFirst(t *testing.T) {
	const (
		group       = "aws:lb/targetGroup:TargetGroup"
		certificate = "aws:acm/certificate:Certificate"
		instance    = "aws:rds/instance:Instance"
	)
	state := func(values ...string) func(o *cloud.Object) {
		return func(o *cloud.Object) {
			o.State = map[string]string{}
			for i := 0; i < len(values); i += 2 {
				o.State[values[i]] = values[i+1]
			}
		}
	}
	unhealthy := func(m *cloud.Account, reason string) {
		alter(t, m, group, "", state("health", "unhealthy", "reason", reason))
	}
	fires := func(m *cloud.Account, name string) {
		alter(t, m, typeAlarm, name, state("state", "ALARM", "reason", "Threshold Crossed: 3 datapoints"))
	}
	host := func(o *cloud.Object) {
		text := cloud.Inputs(o.Outputs).String("containerDefinitions")
		before, after, _ := strings.Cut(text, `{"name":"SLIPWAY_DB_HOST","value":"`)
		_, after, _ = strings.Cut(after, `"`)
		o.Outputs["containerDefinitions"] = before + `{"name":"SLIPWAY_DB_HOST","value":"db.example.com"` + after
	}
	const timeout = "Target.Timeout Request timed out"
	target := working(t, "prod")
	for _, test := range []struct {
		name  string
		plant func(m *cloud.Account)
		kind  diagnosis.Kind
		text  string   // in the cause
		next  string   // in the next step
		also  []string // further causes, by kind
	}{
		{"wrong host", func(m *cloud.Account) {
			alter(t, m, typeDefinition, "::web-task", host)
			unhealthy(m, timeout)
			fires(m, "unhealthy-hosts")
		}, diagnosis.WrongHost, "web asks the host db.example.com", "slipway up --stack prod", nil},
		{"no route", func(m *cloud.Account) {
			lose(t, m, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "network-web-to-data-5432-out")
			unhealthy(m, timeout)
			fires(m, "5xx-balancer")
		}, diagnosis.NoRoute, "no egress rule for tcp 5432 to database", "slipway why --stack prod web database:5432", nil},
		{"missing secret", func(m *cloud.Account) {
			lose(t, m, "aws:ssm/parameter:Parameter", "django/secret-key")
			unhealthy(m, timeout)
		}, diagnosis.SecretMissing, "parameter /slipway/prod/", "slipway up --stack prod", nil},
		{"denied secret", func(m *cloud.Account) {
			lose(t, m, "aws:iam/rolePolicy:RolePolicy", "::site-roles-execution-policy")
		}, diagnosis.SecretDenied, "site-roles-execution may not read parameter", "slipway why --stack prod site-roles-execution", nil},
		{"missing image", func(m *cloud.Account) {
			lose(t, m, "ecr:image", "django@")
			unhealthy(m, timeout)
			fires(m, "5xx-site")
		}, diagnosis.ImageMissing, "the registry does not have image django@sha256:", "slipway rollback --stack prod", nil},
		{"health path 404", func(m *cloud.Account) {
			unhealthy(m, "Target.ResponseCodeMismatch Health checks failed with these codes: [404]")
			fires(m, "unhealthy-hosts")
		}, diagnosis.HealthPath, "the health check of web fails: GET /.slipway/health must answer", "web.healthPath", nil},
		{"an alarm alone", func(m *cloud.Account) { fires(m, "database-storage") }, diagnosis.OtherAlarm,
			"alarm slipway-prod-database-storage fires: Less than a tenth", "description", nil},
		{"an alarm of the site alone", func(m *cloud.Account) { fires(m, "5xx-site") }, diagnosis.SiteAlarm,
			"alarm slipway-prod-5xx-site fires: The site answers 5xx", "slipway rollback --stack prod", nil},
		{"expired certificate", func(m *cloud.Account) {
			alter(t, m, certificate, "", func(o *cloud.Object) {
				o.Outputs["status"], o.Outputs["notAfter"] = "EXPIRED", "2026-01-02T03:04:05Z"
			})
		}, diagnosis.CertificateExpired, "expired on 2026-01-02", "slipway drift --stack prod", nil},
		{"another domain's certificate", func(m *cloud.Account) {
			alter(t, m, certificate, "", func(o *cloud.Object) { o.Outputs["subjectAlternativeNames"] = []any{"*.example.org"} })
		}, diagnosis.CertificateInvalid, "the certificate is for *.example.org, not for", "slipway up --stack prod", nil},
		{"stopped database", func(m *cloud.Account) {
			alter(t, m, instance, "", func(o *cloud.Object) { o.Outputs["status"] = "stopped" })
			unhealthy(m, timeout)
		}, diagnosis.DatabaseDown, "is stopped", "aws rds start-db-instance", nil},
		{"scaled to zero", func(m *cloud.Account) {
			alter(t, m, typeService, "::web", func(o *cloud.Object) { o.Outputs["desiredCount"] = 0.0 })
			fires(m, "5xx-balancer")
		}, diagnosis.Stopped, "is scaled to zero", "slipway up --stack prod", nil},
		{"an old secret", func(m *cloud.Account) {
			alter(t, m, "aws:ssm/parameter:Parameter", "django/secret-key", func(o *cloud.Object) { o.Outputs["version"] = 7.0 })
		}, diagnosis.OldSecret, "which is at version 7", "slipway up --stack prod", nil},
		{"two at once: a secret and the certificate", func(m *cloud.Account) {
			lose(t, m, "aws:ssm/parameter:Parameter", "django/secret-key")
			alter(t, m, certificate, "", func(o *cloud.Object) { o.Outputs["status"] = "EXPIRED" })
			fires(m, "unhealthy-hosts")
		}, diagnosis.SecretMissing, "does not exist", "slipway up", []string{"certificate-expired"}},
		{"two at once: the host and a full disk", func(m *cloud.Account) {
			alter(t, m, typeDefinition, "::web-task", host)
			fires(m, "database-storage")
			unhealthy(m, timeout)
		}, diagnosis.WrongHost, "db.example.com", "slipway up", []string{"other-alarm"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sick := copied(t, target)
			byHand(t, sick, test.plant)
			c, err := Doctor(t.Context(), sick, DoctorArgs{})
			if err != nil {
				t.Fatal(err)
			}
			if c.State != Problem || len(c.Causes) == 0 {
				t.Fatalf("state %s: %+v", c.State, c)
			}
			first := c.Causes[0]
			if first.Kind != test.kind || !strings.Contains(first.Text, test.text) || !strings.Contains(first.Next, test.next) {
				t.Errorf("the first cause is %+v", first)
			}
			var also []string
			for _, cause := range c.Causes[1:] {
				also = append(also, string(cause.Kind))
			}
			if !slices.Equal(also, test.also) {
				t.Errorf("further causes are %v, want %v: %+v", also, test.also, c.Causes)
			}
		})
	}
}

// A paused stack does not work because it is paused, and neither its missing tasks nor its stopped database is the cause. Status says it
// too.
func TestAPausedStackIsPaused(t *testing.T) {
	target := working(t, "staging")
	if _, err := Pause(t.Context(), target, PauseArgs{Confirm: func(Pausing) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	c, err := Doctor(t.Context(), target, DoctorArgs{})
	if err != nil {
		t.Fatal(err)
	}
	if c.State != Problem || len(c.Causes) != 1 || c.Inside != "not seen: the stack is paused" {
		t.Fatalf("state %s, inside %s, causes %+v", c.State, c.Inside, c.Causes)
	}
	first := c.Causes[0]
	if first.Kind != diagnosis.Paused || !strings.HasPrefix(first.Text, "stack staging is paused since 20") ||
		!strings.HasPrefix(first.Next, "slipway resume --stack staging,") {
		t.Errorf("the cause is %+v", first)
	}
	explained := strings.Join(first.Explains, "\n")
	for _, part := range []string{"slipway-staging-web runs no task: the pause took it to zero", "database slipway-staging-database"} {
		if !strings.Contains(explained, part) {
			t.Errorf("it does not explain %s: %q", part, first.Explains)
		}
	}
	if strings.Contains(explained, "by hand") {
		t.Errorf("what the pause did is explained with something else: %q", first.Explains)
	}
	w, err := WatchStatus(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Paused == nil || s.Paused.Who == "" || s.Paused.Starts == nil || s.Paused.Next != "slipway resume --stack staging" {
		t.Errorf("status has %+v, unknown %+v", s.Paused, s.Unknown)
	}
	if len(s.Jobs) == 0 || slices.ContainsFunc(s.Jobs, func(j JobState) bool { return !j.Disabled }) {
		t.Errorf("the schedules of a paused stack are disabled: %+v", s.Jobs)
	}
	if _, err := Resume(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if c, err = Doctor(t.Context(), target, DoctorArgs{}); err != nil || c.State != Healthy {
		t.Errorf("after resume: %+v, %v", c, err)
	}
	if s, err = w.Look(t.Context()); err != nil || s.Paused != nil || len(s.Jobs) == 0 || s.Jobs[0].Disabled {
		t.Errorf("after resume status has %+v, %+v, %v", s.Paused, s.Jobs, err)
	}
}

// An account that answers no question is not healthy, and doctor says what it could not see.
func TestDoctorOfAnAccountThatDenies(t *testing.T) {
	denied := errors.New("ssm:DescribeParameters: api error AccessDeniedException: not authorized")
	d := &doctor{}
	d.check(t.Context(), "outside", "secrets", func(context.Context) error { return denied })
	d.check(t.Context(), "outside", "certificate", func(context.Context) error { return errNothing })
	c := &Checkup{Checks: d.checks}
	if len(d.checks) != 1 || d.checks[0].State != checkUnseen ||
		!strings.Contains(d.checks[0].Detail[0], "not authorized") || c.state() != Unsure {
		t.Errorf("state %s, checks %+v", c.state(), d.checks)
	}
	d.check(t.Context(), "outside", "images", func(context.Context) error {
		d.found(diagnosis.Finding{Kind: diagnosis.ImageMissing, Text: "none"})
		return denied
	})
	c.Diagnosis, c.Checks = diagnosis.Of(d.findings, ""), d.checks
	if c.state() != Problem || d.checks[1].State != checkFailed {
		t.Errorf("what was found before a denial counts: state %s, checks %+v", c.state(), d.checks)
	}
}

// A service in the middle of a deployment is not ill, unless its tasks fail or it takes too long.
func TestADeploymentIsNoProblem(t *testing.T) {
	deploying := func(failed int, ago time.Duration) *patient {
		return &patient{name: "web", is: verdict.Service{Name: "web", Deployments: []verdict.Deployed{
			{Status: "PRIMARY", Rollout: "IN_PROGRESS", Failed: failed, Created: time.Now().Add(-ago)}, {Status: "ACTIVE", Rollout: "COMPLETED"}}}}
	}
	if !deploying(0, time.Minute).changing() || deploying(1, time.Minute).changing() || deploying(0, time.Hour).changing() {
		t.Error("a deployment without failures is one for half an hour")
	}
	c := &Checkup{Diagnosis: diagnosis.Of([]diagnosis.Finding{{Kind: diagnosis.Deploying, Text: "web is being deployed"}}, "")}
	if c.state() != IsChanging {
		t.Errorf("state %s", c.state())
	}
}

// Who interrupts doctor gets no verdict.
func TestAnInterruptedDoctorGivesNoVerdict(t *testing.T) {
	target := working(t, "local")
	ctx, cancel := context.WithCancel(t.Context())
	target.OnEngine = func(*engine.Stack) { cancel() }
	if c, err := Doctor(ctx, target, DoctorArgs{}); !errors.Is(err, context.Canceled) || c != nil {
		t.Errorf("got %+v, %v", c, err)
	}
}

// The task that looks from inside is the migration's, in the network of the web service and with its variables, but not with its role.
func TestTheTaskThatLooksFromInside(t *testing.T) {
	target := working(t, "staging") // whose site logs to the archive alone
	byHand(t, target, func(m *cloud.Account) {
		alter(t, m, typeDefinition, "::web-task", func(o *cloud.Object) {
			text := cloud.Inputs(o.Outputs).String("containerDefinitions")
			o.Outputs["containerDefinitions"] = strings.Replace(text, `"SLIPWAY_DB_PORT","value":"5432"`, `"SLIPWAY_DB_PORT","value":"5433"`, 1)
		})
	})
	c, err := configure(target)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), target, c, openArgs{operation: "read"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	d := &doctor{session: s, read: s.account.Diagnosis(), observer: s.account.Observe()}
	if err := d.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.outside(t.Context())
	run, image, err := d.examination(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(run.TaskDefinition, "slipway-staging-migration:") || len(run.Subnets) == 0 || len(run.SecurityGroups) != 1 ||
		run.LogGroup == "" || run.LogPrefix != "migration" || !strings.Contains(image, "/django@sha256:") {
		t.Errorf("the task is %+v of %s", run, image)
	}
	if want := []string{"doctor", "--json", "--path=/healthz", "--below=400"}; !slices.Equal(run.Command, want) {
		t.Errorf("its command is %q", run.Command)
	}
	if _, role := run.Environment["SLIPWAY_DB_USER"]; role || run.Environment["SLIPWAY_DB_PORT"] != "5433" {
		t.Errorf("its variables are %v", run.Environment)
	}
	result, err := d.read.Examine(t.Context(), run) // the model's roles, network and images suit it
	if err != nil || !result.Started {
		t.Errorf("%+v, %v", result, err)
	}
}

// What the helper wrote becomes checks and findings. A health path that only fails inside is no problem: something in front of Django may
// answer it.
func TestReportsOfTheHelper(t *testing.T) {
	lines := []string{
		"noise", `{"check":"environment","state":"ok","evidence":["set: A B"]}`,
		`{"check":"log-in","state":"failed","kind":"password","seen":"password authentication failed","cause":"the password","evidence":["x"]}`,
		`{"check":"database","state":"not tried"}`,
		`{"check":"health","state":"failed","kind":"health-path","seen":"GET /x answers 404","cause":"web.healthPath"}`,
	}
	d := &doctor{}
	if n := d.report(lines); n != 4 || len(d.findings) != 1 || d.findings[0].Kind != diagnosis.Password {
		t.Fatalf("%d checks, findings %+v", n, d.findings)
	}
	var states []string
	for _, c := range d.checks {
		states = append(states, c.State)
	}
	if !slices.Equal(states, []string{checkOK, checkFailed, checkUnseen, checkOK}) {
		t.Errorf("states are %q", states)
	}
	d = &doctor{findings: []diagnosis.Finding{{Kind: diagnosis.Unhealthy, Text: "1 of 1 targets"}}}
	if d.report(lines[4:]); len(d.findings) != 2 || d.findings[1].Kind != diagnosis.HealthPath {
		t.Errorf("with an unhealthy target: %+v", d.findings)
	}
}
