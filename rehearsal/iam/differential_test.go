package iam_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"slipway/rehearsal/iam"
)

// simulator is another evaluator of IAM policies, an npm package. It runs as a process of its own and is no part of this program.
const simulator = "@cloud-copilot/iam-simulate@0.1.173"

// TestAnotherEvaluatorDecidesAlike compares decisions on generated cases with those of another evaluator. SLIPWAY_IAM_CASES sets
// their number, SLIPWAY_IAM_SEED the seed.
func TestAnotherEvaluatorDecidesAlike(t *testing.T) {
	other := startSimulator(t)
	n, seed := number(t, "SLIPWAY_IAM_CASES", 20_000), number(t, "SLIPWAY_IAM_SEED", 1)
	g := generator{rand.New(rand.NewPCG(uint64(seed), 0))}
	outcomes := map[iam.Outcome]int{}
	unusable, explained, differ := 0, map[string]int{}, 0
	for i := range n {
		text := g.next(i)
		theirs := other.decide(text)
		if strings.HasPrefix(theirs.Decision, "error") {
			unusable++
			continue
		}
		_, request, policies, err := iam.ParseCase(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, key := range theirs.Ignored {
			delete(request.Context, strings.ToLower(key))
		}
		ours := iam.Decide(request, policies)
		outcomes[ours.Outcome]++
		if string(ours.Outcome) == theirs.Decision {
			continue
		}
		if why := explanation(request, policies, ours.Outcome, theirs.Decision); why != "" {
			explained[why]++
			continue
		}
		if differ++; differ <= number(t, "SLIPWAY_IAM_SHOWN", 10) {
			t.Errorf("case %d: %s %v, theirs %s\n%s", i, ours.Outcome, ours.Reasons(), theirs.Decision, text)
		}
	}
	t.Logf("%d cases with seed %d: %v; %d refused by the other evaluator; explained differences %v; others %d",
		n, seed, outcomes, unusable, explained, differ)
	if least := n / 20; outcomes[iam.Allowed] < least || outcomes[iam.ImplicitlyDenied] < least || outcomes[iam.ExplicitlyDenied] < least {
		t.Errorf("the cases are lopsided: %v", outcomes)
	}
	if unusable > n/10 {
		t.Errorf("%d of %d cases are of no use", unusable, n)
	}
}

// explanation names a documented reason for a difference; empty: there is none.
func explanation(r iam.Request, p iam.Policies, ours iam.Outcome, theirs string) string {
	if strings.HasSuffix(r.Principal.String(), ":root") && ours == iam.Allowed && theirs == string(iam.ImplicitlyDenied) {
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
		return "the root user needs no identity policy"
	}
	session := strings.Contains(r.Principal.String(), ":assumed-role/") || strings.Contains(r.Principal.String(), ":federated-user/")
	if session && p.Session != nil && ours == iam.Allowed && theirs == string(iam.ImplicitlyDenied) {
		p.Session = nil
		if iam.Decide(r, p).Outcome == ours && !slices.ContainsFunc(iam.Decide(r, p).By,
			func(m iam.Match) bool { return m.Layer == iam.LayerIdentity }) {
			// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
			return "a grant to a session itself is not limited by its session policy"
		}
	}
	return ""
}

type reply struct {
	ID       string
	Decision string
	Ignored  []string
}

type simulatorProcess struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Reader
}

func (s simulatorProcess) decide(text []byte) reply {
	s.t.Helper()
	if _, err := s.in.Write(append(bytes.TrimSpace(text), '\n')); err != nil {
		s.t.Fatal(err)
	}
	if err := s.in.Flush(); err != nil {
		s.t.Fatal(err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func startSimulator(t *testing.T) simulatorProcess {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped with -short")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool)
		}
	}
	script, err := filepath.Abs(filepath.Join("testdata", "simulate.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", dir, simulator)
	if text, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s: %v: %s", simulator, err, lastLine(text))
	}
	node := exec.Command("node", script)
	node.Dir, node.Stderr = dir, os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = node.Wait()
	})
	return simulatorProcess{t, bufio.NewWriter(in), bufio.NewReaderSize(out, 1<<20)}
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// A generator makes cases that resemble the requests of a site: its services, roles and conditions, often nearly right.
type generator struct{ *rand.Rand }

type object = map[string]any

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

const (
	home    = "111122223333"
	foreign = "444455556666"
)

// A call is an action with resources it can name, and the patterns that policies write for them.
type call struct {
	action    string
	resource  string
	patterns  []string
	noAccount bool
}

var calls = []call{
	{"s3:GetObject", "arn:aws:s3:::slipway-prod-media/a/b.png", []string{"arn:aws:s3:::slipway-prod-media/*", "arn:aws:s3:::slipway-*/a/*",
		"arn:aws:s3:::slipway-prod-media/?/b.png", "arn:aws:s3:::other/*", "arn:aws:s3:::${aws:PrincipalTag/site}/*",
		"arn:aws:s3:::slipway-prod-media/${aws:username}/*", "arn:aws:s3:::slipway-prod-media/${aws:PrincipalTag/x, 'a'}/*"}, true},
	{"s3:ListBucket", "arn:aws:s3:::slipway-prod-media", []string{"arn:aws:s3:::slipway-prod-media", "arn:aws:s3:::slipway-*",
		"arn:aws:s3:::slipway-prod-media/*"}, true},
	{"s3:PutObject", "arn:aws:s3:::slipway-prod-logs/alb/AWSLogs/111122223333/x", []string{"arn:aws:s3:::slipway-prod-logs/alb/*",
		"arn:aws:s3:::slipway-prod-logs/*/AWSLogs/*", "arn:aws:s3:::slipway-prod-logs"}, true},
	{"kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1234", []string{"*", "arn:aws:kms:us-east-1:111122223333:key/*",
		"arn:aws:kms:*:111122223333:key/1234", "arn:aws:kms:us-east-1:444455556666:key/*"}, false},
	{"kms:CreateGrant", "arn:aws:kms:us-east-1:111122223333:key/1234", []string{"*", "arn:aws:kms:us-east-1:111122223333:key/*"}, false},
	{"kms:GenerateDataKey", "arn:aws:kms:us-east-1:111122223333:key/1234", []string{"*", "arn:aws:kms:us-east-1:111122223333:key/12?4"},
		false},
	{"iam:PassRole", "arn:aws:iam::111122223333:role/slipway-prod/site-task", []string{"arn:aws:iam::111122223333:role/slipway-prod/*",
		"arn:aws:iam::*:role/slipway-prod/site-task", "arn:aws:iam::111122223333:role/slipway-dev/*"}, false},
	{"ecs:UpdateService", "arn:aws:ecs:us-east-1:111122223333:service/slipway-prod-site/web", []string{
		"arn:aws:ecs:us-east-1:111122223333:service/slipway-prod-site/*", "arn:aws:ecs:*:*:service/*", "arn:aws:ecs:us-east-1:111122223333:*"},
		false},
	{"logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:/slipway/prod/web:log-stream:a", []string{
		"arn:aws:logs:us-east-1:111122223333:log-group:/slipway/prod/*",
		"arn:aws:logs:us-east-1:111122223333:log-group:/slipway/prod/web:log-stream:*",
		"arn:aws:logs:us-east-1:111122223333:log-group:/slipway/prod/web:*", "arn:aws:logs:us-east-1:111122223333:log-group:/slipway/prod/web"},
		false},
	{"sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:failures", []string{"arn:aws:sqs:us-east-1:111122223333:failures",
		"arn:aws:sqs:us-east-1:*:fail*"}, false},
	{"sns:Publish", "arn:aws:sns:us-east-1:111122223333:alarms", []string{"arn:aws:sns:us-east-1:111122223333:alarms",
		"arn:aws:sns:*:111122223333:alarms", "arn:aws:sns:us-*-1:111122223333:alarms"}, false},
	{"ssm:GetParameters", "arn:aws:ssm:us-east-1:111122223333:parameter/slipway/prod/key", []string{
		"arn:aws:ssm:us-east-1:111122223333:parameter/slipway/prod/*", "arn:aws:ssm:us-east-1:111122223333:parameter/slipway/*/key"}, false},
	{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf", []string{
		"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-??????", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db"}, false},
	{"ec2:DescribeInstances", "*", []string{"*", "arn:aws:ec2:us-east-1:111122223333:instance/*"}, false},
	{"sts:AssumeRole", "arn:aws:iam::111122223333:role/deployer", []string{"arn:aws:iam::111122223333:role/deployer",
		"arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/other"}, false},
}

// own are condition keys of single actions.
var own = map[string]map[string][]string{
	"kms:Decrypt": {"kms:ViaService": {"s3.us-east-1.amazonaws.com", "ssm.us-east-1.amazonaws.com"},
		"kms:EncryptionContext:site": {"a", "b"}},
	"kms:CreateGrant":     {"kms:ViaService": {"rds.us-east-1.amazonaws.com"}, "kms:GrantIsForAWSResource": {"true", "false"}},
	"kms:GenerateDataKey": {"kms:ViaService": {"s3.us-east-1.amazonaws.com"}},
	"iam:PassRole":        {"iam:PassedToService": {"ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"}},
	"s3:ListBucket":       {"s3:prefix": {"", "a/", "a/b"}},
	"s3:PutObject":        {"s3:x-amz-acl": {"private", "public-read"}, "s3:x-amz-server-side-encryption": {"aws:kms", "AES256"}},
	"ecs:UpdateService": {"ecs:cluster": {"arn:aws:ecs:us-east-1:111122223333:cluster/slipway-prod-site"},
		"aws:ResourceTag/stack": {"prod", "dev"}},
}

// derived are the keys that AWS derives from the caller. iam.Decide adds them; the other evaluator expects them in the case.
func derived(principal any) object {
	name, _ := principal.(string)
	parts := strings.Split(name, ":")
	all := object{"aws:ResourceAccount": home, "aws:PrincipalIsAWSService": strconv.FormatBool(strings.HasSuffix(name, ".amazonaws.com"))}
	if len(parts) < 6 {
		return all
	}
	all["aws:PrincipalAccount"], all["aws:PrincipalArn"] = parts[4], name
	path := strings.Split(parts[5], "/")
	switch path[0] {
	case "assumed-role":
		all["aws:PrincipalArn"] = "arn:aws:iam::" + parts[4] + ":role/" + path[1]
	case "user":
		all["aws:username"] = path[len(path)-1]
	}
	return all
}

// keys are condition keys that every action accepts, with values that requests send.
var keys = map[string][]string{
	"aws:SourceIp":               {"10.0.1.5", "203.0.113.9", "2001:db8::1"},
	"aws:SecureTransport":        {"true", "false"},
	"aws:CurrentTime":            {"2026-11-28T10:00:00Z", "2025-01-01T00:00:00Z"},
	"aws:EpochTime":              {"1795860000", "1700000000"},
	"aws:PrincipalOrgID":         {"o-abcdef1234", "o-other00000"},
	"aws:PrincipalTag/site":      {"slipway-prod-media", "prod", "a*"},
	"aws:RequestedRegion":        {"us-east-1", "eu-west-1"},
	"aws:SourceAccount":          {home, foreign},
	"aws:SourceArn":              {"arn:aws:sns:us-east-1:111122223333:alarms", "arn:aws:logs:us-east-1:111122223333:log-group:x"},
	"aws:SourceVpce":             {"vpce-1", "vpce-2"},
	"aws:MultiFactorAuthAge":     {"100", "100000"},
	"aws:MultiFactorAuthPresent": {"true", "false"},
	"aws:UserAgent":              {"Pulumi/3", "aws-cli"},
}

var lists = map[string][]string{
	"aws:TagKeys":           {"site", "stack", "Name", "owner"},
	"aws:CalledVia":         {"cloudformation.amazonaws.com", "athena.amazonaws.com"},
	"aws:PrincipalOrgPaths": {"o-abcdef1234/r-1/ou-1/", "o-abcdef1234/r-1/ou-2/"},
}

func (g generator) next(i int) []byte {
	c := pick(g, calls...)
	owner := home
	p := g.principal(c)
	request := object{
		"principal": p, "action": c.action, "resource": object{"resource": c.resource, "accountId": owner}, "context": g.context(),
	}
	all := object{"id": strconv.Itoa(i), "request": request}
	name, _ := p.(string)
	sent := request["context"].(object)
	for key, value := range derived(p) {
		sent[key] = value
	}
	for key, values := range own[c.action] {
		if g.chance(60) {
			sent[key] = pick(g, values...)
		}
	}
	identity := strings.HasPrefix(name, "arn:")
	if identity {
		all["identityPolicies"] = g.documents(c, 1+g.IntN(2), nil)
		if g.chance(25) && !strings.HasSuffix(name, ":root") {
			all["permissionBoundaries"] = g.documents(c, 1, nil)
		}
		if g.chance(25) && strings.Contains(name, ":sts:") {
			all["sessionPolicy"] = g.document(c, nil)
		}
		if g.chance(25) {
			all["serviceControlPolicies"] = g.levels(c, nil)
		}
	}
	if g.chance(map[bool]int{true: 60, false: 95}[identity]) || strings.HasPrefix(c.action, "sts:") || strings.HasPrefix(c.action, "kms:") {
		if hasResourcePolicy(c.action) {
			all["resourcePolicy"] = g.document(c, func() object { return g.principals(name) })
		}
	}
	if g.chance(15) {
		all["resourceControlPolicies"] = g.denials(c)
	}
	if g.chance(15) {
		all["endpointPolicies"] = g.documents(c, 1, func() object { return object{"Principal": "*"} })
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return text
}

func hasResourcePolicy(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return strings.Contains("s3 kms sqs sns sts secretsmanager", service)
}

func (g generator) principal(c call) any {
	role := "arn:aws:iam::" + home + ":role/slipway-prod/site-task"
	switch g.IntN(20) {
	case 0:
		return object{"type": "Anonymous"}
	case 1, 2, 3:
		return pick(g, "ecs-tasks.amazonaws.com", "logs.us-east-1.amazonaws.com", "cloudwatch.amazonaws.com")
	case 4:
		return "arn:aws:iam::" + home + ":root"
	case 5, 6:
		return "arn:aws:iam::" + foreign + ":role/visitor"
	case 7:
		return "arn:aws:sts::" + foreign + ":assumed-role/visitor/one"
	case 8, 9, 10:
		return "arn:aws:iam::" + home + ":user/people/ana"
	case 11:
		return "arn:aws:sts::" + home + ":federated-user/bob"
	case 12, 13, 14:
		return role
	}
	return "arn:aws:sts::" + home + ":assumed-role/site-task/i-1"
}

func (g generator) principals(caller string) object {
	near := []any{"*", object{"AWS": "*"}, object{"AWS": "arn:aws:iam::" + home + ":root"}, object{"AWS": home},
		object{"AWS": []any{"arn:aws:iam::" + foreign + ":root", "arn:aws:iam::" + home + ":user/people/ana"}},
		object{"AWS": "arn:aws:iam::" + home + ":role/slipway-prod/site-task"},
		object{"AWS": "arn:aws:sts::" + home + ":assumed-role/site-task/i-1"},
		object{"Service": []any{"ecs-tasks.amazonaws.com", "cloudwatch.amazonaws.com"}},
		object{"AWS": "arn:aws:iam::" + foreign + ":role/visitor"},
	}
	if caller != "" && g.chance(50) {
		kind := "AWS"
		if !strings.HasPrefix(caller, "arn:") {
			kind = "Service"
		}
		return object{"Principal": object{kind: caller}}
	}
	return object{"Principal": pick(g, near...)}
}

// exceptions turns some denials of a resource policy into denials of everyone else.
func (g generator) exceptions(s object) {
	if s["Effect"] == "Deny" && g.chance(20) && s["Principal"] != "*" {
		s["NotPrincipal"] = s["Principal"]
		delete(s, "Principal")
	}
}

func (g generator) context() object {
	all := object{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if values := keys[key]; g.chance(40) {
			all[g.inSomeCase(key)] = pick(g, values...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if g.chance(40) {
			some := []string{}
			for _, v := range lists[key] {
				if g.chance(50) {
					some = append(some, v)
				}
			}
			all[key] = some
		}
	}
	return all
}

// inSomeCase: names of condition keys are not case-sensitive. The part after a slash is a tag's name.
func (g generator) inSomeCase(key string) string {
	if g.chance(10) && !strings.Contains(key, "/") {
		return strings.ToLower(key)
	}
	return key
}

func (g generator) documents(c call, n int, principals func() object) []any {
	var all []any
	for range n {
		all = append(all, g.document(c, principals))
	}
	return all
}

func (g generator) document(c call, principals func() object) object {
	var statements []any
	for i := range 1 + g.IntN(3) {
		s := g.statement(c, i == 0)
		if principals != nil {
			maps.Copy(s, principals())
			if hasResourcePolicy(c.action) && !strings.HasPrefix(c.action, "sts:") {
				g.exceptions(s)
			}
		}
		if principals != nil && strings.HasPrefix(c.action, "sts:") {
			delete(s, "Resource")
			delete(s, "NotResource")
			delete(s, "NotAction")
			s["Action"] = pick(g, "sts:AssumeRole", "sts:*", "sts:TagSession")
		}
		statements = append(statements, s)
	}
	d := object{"Version": "2012-10-17", "Statement": statements}
	// The other evaluator replaces variables in documents of 2008 too; AWS does not (IAM User Guide, "Version").
	if text, err := json.Marshal(d); err == nil && g.chance(15) && !strings.Contains(string(text), "${") {
		d["Version"] = "2008-10-17"
	}
	return d
}

func (g generator) levels(c call, principals func() object) []any {
	var all []any
	for i := range 1 + g.IntN(2) {
		all = append(all, object{"orgIdentifier": fmt.Sprint("ou-", i), "policies": g.documents(c, 1+g.IntN(2), principals)})
	}
	return all
}

func (g generator) denials(c call) []any {
	s := g.statement(c, false)
	s["Effect"], s["Principal"] = "Deny", "*"
	return []any{object{"orgIdentifier": "ou-rcp", "policies": []any{object{"Version": "2012-10-17", "Statement": []any{s}}}}}
}

func (g generator) statement(c call, likely bool) object {
	s := object{"Effect": "Allow", "Sid": fmt.Sprintf("S%d", g.IntN(1000))}
	if g.chance(15) && !likely {
		s["Effect"] = "Deny"
	}
	service, name, _ := strings.Cut(c.action, ":")
	action := pick(g, c.action, service+":*", "*", strings.ToUpper(c.action), service+":"+name[:3]+"*", service+":?"+name[1:],
		"s3:GetBucketPolicy", service+":DeleteNothing")
	if likely && g.chance(70) {
		action = pick(g, c.action, service+":*")
	}
	if g.chance(8) {
		s["NotAction"] = []any{action}
	} else {
		s["Action"] = pick(g, any(action), any([]any{"ec2:RunInstances", action}))
	}
	resource := pick(g, append([]string{"*", c.resource}, c.patterns...)...)
	if g.chance(8) {
		s["NotResource"] = resource
	} else {
		s["Resource"] = pick(g, any(resource), any([]any{"arn:aws:ec2:us-east-1:" + home + ":instance/i-1", resource}))
	}
	if g.chance(45) {
		s["Condition"] = g.conditions(c)
	}
	return s
}

func (g generator) conditions(c call) object {
	all := object{}
	for range 1 + g.IntN(2) {
		operator, key, values := g.condition(c)
		if g.chance(20) {
			operator += "IfExists"
		}
		if operator = strings.ReplaceAll(operator, "NullIfExists", "Null"); all[operator] == nil {
			all[operator] = object{key: values}
		}
	}
	return all
}

func (g generator) condition(c call) (operator, key string, value any) {
	if g.chance(15) {
		return g.aboutCaller()
	}
	if mine := own[c.action]; mine != nil && g.chance(40) {
		key = pick(g, slices.Sorted(maps.Keys(mine))...)
		text := pick(g, mine[key]...)
		return pick(g, "StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "ForAnyValue:StringEquals", "ForAllValues:StringLike"),
			key,
			pick(g, any(text), any(text[:len(text)/2]+"*"), any([]any{"zzz", text}))
	}
	if g.chance(25) {
		key = pick(g, slices.Sorted(maps.Keys(lists))...)
		value = lists[key][:1+g.IntN(len(lists[key]))]
		return pick(g, "ForAllValues:", "ForAnyValue:") + pick(g, "StringEquals", "StringLike", "StringNotEquals", "StringEqualsIgnoreCase",
			"StringNotLike"), key, value
	}
	key = pick(g, slices.Sorted(maps.Keys(keys))...)
	text := pick(g, keys[key]...)
	switch key {
	case "aws:SourceIp":
		// The other evaluator holds that an IPv6 address is not outside of 10.0.1.5; it gets that address with a prefix length.
		return pick(g, "IpAddress", "NotIpAddress"), key, pick(g, any("10.0.0.0/16"), any([]any{"203.0.113.0/24", "2001:db8::/32"}),
			any("10.0.1.5/32"))
	case "aws:SecureTransport", "aws:MultiFactorAuthPresent":
		return "Bool", key, pick(g, any(text), any(text == "true"))
	case "aws:CurrentTime", "aws:EpochTime":
		// The other evaluator takes a number for milliseconds, AWS for seconds: no case compares one form with the other.
		others := map[string]string{"aws:CurrentTime": "2026-01-01T00:00:00Z", "aws:EpochTime": "1767225600"}
		return pick(g, "DateLessThan", "DateGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThanEquals", "DateGreaterThan"), key,
			pick(g, text, others[key])
	case "aws:MultiFactorAuthAge":
		return pick(g, "NumericLessThan", "NumericGreaterThan", "NumericEquals", "NumericNotEquals", "NumericLessThanEquals",
			"NumericGreaterThanEquals"), key, pick(g, "100", "3600", "99.5", "100.0")
	case "aws:SourceArn":
		return pick(g, "ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals", "StringLike"), key,
			pick(g, text, "arn:aws:sns:*:"+home+":*", "arn:aws:*:us-east-1:"+home+":alarms", "arn:aws:sns:us-east-1:*")
	}
	if g.chance(15) {
		return "Null", key, pick(g, "true", "false")
	}
	return pick(g, "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
		key,
		pick(g, any(text), any(strings.ToUpper(text)), any(text[:2]+"*"), any([]any{"zzz", text}), any("${aws:PrincipalTag/site}"),
			any("${aws:PrincipalTag/none, '"+text+"'}"))
}

// aboutCaller is a condition on a key that AWS derives from the caller.
func (g generator) aboutCaller() (operator, key string, value any) {
	if g.chance(50) {
		return pick(g, "ArnLike", "ArnEquals", "ArnNotLike", "StringLike", "StringNotEquals"), "aws:PrincipalArn", pick(g,
			"arn:aws:iam::"+home+":role/*", "arn:aws:iam::"+home+":role/site-task", "arn:aws:iam::*:role/slipway-prod/*",
			"arn:aws:iam::"+home+":root")
	}
	if g.chance(50) {
		return pick(g, "StringEquals", "StringNotEquals"), "aws:PrincipalAccount", pick(g, any(home), any([]any{foreign, home}),
			any("${aws:ResourceAccount}"))
	}
	return "Bool", "aws:PrincipalIsAWSService", pick(g, "true", "false")
}
