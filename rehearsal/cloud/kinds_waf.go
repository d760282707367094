package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// AWS WAF: web ACLs, their associations and their logging.

const (
	webACLType      = "aws:wafv2/webAcl:WebAcl"
	webACLGuardType = "aws:wafv2/webAclAssociation:WebAclAssociation"
	webACLLogsType  = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
)

// ruleGroups are the AWS-managed rule groups, with the capacity units that each uses of a web ACL's 5,000.
// Source: AWS WAF Developer Guide, "AWS Managed Rules rule groups list". Those that cost extra have their own price.
var ruleGroups = map[string]int{
	"AWSManagedRulesCommonRuleSet": 700, "AWSManagedRulesAdminProtectionRuleSet": 100, "AWSManagedRulesKnownBadInputsRuleSet": 200,
	"AWSManagedRulesSQLiRuleSet": 200, "AWSManagedRulesLinuxRuleSet": 200, "AWSManagedRulesUnixRuleSet": 100,
	"AWSManagedRulesWindowsRuleSet": 200, "AWSManagedRulesPHPRuleSet": 100, "AWSManagedRulesWordPressRuleSet": 100,
	"AWSManagedRulesAmazonIpReputationList": 25, "AWSManagedRulesAnonymousIpList": 50, "AWSManagedRulesBotControlRuleSet": 50,
	"AWSManagedRulesATPRuleSet": 50, "AWSManagedRulesACFPRuleSet": 50,
}

const mostCapacity = 5000

// aclLogs is the prefix that the names of a web ACL's log destinations must have.
const aclLogs = "aws-waf-logs-"

// wafKinds are the resource types of AWS WAF.
func wafKinds() []Kind {
	return []Kind{
		webACLKind(), webACLAssociationKind(), webACLLoggingKind(),
	}
}

func webACLKind() Kind {
	return Kind{
		Type: webACLType, CreateAction: "wafv2:CreateWebACL", UpdateAction: "wafv2:UpdateWebACL", DeleteAction: "wafv2:DeleteWebACL",
		Name:     Name{Input: "name", Max: 128, Form: `[A-Za-z0-9_-]+`, Taken: "WAFDuplicateItemException"},
		NotFound: "WAFNonexistentItemException", InUse: "WAFAssociatedItemException",
		Check: checkWebACL,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			o.Outputs["arn"] = a.arn("wafv2", strings.ToLower(in.String("scope"))+"/webacl/"+in.String("name")+"/"+o.ID)
			units := capacity(in)
			if units > mostCapacity {
				return refuse("WAFLimitsExceededException", fmt.Sprintf("its rules take %d units", units),
					"AWS WAF couldn't perform the operation because you exceeded your resource limit.")
			}
			o.Outputs["capacity"] = units
			o.Outputs["lockToken"] = drawUUID(o.ID, fmt.Sprint(a.now().UnixNano()))
			o.Outputs["applicationIntegrationUrl"] = ""
			return nil
		},
		Recomputed: map[string][]string{"rules": {"capacity", "lockToken"}},
	}
}

func webACLAssociationKind() Kind {
	return Kind{
		Type: webACLGuardType, CreateAction: "wafv2:AssociateWebACL", DeleteAction: "wafv2:DisassociateWebACL",
		NotFound: "WAFNonexistentItemException",
		Refs:     []Ref{held("webAclArn", "arn", webACLType), maybe("resourceArn", "arn", balancerType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			arn := in.String("resourceArn")
			if arn == "" || strings.Contains(arn, ":loadbalancer/app/") || !strings.Contains(arn, ":elasticloadbalancing:") {
				return nil
			}
			return []Problem{awsProblem("resourceArn", "WAFInvalidParameterException",
				"a web ACL stands before an application load balancer, got %q", arn)}
		},
		CheckState: func(a *Account, o *Object) error {
			for _, other := range others(a, o, webACLGuardType) {
				if other.Inputs["resourceArn"] == o.Inputs["resourceArn"] && other.Inputs["webAclArn"] != o.Inputs["webAclArn"] {
					return refuse("WAFInvalidOperationException", "another web ACL stands before it", "The resource has a web ACL already.")
				}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("webAclArn") + "," + in.String("resourceArn")
			return nil
		},
	}
}

func webACLLoggingKind() Kind {
	return Kind{
		Type: webACLLogsType, CreateAction: "wafv2:PutLoggingConfiguration",
		UpdateAction: "wafv2:PutLoggingConfiguration", DeleteAction: "wafv2:DeleteLoggingConfiguration",
		NotFound: "WAFNonexistentItemException",
		Refs: []Ref{soft("resourceArn", "arn", webACLType),
			maybe("logDestinationConfigs[]", "arn", logGroupType, firehoseType, bucketType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			var p []Problem
			for i, arn := range in.Strings("logDestinationConfigs") {
				if name := arn[strings.LastIndexAny(strings.TrimSuffix(arn, ":*"), ":/")+1:]; !strings.HasPrefix(name, aclLogs) {
					p = append(p, awsProblem(at("logDestinationConfigs", i), "WAFInvalidParameterException",
						"the name of the log group, stream or bucket begins with %s, got %q", aclLogs, name))
				}
			}
			p = append(p, oneOf(in, "loggingFilter.defaultBehavior", "KEEP", "DROP")...)
			for i, f := range in.Maps("loggingFilter.filters") {
				for _, x := range allOf(oneOf(f, "behavior", "KEEP", "DROP"), oneOf(f, "requirement", "MEETS_ALL", "MEETS_ANY")) {
					x.Path = at("loggingFilter.filters", i) + "." + x.Path
					p = append(p, x)
				}
			}
			return p
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Outputs).String("resourceArn"); return nil },
	}
}

func checkWebACL(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "scope", "REGIONAL", "CLOUDFRONT"), longest(in, "description", 256), tagProblems(in))
	if given(in, unknown, "defaultAction.allow", "defaultAction.block") != 1 {
		p = append(p, problem("defaultAction", "expected one of allow and block"))
	}
	priorities := map[int]string{}
	var names []string
	for i, rule := range in.Maps("rules") {
		path := at("rules", i)
		say := func(key, format string, args ...any) {
			p = append(p, awsProblem(path+key, "WAFInvalidParameterException", format, args...))
		}
		name, priority := rule.String("name"), rule.Int("priority")
		if slices.Contains(names, name) && name != "" {
			say(".name", "two rules have the name %q", name)
		}
		names = append(names, name)
		if other, ok := priorities[priority]; ok {
			say(".priority", "rules %q and %q have the same priority %d", other, name, priority)
		}
		priorities[priority] = name
		group := rule.Has("statement.managedRuleGroupStatement") || rule.Has("statement.ruleGroupReferenceStatement")
		switch {
		case len(rule.Map("statement")) != 1:
			say(".statement", "expected one statement, got %d", len(rule.Map("statement")))
		case group && (rule.Has("action") || !rule.Has("overrideAction")):
			say(".overrideAction", "a rule group has an override action and no action of its own")
		case !group && (!rule.Has("action") || rule.Has("overrideAction")):
			say(".action", "a rule other than a rule group needs an action, and takes no override action")
		}
		const managed = "statement.managedRuleGroupStatement"
		if name := rule.String(managed + ".name"); rule.String(managed+".vendorName") == "AWS" && ruleGroups[name] == 0 {
			say("."+managed+".name", "AWS manages no rule group %q", name)
		}
		const rate = "statement.rateBasedStatement"
		for _, x := range allOf(between(rule, rate+".limit", 10, 2_000_000_000), oneOf(rule, rate+".evaluationWindowSec",
			"60", "120", "300", "600"),
			oneOf(rule, rate+".aggregateKeyType", "IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT")) {
			x.Path = path + "." + x.Path
			p = append(p, x)
		}
	}
	return p
}

// capacity is what the rules use, in web ACL capacity units. It is exact for managed rule groups and rate-based rules; other
// statements count as the minimum of one.
func capacity(in Inputs) int {
	units := 0
	for _, rule := range in.Maps("rules") {
		switch {
		case rule.Has("statement.managedRuleGroupStatement"):
			units += ruleGroups[rule.String("statement.managedRuleGroupStatement.name")]
		case rule.Has("statement.rateBasedStatement"):
			units += 2
		default:
			units++
		}
	}
	return units
}
