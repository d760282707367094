package cloud

import (
	"net/mail"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// SNS topics and SQS queues.

// messageKinds are the resource types of SNS topics and SQS queues.
func messageKinds() []Kind {
	return append(queueAttributeKinds(),
		topicKind(), topicPolicyKind(), topicSubscriptionKind(), queueKind(),
	)
}

func topicKind() Kind {
	return prefixed(Kind{
		Type: topicType, CreateAction: "sns:CreateTopic", UpdateAction: "sns:SetTopicAttributes", DeleteAction: "sns:DeleteTopic",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 256, Form: `[A-Za-z0-9_-]+(\.fifo)?`, Taken: "InvalidParameter"},
		NotFound: "NotFound",
		Refs:     []Ref{keyRef("kmsMasterKeyId")},
		Defaults: map[string]any{"fifoTopic": false, "contentBasedDeduplication": false, "namePrefix": "",
			"signatureVersion": 0, "tracingConfig": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(policyProblems(in, "policy", topicDocument), longest(in, "displayName", 100), oneOf(in, "tracingConfig", "PassThrough",
				"Active"), oneOf(in, "signatureVersion", "1", "2"), tagProblems(in))
			for _, of := range words("http lambda sqs firehose application") {
				p = append(p, between(in, of+"SuccessFeedbackSampleRate", 0, 100)...)
			}
			if name := in.String("name"); in.Has("name") && strings.HasSuffix(name, ".fifo") != in.Bool("fifoTopic") && !unknown.Has("fifoTopic") {
				p = append(p, awsProblem("name", "InvalidParameter",
					"the name of a FIFO topic must end with .fifo, and that of a standard topic must not, got %q", name))
			}
			if in.Bool("contentBasedDeduplication") && !in.Bool("fifoTopic") {
				p = append(p, problem("contentBasedDeduplication", "only valid for FIFO topics"))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			return principalsExist(a, documentOf(documentText(o.Inputs, "policy")), topicDocument)
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = a.arn("sns", Inputs(o.Outputs).String("name"))
			o.Outputs["arn"] = o.ID
			o.Outputs["owner"] = a.AccountID
			o.Outputs["beginningArchiveTime"] = ""
			fill(o, "policy", `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID",`+
				`"Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:Subscribe","SNS:Publish","SNS:GetTopicAttributes",`+
				`"SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:ListSubscriptionsByTopic"],`+
				`"Resource":"`+o.ID+`","Condition":{"StringEquals":{"AWS:SourceOwner":"`+a.AccountID+`"}}}]}`)
			return nil
		},
	})
}

func topicPolicyKind() Kind {
	return Kind{
		Type: "aws:sns/topicPolicy:TopicPolicy", CreateAction: "sns:SetTopicAttributes", DeleteAction: "sns:SetTopicAttributes",
		NotFound: "NotFound",
		Refs:     []Ref{soft("arn", "arn", topicType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(policyProblems(in, "policy", topicDocument), ownResource(in, "policy", in.String("arn"), topicDocument.code))
		},
		CheckState: func(a *Account, o *Object) error {
			return principalsExist(a, documentOf(documentText(o.Inputs, "policy")), topicDocument)
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("arn")
			o.Outputs["owner"] = a.AccountID
			return nil
		},
	}
}

func topicSubscriptionKind() Kind {
	return Kind{
		Type: "aws:sns/topicSubscription:TopicSubscription", CreateAction: "sns:Subscribe", UpdateAction: "sns:SetSubscriptionAttributes",
		DeleteAction: "sns:Unsubscribe",
		NotFound:     "NotFound",
		Refs:         []Ref{soft("topic", "arn", topicType), roleRef("subscriptionRoleArn"), maybe("endpoint", "arn", queueType, firehoseType)},
		Defaults:     map[string]any{"confirmationTimeoutInMinutes": 1, "endpointAutoConfirms": false, "rawMessageDelivery": false},
		Check:        checkTopicSubscription,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			if o.ID == "" {
				o.ID = in.String("topic") + ":" + drawUUID(fresh(a, o)...)
			}
			o.Outputs["arn"] = o.ID
			o.Outputs["ownerId"] = a.AccountID
			// Nothing is delivered until the recipient follows the link in the confirmation message.
			o.Outputs["pendingConfirmation"] = slices.Contains(words("email email-json http https"), in.String("protocol")) &&
				!in.Bool("endpointAutoConfirms")
			o.Outputs["confirmationWasAuthenticated"] = !Inputs(o.Outputs).Bool("pendingConfirmation")
			fill(o, "filterPolicyScope", "")
			return nil
		},
	}
}

func checkTopicSubscription(in Inputs, unknown Unknowns) []Problem {
	p := allOf(arns(in, "topic"), oneOf(in, "protocol", words("email email-json http https sqs sms lambda firehose application")...))
	endpoint, protocol := in.String("endpoint"), in.String("protocol")
	if !in.Has("endpoint") {
		return p
	}
	bad := func(what string) {
		p = append(p, awsProblem("endpoint", "InvalidParameter", "Invalid parameter: %s, got %q", what, endpoint))
	}
	switch protocol {
	case "email", "email-json":
		if m, err := mail.ParseAddress(endpoint); err != nil || m.Address != endpoint {
			bad("Email endpoint: expected an address such as ops@example.com")
		}
	case "https", "http":
		if !strings.HasPrefix(endpoint, protocol+"://") {
			bad("Endpoint must match the specified protocol")
		}
	case "sqs", "lambda", "firehose":
		if !strings.HasPrefix(endpoint, "arn:") || !strings.Contains(endpoint, ":"+protocol+":") {
			bad(strings.ToUpper(protocol) + " endpoint ARN")
		}
	case "sms":
		if !strings.HasPrefix(endpoint, "+") || strings.Trim(endpoint[1:], "0123456789") != "" {
			bad("Invalid SMS endpoint: expected +4912345")
		}
	}
	if protocol == "firehose" && given(in, unknown, "subscriptionRoleArn") == 0 {
		p = append(p, awsProblem("subscriptionRoleArn", "InvalidParameter", "required for the protocol firehose"))
	}
	for _, name := range words("filterPolicy redrivePolicy deliveryPolicy") {
		if text := in.String(name); text != "" {
			if _, err := strictObject(text); err != nil {
				p = append(p, awsProblem(name, "InvalidParameter", "it is not valid JSON: %v", err))
			}
		}
	}
	return append(p, oneOf(in, "filterPolicyScope", "MessageAttributes", "MessageBody")...)
}

func queueKind() Kind {
	return prefixed(Kind{
		Type: queueType, CreateAction: "sqs:CreateQueue", UpdateAction: "sqs:SetQueueAttributes", DeleteAction: "sqs:DeleteQueue",
		Name:     Name{Input: "name", Prefix: "namePrefix", Max: 80, Form: `[A-Za-z0-9_-]+(\.fifo)?`, Taken: "QueueAlreadyExists"},
		NotFound: "AWS.SimpleQueueService.NonExistentQueue",
		Refs:     []Ref{keyRef("kmsMasterKeyId")},
		Defaults: map[string]any{"delaySeconds": 0, "maxMessageSize": 262144, "messageRetentionSeconds": 345600, "receiveWaitTimeSeconds": 0,
			"visibilityTimeoutSeconds": 30,
			"fifoQueue":                false, "contentBasedDeduplication": false, "namePrefix": ""},
		Check: checkQueue,
		CheckState: func(a *Account, o *Object) error {
			if err := queuePrincipals(a, o); err != nil {
				return err
			}
			return redriveFits(a, Inputs(o.Inputs).String("redrivePolicy"), Inputs(o.Inputs).Bool("fifoQueue"))
		},
		Compute: func(a *Account, o *Object) error {
			name := Inputs(o.Outputs).String("name")
			o.ID = "https://sqs." + a.Region + "." + regions[a.Region].dnsSuffix() + "/" + a.AccountID + "/" + name
			o.Outputs["url"] = o.ID
			o.Outputs["arn"] = a.arn("sqs", name)
			fill(o, "kmsDataKeyReusePeriodSeconds", 300)
			fill(o, "sqsManagedSseEnabled", !Inputs(o.Inputs).Has("kmsMasterKeyId"))
			for _, name := range words("deduplicationScope fifoThroughputLimit policy redriveAllowPolicy redrivePolicy") {
				fill(o, name, "")
			}
			return nil
		},
	})
}

func queuePrincipals(a *Account, o *Object) error {
	if err := principalsExist(a, documentOf(documentText(o.Inputs, "policy")), queueDocument); err != nil {
		return refuse(queueDocument.code, err.(*Error).Message, "Invalid value for the parameter Policy.")
	}
	return nil
}

// queueAttributeKinds are the parts of a queue that the provider makes resources of their own.
func queueAttributeKinds() []Kind {
	parts := []Kind{
		{Type: "aws:sqs/queuePolicy:QueuePolicy", Check: func(in Inputs, unknown Unknowns) []Problem {
			return policyProblems(in, "policy", queueDocument)
		},
			CheckState: queuePrincipals},
		{Type: "aws:sqs/redrivePolicy:RedrivePolicy", Check: func(in Inputs, unknown Unknowns) []Problem {
			return redriveProblems(in, "redrivePolicy")
		},
			CheckState: func(a *Account, o *Object) error {
				in := Inputs(o.Inputs)
				return redriveFits(a, in.String("redrivePolicy"), strings.HasSuffix(in.String("queueUrl"), ".fifo"))
			}},
		{Type: "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", Check: func(in Inputs, unknown Unknowns) []Problem {
			return redriveAllowProblems(in)
		}},
	}
	for i := range parts {
		k := &parts[i]
		k.CreateAction, k.UpdateAction, k.DeleteAction = "sqs:SetQueueAttributes", "sqs:SetQueueAttributes", "sqs:SetQueueAttributes"
		k.NotFound = "AWS.SimpleQueueService.NonExistentQueue"
		k.Refs = []Ref{soft("queueUrl", "id", queueType)}
		k.Compute = func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("queueUrl"); return nil }
	}
	return parts
}

// ownResource checks that a policy names only the resource that it is attached to.
func ownResource(in Inputs, path, arn, code string) []Problem {
	var p []Problem
	if arn == "" || !in.Has(path) {
		return nil
	}
	for _, s := range documentOf(documentText(in, path)) {
		for _, r := range s.resources {
			if !iam.Glob(r, arn) {
				p = append(p, awsProblem(path, code, "%s: Invalid parameter: Policy statement must apply to a single resource: %q is not %s",
					s.called(), r, arn))
			}
		}
	}
	return p
}

func checkQueue(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidAttributeValue"
	p := allOf(policyProblems(in, "policy", queueDocument), redriveProblems(in, "redrivePolicy"), redriveAllowProblems(in),
		between(in, "delaySeconds", 0, 900), between(in, "maxMessageSize", 1024, 262144), between(in, "messageRetentionSeconds", 60, 1209600),
		between(in, "receiveWaitTimeSeconds", 0, 20), between(in, "visibilityTimeoutSeconds", 0, 43200),
		between(in, "kmsDataKeyReusePeriodSeconds", 60, 86400),
		oneOf(in, "deduplicationScope", "messageGroup", "queue"), oneOf(in, "fifoThroughputLimit", "perQueue",
			"perMessageGroupId"), tagProblems(in))
	if name := in.String("name"); in.Has("name") && strings.HasSuffix(name, ".fifo") != in.Bool("fifoQueue") && !unknown.Has("fifoQueue") {
		p = append(p, awsProblem("name", code, "the name of a FIFO queue must end with .fifo, and that of a standard queue must not, got %q",
			name))
	}
	if in.Bool("contentBasedDeduplication") && !in.Bool("fifoQueue") {
		p = append(p, awsProblem("contentBasedDeduplication", "InvalidAttributeName", "only valid for FIFO queues"))
	}
	if in.Bool("sqsManagedSseEnabled") && in.Has("kmsMasterKeyId") {
		p = append(p, awsProblem("sqsManagedSseEnabled", code, "a queue is encrypted either by SQS or with a KMS key"))
	}
	return p
}

func redriveProblems(in Inputs, path string) []Problem {
	const code = "InvalidParameterValue"
	text := in.String(path)
	if text == "" {
		return nil
	}
	m, err := strictObject(text)
	if err != nil {
		return []Problem{awsProblem(path, code, "Redrive policy is not a valid JSON map: %v", err)}
	}
	var p []Problem
	r := Inputs(m)
	if arn := r.String("deadLetterTargetArn"); !strings.Contains(arn, ":sqs:") {
		p = append(p, awsProblem(path, code, "Redrive policy needs deadLetterTargetArn, the ARN of a queue, got %q", arn))
	}
	if n, ok := asNumber(r.Get("maxReceiveCount")); !ok || n < 1 || n > 1000 {
		p = append(p, awsProblem(path, code, "Redrive policy needs maxReceiveCount from 1 to 1000"))
	}
	return p
}

func redriveAllowProblems(in Inputs) []Problem {
	text := in.String("redriveAllowPolicy")
	if text == "" {
		return nil
	}
	m, err := strictObject(text)
	if err != nil {
		return []Problem{awsProblem("redriveAllowPolicy", "InvalidParameterValue", "it is not a valid JSON map: %v", err)}
	}
	return inside("redriveAllowPolicy", oneOf(m, "redrivePermission", "allowAll", "denyAll", "byQueue"))
}

// redriveFits refuses a dead-letter queue that does not exist or has another type.
func redriveFits(a *Account, text string, fifo bool) error {
	if text == "" {
		return nil
	}
	m, _ := strictObject(text)
	arn := Inputs(m).String("deadLetterTargetArn")
	queue := find(a, "arn", arn, queueType)
	switch {
	case queue == nil && a.ours(arn):
		return refuse("InvalidParameterValue", "the account has no queue with this ARN",
			"Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.", text)
	case queue != nil && Inputs(queue.Outputs).Bool("fifoQueue") != fifo:
		return refuse("InvalidParameterValue", "",
			"Value %s for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.", text)
	}
	return nil
}
