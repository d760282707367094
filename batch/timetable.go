// Package batch runs the site's scheduled jobs: EventBridge Scheduler starts a Fargate task, and a failure goes to a
// dead-letter queue and raises an alarm.
package batch

import (
	"errors"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sqs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const timetableType = "slipway:batch:Timetable"

// keepFailures is how long the queue keeps a failure, in seconds: 14 days, the most that SQS offers.
const keepFailures = 14 * 24 * 60 * 60

// TimetableArgs describe a Timetable.
type TimetableArgs struct {
	Site       wiring.Site
	ClusterARN pulumi.StringInput
	KeyARN     pulumi.StringInput // encrypts queue and schedules; its policy must allow EventBridge, and let roles decrypt schedules
	TopicARN   pulumi.StringInput // the SNS topic of the alarms
}

// A Timetable is the stack's schedule group, and the monitoring of its jobs.
//
// A job can fail in two ways. If it does not start, the scheduler puts the attempt into the dead-letter queue after its
// retries. If it starts and fails, which the scheduler does not notice, an EventBridge rule puts the task's last state
// there. Either way the queue says for 14 days what failed and why, and an alarm fires.
//
// Cost: below a cent a month, and $0.20 for the two alarms. Replaced when the stack is renamed.
type Timetable struct {
	pulumi.ResourceState
	Group    pulumi.StringOutput // name of the schedule group
	QueueARN pulumi.StringOutput
	QueueURL pulumi.StringOutput

	cluster, key pulumi.StringInput // ARNs
	target       pulumi.Resource
}

// Ready is the event target that reports failed runs.
func (t *Timetable) Ready() []pulumi.Resource { return []pulumi.Resource{t.target} }

// NewTimetable creates the group, the queue and the alarms.
func NewTimetable(ctx *pulumi.Context, name string, args *TimetableArgs, opts ...pulumi.ResourceOption) (*Timetable, error) {
	if args.TopicARN == nil || args.KeyARN == nil {
		return nil, errors.New("batch: a timetable needs a topic for its alarms and a key for its queue")
	}
	t := &Timetable{cluster: args.ClusterARN, key: args.KeyARN}
	if err := ctx.RegisterComponentResource(timetableType, name, t, opts...); err != nil {
		return nil, err
	}

	group, err := scheduler.NewScheduleGroup(ctx, name, &scheduler.ScheduleGroupArgs{
		Name: pulumi.String(groupName(args.Site)),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	queue, err := sqs.NewQueue(ctx, name+"-failures", &sqs.QueueArgs{
		Name:                    pulumi.String(args.Site.Name("jobs-failures")),
		KmsMasterKeyId:          args.KeyARN.ToStringOutput(),
		MessageRetentionSeconds: pulumi.Int(keepFailures),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	t.Group, t.QueueARN, t.QueueURL = group.Name, queue.Arn, queue.Url
	rule, err := t.watch(ctx, name, args)
	if err != nil {
		return nil, err
	}
	if err := t.alarm(ctx, name, args, queue.Name, rule.Name); err != nil {
		return nil, err
	}
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"group": t.Group, "queue": t.QueueURL})
}

// watch sends the last state of every failed task to the queue.
func (t *Timetable) watch(ctx *pulumi.Context, name string, args *TimetableArgs) (*cloudwatch.EventRule, error) {
	rule, err := cloudwatch.NewEventRule(ctx, name+"-failed", &cloudwatch.EventRuleArgs{
		Name:         pulumi.String(args.Site.Name("job-failed")),
		Description:  pulumi.String("Tasks of scheduled jobs that did not end with exit code 0"),
		EventPattern: pulumi.JSONMarshal(failedRuns(args.Site, args.ClusterARN)),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	queuePolicy, err := sqs.NewQueuePolicy(ctx, name+"-failures", &sqs.QueuePolicyArgs{
		QueueUrl: t.QueueURL,
		Policy: policy.Document(policy.TLSOnly("sqs", t.QueueARN), policy.Statement{
			Sid:        "FailedRuns",
			Principals: map[string][]any{"Service": {"events.amazonaws.com"}},
			Actions:    []string{"sqs:SendMessage"},
			Resources:  []any{t.QueueARN},
			Conditions: map[string]map[string]any{"ArnEquals": {"aws:SourceArn": rule.Arn}},
		}),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	t.target, err = cloudwatch.NewEventTarget(ctx, name+"-failed", &cloudwatch.EventTargetArgs{
		Rule: rule.Name, TargetId: pulumi.String("failures"), Arn: t.QueueARN,
	}, pulumi.Parent(t), pulumi.DependsOn([]pulumi.Resource{queuePolicy}))
	return rule, err
}

// failedRuns is the event pattern of a job that did not exit with code 0 of its own. Only the job's own container counts.
// The log router beside it does not: it is stopped after the job, and is often killed (137) or crashes (139) on shutdown
// (aws/aws-for-fluent-bit#174 and #840).
//
// Name and exit code must belong to the same container. Event Ruler, AWS's own matcher, ensures that: fields within an
// array of objects match within one element (aws/event-ruler, README, "JSON Array Matching"). EventBridge's guide ("Arrays
// in event patterns") does not mention it. If EventBridge matched field by field, a killed router would raise the alarm as
// well: a false alarm, never a missed one.
//
// A container that never ran has no exit code, and a pattern cannot see that in an array with other exit codes. So a task
// that another container stopped before the job began is recognized by its missing start time. Not covered: a router that
// is killed from outside (137, 143) before the job began.
func failedRuns(site wiring.Site, cluster pulumi.StringInput) map[string]any {
	return map[string]any{
		"source":      []any{"aws.ecs"},
		"detail-type": []any{"ECS Task State Change"},
		"detail": map[string]any{
			"clusterArn": []any{cluster},
			"lastStatus": []any{"STOPPED"},
			"group":      []any{map[string]any{"prefix": "family:" + site.Name(part(""))}},
			"$or": []any{
				map[string]any{"containers": map[string]any{
					"name": []any{fargate.AppName}, "exitCode": []any{map[string]any{"anything-but": []any{0}}},
				}},
				// It could not start, or a person or AWS stopped it, after which a job may still exit with code 0.
				map[string]any{"stopCode": []any{map[string]any{"anything-but": []any{"EssentialContainerExited"}}}},
				map[string]any{
					"startedAt":  []any{map[string]any{"exists": false}},
					"containers": map[string]any{"exitCode": []any{map[string]any{"anything-but": []any{0, 137, 143}}}},
				},
			},
		},
	}
}

// alarm reports to the topic. One alarm watches the queue and stays on until the queue is emptied; the other fires again
// with each failed run.
func (t *Timetable) alarm(ctx *pulumi.Context, name string, args *TimetableArgs, queue, rule pulumi.StringOutput) error {
	for _, a := range []struct {
		catalog.Alarm
		value pulumi.StringOutput // of its one dimension
	}{{failures, queue}, {failedRun, rule}} {
		if _, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+a.Name, &cloudwatch.MetricAlarmArgs{
			Name:               pulumi.String(args.Site.Name("jobs-" + a.Name)),
			AlarmDescription:   pulumi.String(a.Description(args.Site)),
			Namespace:          pulumi.String(a.Namespace),
			MetricName:         pulumi.String(a.Metric),
			Dimensions:         pulumi.StringMap{a.Dimensions[0]: a.value},
			Statistic:          pulumi.String(a.Statistic),
			Period:             pulumi.Int(a.Period),
			EvaluationPeriods:  pulumi.Int(a.Minutes * 60 / a.Period),
			ComparisonOperator: pulumi.String("GreaterThanThreshold"),
			Threshold:          pulumi.Float64(a.Threshold),
			TreatMissingData:   pulumi.String("notBreaching"),
			AlarmActions:       pulumi.Array{args.TopicARN},
		}, pulumi.Parent(t)); err != nil {
			return err
		}
	}
	return nil
}

func groupName(site wiring.Site) string { return site.Name("jobs") }

func groupARN(site wiring.Site) string {
	return site.ARN("scheduler", "schedule-group/"+groupName(site))
}

// part is the end of a job's physical names, by which the rule recognizes jobs.
func part(job string) string { return "job-" + job }
