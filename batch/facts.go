package batch

import (
	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about scheduled jobs.
func Facts(site wiring.Site) []catalog.Resource {
	schedules := append(catalog.Named(site, "scheduler", "schedule/", "schedule-group/"),
		site.ARN("scheduler", "schedule/default/"+site.Name("*")))
	keep := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "compute", Statement: policy.Statement{
			Sid: "KeepSchedules", Actions: append(actions, "scheduler:ListTagsForResource", "scheduler:TagResource", "scheduler:UntagResource"),
			Resources: schedules,
		}}
	}
	queue := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "logs", Statement: policy.Statement{
			Sid: "KeepQueues", Actions: append(actions, "sqs:GetQueueAttributes", "sqs:SetQueueAttributes"),
			Resources: catalog.Named(site, "sqs", ""),
		}}
	}
	rule := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "logs", Statement: policy.Statement{
			Sid: "KeepRules", Actions: actions, Resources: catalog.Named(site, "events", "rule/"),
		}}
	}
	open := []catalog.Risk{{Path: `policy|kmsMasterKeyId|sqsManagedSseEnabled`, Why: "others may read what failed"}}
	const harmless = catalog.Inert | catalog.Risks
	return []catalog.Resource{
		{
			Type: "aws:scheduler/schedule:Schedule",
			Deploy: []catalog.Grant{
				keep("scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"),
				catalog.UseKey(site, "scheduler"), catalog.PassRole(site, "scheduler.amazonaws.com"),
			},
			Bound: []policy.Statement{
				{
					Sid: "RunJobs", Actions: []string{"ecs:RunTask"},
					Resources: []any{site.ARN("ecs", "task-definition/"+site.Name("*"))},
				},
				{Sid: "TagTasks", Actions: []string{"ecs:TagResource"}, Resources: []any{site.ARN("ecs", "task/"+site.Name("*"))}},
				{
					Sid: "PassRolesToTasks", Actions: []string{"iam:PassRole"},
					Resources:  []any{catalog.Global(site, "iam", "role/"+site.Name("*"))},
					Conditions: policy.Conditions{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
				},
			},
			Risks: []catalog.Risk{{Path: `target|state|scheduleExpression`, Why: "a job runs differently, or not at all"}},
			None:  catalog.Inert &^ catalog.Bound,
		},
		{
			Type:   "aws:scheduler/scheduleGroup:ScheduleGroup",
			Deploy: []catalog.Grant{keep("scheduler:CreateScheduleGroup", "scheduler:DeleteScheduleGroup", "scheduler:GetScheduleGroup")},
			None:   harmless,
		},
		{
			Type: "aws:sqs/queue:Queue",
			Deploy: []catalog.Grant{
				queue("sqs:CreateQueue", "sqs:DeleteQueue", "sqs:ListQueueTags", "sqs:TagQueue", "sqs:UntagQueue"),
				catalog.UseKey(site, "sqs"),
			},
			Bound:   []policy.Statement{{Sid: "ReportFailures", Actions: []string{"sqs:SendMessage"}, Resources: catalog.Named(site, "sqs", "")}},
			Mirrors: "its policy",
			Risks:   open,
			Alarms:  []catalog.Alarm{failures},
			None:    catalog.Inert &^ (catalog.Bound | catalog.Mirrors | catalog.Alarms),
		},
		{Type: "aws:sqs/queuePolicy:QueuePolicy", Deploy: []catalog.Grant{queue()}, Risks: open, None: catalog.Inert},
		{
			Type: "aws:cloudwatch/eventRule:EventRule",
			Deploy: []catalog.Grant{rule("events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:PutRule",
				"events:TagResource", "events:UntagResource")},
			Alarms: []catalog.Alarm{failedRun},
			None:   harmless &^ catalog.Alarms,
		},
		{
			Type:   "aws:cloudwatch/eventTarget:EventTarget",
			Deploy: []catalog.Grant{rule("events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets")},
			None:   harmless,
		},
		catalog.MetricAlarm(site), fargate.TaskDefinition(site), catalog.Role(site), catalog.RolePolicy(site),
	}
}

// The alarms go off above the threshold.
var (
	failures = catalog.Alarm{
		Name:      "failures",
		Why:       "Scheduled jobs failed or could not be started. The dead-letter queue says which and why; purge it when that is fixed.",
		Namespace: "AWS/SQS", Metric: "ApproximateNumberOfMessagesVisible", Statistic: "Maximum", Dimensions: []string{"QueueName"},
		Above: true, Minutes: 5, Period: 300, Entry: "jobs-failures", Next: "logs --since 24h",
		Check: []string{
			"the dead-letter queue, in SQS: its messages name the schedule and the reason",
			"`slipway job NAME`: does it work now?",
		},
	}
	failedRun = catalog.Alarm{
		Name: "failed-run", Why: "A scheduled job ended with an exit code other than 0. Its log group has the reason.",
		Namespace: "AWS/Events", Metric: "TriggeredRules", Statistic: "Sum", Dimensions: []string{"RuleName"},
		Above: true, Minutes: 5, Period: 300, Entry: "jobs-failed-run", Next: "logs --since 24h",
		Check: []string{
			"`slipway logs --since 24h`: the last lines of the job",
			"`slipway job NAME`: does it work now?",
		},
	}
)
