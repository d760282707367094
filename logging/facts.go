package logging

import (
	"slices"

	"slipway/internal/bucket"
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// writerPart is the part of the physical name of the role in which CloudWatch Logs writes to Firehose.
const writerPart = "logs-to-firehose"

// Facts are the facts about logs and alarms.
func Facts(site wiring.Site) []catalog.Resource {
	groups := []any{site.ARN("logs", "log-group:"+site.Path("*"))}
	logs := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "logs", Statement: policy.Statement{Sid: "KeepLogGroups", Actions: actions, Resources: groups}}
	}
	facts := []catalog.Resource{
		catalog.LogGroup(site, site.Path("")), catalog.Role(site), catalog.RolePolicy(site),
		{
			Type:   "aws:cloudwatch/logStream:LogStream",
			Deploy: []catalog.Grant{logs("logs:CreateLogStream", "logs:DeleteLogStream", "logs:DescribeLogStreams")},
			None:   catalog.Inert | catalog.Risks,
		},
		{
			Type: "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
			Deploy: []catalog.Grant{
				logs("logs:DeleteSubscriptionFilter", "logs:DescribeSubscriptionFilters", "logs:PutSubscriptionFilter"),
				// PutSubscriptionFilter is reported not to send iam:PassedToService
				// (aws-cloudformation/cloudformation-coverage-roadmap#1784), so this is for the one role that subscription filters use.
				{Area: "identity", Statement: policy.Statement{
					Sid: "PassSubscriptionRole", Actions: []string{"iam:PassRole"},
					Resources: []any{catalog.Global(site, "iam", "role/"+site.Name(writerPart))},
					Conditions: policy.Conditions{"StringEqualsIfExists": {"iam:PassedToService": []any{
						"logs.amazonaws.com", catalog.Endpoint(site, "logs"),
					}}},
				}},
			},
			Risks: []catalog.Risk{{Path: `.*`, Why: "log lines do not reach the archive, or go elsewhere"}},
			None:  catalog.Inert,
		},
		stream(site),
		catalog.MetricAlarm(site),
		{
			Type: "aws:cloudwatch/dashboard:Dashboard",
			Deploy: []catalog.Grant{{Area: "logs", Statement: policy.Statement{
				Sid:       "KeepDashboard",
				Actions:   []string{"cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"},
				Resources: []any{catalog.Global(site, "cloudwatch", "dashboard/"+site.Name("*"))},
			}}},
			None: catalog.Inert | catalog.Risks,
		},
		{
			Type: "aws:rds/eventSubscription:EventSubscription",
			Deploy: []catalog.Grant{{Area: "data", Statement: policy.Statement{
				Sid: "KeepDatabase",
				Actions: []string{
					"rds:AddSourceIdentifierToSubscription", "rds:AddTagsToResource", "rds:CreateEventSubscription",
					"rds:DeleteEventSubscription", "rds:DescribeEventSubscriptions", "rds:ListTagsForResource",
					"rds:ModifyEventSubscription", "rds:RemoveSourceIdentifierFromSubscription", "rds:RemoveTagsFromResource",
				},
				Resources: catalog.Named(site, "rds", "es:"),
			}}},
			None: catalog.Inert | catalog.Risks,
		},
	}
	return slices.Concat(facts, topic(site), bucket.Facts(site, "access", false), bucket.Facts(site, "logs", true))
}

func stream(site wiring.Site) catalog.Resource {
	streams := catalog.Named(site, "firehose", "deliverystream/")
	return catalog.Resource{
		Type: "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
		Deploy: []catalog.Grant{
			{Area: "logs", Statement: policy.Statement{
				Sid: "KeepStreams",
				Actions: []string{
					"firehose:CreateDeliveryStream", "firehose:DeleteDeliveryStream", "firehose:DescribeDeliveryStream",
					"firehose:ListTagsForDeliveryStream", "firehose:StartDeliveryStreamEncryption", "firehose:StopDeliveryStreamEncryption",
					"firehose:TagDeliveryStream", "firehose:UntagDeliveryStream", "firehose:UpdateDestination",
				},
				Resources: streams,
			}},
			catalog.UseKey(site, "firehose"), catalog.GrantKey(site, "firehose"), catalog.PassRole(site, "firehose.amazonaws.com"),
		},
		Bound:      []policy.Statement{{Sid: "SendLogs", Actions: []string{"firehose:PutRecord", "firehose:PutRecordBatch"}, Resources: streams}},
		AWSManaged: `versionId`,
		Risks: []catalog.Risk{{
			Path: `extendedS3Configuration|serverSideEncryption`, Why: "logs are archived differently, or elsewhere",
		}},
		Alarms: []catalog.Alarm{freshness},
		None:   catalog.Mirrors | catalog.Missing | catalog.Losses | catalog.Offers | catalog.Ports,
	}
}

// freshness is the alarm of a stream, whose source is appended to its name.
var freshness = catalog.Alarm{
	Name:      "firehose",
	Why:       "Logs have not reached S3 for 15 minutes. Look at the stream's error log group; a key that it may not use is the usual cause.",
	Namespace: "AWS/Firehose", Metric: "DeliveryToS3.DataFreshness", Statistic: "Maximum", Dimensions: []string{"DeliveryStreamName"},
	Above: true, Threshold: 900, Minutes: 15, Period: 300, Next: "drift",
	Check: []string{
		"the error log group of the stream, in CloudWatch",
		"the keys' policies, if one was changed: `slipway drift`",
	},
}

func topic(site wiring.Site) []catalog.Resource {
	keep := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "logs", Statement: policy.Statement{
			Sid: "KeepTopics", Actions: append(actions, "sns:GetTopicAttributes"), Resources: catalog.Named(site, "sns", ""),
		}}
	}
	risks := []catalog.Risk{{Path: `policy|endpoint|kmsMasterKeyId`, Why: "alarms go elsewhere"}}
	return []catalog.Resource{
		{
			Type: "aws:sns/topic:Topic",
			Deploy: []catalog.Grant{
				keep("sns:CreateTopic", "sns:DeleteTopic", "sns:ListTagsForResource", "sns:SetTopicAttributes", "sns:TagResource",
					"sns:UntagResource"),
				catalog.UseKey(site, "sns"),
			},
			Mirrors: "its policy", Risks: risks, None: catalog.Inert &^ catalog.Mirrors,
		},
		{Type: "aws:sns/topicPolicy:TopicPolicy", Deploy: []catalog.Grant{keep("sns:SetTopicAttributes")}, Risks: risks, None: catalog.Inert},
		{
			Type: "aws:sns/topicSubscription:TopicSubscription",
			Deploy: []catalog.Grant{keep("sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Subscribe",
				"sns:Unsubscribe")},
			// The reader of the mailbox confirms the subscription after the deployment.
			AWSManaged: `pendingConfirmation|confirmationWasAuthenticated`,
			Risks:      risks, None: catalog.Inert &^ catalog.AWSManaged,
		},
	}
}
