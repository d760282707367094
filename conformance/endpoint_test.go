package conformance

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"slipway/internal/awstest"
)

// endpointVariable selects the AWS endpoint: "moto" (also if unset) starts moto for the test, anything else is a URL.
const endpointVariable = "SLIPWAY_CONFORMANCE"

// allVariable runs every cell, which takes longer than the default timeout of `go test`.
const allVariable = "SLIPWAY_CONFORMANCE_ALL"

// keepVariable names a folder for the real provider's results. A cell with saved results is only compared with the rehearsal, in
// seconds, which helps to fix the model.
const keepVariable = "SLIPWAY_CONFORMANCE_KEEP"

// asksGenuine returns the folder of the plugins, or why the real provider is not used.
func asksGenuine() (folder, why string) {
	// A cell takes minutes, mostly because the provider waits. On a busy machine two of them exceed go test's default timeout of ten
	// minutes per package.
	if os.Getenv(endpointVariable) == "" && os.Getenv(allVariable) == "" && os.Getenv(keepVariable) == "" {
		return "", fmt.Sprintf("set %s to moto, or to the URL of an endpoint, to test the program with the real AWS provider", endpointVariable)
	}
	folder, err := awstest.Plugins()
	if err != nil {
		return "", err.Error()
	}
	return folder, ""
}

// An endpoint is an AWS endpoint.
type endpoint struct {
	url  string
	moto bool
}

// aws is the endpoint to use. If it starts moto, it stops it at the end of the test.
func aws(t *testing.T) endpoint {
	t.Helper()
	if url := os.Getenv(endpointVariable); url != "" && url != "moto" {
		return endpoint{url: url}
	}
	return endpoint{url: awstest.Genuine(t), moto: true}
}

// env returns the environment variables of a process that uses the endpoint.
func (e endpoint) env() map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL": e.url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
	}
	if e.moto || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"], env["AWS_PROFILE"] = "test", "test", "", ""
		delete(env, "AWS_PROFILE")
	}
	return env
}

//go:embed ask.py
var asking string

// A call is one request to an AWS API, with boto3's names.
type call struct {
	service, operation string
	parameters         map[string]any
}

// ask calls the API directly, bypassing the provider and the state.
func (e endpoint) ask(t *testing.T, calls ...call) []map[string]any {
	t.Helper()
	var asked [][]any
	for _, c := range calls {
		if c.parameters == nil {
			c.parameters = map[string]any{}
		}
		asked = append(asked, []any{c.service, c.operation, c.parameters})
	}
	questions, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	python := exec.CommandContext(ctx, "python3", "-c", asking)
	python.Stdin = bytes.NewReader(questions)
	python.Env = os.Environ()
	for name, value := range e.env() {
		python.Env = append(python.Env, name+"="+value)
	}
	var wrong bytes.Buffer
	python.Stderr = &wrong
	out, err := python.Output()
	if err != nil {
		t.Fatalf("calling the API: %v: %s", err, wrong.String())
	}
	var answers []map[string]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}
