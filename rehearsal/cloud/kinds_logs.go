package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CloudWatch Logs.

const logGroupForm = `[a-zA-Z0-9_./#-]+`

// retentions are the days that a log group takes; 0 keeps events for ever.
var retentions = words("0 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653")

func init() {
	prefixed(Kind{
		Type: logGroupType, CreateAction: "logs:CreateLogGroup", UpdateAction: "logs:PutRetentionPolicy", DeleteAction: "logs:DeleteLogGroup",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 512, Form: logGroupForm, Taken: "ResourceAlreadyExistsException"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{keyRef("kmsKeyId")},
		Defaults: map[string]any{"retentionInDays": 0, "skipDestroy": false, "logGroupClass": "STANDARD", "namePrefix": "", "kmsKeyId": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(oneOf(in, "retentionInDays", retentions...), oneOf(in, "logGroupClass", "STANDARD", "INFREQUENT_ACCESS"), arns(in, "kmsKeyId"), tagProblems(in))
		},
		Admit: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			group := a.arn("logs", "log-group:"+in.String("name"))
			return keyLets(a, in.String("kmsKeyId"), "logs."+a.Region+".amazonaws.com", "kms:Encrypt", map[string]string{"kms:EncryptionContext:aws:logs:arn": group},
				"InvalidParameterException", "The specified KMS key does not exist or is not allowed to be used with Arn '"+group+"'")
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("logs", "log-group:"+o.ID)
			return nil
		},
	})

	register(Kind{
		Type: "aws:cloudwatch/logStream:LogStream", CreateAction: "logs:CreateLogStream", DeleteAction: "logs:DeleteLogStream",
		Name:     Name{Input: "name", Max: 512, Form: `[^:*]+`, Taken: "ResourceAlreadyExistsException", Scope: "logGroupName"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("logGroupName", "id", logGroupType)},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.arn("logs", "log-group:"+in.String("logGroupName")+":log-stream:"+o.ID)
			return nil
		},
	})

	register(Kind{
		Type: subscriptionType, CreateAction: "logs:PutSubscriptionFilter", UpdateAction: "logs:PutSubscriptionFilter", DeleteAction: "logs:DeleteSubscriptionFilter",
		Name:     Name{Input: "name", Max: 512, Form: `[^:*]+`, Scope: "logGroup"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("logGroup", "id", logGroupType), maybe("destinationArn", "arn", firehoseType, streamType), roleRef("roleArn")},
		Defaults: map[string]any{"distribution": "ByLogStream"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "distribution", "Random", "ByLogStream"), longest(in, "filterPattern", 1024))
			if d := in.String("destinationArn"); (strings.Contains(d, ":firehose:") || strings.Contains(d, ":kinesis:")) && !in.Has("roleArn") && !unknown.Has("roleArn") {
				p = append(p, awsProblem("roleArn", "InvalidParameterException", "destinationArn for vendor firehose and kinesis needs a role that CloudWatch Logs may take"))
			}
			return p
		},
		Admit: admitSubscription,
		Compute: func(a *Account, o *Object) error {
			o.ID = fmt.Sprintf("cwlsf-%d", crc(Inputs(o.Outputs).String("logGroup")+"-"+Inputs(o.Outputs).String("name")))
			fill(o, "roleArn", "")
			return nil
		},
	})

	register(Kind{
		Type: "aws:cloudwatch/logMetricFilter:LogMetricFilter", CreateAction: "logs:PutMetricFilter", UpdateAction: "logs:PutMetricFilter", DeleteAction: "logs:DeleteMetricFilter",
		Name:     Name{Input: "name", Max: 512, Form: `[^:*]+`, Scope: "logGroupName"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("logGroupName", "id", logGroupType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(longest(in, "pattern", 1024), longest(in, "metricTransformation.name", 255), longest(in, "metricTransformation.namespace", 255),
				longest(in, "metricTransformation.value", 100))
			if in.Has("metricTransformation.dimensions") && in.Has("metricTransformation.defaultValue") {
				p = append(p, awsProblem("metricTransformation.defaultValue", "InvalidParameterException", "a metric with dimensions takes no default value"))
			}
			if n := len(in.Map("metricTransformation.dimensions")); n > 3 {
				p = append(p, awsProblem("metricTransformation.dimensions", "InvalidParameterException", "expected at most 3 dimensions, got %d", n))
			}
			if v := in.String("metricTransformation.defaultValue"); v != "" {
				if _, err := strconv.ParseFloat(v, 64); err != nil {
					p = append(p, problem("metricTransformation.defaultValue", "expected a number, got %q", v))
				}
			}
			return p
		},
		Admit: func(a *Account, o *Object) error {
			n := 0
			for _, other := range others(a, o, o.Type) {
				if other.Inputs["logGroupName"] == o.Inputs["logGroupName"] {
					n++
				}
			}
			if n >= 100 {
				return refuse("LimitExceededException", "", "Resource limit exceeded.")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Outputs).String("name"); return nil },
	})

	register(Kind{
		Type: "aws:cloudwatch/logResourcePolicy:LogResourcePolicy", CreateAction: "logs:PutResourcePolicy", UpdateAction: "logs:PutResourcePolicy", DeleteAction: "logs:DeleteResourcePolicy",
		NotFound: "ResourceNotFoundException",
		Check:    func(in Inputs, unknown Unknowns) []Problem { return policyProblems(in, "policyDocument", logsDocument) },
		Admit: func(a *Account, o *Object) error {
			return quota(a, o, 10, "LimitExceededException", "Resource limit exceeded.", nil)
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("policyName"); return nil },
	})

	register(Kind{
		Type: "aws:cloudwatch/queryDefinition:QueryDefinition", CreateAction: "logs:PutQueryDefinition", UpdateAction: "logs:PutQueryDefinition", DeleteAction: "logs:DeleteQueryDefinition",
		Name:     Name{Input: "name", Max: 255},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("logGroupNames[]", "id", logGroupType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := longest(in, "queryString", 10000)
			if n := len(in.List("logGroupNames")); n > 50 {
				p = append(p, awsProblem("logGroupNames", "InvalidParameterException", "expected at most 50 log groups, got %d", n))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			o.Outputs["queryDefinitionId"] = o.ID
			return nil
		},
	})
}

// admitSubscription judges the destination by sending it a test message, as CloudWatch Logs does: Firehose must be there
// and the role must be one that the service may take and that may write.
func admitSubscription(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	n := 0
	for _, other := range others(a, o, o.Type) {
		if other.Inputs["logGroup"] == in.String("logGroup") {
			n++
		}
	}
	if n >= 2 {
		return refuse("LimitExceededException", "a log group takes 2 subscription filters", "Resource limit exceeded.")
	}
	role := find(a, "arn", in.String("roleArn"), roleType)
	if role == nil {
		return nil
	}
	const words = "Could not deliver test message to specified destination. Check if the destination is valid."
	if s := trustOf(role); !trusts(s, "logs."+a.Region+".amazonaws.com") && !trusts(s, "logs.amazonaws.com") {
		return refuse("InvalidParameterException", "role "+role.ID+" does not trust logs."+a.Region+".amazonaws.com", "%s", words)
	}
	action := "firehose:PutRecord"
	if strings.Contains(in.String("destinationArn"), ":kinesis:") {
		action = "kinesis:PutRecord"
	}
	if why := denial(a, role, action, in.String("destinationArn")); why != "" {
		return refuse("InvalidParameterException", "no "+why+" of role "+role.ID+" allows "+action+" on "+in.String("destinationArn"), "%s", words)
	}
	return nil
}

// denial is what keeps the role from action on resource, in the words of AWS: that no policy of it allows that, or no
// permissions boundary; "" if nothing does. It is what services find out when they try. Conditions are left aside, and
// managed policies of AWS are taken to allow what they are for.
func denial(a *Account, role *Object, action, resource string) string {
	if !permits(roleStatements(a, role), action, resource) {
		return "identity-based policy"
	}
	if boundary := Inputs(role.Inputs).String("permissionsBoundary"); boundary != "" && !permits(managedStatements(a, boundary), action, resource) {
		return "permissions boundary"
	}
	return ""
}

func permits(statements []statement, action, resource string) bool {
	allowed := false
	for _, s := range statements {
		if !anyMatch(s.actions, action) || !slices.ContainsFunc(s.resources, func(p string) bool { return matches(p, resource) }) {
			continue
		}
		if s.deny && len(s.conditions) == 0 {
			return false
		}
		allowed = allowed || !s.deny
	}
	return allowed
}

// roleStatements are the statements of all policies that a role has.
func roleStatements(a *Account, role *Object) []statement {
	var all []statement
	for _, p := range a.list("aws:iam/rolePolicy:RolePolicy") {
		if p.Inputs["role"] == role.ID {
			all = append(all, documentOf(documentText(p.Inputs, "policy"))...)
		}
	}
	for _, inline := range Inputs(role.Inputs).Maps("inlinePolicies") {
		all = append(all, documentOf(documentText(inline, "policy"))...)
	}
	arns := Inputs(role.Inputs).Strings("managedPolicyArns")
	for _, p := range a.list("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if p.Inputs["role"] == role.ID {
			arns = append(arns, Inputs(p.Inputs).String("policyArn"))
		}
	}
	for _, name := range arns {
		all = append(all, managedStatements(a, name)...)
	}
	return all
}

// managedStatements are those of a managed policy, the account's own or AWS's.
func managedStatements(a *Account, arn string) []statement {
	if p := find(a, "arn", arn, policyType); p != nil {
		return documentOf(documentText(p.Inputs, "policy"))
	}
	if text := managedText[lastPart(arn, "/")]; text != "" {
		return documentOf(text)
	}
	return []statement{{actions: []string{"*"}, resources: []string{"*"}}}
}

// managedText are the AWS-managed policies whose contents the model knows; the others are taken to allow everything.
var managedText = map[string]string{
	"AmazonECSTaskExecutionRolePolicy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`,
	"AmazonSSMManagedInstanceCore":     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:DescribeAssociation","ssm:GetDeployablePatchSnapshotForInstance","ssm:GetDocument","ssm:DescribeDocument","ssm:GetManifest","ssm:GetParameter","ssm:GetParameters","ssm:ListAssociations","ssm:ListInstanceAssociations","ssm:PutInventory","ssm:PutComplianceItems","ssm:PutConfigurePackageResult","ssm:UpdateAssociationStatus","ssm:UpdateInstanceAssociationStatus","ssm:UpdateInstanceInformation","ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel","ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel","ec2messages:AcknowledgeMessage","ec2messages:DeleteMessage","ec2messages:FailMessage","ec2messages:GetEndpoint","ec2messages:GetMessages","ec2messages:SendReply"],"Resource":"*"}]}`,
}

// jsonText is a value as JSON.
func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
