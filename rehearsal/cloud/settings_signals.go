package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// Settings of alarms, log routes, schedules and scaling that never do what they are for.

// A watched is a dimension of CloudWatch metrics that names a resource.
type watched struct{ namespace, dimension, kind, output string }

// watchedNames are those of the services that the model knows. Sources: the CloudWatch page of each service, dimensions.
var watchedNames = []watched{
	{"AWS/ApplicationELB", "LoadBalancer", balancerType, "arnSuffix"}, {"AWS/ApplicationELB", "TargetGroup", targetGroupType, "arnSuffix"},
	{"AWS/ECS", "ClusterName", clusterType, "name"}, {"AWS/ECS", "ServiceName", serviceType, "name"},
	{"AWS/RDS", "DBInstanceIdentifier", databaseType, "identifier"}, {"AWS/SQS", "QueueName", queueType, "name"},
	{"AWS/Firehose", "DeliveryStreamName", firehoseType, "name"}, {"AWS/ElastiCache", "CacheClusterId", cacheType, "memberClusters[]"},
}

// metrics are names that alarms use, by namespace. An unknown name alone proves nothing. Sources: the CloudWatch page of each service.
var metrics = map[string][]string{
	"AWS/ApplicationELB": words(`ActiveConnectionCount HTTPCode_ELB_4XX_Count HTTPCode_ELB_5XX_Count HTTPCode_Target_2XX_Count
		HTTPCode_Target_4XX_Count HTTPCode_Target_5XX_Count HealthyHostCount NewConnectionCount RejectedConnectionCount RequestCount
		RequestCountPerTarget TargetConnectionErrorCount TargetResponseTime UnHealthyHostCount`),
	"AWS/ECS": words("CPUUtilization MemoryUtilization CPUReservation MemoryReservation"),
	"AWS/RDS": words(`BurstBalance CPUCreditBalance CPUUtilization DatabaseConnections DiskQueueDepth FreeStorageSpace FreeableMemory
		MaximumUsedTransactionIDs ReadIOPS ReadLatency ReplicaLag SwapUsage WriteIOPS WriteLatency`),
	"AWS/ElastiCache": words(`BytesUsedForCache CPUCreditBalance CPUUtilization CacheHitRate CurrConnections CurrItems
		DatabaseMemoryUsagePercentage EngineCPUUtilization Evictions FreeableMemory NetworkBytesIn NetworkBytesOut NewConnections Reclaimed
		ReplicationLag SwapUsage`),
	"AWS/SQS": words(`ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesVisible ApproximateNumberOfMessagesNotVisible
		NumberOfMessagesSent`),
	"AWS/Firehose": words("DeliveryToS3.DataFreshness DeliveryToS3.Success DeliveryToS3.Records IncomingRecords ThrottledRecords"),
}

// watched: an alarm on a metric that does not exist never leaves INSUFFICIENT_DATA, or what it takes missing data for.
func (s settings) watched(o *Object) []Finding {
	const source = "CloudWatch guide, \"Configuring how CloudWatch alarms treat missing data\""
	in := Inputs(o.Outputs)
	namespace := in.String("namespace")
	say := func(why, fix string) []Finding {
		return []Finding{judged(o).finding("INSUFFICIENT_DATA", "the alarm never has data", fix, source, why)}
	}
	if near := nearMiss(in.String("metricName"), metrics[namespace]); near != "" {
		return say(fmt.Sprintf("%s has no metric %s", namespace, in.String("metricName")), "set metricName to "+near)
	}
	for _, name := range watchedNames {
		value := in.String("dimensions." + name.dimension)
		if namespace != name.namespace || value == "" || slices.ContainsFunc(s.a.list(name.kind), func(other *Object) bool {
			found := false
			Inputs(other.Outputs).Each(name.output, func(_ string, is any) { found = found || is == value })
			return found
		}) {
			continue
		}
		return say(fmt.Sprintf("its dimension %s is %s, and the account has no such %s", name.dimension, value, noun(name.kind)),
			"name one that exists")
	}
	return nil
}

// routers are the outputs of Fluent Bit that take logs of ECS. Source: ECS Developer Guide, "Send Amazon ECS logs to an AWS service or
// AWS Partner"; Fluent Bit manual, "Outputs".
var routers = words("cloudwatch cloudwatch_logs firehose kinesis_firehose kinesis kinesis_streams opensearch elasticsearch datadog splunk")

// routed: an output of the log router must exist, and Firehose's must be in the region of its stream.
func (s settings) routed(d deployed, c containerSpec) []Finding {
	const page = "ECS Developer Guide, \"Send Amazon ECS logs to an AWS service or AWS Partner\""
	options := c.LogConfiguration.Options
	if c.LogConfiguration.LogDriver != "awsfirelens" {
		return nil
	}
	if near := nearMiss(options["Name"], routers); near != "" {
		return []Finding{d.finding("EssentialContainerExited", fmt.Sprintf("the log router ends: Output plugin '%s' cannot be loaded",
			options["Name"]),
			"set option Name to "+near, page+"; Fluent Bit manual, \"Outputs\"", fmt.Sprintf("container %s logs to the output %s", c.Name,
				options["Name"]))}
	}
	if f := undated(d, c); f != nil {
		return []Finding{*f}
	}
	stream, region := options["delivery_stream"], options["region"]
	if stream == "" || region == "" || region == s.a.Region || !slices.ContainsFunc(s.a.list(firehoseType), func(o *Object) bool {
		return Inputs(o.Outputs).String("name") == stream
	}) {
		return nil
	}
	return []Finding{d.finding("ResourceNotFoundException", fmt.Sprintf("Firehose %s under account %s not found.", stream, s.a.AccountID),
		"set option region to "+s.a.Region, page, fmt.Sprintf("container %s logs to stream %s in %s, and the stream is in %s", c.Name, stream,
			region,
			s.a.Region))}
}

// undated: what is archived without its time cannot be read by time.
func undated(d deployed, c containerSpec) *Finding {
	options := c.LogConfiguration.Options
	if options["Name"] != "kinesis_firehose" || options["time_key"] != "" && options["log_key"] == "" {
		return nil
	}
	why, fix := "has no time_key", "set option time_key"
	if options["log_key"] != "" {
		why, fix = "sends "+options["log_key"]+" alone", "remove option log_key"
	}
	f := d.finding("UndatedLog", fmt.Sprintf("lines of container %s are archived without their time", c.Name), fix,
		"Fluent Bit manual, \"Amazon Kinesis Data Firehose\"", "its output "+options["Name"]+" "+why)
	return &f
}

// stripped: a stream that keeps the messages of CloudWatch Logs alone.
func stripped(o *Object) []Finding {
	in := Inputs(o.Outputs).Map("extendedS3Configuration").Map("processingConfiguration")
	if !in.Bool("enabled") || !slices.ContainsFunc(in.Maps("processors"), func(step Inputs) bool {
		return step.String("type") == "CloudWatchLogProcessing"
	}) {
		return nil
	}
	return []Finding{judged(o).finding("UndatedLog", "lines are archived without their log group, log stream and time",
		"remove the processor CloudWatchLogProcessing", "Firehose guide, \"Extract messages after decompression of CloudWatch Logs\"",
		"it keeps the message of each event and drops the rest")}
}

// launched: a schedule starts its tasks as its launch type says.
func (s settings) launched(o *Object) []Finding {
	in := Inputs(o.Outputs)
	const at = "target.ecsParameters."
	definition := taskNamed(s.a, in.String(at+"taskDefinitionArn"))
	if definition == nil || in.String(at+"launchType") == "" {
		return nil
	}
	have := Inputs(definition.Outputs).Strings("requiresCompatibilities")
	if len(have) == 0 || slices.Contains(have, in.String(at+"launchType")) {
		return nil
	}
	return []Finding{judged(o).finding("InvalidParameterException",
		"Task definition does not support launch_type "+in.String(at+"launchType")+".",
		"set launchType to "+have[0], "ECS API Reference, RunTask, launchType", fmt.Sprintf("%s has requiresCompatibilities %s",
			definition.describe(),
			strings.Join(have, ", ")))}
}

// agentless: the agent of Systems Manager gets the machine's role from the instance metadata.
func (s settings) agentless(o *Object) []Finding {
	in := Inputs(o.Outputs)
	if in.String("metadataOptions.httpEndpoint") != "disabled" || in.String("iamInstanceProfile") == "" {
		return nil
	}
	return []Finding{judged(o).finding("TargetNotConnected", o.ID+" is not connected.", "set metadataOptions.httpEndpoint to enabled",
		"Systems Manager User Guide, \"Troubleshooting SSM Agent\"", "its instance metadata is disabled, from which the agent gets the role "+
			"of instance profile "+in.String("iamInstanceProfile"))}
}

// unreachable: a target for an average in percent that it cannot exceed.
func unreachable(o *Object) []Finding {
	const at = "targetTrackingScalingPolicyConfiguration."
	in := Inputs(o.Outputs)
	metric := in.String(at + "predefinedMetricSpecification.predefinedMetricType")
	if !strings.HasPrefix(metric, "ECSServiceAverage") || in.Float(at+"targetValue") <= 100 {
		return nil
	}
	return []Finding{judged(o).finding("NeverScales", "the service never scales out", "set targetValue below 100",
		"Application Auto Scaling guide, \"Target tracking scaling policies\"; ECS Developer Guide, \"Amazon ECS CloudWatch metrics\"",
		fmt.Sprintf("%s is in percent, and its target is %v", metric, in.Float(at+"targetValue")))}
}

// deployable: with these deployment controllers, ECS deploys no task definition that an update names.
func (s settings) deployable(o *Object) []Finding {
	kind := Inputs(o.Outputs).String("deploymentController.type")
	if kind != "CODE_DEPLOY" && kind != "EXTERNAL" {
		return nil
	}
	return []Finding{judged(o).finding("InvalidParameterException",
		"Unable to update task definition on services with a "+kind+" deployment controller.",
		"use the deployment controller ECS", "ECS API Reference, UpdateService", "the service has the deployment controller "+kind+
			": a later release cannot be deployed")}
}
