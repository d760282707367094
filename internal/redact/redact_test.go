package redact

import (
	"fmt"
	"strings"
	"testing"
)

func TestCredentialsAreRemoved(t *testing.T) {
	const secret = "hunter2"
	for _, test := range []struct{ name, text, want string }{
		{"Postgres URL", "cannot reach postgres://owner:hunter2@db:5432/site", "cannot reach postgres://owner:…@db:5432/site"},
		{"Redis URL without a user", "redis://:hunter2@cache:6379/0 refused", "redis://:…@cache:6379/0 refused"},
		{"URL with an @ in its password", "amqp://site:at@hunter2@mq/vhost", "amqp://site:…@mq/vhost"},
		{"URL with a slash in its password", "postgres://u:a/hunter2@db/site", "postgres://u:…@db/site"},
		{"URL in JSON", `{"url":"mysql://u:hunter2@db/site","by":"a@b"}`, `{"url":"mysql://u:…@db/site","by":"a@b"}`},
		{"two URLs", "redis://:hunter2@a,redis://:hunter2@b", "redis://:…@a,redis://:…@b"},
		{"assignment", "password=hunter2, next", "password=…, next"},
		{"Django setting", "SECRET_KEY='hunter2'", "SECRET_KEY='…'"},
		{"libpq variable", "PGPASSWORD=hunter2 psql", "PGPASSWORD=… psql"},
		{"AWS key", "AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=…"},
		{"JSON field", `{"api_key": "hunter2", "n": 1}`, `{"api_key": "…", "n": 1}`},
		{"header", "Authorization: Bearer hunter2", "Authorization: Bearer …"},
		{"header of a Python dict", "{'Authorization': 'Basic hunter2'}", "{'Authorization': 'Basic …'}"},
	} {
		got := Text(test.text)
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if strings.Contains(got, secret) {
			t.Errorf("%s: the secret is still there: %q", test.name, got)
		}
	}
}

// Text that holds no credential keeps every word: it is the reason why a deployment failed.
func TestOtherTextStays(t *testing.T) {
	for _, text := range []string{
		"http://10.0.1.5:8080/healthz answered 400",
		"arn:aws:ssm:us-east-1:123456789012:parameter/shop/prod/db/password",
		"ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException",
		"FATAL: password authentication failed for user \"site\"",
		"joe@example.com signed in",
	} {
		if got := Text(text); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

func ExampleText() {
	fmt.Println(Text("could not connect to redis://:s3cret@cache:6379/0, password=s3cret"))
	// Output: could not connect to redis://:…@cache:6379/0, password=…
}
