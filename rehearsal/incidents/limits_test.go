package incidents_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/engine/inprocess"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/whatif"
)

// TestLimitsAndSettings plants quotas that are exceeded and settings that exclude each other.
func TestLimitsAndSettings(t *testing.T) {
	model := deployedByRole(t, "prod")
	for _, c := range []struct {
		failure, source string
		judge           func(t *testing.T, a *cloud.Account) string // what AWS says; "" if it accepts
		says            []string
	}{
		{"the deploy role may not retire the grant of a repository's key", "https://github.com/aws/containers-roadmap/issues/1152",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				mayNot("kms:RetireGrant")(t, a)
				o := named(t, a, "Repository", "images-django")
				return said(a.Try(deploy, "delete", o.Type, o.ID))
			}, []string{"AccessDenied", "kms:RetireGrant on keys-images via ecr"}},
		{"a scaling policy before its target is registered",
			"https://github.com/cloudposse/terraform-aws-ecs-cloudwatch-autoscaling/issues/36",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				policy, target := named(t, a, "Policy", "web-scaling-cpu"), named(t, a, "Target", "web-scaling")
				for _, o := range []*cloud.Object{policy, target} {
					_, err := a.Remove(o.Type, o.ID)
					must(t, err)
				}
				return created(a, policy, nil)
			}, []string{"ObjectNotFoundException", "No scalable target found", "service/slipway-prod-site/slipway-prod-web"}},
		{"the inline policies of a role are too long together", "https://github.com/aws/aws-cdk/issues/12403",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				var arns []any
				for n := range 110 {
					arns = append(arns, fmt.Sprintf("arn:aws:ssm:us-east-1:123456789012:parameter/slipway/prod/setting-with-a-name-%d", n))
				}
				o := named(t, a, "RolePolicy", "site-roles-execution-policy")
				edit("RolePolicy", "site-roles-execution-policy", "policy", func(_ *testing.T, all []statement) []statement {
					return append(all, statement{"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": arns})
				})(t, a)
				o = a.Object(o.Type, o.ID)
				return refused(t, a, o, change{"policy": o.Outputs["policy"]})
			}, []string{"10240"}},
		{"a role has more managed policies than ten", "https://github.com/ministryofjustice/cloud-platform-environments/issues/14118",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				for n := range 11 {
					id, _, err := a.Create(cloud.Change{Type: "aws:iam/policy:Policy",
						URN: fmt.Sprintf("urn:pulumi:prod::slipway::x::p%d", n),
						Inputs: map[string]any{"name": fmt.Sprintf("area-%d", n),
							"policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`}})
					must(t, err)
					_, _, err = a.Create(cloud.Change{Type: "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
						URN: fmt.Sprintf("urn:pulumi:prod::slipway::x::a%d", n), Inputs: map[string]any{"role": "slipway-prod-bastion",
							"policyArn": id}})
					if err != nil {
						return err.Error()
					}
				}
				return ""
			}, []string{"LimitExceeded", "PoliciesPerRole: 10"}},
		{"flow logs to a bucket have a role, which belongs to a log group",
			"https://github.com/aws-samples/aws-secure-environment-accelerator/issues/1111",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				return refused(t, a, named(t, a, "FlowLog", "network-flow"), change{"logDestinationType": "s3",
					"logDestination": "arn:aws:s3:::" + id(t, a, "BucketV2", "archive-access")})
			}, []string{"InvalidParameter", "DeliverLogsPermissionArn is not applicable for s3 delivery"}},
		{"an instance profile without a role", "https://github.com/hashicorp/terraform/issues/4306",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				unset("InstanceProfile", "bastion", "role")(t, a)
				return created(a, named(t, a, "Instance", "bastion"), nil)
			}, []string{"InvalidParameterValue", "Invalid IAM Instance Profile name", "it has no role"}},
		{"Performance Insights with a class that lacks it", "https://github.com/widdix/aws-cf-templates/issues/490",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				other := func(class string) change {
					return change{"engine": "mysql", "engineVersion": "8.0", "instanceClass": class, "parameterGroupName": nil,
						"enabledCloudwatchLogsExports": nil, "port": 3306}
				}
				if text := refused(t, a, named(t, a, "Instance", "database"), other("db.t4g.medium")); strings.Contains(text,
					"Performance Insights") {
					t.Errorf("a class that supports it is refused: %s", text)
				}
				return refused(t, a, named(t, a, "Instance", "database"), other("db.t4g.micro"))
			}, []string{"InvalidParameterCombination", "Performance Insights not supported for this configuration"}},
		{"the subnet of a balancer is full", "https://github.com/aws/aws-rfdk/issues/621",
			func(t *testing.T, a *cloud.Account) string {
				t.Helper()
				set("Subnet", "network-public-a", "cidrBlock", "10.30.0.0/28")(t, a)
				balancer := named(t, a, "LoadBalancer", "balancer")
				if text := created(a, balancer, change{"name": "second"}); text != "" {
					t.Errorf("a subnet with room for two balancers: %s", text)
				}
				for n := range 3 {
					_, _, err := a.Create(cloud.Change{Type: "aws:ec2/networkInterface:NetworkInterface",
						URN: fmt.Sprintf("urn:pulumi:prod::slipway::x::eni%d", n), Inputs: map[string]any{"subnetId": id(t, a, "Subnet",
							"network-public-a")}})
					must(t, err)
				}
				return created(a, balancer, change{"name": "third"})
			}, []string{"InvalidSubnet", "Not enough IP space available in subnet-", "at least 8 free IP addresses"}},
	} {
		t.Run(c.failure, func(t *testing.T) {
			text := c.judge(t, account(t, model))
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("%s: AWS does not say %q, but %q", c.source, says, text)
				}
			}
		})
	}
}

// TestASubnetTooSmallForABalancer (https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/1333): AWS makes the
// balancer, which cannot scale.
func TestASubnetTooSmallForABalancer(t *testing.T) {
	a := account(t, deployed(t, "prod", nil))
	set("Subnet", "network-public-a", "cidrBlock", "10.30.0.0/28")(t, a)
	if found := a.Findings(); !slices.ContainsFunc(found, func(f cloud.Finding) bool {
		return strings.HasSuffix(f.Resource, "::balancer") && strings.Contains(strings.Join(f.Chain, "\n"), "the load balancer needs a /27")
	}) {
		t.Errorf("no finding says that the subnet is too small:\n%s", list(found))
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// created makes another object like o, and returns what AWS says; "" if it accepts.
func created(a *cloud.Account, o *cloud.Object, changes change) string {
	inputs := maps.Clone(o.Inputs)
	maps.Copy(inputs, changes)
	_, _, err := a.Create(cloud.Change{Type: o.Type, URN: o.URN, Inputs: inputs})
	return said(err)
}

// TestHealthPathsThatNginxAnswers: what nginx answers itself never reaches Django, which would say that it is healthy. A redirect counts
// as healthy, so a task without a working Django would stay.
func TestHealthPathsThatNginxAnswers(t *testing.T) {
	dir := deployed(t, "prod", nil)
	const source = "https://github.com/DSACMS/iv-cbv-payroll/issues/134"
	const server, path = "listen ${SLIPWAY_PORT} default_server;", "location = /.slipway/health {"
	const refused, unseen = "Target.ResponseCodeMismatch", "HTTPCode_Target_5XX_Count"
	for _, c := range []struct{ failure, old, now, code, says string }{
		{"it redirects all plain HTTP", server,
			server + ` if ($http_x_forwarded_proto != "https") { return 301 https://$host$request_uri; }`, unseen, "301"},
		{"it redirects plain HTTP by a name", server, server + " if ($scheme = http) { return 308 https://$host$request_uri; }", unseen, "308"},
		{"another server is the default", "server {\n        " + server,
			"server { listen ${SLIPWAY_PORT} default_server; return 444; }\n    server {\n        listen ${SLIPWAY_PORT};", refused, "444"},
		{"a location hides what is for machines", path,
			"location ~ ^/\\.slipway/ { deny all; return 403; }\n        location = /.slipway/healthz {", refused, "403"},
		{"the path redirects to one with a slash", path,
			"location = /.slipway/health { return 301 /.slipway/health/; }\n        location = /.slipway/health/ {", unseen, "301"},
		{"nginx says that all is well", path, path + ` return 200 "ok\n";`, unseen, "200"},
		{"what is said to be https only", server,
			server + ` if ($http_x_forwarded_proto = "http") { return 301 https://$host$request_uri; }`, "", ""},
		{"a condition that cannot be decided", server, server + " if ($host !~ example) { return 421; }", "", ""},
		{"a location that does not match", path, "location = /health { return 301 /healthz; }\n        " + path, "", ""},
	} {
		t.Run(c.failure, func(t *testing.T) {
			a := account(t, dir)
			built(nginxImage, stagedTemplate, c.old, c.now)(t, a)
			found := a.Findings()
			if c.says == "" {
				if len(found) > 0 {
					t.Errorf("a false alarm:\n%s", list(found))
				}
				return
			}
			if !slices.ContainsFunc(found, func(f cloud.Finding) bool {
				return strings.HasSuffix(f.Resource, "::web") && f.Code == c.code && f.Source != "" && f.Fix != "" &&
					strings.Contains(strings.Join(f.Chain, "\n"), "answers GET /.slipway/health with "+c.says+" itself")
			}) {
				t.Errorf("%s: no finding says %s:\n%s", source, c.says, list(found))
			}
		})
	}
}

// TestReplacementsInASecondUp makes changes that are fit for a first up, and fail where the site exists.
func TestReplacementsInASecondUp(t *testing.T) {
	const targets, parameters, role = "TargetGroup::balancer-targets.", "ParameterGroup::database-parameters.", "Role::bastion."
	for _, c := range []struct {
		failure, source string
		second          []string // --with
		says            []string
	}{
		{"a target group is deleted before its listener lets go of it", "https://github.com/pulumi/pulumi-aws/issues/4220",
			[]string{targets + "port=8081", targets + "options.deleteBeforeReplace=true"},
			[]string{"ResourceInUse", "balancer-https", "it depend on target group balancer-targets"}},
		{"a target group of the same name exists", "https://github.com/cloudposse/terraform-aws-alb/issues/109",
			[]string{targets + "port=8081", targets + "options.deleteBeforeReplace=false"}, []string{"DuplicateTargetGroupName",
				"balancer-targets"}},
		{"a role is deleted while an instance profile holds it", "https://github.com/99designs/iamy/issues/68",
			[]string{role + `name="slipway-prod-other"`, role + "options.deleteBeforeReplace=true"}, []string{"DeleteConflict",
				"instance profile slipway-prod-bastion"}},
		{"a parameter group is deleted while the database is a member", "https://github.com/hashicorp/terraform-provider-aws/issues/6448",
			[]string{parameters + `family="postgres16"`, parameters + "options.deleteBeforeReplace=true"},
			[]string{"InvalidDBParameterGroupState", "database"}},
	} {
		t.Run(c.failure, func(t *testing.T) {
			t.Parallel()
			s, _, done := opened(t, "prod", nil)
			defer done()
			record := whatif.NewRecord()
			s.Monitor = func() inprocess.Monitor { return record }
			must(t, s.Up(t.Context(), inprocess.Run{}))
			changes, err := whatif.Parse(whatif.Flags{With: c.second})
			must(t, err)
			plan, err := changes.On(record)
			must(t, err)
			s.Monitor = func() inprocess.Monitor { return plan.Run() }
			err = s.Up(t.Context(), inprocess.Run{})
			if err == nil {
				t.Fatalf("%s: the second up is not refused", c.source)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%s: AWS does not say %q: %v", c.source, says, err)
				}
			}
		})
	}
}
