package datastore

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// exports are the logs that RDS for Postgres can send to CloudWatch.
var exports = []string{"postgresql", "upgrade"}

// A parameter is one setting of Postgres. RDS refuses to apply a static one at once: it waits for a restart.
type parameter struct {
	name, value string
	static      bool
}

// parameters are what differs from RDS's defaults, sorted by name.
var parameters = []parameter{
	{name: "log_connections", value: "1"},
	{name: "log_disconnections", value: "1"},
	{name: "log_lock_waits", value: "1"},
	{name: "log_min_duration_statement", value: "1000"}, // milliseconds
	// Not "ddl": whoever writes a password into CREATE ROLE would have it in the log.
	{name: "log_statement", value: "none"},
	{name: "pg_stat_statements.track", value: "all"},
	{name: "rds.force_ssl", value: "1"},
	{name: "track_activity_query_size", value: "4096", static: true}, // bytes; Performance Insights shows as much of a query
}

// surroundings are what an instance needs to exist before it does.
type surroundings struct {
	subnets    *rds.SubnetGroup
	parameters *rds.ParameterGroup
	monitor    *iam.Role
	before     []pulumi.Resource
}

func (s *Store) surroundings(ctx *pulumi.Context, name string, args *Args) (*surroundings, error) {
	subnets, err := rds.NewSubnetGroup(ctx, name+"-subnets", &rds.SubnetGroupArgs{
		Name:        pulumi.String(args.Site.Name("database")),
		Description: pulumi.String("Data subnets of " + args.Site.Name("database")),
		SubnetIds:   args.Placement.Subnets,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	settings := rds.ParameterGroupParameterArray{}
	for _, p := range parameters {
		apply := "immediate"
		if p.static {
			apply = "pending-reboot"
		}
		settings = append(settings, &rds.ParameterGroupParameterArgs{
			Name: pulumi.String(p.name), Value: pulumi.String(p.value), ApplyMethod: pulumi.String(apply),
		})
	}
	// The family is part of the name, so that an upgrade finds the new group beside the old one.
	family := family(args.Version)
	group, err := rds.NewParameterGroup(ctx, name+"-parameters", &rds.ParameterGroupArgs{
		Name:        pulumi.String(args.Site.Name(family)),
		Description: pulumi.String("Settings of " + args.Site.Name("database")),
		Family:      pulumi.String(family),
		Parameters:  settings,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	groups, err := s.logGroups(ctx, name, args)
	if err != nil {
		return nil, err
	}
	role, attached, err := s.monitor(ctx, name, args)
	if err != nil {
		return nil, err
	}
	return &surroundings{subnets: subnets, parameters: group, monitor: role, before: append(groups, attached)}, nil
}

// logGroups makes the groups to which RDS exports. RDS would make them itself, unencrypted and for ever.
func (s *Store) logGroups(ctx *pulumi.Context, name string, args *Args) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	for _, export := range exports {
		group, err := cloudwatch.NewLogGroup(ctx, name+"-"+export, &cloudwatch.LogGroupArgs{
			Name:            pulumi.Sprintf("/aws/rds/instance/%s/%s", s.Identifier, export),
			RetentionInDays: pulumi.Int(args.LogDays),
			KmsKeyId:        args.LogKeyARN.ToStringOutput(),
		}, pulumi.Parent(s))
		if err != nil {
			return nil, err
		}
		s.LogGroups = append(s.LogGroups, group.Name)
		made = append(made, group)
	}
	return made, nil
}

// monitor makes the role by which RDS writes the metrics of the operating system. They go to the log group
// RDSOSMetrics, which all databases of an account and region share: no stack can own it.
//
// The trust is that of the RDS guide, "Setting up and enabling Enhanced Monitoring". It covers every instance of the
// stack, because a replacement is created before the old instance is gone.
func (s *Store) monitor(ctx *pulumi.Context, name string, args *Args) (*iam.Role, pulumi.Resource, error) {
	role, err := iam.NewRole(ctx, name+"-monitoring", &iam.RoleArgs{
		Name:        pulumi.String(args.Site.Name("database-monitoring")),
		Description: pulumi.String("Enhanced monitoring of " + args.Site.Name("database")),
		AssumeRolePolicy: policy.Trust("monitoring.rds.amazonaws.com", policy.Conditions{
			"StringEquals": {"aws:SourceAccount": args.Site.AccountID},
			"StringLike":   {"aws:SourceArn": args.Site.ARN("rds", "db:"+args.Site.Name("database-*"))},
		}),
		PermissionsBoundary: args.Site.Boundary,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, err
	}
	attached, err := iam.NewRolePolicyAttachment(ctx, name+"-monitoring", &iam.RolePolicyAttachmentArgs{
		Role:      role.Name,
		PolicyArn: pulumi.String(fmt.Sprintf("arn:%s:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole", args.Site.Partition)),
	}, pulumi.Parent(s))
	return role, attached, err
}

// family is the parameter group family of a version: postgres17 of "17" and of "17.2".
func family(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return "postgres" + major
}
