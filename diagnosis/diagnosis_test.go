package diagnosis

import (
	"slices"
	"strings"
	"testing"
)

// Every kind has one rule with words, and what a rule explains comes later: so an order of causes exists.
func TestRulesAreInOrder(t *testing.T) {
	rank := map[Kind]int{}
	for i, r := range rules {
		if _, twice := rank[r.kind]; twice {
			t.Errorf("%s has two rules", r.kind)
		}
		rank[r.kind] = i
		if r.because == "" || r.next == "" {
			t.Errorf("%s has no words", r.kind)
		}
	}
	for i, r := range rules {
		for _, k := range r.explains {
			if at, ok := rank[k]; !ok || at <= i {
				t.Errorf("%s explains %s, which comes before it or has no rule", r.kind, k)
			}
		}
	}
	for _, s := range signs {
		if _, ok := rank[s.kind]; !ok {
			t.Errorf("sign %s points to %s, which has no rule", s.words, s.kind)
		}
	}
}

func kinds(causes []Cause) string {
	var all []string
	for _, c := range causes {
		all = append(all, string(c.Kind)+"("+strings.Join(c.Parts, "+")+")")
	}
	return strings.Join(all, " ")
}

func TestCausesExplainTheirConsequences(t *testing.T) {
	f := func(k Kind, part, text string) Finding { return Finding{Kind: k, Part: part, Text: text} }
	for name, test := range map[string]struct {
		findings []Finding
		want     string   // the causes, in order
		explains []string // of the first
	}{
		"nothing": {nil, "", nil},
		"the host explains what shows, in whatever order it was found": {
			[]Finding{f(SiteAlarm, "web", "alarm"), f(Unhealthy, "web", "target"), f(NoRoute, "web", "timeout"), f(WrongHost, "web", "host")},
			"wrong-host(web)", []string{"timeout", "target", "alarm"}},
		"an unhealthy worker is not explained by web's host": {
			[]Finding{f(WrongHost, "web", "host"), f(Unhealthy, "web", "target"), f(Crash, "worker", "crash")},
			"wrong-host(web) crash(worker)", []string{"target"}},
		"a stopped database explains it for all services": {
			[]Finding{f(PortRefused, "web", "refused"), f(Crash, "worker", "crash"), f(DatabaseDown, "", "stopped")},
			"database-down()", []string{"refused", "crash"}},
		"a consequence of a consequence belongs to the root": {
			[]Finding{f(Stopped, "web", "1 of 2"), f(SecretMissing, "web", "parameter"), f(Crash, "web", "crash"), f(WrongRelease, "web", "old")},
			"secret-missing(web)", []string{"crash", "1 of 2", "old"}},
		"what takes the site down comes before a stale lock, and both are there": {
			[]Finding{f(StaleLock, "", "lock"), f(Password, "web", "password"), f(Unhealthy, "web", "target")},
			"password(web) stale-lock()", []string{"target"}},
		"a missing table is not a failed migration": {
			[]Finding{f(Crash, "web", "crash"), f(Tables, "web", "table")}, "tables(web)", []string{"crash"}},
		"a full disk is not explained by a wrong host": {
			[]Finding{f(OtherAlarm, "", "disk"), f(WrongHost, "web", "host")}, "wrong-host(web) other-alarm()", nil},
		"a kind of a newer helper is a problem": {[]Finding{f("solar-flare", "web", "flare")}, "crash(web)", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := Of(test.findings, " --stack prod")
			if got := kinds(d.Causes); got != test.want {
				t.Fatalf("causes are %s, want %s", got, test.want)
			}
			if len(d.Causes) > 0 && !slices.Equal(d.Causes[0].Explains, test.explains) {
				t.Errorf("the first explains %q, want %q", d.Causes[0].Explains, test.explains)
			}
			for i := range test.findings { // the order of findings must not matter for the order of causes
				turned := slices.Concat(test.findings[i:], test.findings[:i])
				if got := kinds(Of(turned, "").Causes); got != test.want {
					t.Errorf("turned by %d, causes are %s", i, got)
				}
			}
		})
	}
}

func TestFindingsOfOneSubjectAreOneCause(t *testing.T) {
	d := Of([]Finding{
		{Kind: ImageMissing, Part: "web", Subject: "r@1", Text: "no image r@1", Evidence: []string{"web uses it"}},
		{Kind: ImageMissing, Part: "worker", Subject: "r@1", Text: "no image r@1", Evidence: []string{"worker uses it"}},
		{Kind: ImageMissing, Part: "web", Text: "CannotPullContainerError"}, // ECS does not say which
		{Kind: ImageMissing, Part: "web", Subject: "r@2", Text: "no image r@2"},
		{Kind: Drift, Text: "2 resources drifted"},
	}, " --stack prod")
	if got := kinds(d.Causes); got != "image-missing(web+worker) image-missing(web)" || kinds(d.Notices) != "drift()" {
		t.Fatalf("causes are %s, notices %s", got, kinds(d.Notices))
	}
	if got := d.Causes[0].Evidence; !slices.Equal(got, []string{"web uses it", "worker uses it", "CannotPullContainerError"}) {
		t.Errorf("evidence is %q", got)
	}
	if got := d.Causes[0].Next; !strings.HasPrefix(got, "slipway rollback --stack prod, or slipway up --stack prod") {
		t.Errorf("next is %q", got)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	d := Of([]Finding{{Kind: Crash, Text: "postgres://site:hunter2@db/site\nrefused",
		Evidence: []string{"DATABASE_URL=postgres://site:hunter2@db/site"}}}, "")
	if text := d.Causes[0].Text + d.Causes[0].Evidence[0]; strings.Contains(text, "hunter2") || strings.Contains(text, "\n") {
		t.Error(text)
	}
}

func TestSigns(t *testing.T) {
	for _, test := range []struct {
		want Kind
		line string
	}{
		{ImageMissing, "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref r/d@sha256:1: not found"},
		{ImageDenied, "CannotPullContainerError: failed to resolve ref: 403 Forbidden: not authorized to perform: ecr:BatchGetImage"},
		{RegistryUnreachable, "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout"},
		{SecretsUnreachable, "ResourceInitializationError: unable to pull secrets or registry auth: check your task network"},
		{SecretDenied, "ResourceInitializationError: unable to pull secrets or registry auth: secrets from ssm: AccessDeniedException: no"},
		{SecretMissing, "ResourceInitializationError: unable to pull secrets or registry auth: invalid ssm parameters: /slipway/prod/x"},
		{LogGroup, "ResourceInitializationError: failed to validate logger args: The specified log group does not exist: /x"},
		{WrongHost, `psycopg.OperationalError: [Errno -2] Name or service not known`},
		{WrongHost, `could not translate host name "db" to address: Name or service not known`},
		{NoRoute, `connection to server at "10.0.0.1", port 5432 failed: timeout expired`},
		{PortRefused, `connection to server at "10.0.0.1", port 5432 failed: Connection refused`},
		{Password, `connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "site"`},
		{NoDatabase, `FATAL:  database "site" does not exist`},
		{Tables, `django.db.utils.ProgrammingError: relation "feed_entry" does not exist`},
		{Connections, `FATAL:  remaining connection slots are reserved`},
		{Settings, "ModuleNotFoundError: No module named 'mysite'"},
		{HealthPath, "Target.ResponseCodeMismatch Health checks failed with these codes: [404]"},
		{Unhealthy, "Target.ResponseCodeMismatch Health checks failed with these codes: [500]"},
		{Unhealthy, "Target.Timeout Request timed out"},
		{Memory, "OutOfMemoryError: container killed due to memory usage"},
		{ImageProcessor, "exec /usr/local/bin/python: exec format error"},
	} {
		line, want := test.line, test.want
		if got := KindOf([]string{line}, nil, Unhealthy); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		if got := KindOf([]string{"Essential container in task exited"}, []string{"[INFO] Starting", line}, Unhealthy); got != want {
			t.Errorf("in a log, %s: %s, want %s", line, got, want)
		}
	}
}
