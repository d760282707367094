// Package ecs runs the site on Fargate: the cluster, the balancer in front of it, the web service, its workers, and the
// migration that must succeed before any of them changes.
package ecs

import (
	awsecs "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const clusterType = "slipway:ecs:Cluster"

// execPrefix is the prefix of session logs in the bucket.
const execPrefix = "exec"

// ClusterArgs describe a Cluster.
type ClusterArgs struct {
	Site       wiring.Site
	ExecGroup  pulumi.StringInput // name of the log group for ECS Exec
	ExecKeyARN pulumi.StringInput // encrypts the sessions
	ExecBucket pulumi.StringInput // name of a bucket that stores them as well; nil: the log group only
}

// A Cluster is the ECS cluster of the stack, with Container Insights, encrypted and recorded ECS Exec sessions, and both
// Fargate and Fargate Spot.
//
// Cost: the cluster is free; Container Insights bills its metrics, a few dollars a month for a small site. Renaming the
// stack replaces it, with all its services.
type Cluster struct {
	pulumi.ResourceState
	Name pulumi.StringOutput
	ARN  pulumi.StringOutput
	Exec *fargate.Exec // what a task role needs for ECS Exec

	capacity pulumi.Resource
}

// Ready is the cluster with its capacity providers.
func (c *Cluster) Ready() []pulumi.Resource { return []pulumi.Resource{c.capacity} }

// NewCluster creates the cluster.
func NewCluster(ctx *pulumi.Context, name string, args *ClusterArgs, opts ...pulumi.ResourceOption) (*Cluster, error) {
	c := &Cluster{Exec: &fargate.Exec{Group: args.ExecGroup, KeyARN: args.ExecKeyARN, Bucket: args.ExecBucket, Prefix: execPrefix}}
	if err := ctx.RegisterComponentResource(clusterType, name, c, opts...); err != nil {
		return nil, err
	}

	record := &awsecs.ClusterConfigurationExecuteCommandConfigurationLogConfigurationArgs{
		CloudWatchEncryptionEnabled: pulumi.Bool(true),
		CloudWatchLogGroupName:      args.ExecGroup.ToStringOutput(),
	}
	if args.ExecBucket != nil {
		record.S3BucketName = args.ExecBucket.ToStringOutput()
		record.S3BucketEncryptionEnabled = pulumi.Bool(true)
		record.S3KeyPrefix = pulumi.String(execPrefix)
	}
	cluster, err := awsecs.NewCluster(ctx, name, &awsecs.ClusterArgs{
		Name: pulumi.String(clusterName(args.Site)),
		Settings: awsecs.ClusterSettingArray{&awsecs.ClusterSettingArgs{
			Name: pulumi.String("containerInsights"), Value: pulumi.String("enabled"),
		}},
		Configuration: &awsecs.ClusterConfigurationArgs{
			ExecuteCommandConfiguration: &awsecs.ClusterConfigurationExecuteCommandConfigurationArgs{
				KmsKeyId:         args.ExecKeyARN.ToStringOutput(),
				Logging:          pulumi.String("OVERRIDE"),
				LogConfiguration: record,
			},
		},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	// Both providers, even if no service uses one of them, so that a service's Spot share can change at any time.
	c.capacity, err = awsecs.NewClusterCapacityProviders(ctx, name+"-capacity", &awsecs.ClusterCapacityProvidersArgs{
		ClusterName:       cluster.Name,
		CapacityProviders: pulumi.StringArray{pulumi.String("FARGATE"), pulumi.String("FARGATE_SPOT")},
		DefaultCapacityProviderStrategies: awsecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArray{
			&awsecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs{
				CapacityProvider: pulumi.String("FARGATE"), Base: pulumi.Int(1), Weight: pulumi.Int(100),
			},
		},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}

	c.Name, c.ARN = cluster.Name, cluster.Arn
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": c.Name, "arn": c.ARN})
}
