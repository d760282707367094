package cloud

import "testing"

func TestWebACLIncidents(t *testing.T) {
	rule := func(change properties) properties {
		return properties{"rules": []any{changed(properties{"name": "rate", "priority": 1, "action": properties{"block": properties{}},
			"visibilityConfig": properties{"cloudwatchMetricsEnabled": true, "sampledRequestsEnabled": true, "metricName": "rate"},
			"statement":        properties{"rateBasedStatement": properties{"limit": 2000, "aggregateKeyType": "IP"}}}, change)}}
	}
	group := func(names ...string) properties {
		var rules []any
		for i, name := range names {
			rules = append(rules, properties{"name": name, "priority": i, "overrideAction": properties{"none": properties{}},
				"visibilityConfig": properties{"cloudwatchMetricsEnabled": true, "sampledRequestsEnabled": true, "metricName": name},
				"statement":        properties{"managedRuleGroupStatement": properties{"vendorName": "AWS", "name": name}}})
		}
		return properties{"rules": rules}
	}
	refuses(t, []incident{
		{name: "a web ACL that exists", like: "waf", change: properties{"name": "site"}, code: "WAFDuplicateItemException"},
		{name: "a web ACL in no scope", like: "waf", change: properties{"name": "b", "scope": "GLOBAL"},
			code: "expected REGIONAL or CLOUDFRONT", path: "scope"},
		{name: "a web ACL that does nothing by default", like: "waf", change: properties{"name": "b", "defaultAction": properties{}},
			code: "one of allow and block", path: "defaultAction"},
		{name: "a rate of 5", like: "waf", change: rule(properties{"statement.rateBasedStatement.limit": 5}), code: "10 to 2000000000",
			path: "rules[0].statement.rateBasedStatement.limit"},
		{name: "a rate counted over 90 seconds", like: "waf", change: rule(properties{"statement.rateBasedStatement.evaluationWindowSec": 90}),
			code: "expected 60", path: "rules[0].statement.rateBasedStatement.evaluationWindowSec"},
		{name: "a rule without an action", like: "waf", change: rule(properties{"action": nil}), code: "needs an action",
			path: "rules[0].action"},
		{name: "a rule with two statements", like: "waf",
			change: rule(properties{"statement.geoMatchStatement": properties{"countryCodes": []any{"FR"}}}), code: "expected one statement, got 2",
			path: "rules[0].statement"},
		{name: "a rule group that AWS does not manage", like: "waf", change: group("AWSManagedRulesDjangoRuleSet"), code: "manages no rule group",
			path: "rules[0].statement.managedRuleGroupStatement.name"},
		{name: "two rules of one name", like: "waf", change: group("AWSManagedRulesSQLiRuleSet", "AWSManagedRulesSQLiRuleSet"),
			code: "two rules", path: "rules[1].name"},
		{name: "a web ACL that is associated with a balancer", like: "waf", delete: true, code: "WAFAssociatedItemException"},
		{name: "a guard before a network load balancer", like: "waf-guard",
			change: properties{"resourceArn": "arn:aws:elasticloadbalancing:us-east-1:" + DefaultAccountID + ":loadbalancer/net/site/0"},
			code:   "application load balancer", path: "resourceArn"},
		{name: "a second web ACL before a balancer", before: func(w *world) {
			w.create(webACLType, "other", changed(w.inputs["waf"], properties{"name": "other"}))
			w.inputs["waf-guard"] = changed(w.inputs["waf-guard"], properties{"webAclArn": w.arn("other")})
		}, like: "waf-guard", code: "WAFInvalidOperationException"},
		{name: "logs in a group of another name", before: func(w *world) {
			w.inputs["waf-logging"] = changed(w.inputs["waf-logging"],
				properties{"logDestinationConfigs": []any{"arn:aws:logs:us-east-1:" + DefaultAccountID + ":log-group:/site/web"}})
		}, like: "waf-logging", code: "aws-waf-logs-", path: "logDestinationConfigs[0]"},
	})
}
