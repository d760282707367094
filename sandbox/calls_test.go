//go:build unix

package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCallsAreClassified(t *testing.T) {
	const signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/SERVICE/aws4_request, SignedHeaders=host, " +
		"Signature=abc"
	for _, c := range []struct {
		name, method, url, service string
		header                     map[string]string
		body                       string
		want                       Call
	}{
		{name: "AWS JSON", method: "POST", url: "https://ecs.eu-west-1.amazonaws.com/", service: "ecs",
			header: map[string]string{"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.CreateCluster",
				"Content-Type": "application/x-amz-json-1.1"}, body: `{"clusterName":"x"}`,
			want: Call{Service: "ecs", Region: "eu-west-1", Action: "CreateCluster", Path: "/"}},
		{name: "query", method: "POST", url: "https://iam.amazonaws.com/", service: "iam",
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Amz-Sdk-Request": "attempt=3; max=25"},
			body:   "Action=CreateRole&RoleName=a%2Fb&Version=2010-05-08",
			want:   Call{Service: "iam", Region: "eu-west-1", Action: "CreateRole", Path: "/", Attempt: 3}},
		{name: "query in the URL", method: "GET", url: "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
			service: "sts",
			header:  map[string]string{"Amz-Sdk-Request": "attempt=1; max=3"},
			want:    Call{Service: "sts", Region: "eu-west-1", Action: "GetCallerIdentity", Path: "/"}},
		{name: "CBOR", method: "POST",
			url: "https://monitoring.eu-west-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/PutMetricAlarm", service: "monitoring",
			want: Call{Service: "monitoring", Region: "eu-west-1", Action: "PutMetricAlarm",
				Path: "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"}},
		{name: "REST", method: "POST", url: "https://scheduler.eu-west-1.amazonaws.com/schedules/a-job", service: "scheduler",
			want: Call{Service: "scheduler", Region: "eu-west-1", Action: "POST /schedules/*", Path: "/schedules/a-job"}},
		{name: "S3 names its operation", method: "PUT", url: "https://b.s3.eu-west-1.amazonaws.com/k%20ey?x-id=PutObject", service: "s3",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "PutObject", Path: "/k%20ey"}},
		{name: "S3 subresource of a bucket", method: "GET", url: "https://b.s3.eu-west-1.amazonaws.com/?versioning", service: "s3",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "GET bucket versioning", Path: "/"}},
		{name: "S3 bucket by path", method: "PUT", url: "https://s3.eu-west-1.amazonaws.com/b?policy=", service: "s3",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "PUT bucket policy", Path: "/b"}},
		{name: "S3 listing", method: "GET", url: "https://b.s3.eu-west-1.amazonaws.com/?list-type=2&prefix=a", service: "s3",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "GET bucket", Path: "/"}},
		{name: "S3 all buckets", method: "GET", url: "https://s3.eu-west-1.amazonaws.com/", service: "s3",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "GET buckets", Path: "/"}},
		{name: "S3 presigned", method: "GET",
			url: "https://b.s3.eu-west-1.amazonaws.com/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Feu-west-1%2Fs3%2Faws4_request" +
				"&X-Amz-Signature=abc",
			want: Call{Service: "s3", Region: "eu-west-1", Action: "GET object", Path: "/k"}},
		{name: "unsigned", method: "POST", url: "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials",
			want: Call{Service: "portal", Action: "POST /federation/*", Path: "/federation/credentials"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			if c.service != "" {
				r.Header.Set("Authorization", strings.Replace(signed, "SERVICE", c.service, 1))
			}
			c.want.Method, c.want.Host = c.method, r.URL.Host
			if diff := cmp.Diff(c.want, callOf(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != c.body {
				t.Errorf("the body is %q after that, was %q: %v", body, c.body, err)
			}
		})
	}
}

func TestErrorsAreClassified(t *testing.T) {
	const message = "User: arn:aws:sts::123456789012:assumed-role/deploy/ada is not authorized to perform: ecs:CreateCluster on resource: " +
		"arn:aws:ecs:eu-west-1:123456789012:cluster/x because no identity-based policy allows the ecs:CreateCluster action"
	refusal := &Refusal{Action: "ecs:CreateCluster", Resource: "arn:aws:ecs:eu-west-1:123456789012:cluster/x",
		Why: "no identity-based policy allows the ecs:CreateCluster action"}
	for _, c := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		code   string
		want   *Refusal
	}{
		{name: "good", status: 200, body: `{"__type":"x"}`},
		{name: "JSON", status: 400, body: `{"__type":"com.amazonaws.ecs#AccessDeniedException","Message":"` + message + `"}`,
			code: "AccessDeniedException", want: refusal},
		{name: "REST JSON", status: 403,
			header: map[string]string{"X-Amzn-Errortype": "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/"},
			body:   `{"message":"` + message + `"}`, code: "AccessDeniedException", want: refusal},
		{name: "query", status: 403, body: `<ErrorResponse><Error><Code>AccessDenied</Code><Message>` + message +
			`</Message></Error></ErrorResponse>`, code: "AccessDenied", want: refusal},
		{name: "EC2 with its encoded message", status: 403, code: "UnauthorizedOperation",
			body: `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: ` +
				`arn:aws:iam::1:user/a is not ` +
				`authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:eu-west-1:1:vpc/* because no identity-based policy allows the ` +
				`ec2:CreateVpc action. ` +
				`Encoded authorization failure message: s3cr3t</Message></Error></Errors></Response>`,
			want: &Refusal{Action: "ec2:CreateVpc", Resource: "arn:aws:ec2:eu-west-1:1:vpc/*",
				Why: "no identity-based policy allows the ec2:CreateVpc action"}},
		{name: "explicit deny", status: 400, code: "AccessDeniedException",
			body: `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::1:user/a is not authorized to perform: kms:PutKeyPolicy on ` +
				`resource: arn:aws:kms:eu-west-1:1:key/k with an explicit deny in a service control policy"}`,
			want: &Refusal{Action: "kms:PutKeyPolicy", Resource: "arn:aws:kms:eu-west-1:1:key/k", Why: "in a service control policy"}},
		{name: "HEAD has no body", status: 403, code: "Forbidden", want: &Refusal{}},
		{name: "no refusal", status: 400, body: `{"__type":"ThrottlingException","message":"Rate exceeded"}`, code: "ThrottlingException"},
		{name: "missing", status: 404, body: `<Error><Code>NoSuchBucket</Code></Error>`, code: "NoSuchBucket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body))}
			for name, value := range c.header {
				resp.Header.Set(name, value)
			}
			var call Call
			call.answered(resp)
			if diff := cmp.Diff(Call{Status: c.status, Code: c.code, Refused: c.want}, call); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != c.body {
				t.Errorf("the body is %q after that: %v", body, err)
			}
		})
	}
}
