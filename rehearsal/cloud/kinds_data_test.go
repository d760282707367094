package cloud

import (
	"fmt"
	"strings"
	"testing"
)

func TestDatabaseIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a class that does not exist", like: "database", change: properties{"instanceClass": "db.t9.huge"},
			code: "InvalidParameterValue", path: "instanceClass"},
		{name: "a size that its family has not", like: "database", change: properties{"instanceClass": "db.m7g.micro"},
			code: "db.m7g has", path: "instanceClass"},
		{name: "a version that is long gone", like: "database", change: properties{"engineVersion": "9.6"},
			code: "Cannot find version 9.6", path: "engineVersion"},
		{name: "a version of the future", like: "database", change: properties{"engineVersion": "99"},
			code: "Cannot find version 99", path: "engineVersion"},
		{name: "a minor version that never was", like: "database", change: properties{"engineVersion": "16.99"},
			code: "16 has 16.1", path: "engineVersion"},
		{name: "one gigabyte", like: "database", change: properties{"allocatedStorage": 1}, code: "20 to 65536", path: "allocatedStorage"},
		{name: "a ceiling under the storage", like: "database", change: properties{"maxAllocatedStorage": 10}, code: "must be greater",
			path: "maxAllocatedStorage"},
		{name: "iops on a small gp3 disk", like: "database", change: properties{"iops": 6000}, code: "less than 400", path: "iops"},
		{name: "a database that begins with a digit", like: "database", change: properties{"dbName": "2db"},
			code: "DBName must begin", path: "dbName"},
		{name: "a database with a hyphen", like: "database", change: properties{"dbName": "my-db"}, code: "DBName must begin", path: "dbName"},
		{name: "a database called db", like: "database", change: properties{"dbName": "db"}, code: "reserved word", path: "dbName"},
		{name: "the user rdsadmin", like: "database", change: properties{"username": "rdsadmin"}, code: "reserved word", path: "username"},
		{name: "a short password", like: "database", change: properties{"password": "short1"}, code: "shorter than 8", path: "password"},
		{name: "a password with an at sign", like: "database", change: properties{"password": "correct@horse"},
			code: "printable ASCII", path: "password"},
		{name: "a password of 129 characters", like: "database", change: properties{"password": strings.Repeat("x", 129)},
			code: "longer than 128", path: "password"},
		{name: "no password", like: "database", change: properties{"password": nil}, code: "password", path: "password"},
		{name: "backups for 36 days", like: "database", change: properties{"backupRetentionPeriod": 36}, code: "0 to 35",
			path: "backupRetentionPeriod"},
		{name: "a window at 25 o'clock", like: "database", change: properties{"backupWindow": "25:00-26:00"},
			code: "hh:mm-hh:mm", path: "backupWindow"},
		{name: "a window of ten minutes", like: "database", change: properties{"backupWindow": "03:00-03:10"},
			code: "at least 30 minutes", path: "backupWindow"},
		{name: "windows that overlap", like: "database", change: properties{"backupWindow": "05:30-06:30"},
			code: "must not overlap", path: "backupWindow"},
		{name: "windows that overlap over midnight", like: "database", change: properties{"backupWindow": "23:30-00:30",
			"maintenanceWindow": "mon:00:00-mon:01:00"}, code: "must not overlap", path: "backupWindow"},
		{name: "an identifier with two hyphens together", like: "database", change: properties{"identifier": "my--site"},
			code: "not a name", path: "identifier"},
		{name: "an identifier in capitals", like: "database", change: properties{"identifier": "Site"}, code: "lower case", path: "identifier"},
		{name: "an identifier that is taken", like: "database", change: properties{"identifier": "site"}, code: "DBInstanceAlreadyExists"},
		{name: "no name for the last snapshot", like: "database", change: properties{"finalSnapshotIdentifier": nil}, code: "skipFinalSnapshot",
			path: "finalSnapshotIdentifier"},
		{name: "a last snapshot whose name ends with a hyphen", like: "database", change: properties{"finalSnapshotIdentifier": "last-"},
			code: "hyphen", path: "finalSnapshotIdentifier"},
		{name: "a key on a disk that is not encrypted", like: "database", change: properties{"storageEncrypted": false},
			code: "needs storageEncrypted", path: "kmsKeyId"},
		{name: "monitoring without a role", like: "database", change: properties{"monitoringInterval": 60}, code: "MonitoringRoleARN",
			path: "monitoringRoleArn"},
		{name: "monitoring with a role of tasks", like: "database", change: properties{"monitoringInterval": 60,
			"monitoringRoleArn": "arn:aws:iam::" + DefaultAccountID + ":role/task"}, code: "InvalidParameterValue"},
		{name: "monitoring every two seconds", like: "database", change: properties{"monitoringInterval": 2,
			"monitoringRoleArn": "arn:aws:iam::" + DefaultAccountID + ":role/task"}, code: "expected 0, 1, 5", path: "monitoringInterval"},
		{name: "a log that Postgres has not", like: "database", change: properties{"enabledCloudwatchLogsExports": []any{"slowquery"}},
			code: "log types 'slowquery'", path: "enabledCloudwatchLogsExports[0]"},
		{name: "parameters of another major version", like: "database", change: properties{"engineVersion": "17.4"},
			code: "InvalidParameterCombination"},
		{name: "a parameter group that does not exist", like: "database", change: properties{"dbSubnetGroupName": "nowhere"},
			code: "DBSubnetGroupNotFoundFault"},
		{name: "a group of another VPC", before: func(w *world) {
			w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(groupType, "stranger", properties{"vpcId": w.id("other"), "name": "stranger", "description": "elsewhere"})
			w.inputs["database"] = changed(w.inputs["database"], properties{"vpcSecurityGroupIds": []any{w.id("stranger")}})
		}, like: "database", code: "InvalidParameterCombination"},
		{name: "a disk that shrinks", like: "database", update: true, before: func(w *world) {
			if err := w.update("database", properties{"allocatedStorage": 50}); err != nil {
				w.t.Fatal(err)
			}
		}, change: properties{"allocatedStorage": 20}, code: "InvalidParameterValue"},
		{name: "a major upgrade by accident", like: "database", update: true, change: properties{"engineVersion": "17.4",
			"parameterGroupName": nil}, code: "InvalidParameterCombination"},
		{name: "a way back to an older major version", like: "database", update: true, change: properties{"engineVersion": "15.8",
			"parameterGroupName": nil}, code: "InvalidParameterCombination"},
		{name: "a protected database deleted", before: func(w *world) {
			if err := w.update("database", properties{"deletionProtection": true}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "database", delete: true, code: "InvalidParameterCombination"},
		{name: "a last snapshot whose name an earlier one has", before: func(w *world) {
			if err := w.delete("database"); err != nil {
				w.t.Fatal(err)
			}
			w.create(databaseType, "database", w.inputs["database"])
		}, like: "database", delete: true, code: "DBSnapshotAlreadyExists"},
		{name: "subnets of one zone", before: func(w *world) {
			w.inputs["db-subnets"] = changed(w.inputs["db-subnets"], properties{"subnetIds": []any{w.id("private-a"), w.id("public-a")}})
		}, like: "db-subnets", code: "DBSubnetGroupDoesNotCoverEnoughAZs"},
		{name: "one subnet", before: func(w *world) {
			w.inputs["db-subnets"] = changed(w.inputs["db-subnets"], properties{"subnetIds": []any{w.id("private-a")}})
		}, like: "db-subnets", code: "DBSubnetGroupDoesNotCoverEnoughAZs", path: "subnetIds"},
		{name: "a subnet group deleted under its database", like: "db-subnets", delete: true, code: "InvalidDBSubnetGroupStateFault"},
		{name: "a parameter group deleted under its database", like: "db-parameters", delete: true, code: "InvalidDBParameterGroupState"},
		{name: "a static parameter at once", like: "db-parameters",
			change: properties{"parameters": []any{properties{"name": "max_connections", "value": "200"}}}, code: "pending-reboot",
			path: "parameters[0].applyMethod"},
		{name: "a parameter twice", like: "db-parameters",
			change: properties{"parameters": []any{properties{"name": "rds.force_ssl", "value": "1"}, properties{"name": "rds.force_ssl",
				"value": "0"}}}, code: "appears twice", path: "parameters[1].name"},
		{name: "a family that does not exist", like: "db-parameters", change: properties{"family": "postgres8"},
			code: "not a valid parameter group family", path: "family"},
		{name: "failover with a single node", like: "cache", change: properties{"automaticFailoverEnabled": true}, code: "at least 2 nodes",
			path: "automaticFailoverEnabled"},
	})
}

// What is wrong with a password is said, and the password is not.
func TestAPasswordIsNeverShown(t *testing.T) {
	w := siteWorld(t)
	for _, password := range []string{"secr3t@secr3t", "secr3t/" + strings.Repeat("secr3t", 30)} {
		_, err := w.try(databaseType, "leak", changed(w.inputs["database"], properties{"identifier": "leak", "password": password}))
		if err == nil || strings.Contains(err.Error(), "secr3t") {
			t.Errorf("the refusal shows the password, or there is none: %v", err)
		}
	}
}

// Connection strings need both addresses of a database: the address has no port, the endpoint has one.
func TestDatabaseAddresses(t *testing.T) {
	w := siteWorld(t)
	address, endpoint := w.out("database", "address").(string), w.out("database", "endpoint").(string)
	if !strings.HasPrefix(address, "site.c") || !strings.HasSuffix(address, ".us-east-1.rds.amazonaws.com") || endpoint != address+":5432" {
		t.Errorf("address %q, endpoint %q", address, endpoint)
	}
	if id := w.id("database"); !strings.HasPrefix(id, "db-") || id != w.out("database", "resourceId") {
		t.Errorf("the ID is the resource id, got %q and %v", id, w.out("database", "resourceId"))
	}
}

func TestBucketIncidents(t *testing.T) {
	statement := func(change properties) string {
		s := allow("s3:GetObject", "arn:aws:s3:::site-logs-1/*",
			properties{"Principal": properties{"AWS": "arn:aws:iam::" + DefaultAccountID + ":root"}})
		return policyText(changed(s, change))
	}
	var names []incident
	for what, name := range map[string]string{"capitals and an underscore": "Bad_Bucket", "two characters": "ab",
		"64 characters": strings.Repeat("x", 64), "an address": "10.0.0.1",
		"punycode": "xn--a-bucket", "an alias": "site-s3alias", "two dots": "my..site"} {
		c := incident{name: "a bucket named by " + what, like: "media", change: properties{"bucket": name},
			code: "InvalidBucketName", path: "bucket"}
		if what == "capitals and an underscore" {
			c.code = "lower case"
		}
		if what == "64 characters" {
			c.code = "at most 63"
		}
		names = append(names, c)
	}
	refuses(t, append(names, []incident{
		{name: "a bucket name that is taken", like: "media", change: properties{"bucket": "my-bucket"}, code: "BucketAlreadyExists"},
		{name: "a bucket that the account has", like: "media", change: properties{"bucket": "site-logs-1"}, code: "BucketAlreadyOwnedByYou"},
		{name: "a bucket deleted with what it holds", like: "media", delete: true, code: "BucketNotEmpty"},
		{name: "a bucket deleted under a balancer's logs", like: "log-bucket", delete: true, code: "BucketNotEmpty"},
		{name: "a policy that is no JSON", like: "log-bucket-policy", change: properties{"policy": "{"}, code: "JSON", path: "policy"},
		{name: "a policy for another bucket", like: "log-bucket-policy",
			change: properties{"policy": statement(properties{"Resource": "arn:aws:s3:::site-media-1/*"})},
			code:   "invalid resource", path: "policy"},
		{name: "a policy without a principal", like: "log-bucket-policy", change: properties{"policy": statement(properties{"Principal": nil})},
			code: "MalformedPolicy", path: "policy"},
		{name: "a policy with a misspelt effect", like: "log-bucket-policy",
			change: properties{"policy": statement(properties{"Effect": "Alow"})}, code: "MalformedPolicy", path: "policy"},
		{name: "a policy for a role that does not exist", like: "log-bucket-policy",
			change: properties{"policy": statement(properties{"Principal": properties{"AWS": "arn:aws:iam::" + DefaultAccountID + ":role/absent"}})},
			code:   "MalformedPolicy"},
		{name: "a public policy on a bucket that blocks them", like: "log-bucket-policy",
			change: properties{"policy": statement(properties{"Principal": "*"})}, code: "AccessDenied"},
		{name: "a policy of a bucket that does not exist", like: "log-bucket-policy", change: properties{"bucket": "site-nothing"},
			code: "invalid resource", path: "policy"},
		{name: "cold storage in five days", like: "log-bucket-lifecycle", change: properties{"rules[0].transitions[0].days": 5},
			code: "greater than or equal to 30", path: "rules[0].transitions[0].days"},
		{name: "colder storage before cold storage", like: "log-bucket-lifecycle", change: properties{"rules[0].transitions[1].days": 20},
			code: "must be greater than 30", path: "rules[0].transitions[1].days"},
		{name: "expiry before cold storage", like: "log-bucket-lifecycle", change: properties{"rules[0].expiration.days": 60}, code: "Expiration",
			path: "rules[0].expiration.days"},
		{name: "a storage class that does not exist", like: "log-bucket-lifecycle",
			change: properties{"rules[0].transitions[1].storageClass": "FREEZER"}, code: "MalformedXML",
			path: "rules[0].transitions[1].storageClass"},
		{name: "an ACL on a new bucket", before: func(w *world) {
			w.made["acl"] = &Object{Type: "aws:s3/bucketAclV2:BucketAclV2"}
			w.inputs["acl"] = properties{"bucket": "site-logs-1", "acl": "private"}
		}, like: "acl", code: "AccessControlListNotSupported"},
		{name: "AES256 with a key", before: func(w *world) {
			w.made["sse"] = &Object{Type: "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"}
			w.inputs["sse"] = properties{"bucket": "site-logs-1",
				"rules": []any{properties{"applyServerSideEncryptionByDefault": properties{"sseAlgorithm": "AES256", "kmsMasterKeyId": w.arn("key")}}}}
		}, like: "sse", code: "InvalidArgument", path: "rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId"},
	}...))
}

func TestIdentityIncidents(t *testing.T) {
	statement := func(change properties) string {
		return policyText(changed(allow("s3:GetObject", "arn:aws:s3:::site-media-1/*"), change))
	}
	policy := func(name, code string, change properties) incident {
		return incident{name: name, like: "reads", change: properties{"policy": statement(change)}, code: code, path: "policy"}
	}
	refuses(t, []incident{
		policy("a statement without a resource", "needs a Resource", properties{"Resource": nil}),
		policy("a resource that is a name", "ARN format", properties{"Resource": "site-media-1"}),
		policy("an action without its service", "a service and an action", properties{"Action": "GetObject"}),
		policy("an effect in lower-case letters", "Allow or Deny", properties{"Effect": "allow"}),
		policy("a principal in an identity policy", "no Principal", properties{"Principal": "*"}),
		policy("a condition that does not exist", "not a condition operator",
			properties{"Condition": properties{"StringEqual": properties{"aws:SourceAccount": "1"}}}),
		policy("a condition on a bare key", "prefaced by its service",
			properties{"Condition": properties{"StringEquals": properties{"SourceAccount": "1"}}}),
		policy("a misspelt element", "not an element", properties{"Resources": "*"}),
		policy("a Sid with a hyphen", "letters and digits", properties{"Sid": "read-media"}),
		{name: "two statements of one Sid", like: "reads",
			change: properties{"policy": policyText(allow("s3:GetObject", "*", properties{"Sid": "A"}),
				allow("s3:PutObject", "*", properties{"Sid": "A"}))}, code: "must be unique", path: "policy"},
		{name: "a key twice in a statement", like: "reads",
			change: properties{"policy": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Action":"ec2:*","Resource":"*"}}`},
			code:   "appears twice", path: "policy"},
		{name: "a version that is none", like: "reads",
			change: properties{"policy": `{"Version":"2024-01-01","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`},
			code:   "2012-10-17", path: "policy"},
		{name: "a policy that is too long", like: "reads",
			change: properties{"policy": policyText(allow("s3:GetObject", "arn:aws:s3:::"+strings.Repeat("x", 6200)))},
			code:   "at most 6144", path: "policy"},
		{name: "a policy of one name twice", like: "reads", change: properties{"name": "reads"}, code: "EntityAlreadyExists"},
		{name: "a policy deleted while a role has it", like: "reads", delete: true, code: "DeleteConflict"},
		{name: "a role that trusts a service that is none", like: "task-role",
			change: properties{"assumeRolePolicy": trust("ecs-task.amazonaws.com")}, code: "not a service principal", path: "assumeRolePolicy"},
		{name: "a role that trusts a role that does not exist", like: "task-role",
			change: properties{"assumeRolePolicy": policyText(properties{"Effect": "Allow", "Action": "sts:AssumeRole",
				"Principal": properties{"AWS": "arn:aws:iam::" + DefaultAccountID + ":role/absent"}})}, code: "MalformedPolicyDocument"},
		{name: "a trust with a resource", like: "task-role",
			change: properties{"assumeRolePolicy": policyText(allow("sts:AssumeRole", "*",
				properties{"Principal": properties{"Service": "ec2.amazonaws.com"}}))}, code: "has no Resource", path: "assumeRolePolicy"},
		{name: "a trust that lets S3 be read", like: "task-role",
			change: properties{"assumeRolePolicy": policyText(properties{"Effect": "Allow", "Action": "s3:GetObject",
				"Principal": properties{"Service": "ec2.amazonaws.com"}})}, code: "only sts:", path: "assumeRolePolicy"},
		{name: "a role whose name is too long", like: "task-role", change: properties{"name": strings.Repeat("x", 65)},
			code: "at most 64", path: "name"},
		{name: "a role for thirteen hours", like: "task-role", change: properties{"maxSessionDuration": 46800}, code: "3600 to 43200",
			path: "maxSessionDuration"},
		{name: "a role deleted with a managed policy", like: "task-role", delete: true, code: "DeleteConflict"},
		{name: "a role deleted with an inline policy", like: "execution", delete: true, code: "DeleteConflict"},
		{name: "a role deleted while a machine has it", like: "bastion-role", delete: true, code: "DeleteConflict"},
		{name: "a managed policy that AWS has not", like: "bastion-ssm",
			change: properties{"policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstance"},
			code:   "AmazonSSMManagedInstanceCore", path: "policyArn"},
		{name: "a managed policy of the account that does not exist", like: "bastion-ssm",
			change: properties{"policyArn": "arn:aws:iam::" + DefaultAccountID + ":policy/nothing"}, code: "NoSuchEntity"},
		{name: "an eleventh policy on a role", before: func(w *world) {
			for i := range 9 {
				p := w.create(policyType, fmt.Sprint("p", i), properties{"name": fmt.Sprint("p", i), "policy": w.inputs["reads"]["policy"]})
				w.create("aws:iam/rolePolicyAttachment:RolePolicyAttachment", fmt.Sprint("a", i), properties{"role": "bastion", "policyArn": p.ID})
			}
			w.inputs["bastion-ssm"] = properties{"role": "bastion", "policyArn": w.arn("reads")}
		}, like: "bastion-ssm", code: "LimitExceeded"},
		{name: "more inline policy than a role takes", like: "execution-policy", change: properties{"name": "more",
			"policy": policyText(allow("s3:GetObject", "arn:aws:s3:::"+strings.Repeat("x", 10000)))}, code: "LimitExceeded"},
	})
}

func TestKeyIncidents(t *testing.T) {
	root := "arn:aws:iam::" + DefaultAccountID + ":root"
	refuses(t, []incident{
		{name: "a window of five days", like: "key", change: properties{"deletionWindowInDays": 5}, code: "7 to 30",
			path: "deletionWindowInDays"},
		{name: "a key that cannot be managed", like: "key",
			change: properties{"policy": policyText(allow("kms:Decrypt", "*", properties{"Principal": properties{"AWS": root}}))},
			code:   "MalformedPolicyDocumentException", path: "policy"},
		{name: "a key that another account manages", like: "key",
			change: properties{"policy": policyText(allow("kms:*", "*",
				properties{"Principal": properties{"AWS": "arn:aws:iam::999999999999:root"}}))}, code: "MalformedPolicyDocumentException"},
		{name: "a key for a role that does not exist", like: "key",
			change: properties{"policy": policyText(allow("kms:*", "*",
				properties{"Principal": properties{"AWS": []any{root, "arn:aws:iam::" + DefaultAccountID + ":role/absent"}}}))},
			code: "MalformedPolicyDocumentException"},
		{name: "rotation of a signing key", like: "key", change: properties{"customerMasterKeySpec": "RSA_2048", "keyUsage": "SIGN_VERIFY"},
			code: "UnsupportedOperationException", path: "enableKeyRotation"},
		{name: "an alias of AWS", like: "alias", change: properties{"name": "alias/aws/site"}, code: "NotAuthorizedException", path: "name"},
		{name: "an alias without its beginning", like: "alias", change: properties{"name": "site"}, code: "not a name", path: "name"},
		{name: "an alias that is taken", like: "alias", change: properties{"name": "alias/site"}, code: "AlreadyExistsException"},
		{name: "an alias of a key that does not exist", like: "alias", change: properties{"targetKeyId": "0baff23a-0000-4000-a000-000000000000"},
			code: "NotFoundException"},
		{name: "a log group with a key that CloudWatch Logs may not use", before: func(w *world) {
			w.create(keyType, "private", properties{"policy": policyText(allow("kms:*", "*", properties{"Principal": properties{"AWS": root}}))})
			w.inputs["logs"] = changed(w.inputs["logs"], properties{"kmsKeyId": w.arn("private")})
		}, like: "logs", code: "InvalidParameterException"},
		{name: "a log group that its key policy does not allow", before: func(w *world) {
			w.create(keyType, "narrow", properties{"policy": policyText(allow("kms:*", "*", properties{"Principal": properties{"AWS": root}}),
				allow([]any{"kms:Encrypt*", "kms:Decrypt*"}, "*", properties{"Principal": properties{"Service": "logs.us-east-1.amazonaws.com"},
					"Condition": properties{"ArnLike": properties{"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:" + DefaultAccountID +
						":log-group:/other/*"}}}))})
			w.inputs["logs"] = changed(w.inputs["logs"], properties{"kmsKeyId": w.arn("narrow")})
		}, like: "logs", code: "InvalidParameterException"},
		{name: "a log group with a disabled key", before: func(w *world) {
			if err := w.update("key", properties{"isEnabled": false}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "logs", code: "KMSInvalidStateException"},
	})
}

func TestSettingIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a parameter of AWS", like: "secret-key", change: properties{"name": "/aws/site"}, code: "can't be prefixed", path: "name"},
		{name: "a parameter with a space", like: "secret-key", change: properties{"name": "/site/secret key"},
			code: "ValidationException", path: "name"},
		{name: "a path that does not begin at the root", like: "secret-key", change: properties{"name": "site/secret"},
			code: "fully qualified", path: "name"},
		{name: "a parameter sixteen levels deep", like: "secret-key", change: properties{"name": strings.Repeat("/x", 16)},
			code: "HierarchyLevelLimitExceededException", path: "name"},
		{name: "a parameter of 4097 characters", like: "secret-key", change: properties{"value": strings.Repeat("x", 4097)},
			code: "4096", path: "value"},
		{name: "an empty parameter", like: "secret-key", change: properties{"value": ""}, code: "not be empty", path: "value"},
		{name: "a secret in the open", like: "secret-key", change: properties{"value": nil, "insecureValue": "x"},
			code: "stays secret", path: "insecureValue"},
		{name: "a key on a plain parameter", like: "secret-key", change: properties{"type": "String"},
			code: "KeyId is only valid", path: "keyId"},
		{name: "a parameter that exists", like: "secret-key", change: properties{"name": "/site/secret-key"}, code: "ParameterAlreadyExists"},
		{name: "a parameter that breaks its own pattern", like: "secret-key", change: properties{"allowedPattern": "^[0-9]+$"},
			code: "ParameterPatternMismatchException"},
		{name: "a session document of another schema", like: "session",
			change: properties{"content": `{"schemaVersion":"2.2","sessionType":"Standard_Stream"}`}, code: "schemaVersion 1.0", path: "content"},
		{name: "a session document with a misspelt input", like: "session",
			change: properties{"content": `{"schemaVersion":"1.0","sessionType":"Standard_Stream","inputs":{"s3Bucket":"x"}}`},
			code:   "s3BucketName", path: "content"},
		{name: "a document that belongs to AWS", like: "session", change: properties{"name": "AWS-Session"},
			code: "are reserved by AWS", path: "name"},
		{name: "a secret in its window of recovery", before: func(w *world) {
			if err := w.delete("secret"); err != nil {
				w.t.Fatal(err)
			}
		}, like: "secret", change: properties{"name": "site/api"}, code: "InvalidRequestException"},
		{name: "a window of recovery of three days", like: "secret", change: properties{"recoveryWindowInDays": 3}, code: "7 to 30",
			path: "recoveryWindowInDays"},
		{name: "a repository in capitals", like: "repository", change: properties{"name": "Site/django"}, code: "lower case", path: "name"},
		{name: "a repository that exists", like: "repository", change: properties{"name": "site/django"},
			code: "RepositoryAlreadyExistsException"},
		{name: "a repository deleted with its images", like: "repository", delete: true, code: "RepositoryNotEmptyException"},
		{name: "a lifecycle that expires tagged images without saying which", like: "lifecycle",
			change: properties{"policy": `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"tagged","countType":"imageCountMoreThan",` +
				`"countNumber":5},"action":{"type":"expire"}}]}`}, code: "tagPrefixList", path: "policy"},
		{name: "a lifecycle whose last rule never counts", like: "lifecycle",
			change: properties{"policy": `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan",` +
				`"countNumber":5},"action":{"type":"expire"}},{"rulePriority":2,"selection":{"tagStatus":"untagged",` +
				`"countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}`}, code: "highest priority number", path: "policy"},
		{name: "a backup that is deleted before it is cold", like: "plan",
			change: properties{"rules[0].lifecycle": properties{"coldStorageAfter": 30, "deleteAfter": 60}}, code: "120 or more",
			path: "rules[0].lifecycle.deleteAfter"},
		{name: "a backup into a vault that does not exist", like: "plan", change: properties{"rules[0].targetVaultName": "nowhere"},
			code: "ResourceNotFoundException"},
	})
}

// The version of a parameter counts its changes, and a preview shows that.
func TestAParameterCountsItsVersions(t *testing.T) {
	w := siteWorld(t)
	if v := w.out("secret-key", "version"); v != 1.0 {
		t.Errorf("a new parameter has version 1, got %v", v)
	}
	if err := w.update("secret-key", properties{"value": "another battery"}); err != nil {
		t.Fatal(err)
	}
	if v := w.out("secret-key", "version"); v != 2.0 {
		t.Errorf("a changed parameter has version 2, got %v", v)
	}
	if err := w.update("secret-key", properties{"tags": properties{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	if v := w.out("secret-key", "version"); v != 2.0 {
		t.Errorf("a tag makes no version, got %v", v)
	}
	in := changed(w.inputs["secret-key"], properties{"value": "a third"})
	out, err := w.a.Update(Change{Type: parameterType, ID: w.id("secret-key"), Inputs: in, Preview: true}, w.inputs["secret-key"])
	if err != nil {
		t.Fatal(err)
	}
	if out["version"] != any(Unknown) {
		t.Errorf("a preview does not know the next version, got %v", out["version"])
	}
}

func TestRarerDataIncidents(t *testing.T) {
	disabled := func(w *world) {
		if err := w.update("key", properties{"isEnabled": false}); err != nil {
			w.t.Fatal(err)
		}
	}
	refuses(t, []incident{
		{name: "the default subnet group", like: "db-subnets", change: properties{"name": "default"}, code: "reserved", path: "name"},
		{name: "subnets of two VPCs", like: "db-subnets", before: and(elsewhere, "db-subnets", func(w *world) properties {
			return properties{"subnetIds": []any{w.id("private-a"), w.id("other-b")}}
		}), code: "InvalidSubnet"},
		{name: "cache subnets of two VPCs", like: "cache-subnets", before: and(elsewhere, "cache-subnets", func(w *world) properties {
			return properties{"subnetIds": []any{w.id("private-a"), w.id("other-b")}}
		}), code: "InvalidSubnet"},
		{name: "a parameter in capitals", like: "db-parameters",
			change: properties{"parameters": []any{properties{"name": "RDS.FORCE_SSL", "value": "1"}}}, code: "Could not find parameter",
			path: "parameters[0].name"},
		{name: "options of Postgres", like: "options", before: offer("options", optionsType, func(*world) properties {
			return properties{"name": "options", "engineName": "postgres", "majorEngineVersion": "16",
				"options": []any{properties{"optionName": "TDE"}}}
		}), code: "has no options", path: "options"},
		{name: "a user that begins with a digit", like: "database", change: properties{"username": "1owner"},
			code: "MasterUsername must begin", path: "username"},
		{name: "a ceiling above the sky", like: "database", change: properties{"maxAllocatedStorage": 70000}, code: "at most 65536",
			path: "maxAllocatedStorage"},
		{name: "io1 without iops", like: "database", change: properties{"storageType": "io1", "allocatedStorage": 100,
			"maxAllocatedStorage": nil}, code: "needs iops", path: "iops"},
		{name: "gp2 with iops", like: "database", change: properties{"storageType": "gp2", "iops": 3000}, code: "takes no iops", path: "iops"},
		{name: "maintenance for two days", like: "database", change: properties{"backupWindow": nil, "maintenanceWindow": "sun:05:00-tue:05:00"},
			code: "24 hours", path: "maintenanceWindow"},
		{name: "a public database in a VPC without a way in", like: "database", before: func(w *world) {
			w.create(vpcType, "island", properties{"cidrBlock": "10.9.0.0/16"})
			for i, zone := range []string{"a", "b"} {
				w.create(subnetType, "island-"+zone, properties{"vpcId": w.id("island"), "cidrBlock": fmt.Sprintf("10.9.%d.0/24", i),
					"availabilityZone": "us-east-1" + zone})
			}
			w.create(databaseSubnetType, "island-subnets", properties{"name": "island", "subnetIds": []any{w.id("island-a"), w.id("island-b")}})
			w.inputs["database"] = changed(w.inputs["database"], properties{"dbSubnetGroupName": "island", "vpcSecurityGroupIds": nil,
				"publiclyAccessible": true})
		}, code: "InvalidVPCNetworkStateFault"},
		{name: "a database with a disabled key", like: "database", before: disabled, code: "KMSKeyNotAccessibleFault"},
		{name: "a disk with a disabled key", like: "bastion", before: and(disabled, "bastion", func(w *world) properties {
			return properties{"rootBlockDevice.kmsKeyId": w.arn("key")}
		}), code: "Client.InvalidKMSKey.InvalidState"},
		{name: "a parameter with a disabled key", like: "secret-key", before: disabled, code: "InvalidKeyId"},
		{name: "a parameter that goes back to the standard tier", like: "secret-key", update: true, before: func(w *world) {
			if err := w.update("secret-key", properties{"tier": "Advanced"}); err != nil {
				w.t.Fatal(err)
			}
		}, change: properties{"tier": "Standard"}, code: "ValidationException"},
		{name: "a parameter with an empty level", like: "secret-key", change: properties{"name": "/site//key"},
			code: "no empty level", path: "name"},
		{name: "a parameter that names another", like: "secret-key", change: properties{"value": "{{ssm:other}}"},
			code: "can't nest", path: "value"},
		{name: "a session of no type", like: "session", change: properties{"content": `{"schemaVersion":"1.0","sessionType":"Shell"}`},
			code: "Standard_Stream", path: "content"},
		{name: "a session idle for two hours", like: "session",
			change: properties{"content": `{"schemaVersion":"1.0","sessionType":"Standard_Stream","inputs":{"idleSessionTimeout":"120"}}`},
			code:   "1 to 60", path: "content"},
		{name: "a secret of 70 kilobytes", like: "value", before: offer("value", "aws:secretsmanager/secretVersion:SecretVersion",
			func(w *world) properties {
				return properties{"secretId": w.id("secret"), "secretString": strings.Repeat("x", 70000)}
			}), code: "at most 65536", path: "secretString"},
		{name: "backups by a role that AWS Backup may not take", like: "selection", before: offer("selection", "aws:backup/selection:Selection",
			func(w *world) properties {
				return properties{"name": "all", "planId": w.id("plan"), "iamRoleArn": w.arn("task-role"), "resources": []any{w.arn("database")}}
			}), code: "InvalidParameterValueException"},
		{name: "a repository for a role that does not exist", like: "shared", before: offer("shared", "aws:ecr/repositoryPolicy:RepositoryPolicy",
			func(*world) properties {
				return properties{"repository": "site/django", "policy": policyText(properties{"Effect": "Allow", "Action": "ecr:BatchGetImage",
					"Principal": properties{"AWS": "arn:aws:iam::" + DefaultAccountID + ":role/absent"}})}
			}), code: "InvalidParameterException"},
		{name: "a bucket that may be computed on", like: "log-bucket-policy",
			change: properties{"policy": policyText(allow("ec2:RunInstances", "arn:aws:s3:::site-logs-1/*",
				properties{"Principal": properties{"AWS": "*"}}))}, code: "invalid action", path: "policy"},
		{name: "two lifecycle rules of one name", like: "log-bucket-lifecycle",
			change: properties{"rules": many(2, func(int) any {
				return properties{"id": "a", "status": "Enabled", "expiration": properties{"days": 5}}
			})}, code: "must be unique", path: "rules[1].id"},
		{name: "a lifecycle rule that does nothing", like: "log-bucket-lifecycle",
			change: properties{"rules": []any{properties{"id": "a", "status": "Enabled"}}}, code: "At least one action", path: "rules[0]"},
		{name: "expiry at once", like: "log-bucket-lifecycle",
			change: properties{"rules": []any{properties{"id": "a", "status": "Enabled", "expiration": properties{"days": 0}}}}, code: "positive",
			path: "rules[0].expiration.days"},
		{name: "uploads given up at once", like: "log-bucket-lifecycle",
			change: properties{"rules": []any{properties{"id": "a", "status": "Enabled",
				"abortIncompleteMultipartUpload": properties{"daysAfterInitiation": 0}}}}, code: "at least 1 day",
			path: "rules[0].abortIncompleteMultipartUpload.daysAfterInitiation"},
		{name: "an origin with two stars", like: "cors", before: offer("cors", "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
			func(*world) properties {
				return properties{"bucket": "site-media-1", "corsRules": []any{properties{"allowedMethods": []any{"GET"},
					"allowedOrigins": []any{"https://*.*.com"}}}}
			}), code: "more than one wildcard", path: "corsRules[0].allowedOrigins[0]"},
		{name: "a method that S3 has not", like: "cors", before: offer("cors", "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
			func(*world) properties {
				return properties{"bucket": "site-media-1", "corsRules": []any{properties{"allowedMethods": []any{"PATCH"},
					"allowedOrigins": []any{"*"}}}}
			}), code: "unsupported HTTP method", path: "corsRules[0].allowedMethods[0]"},
	})
}
