package cicd

import (
	"fmt"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// OnCallArgs describe whose stack it is.
type OnCallArgs struct {
	Site        wiring.Site
	StateBucket string // "": none
	StateKeyARN string
	Database    string // name of the SSM parameter with the password of the site's role
	Psql        bool   // the stack has an image with psql
}

// OnCall is the policy of a person on call: what status, logs, doctor, exec, task, job, shell, db, scale, restart, pause and resume
// need for this stack. It deploys nothing, deletes nothing, and changes no role, key, network or code.
//
// A person who may run commands in the site's containers may do what the site may do: read its data and its secrets.
func OnCall(args OnCallArgs) (string, error) {
	var all []policy.Statement
	for _, part := range [][]policy.Statement{lookAtStack(args.Site), readLogs(args.Site), enterTasks(args),
		pullPsql(args), actOnStack(args.Site), recordPause(args)} {
		all = append(all, part...)
	}
	return policy.JSON(all...)
}

// owned limits a statement to resources with the stack's tags.
func owned(site wiring.Site, more policy.Conditions) policy.Conditions {
	conditions := policy.Conditions{"StringEquals": catalog.Tagged(site, "aws:ResourceTag")}
	for operator, keys := range more {
		if conditions[operator] == nil {
			conditions[operator] = map[string]any{}
		}
		for key, value := range keys {
			conditions[operator][key] = value
		}
	}
	return conditions
}

func clusterOf(site wiring.Site) string { return site.ARN("ecs", "cluster/"+site.Name("site")) }

func tasksOf(site wiring.Site) string { return site.ARN("ecs", "task/"+site.Name("site")+"/*") }

func servicesOf(site wiring.Site) string {
	return site.ARN("ecs", "service/"+site.Name("site")+"/"+site.Name("*"))
}

// lookAtStack is what status and doctor ask. These calls take no resource, unless a statement names some (Service Authorization
// Reference).
func lookAtStack(site wiring.Site) []policy.Statement {
	return []policy.Statement{
		{
			Sid: "LookAround",
			Actions: []string{
				"application-autoscaling:DescribeScalableTargets", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData",
				"ecs:DescribeTaskDefinition", "elasticloadbalancing:DescribeTargetHealth", "ssm:DescribeParameters",
			},
			Resources: []any{"*"},
		},
		{
			Sid: "FindTasks", Actions: []string{"ecs:ListTasks"}, Resources: []any{"*"},
			Conditions: policy.Conditions{"ArnEquals": {"ecs:cluster": clusterOf(site)}},
		},
		{
			Sid: "LookAtServices",
			Actions: []string{"ecs:DescribeServiceDeployments", "ecs:DescribeServices", "ecs:DescribeTasks",
				"ecs:ListServiceDeployments"},
			Resources: []any{servicesOf(site), tasksOf(site), site.ARN("ecs", "service-deployment/"+site.Name("site")+"/*")},
		},
		{
			Sid: "LookAtData", Actions: []string{"elasticache:DescribeReplicationGroups", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots"},
			Resources: append(catalog.Named(site, "rds", "db:", "snapshot:", "snapshot:rds:"),
				catalog.Named(site, "elasticache", "replicationgroup:")...),
		},
		{
			Sid: "LookAtCertificate", Actions: []string{"acm:DescribeCertificate"}, Resources: []any{site.ARN("acm", "certificate/*")},
			Conditions: owned(site, nil),
		},
		{
			Sid: "LookAtImages", Actions: []string{"ecr:DescribeImages"},
			Resources: []any{site.ARN("ecr", fmt.Sprintf("repository/%s-%s/*", site.Project, site.Stack))},
		},
	}
}

// readLogs opens the log groups and the archive. CloudWatch Logs opens an encrypted group itself, S3 with the caller's right to the key.
func readLogs(site wiring.Site) []policy.Statement {
	bucket := fmt.Sprintf("arn:%s:s3:::%s*", site.Partition, site.Name("logs-"))
	return []policy.Statement{
		{
			Sid:       "ReadLogs",
			Actions:   []string{"logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"},
			Resources: []any{site.ARN("logs", "log-group:"+site.Path("*"))},
		},
		{Sid: "FindArchive", Actions: []string{"s3:ListBucket"}, Resources: []any{bucket}},
		{Sid: "ReadArchive", Actions: []string{"s3:GetObject"}, Resources: []any{bucket + "/*"}},
		{
			Sid: "OpenKeys", Actions: []string{"kms:Decrypt"}, Resources: []any{site.ARN("kms", "key/*")},
			Conditions: owned(site, policy.Conditions{"StringEquals": {"kms:ViaService": []any{
				catalog.Endpoint(site, "s3"), catalog.Endpoint(site, "ssm"),
			}}}),
		},
	}
}

// enterTasks runs commands: in running tasks, in tasks of their own, on the bastion, and in the database.
func enterTasks(args OnCallArgs) []policy.Statement {
	site := args.Site
	var tasks []any
	for _, part := range []string{"task", "migration", "job-*"} {
		tasks = append(tasks, site.ARN("ecs", "task-definition/"+site.Name(part)+":*"))
	}
	var roles []any
	for _, part := range []string{"site-execution", "site-task", "migration-execution", "migration-task"} {
		roles = append(roles, catalog.Global(site, "iam", "role/"+site.Name(part)))
	}
	inCluster := policy.Conditions{"ArnEquals": {"ecs:cluster": clusterOf(site)}}
	return []policy.Statement{
		{Sid: "EnterTasks", Actions: []string{"ecs:ExecuteCommand"}, Resources: []any{clusterOf(site), tasksOf(site)}},
		{Sid: "RunTasks", Actions: []string{"ecs:RunTask"}, Resources: tasks, Conditions: inCluster},
		{Sid: "StopTasks", Actions: []string{"ecs:StopTask"}, Resources: []any{tasksOf(site)}, Conditions: inCluster},
		{
			Sid: "TagTasks", Actions: []string{"ecs:TagResource"}, Resources: []any{tasksOf(site)},
			Conditions: policy.Conditions{"StringEquals": {"ecs:CreateAction": "RunTask"}},
		},
		{
			Sid: "PassTaskRoles", Actions: []string{"iam:PassRole"}, Resources: roles,
			Conditions: policy.Conditions{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
		},
		{
			Sid: "OpenTunnels", Actions: []string{"ssm:StartSession"},
			Resources: []any{tasksOf(site), fmt.Sprintf("arn:%s:ssm:%s::document/AWS-StartPortForwardingSessionToRemoteHost", site.Partition,
				site.Region)},
		},
		{
			Sid: "EnterBastion", Actions: []string{"ssm:StartSession"}, Resources: []any{site.ARN("ec2", "instance/*")},
			Conditions: policy.Conditions{"StringEquals": catalog.Tagged(site, "ssm:resourceTag")},
		},
		// Without the check, a session without a document would be one of the account's default document.
		{
			Sid: "RecordBastion", Actions: []string{"ssm:StartSession"}, Resources: []any{site.ARN("ssm", "document/"+site.Name("session"))},
			Conditions: policy.Conditions{"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}},
		},
		{
			Sid: "EndSessions", Actions: []string{"ssm:ResumeSession", "ssm:TerminateSession"},
			Resources: []any{site.ARN("ssm", "session/${aws:userid}-*")},
		},
		{
			Sid: "SealSessions", Actions: []string{"kms:GenerateDataKey"}, Resources: []any{site.ARN("kms", "key/*")},
			Conditions: owned(site, nil),
		},
		{
			Sid: "ReadPassword", Actions: []string{"ssm:GetParameter"},
			Resources: []any{site.ARN("ssm", "parameter"+args.Database)},
		},
	}
}

// pullPsql pulls the image with psql, and no other: the site's own images have its code.
func pullPsql(args OnCallArgs) []policy.Statement {
	if !args.Psql {
		return nil
	}
	return []policy.Statement{
		{Sid: "SignInToRegistry", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []any{"*"}},
		{
			Sid: "PullPsql", Actions: pulls,
			Resources: []any{args.Site.ARN("ecr", "repository/"+repositoryName(args.Site, psqlPart))},
		},
	}
}

// actOnStack is scale, restart, pause and resume. Application Auto Scaling checks the caller's rights on the service, and a schedule that
// is changed passes its role again.
func actOnStack(site wiring.Site) []policy.Statement {
	return []policy.Statement{
		{Sid: "ScaleServices", Actions: []string{"ecs:UpdateService"}, Resources: []any{servicesOf(site)}},
		{
			Sid: "ScaleTargets", Actions: []string{"application-autoscaling:RegisterScalableTarget"},
			Resources: []any{site.ARN("application-autoscaling", "scalable-target/*")}, Conditions: owned(site, nil),
		},
		{Sid: "StopDatabase", Actions: []string{"rds:StartDBInstance", "rds:StopDBInstance"}, Resources: catalog.Named(site, "rds", "db:")},
		{
			Sid: "SwitchSchedules", Actions: []string{"scheduler:GetSchedule", "scheduler:UpdateSchedule"},
			Resources: []any{site.ARN("scheduler", "schedule/"+site.Name("jobs")+"/*")},
		},
		{
			Sid: "PassStarters", Actions: []string{"iam:PassRole"},
			Resources:  []any{catalog.Global(site, "iam", "role/"+site.Name("job-*-starter"))},
			Conditions: policy.Conditions{"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
		},
	}
}

// recordPause reads the state, in which the names of the resources are, and keeps the record of a pause beside it. Nothing else of the
// state can be written.
func recordPause(args OnCallArgs) []policy.Statement {
	if args.StateBucket == "" {
		return nil
	}
	bucket := fmt.Sprintf("arn:%s:s3:::%s", args.Site.Partition, args.StateBucket)
	all := []policy.Statement{
		{Sid: "FindState", Actions: []string{"s3:ListBucket"}, Resources: []any{bucket}},
		{Sid: "ReadState", Actions: []string{"s3:GetObject"}, Resources: []any{bucket + "/*"}},
		{
			Sid: "RecordPause", Actions: []string{"s3:DeleteObject", "s3:PutObject"},
			Resources: []any{fmt.Sprintf("%s/.slipway/paused/%s/%s.json", bucket, args.Site.Project, args.Site.Stack)},
		},
	}
	if args.StateKeyARN != "" {
		all = append(all, policy.Statement{
			Sid: "OpenState", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []any{args.StateKeyARN},
		})
	}
	return all
}
