package ecs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const wafType = "slipway:ecs:WAF"

// WAFLogs is the required prefix of the name of a log group for AWS WAF.
const WAFLogs = "aws-waf-logs-"

// WAFArgs describe a WAF.
type WAFArgs struct {
	Site            wiring.Site
	LoadBalancerARN pulumi.StringInput

	// RateLimit is how many requests one address may make in five minutes before it gets 429: 10 to 2,000,000,000.
	RateLimit int

	// UploadPaths are the paths that take file uploads: exactly one (/upload/), or all below one (/admin/*). The rules that look
	// for attacks in a request's body let those requests pass, because they find attacks in pictures and archives too.
	UploadPaths []string

	LogGroup    string             // its name; it begins with WAFLogs
	LogGroupARN pulumi.StringInput // without ":*" at its end
}

// A WAF is an AWS WAF web ACL for the balancer: AWS's managed rule groups against known bad addresses, common attacks,
// known bad inputs and SQL injection, and a rate limit per address. Requests that it blocks or counts are logged without
// cookies and credentials; the balancer's access log has the others.
//
// The rule that limits bodies to 8 KB only counts, because uploads are larger; nginx limits the size of a request. With
// UploadPaths the other rules about bodies count as well, and label the request; the last rule blocks what has such a label
// outside those paths.
//
// Cost: $5 a month, $1 a month for each of its 5 rules (6 with UploadPaths) and $0.60 per million requests (us-east-1, from
// memory). Renaming the stack replaces it.
//
// It is registered by its token, without pulumi-aws's wafv2 package; docs/design.md explains why.
type WAF struct {
	pulumi.ResourceState
	ARN pulumi.StringOutput
}

// wafGroups are the rule groups, in the order of evaluation: cheap and precise ones first.
var wafGroups = []struct {
	name, group string
	count       string   // a rule of the group that only counts
	label       string   // the prefix of the labels of bodies
	bodies      []string // rules that look for attacks in a body
}{
	{name: "reputation", group: "AWSManagedRulesAmazonIpReputationList"},
	{name: "common", group: "AWSManagedRulesCommonRuleSet", count: "SizeRestrictions_BODY", label: "awswaf:managed:aws:core-rule-set:",
		bodies: []string{"CrossSiteScripting_BODY", "EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY"}},
	{name: "inputs", group: "AWSManagedRulesKnownBadInputsRuleSet"},
	{name: "sql", group: "AWSManagedRulesSQLiRuleSet", label: "awswaf:managed:aws:sql-database:",
		bodies: []string{"SQLiExtendedPatterns_BODY", "SQLi_BODY"}},
}

// A webACL is the web ACL with the output that is used.
type webACL struct {
	pulumi.CustomResourceState
	ARN pulumi.StringOutput `pulumi:"arn"`
}

// NewWAF creates the web ACL, associates it with the balancer and turns on its log.
func NewWAF(ctx *pulumi.Context, name string, args *WAFArgs, opts ...pulumi.ResourceOption) (*WAF, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	w := &WAF{}
	if err := ctx.RegisterComponentResource(wafType, name, w, opts...); err != nil {
		return nil, err
	}
	acl := &webACL{}
	if err := ctx.RegisterResource("aws:wafv2/webAcl:WebAcl", name, pulumi.Map{
		"name":             pulumi.String(args.Site.Name("web")),
		"description":      pulumi.String("Stands before the balancer of " + args.Site.Name("web")),
		"scope":            pulumi.String("REGIONAL"),
		"defaultAction":    pulumi.Map{"allow": pulumi.Map{}},
		"rules":            args.rules(),
		"visibilityConfig": visible(args.Site.Name("web")),
	}, acl, pulumi.Parent(w)); err != nil {
		return nil, err
	}
	association := &pulumi.CustomResourceState{}
	if err := ctx.RegisterResource("aws:wafv2/webAclAssociation:WebAclAssociation", name, pulumi.Map{
		"resourceArn": args.LoadBalancerARN, "webAclArn": acl.ARN,
	}, association, pulumi.Parent(w)); err != nil {
		return nil, err
	}
	delivery, err := w.allowDelivery(ctx, name, args)
	if err != nil {
		return nil, err
	}
	log := &pulumi.CustomResourceState{}
	if err := ctx.RegisterResource("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", name, pulumi.Map{
		"resourceArn":           acl.ARN,
		"logDestinationConfigs": pulumi.Array{args.LogGroupARN},
		"loggingFilter": pulumi.Map{"defaultBehavior": pulumi.String("DROP"), "filters": pulumi.Array{pulumi.Map{
			"behavior": pulumi.String("KEEP"), "requirement": pulumi.String("MEETS_ANY"),
			"conditions": pulumi.Array{
				pulumi.Map{"actionCondition": pulumi.Map{"action": pulumi.String("BLOCK")}},
				pulumi.Map{"actionCondition": pulumi.Map{"action": pulumi.String("COUNT")}},
			},
		}}},
		"redactedFields": pulumi.Array{
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("authorization")}},
			pulumi.Map{"singleHeader": pulumi.Map{"name": pulumi.String("cookie")}},
		},
	}, log, pulumi.Parent(w), pulumi.DependsOn([]pulumi.Resource{delivery})); err != nil {
		return nil, err
	}
	w.ARN = acl.ARN
	return w, ctx.RegisterResourceOutputs(w, pulumi.Map{"arn": w.ARN})
}

// allowDelivery lets AWS deliver the log to its group. Without this policy, AWS adds the group to a policy that all stacks
// of the account share. That one is full at 5,120 characters (terraform-provider-aws#25296), and keeps the group when the
// stack is destroyed. An account has at most 10 such policies per region, so this is the stack's only one.
//
// Source: CloudWatch Logs guide, "Enable logging from AWS services", section "Logs sent to CloudWatch Logs".
func (w *WAF) allowDelivery(ctx *pulumi.Context, name string, args *WAFArgs) (pulumi.Resource, error) {
	return cloudwatch.NewLogResourcePolicy(ctx, name+"-delivery", &cloudwatch.LogResourcePolicyArgs{
		PolicyName: pulumi.String(args.Site.Name("waf-logs")),
		PolicyDocument: policy.Document(policy.Statement{
			Sid:        "DeliverWAFLogs",
			Principals: map[string][]any{"Service": {"delivery.logs.amazonaws.com"}},
			Actions:    []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources:  []any{args.Site.ARN("logs", "log-group:"+args.LogGroup+":log-stream:*")},
			Conditions: policy.From(args.Site.AccountID, args.Site.ARN("logs", "*")),
		}),
	}, pulumi.Parent(w))
}

// rules are the rate limit, first because it is the cheapest, and then the rule groups.
func (args *WAFArgs) rules() pulumi.Array {
	rules := pulumi.Array{pulumi.Map{
		"name":             pulumi.String("rate"),
		"priority":         pulumi.Int(0),
		"visibilityConfig": visible("rate"),
		"action": pulumi.Map{"block": pulumi.Map{"customResponse": pulumi.Map{
			"responseCode": pulumi.Int(429),
		}}},
		"statement": pulumi.Map{"rateBasedStatement": pulumi.Map{
			"aggregateKeyType": pulumi.String("IP"), "limit": pulumi.Int(args.RateLimit), "evaluationWindowSec": pulumi.Int(300),
		}},
	}}
	for i, g := range wafGroups {
		group := pulumi.Map{"vendorName": pulumi.String("AWS"), "name": pulumi.String(g.group)}
		var counted []string
		if g.count != "" {
			counted = append(counted, g.count)
		}
		if len(args.UploadPaths) > 0 {
			counted = append(counted, g.bodies...)
		}
		overrides := pulumi.Array{}
		for _, rule := range counted {
			overrides = append(overrides, pulumi.Map{"name": pulumi.String(rule), "actionToUse": pulumi.Map{"count": pulumi.Map{}}})
		}
		if len(overrides) > 0 {
			group["ruleActionOverrides"] = overrides
		}
		rules = append(rules, pulumi.Map{
			"name":             pulumi.String(g.name),
			"priority":         pulumi.Int(i + 1),
			"visibilityConfig": visible(g.name),
			"overrideAction":   pulumi.Map{"none": pulumi.Map{}},
			"statement":        pulumi.Map{"managedRuleGroupStatement": group},
		})
	}
	if len(args.UploadPaths) > 0 {
		rules = append(rules, args.attacksElsewhere(len(rules)))
	}
	return rules
}

// attacksElsewhere blocks requests whose body was labelled as an attack, unless their path takes uploads. A rule that counts
// still labels, with the rule's name and BODY as Body (WAF guide, "AWS Managed Rules rule groups list"; "Label match rule
// statement"). re:Post, "How do I allow file uploads with AWS WAF", does it in this way.
func (args *WAFArgs) attacksElsewhere(priority int) pulumi.Map {
	labels := pulumi.Array{}
	for _, g := range wafGroups {
		for _, rule := range g.bodies {
			labels = append(labels, pulumi.Map{"labelMatchStatement": pulumi.Map{
				"scope": pulumi.String("LABEL"), "key": pulumi.String(g.label + strings.TrimSuffix(rule, "BODY") + "Body"),
			}})
		}
	}
	all := pulumi.Array{pulumi.Map{"orStatement": pulumi.Map{"statements": labels}}}
	for _, path := range args.UploadPaths {
		start, below := strings.CutSuffix(path, "*")
		constraint := "EXACTLY"
		if below {
			constraint = "STARTS_WITH"
		}
		all = append(all, pulumi.Map{"notStatement": pulumi.Map{"statements": pulumi.Array{pulumi.Map{"byteMatchStatement": pulumi.Map{
			"fieldToMatch": pulumi.Map{"uriPath": pulumi.Map{}}, "positionalConstraint": pulumi.String(constraint),
			"searchString": pulumi.String(start),
			"textTransformations": pulumi.Array{
				pulumi.Map{"priority": pulumi.Int(0), "type": pulumi.String("URL_DECODE")},
				// So that /admin/../ is not a way round.
				pulumi.Map{"priority": pulumi.Int(1), "type": pulumi.String("NORMALIZE_PATH")},
			},
		}}}}})
	}
	return pulumi.Map{
		"name":             pulumi.String("bodies"),
		"priority":         pulumi.Int(priority),
		"visibilityConfig": visible("bodies"),
		"action":           pulumi.Map{"block": pulumi.Map{}},
		"statement":        pulumi.Map{"andStatement": pulumi.Map{"statements": all}},
	}
}

// visible turns on a rule's CloudWatch metric.
func visible(metric string) pulumi.Map {
	return pulumi.Map{
		"metricName":               pulumi.String(metric),
		"cloudwatchMetricsEnabled": pulumi.Bool(true),
		"sampledRequestsEnabled":   pulumi.Bool(true),
	}
}

func (args *WAFArgs) check() error {
	var wrong []error
	if args.LoadBalancerARN == nil || args.LogGroupARN == nil {
		wrong = append(wrong, errors.New("ecs: a web ACL needs a balancer and a log group"))
	}
	if args.RateLimit < 10 || args.RateLimit > 2_000_000_000 {
		wrong = append(wrong, fmt.Errorf("ecs: rate limit must be 10 to 2000000000 requests in five minutes, got %d", args.RateLimit))
	}
	for _, path := range args.UploadPaths {
		if !strings.HasPrefix(path, "/") || len(path) > 200 {
			wrong = append(wrong, fmt.Errorf("ecs: a path for uploads must begin with / and have at most 200 characters, got %q", path))
		}
	}
	if !strings.HasPrefix(args.LogGroup, WAFLogs) {
		wrong = append(wrong, fmt.Errorf("ecs: the name of a web ACL's log group must begin with %s, got %q", WAFLogs, args.LogGroup))
	}
	return errors.Join(wrong...)
}
