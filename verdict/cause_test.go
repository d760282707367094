package verdict

import (
	"strings"
	"testing"
)

func TestLikelyCause(t *testing.T) {
	for _, c := range []struct{ reported, log, cause string }{
		{reported: "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
			cause: "another processor"},
		{reported: "Essential container in task exited (django: exit code 1)", log: "exec /usr/local/bin/python: exec format error",
			cause: "another processor"},
		{reported: "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: dial tcp 1.2.3.4:443: " +
			"i/o timeout", cause: "cannot reach the registry"},
		{reported: "CannotPullContainerError: AccessDeniedException: not authorized to perform: ecr:BatchGetImage", cause: "may not pull"},
		{reported: "CannotPullContainerError: r/django@sha256:0: not found", cause: "no longer in the registry"},
		{reported: "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: " +
			"check your task network configuration", cause: "cannot reach the service that holds its secrets"},
		{reported: "ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException: not authorized to perform: " +
			"ssm:GetParameters", cause: "may not read or decrypt"},
		{reported: "ResourceInitializationError: unable to pull secrets or registry auth: invalid ssm parameters: /shop/db/password",
			cause: "does not exist"},
		{reported: "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
			cause: "cannot write its log"},
		{reported: "ResourceInitializationError: failed to configure ENI", cause: "no network interface"},
		{reported: "OutOfMemoryError: Container killed due to memory usage (django: exit code 137)", cause: "more memory"},
		{reported: "Essential container in task exited (django: exit code 137)", cause: "killed"},
		{reported: "Task failed ELB health checks in (target-group x)", log: "Invalid HTTP_HOST header: '10.0.1.2:8080'",
			cause: "refuses the host name"},
		{reported: "(port 8080) is unhealthy in (target-group x) due to (reason Health checks failed with these codes: [400])",
			cause: "refuses the host name"},
		{reported: "Health checks failed with these codes: [301]", cause: "to HTTPS (SECURE_SSL_REDIRECT), or to the path with a slash"},
		{reported: "GET /healthz answered 301, to https://shop.example.com/healthz", cause: "SECURE_SSL_REDIRECT applies to it"},
		{reported: "GET /healthz answered 301, to /healthz/", cause: "APPEND_SLASH"},
		{reported: "GET /healthz answered 400: Bad Request (400)", cause: "ALLOWED_HOSTS"},
		{reported: "Task failed container health checks", cause: "own health check"},
		{reported: "CannotStartContainerError: exec: \"gunicorm\": executable file not found in $PATH", cause: "command cannot be started"},
		{reported: "Essential container in task exited (worker: exit code 0)", cause: "ended on its own"},
		{reported: "Essential container in task exited (django: exit code 1)", log: "OSError: [Errno 30] Read-only file system: '/app/x'",
			cause: "writes where it may not"},
		{reported: "Essential container in task exited (django: exit code 1)", log: "django.db.utils.OperationalError: connection failed",
			cause: "cannot reach its database"},
		{reported: "Essential container in task exited (django: exit code 1)", log: "something else", cause: "ended with an error"},
		{reported: "(service x) was unable to place a task. Reason: Capacity is unavailable at this time.", cause: "no room"},
		{reported: "ECS was unable to assume the role 'arn:aws:iam::1:role/x'", cause: "may not assume"},
		{reported: "a message without a known cause", cause: ""},
	} {
		cause, next := likely([]string{c.reported}, []string{c.log})
		if !strings.Contains(cause, c.cause) || c.cause == "" && cause != "" || next == "" {
			t.Errorf("%s | %s: cause is %q, want %q; next is %q", c.reported, c.log, cause, c.cause, next)
		}
	}
}
