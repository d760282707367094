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

// endpointVariable names the AWS that is spoken to: "moto" (also when it is unset) is a moto of the test's own, anything
// else is the URL of an endpoint.
const endpointVariable = "SLIPWAY_CONFORMANCE"

// allVariable makes every cell run, which takes longer than `go test` lets a package run by default.
const allVariable = "SLIPWAY_CONFORMANCE_ALL"

// keepVariable names a folder in which what the genuine provider did to a cell is kept. A cell that is there already is only
// compared with the rehearsal, in seconds: so the model is brought to agree.
const keepVariable = "SLIPWAY_CONFORMANCE_KEEP"

// asksGenuine gives the folder of the plugins, or why the genuine provider is not asked.
func asksGenuine() (folder, why string) {
	// A cell takes minutes, most of them the provider's own waiting: two of them do not fit into the ten that go test gives
	// a package on a busy machine.
	if os.Getenv(endpointVariable) == "" && os.Getenv(allVariable) == "" && os.Getenv(keepVariable) == "" {
		return "", fmt.Sprintf("set %s=moto, or to the URL of an endpoint, to hold the program against the genuine AWS provider", endpointVariable)
	}
	folder, err := awstest.Plugins()
	if err != nil {
		return "", err.Error()
	}
	return folder, ""
}

// An endpoint is an AWS that can be spoken to.
type endpoint struct {
	url  string
	moto bool
}

// aws is the endpoint to use. A moto is ended with the test.
func aws(t *testing.T) endpoint {
	t.Helper()
	if url := os.Getenv(endpointVariable); url != "" && url != "moto" {
		return endpoint{url: url}
	}
	return endpoint{url: awstest.Genuine(t), moto: true}
}

// env is what a process is told that is to speak to the endpoint.
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

// A call is one request to an AWS API, in boto3's words.
type call struct {
	service, operation string
	parameters         map[string]any
}

// ask asks the API itself, past the provider and the state.
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
		t.Fatalf("asking the API: %v: %s", err, wrong.String())
	}
	var answers []map[string]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}
