package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RDS: instances, subnet, parameter and option groups.

const rdsName = `[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*`

// postgres are the major versions of RDS for PostgreSQL, with the first and the last minor version that the model knows (as of
// spring 2026).
var postgres = map[string][2]int{"11": {22, 22}, "12": {17, 22}, "13": {11, 23}, "14": {8, 20}, "15": {3, 15}, "16": {1, 11},
	"17": {1, 7}, "18": {1, 1}}

// postgresDefault is RDS's default version.
const postgresDefault = "17.6"

// engines are RDS's engines with their default ports. The model knows only the versions of PostgreSQL.
var engines = map[string]int{"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle-ee": 1521, "oracle-se2": 1521,
	"oracle-ee-cdb": 1521, "oracle-se2-cdb": 1521,
	"sqlserver-ee": 1433, "sqlserver-se": 1433, "sqlserver-ex": 1433, "sqlserver-web": 1433, "db2-ae": 50000, "db2-se": 50000,
	"custom-oracle-ee": 1521}

// instanceClasses are the instance classes for PostgreSQL: the sizes of each family.
var instanceClasses = map[string][]string{
	"t3":   words("micro small medium large xlarge 2xlarge"),
	"t4g":  words("micro small medium large xlarge 2xlarge"),
	"m5":   words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
	"m5d":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
	"m6g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"m6gd": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"m6i":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
	"m6id": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
	"m7g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"m7i":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
	"m8g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
	"r5":   words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
	"r5b":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
	"r6g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r6gd": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r6i":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
	"r6id": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"),
	"r7g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r7i":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
	"r8g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
	"x2g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
}

// retiredClasses are families of earlier generations, with the last major version of PostgreSQL that they run. Source: Amazon RDS User
// Guide, "Supported DB engines for DB instance classes".
var retiredClasses = map[string]int{"m3": 11, "m4": 13, "r3": 11, "r4": 13, "t2": 13}

// withoutInsights are the instance classes that do not support Performance Insights, by engine. PostgreSQL has no such class. Source:
// Amazon RDS User Guide, "Amazon RDS DB engine, Region, and instance class support for Database Insights".
var withoutInsights = map[string][]string{
	"mysql":   words("db.t2.micro db.t2.small db.t3.micro db.t3.small db.t4g.micro db.t4g.small"),
	"mariadb": words("db.t2.micro db.t2.small db.t3.micro db.t3.small db.t4g.micro db.t4g.small"),
}

// rdsKinds are the resource types of RDS.
func rdsKinds() []Kind {
	return []Kind{
		databaseSubnetsKind(), databaseParametersKind(), optionGroupKind(), databaseEventsKind(), databaseKind(),
	}
}

func databaseSubnetsKind() Kind {
	return prefixed(Kind{
		Type: databaseSubnetType, CreateAction: "rds:CreateDBSubnetGroup", UpdateAction: "rds:ModifyDBSubnetGroup",
		DeleteAction: "rds:DeleteDBSubnetGroup",
		Name: Name{Input: "name", Prefix: "namePrefix", Max: 255, Lower: true, Form: `[a-z0-9. _-]+`,
			Taken: "DBSubnetGroupAlreadyExists"},
		NotFound: "DBSubnetGroupNotFoundFault", InUse: "InvalidDBSubnetGroupStateFault",
		Refs:     []Ref{held("subnetIds[]", "id", subnetType)},
		Defaults: map[string]any{"description": "Managed by Pulumi", "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := tagProblems(in)
			if in.String("name") == "default" {
				p = append(p, awsProblem("name", "InvalidParameterValue", "the name default is reserved"))
			}
			if n := len(in.List("subnetIds")); n < 2 && !unknown.Within("subnetIds") {
				p = append(p, awsProblem("subnetIds", "DBSubnetGroupDoesNotCoverEnoughAZs",
					"a DB subnet group needs subnets in at least 2 zones, got %d subnets", n))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			return coversZones(a, o, "DBSubnetGroupDoesNotCoverEnoughAZs", "DB")
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("rds", "subgrp:"+o.ID)
			o.Outputs["supportedNetworkTypes"] = []any{"IPV4"}
			if s := find(a, "id", firstOf(Inputs(o.Inputs).Strings("subnetIds")), subnetType); s != nil {
				o.Outputs["vpcId"] = s.Outputs["vpcId"]
			}
			return nil
		},
	})
}

func databaseParametersKind() Kind {
	return prefixed(Kind{
		Type: parametersType, CreateAction: "rds:CreateDBParameterGroup", UpdateAction: "rds:ModifyDBParameterGroup",
		DeleteAction: "rds:DeleteDBParameterGroup",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 255, Lower: true, Form: rdsName, Taken: "DBParameterGroupAlreadyExists"},
		NotFound:     "DBParameterGroupNotFound", InUse: "InvalidDBParameterGroupState",
		Defaults: map[string]any{"description": "Managed by Pulumi", "namePrefix": "", "skipDestroy": false,
			"parameters[].applyMethod": "immediate"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := tagProblems(in)
			if f := in.String("family"); strings.HasPrefix(f, "postgres") {
				if _, ok := postgres[strings.TrimPrefix(f, "postgres")]; !ok {
					p = append(p, awsProblem("family", "InvalidParameterValue", "ParameterGroupFamily %s is not a valid parameter group family", f))
				}
			}
			seen := map[string]bool{}
			for i, x := range in.Maps("parameters") {
				path := at("parameters", i)
				name := x.String("name")
				if seen[name] {
					p = append(p, awsProblem(path+".name", "InvalidParameterValue", "the parameter %s appears twice", name))
				}
				seen[name] = true
				method := x.String("applyMethod")
				if method != "" && method != "immediate" && method != "pending-reboot" {
					p = append(p, problem(path+".applyMethod", "expected immediate or pending-reboot, got %q", method))
				}
				if slices.Contains(staticParameters, name) && method != "pending-reboot" && !unknown.Within(path) {
					p = append(p, awsProblem(path+".applyMethod", "InvalidParameterCombination",
						"cannot use immediate apply method for static parameter %s: set pending-reboot", name))
				}
				if strings.HasPrefix(in.String("family"), "postgres") {
					if fault := postgresSetting(name, x.String("value")); fault != "" && !unknown.Within(path) {
						p = append(p, awsProblem(path+".value", "InvalidParameterValue", "Invalid parameter value: %s for: %s; %s", x.String("value"), name,
							fault))
					}
					if slices.ContainsFunc(foreignParameters, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
						p = append(p, awsProblem(path+".name", "InvalidParameterValue", "Could not find parameter with name: %s; it is one of MySQL", name))
					}
					if slices.Contains(fixedParameters, name) {
						p = append(p, awsProblem(path+".name", "InvalidParameterValue", "The parameter %s cannot be modified.", name))
					}
					if near := misspelt(name); near != "" {
						p = append(p, awsProblem(path+".name", "InvalidParameterValue", "Could not find parameter with name: %s; did you mean %q?", name,
							near))
					}
					if strings.ContainsAny(name, " ;'\"") || name != strings.ToLower(name) && name != "DateStyle" && name != "TimeZone" &&
						name != "IntervalStyle" {
						p = append(p, awsProblem(path+".name", "InvalidParameterValue", "Could not find parameter with name: %s", name))
					}
				}
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("rds", "pg:"+o.ID)
			return nil
		},
	})
}

func optionGroupKind() Kind {
	return prefixed(Kind{
		Type: optionsType, CreateAction: "rds:CreateOptionGroup", UpdateAction: "rds:ModifyOptionGroup", DeleteAction: "rds:DeleteOptionGroup",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 255, Lower: true, Form: rdsName, Taken: "OptionGroupAlreadyExistsFault"},
		NotFound: "OptionGroupNotFoundFault", InUse: "InvalidOptionGroupStateFault",
		Defaults: map[string]any{"optionGroupDescription": "Managed by Pulumi", "namePrefix": "", "skipDestroy": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "engineName", sortedKeys(engines)...), tagProblems(in))
			if in.String("engineName") == "postgres" && len(in.List("options")) > 0 {
				p = append(p, awsProblem("options", "InvalidParameterValue", "PostgreSQL has no options in option groups"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("rds", "og:"+o.ID)
			return nil
		},
	})
}

func databaseEventsKind() Kind {
	return prefixed(Kind{
		Type: "aws:rds/eventSubscription:EventSubscription", CreateAction: "rds:CreateEventSubscription",
		UpdateAction: "rds:ModifyEventSubscription", DeleteAction: "rds:DeleteEventSubscription",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 255, Form: `[A-Za-z0-9-]+`, Taken: "SubscriptionAlreadyExist"},
		NotFound: "SubscriptionNotFound",
		Refs:     []Ref{maybe("snsTopic", "arn", topicType), soft("sourceIds[]", "identifier,id", databaseType, parametersType)},
		Defaults: map[string]any{"enabled": true, "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "sourceType", words("db-instance db-security-group db-parameter-group db-snapshot db-cluster "+
				"db-cluster-snapshot db-proxy blue-green-deployment custom-engine-version")...), tagProblems(in))
			if len(in.List("sourceIds")) > 0 && given(in, unknown, "sourceType") == 0 {
				p = append(p, awsProblem("sourceType", "InvalidParameterCombination", "sourceIds need a sourceType"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("rds", "es:"+o.ID)
			o.Outputs["customerAwsId"] = a.AccountID
			return nil
		},
	})
}

func databaseKind() Kind {
	return prefixed(Kind{
		Type: databaseType, CreateAction: "rds:CreateDBInstance", UpdateAction: "rds:ModifyDBInstance", DeleteAction: "rds:DeleteDBInstance",
		Name:     Name{Input: "identifier", Prefix: "identifierPrefix", Max: 63, Lower: true, Form: rdsName, Taken: "DBInstanceAlreadyExists"},
		NotFound: "DBInstanceNotFound", InUse: "InvalidDBInstanceState",
		Refs: []Ref{
			held("dbSubnetGroupName", "id", databaseSubnetType), Ref{Path: "parameterGroupName", To: []string{parametersType}, By: "id", Any: true},
			Ref{Path: "optionGroupName", To: []string{optionsType}, By: "id", Any: true}, held("vpcSecurityGroupIds[]", "id", anyGroup...),
			keyRef("kmsKeyId"), keyRef("performanceInsightsKmsKeyId"), keyRef("masterUserSecretKmsKeyId"), roleRef("monitoringRoleArn"),
			held("replicateSourceDb", "id,identifier,arn", databaseType),
		},
		Defaults: map[string]any{
			"autoMinorVersionUpgrade": true, "copyTagsToSnapshot": false, "deletionProtection": false, "iamDatabaseAuthenticationEnabled": false,
			"publiclyAccessible": false, "skipFinalSnapshot": false, "storageEncrypted": false, "monitoringInterval": 0,
			"performanceInsightsEnabled": false,
			"multiAz":                    false, "applyImmediately": false, "deleteAutomatedBackups": true, "maxAllocatedStorage": 0,
			"allowMajorVersionUpgrade": false,
			"dedicatedLogVolume":       false, "customerOwnedIpEnabled": false, "identifierPrefix": "",
		},
		Check:       checkDatabase,
		CheckState:  checkDatabaseState,
		Compute:     computeDatabase,
		CheckDelete: checkDatabaseDelete,
		AfterDelete: keepSnapshot,
		Recomputed: map[string][]string{
			"identifier": {"address", "arn", "endpoint"}, "engineVersion": {"engineVersionActual"}, "port": {"endpoint"},
			"manageMasterUserPassword": {"masterUserSecrets"},
		},
	})
}

// staticParameters are the parameters of PostgreSQL that need a reboot.
var staticParameters = words(`shared_preload_libraries max_connections shared_buffers wal_level max_wal_senders max_worker_processes
	rds.logical_replication rds.force_admin_logging_level autovacuum_max_workers max_prepared_transactions max_locks_per_transaction
	superuser_reserved_connections huge_pages track_activity_query_size pg_stat_statements.max max_logical_replication_workers
	max_replication_slots autovacuum_freeze_max_age listen_addresses`)

// zonesOfSubnets are the zones of subnets.
func zonesOfSubnets(a *Account, ids []string) []string {
	zones := map[string]bool{}
	for _, id := range ids {
		if s := find(a, "id", id, subnetType); s != nil {
			zones[Inputs(s.Outputs).String("availabilityZone")] = true
		}
	}
	return sortedKeys(zones)
}

// coversZones refuses a subnet group whose subnets are in a single zone, or in several VPCs.
func coversZones(a *Account, o *Object, code, what string) error {
	ids := Inputs(o.Inputs).Strings("subnetIds")
	zones := zonesOfSubnets(a, ids)
	if len(zones) < 2 {
		return refuse(code, "the subnets are all in "+strings.Join(zones, ", "),
			"The %s subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: %s. Add subnets to cover at "+
				"least 2 AZs.", what, strings.Join(zones, ", "))
	}
	if _, err := oneNetwork(a, ids, nil); err != nil {
		return refuse("InvalidSubnet", err.Error(), "The requested subnets are not all in the same VPC")
	}
	return nil
}

var (
	databaseName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	databaseUser   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	snapshotName   = regexp.MustCompile(`^[A-Za-z](-?[A-Za-z0-9])*$`)
	reservedUsers  = words("rdsadmin admin user rdsrepladmin rds_superuser rds_replication")
	reservedNames  = words("db rdsadmin template0 template1")
	databaseExport = words("postgresql upgrade iam-db-auth-error")
)

func checkDatabase(in Inputs, unknown Unknowns) []Problem {
	const value, combination = "InvalidParameterValue", "InvalidParameterCombination"
	p := allOf(oneOf(in, "storageType", words("standard gp2 gp3 io1 io2")...), between(in, "backupRetentionPeriod", 0, 35),
		between(in, "port", 1150, 65535),
		oneOf(in, "monitoringInterval", words("0 1 5 10 15 30 60")...), oneOf(in, "networkType", "IPV4", "DUAL"),
		oneOf(in, "replicaMode", "open-read-only", "mounted"), // and RDS API Reference, CreateDBInstance, EngineLifecycleSupport:
		oneOf(in, "engineLifecycleSupport", "open-source-rds-extended-support", "open-source-rds-extended-support-disabled"),
		certificateAuthority(in), databasePassword(in), windowProblems(in, "backupWindow",
			"maintenanceWindow", value), tagProblems(in))
	if d := in.Int("performanceInsightsRetentionPeriod"); in.Has("performanceInsightsRetentionPeriod") && d != 7 && d != 731 &&
		(d%31 != 0 || d < 31 || d > 713) {
		p = append(p, awsProblem("performanceInsightsRetentionPeriod", value, "expected 7, a month as a multiple of 31, or 731 days, got %d", d))
	}
	replica, restored := given(in, unknown, "replicateSourceDb") > 0, given(in, unknown, "snapshotIdentifier",
		"restoreToPointInTime", "s3Import") > 0

	engine := in.String("engine")
	if in.Has("engine") && engines[engine] == 0 {
		p = append(p, awsProblem("engine", value, "Invalid DB engine: %s%s", engine, suggest(engine, sortedKeys(engines))))
	}
	if engine == "postgres" {
		p = append(p, postgresProblems(in)...)
	}
	if !replica && !restored {
		p = append(p, newDatabaseProblems(in, unknown)...)
	}
	if !in.Bool("skipFinalSnapshot") && given(in, unknown, "finalSnapshotIdentifier", "skipFinalSnapshot") == 0 {
		// The provider itself checks this only on delete, which is too late.
		p = append(p, problem("finalSnapshotIdentifier",
			"it must be given unless skipFinalSnapshot is true: the provider refuses to delete the instance otherwise"))
	}
	if s := in.String("finalSnapshotIdentifier"); s != "" && (!snapshotName.MatchString(s) || len(s) > 255) {
		p = append(p, problem("finalSnapshotIdentifier",
			"it must begin with a letter, contain only letters, digits and single hyphens, and not end with a hyphen, got %q", s))
	}
	if in.Has("kmsKeyId") && !in.Bool("storageEncrypted") && !unknown.Has("storageEncrypted") && !replica {
		p = append(p, awsProblem("kmsKeyId", combination, "a key needs storageEncrypted"))
	}
	if in.Int("monitoringInterval") > 0 && given(in, unknown, "monitoringRoleArn") == 0 {
		p = append(p, awsProblem("monitoringRoleArn", combination,
			"A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0"))
	}
	if !in.Bool("performanceInsightsEnabled") && !unknown.Has("performanceInsightsEnabled") &&
		given(in, unknown, "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod") > 0 {
		p = append(p, awsProblem("performanceInsightsEnabled", combination,
			"required by performanceInsightsKmsKeyId and performanceInsightsRetentionPeriod"))
	}
	if class := in.String("instanceClass"); in.Bool("performanceInsightsEnabled") && slices.Contains(withoutInsights[engine], class) {
		p = append(p, awsProblem("performanceInsightsEnabled", combination,
			"Performance Insights not supported for this configuration: %s does not support it with %s", class, engine))
	}
	if in.Bool("multiAz") && in.Has("availabilityZone") {
		p = append(p, awsProblem("availabilityZone", combination, "requesting a specific availability zone is not valid for Multi-AZ instances"))
	}
	return append(p, storageProblems(in, unknown)...)
}

// newDatabaseProblems checks what an instance needs that is neither a replica nor restored from a snapshot.
func newDatabaseProblems(in Inputs, unknown Unknowns) []Problem {
	var p []Problem
	for _, name := range words("engine allocatedStorage username") {
		if given(in, unknown, name) == 0 {
			p = append(p, awsProblem(name, "MissingParameter", "The request must contain the parameter %s", name))
		}
	}
	managed := in.Bool("manageMasterUserPassword")
	if n := given(in, unknown, "password"); n == 0 && !managed && !unknown.Has("manageMasterUserPassword") {
		p = append(p, awsProblem("password", "MissingParameter", "one of password and manageMasterUserPassword must be given"))
	} else if n > 0 && managed {
		p = append(p, awsProblem("password", "InvalidParameterCombination",
			"with manageMasterUserPassword, RDS generates the password"))
	}
	return p
}

func postgresProblems(in Inputs) []Problem {
	const value, combination = "InvalidParameterValue", "InvalidParameterCombination"
	var p []Problem
	if v := in.String("engineVersion"); in.Has("engineVersion") {
		if fault := postgresVersion(v); fault != "" {
			p = append(p, awsProblem("engineVersion", combination, "Cannot find version %s for postgres: %s", v, fault))
		}
	}
	if class := in.String("instanceClass"); in.Has("instanceClass") {
		family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
		sizes := instanceClasses[family]
		last, retired := retiredClasses[family]
		switch {
		case retired && strings.HasPrefix(class, "db.") && atoi(majorOf(orElse(in.String("engineVersion"), postgresDefault))) > last:
			p = append(p, awsProblem("instanceClass", combination, "RDS does not support creating a DB instance with the following combination: "+
				"DBInstanceClass=%s, Engine=postgres, EngineVersion=%s: db.%s ends with PostgreSQL %d", class,
				orElse(in.String("engineVersion"), postgresDefault), family, last))
		case retired && strings.HasPrefix(class, "db."):
		case !strings.HasPrefix(class, "db.") || sizes == nil:
			p = append(p, awsProblem("instanceClass", value, "Invalid DB Instance class: %s; the families are %s", class,
				strings.Join(sortedKeys(instanceClasses), ", ")))
		case !slices.Contains(sizes, size):
			p = append(p, awsProblem("instanceClass", value, "Invalid DB Instance class: %s; db.%s has %s", class, family,
				strings.Join(sizes, ", ")))
		}
	}
	if name := in.String("dbName"); in.Has("dbName") {
		if !databaseName.MatchString(name) {
			p = append(p, awsProblem("dbName", value,
				"DBName must begin with a letter or _ and contain only letters, digits and _, at most 63, got %q", name))
		} else if slices.Contains(reservedNames, strings.ToLower(name)) {
			p = append(p, awsProblem("dbName", value, "DBName %s cannot be used. It is a reserved word for this engine", name))
		}
	}
	if name := in.String("username"); in.Has("username") {
		if !databaseUser.MatchString(name) {
			p = append(p, awsProblem("username", value,
				"MasterUsername must begin with a letter and contain only letters, digits and _, at most 63, got %q", name))
		} else if slices.Contains(reservedUsers, strings.ToLower(name)) || strings.HasPrefix(name, "pg_") {
			p = append(p, awsProblem("username", value, "MasterUsername %s cannot be used as it is a reserved word used by the engine", name))
		}
	}
	in.Each("enabledCloudwatchLogsExports[]", func(path string, v any) {
		if s, _ := v.(string); !slices.Contains(databaseExport, s) {
			p = append(p, awsProblem(path, combination, "You cannot use the log types '%s' with engine version postgres; it has %s", s,
				alternatives(databaseExport)))
		}
	})
	return p
}

// postgresVersion describes what is wrong with a version: RDS accepts a major version, or one of its minor versions.
func postgresVersion(v string) string {
	major, minor, exact := strings.Cut(v, ".")
	span, ok := postgres[major]
	if !ok {
		keys := sortedKeys(postgres)
		return "the major versions are " + alternatives(keys)
	}
	if n, err := strconv.Atoi(minor); exact && (err != nil || n < span[0] || n > span[1]) {
		return fmt.Sprintf("%s has %s.%d to %s.%d", major, major, span[0], major, span[1])
	}
	return ""
}

var authorityForm = regexp.MustCompile(`^rds-ca-(rsa2048|rsa4096|ecc384)-g[0-9]+$`)

// certificateAuthority checks the CA: rds-ca-2015 and rds-ca-2019 have expired. Source: RDS guide, "Certificate authorities"; names of
// other forms, such as those of GovCloud, are not judged.
func certificateAuthority(in Inputs) []Problem {
	name := in.String("caCertIdentifier")
	if strings.HasPrefix(name, "rds-ca-rsa") || strings.HasPrefix(name, "rds-ca-ecc") {
		if !authorityForm.MatchString(name) {
			return []Problem{awsProblem("caCertIdentifier", "CertificateNotFound", "CertificateNotFound: %s%s", name,
				suggest(name, words("rds-ca-rsa2048-g1 rds-ca-rsa4096-g1 rds-ca-ecc384-g1")))}
		}
		return nil
	}
	if name != "rds-ca-2015" && name != "rds-ca-2019" && name != "rds-ca-2010" {
		return nil
	}
	return []Problem{awsProblem("caCertIdentifier", "CertificateNotFound", "CertificateNotFound: %s has expired; use rds-ca-rsa2048-g1, "+
		"rds-ca-rsa4096-g1 or rds-ca-ecc384-g1", name)}
}

func databasePassword(in Inputs) []Problem {
	const code = "InvalidParameterValue"
	password := in.String("password")
	if !in.Has("password") {
		return nil
	}
	// The value is a secret: messages must not contain it.
	switch most := map[bool]int{true: 128, false: 41}[in.String("engine") == "postgres"]; {
	case len(password) < 8:
		return []Problem{awsProblem("password", code,
			"The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters")}
	case len(password) > most:
		return []Problem{awsProblem("password", code,
			"The parameter MasterUserPassword is not a valid password because it is longer than %d characters", most)}
	case strings.ContainsAny(password, "/@\" ") || strings.ContainsFunc(password, func(r rune) bool { return r < 32 || r > 126 }):
		return []Problem{awsProblem("password", code,
			"The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used")}
	}
	return nil
}

func storageProblems(in Inputs, unknown Unknowns) []Problem {
	const value, combination = "InvalidParameterValue", "InvalidParameterCombination"
	var p []Problem
	size, kind := in.Int("allocatedStorage"), orElse(in.String("storageType"), "gp2")
	if in.Has("iops") && !in.Has("storageType") && !unknown.Has("storageType") {
		kind = "io1"
	}
	if in.Has("allocatedStorage") {
		least, most := 20, 65536
		switch kind {
		case "io1", "io2":
			least = 100
		case "standard":
			least, most = 5, 3072
		}
		if size < least || size > most {
			p = append(p, awsProblem("allocatedStorage", value,
				"Invalid storage size for engine name %s and storage type %s: %d; expected %d to %d GiB", in.String("engine"), kind, size, least, most))
		}
		if limit := in.Int("maxAllocatedStorage"); in.Has("maxAllocatedStorage") && limit != 0 {
			if limit <= size {
				p = append(p, awsProblem("maxAllocatedStorage", combination, "Max storage size must be greater than storage size: got %d and %d GiB",
					limit, size))
			} else if 10*limit < 11*size { // RDS guide, "Managing capacity automatically with storage autoscaling"
				p = append(p, awsProblem("maxAllocatedStorage", combination,
					"Max storage size must be at least 10 percent above the storage size: got %d and %d GiB", limit, size))
			} else if limit > most {
				p = append(p, awsProblem("maxAllocatedStorage", value, "expected at most %d GiB, got %d", most, limit))
			}
		}
	}
	if kind == "gp3" && in.Has("allocatedStorage") && size < 400 && given(in, nil, "iops", "storageThroughput") > 0 &&
		in.String("engine") == "postgres" {
		p = append(p, awsProblem("iops", combination,
			"You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400"))
	}
	if (kind == "io1" || kind == "io2") && given(in, unknown, "iops") == 0 {
		p = append(p, awsProblem("iops", combination, "storage of type %s needs iops", kind))
	}
	// RDS User Guide, "Amazon RDS DB instance storage", Provisioned IOPS SSD storage
	if n := in.Int("iops"); (kind == "io1" || kind == "io2") && in.Has("iops") && (n < 1000 || n > 256000) {
		p = append(p, awsProblem("iops", value, "storage of type %s takes 1000 to 256000 iops, got %d", kind, n))
	} else if kind == "io1" && in.Has("iops") && size > 0 && n > 50*size {
		p = append(p, awsProblem("iops", combination, "The IOPS to GiB ratio needs to be between 0.5 and 50: got %d and %d GiB", n, size))
	}
	if (kind == "gp2" || kind == "standard") && given(in, nil, "iops", "storageThroughput") > 0 && in.Has("storageType") {
		p = append(p, awsProblem("iops", combination, "storage of type %s takes no iops or throughput", kind))
	}
	return p
}

var (
	dailyWindow  = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)
	weeklyWindow = regexp.MustCompile(`^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):([0-5][0-9])-(mon|tue|wed|thu|fri|sat|sun)` +
		`:([01][0-9]|2[0-3]):([0-5][0-9])$`)
	weekdays = words("mon tue wed thu fri sat sun")
)

// windowProblems checks a daily window and a weekly one, in UTC: their format, their length, and that
// they do not overlap.
func windowProblems(in Inputs, daily, weekly, code string) []Problem {
	const day, week = 24 * 60, 7 * 24 * 60
	var p []Problem
	minutes := func(hour, minute string) int {
		h, _ := strconv.Atoi(hour)
		m, _ := strconv.Atoi(minute)
		return h*60 + m
	}
	dailyFrom, dailyLength, weeklyFrom, weeklyLength := -1, 0, -1, 0
	if text := in.String(daily); in.Has(daily) {
		if m := dailyWindow.FindStringSubmatch(text); m == nil {
			p = append(p, awsProblem(daily, code, "expected hh:mm-hh:mm in UTC, got %q", text))
		} else {
			dailyFrom = minutes(m[1], m[2])
			dailyLength = (minutes(m[3], m[4]) - dailyFrom + day) % day
			if dailyLength < 30 {
				p = append(p, awsProblem(daily, code, "the window must be at least 30 minutes, got %d", dailyLength))
			}
		}
	}
	if text := in.String(weekly); in.Has(weekly) {
		if m := weeklyWindow.FindStringSubmatch(strings.ToLower(text)); m == nil {
			p = append(p, awsProblem(weekly, code, "expected ddd:hh:mm-ddd:hh:mm in UTC, such as sun:04:00-sun:05:00, got %q", text))
		} else {
			weeklyFrom = slices.Index(weekdays, m[1])*day + minutes(m[2], m[3])
			weeklyLength = (slices.Index(weekdays, m[4])*day + minutes(m[5], m[6]) - weeklyFrom + week) % week
			if weeklyLength < 30 || weeklyLength > day {
				p = append(p, awsProblem(weekly, code, "the window must be 30 minutes to 24 hours, got %d minutes", weeklyLength))
			}
		}
	}
	if dailyFrom < 0 || weeklyFrom < 0 {
		return p
	}
	for d := -1; d <= 7; d++ {
		from := d*day + dailyFrom
		if from < weeklyFrom+weeklyLength && weeklyFrom < from+dailyLength {
			return append(p, awsProblem(daily, code, "The backup window and maintenance window must not overlap: %s and %s",
				in.String(daily), in.String(weekly)))
		}
	}
	return p
}

func checkDatabaseState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	subnets := find(a, "id", in.String("dbSubnetGroupName"), databaseSubnetType)
	if subnets != nil {
		for _, id := range in.Strings("vpcSecurityGroupIds") {
			if g := find(a, "id", id, anyGroup...); g != nil && g.Outputs["vpcId"] != subnets.Outputs["vpcId"] {
				return refuse("InvalidParameterCombination", "",
					"The DB instance and EC2 security group are in different VPCs. The DB instance is in %s and the EC2 security group is in %s",
					subnets.Outputs["vpcId"], g.Outputs["vpcId"])
			}
		}
		if zone := in.String("availabilityZone"); zone != "" {
			if have := zonesOfSubnets(a, Inputs(subnets.Inputs).Strings("subnetIds")); len(have) > 0 && !slices.Contains(have, zone) {
				return refuse("InvalidParameterValue", "the subnet group has subnets in "+strings.Join(have, ", "),
					"Availability zone '[%s]' is unavailable in this region, or has no subnet in the DB subnet group", zone)
			}
		}
		if in.Bool("publiclyAccessible") && !hasGateway(a, Inputs(subnets.Outputs).String("vpcId")) {
			return refuse("InvalidVPCNetworkStateFault", "",
				"Cannot create a publicly accessible DBInstance. The specified VPC has no internet gateway attached.")
		}
	}
	if group := find(a, "id", in.String("parameterGroupName"), parametersType); group != nil && in.String("engine") == "postgres" {
		version := orElse(in.String("engineVersion"), postgresDefault)
		major, _, _ := strings.Cut(version, ".")
		if family := Inputs(group.Inputs).String("family"); family != "postgres"+major {
			return refuse("InvalidParameterCombination", "its family is "+family,
				"The parameter group %s can't be used for this instance. Please use a parameter group with DBParameterGroupFamily postgres%s", group.ID,
				major)
		}
	}
	if err := defaultGroupsFit(in); err != nil {
		return err
	}
	if subnets != nil && in.String("networkType") == "DUAL" {
		// RDS User Guide, "Working with a DB instance in a VPC", dual-stack mode
		if id := withoutIPv6(a, Inputs(subnets.Inputs).Strings("subnetIds")); id != "" {
			return refuse("InvalidSubnet", id+" has no IPv6 addresses", "The DB subnet group %s doesn't support the network type DUAL.", subnets.ID)
		}
	}
	if key := keyNamed(a, in.String("kmsKeyId")); key != nil && key.Outputs["isEnabled"] == false {
		return refuse("KMSKeyNotAccessibleFault", "the key is disabled",
			"The specified KMS key [%s] does not exist, is not enabled or you do not have permissions to access it.", key.ID)
	}
	if was := a.was(o); was != nil {
		return databaseChangeFits(in, Inputs(was.Outputs))
	}
	return nil
}

var ownGroup = regexp.MustCompile(`^default[.:]postgres-?([0-9]+)$`)

// defaultGroupsFit refuses RDS's own groups of another major version.
func defaultGroupsFit(in Inputs) error {
	major := majorOf(orElse(in.String("engineVersion"), postgresDefault))
	for name, kind := range map[string]string{"parameterGroupName": "parameter group", "optionGroupName": "option group"} {
		if m := ownGroup.FindStringSubmatch(in.String(name)); m != nil && m[1] != major && in.String("engine") == "postgres" {
			return refuse("InvalidParameterCombination", "the engine version is "+major, "The %s %s can't be used for this instance: it is for "+
				"PostgreSQL %s", kind, in.String(name), m[1])
		}
	}
	return nil
}

// databaseChangeFits refuses changes that RDS does not support: smaller storage, an older version, an upgrade by accident.
func databaseChangeFits(in, was Inputs) error {
	if was.String("status") == "stopped" { // RDS User Guide, "Stopping an Amazon RDS DB instance temporarily", limitations
		return refuse("InvalidDBInstanceState", "a stopped instance cannot be modified", "Database instance is not in available state.")
	}
	if in.Has("allocatedStorage") && in.Int("allocatedStorage") < was.Int("allocatedStorage") {
		return refuse("InvalidParameterValue", "RDS cannot shrink storage",
			"Requested storage size (%d) cannot be smaller than the existing one (%d)", in.Int("allocatedStorage"), was.Int("allocatedStorage"))
	}
	from, _, _ := strings.Cut(was.String("engineVersionActual"), ".")
	to, _, _ := strings.Cut(orElse(in.String("engineVersion"), was.String("engineVersionActual")), ".")
	m, n := atoi(from), atoi(to)
	switch {
	case n < m:
		return refuse("InvalidParameterCombination", "", "Cannot upgrade postgres from %s to %s: RDS supports upgrades only",
			was.String("engineVersionActual"), in.String("engineVersion"))
	case n > m && !in.Bool("allowMajorVersionUpgrade"):
		return refuse("InvalidParameterCombination", "",
			"The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
	}
	return nil
}

func computeDatabase(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	name := in.String("identifier")
	if o.ID == "" {
		o.ID = "db-" + drawLetters(26, fresh(a, o)...)
	}
	o.Outputs["resourceId"] = o.ID
	o.Outputs["arn"] = a.arn("rds", "db:"+name)
	engine := in.String("engine")
	if source := find(a, "id", in.String("replicateSourceDb"), databaseType); source != nil && engine == "" {
		engine = Inputs(source.Outputs).String("engine")
		fill(o, "engine", engine)
	}
	fill(o, "port", engines[engine])
	address := name + ".c" + draw(11, a.AccountID, a.Region, "rds") + "." + a.Region + ".rds.amazonaws.com"
	o.Outputs["address"] = address
	o.Outputs["endpoint"] = fmt.Sprintf("%s:%d", address, Inputs(o.Outputs).Int("port"))
	o.Outputs["hostedZoneId"] = "Z" + drawLetters(13, a.Region, "rds")
	o.Outputs["status"] = kept(a, o, "status", func() any { return "available" })
	o.Outputs["listenerEndpoints"] = []any{}
	o.Outputs["replicas"] = []any{}
	o.Outputs["latestRestorableTime"] = ""
	fill(o, "engineVersion", postgresDefault)
	version := Inputs(o.Outputs).String("engineVersion")
	if span, ok := postgres[version]; ok && engine == "postgres" {
		version = fmt.Sprintf("%s.%d", version, span[1])
	}
	o.Outputs["engineVersionActual"] = version
	if was := a.was(o); was != nil && !in.Has("engineVersion") {
		o.Outputs["engineVersionActual"] = was.Outputs["engineVersionActual"]
	}
	fill(o, "storageType", "gp2")
	if Inputs(o.Outputs).String("storageType") == "gp3" {
		fill(o, "iops", 3000)
		fill(o, "storageThroughput", 125)
	}
	zones := zonesOf(a)
	for path, v := range map[string]any{
		"availabilityZone": zones[int(crc(o.ID))%min(2, len(zones))], "backupRetentionPeriod": 0, "backupWindow": "06:00-06:30",
		"maintenanceWindow": "sun:07:00-sun:07:30",
		"backupTarget":      "region", "caCertIdentifier": "rds-ca-rsa2048-g1", "networkType": "IPV4", "licenseModel": "postgresql-license",
		"engineLifecycleSupport": "open-source-rds-extended-support",
		"optionGroupName":        "default:postgres-" + majorOf(version), "parameterGroupName": "default.postgres" + majorOf(version),
		"vpcSecurityGroupIds": []any{}, "dbName": "",
		"iops": 0, "storageThroughput": 0, "performanceInsightsRetentionPeriod": 0,
	} {
		fill(o, path, v)
	}
	if in.Bool("performanceInsightsEnabled") && in.Int("performanceInsightsRetentionPeriod") == 0 {
		o.Outputs["performanceInsightsRetentionPeriod"] = 7
	}
	o.Outputs["masterUserSecrets"] = []any{}
	if in.Bool("manageMasterUserPassword") {
		o.Outputs["masterUserSecrets"] = []any{map[string]any{
			"secretArn": a.arn("secretsmanager", "secret:rds!"+strings.ToLower(o.ID)+"-"+draw(6, o.ID, "secret")), "secretStatus": "active",
			"kmsKeyId": in.String("masterUserSecretKmsKeyId"),
		}}
	}
	return makeGroups(a, exportedGroups(o)...)
}

// exportedGroups are the log groups that a database exports to.
func exportedGroups(database *Object) []string {
	out := Inputs(database.Outputs)
	var all []string
	for _, kind := range out.Strings("enabledCloudwatchLogsExports") {
		all = append(all, "/aws/rds/instance/"+out.String("identifier")+"/"+kind)
	}
	return all
}

// makeGroups makes the log groups that RDS finds missing when it exports, without a retention, without a key and without an owner
// (terraform-provider-aws#5348).
func makeGroups(a *Account, names ...string) error {
	for _, name := range names {
		if find(a, "id", name, logGroupType) != nil {
			continue
		}
		in := map[string]any{"name": name, "retentionInDays": 0}
		out := cloneMap(in)
		out["arn"] = a.arn("logs", "log-group:"+name)
		if err := a.put(&Object{Type: logGroupType, ID: name, Inputs: in, Outputs: out}); err != nil {
			return err
		}
	}
	return nil
}

// remakeGroup makes a deleted log group again if a database still exports to it (terraform-provider-aws#42858).
func remakeGroup(a *Account, group *Object) {
	for _, database := range a.list(databaseType) {
		if slices.Contains(exportedGroups(database), group.ID) {
			_ = makeGroups(a, group.ID) // it was encoded before
		}
	}
}

func majorOf(version string) string { major, _, _ := strings.Cut(version, "."); return major }

// checkDatabaseDelete refuses to delete a protected instance, or one whose final snapshot cannot be created.
func checkDatabaseDelete(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	if in.Bool("deletionProtection") {
		return refuse("InvalidParameterCombination", "deletionProtection is true",
			"Cannot delete protected DB Instance, please disable deletion protection and try again.")
	}
	if in.Bool("skipFinalSnapshot") {
		return nil
	}
	name := in.String("finalSnapshotIdentifier")
	if name == "" {
		return refuse("InvalidParameterCombination", "", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
	}
	for _, s := range a.list(snapshotType) {
		if s.ID == name {
			return refuse("DBSnapshotAlreadyExists", "created for an earlier instance on "+Inputs(s.Outputs).String("createdAt"),
				"Cannot create the snapshot because a snapshot with the identifier %s already exists.", name)
		}
	}
	return nil
}

func keepSnapshot(a *Account, o *Object) {
	if out := Inputs(o.Outputs); !out.Bool("skipFinalSnapshot") {
		// Seeded, because it belongs to no stack any longer.
		_ = a.put(&Object{Type: snapshotType, ID: out.String("finalSnapshotIdentifier"), Seeded: true,
			Outputs: map[string]any{"identifier": out.String("identifier"), "createdAt": stamp(a)}})
	}
}
