package site

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
)

// zoneWithoutARM is the ID of the only zone without arm64 tasks on Fargate; its name differs between accounts. EC2 has no
// Graviton instances there either, nor most instance types of the last years, and so neither has RDS. Source: ECS guide,
// "Supported Regions for Amazon ECS on AWS Fargate".
const zoneWithoutARM = "use1-az3"

// findZones chooses the stack's zones and finds those among them without arm64.
func findZones(ctx *pulumi.Context, stack *config.Stack, invoke pulumi.InvokeOption) (zones, withoutARM []string, err error) {
	// Without a filter on the state: a zone that AWS calls impaired for an hour would drop out, the next one would take its
	// place, and its subnets would be replaced.
	found, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		// Local zones and the like lack RDS and load balancers.
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	}, invoke)
	if err != nil {
		return nil, nil, err
	}
	byID := map[string]string{}
	for i, name := range found.Names {
		if i < len(found.ZoneIds) {
			byID[name] = found.ZoneIds[i]
		}
	}
	count := stack.Network.Zones
	if len(found.Names) < count {
		return nil, nil, fmt.Errorf("network.zones: region %s has %d zones, got %d", stack.Region, len(found.Names), count)
	}
	zones = slices.Sorted(slices.Values(found.Names))[:count]
	if old := slices.IndexFunc(zones, func(zone string) bool { return byID[zone] == zoneWithoutARM }); old >= 0 {
		kept, err := hasSubnets(ctx, stack, zones[old], invoke)
		if err != nil {
			return nil, nil, err
		}
		if !kept {
			zones = oldZoneLast(found.Names, byID)[:count]
		}
	}
	for _, zone := range zones {
		if byID[zone] == zoneWithoutARM {
			withoutARM = append(withoutARM, zone)
		}
	}
	return zones, withoutARM, nil
}

// hasSubnets reports whether the stack has subnets in a zone. It keeps its zones: others would replace the network.
func hasSubnets(ctx *pulumi.Context, stack *config.Stack, zone string, invoke pulumi.InvokeOption) (bool, error) {
	prefix := stack.TagPrefix()
	found, err := ec2.GetSubnets(ctx, &ec2.GetSubnetsArgs{
		Filters: []ec2.GetSubnetsFilter{{Name: "availability-zone", Values: []string{zone}}},
		Tags:    map[string]string{prefix + "project": stack.Project, prefix + "stack": stack.Name},
	}, invoke)
	return err == nil && len(found.Ids) > 0, err
}

// oldZoneLast are the zones by name, but the old one is the last choice. The names do not tell which it is: us-east-1a is
// another place in each account.
func oldZoneLast(names []string, ids map[string]string) []string {
	var usable, old []string
	for _, zone := range slices.Sorted(slices.Values(names)) {
		if ids[zone] == zoneWithoutARM {
			old = append(old, zone)
		} else {
			usable = append(usable, zone)
		}
	}
	return append(usable, old...)
}
