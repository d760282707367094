package whatif

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// An engine stands in for Pulumi's: it makes outputs of the inputs, with an id and an ARN.
type engine struct{ got []*request }

func (e *engine) register(_ context.Context, q *request) (*response, error) {
	e.got = append(e.got, q)
	outputs := q.GetObject().AsMap()
	if outputs == nil {
		outputs = map[string]any{}
	}
	outputs["arn"] = "arn:" + q.GetName()
	return &response{Urn: urn(q.GetType(), q.GetName()), Id: "id-" + q.GetName(), Object: object(outputs)}, nil
}

func urn(token, name string) string { return "urn:pulumi:s::p::" + token + "::" + name }

func object(m map[string]any) *structpb.Struct {
	s, err := structpb.NewStruct(m)
	if err != nil {
		panic(err)
	}
	return s
}

func (e *engine) find(name string) *request {
	for _, q := range e.got {
		if q.GetName() == name {
			return q
		}
	}
	return nil
}

const (
	stackType  = "pulumi:pulumi:Stack"
	policyType = "aws:iam/rolePolicy:RolePolicy"
	keyToken   = "aws:kms/key:Key"
	taskToken  = "aws:ecs/taskDefinition:TaskDefinition"
)

const keyPolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"Admin","Effect":"Allow","Action":"kms:*"},` +
	`{"Sid":"Logs","Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Condition":{"StringEquals":{"aws:SourceAccount":"1"}}}]}`

const containers = `[{"name":"web","memory":256,"environment":[{"name":"A","value":"1"}]},{"name":"nginx","memory":64}]`

// program is what a small program registers.
func program() []*request {
	return []*request{
		{Type: stackType, Name: "s"},
		{Type: "slipway:keys:Ring", Name: "keys", Parent: urn(stackType, "s")},
		{Type: keyToken, Name: "keys-logs", Custom: true, Parent: urn("slipway:keys:Ring", "keys"), Provider: "default::x", Version: "6.83.2",
			Object: object(map[string]any{"policy": keyPolicy, "enableKeyRotation": true, "tags": map[string]any{"a": "b"}})},
		{Type: "aws:kms/alias:Alias", Name: "keys-logs", Custom: true, Parent: urn("slipway:keys:Ring", "keys"),
			Object:       object(map[string]any{"targetKeyId": "id-keys-logs"}),
			Dependencies: []string{urn(keyToken, "keys-logs")}},
		{Type: "aws:iam/role:Role", Name: "web.role", Custom: true, Object: object(map[string]any{"managedPolicyArns": []any{"x", "y"}})},
		{Type: policyType, Name: "web-policy", Custom: true, Object: object(map[string]any{
			"policy": `{"Statement":{"Sid":"Only","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`})},
		{Type: taskToken, Name: "web-task", Custom: true, Dependencies: []string{urn(keyToken, "keys-logs"), urn(policyType, "web-policy")},
			PropertyDependencies: map[string]*pulumirpc.RegisterResourceRequest_PropertyDependencies{
				"containerDefinitions": {Urns: []string{urn(keyToken, "keys-logs")}}},
			Object: object(map[string]any{"family": "f", "containerDefinitions": map[string]any{markKey: markSecret, "value": containers}})},
	}
}

func play(t *testing.T, m interface {
	Register(context.Context, *request, register) (*response, error)
}) *engine {
	t.Helper()
	e := &engine{}
	for _, q := range program() {
		if _, err := m.Register(t.Context(), q, e.register); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func recorded(t *testing.T) *Record {
	t.Helper()
	r := NewRecord()
	play(t, r)
	return r
}

// changed is what the engine gets with changes.
func changed(t *testing.T, f Flags) *engine {
	t.Helper()
	c, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.On(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	run := plan.Run()
	e := play(t, run)
	if err := run.Finish(t.Context(), e.register); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestValuesAreSetAtPaths(t *testing.T) {
	for _, c := range []struct{ with, resource, property, want string }{
		{"keys-logs.enableKeyRotation=false", "keys-logs", "enableKeyRotation", `false`},
		{"keys-logs.enableKeyRotation=null", "keys-logs", "enableKeyRotation", `null`},
		{"Key::keys-logs.tags.c=1", "keys-logs", "tags", `{"a":"b","c":1}`},
		{`aws:kms/key:Key::keys-logs.tags["c.d"]="e"`, "keys-logs", "tags", `{"a":"b","c.d":"e"}`},
		{"keys-logs.description=\"a=b\"", "keys-logs", "description", `"a=b"`},
		{"web.role.managedPolicyArns[0]=null", "web.role", "managedPolicyArns", `["y"]`},
		{"web.role.managedPolicyArns[+]=\"z\"", "web.role", "managedPolicyArns", `["x","y","z"]`},
		{"web.role.managedPolicyArns.x=null", "web.role", "managedPolicyArns", `["y"]`},
		{"web.role.inlinePolicies[0].name=\"n\"", "web.role", "inlinePolicies", `[{"name":"n"}]`},
		{"web-policy.policy.Only.Action=\"s3:*\"", "web-policy", "policy",
			`"{\"Statement\":[{\"Action\":\"s3:*\",\"Effect\":\"Allow\",\"Resource\":\"*\",\"Sid\":\"Only\"}]}"`},
		{`web-policy.policy={"Statement":[]}`, "web-policy", "policy", `"{\"Statement\":[]}"`},
	} {
		t.Run(c.with, func(t *testing.T) {
			got := changed(t, Flags{With: []string{c.with}}).find(c.resource).GetObject().AsMap()[c.property]
			if text, _ := json.Marshal(got); string(text) != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

// Paths lead into the JSON of a policy by Sid, and into that of containers by name, also if it is a secret.
func TestPathsLeadIntoDocuments(t *testing.T) {
	text := func(e *engine, name, property string) string {
		v := e.find(name).GetObject().AsMap()[property]
		if _, inner, ok := wrapped(v); ok {
			v = inner
		}
		return fmt.Sprint(v)
	}
	for _, c := range []struct{ with, has, hasNot string }{
		{`keys-logs.policy.Statement[Logs].Action=["kms:Decrypt"]`, `"Action":["kms:Decrypt"]`, "kms:Encrypt"},
		{`keys-logs.policy.Logs.Condition.StringEquals["aws:SourceAccount"]="2"`, `"aws:SourceAccount":"2"`, `"aws:SourceAccount":"1"`},
		{`keys-logs.policy.Statement["Logs"].Condition=null`, `"Logs"`, "Condition"},
		{`keys-logs.policy.Statement[1].Action["kms:Encrypt"]=null`, "kms:Decrypt", "kms:Encrypt"},
		{`keys-logs.policy.Statement[+]={"Sid":"New","Effect":"Deny"}`, `"Sid":"New"`, "nothing"},
	} {
		got := text(changed(t, Flags{With: []string{c.with}}), "keys-logs", "policy")
		if !strings.Contains(got, c.has) || strings.Contains(got, c.hasNot) {
			t.Errorf("%s: %s", c.with, got)
		}
	}
	e := changed(t, Flags{With: []string{
		"web-task.containerDefinitions.nginx.memory=16", `web-task.containerDefinitions[web].environment.A.value="2"`,
		`web-task.containerDefinitions[web].environment[+]={"name":"B","value":"3"}`,
		`web-task.containerDefinitions[web].environment.B.value="4"`,
	}})
	want := `[{"environment":[{"name":"A","value":"2"},{"name":"B","value":"4"}],"memory":256,"name":"web"},{"memory":16,"name":"nginx"}]`
	if got := text(e, "web-task", "containerDefinitions"); got != want {
		t.Errorf("got %s", got)
	}
	if m, _, ok := wrapped(e.find("web-task").GetObject().AsMap()["containerDefinitions"]); !ok || m[markKey] != markSecret {
		t.Error("the containers are no longer secret")
	}
}

func TestAResourceIsLeftOut(t *testing.T) {
	e := changed(t, Flags{Without: []string{"Key::keys-logs"}})
	if q := e.find("keys-logs"); q == nil || q.GetType() != "aws:kms/alias:Alias" || len(q.GetDependencies()) != 0 {
		t.Errorf("the alias does not stand alone: %v", q)
	}
	task := e.find("web-task")
	if got := task.GetDependencies(); !slices.Equal(got, []string{urn(policyType, "web-policy")}) {
		t.Errorf("the task depends on %v", got)
	}
	if got := task.GetPropertyDependencies()["containerDefinitions"].GetUrns(); len(got) != 0 {
		t.Errorf("a property depends on %v", got)
	}
	if e := changed(t, Flags{Without: []string{"keys"}}); e.find("keys") != nil || e.find("keys-logs") != nil {
		t.Error("what is in the component was registered without it")
	}
}

// The program gets the outputs that the resource would have, and inputs of this run in them.
func TestTheProgramGetsOutputsOfWhatIsLeftOut(t *testing.T) {
	c, err := Parse(Flags{Without: []string{"Key::keys-logs"}})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.On(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	q := program()[2]
	q.Object.Fields["enableKeyRotation"] = structpb.NewBoolValue(false)
	run := plan.Run()
	got, err := run.Register(t.Context(), q, func(context.Context, *request) (*response, error) {
		t.Error("the engine was asked")
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := got.GetObject().AsMap()
	if got.GetId() != "id-keys-logs" || got.GetUrn() != urn(keyToken, "keys-logs") || out["arn"] != "arn:keys-logs" ||
		out["enableKeyRotation"] != false {
		t.Errorf("got %v", got)
	}
	if run.Outputs(&pulumirpc.RegisterResourceOutputsRequest{Urn: got.GetUrn()}) {
		t.Error("the engine gets outputs of a resource that it does not know")
	}
}

func TestAStatementIsLeftOut(t *testing.T) {
	policy := func(e *engine) string {
		return fmt.Sprint(e.find("keys-logs").GetObject().AsMap()["policy"])
	}
	got := policy(changed(t, Flags{Without: []string{"keys-logs#Logs"}}))
	if strings.Contains(got, "Logs") || !strings.Contains(got, "Admin") {
		t.Errorf("got %s", got)
	}
	// AWS takes no policy without a statement.
	if e := changed(t, Flags{Without: []string{"web-policy#Only"}}); e.find("web-policy") != nil {
		t.Error("the policy has no statement and is still there")
	}
	got = policy(changed(t, Flags{Without: []string{"keys-logs#Logs"}, With: []string{
		`keys-logs.policy={"Statement":[{"Sid":"Last","Effect":"Allow"}]}`}}))
	if !strings.Contains(got, "Last") {
		t.Errorf("got %s", got)
	}
}

func TestResourcesAreAdded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "add.yaml")
	write(t, file, `
name: more
runtime: yaml
resources:
  second:
    type: aws:iam:RolePolicy
    properties:
      role: ${web.role.id}
      name: ${first.arn}-x
      policy:
        Statement:
          - {Effect: Allow, Action: "kms:Decrypt", Resource: "${Key::keys-logs.arn}",
             Condition: {StringEquals: {"aws:PrincipalTag/a": "${aws:username} $${x}"}}}
    options: {dependsOn: ["${web-task}"], protect: true}
  first: {type: "aws:kms/key:Key", properties: {deletionWindowInDays: 7, policy: {"fn::toJSON": {a: ["${Key::keys-logs.arn}"]}}}}
`)
	e := changed(t, Flags{Add: []string{file}})
	first, second := e.find("first"), e.find("second")
	if first == nil || second == nil {
		t.Fatalf("got %v", e.got)
	}
	if got := first.GetObject().AsMap(); got["deletionWindowInDays"] != 7.0 || got["policy"] != `{"a":["arn:keys-logs"]}` {
		t.Errorf("first: %v", got)
	}
	got := second.GetObject().AsMap()
	if got["role"] != "id-web.role" || got["name"] != "arn:first-x" || !strings.Contains(fmt.Sprint(got["policy"]),
		`"Resource":"arn:keys-logs"`) || !strings.Contains(fmt.Sprint(got["policy"]), `"${aws:username} ${x}"`) {
		t.Errorf("second: %v", got)
	}
	if second.GetProvider() != "default::x" || second.GetVersion() != "6.83.2" || !second.GetProtect() ||
		second.GetParent() != urn(stackType, "s") {
		t.Errorf("it does not have the program's provider: %v", second)
	}
	if deps := second.GetDependencies(); len(deps) != 4 || e.got[len(e.got)-1] != second {
		t.Errorf("it depends on %v", deps)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What is not known in a preview cannot be edited in it; the up that follows does.
func TestUnknownValuesStayAsTheyAreInAPreview(t *testing.T) {
	c, err := Parse(Flags{With: []string{"keys-logs.policy.Logs.Action=\"x\""}})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := c.On(recorded(t))
	if err != nil {
		t.Fatal(err)
	}
	q, e := program()[2], &engine{}
	q.Object.Fields["policy"] = structpb.NewStringValue(markUnknown)
	if _, err := plan.Run().Register(t.Context(), q, e.register); err != nil || e.got[0].GetObject().AsMap()["policy"] != markUnknown {
		t.Errorf("got %v, %v", e.got, err)
	}
}

func TestOptionsAreChanged(t *testing.T) {
	e := changed(t, Flags{With: []string{"web-task.options.protect=true", "web-task.options.dependsOn=null",
		`web-task.options.ignoreChanges=["family"]`}})
	q := e.find("web-task")
	if !q.GetProtect() || !slices.Equal(q.GetIgnoreChanges(), []string{"family"}) ||
		!slices.Equal(q.GetDependencies(), []string{urn(keyToken, "keys-logs")}) {
		t.Errorf("got %v", q)
	}
}

// What a property refers to is there before, and remains until the resource is gone; what it no longer refers to need not.
func TestAChangedPropertyDependsOnWhatItRefersTo(t *testing.T) {
	key, policy, role := urn(keyToken, "keys-logs"), urn(policyType, "web-policy"), urn("aws:iam/role:Role", "web.role")
	for _, c := range []struct {
		flags       []string
		all, ofProp []string
	}{
		{[]string{"web-task.containerDefinitions=[]"}, []string{policy}, nil},
		{[]string{`web-task.containerDefinitions="${web.role.arn}"`}, []string{policy, role}, []string{role}},
		{[]string{`web-task.containerDefinitions.web.image="${web.role.arn}"`}, []string{key, policy, role}, []string{key, role}},
		{[]string{"web-task.containerDefinitions.web.memory=1"}, []string{key, policy}, []string{key}},
		{[]string{"web-task.options.dependsOn=null", "web-task.containerDefinitions=[]"}, nil, nil},
	} {
		q := changed(t, Flags{With: c.flags}).find("web-task")
		if !slices.Equal(q.GetDependencies(), c.all) || !slices.Equal(q.GetPropertyDependencies()["containerDefinitions"].GetUrns(), c.ofProp) {
			t.Errorf("%s: got %s and %s", c.flags, q.GetDependencies(), q.GetPropertyDependencies())
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	add := func(text string) string {
		file := filepath.Join(t.TempDir(), "add.yaml")
		write(t, file, text)
		return file
	}
	for _, c := range []struct {
		flags Flags
		want  string
	}{
		{Flags{Without: []string{"keys-log"}}, `no resource "keys-log"; did you mean "keys-logs"?`},
		{Flags{Without: []string{"keys-logs"}},
			"2 resources have this name; name one of them:\n  aws:kms/key:Key::keys-logs\n  aws:kms/alias:Alias::keys-logs"},
		{Flags{Without: []string{"Role::keys-logs"}},
			"no resource of type Role has this name; there are aws:kms/key:Key::keys-logs, aws:kms/alias"},
		{Flags{Without: []string{"keys-logs#Log"}}, `no statement has the Sid Log; did you mean "Logs"?`},
		{Flags{Without: []string{"web.role#x"}}, "it has no policy with statements"},
		{Flags{Without: []string{"#x"}}, "expected [TYPE::]NAME or [TYPE::]NAME#Sid"},
		{Flags{Without: []string{"s"}}, "belongs to the engine"},
		{Flags{With: []string{"keys-logs"}}, "expected [TYPE::]NAME.path=value"},
		{Flags{With: []string{"web.role=1"}}, "a path must follow the name"},
		{Flags{With: []string{"keys-logs.policy=abc"}}, `abc is not JSON; for a string write 'keys-logs.policy="abc"'`},
		{Flags{With: []string{"Key::keys-logs.polcy=1"}}, `aws:kms/key:Key has no property "polcy"; did you mean "policy"?`},
		{Flags{With: []string{"web-task.containerDefinitions.ngin.memory=1"}}, `containerDefinitions has no element ngin; did you mean "nginx"?`},
		{Flags{With: []string{"web-task.containerDefinitions[7].memory=1"}}, "containerDefinitions has no element 7: it has 2; [+] appends one"},
		{Flags{With: []string{"web-task.family.x=1"}}, "family is a string and has nothing in it"},
		{Flags{With: []string{"keys-logs.policy.Logs.Foo=null"}}, "has no Foo; there are Action, Condition, Effect, Sid"},
		{Flags{With: []string{"keys.x=1"}}, "is a component"},
		{Flags{With: []string{"keys-logs.policy[Logs=1"}}, "expected [TYPE::]NAME.path=value"},
		{Flags{With: []string{"keys-logs.policy[]=1"}}, "[] is empty"},
		{Flags{With: []string{"web-task.options.x=1"}}, `"x" is not an option that can be changed; there are deleteBeforeReplace, dependsOn`},
		{Flags{With: []string{`keys-logs.description="${web-task.famly}"`}}, `no output "famly"; did you mean "family"?`},
		{Flags{Add: []string{"/nowhere"}}, "--add /nowhere"},
		{Flags{Add: []string{add("resources: {x: {type: 'aws:kms:Kee'}}")}},
			`the model does not know the type aws:kms/kee:Kee; did you mean "aws:kms/key:Key"?`},
		{Flags{Add: []string{add("resources: {x: {type: 'aws:kms:Key', properties: {polcy: 1}}}")}},
			`no property "polcy"; did you mean "policy"?`},
		{Flags{Add: []string{add("resources: {x: {type: 'aws:kms:Key', props: {}}}")}}, `"props" is not supported for a resource`},
		{Flags{Add: []string{add("variables: {}")}}, `"variables" is not supported`},
		{Flags{Add: []string{add("resources: {x: {type: 'aws:kms:Key', properties: {description: '${y.arn}'}}}")}},
			`the program has no resource "y"`},
		{Flags{Add: []string{add("resources: {x: {type: 'aws:kms:Key', properties: {description: '${x.arn}'}}}")}}, "refers to itself"},
		{Flags{Add: []string{add("resources: {web-task: {type: 'aws:ecs:TaskDefinition'}}")}}, "to change it, use --with"},
		{Flags{Add: []string{add("[")}}, "neither YAML nor JSON"},
	} {
		t.Run(c.want, func(t *testing.T) {
			changes, err := Parse(c.flags)
			if err == nil {
				_, err = changes.On(recorded(t))
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
