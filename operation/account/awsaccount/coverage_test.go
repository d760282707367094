package awsaccount

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// unserved are the calls of the commands after a deployment that moto does not serve, or only without what matters. Each is checked
// against the SDK's shapes at an endpoint of a test. Every other call is made to moto by a test of this package.
var unserved = map[string]string{
	"ecs ExecuteCommand":             "moto has no sessions; cmd/slipway, testdata/live/enter.txtar",
	"ssm StartSession":               "moto has no sessions; cmd/slipway, testdata/live/enter.txtar",
	"ecs ListServiceDeployments":     "moto does not know it; verdict_test.go of package verdict",
	"ecs DescribeServiceDeployments": "moto does not know it; verdict_test.go of package verdict",
}

// afterDeployment are the files with the calls of the commands after a deployment.
var afterDeployment = []string{"act.go", "diagnose.go", "ecs.go", "observe.go", "observe_logs.go", "observe_metrics.go", "sessions.go"}

var callForms = []*regexp.Regexp{
	regexp.MustCompile(`&(\w+)\.([A-Z]\w+)Input\{`),
	regexp.MustCompile(`(\w+)Service\.call\(ctx, [\w.]+, "(\w+)"`),
}

// packages are services by the names that this package gives them.
var packages = map[string]string{"cloudwatchlogs": "logs", "scaling": "application-autoscaling", "cache": "elasticache",
	"certificate": "acm", "elb": "elasticloadbalancing", "cloudwatch": "monitoring"}

// callsInText are the calls in the program's text, such as "ecs DescribeTasks".
func callsInText() (all []string, err error) {
	for _, file := range afterDeployment {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, form := range callForms {
			for _, m := range form.FindAllStringSubmatch(string(text), -1) {
				service := m[1]
				if name := packages[service]; name != "" {
					service = name
				}
				if call := service + " " + m[2]; !slices.Contains(all, call) {
					all = append(all, call)
				}
			}
		}
	}
	return all, nil
}

// served are the calls that moto answered in this run, "ecs DescribeTasks"; of services with paths "s3 GET", "scheduler PUT".
var served = struct {
	sync.Mutex
	calls map[string]bool
}{calls: map[string]bool{}}

// recorded is the URL of a proxy to moto that notes which calls succeed.
func recorded(t *testing.T, moto string) string {
	t.Helper()
	to, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode < 300 {
			served.Lock()
			defer served.Unlock()
			served.calls[r.Request.Header.Get("X-Test-Call")] = true
		}
		return nil
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set("X-Test-Call", nameOf(r, body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

var signedFor = regexp.MustCompile(`/([a-z0-9-]+)/aws4_request`)

func nameOf(r *http.Request, body []byte) string {
	service := ""
	if m := signedFor.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		service = m[1]
	}
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return service + " " + operation
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return service + " " + form.Get("Action")
	}
	return service + " " + r.Method
}

// pathCalls are the calls that have a method and a path in place of a name.
var pathCalls = map[string]string{"s3 GetObject": "s3 GET", "s3 ListObjectsV2": "s3 GET", "scheduler GetSchedule": "scheduler GET",
	"scheduler UpdateSchedule": "scheduler PUT"}

// TestMain runs the tests and, if these were all, compares the calls that moto answered with those in the program's text.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && len(served.calls) > 0 {
		for _, problem := range uncovered() {
			fmt.Fprintln(os.Stderr, problem)
			code = 1
		}
	}
	os.Exit(code)
}

// uncovered says which calls of the program are neither made to moto nor listed.
func uncovered() (problems []string) {
	calls, err := callsInText()
	if err != nil || len(calls) < 25 {
		return []string{fmt.Sprintf("only these calls were found: %q, %v", calls, err)}
	}
	for _, call := range calls {
		made := call
		if by := pathCalls[call]; by != "" {
			made = by
		}
		switch _, listed := unserved[call]; {
		case listed && served.calls[made]:
			problems = append(problems, call+" is listed as one that moto does not serve, and it does")
		case !listed && !served.calls[made]:
			problems = append(problems, call+" is neither made to moto by a test of this package nor listed (coverage_test.go)")
		}
	}
	for call := range unserved {
		if !slices.Contains(calls, call) {
			problems = append(problems, call+" is listed, and the program does not call it")
		}
	}
	return problems
}

// docs/development.md names the same calls.
func TestTheDocumentNamesWhatMotoDoesNotServe(t *testing.T) {
	text, err := os.ReadFile("../../../docs/development.md")
	if err != nil {
		t.Fatal(err)
	}
	for call := range unserved {
		if action := strings.Replace(call, " ", ":", 1); !strings.Contains(string(text), action) {
			t.Errorf("docs/development.md does not name %s", action)
		}
	}
}
