package main

var mutations = []mutation{
	{"keys/ring.go", "keys do not rotate", `pulumi.Bool(true)`, `pulumi.Bool(false)`},
	{"keys/purposes.go", "alarms may not use their key",
		`services: []service{{name: "cloudwatch", account: true}, {name: "events"}, {name: "events.rds"}},`,
		`services: []service{{name: "events"}, {name: "events.rds"}},`},
	{"keys/purposes.go", "the key's policy requires a source account from EventBridge, which sends none",
		`{name: "events"}, {name: "events.rds"}`, `{name: "events", account: true}, {name: "events.rds"}`},
	{"keys/purposes.go", "a schedule's role may not decrypt it", `schedules: true,`, ``},
	{"keys/purposes.go", "the account may not administer its keys", `[]policy.Statement{administer(site), use(site, via)}`,
		`[]policy.Statement{use(site, via)}`},

	{"network/rules.go", "no rule from the tasks to the database", "\t\trules = append(rules, Rule{g, Data, ports.Data, \"Postgres\"})\n", ""},
	{"network/vpc.go", "the default security group is not closed",
		`	_, err = ec2.NewDefaultSecurityGroup(b.ctx, b.name+"-default", &ec2.DefaultSecurityGroupArgs{
		VpcId: v.ID(),
		Tags:  b.tags("default-closed"),
	}, b.parent())
`, ""},
	{"network/endpoints.go", "the S3 endpoint is in no route table", "		RouteTableIds:   tables,\n", ""},
	{"network/endpoints.go", "no endpoint for logs without NAT", "\t\t\"logs\",        // write logs\n", ""},

	{"datastore/postgres.go", "Postgres accepts connections without TLS", "	{name: \"rds.force_ssl\", value: \"1\"},\n", ""},
	{"datastore/store.go", "no deletion protection", "		DeletionProtection:     pulumi.Bool(protect),\n", ""},
	{"datastore/store.go", "the engine does not protect the database", "pulumi.Protect(protect), pulumi.DependsOn", "pulumi.DependsOn"},
	{"datastore/media.go", "the site may not delete media", `"s3:DeleteObject", `, ""},

	{"cache/facts.go", "ElastiCache gets no grant for the cache's key",
		`catalog.UseKey(site, "elasticache"), catalog.GrantKey(site, "elasticache"),
			catalog.UseKey(site, "dax"), catalog.GrantKey(site, "dax"),`,
		`catalog.UseKey(site, "elasticache"), catalog.UseKey(site, "dax"),`},
	{"cache/facts.go", "the deploy role may not make the final snapshot",
		"				\"elasticache:CreateSnapshot\", // of the final snapshot (ElastiCache guide, \"Deleting a replication group\")\n", ""},
	{"cache/facts.go", "ElastiCache's service-linked role cannot be created",
		"			catalog.FirstUse(site, \"elasticache.amazonaws.com\"),\n", ""},
	{"cache/cache.go", "no encryption at rest", `AtRestEncryptionEnabled: pulumi.Bool(true), `, ""},
	{"cache/cache.go", "the engine does not protect the cache", `	}, pulumi.Parent(c), pulumi.Protect(args.Site.Protect))
}

var (`, `	}, pulumi.Parent(c))
}

var (`},
	{"cache/cache.go", "no final snapshot", `final = pulumi.Sprintf("%s-final", c.ID).ToStringPtrOutput()`, `final = nil`},
	{"cache/cache.go", "a name of more than 40 characters", `ByteLength: pulumi.Int(2)`, `ByteLength: pulumi.Int(4)`},
	{"cache/cache.go", "the URL asks for no TLS", `"rediss://:%s`, `"redis://:%s`},

	{"settings/settings.go", "parameters use the AWS managed key", "		KeyId: p.keyARN.ToStringOutput(),\n", ""},
	{"settings/settings.go", "a secret in plain text", `Type:  pulumi.String("SecureString")`, `Type:  pulumi.String("String")`},

	{"cicd/images.go", "untagged images are never deleted", `		rule(1, "What an interrupted push left behind", map[string]any{
			"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": untaggedDays,
		}),
`, ""},
	{"cicd/deployer.go", "any environment of the repository may deploy", `":"+kind+name)`, `":"+kind+name[:0]+"*")`},
	{"keys/facts.go", "a deploy role rewrites the policy of another stack's key", `own := policy.Conditions{"StringEquals":`,
		`own := policy.Conditions{"StringEqualsIfExists":`},
	{"cicd/deployer.go", "a token with another audience is accepted", `issuer + ":aud": "sts.amazonaws.com", `, ""},

	{"ecs/service.go", "no circuit breaker", `		DeploymentCircuitBreaker: &awsecs.ServiceDeploymentCircuitBreakerArgs{
			Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true),
		},
`, ""},
	{"ecs/scaling.go", "no scaling by requests", `		{"requests", "ALBRequestCountPerTarget", cmp.Or(args.RequestsPerTarget, 1000),
			pulumi.Sprintf("%s/%s", args.Balancer.LoadBalancerSuffix, args.Balancer.TargetGroupSuffix)},
`, ""},
	{"ecs/service.go", "the service does not wait for the migration",
		"[]pulumi.Resource{args.Balancer, args.Roles, args.Cluster}, args.After...)",
		"[]pulumi.Resource{args.Balancer, args.Roles, args.Cluster})"},
	{"ecs/migration.go", "an update does not run the migration", ", BeforeUpdate: []*pulumi.ResourceHook{hook}", ""},

	{"batch/job.go", "no dead-letter queue",
		"			DeadLetterConfig: &scheduler.ScheduleTargetDeadLetterConfigArgs{Arn: args.Timetable.QueueARN},\n", ""},
	{"batch/timetable.go", "the alarm for failed jobs notifies no one", "			AlarmActions:       pulumi.Array{args.TopicARN},\n", ""},
	{"batch/job.go", "the scheduler may not pass the roles", `, {
		Sid:        "PassItsRoles",
		Actions:    []string{"iam:PassRole"},
		Resources:  []any{args.Roles.ExecutionARN, args.Roles.TaskARN},
		Conditions: map[string]map[string]any{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
	}`, ""},

	{"logging/group.go", "log groups are not forwarded", "	if args.Archive != nil {", "	if args.Archive != nil && args.Days < 0 {"},
	{"ecs/facts.go", "no alarm for 5xx responses of the site",
		`	{Name: "5xx-site", Why: "The site answers 5xx. Look at the django log group for errors with the request id.",
		Namespace: "AWS/ApplicationELB", Metric: "HTTPCode_Target_5XX_Count", Statistic: "Sum", Dimensions: ofTargets,
		Above: true, Threshold: 5, Minutes: 5, Period: 60, Release: true, Next: "logs --since 15m",
		Check: []string{
			"` + "`" + `slipway logs --since 15m --filter ERROR` + "`" + `: the exception, with the request's id",
			"` + "`" + `slipway status` + "`" + `: did it begin with a release? Then ` + "`" + `slipway rollback` + "`" + `",
			"the database: ` + "`" + `database-connections` + "`" + ` and ` + "`" + `database-cpu` + "`" + ` often fire with it",
		}},
`, ""},
	{"datastore/facts.go", "what a lost database means is forgotten", `		Missing: "up creates an empty database; restore a snapshot first",
`, ""},
	{"logging/stream.go", "batches of log events run into each other", `pulumi.String("AppendDelimiterToRecord")`,
		`pulumi.String("RecordDeAggregation")`},
	{"ecs/waf.go", "the web ACL does not wait for its log delivery policy", `[]pulumi.Resource{delivery}`, `[]pulumi.Resource{delivery}[:0]`},
	{"logging/stream.go", "Firehose logs no errors",
		`				Enabled: pulumi.Bool(true), LogGroupName: errors.Name, LogStreamName: errorStream.Name,
`, "				Enabled: pulumi.Bool(false), LogGroupName: errors.Name, LogStreamName: errorStream.Name,\n"},

	{"bastion/host.go", "metadata without a session token (IMDSv1)", `pulumi.String("required")`, `pulumi.String("optional")`},
	{"bastion/session.go", "the bastion may not record sessions",
		"		{Sid: \"KeepSession\", Actions: []string{\"s3:PutObject\"}, Resources: []any{pulumi.Sprintf(\"%s/%s/*\", bucket, a.logPrefix())}},\n",
		""},

	{"internal/bucket/bucket.go", "public policies are not blocked", `BlockPublicPolicy: pulumi.Bool(public.BlockPolicy), `, ""},
	{"internal/bucket/hardening/hardening.go", "ACLs of a bucket count", `IgnoreACLs: true, `, ""},
	{"internal/bucket/bucket.go", "a bucket accepts plain HTTP",
		`[]policy.Statement{policy.TLSOnly("s3", b.ARN, pulumi.Sprintf("%s/*", b.ARN))}`, `[]policy.Statement(nil)`},
	{"internal/fargate/roles.go", "the execution role reads no secrets",
		"return append(statements, args.Binding.ReadSecrets()...)", "return statements"},
	{"internal/fargate/roles.go", "the execution role writes no logs", "	if len(args.Groups) > 0 {", "	if len(args.Groups) > 1e6 {"},
}
