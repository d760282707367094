package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func account(t testing.TB, options ...Options) *Account {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	a, err := Open(filepath.Join(t.TempDir(), "account.json"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func urn(token, name string) string { return "urn:pulumi:local::small::" + token + "::" + name }

// create checks and creates, and fails the test if either is refused.
func create(t testing.TB, a *Account, token, name string, in map[string]any) *Object {
	t.Helper()
	id, err := try(a, token, name, in)
	if err != nil {
		t.Fatalf("create %s %s: %v", token, name, err)
	}
	return a.Object(token, id)
}

func try(a *Account, token, name string, in map[string]any) (string, error) {
	checked, problems := a.Check(CheckRequest{Type: token, URN: urn(token, name), News: in})
	if len(problems) > 0 {
		return "", fmt.Errorf("%+v", problems)
	}
	id, _, err := a.Create(Change{Type: token, URN: urn(token, name), Inputs: checked})
	return id, err
}

func network(t testing.TB, a *Account) (vpc, subnet *Object) {
	t.Helper()
	vpc = create(t, a, vpcType, "net", map[string]any{"cidrBlock": "10.0.0.0/16"})
	subnet = create(t, a, subnetType, "a", map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"})
	return vpc, subnet
}

// code is the AWS error code of err.
func code(t testing.TB, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("expected an error from AWS, got %v", err)
	}
	return e.Code
}

// Every property that a kind names exists in the provider's schema.
func TestTheKindsAgreeWithTheSchema(t *testing.T) {
	for _, err := range Valid() {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, token string
		in          map[string]any
		want        map[string]string // path -> part of the rule
	}{
		{"right", keyType, map[string]any{"description": "x", "enableKeyRotation": true, "tags": map[string]any{"a": "b"}}, nil},
		{"unknown values pass", keyType, map[string]any{"description": Unknown, "tags": Unknown}, nil},
		{"secret values are looked into", keyType, map[string]any{"description": Secret{1.0}},
			map[string]string{"description": "expected a string, got a number"}},
		{"misspelt", keyType, map[string]any{"descripton": "x"}, map[string]string{"descripton": `did you mean "description"?`}},
		{"number as string", keyType, map[string]any{"deletionWindowInDays": "30"},
			map[string]string{"deletionWindowInDays": "expected an integer, got a string"}},
		{"fraction", keyType, map[string]any{"deletionWindowInDays": 7.5},
			map[string]string{"deletionWindowInDays": "expected an integer, got 7.5"}},
		{"string as boolean", keyType, map[string]any{"isEnabled": "true"}, map[string]string{"isEnabled": "expected a boolean, got a string"}},
		{"map of numbers", keyType, map[string]any{"tags": map[string]any{"a.b": 1.0}},
			map[string]string{`tags["a.b"]`: "expected a string, got a number"}},
		{"list for a map", keyType, map[string]any{"tags": []any{}}, map[string]string{"tags": "expected a map, got a list"}},
		{"missing", subnetType, map[string]any{}, map[string]string{"vpcId": "missing required property"}},
		{"nested", groupType, map[string]any{"ingress": []any{map[string]any{"protocol": "tcp", "fromPort": "x",
			"toPort": 1.0, "cidrBlock": []any{}}}},
			map[string]string{"ingress[0].cidrBlock": `there is no property "cidrBlock"; did you mean "cidrBlocks"?`,
				"ingress[0].fromPort": "expected an integer"}},
		{"nested missing", groupType, map[string]any{"ingress": []any{map[string]any{"protocol": "tcp", "fromPort": 1.0}}},
			map[string]string{"ingress[0].toPort": "missing required property"}},
		{"policy that is no JSON", roleType, map[string]any{"assumeRolePolicy": "{"}, map[string]string{"assumeRolePolicy": "JSON"}},
		{"all at once", keyType, map[string]any{"descripton": "x", "isEnabled": 1.0}, map[string]string{"descripton": "no property",
			"isEnabled": "expected a boolean"}},
		{"unknown type", "aws:ec2/vpcc:Vpcc", nil,
			map[string]string{"": "no resource type aws:ec2/vpcc:Vpcc; did you mean \"aws:ec2/vpc:Vpc\"?"}},
		{"type without a model", "aws:s3/bucketAclV2:BucketAclV2x", nil, map[string]string{"": "no resource type"}},
		{"name too long", roleType, map[string]any{"name": strings.Repeat("a", 65), "assumeRolePolicy": "{}"},
			map[string]string{"name": "at most 64 characters, got 65"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := account(t).Check(CheckRequest{Type: c.token, URN: urn(c.token, "x"), News: c.in})
			for path, part := range c.want {
				if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Path == path && strings.Contains(p.Rule, part) }) {
					t.Errorf("no problem at %q with %q; got %+v", path, part, problems)
				}
			}
			if len(c.want) == 0 && len(problems) > 0 {
				t.Errorf("refused: %+v", problems)
			}
		})
	}
}

func TestAProblemDoesNotShowASecret(t *testing.T) {
	_, problems := account(t).Check(CheckRequest{Type: roleType, URN: urn(roleType, "x"),
		News: map[string]any{"name": Secret{"not a role name!"}, "assumeRolePolicy": "{}"}})
	text := fmt.Sprint(problems)
	if !strings.Contains(text, "[secret]") || strings.Contains(text, "not a role name!") {
		t.Errorf("%s", text)
	}
}

func TestGeneratedNames(t *testing.T) {
	a := account(t)
	check := func(token, name string, r CheckRequest) (string, []Problem) {
		r.Type, r.URN = token, urn(token, name)
		if r.News == nil {
			r.News = map[string]any{"assumeRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
				`"Principal":{"Service":"ec2.amazonaws.com"}}]}`}
		}
		in, problems := a.Check(r)
		s, _ := in["name"].(string)
		return s, problems
	}
	first, problems := check(roleType, "web", CheckRequest{RandomSeed: []byte("seed")})
	if len(problems) > 0 || len(first) != len("web-1234567") || !strings.HasPrefix(first, "web-") {
		t.Fatalf("generated %q, %v", first, problems)
	}
	if again, _ := check(roleType, "web", CheckRequest{RandomSeed: []byte("seed")}); again != first {
		t.Errorf("the same seed generated %q and %q", first, again)
	}
	if other, _ := check(roleType, "web", CheckRequest{RandomSeed: []byte("other")}); other == first {
		t.Errorf("another seed generated the same name %q", other)
	}
	if kept, _ := check(roleType, "web", CheckRequest{RandomSeed: []byte("x"), Olds: map[string]any{"name": "web-abcdef0",
		defaultsMark: []any{"name"}}}); kept != "web-abcdef0" {
		t.Errorf("the generated name changed to %q", kept)
	}
	if ruled, _ := check(roleType, "web", CheckRequest{Name: "by-the-engine"}); ruled != "by-the-engine" {
		t.Errorf("the engine's naming rule gave %q", ruled)
	}
	if none, _ := check(roleType, "web", CheckRequest{Unnamed: true}); none != "" {
		t.Errorf("generated %q although auto-naming is disabled", none)
	}
	if alias, _ := check(aliasType, "data", CheckRequest{News: map[string]any{"targetKeyId": "x"}}); !strings.HasPrefix(alias, "alias/data-") {
		t.Errorf("an alias has the name %q", alias)
	}
	if _, problems := check(roleType, strings.Repeat("n", 60), CheckRequest{}); len(problems) != 1 ||
		!strings.Contains(problems[0].Rule, "64") {
		t.Errorf("a logical name that is too long: %+v", problems)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name, token string
		olds, news  map[string]any
		want        Plan
	}{
		{"same", vpcType, map[string]any{"cidrBlock": "10.0.0.0/16"}, map[string]any{"cidrBlock": "10.0.0.0/16"}, Plan{}},
		{"what AWS fills in", vpcType, map[string]any{"cidrBlock": "10.0.0.0/16"}, map[string]any{"cidrBlock": "10.0.0.0/16",
			"enableDnsSupport": true}, Plan{}},
		{"no longer said and the default", vpcType, map[string]any{"enableDnsSupport": true}, map[string]any{}, Plan{}},
		{"no longer said and not the default", vpcType, map[string]any{"enableDnsSupport": false}, map[string]any{},
			Plan{Changes: []PropertyChange{{Path: "enableDnsSupport", Op: Delete}}}},
		{"what AWS chose is kept", keyType, map[string]any{"description": "x"}, map[string]any{}, Plan{}},
		{"in place", keyType, map[string]any{"description": "x"}, map[string]any{"description": "y"},
			Plan{Changes: []PropertyChange{{Path: "description", Op: Update}}}},
		{"replaces", vpcType, map[string]any{"cidrBlock": "10.0.0.0/16"}, map[string]any{"cidrBlock": "10.1.0.0/16"},
			Plan{Changes: []PropertyChange{{Path: "cidrBlock", Op: Update, Replaces: true}}, Replaces: true}},
		{"unknown replaces", vpcType, map[string]any{"cidrBlock": "10.0.0.0/16"}, map[string]any{"cidrBlock": Unknown},
			Plan{Changes: []PropertyChange{{Path: "cidrBlock", Op: Update, Replaces: true}}, Replaces: true}},
		{"by key", keyType, map[string]any{"tags": map[string]any{"a": "1", "b": "2"}},
			map[string]any{"tags": map[string]any{"b": "3", "c.d": "4"}},
			Plan{Changes: []PropertyChange{{Path: "tags.a", Op: Delete}, {Path: "tags.b", Op: Update}, {Path: `tags["c.d"]`, Op: Add}}}},
		{"empty is none", keyType, map[string]any{"tags": map[string]any{}}, map[string]any{}, Plan{}},
		{"a secret that says the same", keyType, map[string]any{"description": "x"}, map[string]any{"description": Secret{"x"}}, Plan{}},
		{"the same policy in other words", keyType, map[string]any{"policy": `{"a":1,"b":[2]}`},
			map[string]any{"policy": "{ \"b\": [2],\n\"a\": 1 }"}, Plan{}},
		{"a policy that allows the same", keyType, map[string]any{"policy": `{"Statement":[{"Action":["a","b"],"Resource":"*"},{"Action":"c"}]}`},
			map[string]any{"policy": `{"Statement":[{"Action":["c"]},{"Resource":["*"],"Action":["b","a"]}]}`}, Plan{}},
		{"a policy that allows more", keyType, map[string]any{"policy": `{"Statement":[{"Action":["a"]}]}`},
			map[string]any{"policy": `{"Statement":[{"Action":["a","b"]}]}`},
			Plan{Changes: []PropertyChange{{Path: "policy", Op: Update}}}},
		{"a rule of another group", ingressType, map[string]any{"securityGroupId": "sg-1"}, map[string]any{"securityGroupId": "sg-2"},
			Plan{Changes: []PropertyChange{{Path: "securityGroupId", Op: Update, Replaces: true}}, Replaces: true}},
		{"what a machine runs first", instanceType, map[string]any{"userData": "a", "userDataReplaceOnChange": true},
			map[string]any{"userData": "b", "userDataReplaceOnChange": true},
			Plan{Changes: []PropertyChange{{Path: "userData", Op: Update, Replaces: true}}, Replaces: true}},
		{"what a machine runs first, left alone", instanceType, map[string]any{"userData": "a"}, map[string]any{"userData": "b"},
			Plan{Changes: []PropertyChange{{Path: "userData", Op: Update}}}},
		{"a fixed name cannot exist twice", roleType, map[string]any{"name": "web", "description": "x"},
			map[string]any{"name": "web", "description": "x", "path": "/x/"},
			Plan{Changes: []PropertyChange{{Path: "path", Op: Add, Replaces: true}}, Replaces: true, DeleteFirst: true}},
		{"a made-up name can", roleType, map[string]any{"name": "web-1", defaultsMark: []any{"name"}}, map[string]any{"name": "web-1",
			"path": "/x/", defaultsMark: []any{"name"}},
			Plan{Changes: []PropertyChange{{Path: "path", Op: Add, Replaces: true}}, Replaces: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := account(t).Diff(Difference{Type: c.token, OldInputs: c.olds, News: c.news})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDefaultTags(t *testing.T) {
	a := account(t)
	in := map[string]any{"description": "x", "tags": map[string]any{"Name": "mine"}}
	_, out, err := a.Create(Change{Type: keyType, URN: urn(keyType, "k"), Inputs: in,
		Tags: map[string]string{"Stack": "dev", "Name": "theirs"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"Stack": "dev", "Name": "mine"}, out["tagsAll"]); diff != "" {
		t.Error(diff)
	}
	checked, _ := a.Check(CheckRequest{Type: keyType, URN: urn(keyType, "k"), News: in,
		Tags: map[string]string{"Stack": "dev", "Name": "theirs"}})
	if diff := cmp.Diff(map[string]any{"Stack": "dev", "Name": "mine"}, checked["tags"]); diff != "" {
		t.Errorf("the default tags are not merged into the resource's own: %s", diff)
	}
	plan, err := a.Diff(Difference{Type: keyType, OldInputs: in, OldOutputs: out, News: in, Tags: map[string]string{"Stack": "prod"}})
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Path != "tagsAll" {
		t.Errorf("other default tags: %+v, %v", plan, err)
	}
}

func TestReferences(t *testing.T) {
	a := account(t)
	_, err := try(a, subnetType, "lost", map[string]any{"vpcId": "vpc-0123456789abcdef0", "cidrBlock": "10.0.0.0/24"})
	if got := code(t, err); got != "InvalidVpcID.NotFound" {
		t.Errorf("a subnet without a VPC: %s", got)
	}
	if !a.Empty() {
		t.Errorf("a refused create left %v", a.Summary())
	}
	vpc, subnet := network(t, a)
	err = a.Delete(vpcType, vpc.ID)
	if got := code(t, err); got != "DependencyViolation" {
		t.Errorf("delete of a VPC in use: %s", got)
	}
	for _, want := range []string{"operation error EC2: DeleteVpc", "StatusCode: 400", subnet.ID, "(a)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal lacks %q: %v", want, err)
		}
	}
	for _, o := range []*Object{subnet, vpc} {
		if err := a.Delete(o.Type, o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Delete(vpcType, vpc.ID); err != nil {
		t.Errorf("a second delete: %v", err)
	}
	if !a.Empty() {
		t.Errorf("left: %v", a.Summary())
	}
}

func TestAVPCHasDefaultObjects(t *testing.T) {
	a := account(t)
	vpc, _ := network(t, a)
	for _, output := range []string{"defaultSecurityGroupId", "mainRouteTableId", "defaultNetworkAclId"} {
		id := Inputs(vpc.Outputs).String(output)
		found := slices.ContainsFunc(a.Objects(), func(o *Object) bool { return o.ID == id && o.Owner == Key(vpcType, vpc.ID) })
		if id == "" || !found {
			t.Errorf("%s is %q, and the account has no such object of the VPC", output, id)
		}
	}
	if made := a.Made(); len(made) != 2 {
		t.Errorf("what AWS creates with a VPC does not count as made; got %d", len(made))
	}
}

func TestNamesAreUnique(t *testing.T) {
	a := account(t)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}`
	create(t, a, roleType, "one", map[string]any{"name": "web", "assumeRolePolicy": trust})
	_, err := try(a, roleType, "two", map[string]any{"name": "web", "assumeRolePolicy": trust})
	if got := code(t, err); got != "EntityAlreadyExists" {
		t.Errorf("a second role of the same name: %s", got)
	}
}

func TestUpdate(t *testing.T) {
	a := account(t)
	k := create(t, a, keyType, "k", map[string]any{"description": "one", "enableKeyRotation": true})
	out, err := a.Update(Change{Type: keyType, URN: k.URN, ID: k.ID, Inputs: map[string]any{"enableKeyRotation": true}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out["arn"] != k.Outputs["arn"] {
		t.Errorf("an update changed the ARN from %v to %v", k.Outputs["arn"], out["arn"])
	}
	_, err = a.Update(Change{Type: keyType, URN: k.URN, ID: "gone", Inputs: map[string]any{}}, nil)
	if got := code(t, err); got != "NotFoundException" {
		t.Errorf("update of a deleted object: %s", got)
	}
}

func TestAPreviewChangesNothing(t *testing.T) {
	a := account(t)
	_, out, err := a.Create(Change{Type: vpcType, URN: urn(vpcType, "net"), Inputs: map[string]any{"cidrBlock": "10.0.0.0/16"}, Preview: true})
	if err != nil || !a.Empty() {
		t.Fatalf("%v, %v", err, a.Summary())
	}
	if out["cidrBlock"] != "10.0.0.0/16" || out["arn"] != any(Unknown) || out["enableDnsSupport"] != true {
		t.Errorf("predicted %v", out)
	}
}

func TestTheBeforeHookCanRefuse(t *testing.T) {
	a := account(t)
	var calls []string
	a.Before = func(n int, action string, _ *Object) error {
		calls = append(calls, fmt.Sprintf("%d %s", n, action))
		if n == 2 {
			return &Error{Code: "AccessDenied", Action: action, Status: 403, Message: "User is not authorized"}
		}
		return nil
	}
	k := create(t, a, keyType, "k", map[string]any{"description": "x"})
	if got := code(t, a.Delete(keyType, k.ID)); got != "AccessDenied" {
		t.Errorf("%s", got)
	}
	if a.Object(keyType, k.ID) == nil {
		t.Error("the refused delete deleted the object")
	}
	if diff := cmp.Diff([]string{"1 kms:CreateKey", "2 kms:ScheduleKeyDeletion"}, calls); diff != "" {
		t.Error(diff)
	}
}

func TestAnAccountCanBeReopened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	a, err := Open(path, Options{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	secret := "hunter2-correct-horse"
	create(t, a, keyType, "k", map[string]any{"description": Secret{secret}})
	before := a.Objects()
	// The state of the file if the process is killed now.
	killed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, killed, 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(killed), secret) {
		t.Error("the file holds the secret in plain text")
	}
	for _, p := range []string{path, path + ".key"} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", p, info.Mode(), err)
		}
	}
	b, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if diff := cmp.Diff(before, b.Objects()); diff != "" {
		t.Error(diff)
	}
	if b.Region != "eu-west-1" {
		t.Errorf("region = %s", b.Region)
	}
	_, out, _ := b.Read(keyType, before[0].ID)
	if out["description"] != any(Secret{secret}) {
		t.Error("the secret has changed, or is not marked as a secret")
	}
	if err := b.Move("us-west-2"); err == nil || !strings.Contains(err.Error(), "holds resources in eu-west-1") {
		t.Errorf("an account with resources moved to another region: %v", err)
	}
}

func TestADamagedModelIsRefused(t *testing.T) {
	good := account(t)
	create(t, good, keyType, "k", map[string]any{"description": Secret{"hunter2-correct-horse"}})
	text, err := os.ReadFile(good.Path())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, key, want string
	}{
		"cut off":       {string(text[:len(text)/2]), strings.Repeat("k", 32), "is damaged"},
		"other version": {strings.Replace(string(text), `"version":1`, `"version":9`, 1), strings.Repeat("k", 32), "has version 9"},
		"other key":     {string(text), strings.Repeat("k", 32), "cannot decrypt"},
		"short key":     {string(text), "k", "expected 32 bytes, got 1"},
		"key is gone":   {string(text), "", "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "account.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if c.key != "" {
				if err := os.WriteFile(path+".key", []byte(c.key), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a, err := Open(path, Options{})
			if err == nil {
				a.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %q, got %v", c.want, err)
			}
		})
	}
}

func TestTheLockErrorNamesTheHolder(t *testing.T) {
	a := account(t)
	_, err := Open(a.Path(), Options{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		a.Close()
	}()
	b, err := Open(a.Path(), Options{Wait: 10 * time.Second})
	if err != nil {
		t.Fatalf("it did not wait: %v", err)
	}
	b.Close()
}

func TestRemoveSkipsAllChecks(t *testing.T) {
	a := account(t)
	kept := create(t, a, keyType, "kept", map[string]any{"description": "x"})
	lost := create(t, a, keyType, "lost", map[string]any{"description": "x"})
	if ok, err := a.Remove(lost.Type, lost.ID); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if ok, err := a.Remove(lost.Type, lost.ID); ok || err != nil {
		t.Errorf("a second time: %v %v", ok, err)
	}
	if made := a.Made(); len(made) != 1 || made[0].ID != kept.ID || made[0].URN != urn(keyType, "kept") {
		t.Errorf("left: %+v", made)
	}
}

func TestConcurrentCreatesAreAllSaved(t *testing.T) {
	a := account(t)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if _, err := try(a, keyType, fmt.Sprint("k", i), map[string]any{"description": "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	var img image
	if err := json.Unmarshal(text, &img); err != nil || len(img.Objects) != 40 {
		t.Errorf("%d saved, %v", len(img.Objects), err)
	}
}

func TestPaths(t *testing.T) {
	in := Inputs{"a": map[string]any{"b.c": []any{"x", map[string]any{"d": 7.0}}}, "n": 3.0}
	if got := in.Int(`a["b.c"][1].d`); got != 7 {
		t.Errorf("got %d", got)
	}
	if in.Has("a.x.y") || in.Has("n[0]") {
		t.Error("a path that does not exist has a value")
	}
	var paths []string
	in.Each(`a["b.c"][]`, func(path string, _ any) { paths = append(paths, path) })
	if diff := cmp.Diff([]string{`a["b.c"][0]`, `a["b.c"][1]`}, paths); diff != "" {
		t.Error(diff)
	}
	u := Unknowns{"subnets[1]": true, "tags": true}
	if !u.Has("tags.x") || u.Has("subnets") || !u.Within("subnets") || u.Within("sub") {
		t.Error("unknown paths are confused")
	}
}

// No combination of inputs of the right types, known or unknown, makes a kind panic: neither in Check nor, if they pass, in the
// operations after it.
func TestNoInputMakesAKindPanic(t *testing.T) {
	a := account(t)
	network(t, a)
	r := rand.New(rand.NewPCG(1, 2))
	made := 0
	for _, token := range Types() {
		e := schema().get("R " + token)
		for range 60 {
			preview := r.IntN(2) == 0
			in := invent(r, e, 0, preview)
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%s with %v: %v", token, in, p)
					}
				}()
				checked, problems := a.Check(CheckRequest{Type: token, URN: urn(token, "x"), News: in})
				if _, err := a.Diff(Difference{Type: token, OldInputs: in, News: invent(r, e, 0, true)}); err != nil {
					t.Error(err)
				}
				if len(problems) > 0 {
					return
				}
				id, _, err := a.Create(Change{Type: token, URN: urn(token, "x"), Inputs: checked, Preview: preview})
				if err != nil || preview {
					return
				}
				made++
				a.Update(Change{Type: token, URN: urn(token, "x"), ID: id, Inputs: checked}, checked)
				a.Delete(token, id)
			}()
		}
	}
	if made < 100 {
		t.Errorf("only %d of the inputs passed Check: too few for this test", made)
	}
}

// invent makes inputs of the types in e: the required ones and some of the others.
func invent(r *rand.Rand, e *entry, depth int, unknowns bool) map[string]any {
	in := map[string]any{}
	for _, name := range sortedKeys(e.In) {
		if slices.Contains(e.Required, name) || r.IntN(6) == 0 && depth < 3 {
			in[name] = inventValue(r, e.In[name], depth, unknowns)
		}
	}
	return in
}

func inventValue(r *rand.Rand, k *kindOf, depth int, unknowns bool) any {
	if unknowns && r.IntN(8) == 0 {
		return Unknown
	}
	switch k.Kind {
	case "boolean":
		return r.IntN(2) == 0
	case "integer", "number":
		return float64([]int{0, 1, 7, 30, 80, 443, -1, 1 << 20}[r.IntN(8)])
	case "array":
		l := make([]any, r.IntN(3))
		for i := range l {
			l[i] = inventValue(r, k.Elem, depth+1, unknowns)
		}
		return l
	case "map":
		return map[string]any{"a": inventValue(r, k.Elem, depth+1, unknowns), "b.c": inventValue(r, k.Elem, depth+1, unknowns)}
	case "object":
		if e := schema().get("T " + k.Ref); e != nil {
			return invent(r, e, depth+1, unknowns)
		}
		return map[string]any{}
	case "document":
		return []string{`{}`, `[]`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, `null`}[r.IntN(4)]
	case "asset":
		return map[string]any{assetMark: "x"}
	}
	s := []string{"", "x", "web", "10.0.0.0/24", "10.0.1.5", "us-east-1a", "arn:aws:iam::123456789012:role/x", "vpc-0123456789abcdef0", "tcp",
		"{}", "[{}]", "[1]", "rate(1 day)", "é\n\"", "example.com", "-1", "256"}[r.IntN(17)]
	if r.IntN(10) == 0 {
		return Secret{s}
	}
	return s
}

// For any input, the checker returns, and every problem names its property.
func FuzzCheck(f *testing.F) {
	f.Add(groupType, `{"ingress":[{"protocol":"tcp","fromPort":1,"toPort":1}],"tags":{"a":"b"}}`)
	f.Add(keyType, `{"policy":"{","deletionWindowInDays":1e300}`)
	f.Add(vpcType, `{"":null,"cidrBlock":[[]],"a.b[\"":{}}`)
	dir := f.TempDir()
	a, err := Open(filepath.Join(dir, "account.json"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	f.Fuzz(func(t *testing.T, token, text string) {
		var in map[string]any
		if json.Unmarshal([]byte(text), &in) != nil {
			return
		}
		checked, problems := a.Check(CheckRequest{Type: token, URN: urn(token, "x"), News: in})
		for _, p := range problems {
			if p.Rule == "" || p.Path == "" && awsRegistry().kinds[token] != nil && checked != nil {
				t.Errorf("a problem without a rule or a path: %+v", p)
			}
		}
		if e := schema().get("R " + token); e != nil {
			for name, v := range in {
				reported := slices.ContainsFunc(problems, func(p Problem) bool { return Top(p.Path) == name })
				if v != nil && e.In[name] == nil && !strings.HasPrefix(name, "__") && !reported {
					t.Errorf("the unknown property %q was accepted", name)
				}
			}
		}
	})
}

// The cost of the model per resource, in a stack of a thousand.
func BenchmarkThousandCreatesAndDiffs(b *testing.B) {
	for b.Loop() {
		a := account(b)
		vpc := create(b, a, vpcType, "net", map[string]any{"cidrBlock": "10.0.0.0/16"})
		for i := range 1000 {
			name := fmt.Sprint("g", i)
			in := map[string]any{"description": "x", "tags": map[string]any{"n": name, "vpc": vpc.ID}}
			checked, problems := a.Check(CheckRequest{Type: keyType, URN: urn(keyType, name), News: in})
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			_, out, err := a.Create(Change{Type: keyType, URN: urn(keyType, name), Inputs: checked})
			if err != nil {
				b.Fatal(err)
			}
			if plan, err := a.Diff(Difference{Type: keyType, OldInputs: checked, OldOutputs: out, News: checked}); err != nil ||
				len(plan.Changes) > 0 {
				b.Fatal(plan, err)
			}
		}
	}
}

// The cost of loading the schema.
func BenchmarkSchemaIndex(b *testing.B) {
	for b.Loop() {
		if len(newIndex().lines) == 0 {
			b.Fatal("empty")
		}
	}
}
