package cloud

import (
	"regexp"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// service: the tasks of a service start with the execution role and run with the task role.
func (u *uses) service(_ *Object, in Inputs) {
	definition := u.a.definition(in.String("taskDefinition"))
	if definition == nil {
		return
	}
	u.vpc = u.network(in.Strings("networkConfiguration.subnets"))
	u.tasks(definition)
	task := find(u.a, "arn", Inputs(definition.Outputs).String("taskRoleArn"), roleType)
	if task == nil || !in.Bool("enableExecuteCommand") {
		return
	}
	u.exec(Caller{Role: task.ID}, clusterNamed(u.a, in.String("cluster")))
}

// definition: ECS assumes both roles, which it tries when the definition is registered. Its tasks start with the execution role,
// no matter what starts them. What they do then depends on that: a migration does not upload.
//
// One that its program left behind, when a job or a worker was removed, is started by nothing: what still starts it is judged itself.
func (u *uses) definition(o *Object, in Inputs) {
	if o.URN == "" && in.Bool("skipDestroy") {
		return
	}
	u.starts(o)
	for i := range u.all {
		u.all[i].Refusal = nil
	}
	for _, path := range []string{"executionRoleArn", "taskRoleArn"} {
		u.assumed("ecs-tasks.amazonaws.com", in.String(path), u.from(u.a.arn("ecs", "*")),
			"ECS Developer Guide, \"Amazon ECS task IAM role\" and \"Amazon ECS task execution IAM role\"",
			refuse(taskCode, "", "ECS was unable to assume the role '%s' that was provided for this task. Please verify that the role being passed "+
				"has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.", in.String(path)))
	}
}

// tasks adds what the tasks of a definition need.
func (u *uses) tasks(definition *Object) {
	u.starts(definition)
	u.each(definition, "taskRoleArn", u.run)
}

func (u *uses) starts(definition *Object) { u.each(definition, "executionRoleArn", u.start) }

// each calls do with each container of a definition and the role at path.
func (u *uses) each(definition *Object, path string, do func(Caller, containerSpec)) {
	containers, err := containersOf(definition)
	role := find(u.a, "arn", Inputs(definition.Outputs).String(path), roleType)
	if err != nil || role == nil {
		return
	}
	for _, c := range containers {
		do(Caller{Role: role.ID}, c)
	}
}

// stoppedTask is how ECS reports a task that cannot start.
func stoppedTask(reason string) *Error {
	return &Error{Code: "DeploymentFailed", Message: "tasks failed to start: " + reason}
}

const (
	secretsSource = "ECS Developer Guide, \"Amazon ECS task execution IAM role\", \"Secrets Manager or Systems Manager permissions\""
	pullSource    = "ECS Developer Guide, \"Amazon ECS task execution IAM role\", AmazonECSTaskExecutionRolePolicy"
)

// start is what the execution role does before a container runs.
func (u *uses) start(role Caller, c containerSpec) {
	noSecrets := stoppedTask("ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException")
	for _, s := range slices.Concat(c.Secrets, c.LogConfiguration.SecretOptions) {
		u.secret(role, s.ValueFrom, noSecrets)
	}
	u.distantImage(role, c)
	if host, repository, _ := splitImage(c.Image); host == u.a.imageRegistry() {
		noPull := stoppedTask("CannotPullContainerError: AccessDeniedException")
		u.add(role, Call{Action: "ecr:GetAuthorizationToken", Resource: "*", Source: pullSource}, noPull)
		for _, action := range []string{"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"} {
			u.add(role, Call{Action: action, Resource: u.a.arn("ecr", "repository/"+repository), Source: pullSource}, noPull)
		}
		u.add(Caller{}, Call{Action: "s3:GetObject", AWSOwned: true, Source: "ECR User Guide, \"Amazon ECR interface VPC endpoints\"",
			Resource: "arn:" + u.a.Partition + ":s3:::prod-" + u.a.Region + "-starport-layer-bucket/layer", Reason: "image layers are in S3"},
			noPull)
	}
	u.environmentFiles(role, c)
	if secret := c.RepositoryCredentials["credentialsParameter"]; secret != "" {
		u.secret(role, secret, noSecrets)
	}
	options := c.LogConfiguration.Options
	if group := options["awslogs-group"]; group != "" && c.LogConfiguration.LogDriver == "awslogs" {
		noLogs := stoppedTask("ResourceInitializationError: failed to validate logger args: AccessDeniedException")
		logs := func(resource string) string { // in the region that the driver writes to
			return strings.Replace(u.a.arn("logs", resource), ":"+u.a.Region+":", ":"+orElse(options["awslogs-region"], u.a.Region)+":", 1)
		}
		stream := logs("log-group:" + group + ":log-stream:" + options["awslogs-stream-prefix"] + "/" + c.Name + "/" + draw(32, group))
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			u.add(role, Call{Action: action, Resource: stream, Source: pullSource}, noLogs)
		}
		if options["awslogs-create-group"] == "true" {
			u.add(role, Call{Action: "logs:CreateLogGroup", Resource: logs("log-group:" + group),
				Reason: "awslogs-create-group asks for it at each start, also if the group exists",
				Source: "https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/313"}, noLogs)
		}
	}
}

// registryForm is the host of a registry of ECR: account and region.
var registryForm = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.`)

// distantImage: the registry of another region has ARNs of its own.
func (u *uses) distantImage(role Caller, c containerSpec) {
	host, repository, _ := splitImage(c.Image)
	m := registryForm.FindStringSubmatch(host)
	if m == nil || m[1] != u.a.AccountID || m[2] == u.a.Region {
		return
	}
	for _, action := range []string{"ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"} {
		u.add(role, Call{Action: action, Resource: strings.Replace(u.a.arn("ecr", "repository/"+repository), ":"+u.a.Region+":", ":"+m[2]+":", 1),
			Source: pullSource}, stoppedTask("CannotPullContainerError: AccessDeniedException"))
	}
}

// environmentFiles: the execution role reads them before the container starts.
func (u *uses) environmentFiles(role Caller, c containerSpec) {
	const source = "ECS Developer Guide, \"Amazon ECS task execution IAM role\", \"Amazon S3 file storage permissions\""
	refusal := stoppedTask("ResourceInitializationError: failed to download env files: file download command: non empty error stream: " +
		"AccessDenied")
	for _, f := range c.EnvironmentFiles {
		arn := Inputs(f).String("value")
		bucket, _, _ := strings.Cut(arn, "/")
		u.add(role, Call{Action: "s3:GetObject", Resource: arn, Source: source}, refusal)
		u.add(role, Call{Action: "s3:GetBucketLocation", Resource: bucket, Source: source}, refusal)
	}
}

func (u *uses) secret(role Caller, from string, refusal *Error) {
	if strings.Contains(from, ":secretsmanager:") {
		arn := strings.Join(strings.SplitN(from+"::::::::", ":", 9)[:7], ":")
		u.add(role, Call{Action: "secretsmanager:GetSecretValue", Resource: arn, Source: secretsSource}, refusal)
		if secret := find(u.a, "arn", arn, secretType); secret != nil {
			u.key(reason{role, secretsSource, refusal}, Inputs(secret.Outputs).String("kmsKeyId"), "secretsmanager", encryption("SecretARN", arn),
				"Decrypt")
		}
		return
	}
	parameter := find(u.a, "arn", from, parameterType)
	if parameter == nil {
		parameter = find(u.a, "name", from, parameterType)
	}
	if parameter == nil {
		return
	}
	arn := Inputs(parameter.Outputs).String("arn")
	u.add(role, Call{Action: "ssm:GetParameters", Resource: arn, Source: secretsSource}, refusal)
	if Inputs(parameter.Outputs).String("type") == "SecureString" {
		u.key(reason{role, "Systems Manager User Guide, \"AWS KMS encryption for Parameter Store SecureString\"", refusal},
			Inputs(parameter.Outputs).String("keyId"), "ssm", encryption("PARAMETER_ARN", arn), "Decrypt")
	}
}

// run is what a container does with the task role, as far as its definition shows: a log router sends to its stream, and a container
// that is given the name of a bucket reads and writes it.
func (u *uses) run(role Caller, c containerSpec) {
	if c.LogConfiguration.LogDriver == "awsfirelens" {
		options := c.LogConfiguration.Options
		if name := options["delivery_stream"]; name != "" {
			arn := u.a.arn("firehose", "deliverystream/"+name)
			u.add(role, Call{Action: "firehose:PutRecordBatch", Resource: arn,
				Source: "ECS Developer Guide, \"Example Amazon ECS task definition: Route logs to FireLens\""}, nil)
			u.stream(role, arn)
		}
	}
	for _, e := range c.Environment {
		bucket := find(u.a, "id", e.Value, "aws:s3/bucketV2:BucketV2")
		if bucket == nil {
			continue
		}
		const source = "Service Authorization Reference, \"Actions, resources, and condition keys for Amazon S3\""
		arn := Inputs(bucket.Outputs).String("arn")
		u.add(role, Call{Action: "s3:ListBucket", Resource: arn, Source: source}, nil)
		u.write(reason{by: role, source: source}, arn, "upload", nil)
		for _, action := range []string{"s3:GetObject", "s3:DeleteObject"} {
			u.add(role, Call{Action: action, Resource: arn + "/upload", Source: source}, nil)
		}
		u.key(reason{by: role, source: source}, u.bucketKey(arn), "s3", encryption("aws:s3:arn", arn), "Decrypt")
	}
}

// stream is the key of a delivery stream, which those that put records into it use.
func (u *uses) stream(role Caller, arn string) {
	stream := find(u.a, "arn", arn, "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream")
	if stream == nil {
		return
	}
	// AWS's guide does not ask it of producers; puts were refused without it. No encryption context is documented.
	const source = "https://github.com/ministryofjustice/modernisation-platform-environments/pull/19063"
	u.key(reason{by: role, source: source}, Inputs(stream.Outputs).String("serverSideEncryption.keyArn"), "firehose", nil, "GenerateDataKey",
		"Decrypt")
}

const execSource = "ECS Developer Guide, \"Monitor Amazon ECS containers with ECS Exec\""

// exec is what the agent in a task needs for a shell, and for recording it as the cluster asks.
func (u *uses) exec(role Caller, cluster *Object) {
	for _, action := range []string{"CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"} {
		u.add(role, Call{Action: "ssmmessages:" + action, Resource: "*", Source: execSource}, nil)
	}
	if cluster == nil {
		return
	}
	c := Inputs(cluster.Outputs).Map("configuration.executeCommandConfiguration")
	u.key(reason{by: role, source: execSource}, c.String("kmsKeyId"), "", nil, "Decrypt")
	u.recorded(role, c.String("logConfiguration.cloudWatchLogGroupName"), c.String("logConfiguration.s3BucketName"),
		c.String("logConfiguration.s3KeyPrefix"), execSource)
}

// recorded is what the agent does to record a session.
func (u *uses) recorded(role Caller, group, bucket, prefix, source string) {
	if group != "" {
		u.add(role, Call{Action: "logs:DescribeLogGroups", Resource: u.a.arn("logs", "log-group::log-stream:"), Source: source,
			Reason: "the agent looks whether the group is encrypted, and refuses the session if it cannot"}, nil)
		arn := u.a.arn("logs", "log-group:"+group)
		u.add(role, Call{Action: "logs:DescribeLogStreams", Resource: arn + ":*", Source: source}, nil)
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			u.add(role, Call{Action: action, Resource: arn + ":log-stream:session", Source: source}, nil)
		}
	}
	if arn := u.bucketARN(bucket); arn != "" {
		u.add(role, Call{Action: "s3:GetEncryptionConfiguration", Resource: arn, Source: source,
			Reason: "the agent looks whether the bucket is encrypted, and refuses the session if it cannot"}, nil)
		u.write(reason{by: role, source: source}, arn, strings.TrimPrefix(prefix+"/session.log", "/"), nil)
	}
}

// schedule: Scheduler starts a task.
func (u *uses) schedule(o *Object, in Inputs) {
	const source = "EventBridge Scheduler User Guide, \"Setting up EventBridge Scheduler\", execution role"
	group := orElse(in.String("groupName"), "default")
	role, ok := u.assumed("scheduler.amazonaws.com", in.String("target.roleArn"), u.from(u.a.arn("scheduler", "schedule-group/"+group)),
		"EventBridge Scheduler User Guide, \"Confused deputy prevention\"",
		refuse(schedulerCode, "", "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."))
	if !ok {
		return
	}
	u.key(reason{by: role, source: "EventBridge Scheduler User Guide, \"Data protection\""}, in.String("kmsKeyArn"), "scheduler",
		encryption("aws:scheduler:schedule:arn", u.a.arn("scheduler", "schedule/"+group+"/"+o.ID[strings.LastIndex(o.ID, "/")+1:])), "Decrypt")
	if queue := in.String("target.deadLetterConfig.arn"); queue != "" {
		u.send(role, queue, "EventBridge Scheduler User Guide, \"Configuring a dead-letter queue\"")
	}
	definition := taskNamed(u.a, in.String("target.ecsParameters.taskDefinitionArn"))
	if definition == nil {
		return
	}
	u.runTask(role, definition, in.String("target.arn"), source,
		in.Bool("target.ecsParameters.enableEcsManagedTags") || in.String("target.ecsParameters.propagateTags") != "")
	u.vpc = u.network(in.Strings("target.ecsParameters.networkConfiguration.subnets"))
	u.tasks(definition)
}

// runTask is what starting a task takes.
func (u *uses) runTask(role Caller, definition *Object, cluster, source string, tagged bool) {
	in := Inputs(definition.Outputs)
	c := iam.Context{}
	c.Set("ecs:cluster", iam.One(cluster))
	u.add(role, Call{Action: "ecs:RunTask", Resource: in.String("arn"), Context: c, Source: source}, nil)
	for _, path := range []string{"executionRoleArn", "taskRoleArn"} {
		if arn := in.String(path); arn != "" {
			passed := iam.Context{}
			passed.Set("iam:PassedToService", iam.One("ecs-tasks.amazonaws.com"))
			u.add(role, Call{Action: "iam:PassRole", Resource: arn, Context: passed, Source: source}, nil)
		}
	}
	if tagged {
		created := iam.Context{}
		created.Set("ecs:CreateAction", iam.One("RunTask"))
		u.add(role, Call{Action: "ecs:TagResource", Resource: u.a.arn("ecs", "task/"+lastPart(cluster, "/")+"/*"), Context: created,
			Reason: "each start sends tags (enableEcsManagedTags or propagateTags)",
			Source: "ECS Developer Guide, \"Grant permission to tag resources on creation\""}, nil)
	}
}

// send adds a message to a queue, with its key.
func (u *uses) send(by Caller, queueARN, source string) {
	u.add(by, Call{Action: "sqs:SendMessage", Resource: queueARN, Source: source}, nil)
	if queue := find(u.a, "arn", queueARN, "aws:sqs/queue:Queue"); queue != nil {
		u.key(reason{by: by, source: "SQS Developer Guide, \"Key management\""}, Inputs(queue.Outputs).String("kmsMasterKeyId"), "sqs",
			encryption("aws:sqs:arn", queueARN), "GenerateDataKey", "Decrypt")
	}
}
