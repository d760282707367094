package datastore

import (
	"slipway/internal/bucket"
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// logGroups is what RDS calls the log groups of an instance: these words and the instance's name.
const logGroups = "/aws/rds/instance/"

// Facts are the facts about the database and the media.
func Facts(site wiring.Site) []catalog.Resource {
	facts := []catalog.Resource{
		instanceFacts(site),
		{
			Type: "aws:rds/parameterGroup:ParameterGroup",
			Deploy: []catalog.Grant{keep(append(catalog.Named(site, "rds", "pg:"), site.ARN("rds", "pg:default.*")),
				"rds:CreateDBParameterGroup", "rds:DeleteDBParameterGroup", "rds:DescribeDBParameterGroups",
				"rds:DescribeDBParameters", "rds:ModifyDBParameterGroup", "rds:ResetDBParameterGroup")},
			Risks: []catalog.Risk{{Path: `parameters`, Why: "the database may take connections without TLS, or log less"}},
			None:  catalog.Inert,
		},
		{
			Type: "aws:rds/subnetGroup:SubnetGroup",
			Deploy: []catalog.Grant{keep(catalog.Named(site, "rds", "subgrp:"),
				"rds:CreateDBSubnetGroup", "rds:DeleteDBSubnetGroup", "rds:DescribeDBSubnetGroups", "rds:ModifyDBSubnetGroup")},
			None: catalog.Inert | catalog.Risks,
		},
		catalog.LogGroup(site, logGroups+site.Name("")), catalog.Role(site), catalog.Attachment(site),
		catalog.Random("random:index/randomId:RandomId"),
		catalog.Random("random:index/randomPassword:RandomPassword").Binds("DB_PASSWORD", "DB_USERNAME", "SITE_DB_PASSWORD", "SITE_DB_USERNAME"),
	}
	media := bucket.Facts(site, "media", true)
	media[0] = media[0].Binds("MEDIA_BUCKET")
	return append(facts, media...)
}

func keep(resources []any, actions ...string) catalog.Grant {
	actions = append(actions, "rds:AddTagsToResource", "rds:ListTagsForResource", "rds:RemoveTagsFromResource")
	return catalog.Grant{Area: "data", Statement: policy.Statement{Sid: "KeepDatabase", Actions: actions, Resources: resources}}
}

func instanceFacts(site wiring.Site) catalog.Resource {
	return catalog.Resource{
		Type: "aws:rds/instance:Instance",
		Deploy: []catalog.Grant{
			// The provider looks for the database among all of them, by what it is called inside RDS.
			catalog.Look("data", "rds:DescribeDBEngineVersions", "rds:DescribeDBInstances", "rds:DescribeOrderableDBInstanceOptions"),
			keep(append(catalog.Named(site, "rds", "db:", "snapshot:"), site.ARN("rds", "og:default:*")),
				"rds:CreateDBInstance", "rds:CreateDBSnapshot", "rds:DeleteDBInstance", "rds:DescribeDBSnapshots", "rds:ModifyDBInstance",
				"rds:RebootDBInstance"),
			catalog.UseKey(site, "rds"), catalog.GrantKey(site, "rds"),
			catalog.PassRole(site, "monitoring.rds.amazonaws.com"), catalog.FirstUse(site, "rds.amazonaws.com"),
		},
		Bound: []policy.Statement{{
			// RDS keeps the metrics of all databases of a region in one group, and makes it when there is none.
			Sid: "WriteDatabaseMetrics",
			Actions: []string{
				"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents",
				"logs:PutRetentionPolicy",
			},
			Resources: []any{site.ARN("logs", "log-group:RDS*")},
		}},
		AWSManaged: `latestRestorableTime|status|engineVersionActual|replicas|allocatedStorage`,
		Risks: []catalog.Risk{
			{Path: `publiclyAccessible`, Why: "the database has a public address", When: catalog.TurnedOn},
			{Path: `deletionProtection`, Why: "the database can be deleted", When: catalog.TurnedOff},
			{Path: `skipFinalSnapshot|deleteAutomatedBackups`, Why: "a deletion would leave no snapshot or backup", When: catalog.TurnedOn},
			{Path: `backupRetentionPeriod`, Why: "backups are kept for fewer days", When: catalog.Fewer},
			{Path: `multiAz|storageEncrypted|iamDatabaseAuthenticationEnabled`, Why: "the database is less protected", When: catalog.TurnedOff},
			{
				Path: `vpcSecurityGroupIds|dbSubnetGroupName|parameterGroupName|caCertIdentifier|kmsKeyId|enabledCloudwatchLogsExports`,
				Why:  "other hosts may reach the database, or its protection changed",
			},
		},
		Missing: "up creates an empty database; restore a snapshot first",
		Loss:    catalog.Loss{Kind: "database", Order: 1, Says: "all that it holds is deleted"},
		Alarms:  alarms,
		Env:     []string{"DB_DATABASE", "DB_HOST", "DB_PORT", "DB_SSLMODE"},
		Ports:   []int{Port},
		None:    catalog.Mirrors,
	}
}
