package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/wiring"
)

const (
	vpcType      = "aws:ec2/vpc:Vpc"
	subnetType   = "aws:ec2/subnet:Subnet"
	natType      = "aws:ec2/natGateway:NatGateway"
	eipType      = "aws:ec2/eip:Eip"
	routeType    = "aws:ec2/route:Route"
	followType   = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	endpointType = "aws:ec2/vpcEndpoint:VpcEndpoint"
	groupType    = "aws:ec2/securityGroup:SecurityGroup"
	ingressType  = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType   = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
)

func arguments(zones int, nat NAT) *Args {
	return &Args{
		Site: wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: "123456789012",
			Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"}},
		CIDR: netip.MustParsePrefix("10.0.0.0/16"), Zones: zones, NAT: nat, Bastion: true, HTTPS: true, Ports: ports,
		FlowLogDays: 365, LogsKeyARN: pulumi.String("arn:aws:kms:us-east-1:123456789012:key/logs"),
	}
}

// record creates a network and puts one machine into each placement, as the site does.
func record(t *testing.T, args *Args) graph.Graph {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		n, err := New(ctx, "network", args)
		if err != nil {
			return err
		}
		placements := map[Group]wiring.Placement{Web: n.Web, Work: n.Work}
		if args.Bastion {
			placements[Bastion] = n.Bastion
		}
		for g, p := range placements {
			_, err := ec2.NewInstance(ctx, "in-"+string(g), &ec2.InstanceArgs{
				SubnetId:            p.Subnets.ToStringArrayOutput().Index(pulumi.Int(0)).ToStringPtrOutput(),
				VpcSecurityGroupIds: p.SecurityGroups,
			})
			if err != nil {
				return err
			}
		}
		_, err = ec2.NewInstance(ctx, "in-public", &ec2.InstanceArgs{
			SubnetId:            n.PublicSubnetIDs.Index(pulumi.Int(0)).ToStringPtrOutput(),
			VpcSecurityGroupIds: pulumi.StringArray{n.Groups[Edge]},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func names(g graph.Graph) []string {
	var all []string
	for _, r := range g {
		all = append(all, r.Name)
	}
	return all
}

func TestEveryResourceBelongsToTheNetwork(t *testing.T) {
	for _, nat := range []NAT{PerZone, None} {
		for _, r := range record(t, arguments(3, nat)) {
			if r.Custom() && !strings.HasPrefix(r.Name, "in-") && (r.Parent != "network" || !strings.HasPrefix(r.Name, "network")) {
				t.Errorf("%s %s: parent %q", r.Type, r.Name, r.Parent)
			}
		}
	}
}

func TestVPCResolvesNames(t *testing.T) {
	v := record(t, arguments(2, Single)).Named(vpcType, "network")
	if v.Input("cidrBlock") != "10.0.0.0/16" || v.Input("enableDnsSupport") != true || v.Input("enableDnsHostnames") != true {
		t.Errorf("vpc: %v", v.Inputs)
	}
}

func TestDefaultGroupHasNoRules(t *testing.T) {
	all := record(t, arguments(2, Single)).Of("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
	if len(all) != 1 || all[0].Input("vpcId") != "network-id" || all[0].Input("ingress") != nil || all[0].Input("egress") != nil {
		t.Errorf("default security group: %v", all)
	}
}

func TestSubnetsGiveNoPublicAddress(t *testing.T) {
	g := record(t, arguments(3, PerZone))
	layout, _ := Plan(netip.MustParsePrefix("10.0.0.0/16"), 3)
	subnets := g.Of(subnetType)
	if len(subnets) != 9 {
		t.Fatalf("want 9 subnets, got %v", names(subnets))
	}
	for _, s := range subnets {
		if s.Input("mapPublicIpOnLaunch") != false {
			t.Errorf("%s gives public addresses", s.Name)
		}
	}
	for kind, cidrs := range map[string][]netip.Prefix{"public": layout.Public, "private": layout.Private, "data": layout.Data} {
		for i, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
			s := g.Named(subnetType, fmt.Sprintf("network-%s-%s", kind, zone[len(zone)-1:]))
			if s.Input("availabilityZone") != zone || s.Input("cidrBlock") != cidrs[i].String() {
				t.Errorf("%s: want %s in %s, got %v", s.Name, cidrs[i], zone, s.Inputs)
			}
		}
	}
}

// A site that grows by a zone must keep all it has: same names, same inputs.
func TestThirdZoneOnlyAdds(t *testing.T) {
	for _, nat := range []NAT{PerZone, Single, None} {
		two, three := record(t, arguments(2, nat)), record(t, arguments(3, nat))
		for _, r := range two {
			grown := three.Named(r.Type, r.Name)
			if r.Type == endpointType {
				continue // they get a further subnet or route table, in place
			}
			if diff := cmp.Diff(r.Inputs, grown.Inputs); diff != "" {
				t.Errorf("%s: %s %s changes (-two +three):\n%s", nat, r.Type, r.Name, diff)
			}
		}
		if len(three) <= len(two) {
			t.Errorf("%s: the third zone adds nothing", nat)
		}
	}
}

// privateRoutes returns the NAT gateway of each private route, and checks where the routes lead.
func privateRoutes(t *testing.T, nat NAT, g graph.Graph) map[string]string {
	t.Helper()
	routes := map[string]string{}
	for _, r := range g.Of(routeType) {
		if r.Input("destinationCidrBlock") != "0.0.0.0/0" {
			t.Errorf("%s: route to %v", nat, r.Input("destinationCidrBlock"))
		}
		if r.Name == "network-public-out" {
			if r.Input("gatewayId") != "network-id" {
				t.Errorf("%s: the public route does not lead to the internet gateway: %v", nat, r.Inputs)
			}
			continue
		}
		routes[r.Name], _ = r.Input("natGatewayId").(string)
		if r.Input("routeTableId") != strings.TrimSuffix(r.Name, "-out")+"-id" {
			t.Errorf("%s: route %s is in table %v", nat, r.Name, r.Input("routeTableId"))
		}
	}
	return routes
}

func TestRoutesToTheInternet(t *testing.T) {
	for _, test := range []struct {
		nat      NAT
		zones    int
		gateways []string          // NAT gateways
		routes   map[string]string // private route -> its gateway
	}{
		{PerZone, 3, []string{"network-nat-a", "network-nat-b", "network-nat-c"}, map[string]string{
			"network-private-a-out": "network-nat-a-id", "network-private-b-out": "network-nat-b-id",
			"network-private-c-out": "network-nat-c-id"}},
		{Single, 3, []string{"network-nat-a"}, map[string]string{
			"network-private-a-out": "network-nat-a-id", "network-private-b-out": "network-nat-a-id",
			"network-private-c-out": "network-nat-a-id"}},
		{None, 2, nil, map[string]string{}},
	} {
		g := record(t, arguments(test.zones, test.nat))
		if diff := cmp.Diff(test.gateways, names(g.Of(natType))); diff != "" {
			t.Errorf("%s: NAT gateways (-want +got):\n%s", test.nat, diff)
		}
		if diff := cmp.Diff(test.gateways, names(g.Of(eipType))); diff != "" {
			t.Errorf("%s: addresses (-want +got):\n%s", test.nat, diff)
		}
		for _, gateway := range g.Of(natType) {
			zone := gateway.Name[len(gateway.Name)-1:]
			if gateway.Input("subnetId") != "network-public-"+zone+"-id" || gateway.Input("allocationId") != gateway.Name+"-id" {
				t.Errorf("%s: %s is not in its zone's public subnet with its own address: %v", test.nat, gateway.Name, gateway.Inputs)
			}
			if !slices.Contains(gateway.DependsOn, "network-public-out") {
				t.Errorf("%s: %s does not wait for the route to the internet: %v", test.nat, gateway.Name, gateway.DependsOn)
			}
		}
		if diff := cmp.Diff(test.routes, privateRoutes(t, test.nat, g)); diff != "" {
			t.Errorf("%s: private routes (-want +got):\n%s", test.nat, diff)
		}
		for _, s := range g.Of(subnetType) {
			table := s.Name + "-id"
			for _, shared := range []string{"network-public", "network-data"} {
				if strings.HasPrefix(s.Name, shared) {
					table = shared + "-id"
				}
			}
			follow := g.Named(followType, s.Name+"-routes")
			if follow.Input("subnetId") != s.Name+"-id" || follow.Input("routeTableId") != table {
				t.Errorf("%s: %s follows %v, want %s", test.nat, s.Name, follow.Input("routeTableId"), table)
			}
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, test := range []struct {
		nat     NAT
		bastion bool
		more    []string
		want    []string // interface endpoints: each costs $7.30 a month in each zone, so none is without a user
	}{
		{PerZone, true, nil, nil},
		{Single, true, []string{"sqs"}, nil},
		{None, false, nil, []string{"ecr.api", "ecr.dkr", "kms", "logs", "ssm", "ssmmessages"}},
		{None, true, nil, []string{"ecr.api", "ecr.dkr", "kms", "logs", "ssm", "ssmmessages"}},
		{None, true, []string{"sqs", "kms"}, []string{"ecr.api", "ecr.dkr", "kms", "logs", "sqs", "ssm", "ssmmessages"}},
	} {
		args := arguments(2, test.nat)
		args.Bastion, args.Endpoints = test.bastion, test.more
		g := record(t, args)
		var services []string
		for _, e := range g.Of(endpointType) {
			if e.Name == "network-s3" {
				tables := []any{"network-private-a-id", "network-private-b-id"}
				if e.Input("vpcEndpointType") != "Gateway" || e.Input("serviceName") != "com.amazonaws.us-east-1.s3" ||
					!cmp.Equal(tables, e.Input("routeTableIds")) {
					t.Errorf("%s: S3 endpoint: %v", test.nat, e.Inputs)
				}
				continue
			}
			services = append(services, strings.TrimPrefix(e.Input("serviceName").(string), "com.amazonaws.us-east-1."))
			if e.Input("vpcEndpointType") != "Interface" || e.Input("privateDnsEnabled") != true ||
				!cmp.Equal([]any{"network-private-a-id", "network-private-b-id"}, e.Input("subnetIds")) ||
				!cmp.Equal([]any{"network-endpoints-id"}, e.Input("securityGroupIds")) {
				t.Errorf("%s: %s: %v", test.nat, e.Name, e.Inputs)
			}
		}
		if diff := cmp.Diff(test.want, services); diff != "" {
			t.Errorf("%s, bastion %v: interface endpoints (-want +got):\n%s", test.nat, test.bastion, diff)
		}
		if len(g.Of(endpointType)) != len(services)+1 {
			t.Errorf("%s: no S3 endpoint", test.nat)
		}
	}
}

// Code in a task must not reach another account through an endpoint.
func TestEndpointsServeThisAccountOnly(t *testing.T) {
	for _, e := range record(t, arguments(2, None)).Of(endpointType) {
		var doc struct {
			Statement []struct {
				Sid       string
				Action    any
				Resource  any
				Condition map[string]map[string]string
			}
		}
		text, _ := e.Input("policy").(string)
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Errorf("%s: policy %q: %v", e.Name, text, err)
			continue
		}
		for _, s := range doc.Statement {
			own := s.Condition["StringEquals"]["aws:PrincipalAccount"] == "123456789012" &&
				(e.Name != "network-s3" || s.Condition["StringEquals"]["aws:ResourceAccount"] == "123456789012")
			amazons := s.Action == "s3:GetObject" && !strings.Contains(fmt.Sprint(s.Resource), ":::*")
			if !own && !amazons {
				t.Errorf("%s: %s lets strangers pass: %+v", e.Name, s.Sid, s)
			}
		}
	}
}

// The security groups are read back into the form of the table: what AWS would enforce is what the table says.
func TestSecurityGroupsMatchTheTable(t *testing.T) {
	for _, nat := range []NAT{PerZone, Single, None} {
		g := record(t, arguments(2, nat))
		side := func(r graph.Resource, key string) string {
			id, _ := r.Input(key).(string)
			return strings.TrimSuffix(strings.TrimPrefix(id, "network-"), "-id")
		}
		peer := func(r graph.Resource) string {
			_, s3 := r.Inputs["prefixListId"]
			switch {
			case r.Input("cidrIpv4") == "0.0.0.0/0":
				return "world"
			case s3 && slices.Contains(r.DependsOn, "network-s3"):
				return "s3"
			}
			return side(r, "referencedSecurityGroupId")
		}
		var in, out, wantIn, wantOut []string
		for _, r := range append(g.Of(ingressType), g.Of(egressType)...) {
			if r.Input("ipProtocol") != "tcp" || r.Input("fromPort") != r.Input("toPort") {
				t.Errorf("%s: %s is not one TCP port: %v", nat, r.Name, r.Inputs)
			}
			if text, _ := r.Input("description").(string); !describable.MatchString(text) {
				t.Errorf("%s: %s is described as %q", nat, r.Name, text)
			}
			if r.Type == ingressType {
				in = append(in, fmt.Sprintf("%s>%s:%v", peer(r), side(r, "securityGroupId"), r.Input("fromPort")))
			} else {
				out = append(out, fmt.Sprintf("%s>%s:%v", side(r, "securityGroupId"), peer(r), r.Input("fromPort")))
			}
		}
		for _, r := range Rules(nat, true, true, ports) {
			if !r.To.outside() {
				wantIn = append(wantIn, lines([]Rule{r})...)
			}
			if !r.From.outside() {
				wantOut = append(wantOut, lines([]Rule{r})...)
			}
		}
		for _, list := range [][]string{in, out, wantIn, wantOut} {
			slices.Sort(list)
		}
		if diff := cmp.Diff(wantIn, in); diff != "" {
			t.Errorf("%s: ingress (-table +groups):\n%s", nat, diff)
		}
		if diff := cmp.Diff(wantOut, out); diff != "" {
			t.Errorf("%s: egress (-table +groups):\n%s", nat, diff)
		}
		for _, sg := range g.Of(groupType) {
			if sg.Input("ingress") != nil || sg.Input("egress") != nil || sg.Input("description") == nil {
				t.Errorf("%s: %s has rules of its own or no description: %v", nat, sg.Name, sg.Inputs)
			}
		}
	}
}

func TestOnlyTheEdgeIsOpenToTheWorld(t *testing.T) {
	for _, nat := range []NAT{PerZone, Single, None} {
		g := record(t, arguments(2, nat))
		for _, r := range append(g.Of(ingressType), g.Of(egressType)...) {
			if r.Input("cidrIpv4") == nil && r.Input("cidrIpv6") == nil {
				continue
			}
			edge := r.Type == ingressType && r.Input("securityGroupId") == "network-edge-id" &&
				(r.Input("fromPort") == 80.0 || r.Input("fromPort") == 443.0)
			out := r.Type == egressType && r.Input("fromPort") == 443.0 && nat != None
			if !edge && !out {
				t.Errorf("%s: %s opens %v", nat, r.Name, r.Inputs)
			}
		}
	}
}

// A workload must not start before its network works: the first task would fail to pull its image.
func TestPlacementWaitsForItsNetwork(t *testing.T) {
	for _, test := range []struct {
		nat  NAT
		who  string
		want []string
	}{
		{PerZone, "in-web", []string{"network-private-a-out", "network-private-a-routes", "network-private-b-out", "network-s3",
			"network-web-to-world-443-out", "network-web-to-data-5432-out", "network-edge-to-web-8080-in"}},
		{None, "in-web", []string{"network-private-a-routes", "network-ecr.dkr", "network-logs", "network-s3",
			"network-web-to-endpoints-443-out", "network-web-to-s3-443-out"}},
		{None, "in-work", []string{"network-kms", "network-work-to-endpoints-443-out", "network-work-to-data-5432-out"}},
		{None, "in-bastion", []string{"network-ssmmessages", "network-bastion-to-endpoints-443-out", "network-bastion-to-data-5432-out"}},
		{None, "in-public", []string{"network-public-out", "network-public-b-routes", "network-world-to-edge-443-in",
			"network-edge-to-web-8080-out"}},
	} {
		got := record(t, arguments(2, test.nat)).Named("aws:ec2/instance:Instance", test.who).DependsOn
		for _, want := range test.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %s does not wait for %s: %v", test.nat, test.who, want, got)
			}
		}
	}
}

// In use1-az3 Fargate runs no arm64 tasks, and EC2 has no machine for the bastion.
func TestARMWorkloadsAvoidZonesWithoutARM(t *testing.T) {
	for name, c := range map[string]struct {
		without           []string
		tasks             bool
		web, work, tunnel string
	}{
		"everywhere":                    {nil, true, "a", "a", "a"},
		"the first zone has none":       {[]string{"us-east-1a"}, true, "b", "b", "b"},
		"the second zone has none":      {[]string{"us-east-1b"}, true, "a", "a", "a"},
		"tasks of another architecture": {[]string{"us-east-1a"}, false, "a", "a", "b"},
	} {
		args := arguments(2, Single)
		args.WithoutARM, args.ARMTasks = c.without, c.tasks
		g := record(t, args)
		for who, zone := range map[string]string{"in-web": c.web, "in-work": c.work, "in-bastion": c.tunnel} {
			if got := g.Named("aws:ec2/instance:Instance", who).Input("subnetId"); got != "network-private-"+zone+"-id" {
				t.Errorf("%s: %s is in %v, want zone %s", name, who, got, zone)
			}
		}
		if n := len(g.Of("aws:ec2/subnet:Subnet")); n != 6 {
			t.Errorf("%s: %d subnets, want three in each zone", name, n)
		}
	}
	args := arguments(2, Single)
	args.WithoutARM = []string{"us-east-1a", "us-east-1b"}
	if _, err := args.check(); err == nil ||
		!strings.Contains(err.Error(), "none of the zones [us-east-1a us-east-1b] has arm64 machines") {
		t.Errorf("zones without arm64 machines are taken: %v", err)
	}
}

func TestFlowLogsAreKeptEncrypted(t *testing.T) {
	g := record(t, arguments(2, Single))
	group := g.Named("aws:cloudwatch/logGroup:LogGroup", "network-flow")
	if group.Input("name") != "/slipway/dev/network/flow" || group.Input("retentionInDays") != 365.0 ||
		group.Input("kmsKeyId") != "arn:aws:kms:us-east-1:123456789012:key/logs" {
		t.Errorf("log group: %v", group.Inputs)
	}
	flow := g.Named("aws:ec2/flowLog:FlowLog", "network-flow")
	if flow.Input("trafficType") != "ALL" || flow.Input("vpcId") != "network-id" ||
		!strings.HasSuffix(fmt.Sprint(flow.Input("logDestination")), "logGroup/network-flow") {
		t.Errorf("flow log: %v", flow.Inputs)
	}
	trust, _ := g.Named("aws:iam/role:Role", "network-flow").Input("assumeRolePolicy").(string)
	if !strings.Contains(trust, "vpc-flow-logs.amazonaws.com") || !strings.Contains(trust, `"aws:SourceAccount":"123456789012"`) {
		t.Errorf("role: %s", trust)
	}
	policy, _ := g.Named("aws:iam/rolePolicy:RolePolicy", "network-flow").Input("policy").(string)
	if !strings.Contains(policy, "logs:PutLogEvents") || strings.Contains(policy, `"Resource":"*"`) {
		t.Errorf("policy: %s", policy)
	}
	if !slices.Contains(flow.DependsOn, "network-flow") {
		t.Errorf("the flow log does not wait for its permission: %v", flow.DependsOn)
	}
}

func TestAllMistakesAreReportedAndNothingIsMade(t *testing.T) {
	args := arguments(3, "some")
	args.CIDR = netip.MustParsePrefix("10.0.0.7/16")
	args.Site.Zones = []string{"us-east-1a", "us-west-2-lax-1a"}
	args.FlowLogDays, args.LogsKeyARN = 0, nil
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := New(ctx, "network", args)
		return err
	})
	if err == nil || len(g.Of(Type)) != 0 || len(g.Of(vpcType)) != 0 {
		t.Fatalf("want an error and nothing declared, got %v and %v", err, g)
	}
	for _, part := range []string{
		"10.0.0.7/16 has host bits set", "3 zones are wanted, the region us-east-1 has 2",
		`zones must end in different letters, got "us-east-1a" and "us-west-2-lax-1a"`,
		`nat must be perZone, single or none, got "some"`, "at least 1 day, got 0", "need a KMS key",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("want %q in: %v", part, err)
		}
	}
}
