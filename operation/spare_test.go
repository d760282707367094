package operation

import (
	"slices"
	"strings"
)

// A spared right is one whose removal no recorded request notices, and that stays.
type spared struct {
	documents  string // part of the document's name
	statements string // Sids
	actions    string // in lower case; "": the statements themselves and all of their actions
	reason     string
	source     string
}

const (
	keyUsers   = "KMS Developer Guide, \"Default key policy\": what it allows users of a key"
	keyOwners  = "KMS Developer Guide, \"Default key policy\": what it allows administrators of a key"
	agentRules = "AWS Managed Policy Reference, AmazonSSMManagedInstanceCore"
	iamProfile = "EC2 API Reference, AssociateIamInstanceProfile, DisassociateIamInstanceProfile, ReplaceIamInstanceProfileAssociation"
)

// spare are all of them.
var spare = []spared{
	// The deploy role.
	{"deploy-network", "LookAtNetwork", "ec2:describeaccountattributes",
		"RDS and the load balancer may ask for it on the caller's behalf", "AWS Managed Policy Reference, AmazonRDSFullAccess"},
	{"deploy-network", "LookAtNetwork", "ec2:describeiaminstanceprofileassociations", "the bastion gets another profile", iamProfile},
	{"deploy-network", "RunBastion",
		"ec2:associateiaminstanceprofile ec2:disassociateiaminstanceprofile ec2:replaceiaminstanceprofileassociation",
		"the bastion gets another profile", iamProfile},
	{"deploy-network", "RunBastion", "ec2:unmonitorinstances", "detailed monitoring is turned off", "EC2 API Reference, UnmonitorInstances"},
	{"deploy-data", "KeepDatabase", "rds:createdbsnapshot", "the final snapshot of a protected database",
		"RDS User Guide, \"Deleting a DB instance\"; the reference does not say whether DeleteDBInstance asks for it"},
	{"deploy-data", "KeepDatabase", "rds:rebootdbinstance", "a restored database gets its parameter group",
		"RDS User Guide, \"Working with parameter groups\": a static parameter takes a reboot"},
	{"deploy-data", "KeepDatabase", "rds:resetdbparametergroup", "a parameter is taken out of the group",
		"RDS API Reference, ResetDBParameterGroup"},
	{"deploy-compute", "PushImages", "ecr:batchchecklayeravailability ecr:batchgetimage ecr:getdownloadurlforlayer",
		"PullReleases allows it too, for the repositories of every stack", "ECR User Guide, \"IAM permissions for pushing an image\""},
	{"deploy-logs", "KeepLogGroups", "logs:deleteretentionpolicy logs:disassociatekmskey",
		"a log group loses its retention or its key", "CloudWatch Logs API Reference, DeleteRetentionPolicy and DisassociateKmsKey"},
	{"deploy-logs", "DeliverLogs", "logs:getlogdelivery logs:listlogdeliveries logs:updatelogdelivery",
		"WAF and flow logs set up a delivery with the caller's rights",
		"CloudWatch Logs User Guide, \"Logging that requires additional permissions\""},
	{"deploy-logs", "KeepStreams", "firehose:stopdeliverystreamencryption", "the stream gets another key",
		"Firehose API Reference, StopDeliveryStreamEncryption"},
	{"deploy-identity", "LookAtProvider", "", "a stack that makes its roles itself reads them at each refresh",
		"recorded in a cell of conformance/"},
	{"deploy-identity", "KeepRoles", "iam:getpolicy iam:getpolicyversion iam:listpolicyversions",
		"a stack that makes its roles itself reads them at each refresh", "recorded in a cell of conformance/"},
	{"deploy-state", "ReadSecretConfiguration", "kms:generatedatakey",
		"UseKeysThroughServices allows it too, as long as the key of the state has no tags of a stack",
		"S3 User Guide, \"Using server-side encryption with AWS KMS keys\""},
	{"deploy-state", "OpenReleases", "", "a promotion from another account or region; UseKeysThroughServices is for this one",
		"KMS Developer Guide, \"Allowing users in other accounts to use a KMS key\""},

	// The read role.
	{"read-site", "AwaitNames KeepBuckets KeepDatabase KeepParameters KeepSessionDocument LookAtData LookAtEdge LookAtNetwork", "",
		"it gets every action of the deploy role that only reads settings, also those that follow a create", "cicd/reader.go"},
	{"read-operation", "DeliverLogs FindTasks KeepRoles KeepServices LookAtCompute LookAtProvider PushImages", "",
		"it gets every action of the deploy role that only reads settings, also those that follow a create", "cicd/reader.go"},

	// The boundary. It grants nothing: each of these also needs a policy of a role.
	{"boundary", "SpeakToSystemsManager",
		"ec2messages:acknowledgemessage ec2messages:deletemessage ec2messages:failmessage ec2messages:getendpoint ec2messages:getmessages " +
			"ec2messages:sendreply ssm:describeassociation ssm:getdeployablepatchsnapshotforinstance ssm:getmanifest ssm:listassociations " +
			"ssm:listinstanceassociations ssm:putcomplianceitems ssm:putconfigurepackageresult ssm:putinventory ssm:updateassociationstatus " +
			"ssm:updateinstanceassociationstatus",
		"the agent on the bastion tries all of them, for inventory, patches and commands that an account may set up", agentRules},
	{"boundary", "ReadDocuments", "", "the agent runs a document of AWS's or of the stack's", agentRules},
	{"boundary", "WriteDatabaseMetrics", "logs:describelogstreams logs:getlogevents", "part of AWS's policy for the role of RDS",
		"AWS Managed Policy Reference, AmazonRDSEnhancedMonitoringRole"},

	// Roles of the site.
	{"site-roles-task-policy", "EncryptRecords", "", "ECS Exec has the same rights where it uses the same key",
		"Firehose Developer Guide, \"Data protection\": who puts records into an encrypted stream"},
	{"site-roles-task-policy", "KeepMedia", "s3:abortmultipartupload", "an upload of more than 8 MB is interrupted",
		"S3 User Guide, \"Multipart upload API and permissions\""},
	{"site-roles-task-policy", "ExecReadBucketSettings", "s3:getbucketlocation", "ECS Exec writes to a bucket of another region",
		"ECS Developer Guide, \"IAM permissions required for logging to Amazon S3\""},
	{"bastion-record", "ReadBucketSettings", "s3:getbucketlocation", "the agent finds the bucket's region",
		"Systems Manager User Guide, \"Logging session activity\""},

	// Keys. One form for all: the identity policies say who of the account uses which.
	{"key keys-", "AccountAdministers",
		"kms:cancelkeydeletion kms:disablekey kms:disablekeyrotation kms:enablekey kms:listaliases kms:listgrants kms:listkeypolicies " +
			"kms:listkeyrotations kms:revokegrant kms:rotatekeyondemand",
		"people repair a key, or stop its use, with the account's own policies", keyOwners},
	{"key keys-", "AccountUsesThroughServices",
		"kms:decrypt kms:encrypt kms:generatedatakey* kms:reencrypt* kms:retiregrant",
		"what users of a key need, whatever service they use it through", keyUsers},
	{"key keys-logs", "AccountUsesThroughServices", "",
		"AccountOpensSessions allows it too: on this key alone both ends of a session call KMS themselves",
		"Systems Manager User Guide, \"Turn on KMS key encryption of session data\""},
	{"key keys-logs", "AccountOpensSessions", "kms:generatedatakey", "the person who opens a session makes the data key",
		"Systems Manager User Guide, \"Turn on KMS key encryption of session data\""},
	{"key keys-logs", "CloudWatchLogs", "kms:describekey kms:reencrypt*", "as AWS documents the statement",
		"CloudWatch Logs User Guide, \"Encrypt log data using AWS KMS\""},
	{"key keys-alarms", "AccountDecryptsSchedules", "",
		"AWS does not say whether Scheduler sends kms:ViaService or the encryption context alone",
		"EventBridge Scheduler User Guide, \"Encryption at rest\""},

	{"key keys-data", "AccountAdministers", "kms:schedulekeydeletion", "destroy keeps the key of a protected database's snapshot",
		"operation/destroy.go"},

	// What AWS makes.
	{"topic alarms", "__default_statement_ID", "", "the topic's own default, which TopicPolicy replaces", "SNS API Reference, CreateTopic"},
	{"log resource policy waf-delivery", "DeliverWAFLogs", "", "AWS writes it with the caller's rights if it is missing",
		"CloudWatch Logs User Guide, \"Logging that requires additional permissions\""},
}

// sparedBy is the index of a removal in spare; -1 if it is not there.
func sparedBy(r removal) int {
	return slices.IndexFunc(spare, func(s spared) bool {
		return strings.Contains(r.document, s.documents) && slices.Contains(strings.Fields(s.statements), r.statement) &&
			(s.actions == "" || slices.Contains(strings.Fields(s.actions), r.action))
	})
}
