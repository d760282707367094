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

// A parameter is one setting of Postgres. RDS applies a static parameter only at a reboot.
type parameter struct {
	name, value string
	static      bool
}

// parameters differ from RDS's defaults; sorted by name.
var parameters = []parameter{
	{name: "log_connections", value: "1"},
	{name: "log_disconnections", value: "1"},
	{name: "log_lock_waits", value: "1"},
	{name: "log_min_duration_statement", value: "1000"}, // milliseconds
	// Not "ddl": it would log the password of a CREATE ROLE statement.
	{name: "log_statement", value: "none"},
	{name: "pg_stat_statements.track", value: "all"},
	{name: "rds.force_ssl", value: "1"},
	{name: "track_activity_query_size", value: "4096", static: true}, // bytes of a query that Performance Insights shows
}

// prerequisites are what must exist before the instance.
type prerequisites struct {
	subnets    *rds.SubnetGroup
	parameters *rds.ParameterGroup
	monitor    *iam.Role
	before     []pulumi.Resource
}

func (s *Store) prerequisites(ctx *pulumi.Context, name string, args *Args) (*prerequisites, error) {
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
	// The family is part of the name, so that a major upgrade can create the new group before it deletes the old one.
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
	return &prerequisites{subnets: subnets, parameters: group, monitor: role, before: append(groups, attached)}, nil
}

// logGroups creates the log groups of the exports. Otherwise RDS creates them, unencrypted and without retention.
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

// monitor creates the role that lets RDS write operating system metrics. They go to the log group RDSOSMetrics, which all
// databases of an account and region share: no stack can own it.
//
// The trust policy is that of the RDS guide, "Setting up and enabling Enhanced Monitoring". It covers every instance of
// the stack, because a replacement exists beside the old instance for a while.
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

// family is the parameter group family of a version: postgres17 for "17" and for "17.2".
func family(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return "postgres" + major
}
