package site

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/graph"
)

// everywhere runs a rule over the resources of every stack; the rule returns what is wrong with one, or "".
func everywhere(t *testing.T, rule func(g graph.Graph, r graph.Resource) string) {
	for _, stack := range stacks {
		g := declared(t, stack, nil)
		for _, r := range g {
			if wrong := rule(g, r); wrong != "" {
				t.Errorf("%s: %s %s: %s", stack, r.Type, r.Name, wrong)
			}
		}
	}
}

func TestEveryResourceDescendsFromAComponentAndBearsItsName(t *testing.T) {
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if !r.Custom() || strings.HasPrefix(r.Type, "pulumi:") {
			return ""
		}
		parents := map[string]bool{}
		for _, c := range g {
			if !c.Custom() {
				parents[c.Name] = true
			}
		}
		if !parents[r.Parent] {
			return fmt.Sprintf("its parent %q is not a component", r.Parent)
		}
		if !strings.HasPrefix(r.Name, r.Parent) {
			return fmt.Sprintf("its name does not begin with its component's, %q", r.Parent)
		}
		return ""
	})
}

// stateful are the types that hold what cannot be made again, with the input that encrypts them.
var stateful = map[string]string{
	"aws:rds/instance:Instance":     "kmsKeyId",
	"aws:s3/bucketV2:BucketV2":      "", // encrypted by a resource of its own
	"aws:kms/key:Key":               "",
	"aws:ecr/repository:Repository": "encryptionConfigurations",
}

func TestWhatHoldsDataIsEncryptedAndInProtectedStacksKept(t *testing.T) {
	seen := map[string]bool{}
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		input, holds := stateful[r.Type]
		if !holds {
			return ""
		}
		seen[r.Type] = true
		if input != "" && r.Input(input) == nil {
			return "not encrypted: no " + input
		}
		if protected := slices.ContainsFunc(g, func(r graph.Resource) bool {
			return r.Type == "aws:rds/instance:Instance" && r.Input("deletionProtection") == true
		}); r.Protect != protected {
			return fmt.Sprintf("protect is %v, the stack's is %v", r.Protect, protected)
		}
		return ""
	})
	if len(seen) != len(stateful) {
		t.Errorf("looked at %v only", seen)
	}
}

func TestTheDatabaseIsPrivateEncryptedAndBackedUp(t *testing.T) {
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		if r.Type != "aws:rds/instance:Instance" {
			return ""
		}
		for path, want := range map[string]any{
			"publiclyAccessible": false, "storageEncrypted": true, "iamDatabaseAuthenticationEnabled": true, "copyTagsToSnapshot": true,
			"autoMinorVersionUpgrade": true, "performanceInsightsEnabled": true, "storageType": "gp3", "caCertIdentifier": "rds-ca-rsa2048-g1",
		} {
			if got := r.Input(path); got != want {
				return fmt.Sprintf("%s is %v, want %v", path, got, want)
			}
		}
		if days, _ := r.Input("backupRetentionPeriod").(float64); days < 1 {
			return "no backups"
		}
		if password, _ := r.Input("password").(map[string]any); password["secret"] == nil {
			return "the password is not a secret"
		}
		return ""
	})
}

func TestOnlyTheEdgeIsOpenToTheWorld(t *testing.T) {
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if !strings.HasPrefix(r.Type, "aws:vpc/securityGroup") && !strings.HasPrefix(r.Type, "aws:ec2/securityGroup") {
			return ""
		}
		text := fmt.Sprint(r.Inputs)
		if r.Type == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule" && strings.Contains(text, "0.0.0.0/0") {
			if group := fmt.Sprint(r.Input("securityGroupId")); !strings.Contains(group, "edge") {
				return "lets the world into " + group
			}
			if port := fmt.Sprint(r.Input("fromPort")); port != "80" && port != "443" {
				return "lets the world in at port " + port
			}
		}
		if r.Type == "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule" && strings.Contains(text, "0.0.0.0/0") && fmt.Sprint(r.Input("fromPort")) != "443" {
			return "lets out to the world at another port than 443"
		}
		if strings.HasSuffix(r.Type, "Rule") && fmt.Sprint(r.Input("description")) == "<nil>" {
			return "does not say why"
		}
		return ""
	})
}

func TestEveryLogGroupIsEncryptedAndEnds(t *testing.T) {
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		if r.Type != "aws:cloudwatch/logGroup:LogGroup" {
			return ""
		}
		if days, _ := r.Input("retentionInDays").(float64); days < 1 {
			return "kept for ever"
		}
		if r.Input("kmsKeyId") == nil {
			return "not encrypted"
		}
		return ""
	})
}

// wildcards are the statements that name every resource, because AWS offers no narrower one for their actions.
// Source: AWS Service Authorization Reference.
var wildcards = map[string]string{
	"LoginToRegistry":  "ecr:GetAuthorizationToken has no resource",
	"SignInToRegistry": "ecr:GetAuthorizationToken has no resource",
	"ExecChannels":     "ssmmessages has no resources",
	"ExecFindGroup":    "logs:DescribeLogGroups lists",
	"FindGroup":        "logs:DescribeLogGroups lists",
	"Channels":         "ssmmessages has no resources",
}

func TestNoPermissionForEverything(t *testing.T) {
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		if r.Type != "aws:iam/rolePolicy:RolePolicy" || strings.HasPrefix(r.Name, "github") { // the deploy role has a test of its own
			return ""
		}
		var document struct {
			Statement []struct {
				Sid, Effect      string
				Action, Resource any
			}
		}
		if err := json.Unmarshal([]byte(fmt.Sprint(r.Input("policy"))), &document); err != nil {
			return err.Error()
		}
		for _, s := range document.Statement {
			if s.Sid == "" {
				return "a statement does not say what it is for"
			}
			if strings.HasSuffix(fmt.Sprint(s.Action), "*") || strings.Contains(fmt.Sprint(s.Action), "* ") {
				return fmt.Sprintf("%s allows %v", s.Sid, s.Action)
			}
			if fmt.Sprint(s.Resource) == "*" && wildcards[s.Sid] == "" {
				return fmt.Sprintf("%s is for every resource", s.Sid)
			}
		}
		return ""
	})
}

var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

func TestContainersRunByDigestWithoutRootAndWithoutSecrets(t *testing.T) {
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		if r.Type != "aws:ecs/taskDefinition:TaskDefinition" {
			return ""
		}
		text, ok := r.Input("containerDefinitions").(string)
		if !ok {
			return "the container definitions are a secret: a secret value stands in them"
		}
		var containers []struct {
			Name, Image, User      string
			ReadonlyRootFilesystem bool
			Environment            []struct{ Name, Value string }
			LogConfiguration       *struct{}
		}
		if err := json.Unmarshal([]byte(text), &containers); err != nil {
			return err.Error()
		}
		for _, c := range containers {
			router := c.Name == "log-router"
			switch {
			case !router && !digest.MatchString(c.Image):
				return c.Name + " runs " + c.Image + ", which is no digest"
			case !router && (strings.HasPrefix(c.User, "0") || c.User == ""):
				return c.Name + " runs as root"
			case !router && !c.ReadonlyRootFilesystem:
				return c.Name + " may write its root file system"
			case c.LogConfiguration == nil:
				return c.Name + " logs nowhere"
			}
			for _, e := range c.Environment {
				if strings.Contains(e.Value, "generated-") {
					return c.Name + " is told the secret " + e.Name + " in plain text"
				}
			}
		}
		return ""
	})
}

// The execution role reads a task's secrets, and only those: a role that may not is a task that never starts, and one
// that may read more is one too many.
func TestExecutionRolesReadExactlyTheSecretsOfTheirTasks(t *testing.T) {
	valueFrom := regexp.MustCompile(`"valueFrom":"([^"]+)"`)
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if r.Type != "aws:ecs/taskDefinition:TaskDefinition" {
			return ""
		}
		role := fmt.Sprint(r.Input("executionRoleArn"))
		name := role[strings.LastIndex(role, "/")+1:]
		policy := fmt.Sprint(g.Named("aws:iam/rolePolicy:RolePolicy", name+"-policy").Input("policy"))
		for _, secret := range valueFrom.FindAllStringSubmatch(fmt.Sprint(r.Input("containerDefinitions")), -1) {
			if !strings.Contains(policy, secret[1]) {
				return fmt.Sprintf("needs %s, which %s may not read", secret[1], name)
			}
		}
		if !strings.HasPrefix(r.Name, "migration") && strings.Contains(policy, "owner-password") {
			return name + " may read the owner's password"
		}
		return ""
	})
}

func TestTheServiceWaitsForTheMigration(t *testing.T) {
	for _, stack := range stacks {
		service := declared(t, stack, nil).Named("aws:ecs/service:Service", "web")
		if !slices.Contains(service.DependsOn, "migration-marker") {
			t.Errorf("%s: the web service does not wait for the migration: %v", stack, service.DependsOn)
		}
		if !slices.Contains(service.IgnoreChanges, "desiredCount") {
			t.Errorf("%s: scaling and the program both own desiredCount", stack)
		}
	}
}

func TestAReleaseByDigestBuildsNothing(t *testing.T) {
	images := fmt.Sprintf(`{"django":"sha256:%s","nginx":"sha256:%s"}`, strings.Repeat("a", 64), strings.Repeat("b", 64))
	g := declared(t, "staging", map[string]string{"slipway:images": images})
	if built := g.Of("docker:index/image:Image"); len(built) != 0 {
		t.Errorf("%d images are built", len(built))
	}
	web := fmt.Sprint(g.Named("aws:ecs/taskDefinition:TaskDefinition", "web-task").Input("containerDefinitions"))
	if !strings.Contains(web, strings.Repeat("a", 64)) || !strings.Contains(web, strings.Repeat("b", 64)) {
		t.Errorf("the release does not run: %s", web)
	}
}
