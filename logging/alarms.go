package logging

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const (
	topicType  = "slipway:logging:Topic"
	alarmsType = "slipway:logging:Alarms"
)

// TopicArgs say who is notified.
type TopicArgs struct {
	Site   wiring.Site
	KeyARN pulumi.StringInput // its policy must admit CloudWatch and RDS events: they cannot use AWS's own SNS key
	Email  string             // subscribed when not empty; the receiver confirms once by mail
}

// A Topic is the encrypted SNS topic to which every alarm of the stack publishes.
type Topic struct {
	pulumi.ResourceState
	ARN pulumi.StringOutput

	policy pulumi.Resource // RDS tries the topic when it is subscribed to
}

// NewTopic creates the topic.
func NewTopic(ctx *pulumi.Context, name string, args *TopicArgs, opts ...pulumi.ResourceOption) (*Topic, error) {
	t := &Topic{}
	if err := ctx.RegisterComponentResource(topicType, name, t, opts...); err != nil {
		return nil, err
	}
	topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{
		Name:           pulumi.String(args.Site.Name("alarms")),
		KmsMasterKeyId: args.KeyARN.ToStringOutput(),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	t.ARN = topic.Arn
	t.policy, err = sns.NewTopicPolicy(ctx, name+"-policy", &sns.TopicPolicyArgs{
		Arn: topic.Arn,
		// Sources: SNS guide, "Example cases for Amazon SNS access control"; RDS guide, "Granting permissions to publish
		// notifications to an Amazon SNS topic". RDS announces instances and parameter groups, so its source is any
		// resource of RDS.
		Policy: policy.Document(policy.Statement{
			Sid:        "AlarmsPublish",
			Principals: map[string][]any{"Service": {"cloudwatch.amazonaws.com"}},
			Actions:    []string{"sns:Publish"},
			Resources:  []any{topic.Arn},
			Conditions: policy.From(args.Site.AccountID, args.Site.ARN("cloudwatch", "alarm:*")),
		}, policy.Statement{
			Sid:        "DatabaseEventsPublish",
			Principals: map[string][]any{"Service": {"events.rds.amazonaws.com"}},
			Actions:    []string{"sns:Publish"},
			Resources:  []any{topic.Arn},
			Conditions: policy.From(args.Site.AccountID, args.Site.ARN("rds", "*")),
		}, policy.Statement{
			Sid: "TLSOnly", Deny: true,
			Principals: policy.Anyone(),
			Actions:    []string{"sns:Publish"},
			Resources:  []any{topic.Arn},
			Conditions: map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}},
		}),
	}, pulumi.Parent(t))
	if err != nil {
		return nil, err
	}
	if args.Email != "" {
		if _, err := sns.NewTopicSubscription(ctx, name+"-email", &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(args.Email),
		}, pulumi.Parent(t)); err != nil {
			return nil, err
		}
	}
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"arn": t.ARN})
}

// Watched is what the alarms and the dashboard need of the stack.
type Watched struct {
	Parts []catalog.Watch // in the order of the dashboard

	Database           pulumi.StringInput // DB instance identifier
	DatabaseParameters pulumi.StringInput // name of its parameter group
}

// A row is an alarm of this stack.
type row struct {
	catalog.Alarm
	dimensions pulumi.StringMap
	threshold  float64
}

// table is every alarm of the site, but for those that components create themselves.
func table(w Watched) ([]row, error) {
	var all []row
	for _, part := range w.Parts {
		for _, a := range part.Alarms {
			r := row{Alarm: a, dimensions: pulumi.StringMap{}, threshold: a.Threshold}
			for _, name := range a.Dimensions {
				value := part.Dimensions[name]
				if value == nil {
					return nil, fmt.Errorf("logging: alarm %s has the dimension %s, for which its component has no value", a.Name, name)
				}
				r.dimensions[name] = value
			}
			if a.Of != "" {
				capacity, known := part.Capacity[a.Of]
				if !known {
					return nil, fmt.Errorf("logging: alarm %s is a part of %s, for which its component has no value", a.Name, a.Of)
				}
				r.threshold *= capacity
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// AlarmsArgs say what is watched and who is notified.
type AlarmsArgs struct {
	Site    wiring.Site
	Topic   *Topic
	Watched Watched
}

// Alarms are the CloudWatch alarms of Watched, each telling the topic when it begins and when it ends, and what RDS itself
// announces of the database: failures, maintenance, changed settings. Failed jobs are watched beside the jobs, by their
// dead-letter queues.
//
// Cost: $0.10 an alarm and month (from memory); events none.
type Alarms struct {
	pulumi.ResourceState
	alarms []pulumi.Resource
}

// Ready are the alarms.
func (a *Alarms) Ready() []pulumi.Resource { return a.alarms }

// NewAlarms creates the alarms.
func NewAlarms(ctx *pulumi.Context, name string, args *AlarmsArgs, opts ...pulumi.ResourceOption) (*Alarms, error) {
	rows, err := table(args.Watched)
	if err != nil {
		return nil, err
	}
	a := &Alarms{}
	if err := ctx.RegisterComponentResource(alarmsType, name, a, opts...); err != nil {
		return nil, err
	}
	for _, row := range rows {
		alarm, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+row.Name, row.args(args), pulumi.Parent(a))
		if err != nil {
			return nil, fmt.Errorf("logging: alarm %s: %w", row.Name, err)
		}
		a.alarms = append(a.alarms, alarm)
	}
	for _, e := range []struct {
		part, kind string
		source     pulumi.StringInput
		categories []string
	}{
		{"database", "db-instance", args.Watched.Database, []string{"maintenance", "configuration change", "failure"}},
		{"parameters", "db-parameter-group", args.Watched.DatabaseParameters, []string{"configuration change"}},
	} {
		if _, err := rds.NewEventSubscription(ctx, name+"-"+e.part+"-events", &rds.EventSubscriptionArgs{
			Name:            pulumi.String(args.Site.Name(e.part + "-events")),
			SnsTopic:        args.Topic.ARN,
			SourceType:      pulumi.String(e.kind),
			SourceIds:       pulumi.StringArray{e.source},
			EventCategories: pulumi.ToStringArray(e.categories),
		}, pulumi.Parent(a), pulumi.DependsOn([]pulumi.Resource{args.Topic.policy})); err != nil {
			return nil, err
		}
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{})
}

func (row row) args(args *AlarmsArgs) *cloudwatch.MetricAlarmArgs {
	alarm := &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(args.Site.Name(row.Name)),
		AlarmDescription:   pulumi.String(row.Description(args.Site)),
		Namespace:          pulumi.String(row.Namespace),
		MetricName:         pulumi.String(row.Metric),
		Dimensions:         row.dimensions,
		ComparisonOperator: pulumi.String("LessThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(row.threshold),
		Period:             pulumi.Int(row.Period),
		EvaluationPeriods:  pulumi.Int(row.Minutes * 60 / row.Period),
		TreatMissingData:   pulumi.String("notBreaching"),
		ActionsEnabled:     pulumi.Bool(true),
		AlarmActions:       pulumi.Array{args.Topic.ARN},
		OkActions:          pulumi.Array{args.Topic.ARN},
	}
	if row.Above {
		alarm.ComparisonOperator = pulumi.String("GreaterThanOrEqualToThreshold")
	}
	if row.Statistic[0] == 'p' {
		alarm.ExtendedStatistic = pulumi.String(row.Statistic)
	} else {
		alarm.Statistic = pulumi.String(row.Statistic)
	}
	return alarm
}
