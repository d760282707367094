package network

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// InterfaceServices lists the AWS services that a site without NAT must reach through interface endpoints, by the last
// part of the endpoint's name.
func InterfaceServices(bastion bool) []string {
	services := []string{
		"ecr.api", "ecr.dkr", // pull images
		"logs", "kinesis-firehose", // write logs
		"ssm", "secretsmanager", "kms", // read settings
		"ssmmessages", // ECS Exec and Session Manager
		"sts",
	}
	if bastion {
		services = append(services, "ec2messages") // the agent of Session Manager, before it has ssmmessages
	}
	return services
}

// newS3Endpoint keeps traffic to S3 off the NAT gateway, where each GB costs $0.045. The gateway endpoint is free.
func (n *Network) newS3Endpoint(ctx *pulumi.Context, m making, tables pulumi.StringArray) (*ec2.VpcEndpoint, error) {
	return ec2.NewVpcEndpoint(ctx, m.name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           m.vpc.ID(),
		ServiceName:     pulumi.String(serviceName(m.args.Site, "s3")),
		VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds:   tables,
		Policy:          policy.Document(s3Statements(m.args.Site)...),
		Tags:            m.tags("s3"),
	}, pulumi.Parent(n))
}

// newInterfaceEndpoints puts an address of each service into every private subnet, where there is no NAT.
func (n *Network) newInterfaceEndpoints(ctx *pulumi.Context, m making, subnets pulumi.StringArray, group pulumi.StringInput) ([]pulumi.Resource, error) {
	if m.args.NAT != None {
		return nil, nil
	}
	var all []pulumi.Resource
	for _, service := range InterfaceServices(m.args.Bastion) {
		e, err := ec2.NewVpcEndpoint(ctx, m.name+"-"+service, &ec2.VpcEndpointArgs{
			VpcId:             m.vpc.ID(),
			ServiceName:       pulumi.String(serviceName(m.args.Site, service)),
			VpcEndpointType:   pulumi.String("Interface"),
			PrivateDnsEnabled: pulumi.Bool(true),
			SubnetIds:         subnets,
			SecurityGroupIds:  pulumi.StringArray{group},
			Policy:            policy.Document(ownStatement(m.args.Site)),
			Tags:              m.tags(service),
		}, pulumi.Parent(n))
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func serviceName(site wiring.Site, service string) string {
	return fmt.Sprintf("com.amazonaws.%s.%s", site.Region, service)
}

var anybody = map[string][]any{"AWS": {"*"}}

// ownStatement closes a way out: whoever runs code in a task cannot bring another account's credentials and carry data
// there. What the account's own roles may do, their policies say.
func ownStatement(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "OwnPrincipals",
		Principals: anybody,
		Actions:    []string{"*"},
		Resources:  []any{"*"},
		Conditions: map[string]map[string]any{"StringEquals": {"aws:PrincipalAccount": site.AccountID}},
	}
}

// s3Statements let the VPC reach the account's own buckets, and read the few of AWS's that it lives on.
func s3Statements(site wiring.Site) []policy.Statement {
	return []policy.Statement{
		{
			Sid:        "OwnBuckets",
			Principals: anybody,
			Actions:    []string{"s3:*"},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"StringEquals": {
				"aws:PrincipalAccount": site.AccountID,
				"aws:ResourceAccount":  site.AccountID,
			}},
		},
		{
			Sid:        "ImageLayersAndPackages",
			Principals: anybody,
			Actions:    []string{"s3:GetObject"},
			Resources: []any{
				// ECR keeps the layers of images here.
				fmt.Sprintf("arn:%s:s3:::prod-%s-starport-layer-bucket/*", site.Partition, site.Region),
				// The package repository of Amazon Linux 2023, from which the bastion installs psql.
				fmt.Sprintf("arn:%s:s3:::al2023-repos-%s-*/*", site.Partition, site.Region),
				// Updates of the Session Manager agent.
				fmt.Sprintf("arn:%s:s3:::amazon-ssm-%s/*", site.Partition, site.Region),
			},
		},
	}
}
