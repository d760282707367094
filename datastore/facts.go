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
		catalog.Random("random:index/randomPassword:RandomPassword").Offering(
			append(catalog.Plain("db.user"), catalog.Secret("db.json", "db.password", "db.url")...)...),
	}
	media := bucket.Facts(site, "media", true)
	media[0] = media[0].Offering(catalog.Plain("bucket")...)
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
			catalog.Look("data", "rds:DescribeDBInstances"),
			keep(append(catalog.Named(site, "rds", "db:", "snapshot:"), site.ARN("rds", "og:default:*")),
				"rds:CreateDBInstance", "rds:CreateDBSnapshot", "rds:DeleteDBInstance", "rds:ModifyDBInstance",
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
		// After a failover a Multi-AZ database is in the other zone.
		AWSManaged: `latestRestorableTime|status|engineVersionActual|replicas|allocatedStorage|availabilityZone`,
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
		Effects: instanceEffects,
		Alarms:  alarms,
		Offers:  catalog.Plain("db.host", "db.name", "db.port", "db.sslmode", "db.sslrootcert"),
		Ports:   []int{Port},
		None:    catalog.Mirrors,
	}
}

// instanceEffects are what RDS does with changes that it applies immediately. Sources: RDS guide, "Settings for DB instances"
// (downtime, backups), "Failing over a Multi-AZ DB instance" (60 to 120 seconds), "Working with storage" (it cannot shrink),
// "Upgrading the PostgreSQL DB engine" (an upgrade cannot be undone).
var instanceEffects = []catalog.Effect{
	{Path: `instanceClass`, Does: catalog.Interrupts,
		Says: "RDS restarts the database: it is down for minutes, with multiAz usually for one or two"},
	{Path: `engineVersion`, Does: catalog.Impossible, When: catalog.Older, Says: "RDS cannot downgrade Postgres",
		Way: "keep the version that runs; to go back, restore a snapshot from before the upgrade into a new stack"},
	{Path: `engineVersion`, Does: catalog.Interrupts, When: catalog.Newer,
		Says: "RDS upgrades the database: it is down for minutes, and only a snapshot gets the old version back"},
	{Path: `allocatedStorage`, Does: catalog.Impossible, When: catalog.Fewer, Says: "RDS cannot shrink storage",
		Way: "set it back; for a smaller database create a new stack and copy the data with pg_dump and pg_restore"},
	{Path: `backupRetentionPeriod`, Does: catalog.Loses, When: noBackups,
		Says: "all its automatic backups are deleted, and it is down for seconds"},
	{Path: `backupRetentionPeriod`, Does: catalog.Loses, When: fewerBackups, Says: "automatic backups older than that are deleted"},
	{Path: `backupRetentionPeriod`, Does: catalog.Interrupts, When: firstBackups,
		Says: "RDS turns backups on: the database is down for seconds"},
	{Path: `deletionProtection`, Does: catalog.Loses, When: catalog.TurnedOff,
		Says: "it loses its protection: from then on it can be deleted"},
}

func noBackups(from, to any) bool { return catalog.Fewer(from, to) && to == 0.0 }

func fewerBackups(from, to any) bool { return catalog.Fewer(from, to) && to != 0.0 }

func firstBackups(from, to any) bool { return (from == nil || from == 0.0) && catalog.Fewer(to, from) }
