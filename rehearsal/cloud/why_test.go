package cloud

import (
	"slices"
	"strings"
	"testing"
)

// asking is an account with a key, its alias of the same name, a bucket and a role that may read one object.
func asking(t *testing.T) *Account {
	t.Helper()
	a := account(t)
	make_ := func(token, name string, in map[string]any) *Object {
		t.Helper()
		urn := "urn:pulumi:dev::slipway::" + token + "::" + name
		inputs, problems := a.Check(CheckRequest{Type: token, URN: urn, News: in})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		id, _, err := a.Create(Change{Type: token, URN: urn, Inputs: inputs})
		if err != nil {
			t.Fatal(err)
		}
		return a.Object(token, id)
	}
	key := make_(keyType, "keys-disk", nil)
	make_(aliasType, "keys-disk", map[string]any{"name": "alias/disk", "targetKeyId": key.ID})
	make_(bucketType, "media", map[string]any{"bucket": "media-bucket"})
	make_(roleType, "site-task", map[string]any{"name": "task", "assumeRolePolicy": `{"Version": "2012-10-17", "Statement": [{"Sid": "Tasks",
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
		"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}]}`})
	make_("aws:iam/rolePolicy:RolePolicy", "site-task-policy", map[string]any{"role": "task",
		"policy": `{"Version": "2012-10-17", "Statement": [{
		"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::media-bucket/public/*"}]}`})
	a.Called = map[string]string{"task": "deploy role"}
	return a
}

func TestWhyAnswers(t *testing.T) {
	a := asking(t)
	for _, c := range []struct {
		caller, action, resource string
		keys                     map[string][]string
		allowed                  bool
		says                     string // in the chain, what is near, or the fix
	}{
		{"site-task", "s3:GetObject", "media/public/x", nil, true,
			"deploy role -> s3:GetObject on media/public/x: allowed by identity policy role policy site-task-policy Read"},
		{"task", "s3:GetObject", "arn:aws:s3:::media-bucket/public/x", nil, true, "Read"},
		{"deploy", "s3:GetObject", "media/public/x", nil, true, "Read"},
		{"arn:aws:iam::123456789012:role/task", "s3:GetObject", "media/public/x", nil, true, "Read"},
		{"site-task", "s3:GetObject", "media", nil, false, "it covers arn:aws:s3:::media-bucket/public/*, not arn:aws:s3:::media-bucket/*"},
		{"site-task", "s3:DeleteObject", "media/public/x", nil, false, "no statement is about s3:DeleteObject"},
		{"site-task", "s3:PutObject", "media/x", nil, false, "in a policy of deploy role"},
		{"administrator", "kms:Decrypt", "keys-disk", nil, true, "administrator -> kms:Decrypt on keys-disk"},
		{"ecs-tasks.amazonaws.com", "sts:AssumeRole", "site-task", nil, false, "the request does not send aws:SourceAccount"},
		{"ecs-tasks.amazonaws.com", "sts:AssumeRole", "site-task", map[string][]string{"aws:SourceAccount": {"123456789012"}}, true, "Tasks"},
	} {
		got, err := a.Why(Question{c.caller, c.action, c.resource, c.keys})
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		text := strings.Join(slices.Concat(got.Chain, got.Nearest, []string{got.Fix}), "\n")
		if got.Allowed != c.allowed || !strings.Contains(text, c.says) {
			t.Errorf("%s %s %s: %v: %s", c.caller, c.action, c.resource, got.Allowed, text)
		}
		if !got.Allowed && (got.Code == "" || got.Message == "" || got.Fix == "") {
			t.Errorf("the answer is incomplete: %+v", got)
		}
	}
}

func TestQuestionsThatCannotBeAnswered(t *testing.T) {
	a := asking(t)
	for _, c := range []struct{ caller, action, resource, want string }{
		{"site-tsk", "s3:GetObject", "media", `there is no role "site-tsk"; did you mean site-task?`},
		{"site-task", "s3:*", "media", `"s3:*" is not one action`},
		{"site-task", "read", "media", `"read" is not one action`},
		{"site-task", "s3:GetObject", "medai", `there is no resource "medai" with an ARN`},
	} {
		if _, err := a.Why(Question{Caller: c.caller, Action: c.action, Resource: c.resource}); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v", c, err)
		}
	}
}

// A disabled key refuses whatever its policy says.
func TestWhyKnowsADisabledKey(t *testing.T) {
	a := asking(t)
	for _, o := range a.Objects() {
		if o.Type == keyType {
			if err := a.Alter(o.Type, o.ID, func(o *Object) { o.Outputs["isEnabled"] = false }); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := a.Why(Question{Caller: "administrator", Action: "kms:Decrypt", Resource: "keys-disk"})
	if err != nil || got.Allowed || got.Code != disabledKeyCode {
		t.Errorf("got %+v, %v", got, err)
	}
}
