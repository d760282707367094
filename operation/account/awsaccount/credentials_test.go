package awsaccount

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestCredentialsThatEndDuringARunAreRefused(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d + 30*time.Second) }
	ends := func(source string, d time.Duration) aws.Credentials {
		return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", Source: source, CanExpire: true, Expires: in(d)}
	}
	environment := aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", Source: "EnvConfigCredentials"}
	for _, c := range []struct {
		name       string
		of         aws.Credentials
		variable   string
		warns, err string
	}{
		{"a session of two hours", ends("SSOProvider", 2*time.Hour), "", "", ""},
		{"a fresh session of an hour", ends("SSOProvider", time.Hour), "", "", ""},
		{"half an hour", ends("SSOProvider", 30*time.Minute), "", "expire in 30 minutes, and up can take longer", ""},
		{"ten minutes", ends("SSOProvider", 10*time.Minute), "", "", "expire in 10 minutes, and up needs at least 15; nothing was done"},
		{"over", ends("SSOProvider", -time.Hour), "", "", "expire in 0 minutes"},
		{"an EC2 role renews itself", ends("EC2RoleProvider", 5*time.Minute), "", "", ""},
		{"an assumed role renews itself", ends("AssumeRoleProvider", 5*time.Minute), "", "", ""},
		{"keys of a user", aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", Source: "SharedConfigCredentials"}, "", "", ""},
		{"the environment does not say", environment, "", "", ""},
		{"the environment has two hours", environment, in(2 * time.Hour).Format(time.RFC3339), "", ""},
		{"the environment has half an hour", environment, in(30 * time.Minute).UTC().Format(time.RFC3339), "expire in 30 minutes", ""},
		{"the environment has ten minutes", environment, in(10 * time.Minute).Format(time.RFC3339), "", "according to AWS_CREDENTIAL_EXPIRATION"},
		{"the variable is not of these keys", ends("SSOProvider", 2*time.Hour), in(time.Minute).Format(time.RFC3339), "", ""},
		{"the variable says nothing", environment, "soon", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AWS_CREDENTIAL_EXPIRATION", c.variable)
			var said bytes.Buffer
			where := &Account{args: Args{Stack: "prod"},
				aws: aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c.of, nil })}}
			err := where.Lasts(t.Context(), "up", func(format string, args ...any) { fmt.Fprintf(&said, format, args...) })
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got the error %v, want %q", err, c.err)
			}
			if (said.Len() > 0) != (c.warns != "") || !strings.Contains(said.String(), c.warns) {
				t.Errorf("it says %q, want %q", said.String(), c.warns)
			}
		})
	}
}

// Without credentials the error is all that is written: the SDK's warnings about the instance metadata are not.
func TestTheSDKWritesNothing(t *testing.T) {
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(metadata.Close)
	nothing := filepath.Join(t.TempDir(), "nothing")
	for name, value := range map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.URL, "AWS_EC2_METADATA_DISABLED": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONFIG_FILE": nothing,
		"AWS_SHARED_CREDENTIALS_FILE": nothing} {
		t.Setenv(name, value)
	}
	written, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = written
	_, failed := Caller(t.Context(), Args{Stack: "prod", Region: "us-east-1"})
	os.Stderr = stderr
	text, err := os.ReadFile(written.Name())
	if err != nil || len(text) > 0 {
		t.Errorf("the SDK wrote %q, %v", text, err)
	}
	if failed == nil || !strings.Contains(failed.Error(), "no AWS credentials for stack prod") {
		t.Errorf("the error is %v", failed)
	}
	metadata.Close() // outside of AWS nothing answers there
	if _, failed = Caller(t.Context(), Args{Stack: "prod", Region: "us-east-1"}); failed == nil ||
		!strings.HasPrefix(failed.Error(), "no AWS credentials for stack prod") {
		t.Errorf("without an answer the error is %v", failed)
	}
}

// A network that is down is not a lack of credentials, and the message does not send people to log in.
func TestAWSCannotBeReached(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, endpoint := range map[string]string{"no DNS": "http://sts.invalid", "the connection is refused": closed.URL} {
		t.Run(name, func(t *testing.T) {
			for name, value := range map[string]string{"AWS_ENDPOINT_URL_STS": endpoint, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
				"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1", "HTTP_PROXY": "",
				"http_proxy": ""} {
				t.Setenv(name, value)
			}
			_, err := Caller(t.Context(), Args{Stack: "prod", Region: "us-east-1"})
			if err == nil || !strings.HasPrefix(err.Error(), "AWS cannot be reached for stack prod: ") || strings.Contains(err.Error(), "log in") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
