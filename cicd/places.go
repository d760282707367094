package cicd

import "slipway/internal/catalog"

// places is the order of the statements in the documents that are deployed. A document whose text changes is an update of
// the policy in every stack, so what is listed here keeps its place. A statement that is not listed comes after these; a
// new resource needs no line here.
var places = []catalog.Place{
	{Sid: "LookAtNetwork", First: []string{"ec2:DescribeA", "ec2:DescribeF", "ec2:DescribeIa", "ec2:DescribeIm", "ec2:DescribeInstanceA",
		"ec2:DescribeInstanceC", "ec2:DescribeInstanceS", "ec2:DescribeInstanceT"}},
	{Sid: "BuildNetwork"}, {Sid: "RunBastion"},

	{Sid: "LookAtEdge", First: []string{"elasticloadbalancing:", "route53:"}},
	{Sid: "BuildBalancer"}, {Sid: "KeepWAF"}, {Sid: "Certify"}, {Sid: "NameSite"}, {Sid: "AwaitNames"},

	{Sid: "LookAtData"},
	{Sid: "KeepDatabase", First: []string{":db:", ":pg:", ":subgrp:", ":snapshot:", ":es:", ":pg:default"}},
	{Sid: "KeepBuckets", First: []string{"-access-*", "-logs-*", "-media-*"}},
	{Sid: "KeepParameters"}, {Sid: "ReadPublicParameters"}, {Sid: "KeepSessionDocument"},

	{Sid: "LookAtKeys"}, {Sid: "MakeKeys"}, {Sid: "TagNewKeys"}, {Sid: "KeepKeys"}, {Sid: "NameKeys"}, {Sid: "KeepAliases"},
	{Sid: "UseKeysThroughServices"}, {Sid: "EncryptDisks"}, {Sid: "GrantKeysToServices"}, {Sid: "RetireGrants"},

	{Sid: "LookAtCompute"}, {Sid: "FindTasks"}, {Sid: "KeepServices"}, {Sid: "Scale"}, {Sid: "KeepSchedules"}, {Sid: "PushImages"},
	{Sid: "PullReleases"},

	{Sid: "LookAtLogs", First: []string{"logs:", "cloudwatch:"}},
	{Sid: "KeepLogGroups", First: []string{"logs:", ":/aws/ecs/", ":/aws/rds/", ":aws-waf-"}},
	{Sid: "DeliverLogs"}, {Sid: "KeepStreams"}, {Sid: "TagAlarms"}, {Sid: "KeepAlarms"}, {Sid: "OtherStacksAlarms"},
	{Sid: "OtherProjectsAlarms"}, {Sid: "KeepDashboard"}, {Sid: "KeepTopics"}, {Sid: "KeepQueues"}, {Sid: "KeepRules"},

	{Sid: "KeepRoles", First: []string{":role/", ":policy/", ":instance-profile/"}},
	{Sid: "WidenBoundRoles"}, {Sid: "LookAtProvider"}, {Sid: "PassRoles"}, {Sid: "PassSubscriptionRole"}, {Sid: "FirstUseOfServices"},
	{Sid: "NeverChangeItself"}, {Sid: "NeverManageStateBuckets"}, {Sid: "NeverManageStateKeys"},
	{Sid: "NeverManageStateKeysByAlias"}, {Sid: "NeverManageBootstrapKeys"},
}

// boundaryPlaces is the same for the boundary.
var boundaryPlaces = []catalog.Place{
	{Sid: "WriteLogs"}, {Sid: "WriteDatabaseMetrics"}, {Sid: "SendLogs"},
	{Sid: "UseBuckets", First: []string{"-media-*"}},
	{Sid: "UseKeys"}, {Sid: "NeverUseStateKeys"}, {Sid: "NeverUseBootstrapKeys"}, {Sid: "ReadSecrets"}, {Sid: "PullImages"},
	{Sid: "RunJobs"}, {Sid: "TagTasks"}, {Sid: "PassRolesToTasks"}, {Sid: "ReportFailures"}, {Sid: "SpeakToSystemsManager"},
	{Sid: "ReadDocuments"}, {Sid: "SignInToRegistry"}, {Sid: "FindLogGroups"},
}
