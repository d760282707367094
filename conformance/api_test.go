package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// outputs returns one output of every resource of a type.
func outputs(state map[string]apitype.ResourceV3, kind, key string) []string {
	var all []string
	for _, r := range state {
		if string(r.Type) == "aws:"+kind {
			text, _ := r.Outputs[key].(string)
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// each calls one operation for each name.
func (e endpoint) each(t *testing.T, names []string, service, operation, parameter string, further ...map[string]any) []map[string]any {
	t.Helper()
	if len(names) == 0 {
		t.Errorf("%s %s: there are no resources to check", service, operation)
		return nil
	}
	var calls []call
	for _, name := range names {
		parameters := map[string]any{parameter: name}
		for _, f := range further {
			for key, value := range f {
				parameters[key] = value
			}
		}
		calls = append(calls, call{service, operation, parameters})
	}
	return e.ask(t, calls...)
}

// at follows a path through maps and lists: at(v, "A", 0, "B").
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func list(v any, path ...any) []any {
	l, _ := at(v, path...).([]any)
	return l
}

func text(v any) string {
	out, _ := json.Marshal(v)
	return string(out)
}

// checkAPI checks the site in AWS itself, not in the state.
func (c cell) checkAPI(t *testing.T, e endpoint, state map[string]apitype.ResourceV3, protected bool) {
	t.Helper()
	var responses []map[string]any // all except those with secrets
	each := func(names []string, service, operation, parameter string, further ...map[string]any) []map[string]any {
		t.Helper()
		answers := e.each(t, names, service, operation, parameter, further...)
		responses = append(responses, answers...)
		return answers
	}

	buckets := outputs(state, "s3/bucketV2:BucketV2", "bucket")
	for i, a := range each(buckets, "s3", "get_public_access_block", "Bucket") {
		for _, block := range []string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"} {
			if at(a, "PublicAccessBlockConfiguration", block) != true {
				t.Errorf("bucket %s: %s is not set: %s", buckets[i], block, text(a))
			}
		}
	}
	for i, a := range each(buckets, "s3", "get_bucket_policy", "Bucket") {
		var document struct{ Statement []map[string]any }
		words, _ := a["Policy"].(string)
		if err := json.Unmarshal([]byte(words), &document); err != nil {
			t.Errorf("bucket %s: its policy: %v", buckets[i], err)
		}
		if !slices.ContainsFunc(document.Statement, func(s map[string]any) bool {
			return s["Effect"] == "Deny" && s["Action"] == "s3:*" && at(s, "Condition", "Bool", "aws:SecureTransport") == "false" &&
				strings.Contains(text(s["Principal"]), `"*"`) && len(list(s, "Resource")) == 2
		}) {
			t.Errorf("bucket %s allows plain HTTP: %s", buckets[i], words)
		}
	}
	for i, a := range each(buckets, "s3", "get_bucket_encryption", "Bucket") {
		if words := text(a); !strings.Contains(words, `"aws:kms"`) && !strings.Contains(buckets[i], "-access-") {
			t.Errorf("bucket %s is not encrypted with a KMS key: %s", buckets[i], words)
		}
	}
	for i, a := range each(buckets, "s3", "get_bucket_versioning", "Bucket") {
		if a["Status"] != "Enabled" {
			t.Errorf("bucket %s is not versioned: %s", buckets[i], text(a))
		}
	}

	groups := outputs(state, "cloudwatch/logGroup:LogGroup", "name")
	for i, a := range each(groups, "logs", "describe_log_groups", "logGroupNamePrefix") {
		if days, _ := at(a, "logGroups", 0, "retentionInDays").(float64); days < 1 {
			t.Errorf("log group %s has no retention period: %s", groups[i], text(a))
		}
		if key, _ := at(a, "logGroups", 0, "kmsKeyId").(string); !strings.HasPrefix(key, "arn:aws:kms:") {
			t.Errorf("log group %s is not encrypted: %s", groups[i], text(a))
		}
	}
	keys := outputs(state, "kms/key:Key", "keyId")
	for i, a := range each(keys, "kms", "get_key_rotation_status", "KeyId") {
		if a["KeyRotationEnabled"] != true {
			t.Errorf("key %s does not rotate: %s", keys[i], text(a))
		}
	}

	database := each(outputs(state, "rds/instance:Instance", "identifier"), "rds", "describe_db_instances", "DBInstanceIdentifier")[0]
	for path, want := range map[string]any{
		"StorageEncrypted": true, "PubliclyAccessible": false, "IAMDatabaseAuthenticationEnabled": true, "CopyTagsToSnapshot": true,
		"AutoMinorVersionUpgrade": true, "DeletionProtection": protected, "MultiAZ": c.stack == "prod",
	} {
		if got := at(database, "DBInstances", 0, path); got != want {
			t.Errorf("database: %s is %v, want %v", path, got, want)
		}
	}

	var caches []map[string]any
	if c.cached() {
		caches = each(outputs(state, "elasticache/replicationGroup:ReplicationGroup", "replicationGroupId"), "elasticache",
			"describe_replication_groups", "ReplicationGroupId")
	}
	for _, cache := range caches {
		for path, want := range map[string]any{
			"AtRestEncryptionEnabled": true, "TransitEncryptionEnabled": true, "AuthTokenEnabled": true, "AutoMinorVersionUpgrade": false,
			"Engine": "valkey", "AutomaticFailover": "enabled", "MultiAZ": "enabled",
		} {
			if got := at(cache, "ReplicationGroups", 0, path); got != want {
				t.Errorf("cache: %s is %v, want %v", path, got, want)
			}
		}
	}

	vpc := outputs(state, "ec2/vpc:Vpc", "id")
	for _, group := range list(each(vpc, "ec2", "describe_security_groups", "Filters", map[string]any{
		"Filters": []any{map[string]any{"Name": "vpc-id", "Values": vpc}},
	})[0], "SecurityGroups") {
		rules := append(list(group, "IpPermissions"), list(group, "IpPermissionsEgress")...)
		name := fmt.Sprint(at(group, "GroupName"))
		if name == "default" && len(rules) > 0 {
			t.Errorf("the default security group has rules: %s", text(rules))
		}
		for _, rule := range list(group, "IpPermissions") {
			if strings.Contains(text(rule), "0.0.0.0/0") && !strings.Contains(name, "edge") {
				t.Errorf("security group %s is open to the internet: %s", name, text(rule))
			}
		}
	}

	listeners := list(each(outputs(state, "lb/loadBalancer:LoadBalancer", "arn"), "elbv2", "describe_listeners", "LoadBalancerArn")[0],
		"Listeners")
	ports := map[any]any{}
	for _, l := range listeners {
		ports[at(l, "Port")] = at(l, "DefaultActions", 0, "Type")
		if at(l, "Port") == 443.0 && !strings.Contains(fmt.Sprint(at(l, "SslPolicy")), "TLS13-1-2") {
			t.Errorf("the load balancer allows old TLS: %v", at(l, "SslPolicy"))
		}
	}
	if tls := len(outputs(state, "acm/certificate:Certificate", "arn")) > 0; tls &&
		(ports[80.0] != "redirect" || ports[443.0] != "forward" || len(ports) != 2) {
		t.Errorf("listeners with a domain: %v", ports)
	} else if !tls && (ports[80.0] != "forward" || len(ports) != 1) {
		t.Errorf("listeners without a domain: %v", ports)
	}

	tasks := outputs(state, "ecs/taskDefinition:TaskDefinition", "arn")
	for i, a := range each(tasks, "ecs", "describe_task_definition", "taskDefinition") {
		for _, container := range list(a, "taskDefinition", "containerDefinitions") {
			name, _ := at(container, "name").(string)
			if name == "log-router" {
				continue
			}
			if image, _ := at(container, "image").(string); !strings.Contains(image, "@sha256:") {
				t.Errorf("%s: %s runs %s, which is not a digest", tasks[i], name, image)
			}
			if at(container, "readonlyRootFilesystem") != true {
				t.Errorf("%s: %s can write to its root file system", tasks[i], name)
			}
			if name == "django" && len(list(container, "secrets")) < 2 {
				t.Errorf("%s: django has no secrets", tasks[i])
			}
		}
	}
	cluster := outputs(state, "ecs/cluster:Cluster", "name")[0]
	services := outputs(state, "ecs/service:Service", "name")
	for i, a := range each(services, "ecs", "describe_services", "services", map[string]any{"cluster": cluster, "services": services}) {
		at := func(path ...any) any { return at(a, append([]any{"services", i}, path...)...) }
		if at("networkConfiguration", "awsvpcConfiguration", "assignPublicIp") != "DISABLED" {
			t.Errorf("service %s has public addresses", services[i])
		}
		if at("deploymentConfiguration", "deploymentCircuitBreaker", "rollback") != true {
			t.Errorf("service %s does not roll back a failed deployment", services[i])
		}
	}
	c.checkRoles(t, each, state)

	// Only the parameters contain secrets.
	var secrets []string
	names := outputs(state, "ssm/parameter:Parameter", "name")
	for i, a := range e.each(t, names, "ssm", "get_parameter", "Name", map[string]any{"WithDecryption": true}) {
		if at(a, "Parameter", "Type") != "SecureString" {
			continue
		}
		secret, _ := at(a, "Parameter", "Value").(string)
		if len(secret) < 16 {
			t.Errorf("parameter %s is short: %d characters", names[i], len(secret))
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) < 3 {
		t.Errorf("only %d secrets", len(secrets))
	}
	for _, secret := range secrets {
		inJSON := strings.Trim(text(secret), `"`)
		for _, answer := range responses {
			if strings.Contains(text(answer), inJSON) {
				t.Error("a secret is in plain text in a response about something other than its parameter")
			}
		}
	}
}

// checkRoles fails for a role of the site that allows everything, or whose policy is not the declared one.
func (c cell) checkRoles(t *testing.T, each func([]string, string, string, string, ...map[string]any) []map[string]any,
	state map[string]apitype.ResourceV3) {
	t.Helper()
	for urn, r := range state {
		if r.Type != "aws:iam/rolePolicy:RolePolicy" {
			continue
		}
		role, _ := r.Outputs["role"].(string)
		name, _ := r.Outputs["name"].(string)
		answer := each([]string{role}, "iam", "get_role_policy", "RoleName", map[string]any{"PolicyName": name})[0]
		var asked any
		words, _ := r.Inputs["policy"].(string)
		if err := json.Unmarshal([]byte(words), &asked); err != nil {
			t.Errorf("%s: %v", short(urn), err)
			continue
		}
		if text(asked) != text(answer["PolicyDocument"]) {
			t.Errorf("%s: the policy is\n%s\nwant\n%s", short(urn), text(answer["PolicyDocument"]), text(asked))
		}
		if strings.Contains(text(asked), `"Action":"*"`) || strings.Contains(text(asked), `"Action":["*"]`) {
			t.Errorf("%s allows everything", short(urn))
		}
	}
}

// cached reports whether the cell has a cache.
func (c cell) cached() bool { return c.further["slipway:cache"] != nil }

// checkDestroyed fails if AWS still has a resource that was destroyed.
func (c cell) checkDestroyed(t *testing.T, e endpoint, state map[string]apitype.ResourceV3) {
	t.Helper()
	for _, q := range []struct {
		kind, key, service, operation, parameter string
	}{
		{"s3/bucketV2:BucketV2", "bucket", "s3", "head_bucket", "Bucket"},
		{"rds/instance:Instance", "identifier", "rds", "describe_db_instances", "DBInstanceIdentifier"},
		{"elasticache/replicationGroup:ReplicationGroup", "replicationGroupId", "elasticache", "describe_replication_groups",
			"ReplicationGroupId"},
		{"elasticache/subnetGroup:SubnetGroup", "name", "elasticache", "describe_cache_subnet_groups", "CacheSubnetGroupName"},
		{"iam/role:Role", "name", "iam", "get_role", "RoleName"},
		{"ssm/parameter:Parameter", "name", "ssm", "get_parameter", "Name"},
		{"ecr/repository:Repository", "name", "ecr", "list_images", "repositoryName"},
		{"kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "name", "firehose", "describe_delivery_stream", "DeliveryStreamName"},
		{"sns/topic:Topic", "arn", "sns", "get_topic_attributes", "TopicArn"},
	} {
		if q.service == "elasticache" && !c.cached() {
			continue
		}
		names := outputs(state, q.kind, q.key)
		for i, a := range e.each(t, names, q.service, q.operation, q.parameter) {
			if a["Error"] == nil {
				t.Errorf("destroy left %s %s", q.kind, names[i])
			}
		}
	}
	lists := e.ask(t, call{"ec2", "describe_vpcs", nil}, call{"ec2", "describe_addresses", nil}, call{"ec2", "describe_volumes", nil},
		call{"elbv2", "describe_load_balancers", nil}, call{"logs", "describe_log_groups", nil}, call{"cloudwatch", "describe_alarms", nil},
		call{"application-autoscaling", "describe_scalable_targets", map[string]any{"ServiceNamespace": "ecs"}},
		call{"rds", "describe_db_snapshots", nil})
	for _, id := range slices.Concat(outputs(state, "ec2/vpc:Vpc", "id"), outputs(state, "ec2/eip:Eip", "publicIp"),
		outputs(state, "lb/loadBalancer:LoadBalancer", "arn"),
		outputs(state, "cloudwatch/logGroup:LogGroup", "arn"), outputs(state, "cloudwatch/metricAlarm:MetricAlarm", "name"),
		[]string{"slipway-" + c.stack}) {
		if id != "" && strings.Contains(text(lists), `"`+id+`"`) {
			t.Errorf("destroy left %s", id)
		}
	}
	// The provider keeps them (skipDestroy); `slipway destroy` deregisters them.
	for i, a := range e.each(t, outputs(state, "ecs/taskDefinition:TaskDefinition", "arn"), "ecs",
		"describe_task_definition", "taskDefinition") {
		if at(a, "taskDefinition", "status") != "ACTIVE" {
			t.Errorf("destroy deregistered task definition %d: %s", i, text(a))
		}
	}
	for i, a := range e.each(t, outputs(state, "kms/key:Key", "keyId"), "kms", "describe_key", "KeyId") {
		if at(a, "KeyMetadata", "KeyState") != "PendingDeletion" {
			t.Errorf("destroy left key %d: %s", i, text(a))
		}
	}
}
