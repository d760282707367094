package network

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// InterfaceServices lists the AWS services that a site without NAT reaches through interface endpoints, by the last part of
// the endpoint's name: those that the site's own parts call, and more.
//
// Others that AWS's guides name are not needed. ECS reads parameters and images without STS and Secrets Manager; CloudWatch
// Logs calls Firehose from its own network; the Session Manager agent needs ec2messages only before version 3.3.40 (Systems
// Manager guide, "Reference: ec2messages, ssmmessages, and other API operations").
func InterfaceServices(more ...string) []string {
	services := []string{
		"ecr.api", "ecr.dkr", // pull images
		"logs",        // write logs
		"ssm",         // read settings; register the bastion
		"ssmmessages", // ECS Exec and Session Manager
		"kms",         // both encrypt sessions with the site's key
	}
	for _, service := range more {
		if !slices.Contains(services, service) {
			services = append(services, service)
		}
	}
	return services
}

// newS3Endpoint keeps traffic to S3 off the NAT gateway, where each GB costs $0.045. The gateway endpoint is free.
func (b *builder) newS3Endpoint(tables pulumi.StringArray) (*ec2.VpcEndpoint, error) {
	return ec2.NewVpcEndpoint(b.ctx, b.name+"-s3", &ec2.VpcEndpointArgs{
		VpcId:           b.vpc.ID(),
		ServiceName:     pulumi.String(serviceName(b.args.Site, "s3")),
		VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds:   tables,
		Policy:          policy.Document(s3Statements(b.args.Site)...),
		Tags:            b.tags("s3"),
	}, b.parent())
}

// newInterfaceEndpoints creates an endpoint of each service in every private subnet, if there is no NAT.
func (b *builder) newInterfaceEndpoints(subnets pulumi.StringArray, group pulumi.StringInput) ([]pulumi.Resource, error) {
	if b.args.NAT != None {
		return nil, nil
	}
	var all []pulumi.Resource
	for _, service := range InterfaceServices(b.args.Endpoints...) {
		e, err := ec2.NewVpcEndpoint(b.ctx, b.name+"-"+service, &ec2.VpcEndpointArgs{
			VpcId:             b.vpc.ID(),
			ServiceName:       pulumi.String(serviceName(b.args.Site, service)),
			VpcEndpointType:   pulumi.String("Interface"),
			PrivateDnsEnabled: pulumi.Bool(true),
			SubnetIds:         subnets,
			SecurityGroupIds:  pulumi.StringArray{group},
			Policy:            policy.Document(ownStatement(b.args.Site)),
			Tags:              b.tags(service),
		}, b.parent())
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

// ownStatement blocks exfiltration: code in a task cannot use credentials of another account to send data there. Roles of
// this account stay limited by their own policies.
func ownStatement(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "OwnPrincipals",
		Principals: policy.Anyone(),
		Actions:    []string{"*"},
		Resources:  []any{"*"},
		Conditions: map[string]map[string]any{"StringEquals": {"aws:PrincipalAccount": site.AccountID}},
	}
}

// s3Statements let the VPC use the account's own buckets, and read the few buckets of AWS that it depends on.
func s3Statements(site wiring.Site) []policy.Statement {
	return []policy.Statement{
		{
			Sid:        "OwnBuckets",
			Principals: policy.Anyone(),
			Actions:    []string{"s3:*"},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"StringEquals": {
				"aws:PrincipalAccount": site.AccountID,
				"aws:ResourceAccount":  site.AccountID,
			}},
		},
		{
			Sid:        "ImageLayersAndPackages",
			Principals: policy.Anyone(),
			Actions:    []string{"s3:GetObject"},
			Resources: []any{
				// ECR stores image layers here.
				fmt.Sprintf("arn:%s:s3:::prod-%s-starport-layer-bucket/*", site.Partition, site.Region),
				// The package repository of Amazon Linux 2023, from which the bastion installs psql.
				fmt.Sprintf("arn:%s:s3:::al2023-repos-%s-*/*", site.Partition, site.Region),
				// Updates of the Session Manager agent.
				fmt.Sprintf("arn:%s:s3:::amazon-ssm-%s/*", site.Partition, site.Region),
			},
		},
	}
}
