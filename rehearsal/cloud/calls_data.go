package cloud

import (
	"strings"

	"slipway/rehearsal/iam"
)

// RDS, S3.

const (
	rdsGuide   = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"
	rdsPage    = authorization + "amazonrds.html"
	rdsTagging = rdsGuide + "security_iam_id-based-policy-examples-grant-permissions-tags-on-create.html"
	rdsKeys    = rdsGuide + "Overview.Encryption.Keys.html"
	rdsLinked  = rdsGuide + "UsingWithRDS.IAM.ServiceLinkedRoles.html"
	rdsMonitor = rdsGuide + "USER_Monitoring.OS.Enabling.html"
	rdsFilter  = "recorded requests of the genuine provider: it finds an instance by its resource id, which is a search among all"
	s3Page     = authorization + "amazons3.html"
	s3Reads    = "recorded requests of the genuine provider for aws_s3_bucket"
	s3Keys     = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"
)

// rdsNew is the call that creates a resource of RDS, with its tags.
func rdsNew(operation, on string) []row {
	return []row{
		call("rds:"+operation, on).tags(),
		call("rds:AddTagsToResource", on).creating("", "").from(rdsTagging),
	}
}

func dataCalls() map[string]lifecycle {
	rdsTags := func(on string) []row { return retag("rds:AddTagsToResource", "rds:RemoveTagsFromResource", on) }
	monitor := passes("monitoringRoleArn", "monitoring.rds.amazonaws.com").from(rdsMonitor)
	table := map[string]lifecycle{
		databaseType: {
			source: rdsPage,
			create: all(rdsNew("CreateDBInstance", "rds:db:{identifier}"),
				call("rds:CreateDBInstance", "rds:subgrp:{dbSubnetGroupName}").if_(has("dbSubnetGroupName")),
				call("rds:CreateDBInstance", "rds:pg:{parameterGroupName}").if_(has("parameterGroupName")),
				call("rds:CreateDBInstance", "rds:og:{optionGroupName}").if_(has("optionGroupName")),
				monitor, keyRights("rds", "kmsKeyId", rdsKeys, "CreateGrant", "DescribeKey"),
				keyRights("rds", "performanceInsightsKmsKeyId", rdsKeys, "CreateGrant", "DescribeKey"), links("rds.amazonaws.com", rdsLinked)),
			read: all(call("rds:DescribeDBInstances", "rds:db:{identifier}"), call("rds:DescribeDBInstances", "rds:db:*").from(rdsFilter)),
			update: all(call("rds:ModifyDBInstance", "rds:db:{identifier}").if_(otherThan()),
				call("rds:ModifyDBInstance", "rds:pg:{parameterGroupName}").if_(changes("parameterGroupName"), has("parameterGroupName")),
				call("rds:ModifyDBInstance", "rds:subgrp:{dbSubnetGroupName}").if_(changes("dbSubnetGroupName"), has("dbSubnetGroupName")),
				monitor.if_(changes("monitoringRoleArn")), rdsTags("rds:db:{identifier}")),
			delete: all(call("rds:DeleteDBInstance", "rds:db:{identifier}"), call("rds:DescribeDBInstances", "rds:db:*").from(rdsFilter)),
		},
		databaseSubnetType: {
			source: rdsPage,
			create: rdsNew("CreateDBSubnetGroup", "rds:subgrp:{name}"),
			read:   all(call("rds:DescribeDBSubnetGroups", "rds:subgrp:{name}"), call("rds:ListTagsForResource", "rds:subgrp:{name}")),
			update: all(call("rds:ModifyDBSubnetGroup", "rds:subgrp:{name}").if_(otherThan()), rdsTags("rds:subgrp:{name}")),
			delete: all(call("rds:DeleteDBSubnetGroup", "rds:subgrp:{name}"), call("rds:DescribeDBSubnetGroups", "rds:subgrp:{name}")),
		},
		parametersType: {
			source: rdsPage,
			create: rdsNew("CreateDBParameterGroup", "rds:pg:{name}"),
			then:   all(call("rds:ModifyDBParameterGroup", "rds:pg:{name}").if_(has("parameters[]"))),
			read: all(call("rds:DescribeDBParameterGroups", "rds:pg:{name}"), call("rds:DescribeDBParameters", "rds:pg:{name}"),
				call("rds:ListTagsForResource", "rds:pg:{name}")),
			update: all(call("rds:ModifyDBParameterGroup", "rds:pg:{name}").if_(changes("parameters")),
				call("rds:ResetDBParameterGroup", "rds:pg:{name}").if_(fewerParameters), rdsTags("rds:pg:{name}")),
			delete: all(call("rds:DeleteDBParameterGroup", "rds:pg:{name}")),
		},
		"aws:rds/eventSubscription:EventSubscription": {
			source: rdsPage,
			create: rdsNew("CreateEventSubscription", "rds:es:{name}"),
			read:   all(call("rds:DescribeEventSubscriptions", "rds:es:{name}"), call("rds:ListTagsForResource", "rds:es:{name}")),
			update: all(call("rds:ModifyEventSubscription", "rds:es:{name}").if_(otherThan("sourceIds")),
				call("rds:AddSourceIdentifierToSubscription", "rds:es:{name}").if_(changes("sourceIds")),
				call("rds:RemoveSourceIdentifierFromSubscription", "rds:es:{name}").if_(changes("sourceIds")), rdsTags("rds:es:{name}")),
			delete: all(call("rds:DeleteEventSubscription", "rds:es:{name}"), call("rds:DescribeEventSubscriptions", "rds:es:{name}")),
		},
		bucketType: {
			source: s3Page,
			create: all(call("s3:CreateBucket").on_(bucketARN)),
			then:   all(call("s3:PutBucketTagging", "s3:::{bucket}").if_(tagged).from(s3Reads)),
			read: s3ReadRows("ListBucket GetBucketPolicy GetBucketAcl GetBucketCORS GetBucketWebsite GetBucketVersioning " +
				"GetAccelerateConfiguration GetBucketRequestPayment GetBucketLogging GetLifecycleConfiguration GetReplicationConfiguration " +
				"GetEncryptionConfiguration GetBucketObjectLockConfiguration GetBucketTagging"),
			update: all(call("s3:PutBucketTagging", "s3:::{bucket}").if_(func(v view) bool { return newTags(v) || lostTags(v) })),
			delete: all(call("s3:DeleteBucket", "s3:::{bucket}"),
				call("s3:ListBucketVersions", "s3:::{bucket}").if_(on("forceDestroy")),
				call("s3:DeleteObject", "s3:::{bucket}/*").if_(on("forceDestroy")),
				call("s3:DeleteObjectVersion", "s3:::{bucket}/*").if_(on("forceDestroy"))),
		},
		objectType: {
			source: s3Page,
			create: all(call("s3:PutObject", "s3:::{bucket}/{key|relative}"), objectTags(), keyRights("s3", "kmsKeyId", s3Keys, "GenerateDataKey")),
			read:   all(call("s3:GetObject", "s3:::{bucket}/{key|relative}"), call("s3:GetObjectTagging", "s3:::{bucket}/{key|relative}")),
			update: all(call("s3:PutObject", "s3:::{bucket}/{key|relative}"), objectTags(), keyRights("s3", "kmsKeyId", s3Keys, "GenerateDataKey")),
			delete: all(call("s3:DeleteObject", "s3:::{bucket}/{key|relative}")),
		},
	}
	// The settings of a bucket are resources of their own.
	for _, setting := range []struct{ token, put, get, delete string }{
		{"aws:s3/bucketPolicy:BucketPolicy", "PutBucketPolicy", "GetBucketPolicy", "DeleteBucketPolicy"},
		{publicType, "PutBucketPublicAccessBlock", "GetBucketPublicAccessBlock", ""},
		{ownershipType, "PutBucketOwnershipControls", "GetBucketOwnershipControls", ""},
		{versionsType, "PutBucketVersioning", "GetBucketVersioning", ""},
		{"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "PutEncryptionConfiguration",
			"GetEncryptionConfiguration", ""},
		{"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "PutLifecycleConfiguration", "GetLifecycleConfiguration", ""},
		{"aws:s3/bucketLoggingV2:BucketLoggingV2", "PutBucketLogging", "GetBucketLogging", ""},
		{"aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2", "PutBucketCORS", "GetBucketCORS", ""},
		{"aws:s3/bucketNotification:BucketNotification", "PutBucketNotification", "GetBucketNotification", ""},
		{"aws:s3/bucketAclV2:BucketAclV2", "PutBucketAcl", "GetBucketAcl", ""},
	} {
		put, get := call("s3:"+setting.put, "s3:::{bucket}"), call("s3:"+setting.get, "s3:::{bucket}")
		table[setting.token] = lifecycle{source: s3Page, create: all(put), read: all(get), update: all(put),
			delete: all(call("s3:"+orElse(setting.delete, setting.put), "s3:::{bucket}"))}
	}
	return table
}

func objectTags() row {
	return call("s3:PutObjectTagging", "s3:::{bucket}/{key|relative}").if_(tagged).with(func(v view, c iam.Context) {
		for name, value := range v.tags(v.o) {
			c.Set("s3:RequestObjectTag/"+name, iam.One(value))
		}
	})
}

func s3ReadRows(actions string) []row {
	var rows []row
	for _, action := range words(actions) {
		rows = append(rows, call("s3:"+action, "s3:::{bucket}").from(s3Reads))
	}
	return rows
}

// bucketARN is the ARN of a bucket that may be named by a prefix, whose rest the provider generates.
func bucketARN(v view) []string {
	name := v.str("bucket")
	if name == "" {
		name = v.str("bucketPrefix") + "*"
	}
	return []string{"arn:" + v.a.Partition + ":s3:::" + name}
}

// fewerParameters is an update that takes a parameter out of a group: the provider resets it.
func fewerParameters(v view) bool {
	now := map[string]bool{}
	for _, p := range Inputs(v.o.Inputs).Maps("parameters") {
		now[strings.ToLower(p.String("name"))] = true
	}
	for _, p := range Inputs(v.was.Inputs).Maps("parameters") {
		if !now[strings.ToLower(p.String("name"))] {
			return true
		}
	}
	return false
}
