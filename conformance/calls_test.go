package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/internal/policy"
)

// A recordedCall is one request of the provider: the action that IAM checks, and every string in the request, one of which names
// the resource.
type recordedCall struct {
	action string
	values []string
}

// A listener is a proxy in front of an AWS endpoint that records the provider's requests.
type listener struct {
	endpoint
	mu    sync.Mutex
	calls []recordedCall
	wrong []string // errors of requests that it could not parse
}

func listen(t *testing.T, to endpoint) *listener {
	t.Helper()
	target, err := url.Parse(to.url)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		call, err := callOf(r, body)
		l.mu.Lock()
		if err != nil {
			l.wrong = append(l.wrong, err.Error())
		} else {
			l.calls = append(l.calls, call)
		}
		l.mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.endpoint = endpoint{url: server.URL, moto: to.moto}
	return l
}

// take returns the calls since the last take.
func (l *listener) take(t *testing.T) []recordedCall {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.wrong {
		t.Error(w)
	}
	taken := l.calls
	l.calls, l.wrong = nil, nil
	return taken
}

var (
	signedFor = regexp.MustCompile(`Credential=[^/]+/\d+/[^/]+/([^/]+)/`)
	// services maps signing names to IAM prefixes, where they differ.
	services = map[string]string{"monitoring": "cloudwatch"}
	// routes maps requests of REST services, by method and path, to actions. For S3 see buckets.
	routes = map[string][]struct{ method, path, action string }{
		"route53": {
			{"GET", `/change/[^/]+`, "GetChange"}, {"GET", `/hostedzone`, "ListHostedZones"}, {"GET", `/hostedzone/[^/]+`, "GetHostedZone"},
			{"GET", `/hostedzonesbyname`, "ListHostedZonesByName"}, {"POST", `/hostedzone/[^/]+/rrset/?`, "ChangeResourceRecordSets"},
			{"GET", `/hostedzone/[^/]+/rrset`, "ListResourceRecordSets"}, {"GET", `/tags/hostedzone/[^/]+`, "ListTagsForResource"},
		},
		"scheduler": {
			{"POST", `/schedules/[^/]+`, "CreateSchedule"}, {"GET", `/schedules/[^/]+`, "GetSchedule"},
			{"PUT", `/schedules/[^/]+`, "UpdateSchedule"}, {"DELETE", `/schedules/[^/]+`, "DeleteSchedule"},
			{"POST", `/schedule-groups/[^/]+`, "CreateScheduleGroup"}, {"GET", `/schedule-groups/[^/]+`, "GetScheduleGroup"},
			{"DELETE", `/schedule-groups/[^/]+`, "DeleteScheduleGroup"}, {"GET", `/tags/.+`, "ListTagsForResource"},
			{"POST", `/tags/.+`, "TagResource"}, {"DELETE", `/tags/.+`, "UntagResource"},
		},
	}
	// buckets maps requests for an S3 bucket, by method and subresource, to actions.
	buckets = map[string]string{
		"GET ": "ListBucket", "HEAD ": "ListBucket", "PUT ": "CreateBucket", "DELETE ": "DeleteBucket",
		"GET versions": "ListBucketVersions", "POST delete": "DeleteObject", "GET location": "GetBucketLocation",
		"GET accelerate": "GetAccelerateConfiguration", "GET acl": "GetBucketAcl", "GET cors": "GetBucketCORS",
		"GET encryption": "GetEncryptionConfiguration", "PUT encryption": "PutEncryptionConfiguration",
		"DELETE encryption": "PutEncryptionConfiguration",
		"GET lifecycle":     "GetLifecycleConfiguration", "PUT lifecycle": "PutLifecycleConfiguration",
		"DELETE lifecycle": "PutLifecycleConfiguration",
		"GET logging":      "GetBucketLogging", "PUT logging": "PutBucketLogging", "GET object-lock": "GetBucketObjectLockConfiguration",
		"GET ownershipControls": "GetBucketOwnershipControls", "PUT ownershipControls": "PutBucketOwnershipControls",
		"DELETE ownershipControls": "PutBucketOwnershipControls",
		"GET policy":               "GetBucketPolicy", "PUT policy": "PutBucketPolicy", "DELETE policy": "DeleteBucketPolicy",
		"GET publicAccessBlock": "GetBucketPublicAccessBlock", "PUT publicAccessBlock": "PutBucketPublicAccessBlock",
		"DELETE publicAccessBlock": "PutBucketPublicAccessBlock", "GET replication": "GetReplicationConfiguration",
		"GET requestPayment": "GetBucketRequestPayment", "GET tagging": "GetBucketTagging", "PUT tagging": "PutBucketTagging",
		"DELETE tagging": "PutBucketTagging", "GET versioning": "GetBucketVersioning", "PUT versioning": "PutBucketVersioning",
		"GET website": "GetBucketWebsite",
	}
)

// callOf parses a request in any of AWS's protocols.
func callOf(r *http.Request, body []byte) (recordedCall, error) {
	signed := signedFor.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		return recordedCall{}, fmt.Errorf("unsigned request: %s %s", r.Method, r.URL)
	}
	service := signed[1]
	if name := services[service]; name != "" {
		service = name
	}
	c := recordedCall{}
	add := func(action string) (recordedCall, error) {
		c.action = service + ":" + action
		return c, nil
	}
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok { // JSON
		var parameters any
		if err := json.Unmarshal(body, &parameters); err != nil {
			return c, fmt.Errorf("%s %s: %w", service, operation, err)
		}
		c.values = texts(parameters)
		return add(operation)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") { // query
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return c, fmt.Errorf("%s: %w", service, err)
		}
		for name, values := range form {
			if name != "Action" && name != "Version" {
				c.values = append(c.values, values...)
			}
		}
		return add(form.Get("Action"))
	}
	whole := strings.TrimPrefix(r.URL.Path, "/2013-04-01") // the API version of Route 53
	c.values = append(strings.Split(whole, "/"), whole)
	for i := 1; i < len(whole); i++ { // a path may end with an ARN
		if strings.HasPrefix(whole[i:], "arn:") {
			c.values = append(c.values, whole[i:])
		}
	}
	if service == "s3" {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(whole, "/"), "/")
		sub := ""
		for name := range r.URL.Query() {
			if buckets[r.Method+" "+name] != "" {
				sub = name
			}
		}
		if action := buckets[r.Method+" "+sub]; action != "" && bucket != "" && key == "" {
			return add(action)
		}
	}
	for _, route := range routes[service] {
		if route.method == r.Method && regexp.MustCompile("^"+route.path+"$").MatchString(whole) {
			return add(route.action)
		}
	}
	return c, fmt.Errorf("%s: the IAM action of %s %s is unknown", service, r.Method, r.URL)
}

// texts returns all strings in a JSON value.
func texts(value any) []string {
	var all []string
	switch v := value.(type) {
	case string:
		all = append(all, v)
		if strings.HasPrefix(v, "http") { // a queue's URL ends with its name
			all = append(all, path.Base(v))
		}
	case []any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	case map[string]any:
		for _, one := range v {
			all = append(all, texts(one)...)
		}
	}
	return all
}

// grants returns the statements of a role's policies, which it finds by the prefix of their names.
func grants(t *testing.T, state map[string]apitype.ResourceV3, prefix string) []policy.ParsedStatement {
	t.Helper()
	var all []policy.ParsedStatement
	for _, r := range state {
		if name, _ := r.Inputs["name"].(string); r.Type != "aws:iam/policy:Policy" || !strings.HasPrefix(name, prefix) {
			continue
		}
		statements, err := policy.Parse(fmt.Sprint(r.Inputs["policy"]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, statements...)
	}
	return all
}

// allowed returns why IAM would not allow a call, or "". For the resource it checks whether the request names one that a statement
// for the action covers. It does not check conditions, nor what AWS checks in addition to the call, such as the key of a new resource
// or the role that is passed.
func allowed(grants []policy.ParsedStatement, c recordedCall) string {
	found := false
	for _, g := range grants {
		if g.Effect != "Allow" || !slices.Contains(g.Action, c.action) {
			continue
		}
		found = true
		if slices.ContainsFunc(g.Resource, func(pattern string) bool { return about(pattern, c.values) }) {
			return ""
		}
	}
	if found {
		return "is not allowed for any of " + strings.Join(c.values, " ")
	}
	return "is not allowed"
}

// about reports whether one of the values matches an ARN pattern or the name in it.
func about(pattern string, values []string) bool {
	if pattern == "*" {
		return true
	}
	parts := strings.SplitN(pattern, ":", 6)
	resource := parts[5]
	names := []string{pattern, resource}
	if i := strings.IndexAny(resource, ":/"); i >= 0 {
		names = append(names, resource[i+1:], "/"+strings.TrimPrefix(resource[i+1:], "/"))
	}
	if last := resource[strings.LastIndexAny(resource, ":/")+1:]; last != "*" {
		names = append(names, last)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		if name == "*" { // AWS assigns the identifiers
			return true
		}
		form := regexp.MustCompile("(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, ".*") + "$")
		return slices.ContainsFunc(values, form.MatchString)
	})
}

// free lists calls that need no permission, or that no workflow makes.
var free = map[string]string{
	"sts:GetCallerIdentity":           "needs no permission",
	"iam:GetUser":                     "is only called if credentials are not validated, as in a cell, and may be denied",
	"iam:CreateOpenIDConnectProvider": "only a person calls it, in bootstrap or the first up",
	"iam:DeleteOpenIDConnectProvider": "only a person calls it",
	"iam:CreatePolicy": "only a person calls it: bootstrap or the first up creates the boundary and the policies of the " +
		"workflow roles",
	"iam:DeletePolicy": "only a person calls it",
}

// suffices fails for every call that a role does not allow.
func suffices(t *testing.T, role string, grants []policy.ParsedStatement, calls []recordedCall) {
	t.Helper()
	if len(grants) < 10 || len(calls) < 10 {
		t.Errorf("%s: %d statements and %d calls are too few to be meaningful", role, len(grants), len(calls))
	}
	refused, actions := map[string]bool{}, map[string]bool{}
	for _, c := range calls {
		actions[c.action] = true
		if why := allowed(grants, c); why != "" && free[c.action] == "" {
			refused[c.action+" "+why] = true
		}
	}
	for _, one := range slices.Sorted(maps.Keys(refused)) {
		t.Errorf("%s: %s", role, one)
	}
	t.Logf("%s: %d calls, %d actions, %d refused", role, len(calls), len(actions), len(refused))
}

// TestDeniedCallsAreFound checks a few calls against a few statements.
func TestDeniedCallsAreFound(t *testing.T) {
	given := []policy.ParsedStatement{
		{Sid: "Look", Effect: "Allow", Action: policy.Many{"ec2:DescribeVpcs"}, Resource: policy.Many{"*"}},
		{Sid: "Database", Effect: "Allow", Action: policy.Many{"rds:DescribeDBInstances"},
			Resource: policy.Many{"arn:aws:rds:us-east-1:1:db:site-dev-*"}},
		{Sid: "Parameters", Effect: "Allow", Action: policy.Many{"ssm:GetParameter"},
			Resource: policy.Many{"arn:aws:ssm:us-east-1:1:parameter/site/dev/*"}},
		{Sid: "Keys", Effect: "Allow", Action: policy.Many{"kms:DescribeKey"}, Resource: policy.Many{"arn:aws:kms:us-east-1:1:key/*"}},
		{Sid: "Buckets", Effect: "Allow", Action: policy.Many{"s3:GetEncryptionConfiguration"}, Resource: policy.Many{"arn:aws:s3:::site-dev-*"}},
		{Sid: "Never", Effect: "Deny", Action: policy.Many{"iam:PutRolePolicy"}, Resource: policy.Many{"*"}},
	}
	request := func(service, method, path, target, form, body string) recordedCall {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/"+service+"/aws4_request")
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		if form != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			body = form
		}
		c, err := callOf(r, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		call recordedCall
		want string
	}{
		{request("ec2", "POST", "/", "", "Action=DescribeVpcs&Version=1", ""), ""},
		{request("rds", "POST", "/", "", "Action=DescribeDBInstances&DBInstanceIdentifier=site-dev-1", ""), ""},
		{request("rds", "POST", "/", "", "Action=DescribeDBInstances&Filters.1=dbi-resource-id", ""),
			"rds:DescribeDBInstances is not allowed for any of dbi-resource-id"},
		{request("ssm", "POST", "/", "AmazonSSM.GetParameter", "", `{"Name": "/site/dev/key", "WithDecryption": true}`), ""},
		{request("ssm", "POST", "/", "AmazonSSM.GetParameter", "", `{"Name": "/site/prod/key"}`),
			"ssm:GetParameter is not allowed for any of /site/prod/key"},
		{request("ssm", "POST", "/", "AmazonSSM.PutParameter", "", `{"Name": "/site/dev/key"}`), "ssm:PutParameter is not allowed"},
		{request("kms", "POST", "/", "TrentService.DescribeKey", "", `{"KeyId": "1"}`), ""},
		{request("s3", "GET", "/site-dev-media?encryption=", "", "", ""), ""},
		{request("s3", "PUT", "/site-dev-media?encryption=", "", "", ""), "s3:PutEncryptionConfiguration is not allowed"},
		{request("iam", "POST", "/", "", "Action=PutRolePolicy&RoleName=x", ""), "iam:PutRolePolicy is not allowed"},
		{request("scheduler", "GET", "/tags/arn:aws:scheduler:us-east-1:1:schedule-group/x", "", "", ""),
			"scheduler:ListTagsForResource is not allowed"},
	} {
		got := allowed(given, c.call)
		if got != "" {
			got = c.call.action + " " + got
		}
		if got != c.want {
			t.Errorf("%s %v: got %q, want %q", c.call.action, c.call.values, got, c.want)
		}
	}
}
