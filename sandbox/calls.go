//go:build unix

package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Call is one request to an AWS API, as the report keeps it. It holds no body, no credential and no signature.
type Call struct {
	When    time.Time `json:"when"`
	Step    string    `json:"step"`
	By      string    `json:"by"` // "slipway": the command and what it starts; "sandbox": this program's own checks
	Service string    `json:"service"`
	Region  string    `json:"region,omitempty"`
	Action  string    `json:"action"` // the API action, or method and shape of the path where the protocol has no action
	Method  string    `json:"method"`
	Host    string    `json:"host"`
	Path    string    `json:"path"`
	Status  int       `json:"status"` // 0: no answer
	Code    string    `json:"code,omitempty"`
	Attempt int       `json:"attempt,omitempty"` // from the second on
	Millis  int64     `json:"ms"`

	Refused *Refusal `json:"refused,omitempty"`
}

// A Refusal is what AWS says about a call that IAM did not allow.
type Refusal struct {
	Action   string `json:"action,omitempty"` // in IAM's words, such as ecs:CreateCluster
	Resource string `json:"resource,omitempty"`
	Why      string `json:"why,omitempty"` // which kind of policy is missing or denies
}

// bodyLimit bounds what is read of a body to find its action or its error code.
const bodyLimit = 64 << 10

// callOf classifies a request. It reads the body of the query protocol for its action, and puts it back.
func callOf(r *http.Request) Call {
	host, _, _ := strings.Cut(r.Host, ":")
	c := Call{Method: r.Method, Host: host, Path: r.URL.EscapedPath()}
	c.Service, c.Region = scopeOf(r)
	c.Service = cmp.Or(c.Service, serviceOf(host))
	if _, attempt, ok := strings.Cut(r.Header.Get("Amz-Sdk-Request"), "attempt="); ok {
		n, _, _ := strings.Cut(attempt, ";")
		if c.Attempt, _ = strconv.Atoi(n); c.Attempt == 1 {
			c.Attempt = 0
		}
	}
	c.Action = actionOf(r, c.Service)
	return c
}

// scopeOf reads service and region from the scope of the signature, in the header or in the query of a presigned URL:
// Credential=AKID/20260101/us-east-1/ecs/aws4_request. (IAM guide, "Elements of an AWS API request signature")
func scopeOf(r *http.Request) (service, region string) {
	scope := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		scope, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(scope, "/")
	if len(parts) < 5 || parts[len(parts)-1] != "aws4_request" {
		return "", ""
	}
	return parts[len(parts)-2], parts[len(parts)-3]
}

// serviceOf guesses the service of an unsigned request from its host.
func serviceOf(host string) string {
	labels := strings.Split(host, ".")
	if at := slices.Index(labels, "s3"); at >= 0 {
		return "s3"
	}
	return labels[0]
}

// actionOf names the action of a request, by protocol: AWS JSON, query (EC2, IAM, RDS, ELB ...), RPC v2 CBOR, or REST.
func actionOf(r *http.Request, service string) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	if action := r.URL.Query().Get("Action"); action != "" {
		return action
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err := url.ParseQuery(string(peek(&r.Body))); err == nil && form.Get("Action") != "" {
			return form.Get("Action")
		}
	}
	if _, operation, ok := strings.Cut(r.URL.Path, "/operation/"); ok {
		return operation
	}
	if service == "s3" {
		return s3Action(r)
	}
	first, rest, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	if rest != "" {
		first += "/*"
	}
	return r.Method + " /" + first
}

// s3Action names an S3 request by its method, what it is about, and its subresource: "GET bucket versioning".
func s3Action(r *http.Request) string {
	if id := r.URL.Query().Get("x-id"); id != "" { // the SDKs of Go and JavaScript name the operation of some requests
		return id
	}
	what := "object"
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !strings.HasPrefix(r.Host, "s3.") && !strings.HasPrefix(r.Host, "s3-") {
		bucket, key = r.Host, bucket
	}
	switch {
	case bucket == "":
		return r.Method + " buckets"
	case key == "":
		what = "bucket"
	}
	for _, pair := range strings.Split(r.URL.RawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" && value == "" { // a subresource has no value
			return r.Method + " " + what + " " + name
		}
	}
	return r.Method + " " + what
}

// answered adds the answer to a call. It reads the body of an error for its code, and puts it back.
func (c *Call) answered(resp *http.Response) {
	c.Status = resp.StatusCode
	if c.Status < 400 {
		return
	}
	var message string
	c.Code, message = errorOf(resp)
	if refusals[c.Code] || c.Status == http.StatusForbidden && c.Code == "" {
		c.Code = cmp.Or(c.Code, "Forbidden")
		c.Refused = refusalOf(message)
	}
}

// refusals are the codes with which AWS's services say that IAM, a key policy or a bucket policy does not allow a call.
var refusals = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "Client.UnauthorizedOperation": true,
	"AuthorizationError": true, "AuthorizationErrorException": true, "NotAuthorized": true, "UnauthorizedException": true,
	"KMSAccessDeniedException": true, "KMS.AccessDeniedException": true, "KMSKeyNotAccessibleFault": true, "AllAccessDisabled": true,
}

var (
	xmlCode    = regexp.MustCompile(`<Code>([^<]+)</Code>`)
	xmlMessage = regexp.MustCompile(`<Message>([^<]+)</Message>`)
)

// errorOf reads code and message of an error, whatever the protocol.
func errorOf(resp *http.Response) (code, message string) {
	body := peek(&resp.Body)
	var fields struct {
		Type         string `json:"__type"`
		Code         string `json:"code"`
		Message      string `json:"message"`
		LargeMessage string `json:"Message"`
	}
	if json.Unmarshal(body, &fields) == nil {
		code, message = cmp.Or(fields.Type, fields.Code), cmp.Or(fields.Message, fields.LargeMessage)
	} else {
		if m := xmlCode.FindSubmatch(body); m != nil {
			code = string(m[1])
		}
		if m := xmlMessage.FindSubmatch(body); m != nil {
			message = string(m[1])
		}
	}
	code = cmp.Or(resp.Header.Get("X-Amzn-Errortype"), code)
	code, _, _ = strings.Cut(code, ":")                   // "AccessDeniedException:http://internal.amazon.com/coral/..."
	return code[strings.LastIndex(code, "#")+1:], message // "com.amazonaws.kms#NotFoundException"
}

// An access denied message, as the IAM guide gives its form ("Troubleshoot access denied error messages"): User: ARN is
// not authorized to perform: ACTION on resource: RESOURCE because WHY.
var denied = regexp.MustCompile(`perform:? ([a-z0-9-]+:[A-Za-z]+)(?: on resource:? (\S+?)\.?)?` +
	`(?:(?: with an explicit deny| because)(.*))?$`)

func refusalOf(message string) *Refusal {
	message, _, _ = strings.Cut(message, " Encoded authorization failure message")
	m := denied.FindStringSubmatch(strings.TrimSuffix(strings.TrimSpace(message), "."))
	if m == nil {
		return &Refusal{}
	}
	return &Refusal{Action: m[1], Resource: m[2], Why: strings.TrimSpace(m[3])}
}

// peek reads the beginning of a body and puts it back.
func peek(body *io.ReadCloser) []byte {
	if *body == nil {
		return nil
	}
	head, _ := io.ReadAll(io.LimitReader(*body, bodyLimit))
	*body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), *body), *body}
	return head
}
