package keys

import (
	"fmt"
	"slices"
	"strings"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// A Purpose is what a key is for.
type Purpose string

// The purposes of a site.
const (
	Data     Purpose = "data"
	Logs     Purpose = "logs"
	Settings Purpose = "settings"
	Images   Purpose = "images"
	Alarms   Purpose = "alarms"
	Disk     Purpose = "disk"
)

// Purposes lists every purpose.
var Purposes = []Purpose{Data, Logs, Settings, Images, Alarms, Disk}

// users lists who uses the key of each purpose, and how.
var users = map[Purpose]struct {
	holds     string    // what the key encrypts, in words
	via       []string  // services through which the account's own principals may use the key: they act with the caller's permissions
	grants    []string  // those of via for which the caller creates a grant, because they use the key later, without a caller
	services  []service // services that use the key in their own name, on behalf of this account
	logs      bool      // CloudWatch Logs encrypts log groups with it
	sessions  bool      // both ends of a shell session (ECS Exec, Session Manager) call KMS themselves
	schedules bool      // EventBridge Scheduler encrypts schedules with it
}{
	// ElastiCache names itself or dax, and AWS asks for both (ElastiCache guide, "At-rest encryption", on kms:ViaService).
	Data:     {holds: "database and media", via: []string{"dax", "elasticache", "rds", "s3"}, grants: []string{"dax", "elasticache", "rds"}},
	Logs:     {holds: "logs and shell sessions", via: []string{"firehose", "s3"}, grants: []string{"firehose"}, logs: true, sessions: true},
	Settings: {holds: "SSM parameters", via: []string{"ssm"}},
	Images:   {holds: "container images", via: []string{"ecr"}, grants: []string{"ecr"}},
	// CloudWatch and RDS publish to the topic and EventBridge sends to the queue, each in the service's own name.
	Alarms: {
		holds: "alarms, failed jobs and schedules", via: []string{"scheduler", "sns", "sqs"}, schedules: true,
		services: []service{{name: "cloudwatch", account: true}, {name: "events"}, {name: "events.rds"}},
	},
	Disk: {holds: "disk of the bastion", via: []string{"ec2"}, grants: []string{"ec2"}},
}

// A service uses a key under its own name. account: it sends aws:SourceAccount to KMS. EventBridge sends none when it
// publishes to an encrypted topic or queue, and AWS does not document one for RDS events, so a condition would lock them
// out. What they can encrypt is still limited, because the policies of the topic and the queue name the source.
//
// Sources: SNS guide, "Key management", section "Enable compatibility between event sources from AWS services and
// encrypted topics"; EventBridge guide, "Troubleshooting", on encrypted queues.
type service struct {
	name    string
	account bool
}

// Statements is the policy of a key for purposes: the account administers it, and only the services of those purposes
// use it.
//
// The account root as a principal stands for the account, not for the root user: it lets the account's IAM policies
// decide. Without it IAM policies have no effect, and a key whose last administrator was deleted becomes unmanageable.
// The common single statement kms:* for the root would let any principal with a broad kms:Decrypt read ciphertext
// directly. Here the account may use the key only through the services that hold the data, so reading a secret always
// needs ssm:GetParameter as well, and so on.
func Statements(site wiring.Site, purposes ...Purpose) []policy.Statement {
	var via, grants []string
	var services []service
	var logs, sessions, schedules bool
	for _, p := range purposes {
		u := users[p]
		via = append(via, endpoints(site, u.via)...)
		grants = append(grants, endpoints(site, u.grants)...)
		services = append(services, u.services...)
		logs, sessions, schedules = logs || u.logs, sessions || u.sessions, schedules || u.schedules
	}

	statements := []policy.Statement{administer(site), use(site, via)}
	if len(grants) > 0 {
		statements = append(statements, grant(site, grants))
	}
	if sessions {
		statements = append(statements, shells(site))
	}
	if logs {
		statements = append(statements, logGroups(site))
	}
	if schedules {
		statements = append(statements, decryptSchedules(site))
	}
	for _, s := range services {
		statements = append(statements, s.statement(site))
	}
	return statements
}

func endpoints(site wiring.Site, services []string) []string {
	var all []string
	for _, s := range services {
		all = append(all, fmt.Sprintf("%s.%s.amazonaws.com", s, site.Region))
	}
	return all
}

func account(site wiring.Site) map[string][]any {
	return policy.AccountRoots(site.Partition, site.AccountID)
}

// In a key policy the resource "*" is the key itself.
var thisKey = []any{"*"}

func administer(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "AccountAdministers",
		Principals: account(site),
		Actions: []string{
			"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
			"kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
			"kms:ListAliases", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations", "kms:ListResourceTags",
			"kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource",
			"kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
		},
		Resources: thisKey,
	}
}

func use(site wiring.Site, via []string) policy.Statement {
	return policy.Statement{
		Sid:        "AccountUsesThroughServices",
		Principals: account(site),
		Actions:    []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:RetireGrant"},
		Resources:  thisKey,
		Conditions: map[string]map[string]any{"StringEquals": {"kms:ViaService": values(via)}},
	}
}

// A service that decrypts later, without a caller (an attached disk, a pulled image), has the caller create a grant. S3, SSM, SNS, SQS and
// Scheduler create none: KMS Developer Guide, "How AWS services use AWS KMS".
func grant(site wiring.Site, via []string) policy.Statement {
	return policy.Statement{
		Sid:        "AccountGrantsToServices",
		Principals: account(site),
		Actions:    []string{"kms:CreateGrant"},
		Resources:  thisKey,
		Conditions: map[string]map[string]any{
			"StringEquals": {"kms:ViaService": values(via)},
			"Bool":         {"kms:GrantIsForAWSResource": "true"},
		},
	}
}

func shells(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "AccountOpensSessions",
		Principals: account(site),
		Actions:    []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Resources:  thisKey,
	}
}

// The encryption context is the log group, so the service can use the key only for log groups of this stack: those under
// its path, and those of RDS, Container Insights and WAF that contain its name.
func logGroups(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "CloudWatchLogs",
		Principals: map[string][]any{"Service": {fmt.Sprintf("logs.%s.amazonaws.com", site.Region)}},
		Actions:    []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
		Resources:  thisKey,
		Conditions: map[string]map[string]any{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": []any{
			site.ARN("logs", "log-group:"+site.Path("*")),
			site.ARN("logs", "log-group:/aws/ecs/containerinsights/"+site.Name("*")),
			site.ARN("logs", "log-group:/aws/rds/instance/"+site.Name("*")),
			site.ARN("logs", "log-group:aws-waf-logs-"+site.Name("*")),
		}}},
	}
}

// EventBridge Scheduler decrypts a schedule as the schedule's own role and not through the service: kms:ViaService is
// absent. The encryption context is the schedule, so the role can decrypt nothing else.
// Source: EventBridge Scheduler User Guide, "Encryption at rest", with the CloudTrail event that it shows.
func decryptSchedules(site wiring.Site) policy.Statement {
	return policy.Statement{
		Sid:        "AccountDecryptsSchedules",
		Principals: account(site),
		Actions:    []string{"kms:Decrypt"},
		Resources:  thisKey,
		Conditions: policy.Conditions{"ArnLike": {
			"kms:EncryptionContext:aws:scheduler:schedule:arn": site.ARN("scheduler", "schedule/"+site.Name("*")),
		}},
	}
}

func (s service) statement(site wiring.Site) policy.Statement {
	statement := policy.Statement{
		Sid:        "Service" + strings.ToUpper(s.name[:1]) + strings.ReplaceAll(s.name[1:], ".", ""),
		Principals: map[string][]any{"Service": {s.name + ".amazonaws.com"}},
		Actions:    []string{"kms:Decrypt", "kms:GenerateDataKey*"},
		Resources:  thisKey,
	}
	if s.account {
		statement.Conditions = policy.Conditions{"StringEquals": {"aws:SourceAccount": site.AccountID}}
	}
	return statement
}

// values is the value of a condition: AWS stores a list of one as a single value.
func values(all []string) any {
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	if len(all) == 1 {
		return all[0]
	}
	list := make([]any, len(all))
	for i, v := range all {
		list[i] = v
	}
	return list
}

func describe(purposes []Purpose) string {
	words := make([]string, len(purposes))
	for i, p := range purposes {
		words[i] = users[p].holds
	}
	return strings.Join(words, ", ")
}
