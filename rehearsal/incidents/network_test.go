package incidents_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// Failures of networks that others reported, planted into the real program: the site of stack prod, once with NAT gateways and once
// without.

// isolatedNetwork is prod's network without NAT.
var isolatedNetwork = map[string]string{"slipway:network": `{"cidr": "10.30.0.0/16", "zones": 3, "nat": "none"}`}

// gone removes resources.
func gone(kind string, names ...string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		for _, name := range names {
			o := named(t, a, kind, name)
			removed, err := a.Remove(o.Type, o.ID)
			must(t, err)
			if !removed {
				t.Fatalf("%s %s is still there", kind, name)
			}
		}
	}
}

// id is the ID of what the program calls name.
func id(t *testing.T, a *cloud.Account, kind, name string) string {
	t.Helper()
	return named(t, a, kind, name).ID
}

// ids are those of the subnets of a part, one in each of the site's zones.
func ids(t *testing.T, a *cloud.Account, part string) []any {
	t.Helper()
	var all []any
	for _, o := range a.Made() {
		if strings.HasSuffix(o.Type, ":Subnet") && strings.Contains(o.URN, "::network-"+part+"-") {
			all = append(all, o.ID)
		}
	}
	if len(all) != 3 {
		t.Fatalf("the site has %d subnets network-%s-*, expected one in each of its three zones", len(all), part)
	}
	return all
}

// alter changes properties, whose values may depend on the account.
func alter(kind, name string, change func(t *testing.T, a *cloud.Account, out map[string]any)) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		out := maps.Clone(o.Outputs)
		change(t, a, out)
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs = out }))
	}
}

// place moves the web service.
func place(change func(t *testing.T, a *cloud.Account, network map[string]any)) plant {
	return alter("Service", "web", func(t *testing.T, a *cloud.Account, out map[string]any) {
		t.Helper()
		network := maps.Clone(out["networkConfiguration"].(map[string]any))
		change(t, a, network)
		out["networkConfiguration"] = network
	})
}

// acl puts a network ACL on the three subnets of a part.
func acl(part string, in, out []any) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		_, _, err := a.Create(cloud.Change{Type: "aws:ec2/networkAcl:NetworkAcl",
			URN:    "urn:pulumi:prod::slipway::aws:ec2/networkAcl:NetworkAcl::acl",
			Inputs: map[string]any{"vpcId": id(t, a, "Vpc", "network"), "subnetIds": ids(t, a, part), "ingress": in, "egress": out}})
		must(t, err)
	}
}

func allow(number, from, to int, cidr string) any {
	return map[string]any{"ruleNo": number, "action": "allow", "protocol": "tcp", "fromPort": from, "toPort": to, "cidrBlock": cidr}
}

func defaultGroup(t *testing.T, a *cloud.Account) string {
	t.Helper()
	return id(t, a, "DefaultSecurityGroup", "network-default")
}

// A networkIncident is a failure of a network; the number is that of the collection of incidents.
type networkIncident struct {
	id, source string
	isolated   bool // without NAT
	plant      plant
	resource   string   // logical name of the resource at fault
	aws        string   // in AWS's words
	says       []string // in the chain
}

var networkIncidents = []networkIncident{
	{"D01", "Releem/releem-agent#195", false, gone("SecurityGroupEgressRule", "network-web-to-world-443-out"), "web",
		"ResourceInitializationError", []string{"web -> ssm.us-east-1.amazonaws.com:443",
			"security group network-web: no egress rule for tcp 443"}},
	{"D02", "aws/amazon-ecs-agent#1266", false, alter("Route", "network-private-a-out", func(t *testing.T, a *cloud.Account,
		out map[string]any) {
		t.Helper()
		out["natGatewayId"], out["gatewayId"] = nil, id(t, a, "InternetGateway", "network")
	}), "web", "ResourceInitializationError", []string{"web -> api.ecr.us-east-1.amazonaws.com:443",
		"route table network-private-a: route 0.0.0.0/0 -> internet gateway, and task web has no public address"}},
	{"D03", "GuardBench/guardbench-iac#4", true, gone("SecurityGroupEgressRule", "network-web-to-s3-443-out"), "web",
		"CannotPullContainerError",
		[]string{"image layers, which ECR keeps in S3",
			"security group network-web: no egress rule for tcp 443 to prod-us-east-1-starport-layer-bucket"}},
	{"D09", "awsdocs/amazon-ecr-user-guide#4", true, gone("VpcEndpoint", "network-ecr.api"), "web", "unable to pull secrets or registry auth",
		[]string{"web -> api.ecr.us-east-1.amazonaws.com:443", "no endpoint for ecr.api"}},
	{"D10", "HHS/simpler-grants-gov#1062", false, alter("NatGateway", "network-nat-a", func(t *testing.T, a *cloud.Account,
		out map[string]any) {
		t.Helper()
		out["subnetId"] = id(t, a, "Subnet", "network-private-a")
	}), "network-nat-a", "", []string{"the default route of its subnet network-private-a leads to itself, not to an internet gateway"}},
	{"D11", "scalar-labs/scalar-kubernetes#165", false, acl("data", []any{allow(100, 5432, 5432, "10.30.0.0/16")},
		[]any{allow(100, 443, 443, "0.0.0.0/0")}), "web", "Connection timed out",
		[]string{".rds.amazonaws.com:5432", "network ACL acl of subnet network-data-a: egress: no rule allows it for tcp 32768-61000"}},
	{"D12", "cds-snc/scan-websites#122", false, acl("private", []any{allow(100, 1024, 65535, "0.0.0.0/0")},
		[]any{allow(100, 5432, 5432, "10.30.0.0/16"), allow(200, 1024, 65535, "10.30.0.0/16")}), "web", "",
		[]string{"network ACL acl of subnet network-private-a: egress: no rule allows it for tcp 443"}},
	{"D13", "aws-samples/amazon-eks-cdk-blue-green-cicd#5", false, gone("SecurityGroupIngressRule", "network-edge-to-web-8080-in"), "web",
		"due to (reason Request timed out)", []string{"balancer -> web:8080",
			"security group network-web: no ingress rule for tcp 8080 from balancer"}},
	{"D14", "aws/aws-cdk#18093", false, alter("TargetGroup", "balancer-targets", func(_ *testing.T, _ *cloud.Account, out map[string]any) {
		health := maps.Clone(out["healthCheck"].(map[string]any))
		health["port"] = "8081"
		out["healthCheck"] = health
	}), "balancer-targets", "due to (reason Request timed out)", []string{"balancer -> web:8081",
		"security group network-edge: no egress rule for tcp 8081 to web",
		"security group network-web: no ingress rule for tcp 8081 from balancer"}},
	{"D15", "cloudposse/terraform-aws-ecs-web-app#266", false, place(func(t *testing.T, a *cloud.Account, network map[string]any) {
		t.Helper()
		network["securityGroups"] = []any{defaultGroup(t, a)}
	}), "web", "due to (reason Request timed out)", []string{"balancer -> web:8080",
		"security group network-default: no ingress rule for tcp 8080"}},
	{"D16", "aws/aws-cdk#4937", true, gone("SecurityGroupIngressRule", "network-web-to-endpoints-443-in", "network-work-to-endpoints-443-in",
		"network-bastion-to-endpoints-443-in"), "web", "ResourceInitializationError",
		[]string{"web -> ssm.us-east-1.amazonaws.com:443", "security group network-endpoints: no ingress rule for tcp 443 from web"}},
	{"D17", "awsdocs/aws-systems-manager-user-guide#91", true, gone("VpcEndpoint", "network-ssmmessages"), "bastion", "TargetNotConnected",
		[]string{"bastion -> ssmmessages.us-east-1.amazonaws.com:443", "no endpoint for ssmmessages"}},
	{"D21", "aws/containers-roadmap#1695", true, gone("VpcEndpoint", "network-logs"), "web", "failed to validate logger args",
		[]string{"web -> logs.us-east-1.amazonaws.com:443", "no endpoint for logs"}},
	{"D22", "aws/amazon-ecs-agent#1128", false, place(func(t *testing.T, a *cloud.Account, network map[string]any) {
		t.Helper()
		network["subnets"], network["assignPublicIp"] = ids(t, a, "public"), false
	}), "web", "", []string{"route table network-public: route 0.0.0.0/0 -> internet gateway, and task web has no public address"}},
	{"D23", "anomalyco/sst#6019", false, gone("Route", "network-private-a-out"), "web", "The task cannot pull registry auth from Amazon ECR",
		[]string{"route table network-private-a: no route to api.ecr.us-east-1.amazonaws.com (no 0.0.0.0/0), and no endpoint for ecr.api"}},
	{"D24", "gchq/sleeper#6564", false, alter("Instance", "bastion", func(t *testing.T, a *cloud.Account, out map[string]any) {
		t.Helper()
		out["vpcSecurityGroupIds"] = []any{defaultGroup(t, a)}
	}), "bastion", "TargetNotConnected", []string{"bastion -> ssmmessages.us-east-1.amazonaws.com:443",
		"security group network-default: no egress rule for tcp 443"}},
	// Not in the collection: what should not be reachable.
	{"a bastion on the internet", "VPC User Guide, Infrastructure security", false, func(t *testing.T, a *cloud.Account) {
		t.Helper()
		alter("Instance", "bastion", func(t *testing.T, a *cloud.Account, out map[string]any) {
			t.Helper()
			out["subnetId"], out["publicIp"] = id(t, a, "Subnet", "network-public-a"), "52.1.2.3"
		})(t, a)
		group := id(t, a, "SecurityGroup", "network-bastion")
		_, _, err := a.Create(cloud.Change{Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
			URN:    "urn:pulumi:prod::slipway::x::ssh",
			Inputs: map[string]any{"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv4": "0.0.0.0/0"}})
		must(t, err)
	}, "bastion", "the internet reaches bastion on port 22", []string{"internet gateway"}},
	{"visitors are not admitted", "", false, gone("SecurityGroupIngressRule", "network-world-to-edge-443-in"), "balancer",
		"timed out on port 443",
		[]string{"security group network-edge: no ingress rule for tcp 443 from the internet"}},
}

func TestPathsOfServicesAndHosts(t *testing.T) {
	dirs := map[bool]string{false: deployed(t, "prod", nil), true: deployed(t, "prod", isolatedNetwork)}
	for isolated, dir := range dirs {
		if found := account(t, dir).Findings(); len(found) > 0 {
			t.Fatalf("the program itself, isolated %v: %s", isolated, list(found))
		}
	}
	for _, c := range networkIncidents {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, dirs[c.isolated])
			c.plant(t, a)
			found := a.Findings()
			at := slices.IndexFunc(found, func(f cloud.Finding) bool {
				chain := strings.Join(f.Chain, "\n")
				return strings.HasSuffix(f.Resource, "::"+c.resource) && strings.Contains(f.Code+": "+f.Message, c.aws) &&
					!slices.ContainsFunc(c.says, func(text string) bool { return !strings.Contains(chain, text) })
			})
			if at < 0 {
				t.Errorf("%s: no finding at %s in the words %q that says %q; %d findings:\n%s", c.source, c.resource, c.aws, c.says, len(found),
					list(found))
			} else if f := found[at]; f.Code == "" || f.Message == "" || f.Fix == "" || f.Source == "" {
				t.Errorf("the finding is incomplete: %+v", f)
			}
		})
	}
}

// TestASecondEndpointOfAService is D07 (hashicorp/terraform-provider-aws#17535).
func TestASecondEndpointOfAService(t *testing.T) {
	a := account(t, deployed(t, "prod", isolatedNetwork))
	first := named(t, a, "VpcEndpoint", "network-logs")
	in := map[string]any{"vpcId": first.Outputs["vpcId"], "serviceName": first.Outputs["serviceName"], "vpcEndpointType": "Interface",
		"privateDnsEnabled": true, "subnetIds": first.Outputs["subnetIds"], "securityGroupIds": first.Outputs["securityGroupIds"]}
	_, _, err := a.Create(cloud.Change{Type: first.Type, URN: first.URN + "2", Inputs: in})
	if err == nil || !strings.Contains(err.Error(), "conflicting DNS domain for logs.us-east-1.amazonaws.com") ||
		!strings.Contains(err.Error(), first.ID) {
		t.Errorf("the second endpoint for logs: %v", err)
	}
}

// TestReach asks what an engineer on call would ask.
func TestReach(t *testing.T) {
	a := account(t, deployed(t, "prod", nil))
	for _, c := range []struct {
		source, destination string
		open                bool
		says                string
	}{
		{"web", "database", true, "database database: port 5432"},
		{"web", "database:5433", false, "security group network-web: no egress rule for tcp 5433"},
		{"worker-feed", "api.stripe.com:443", true, "NAT gateway network-nat-a"},
		{"web", "smtp.example.com:587", false, "security group network-web: allow tcp 587 out to 0.0.0.0/0"},
		{"internet", "balancer:443", true, "internet gateway network"},
		{"internet", "balancer:8080", false, "nothing listens on port 8080"},
		{"internet", "database", false, "database database: it has no public address"},
		{"balancer", "web:8080", true, "task web: port 8080"},
		{"bastion", "database", true, "security group network-bastion: egress allows tcp 5432"},
		{"bastion", "web:8080", false, "security group network-web: no ingress rule for tcp 8080 from bastion"},
		{"web", "logs", true, "NAT gateway network-nat-a"},
		{"web", "s3", true, "endpoint network-s3"},
		{"job-clean-up", "10.30.0.5:443", true, "security group network-work"},
		{"web", "8.8.8.8:53", false, "no egress rule for tcp 53"},
	} {
		answer, err := a.Reach(c.source, c.destination)
		if err != nil || answer.Open != c.open || !strings.Contains(answer.String(), c.says) {
			t.Errorf("%s -> %s: expected open %v and %q, got %v:\n%s", c.source, c.destination, c.open, c.says, err, answer)
		}
	}
	for _, c := range [][3]string{
		{"wib", "database", "there is no wib that opens connections; there are internet, "},
		{"web", "nothing", "there is no nothing"},
		{"web", "database:port", `"port" is not a port`},
		{"web", "8.8.8.8", "8.8.8.8 needs a port"},
		{"web", "2001:db8::1", "IPv4"},
	} {
		if _, err := a.Reach(c[0], c[1]); err == nil || !strings.Contains(fmt.Sprint(err), c[2]) {
			t.Errorf("%s -> %s: expected %q, got %v", c[0], c[1], c[2], err)
		}
	}
}
