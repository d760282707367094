package drift

import (
	"regexp"
	"strings"
)

// lossIfMissing says, by type, what is lost when a resource is missing and up cannot restore it.
var lossIfMissing = map[string]string{
	"aws:rds/instance:Instance":                              "up makes an empty database; restore a snapshot first",
	"aws:s3/bucketV2:BucketV2":                               "up makes an empty bucket; what it held is gone",
	"aws:kms/key:Key":                                        "what it encrypted cannot be read until its deletion is cancelled",
	"aws:ecr/repository:Repository":                          "the images of every release were in it",
	"aws:ssm/parameter:Parameter":                            "tasks that start now are not given it",
	"aws:ecs/service:Service":                                "nothing runs",
	"aws:lb/loadBalancer:LoadBalancer":                       "the site is not reachable; up makes one with another name",
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "the bucket can be made public",
	"aws:s3/bucketPolicy:BucketPolicy":                       "the bucket takes requests without TLS, and deliveries of logs are refused",
	"aws:cloudwatch/metricAlarm:MetricAlarm":                 "nobody hears of what it watched",
	"aws:wafv2/webAcl:WebAcl":                                "the site is without its firewall",
}

// A risk is a change that gives access, exposes data or removes a protection.
type risk struct {
	kind *regexp.Regexp // of resources
	path *regexp.Regexp // of the property; "" is the whole
	why  string
	// when says for which values it is one; nil: for every change.
	when func(from, to any) bool
}

func on(kind, path, why string, when func(from, to any) bool) risk {
	return risk{regexp.MustCompile(`^aws:(?:` + kind + `)$`), regexp.MustCompile(`^(?:` + path + `)(?:$|[.\[])`), why, when}
}

func turnedOff(from, to any) bool { return from == true && to != true }
func turnedOn(_, to any) bool     { return to == true }

func fewer(from, to any) bool {
	was, _ := from.(float64)
	is, _ := to.(float64)
	return is < was
}

// risks is the table of what is dangerous, and why. What is not in it is harmless.
var risks = []risk{
	on(`ec2/securityGroup:SecurityGroup`, `ingress|egress`, "a rule of the firewall was made, changed or removed by hand", nil),
	on(`vpc/securityGroup(In|E)gressRule:.*|ec2/securityGroupRule:.*`, `.*`, "a rule of the firewall was changed by hand", nil),
	on(`ec2/(routeTable:RouteTable|route:Route)`, `routes|gatewayId|natGatewayId|destinationCidrBlock`, "traffic of the network goes another way", nil),
	on(`ec2/subnet:Subnet`, `mapPublicIpOnLaunch`, "what starts in the subnet gets a public address", turnedOn),
	on(`iam/(role|policy|rolePolicy|user|userPolicy):.*`, `policy|assumeRolePolicy|inlinePolicies|managedPolicyArns|permissionsBoundary`, "somebody may do more, or other things, than the program says", nil),
	on(`iam/rolePolicyAttachment:.*`, `.*`, "a role has other rights than the program says", nil),
	on(`iam/openIdConnectProvider:.*`, `url|clientIdLists|thumbprintLists`, "another issuer of tokens is trusted", nil),
	on(`kms/key:Key`, `policy`, "other people may use, or give away, the key", nil),
	on(`kms/key:Key`, `isEnabled|enableKeyRotation`, "the key is off, or is not rotated any more", turnedOff),
	on(`s3/bucketPublicAccessBlock:.*`, `.*`, "the bucket can be made public", turnedOff),
	on(`s3/(bucketPolicy:BucketPolicy|bucketV2:BucketV2)`, `policy`, "others may read or write the bucket", nil),
	on(`s3/bucketOwnershipControls:.*`, `rule`, "access lists of single objects count again", nil),
	on(`s3/bucketV2:BucketV2`, `grants|acl`, "others may read or write the bucket", nil),
	on(`s3/bucketServerSideEncryption.*`, `rules`, "new objects are encrypted otherwise, or not at all", nil),
	on(`s3/bucketV2:BucketV2`, `serverSideEncryptionConfigurations`, "new objects are encrypted otherwise, or not at all", nil),
	on(`s3/bucketVersioningV2:.*`, `versioningConfiguration`, "what is overwritten or deleted is lost", nil),
	on(`s3/bucketLifecycle.*`, `rules`, "objects are deleted sooner, or never", nil),
	on(`rds/instance:Instance`, `publiclyAccessible`, "the database has a public address", turnedOn),
	on(`rds/instance:Instance`, `deletionProtection`, "the database can be deleted", turnedOff),
	on(`rds/instance:Instance`, `skipFinalSnapshot|deleteAutomatedBackups`, "the database is deleted without a trace", turnedOn),
	on(`rds/instance:Instance`, `backupRetentionPeriod`, "there are fewer days to go back to", fewer),
	on(`rds/instance:Instance`, `multiAz|storageEncrypted|iamDatabaseAuthenticationEnabled`, "the database is less protected", turnedOff),
	on(`rds/instance:Instance`, `vpcSecurityGroupIds|dbSubnetGroupName|parameterGroupName|caCertIdentifier|kmsKeyId|enabledCloudwatchLogsExports`, "others may reach the database, or its guards are other ones", nil),
	on(`rds/parameterGroup:.*`, `parameters`, "the database may take connections without TLS, or log less", nil),
	on(`lb/loadBalancer:LoadBalancer`, `enableDeletionProtection|dropInvalidHeaderFields|accessLogs`, "the balancer is less protected, or logs less", func(from, to any) bool { return from == true && to != true || from != true && from != false }),
	on(`lb/loadBalancer:LoadBalancer`, `securityGroups|internal|desyncMitigationMode`, "others may reach the balancer", nil),
	on(`lb/listener(Rule)?:.*`, `protocol|sslPolicy|certificateArn|defaultActions|actions|conditions`, "requests are taken without TLS, or go elsewhere", nil),
	on(`lb/targetGroup:.*`, `protocol|healthCheck`, "the balancer judges its targets otherwise", nil),
	on(`wafv2/.*`, `.*`, "the site's firewall lets through what it did not", nil),
	on(`cloudwatch/logGroup:LogGroup`, `kmsKeyId`, "the log is encrypted otherwise, or not at all", nil),
	on(`cloudwatch/logGroup:LogGroup`, `retentionInDays`, "log lines are deleted sooner", fewer),
	on(`cloudwatch/logSubscriptionFilter:.*`, `.*`, "log lines do not come into the archive, or go to somebody else", nil),
	on(`cloudwatch/metricAlarm:.*`, `actionsEnabled`, "nobody hears of what it watches", turnedOff),
	on(`cloudwatch/metricAlarm:.*`, `alarmActions|threshold|comparisonOperator|evaluationPeriods|metricName|namespace|dimensions|treatMissingData`, "it watches something else, or nobody hears of it", nil),
	on(`sns/(topic|topicPolicy|topicSubscription):.*`, `policy|endpoint|kmsMasterKeyId`, "alarms go elsewhere", nil),
	on(`sqs/(queue|queuePolicy):.*`, `policy|kmsMasterKeyId|sqsManagedSseEnabled`, "others may read what failed", nil),
	on(`kinesis/firehoseDeliveryStream:.*`, `extendedS3Configuration|serverSideEncryption`, "logs are archived otherwise, or elsewhere", nil),
	on(`ecr/repository:Repository`, `imageTagMutability|encryptionConfigurations|forceDelete`, "an image can be replaced, or the repository be deleted with all of them", nil),
	on(`ecs/service:Service`, `taskDefinition`, "what runs is not what was asked for", nil),
	on(`ecs/service:Service`, `networkConfiguration|loadBalancers`, "tasks are reached otherwise", nil),
	on(`ecs/service:Service`, `deploymentCircuitBreaker`, "a bad release is not rolled back", nil),
	on(`ecs/cluster:Cluster`, `configuration`, "sessions into containers are not recorded, or not encrypted", nil),
	on(`ssm/parameter:Parameter`, `value|insecureValue|type|keyId|version`, "the site is told something else, or a secret is not encrypted any more", nil),
	on(`ssm/document:Document`, `content`, "sessions run otherwise, or are not recorded", nil),
	on(`scheduler/schedule:Schedule`, `target|state|scheduleExpression`, "a job runs otherwise, or not at all", nil),
	on(`ec2/instance:Instance`, `metadataOptions|iamInstanceProfile|vpcSecurityGroupIds|userData.*|associatePublicIpAddress`, "the operation server is reached otherwise, or may do more", nil),
	on(`route53/record:Record`, `records|aliases`, "the site's name leads elsewhere", nil),
}

// danger is why a difference is dangerous; "" if it is not.
func danger(kind, path string, from, to any) string {
	for _, r := range risks {
		if r.kind.MatchString(kind) && r.path.MatchString(path) && !label(path) && (r.when == nil || r.when(from, to)) {
			return r.why
		}
	}
	return ""
}

// label says whether a property only describes the resource.
func label(path string) bool {
	return path == "description" || path == "tags" || path == "tagsAll" || strings.HasPrefix(path, "tags.") || strings.HasPrefix(path, "tags[") ||
		strings.HasPrefix(path, "tagsAll.") || strings.HasPrefix(path, "tagsAll[")
}

// awsManagedOutputs are the outputs that AWS changes by itself, by type. They are no drift.
var awsManagedOutputs = map[string]*regexp.Regexp{
	"aws:ecs/service:Service":                                   regexp.MustCompile(`^desiredCount$`), // scaling's
	"aws:rds/instance:Instance":                                 regexp.MustCompile(`^(latestRestorableTime|status|engineVersionActual|replicas|allocatedStorage)$`),
	"aws:ec2/instance:Instance":                                 regexp.MustCompile(`^(instanceState|publicIp|publicDns)$`),
	"aws:ecs/taskDefinition:TaskDefinition":                     regexp.MustCompile(`^status$`),
	"aws:cloudwatch/logGroup:LogGroup":                          regexp.MustCompile(`^storedBytes$`),
	"aws:acm/certificate:Certificate":                           regexp.MustCompile(`^(status|notAfter|notBefore|renewalSummaries|renewalEligibility|pendingRenewal|validationEmails)$`),
	"aws:appautoscaling/target:Target":                          regexp.MustCompile(`^suspendedState$`),
	"aws:iam/role:Role":                                         regexp.MustCompile(`^(lastUsed|roleLastUsed)$`),
	"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": regexp.MustCompile(`^versionId$`),
}

func expected(kind, path string) bool {
	m := awsManagedOutputs[kind]
	return m != nil && m.MatchString(path)
}
