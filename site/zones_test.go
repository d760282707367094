package site

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
)

// An impaired region is one whose first zone has the state "impaired": it is in the answer unless the caller asks for available
// zones (EC2 API Reference, DescribeAvailabilityZones).
type impaired struct{ subnetsIn []string }

func (impaired) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return args.Name, args.Inputs, nil
}

func (m impaired) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	text := fmt.Sprint(args.Args.Mappable())
	if strings.HasSuffix(args.Token, "getSubnets") {
		ids := []any{}
		for _, zone := range m.subnetsIn {
			if strings.Contains(text, zone) {
				ids = append(ids, "subnet-1")
			}
		}
		return resource.NewPropertyMapFromMap(map[string]any{"id": "r", "ids": ids}), nil
	}
	names, ids := []any{"us-east-1a", "us-east-1b", "us-east-1c"}, []any{"use1-az1", "use1-az3", "use1-az2"}
	if strings.Contains(text, "available") {
		names, ids = names[1:], ids[1:]
	}
	return resource.NewPropertyMapFromMap(map[string]any{"id": "r", "groupNames": []any{}, "names": names, "zoneIds": ids}), nil
}

// Other zones would replace the network, and with it the database, for a state that lasts an hour.
func TestAnImpairedZoneDoesNotMoveTheStack(t *testing.T) {
	for _, c := range []struct {
		name string
		m    impaired
		want []string
	}{
		{"a new stack", impaired{}, []string{"us-east-1a", "us-east-1c"}},
		{"a stack that has subnets in use1-az3", impaired{[]string{"us-east-1b"}}, []string{"us-east-1a", "us-east-1b"}},
	} {
		stack := &config.Stack{Project: "slipway", Name: "dev", Region: "us-east-1"}
		stack.Network.Zones = 2
		err := pulumi.RunErr(func(ctx *pulumi.Context) error {
			zones, without, err := findZones(ctx, stack, pulumi.Version("6.0.0"))
			if diff := cmp.Diff(c.want, zones); diff != "" {
				t.Errorf("%s: zones (-want +got):\n%s", c.name, diff)
			}
			if slices.Contains(without, "us-east-1a") {
				t.Errorf("%s: us-east-1a has arm64 machines", c.name)
			}
			return err
		}, pulumi.WithMocks("slipway", "dev", c.m))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
