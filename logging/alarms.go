package logging

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const (
	topicType  = "slipway:logging:Topic"
	alarmsType = "slipway:logging:Alarms"
)

// TopicArgs say who is told.
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

// NewTopic makes the topic.
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
			Principals: map[string][]any{"AWS": {"*"}},
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

// Watched are the names by which CloudWatch knows the parts of the site.
type Watched struct {
	LoadBalancer, TargetGroup pulumi.StringInput // ARN suffixes: app/name/id, targetgroup/name/id
	Cluster, Service          pulumi.StringInput
	Database                  pulumi.StringInput // DB instance identifier
	DatabaseParameters        pulumi.StringInput // name of its parameter group
	DatabaseStorageGiB        int
	DatabaseConnections       int      // how many the instance class takes
	Streams                   []Source // those that exist
}

// An Alarm is one row of the table of alarms.
type Alarm struct {
	Name       string // "5xx": the physical name is project-stack-5xx
	Why        string // what it means and what to do first
	Namespace  string
	Metric     string
	Statistic  string // Average, Sum, Maximum, Minimum, or a percentile such as p99
	Dimensions pulumi.StringMap
	Above      bool // true: alarms at or above Threshold; false: at or below it
	Threshold  float64
	Minutes    int // how long it lasts before it alarms; periods of one minute, or of five where AWS measures no finer
	Period     int // seconds
}

// Table is every alarm of the site.
func Table(site wiring.Site, w Watched) []Alarm {
	balancer := pulumi.StringMap{"LoadBalancer": w.LoadBalancer}
	targets := pulumi.StringMap{"LoadBalancer": w.LoadBalancer, "TargetGroup": w.TargetGroup}
	service := pulumi.StringMap{"ClusterName": w.Cluster, "ServiceName": w.Service}
	database := pulumi.StringMap{"DBInstanceIdentifier": w.Database}
	const alb, ecs, rds = "AWS/ApplicationELB", "AWS/ECS", "AWS/RDS"
	table := []Alarm{
		{Name: "5xx-balancer", Why: "The balancer itself answers 5xx: no healthy task, or tasks that close connections. Look at the service's events.",
			Namespace: alb, Metric: "HTTPCode_ELB_5XX_Count", Statistic: "Sum", Dimensions: balancer, Above: true, Threshold: 5, Minutes: 5, Period: 60},
		{Name: "5xx-site", Why: "The site answers 5xx. Look at the django log group for errors with the request id.",
			Namespace: alb, Metric: "HTTPCode_Target_5XX_Count", Statistic: "Sum", Dimensions: targets, Above: true, Threshold: 5, Minutes: 5, Period: 60},
		{Name: "unhealthy-hosts", Why: "A task fails its health check. Compare /healthz with the task's logs.",
			Namespace: alb, Metric: "UnHealthyHostCount", Statistic: "Maximum", Dimensions: targets, Above: true, Threshold: 1, Minutes: 5, Period: 60},
		{Name: "latency", Why: "One request in a hundred takes over 2 seconds. Look at slow queries and CPU.",
			Namespace: alb, Metric: "TargetResponseTime", Statistic: "p99", Dimensions: targets, Above: true, Threshold: 2, Minutes: 15, Period: 60},
		{Name: "cpu", Why: "Tasks are busy although scaling should have added some: web.max is reached, or scaling is too slow.",
			Namespace: ecs, Metric: "CPUUtilization", Statistic: "Average", Dimensions: service, Above: true, Threshold: 90, Minutes: 15, Period: 60},
		{Name: "memory", Why: "Tasks are near their memory; beyond it they are killed. Raise web.memory or find the leak.",
			Namespace: ecs, Metric: "MemoryUtilization", Statistic: "Average", Dimensions: service, Above: true, Threshold: 90, Minutes: 15, Period: 60},
		{Name: "database-cpu", Why: "The database is busy. Look at Performance Insights before raising database.class.",
			Namespace: rds, Metric: "CPUUtilization", Statistic: "Average", Dimensions: database, Above: true, Threshold: 90, Minutes: 15, Period: 60},
		{Name: "database-storage", Why: "Less than a tenth of the storage is free and autoscaling has not helped: database.maxStorage is reached, or it grew within the last six hours.",
			Namespace: rds, Metric: "FreeStorageSpace", Statistic: "Minimum", Dimensions: database, Threshold: float64(w.DatabaseStorageGiB) * (1 << 30) / 10, Minutes: 15, Period: 300},
		{Name: "database-connections", Why: "Connections are near what the class takes. Fewer gunicorn threads, fewer tasks, or a larger class.",
			Namespace: rds, Metric: "DatabaseConnections", Statistic: "Maximum", Dimensions: database, Above: true, Threshold: float64(w.DatabaseConnections) * 0.8, Minutes: 5, Period: 60},
	}
	for _, s := range w.Streams {
		table = append(table, Alarm{
			Name: "firehose-" + string(s), Why: "Logs have not reached S3 for 15 minutes. Look at the stream's error log group; a key that it may not use is the usual cause.",
			Namespace: "AWS/Firehose", Metric: "DeliveryToS3.DataFreshness", Statistic: "Maximum",
			Dimensions: pulumi.StringMap{"DeliveryStreamName": pulumi.String(site.Name(string(s)))},
			Above:      true, Threshold: 900, Minutes: 15, Period: 300,
		})
	}
	return table
}

// AlarmsArgs say what is watched and who is told.
type AlarmsArgs struct {
	Site    wiring.Site
	Topic   *Topic
	Watched Watched
}

// Alarms are the CloudWatch alarms of Table, each telling the topic when it begins and when it ends, and what RDS itself
// announces of the database: failures, maintenance, changed settings. Failed jobs are watched beside the jobs, by their
// dead-letter queues.
//
// Cost: $0.10 an alarm and month (from memory); events none.
type Alarms struct {
	pulumi.ResourceState
}

// NewAlarms makes the alarms.
func NewAlarms(ctx *pulumi.Context, name string, args *AlarmsArgs, opts ...pulumi.ResourceOption) (*Alarms, error) {
	a := &Alarms{}
	if err := ctx.RegisterComponentResource(alarmsType, name, a, opts...); err != nil {
		return nil, err
	}
	for _, row := range Table(args.Site, args.Watched) {
		if _, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+row.Name, row.args(args), pulumi.Parent(a)); err != nil {
			return nil, fmt.Errorf("logging: alarm %s: %w", row.Name, err)
		}
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

func (row Alarm) args(args *AlarmsArgs) *cloudwatch.MetricAlarmArgs {
	alarm := &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(args.Site.Name(row.Name)),
		AlarmDescription:   pulumi.String(row.Why),
		Namespace:          pulumi.String(row.Namespace),
		MetricName:         pulumi.String(row.Metric),
		Dimensions:         row.Dimensions,
		ComparisonOperator: pulumi.String("LessThanOrEqualToThreshold"),
		Threshold:          pulumi.Float64(row.Threshold),
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
