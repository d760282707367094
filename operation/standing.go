package operation

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// A Cost is what a part of the stack costs a month while the stack is paused.
type Cost struct {
	What    string  `json:"what"`
	Dollars float64 `json:"dollars"` // a month
}

// Prices in us-east-1, as docs/costs.md has them: a test compares both.
const (
	hours        = 730 // a month
	natHour      = 0.045
	addressHour  = 0.005
	balancerHour = 0.0225
	storageMonth = 0.115 // GiB
	keyMonth     = 1
	alarmMonth   = 0.10
	webACLMonth  = 10
	endpointHour = 0.01 // interface endpoint and zone
)

// instanceHour are the prices of small instances. Nodes of a cache have other prices, of which docs/costs.md has no verified one.
var instanceHour = map[string]float64{"t4g.nano": 0.0042, "t4g.micro": 0.0084, "t4g.small": 0.0168, "t4g.medium": 0.0336}

// standing is what a paused stack costs, the dearest first: everything that is billed by its existence. unknown are parts whose price is
// not known here.
func standing(resources []apitype.ResourceV3) (costs []Cost, unknown []string) {
	sums := map[string]float64{}
	for _, r := range resources {
		number := func(key string) float64 { n, _ := r.Outputs[key].(float64); return n }
		count := func(key string) float64 { list, _ := r.Outputs[key].([]any); return float64(len(list)) }
		switch r.Type {
		case "aws:ec2/natGateway:NatGateway":
			sums["NAT gateways"] += natHour * hours
		case "aws:ec2/eip:Eip":
			sums["public addresses"] += addressHour * hours
		case "aws:lb/loadBalancer:LoadBalancer":
			sums["load balancer"] += balancerHour * hours
			sums["public addresses"] += addressHour * hours * count("subnets")
		case "aws:ec2/vpcEndpoint:VpcEndpoint":
			sums["interface endpoints"] += endpointHour * hours * count("subnetIds")
		case "aws:rds/instance:Instance":
			copies := 1.0
			if r.Outputs["multiAz"] == true {
				copies = 2
			}
			sums["database storage"] += storageMonth * number("allocatedStorage") * copies
		case "aws:ec2/instance:Instance":
			kind, _ := r.Outputs["instanceType"].(string)
			if price, known := instanceHour[kind]; known {
				sums["bastion"] += price*hours + addedDisk
			} else {
				unknown = append(unknown, "bastion "+kind)
			}
		case "aws:elasticache/replicationGroup:ReplicationGroup":
			kind, _ := r.Outputs["nodeType"].(string)
			unknown = append(unknown, "cache "+kind)
		case "aws:kms/key:Key":
			sums["KMS keys"] += keyMonth
		case "aws:cloudwatch/metricAlarm:MetricAlarm":
			sums["alarms"] += alarmMonth
		case "aws:wafv2/webAcl:WebAcl":
			sums["web ACL"] += webACLMonth
		}
	}
	for what, dollars := range sums {
		if dollars > 0 {
			costs = append(costs, Cost{what, dollars})
		}
	}
	slices.SortFunc(costs, func(a, b Cost) int { return cmp.Or(cmp.Compare(b.Dollars, a.Dollars), cmp.Compare(a.What, b.What)) })
	return costs, unknown
}

// addedDisk is a bastion's disk: 8 GiB at $0.08.
const addedDisk = 0.64

func (c Cost) String() string { return fmt.Sprintf("%s $%.0f", c.What, c.Dollars) }
