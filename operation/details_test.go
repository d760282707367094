package operation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/engine"
)

// The documents in a change become settings with names.
func TestDetails(t *testing.T) {
	container := func(env, more string) string {
		return `[{"name":"django","image":"r@sha256:1","environment":[` + env + `],"secrets":[{"name":"SECRET_KEY","valueFrom":"arn:a"}]` + more +
			`},{"name":"nginx","image":"r@sha256:2"}]`
	}
	policy := func(actions, more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Sid":"ReadSecrets","Effect":"Allow","Action":[` +
			actions + `],"Resource":"*"}` + more + `]}`
	}
	const a, b = `{"name":"A","value":"1"}`, `{"name":"B","value":"2"}`
	for _, c := range []struct {
		name       string
		properties []engine.Property
		want       string
	}{
		{"a variable is added", []engine.Property{{Path: "containerDefinitions", Kind: "update-replace", From: container(a, ""),
			To: container(a+","+b, "")}},
			"+ web/django env B=2 (replaces)"},
		{"a variable changes, one is removed", []engine.Property{
			{Path: "containerDefinitions", From: container(a+","+b, ""), To: container(strings.Replace(a, "1", "9", 1), "")}},
			"~ web/django env A 1 9, - web/django env B=2"},
		{"the order of variables is no change", []engine.Property{{Path: "containerDefinitions", From: container(a+","+b, ""),
			To: container(b+","+a, "")}}, ""},
		{"a command", []engine.Property{{Path: "containerDefinitions", From: container(a, ""), To: container(a, `,"command":["x"],"cpu":5`)}},
			"+ web/django command=x, + web/django cpu=5"},
		{"a container is not known yet", []engine.Property{{Path: "containerDefinitions", From: container(a, ""), To: "[unknown]"}},
			"~ web/django known later, ~ web/nginx known later"},
		{"a secret stays one", []engine.Property{{Path: "containerDefinitions", From: "[secret]", To: container(a, "")}, {Path: "value",
			From: "[secret]", To: "[secret]"}},
			"~ containerDefinitions [secret] [secret], ~ value [secret] [secret]"},
		{"an action of a statement", []engine.Property{{Path: "policy", From: policy(`"s3:Get"`, ""), To: policy(`"s3:Get","s3:Put"`, "")}},
			"+ statement ReadSecrets action=s3:Put"},
		{"a statement is removed", []engine.Property{{Path: "policy", From: policy(`"s3:Get"`,
			`,{"Sid":"Old","Effect":"Deny","Action":"*"}`), To: policy(`"s3:Get"`, "")}},
			"- statement Old action=*, - statement Old effect=Deny"},
		{"a trust policy", []engine.Property{{Path: "assumeRolePolicy", From: `{"Statement":[{"Sid":"T","Principal":{"Service":"a"}}]}`,
			To: `{"Statement":[{"Sid":"T","Principal":{"Service":"b"}}]}`}}, "~ assumeRolePolicy statement T principal Service a b"},
		{"tags are listed once", []engine.Property{{Path: "tags.team", To: "x"}, {Path: "tagsAll.team", To: "x"}}, "+ tags.team=x"},
		{"default tags", []engine.Property{{Path: "tagsAll", From: map[string]any{"a": "1"}, To: map[string]any{"a": "2"}}}, "~ tagsAll.a 1 2"},
		{"a plain value", []engine.Property{{Path: "retentionInDays", Kind: "update", From: 7.0, To: 30.0}}, "~ retentionInDays 7 30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range detailsOf(engine.Change{URN: "urn:pulumi:local::slipway::aws:ecs/taskDefinition:TaskDefinition::web-task",
				Properties: c.properties}) {
				line := map[string]string{"add": "+ " + d.Name + "=" + fmt.Sprint(d.To), "delete": "- " + d.Name + "=" + fmt.Sprint(d.From),
					"update": fmt.Sprintf("~ %s %v %v", d.Name, d.From, d.To)}[d.Op]
				if d.To == unknown {
					line = "~ " + d.Name + " known later"
				}
				if d.Replaces {
					line += " (replaces)"
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A value that is secret on one side does not show on the other.
func TestDetailsKeepSecrets(t *testing.T) {
	for _, p := range []engine.Property{{Path: "value", From: "[secret]", To: "hunter2"}, {Path: "value", From: "hunter2", To: "[secret]"}} {
		for _, d := range detailsOf(engine.Change{Properties: []engine.Property{p}}) {
			if d.From == "hunter2" || d.To == "hunter2" {
				t.Errorf("%v shows the secret: %v", p, d)
			}
		}
	}
}

// What was done is compared with what was planned.
func TestDeviations(t *testing.T) {
	urn := func(name string) string { return "urn:pulumi:local::slipway::a:b:C::" + name }
	change := func(name, op string) engine.Change { return engine.Change{URN: urn(name), Op: op} }
	p := &Plan{Changes: []PlannedChange{{Change: change("same", "update")}, {Change: change("idle", "update")}, {Change: change("worse",
		"update")},
		{Change: engine.Change{URN: urn("group"), Op: "create", Component: true}}}}
	got := p.deviations(engine.Result{Changes: []engine.Change{change("same", "update"), change("worse", "replace"), change("new", "create")}})
	want := []Deviation{{urn("idle"), "idle", "update", ""}, {urn("worse"), "worse", "update", "replace"}, {urn("new"), "new", "", "create"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var lines []string
	for _, d := range got {
		lines = append(lines, d.String())
	}
	if diff := cmp.Diff([]string{"Planned, and then not necessary: update of idle.",
		"Otherwise than planned: worse was replaced instead of updated.", "Not planned: new was created."}, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
