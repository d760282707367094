package cloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// A documentKind is where a policy document is attached. It decides which elements AWS requires and which it refuses.
type documentKind struct {
	name      string
	principal bool // Principal is required; otherwise it is refused
	resource  bool // Resource is required; otherwise it is refused
	loose     bool // Resource is optional; the service ignores it
	max       int  // characters, white space not counted
	sids      bool // Sid takes letters and digits only and must be unique, as in IAM
	code      string
}

var (
	identityDocument = documentKind{name: "identity policy", resource: true, max: 6144, sids: true, code: "MalformedPolicyDocument"}
	inlineDocument   = documentKind{name: "inline policy", resource: true, max: 10240, sids: true, code: "MalformedPolicyDocument"}
	trustDocument    = documentKind{name: "trust policy", principal: true, max: 2048, sids: true, code: "MalformedPolicyDocument"}
	keyDocument      = documentKind{name: "key policy", principal: true, resource: true, max: 32768, code: "MalformedPolicyDocumentException"}
	bucketDocument   = documentKind{name: "bucket policy", principal: true, resource: true, max: 20480, code: "MalformedPolicy"}
	topicDocument    = documentKind{name: "topic policy", principal: true, resource: true, max: 30720, code: "InvalidParameter"}
	queueDocument    = documentKind{name: "queue policy", principal: true, resource: true, max: 8192, code: "InvalidAttributeValue"}
	imageDocument    = documentKind{name: "repository policy", principal: true, loose: true, max: 10240, code: "InvalidParameterException"}
	logsDocument     = documentKind{name: "log resource policy", principal: true, resource: true, max: 5120, code: "InvalidParameterException"}
	secretDocument   = documentKind{name: "secret policy", principal: true, resource: true, max: 20480,
		code: "MalformedPolicyDocumentException"}
	endpointDocument = documentKind{name: "endpoint policy", principal: true, resource: true, max: 20480, code: "InvalidPolicyDocument"}
)

// A statement is one statement of a policy document as AWS understands it: every element that may be one value or a list is a list.
type statement struct {
	sid        string
	index      int
	deny       bool
	principals map[string][]string // "AWS", "Service", "Federated"; {"*": ["*"]} for everyone
	actions    []string
	resources  []string
	conditions map[string]map[string][]string
}

// called is how messages name a statement: by Sid if it has one, else by position.
func (s statement) called() string {
	if s.sid != "" {
		return fmt.Sprintf("statement %q", s.sid)
	}
	return fmt.Sprintf("statement %d", s.index+1)
}

var (
	sidForm    = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	actionForm = regexp.MustCompile(`^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$`)
	arnForm    = regexp.MustCompile(`^arn:[^:]*:[^:]*:[^:]*:[^:]*:.+`)
)

// conditionOperators are IAM's, without the prefixes ForAllValues:/ForAnyValue: and the suffix IfExists.
var conditionOperators = words(`StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike
	StringNotLike NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan
	NumericGreaterThanEquals DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan
	DateGreaterThanEquals Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike Null`)

// servicePrincipals are the service principals that the model knows, without .amazonaws.com and without a region
// (logs.eu-west-1.amazonaws.com).
var servicePrincipals = words(`apigateway application-autoscaling autoscaling backup backup-storage batch cloudformation
	cloudfront cloudtrail cloudwatch cloudwatch-crossaccount codebuild codedeploy codepipeline config delivery.logs ec2 ecr ecs ecs-tasks
	ecs.application-autoscaling edgelambda elasticache elasticloadbalancing events export.rds firehose guardduty
	inspector2 kinesis lambda logdelivery.elasticloadbalancing logging.s3 logs monitoring.rds events.rds pipes rds replication.ecr s3 scheduler
	secretsmanager securityhub servicediscovery ses sns spot spotfleet sqs ssm states vpc-flow-logs logging.s3
	access-analyzer athena bedrock budgets chatbot codestar-notifications cognito-idp costalerts datasync dms dynamodb
	elasticfilesystem email es glue imagebuilder iot macie mediastore opensearchservice organizations osis ops.emr-serverless
	redshift resource-groups route53 route53resolver sagemaker synthetics transfer waf wafv2 xray billingreports`)

// readDocument parses a policy document and lists everything about it that AWS refuses regardless of the account. It returns
// no statements if the JSON itself is invalid.
func readDocument(text string, kind documentKind) ([]statement, []string) {
	var wrong []string
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	document, err := strictObject(text)
	if err != nil {
		fault("the %s is not valid JSON: %v", kind.name, err)
		return nil, wrong
	}
	if n := printedLength(text); n > kind.max {
		fault("a %s takes at most %d characters, got %d", kind.name, kind.max, n)
	}
	for _, key := range sortedKeys(document) {
		if !slices.Contains([]string{"Version", "Id", "Statement"}, key) {
			fault("a policy document has Version, Id and Statement, not %q", key)
		}
	}
	if v, ok := document["Version"]; ok && v != "2012-10-17" && v != "2008-10-17" {
		fault("expected Version to be 2012-10-17, got %v", v)
	}

	raw := document["Statement"]
	if one, ok := raw.(map[string]any); ok {
		raw = []any{one}
	}
	list, _ := raw.([]any)
	if len(list) == 0 {
		fault("a policy document needs at least one statement")
	}
	var statements []statement
	seen := map[string]bool{}
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			fault("statement %d is not an object", i+1)
			continue
		}
		s, faults := readStatement(m, i, kind)
		if kind.sids && s.sid != "" && seen[s.sid] {
			faults = append(faults, "two statements have this Sid; it must be unique in the policy")
		}
		seen[s.sid] = true
		for _, f := range faults {
			fault("%s: %s", s.called(), f)
		}
		statements = append(statements, s)
	}
	return statements, wrong
}

func readStatement(m map[string]any, index int, kind documentKind) (statement, []string) {
	r := statementReader{m: m, kind: kind, statement: statement{index: index}}
	r.header()
	r.actions()
	r.resources()
	r.principals()
	r.conditions()
	return r.statement, r.faults
}

// A statementReader reads one statement, element by element, and collects what AWS would refuse.
type statementReader struct {
	m         map[string]any
	kind      documentKind
	statement statement
	faults    []string
}

func (r *statementReader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *statementReader) header() {
	r.statement.sid, _ = r.m["Sid"].(string)
	for _, key := range sortedKeys(r.m) {
		if !slices.Contains(words("Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition"), key) {
			r.fault("%q is not an element of a statement", key)
		}
	}
	if r.kind.sids && !sidForm.MatchString(r.statement.sid) {
		r.fault("a Sid takes letters and digits only")
	}
	switch r.m["Effect"] {
	case "Allow":
	case "Deny":
		r.statement.deny = true
	default:
		r.fault("expected Effect to be Allow or Deny, got %v", r.m["Effect"])
	}
}

func (r *statementReader) actions() {
	r.statement.actions = oneOrMany(first(r.m, "Action", "NotAction"))
	if len(r.statement.actions) == 0 {
		r.fault("it needs an Action")
	}
	for _, a := range r.statement.actions {
		if a != "*" && !actionForm.MatchString(a) {
			r.fault("action %q must be a service and an action, such as s3:GetObject", a)
		} else if strings.HasPrefix(r.kind.name, "trust") && a != "*" && !strings.HasPrefix(a, "sts:") {
			r.fault("a trust policy takes only sts: actions, got %q", a)
		}
	}
}

func (r *statementReader) resources() {
	resource := first(r.m, "Resource", "NotResource")
	r.statement.resources = oneOrMany(resource)
	switch {
	case r.kind.resource && len(r.statement.resources) == 0:
		r.fault("it needs a Resource")
	case !r.kind.resource && !r.kind.loose && resource != nil:
		r.fault("a %s has no Resource: it applies to what it is attached to", r.kind.name)
	}
	for _, name := range r.statement.resources {
		if name != "*" && !arnForm.MatchString(name) {
			r.fault("resource %q must be in ARN format or %q", name, "*")
		}
	}
}

func (r *statementReader) principals() {
	principal := first(r.m, "Principal", "NotPrincipal")
	switch p := principal.(type) {
	case nil:
		if r.kind.principal {
			r.fault("it needs a Principal")
		}
	case string:
		r.statement.principals = map[string][]string{"*": {p}}
		if p != "*" {
			r.fault("expected Principal to be %q or an object, got %q", "*", p)
		}
	case map[string]any:
		r.principalsByType(p)
	default:
		r.fault("Principal must be %q or an object", "*")
	}
	if !r.kind.principal && principal != nil {
		r.fault("an %s has no Principal: it applies to the identity that it is attached to", r.kind.name)
	}
	for _, name := range r.statement.principals["Service"] {
		if !knownService(name) {
			r.fault("%q is not a service principal that AWS knows", name)
		}
	}
	for _, name := range r.statement.principals["AWS"] {
		if name != "*" && !accountForm.MatchString(name) && !arnForm.MatchString(name) {
			r.fault("principal %q must be an account ID, an ARN or %q", name, "*")
		}
	}
}

func (r *statementReader) principalsByType(p map[string]any) {
	r.statement.principals = map[string][]string{}
	for _, key := range sortedKeys(p) {
		if !slices.Contains(words("AWS Service Federated CanonicalUser"), key) {
			r.fault("%q is not a type of principal: expected AWS, Service, Federated or CanonicalUser", key)
		}
		r.statement.principals[key] = oneOrMany(p[key])
		if len(r.statement.principals[key]) == 0 {
			r.fault("principal %s is empty", key)
		}
	}
	if len(p) == 0 {
		r.fault("Principal is empty")
	}
}

func (r *statementReader) conditions() {
	c, ok := r.m["Condition"]
	if !ok {
		return
	}
	operators, ok := c.(map[string]any)
	if !ok {
		r.fault("Condition must be an object")
	}
	r.statement.conditions = map[string]map[string][]string{}
	for _, op := range sortedKeys(operators) {
		bare := strings.TrimPrefix(strings.TrimPrefix(op, "ForAllValues:"), "ForAnyValue:")
		if !slices.Contains(conditionOperators, strings.TrimSuffix(bare, "IfExists")) {
			r.fault("%q is not a condition operator", op)
		}
		keys, ok := operators[op].(map[string]any)
		if !ok || len(keys) == 0 {
			r.fault("condition %s needs keys with values", op)
		}
		r.statement.conditions[op] = map[string][]string{}
		for _, key := range sortedKeys(keys) {
			r.statement.conditions[op][key] = oneOrMany(keys[key])
			if !strings.Contains(key, ":") {
				r.fault("condition key %q must be prefaced by its service, such as aws:SourceArn", key)
			}
		}
	}
}

// knownService reports whether name is a service principal: <service>.amazonaws.com, <service>.<region>.amazonaws.com.
func knownService(name string) bool {
	service, ok := strings.CutSuffix(name, ".amazonaws.com")
	if !ok {
		return false
	}
	if slices.Contains(servicePrincipals, service) {
		return true
	}
	at := strings.LastIndex(service, ".")
	return at > 0 && knownRegion(service[at+1:]) && slices.Contains(servicePrincipals, service[:at])
}

// anyMatch reports whether one of the patterns, with IAM's * and ?, matches value. Actions are not case-sensitive, unlike
// resources.
func anyMatch(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return iam.Glob(strings.ToLower(p), strings.ToLower(value))
	})
}

// policyProblems are readDocument's findings as problems of the input at path.
func policyProblems(in Inputs, path string, kind documentKind) []Problem {
	if in.Get(path) == nil {
		return nil
	}
	var problems []Problem
	_, wrong := readDocument(documentText(in, path), kind)
	for _, w := range wrong {
		problems = append(problems, awsProblem(path, kind.code, "%s", w))
	}
	return problems
}

// documentText is the policy document at path, which may be given as JSON text or as an object.
func documentText(in Inputs, path string) string {
	switch v := in.Get(path).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		b, _ := json.Marshal(v)
		return string(b)
	}
}

// documentOf reads a document that has already been checked.
func documentOf(text string) []statement {
	statements, _ := readDocument(text, documentKind{loose: true, principal: true, max: 1 << 30})
	return statements
}

// strictObject decodes one JSON object and refuses repeated keys, as AWS does and encoding/json does not.
func strictObject(text string) (map[string]any, error) {
	if err := iam.UniqueKeys([]byte(text)); err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("expected an object")
	}
	return m, nil
}

// printedLength is a policy's length as AWS counts it: without white space.
func printedLength(text string) int {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return len(text)
	}
	return b.Len()
}
