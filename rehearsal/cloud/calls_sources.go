package cloud

import (
	"fmt"
	"strings"
	"sync"
)

// The calls of data sources, and those of the program itself beside the provider.

const (
	callerPage = "https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"
	runTask    = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_id-based-policy-examples.html"
)

// sourceTable has the calls of data sources. One without calls answers from the provider's configuration, or needs no permission:
// GetCallerIdentity works even where a policy denies it (callerPage).
var sourceTable = map[string]lifecycle{
	"aws:index/getCallerIdentity:getCallerIdentity":       {source: callerPage},
	"aws:index/getRegion:getRegion":                       {source: "the provider's configuration"},
	"aws:index/getPartition:getPartition":                 {source: "the provider's configuration"},
	"aws:iam/getPolicyDocument:getPolicyDocument":         {source: "the provider computes it"},
	"aws:ec2/getSubnets:getSubnets":                       {source: ec2Page, read: all(call("ec2:DescribeSubnets", "*"))},
	"aws:index/getAvailabilityZones:getAvailabilityZones": {source: ec2Page, read: all(call("ec2:DescribeAvailabilityZones", "*"))},
	"aws:ec2/getAmi:getAmi":                               {source: ec2Page, read: all(call("ec2:DescribeImages", "*"))},
	"aws:ssm/getParameter:getParameter":                   {source: ssmPage, read: all(call("ssm:GetParameter").on_(parameterNamed))},
	"aws:ecr/getAuthorizationToken:getAuthorizationToken": {source: ecrPage, read: all(call("ecr:GetAuthorizationToken", "*"))},
	"aws:ecr/getCredentials:getCredentials":               {source: ecrPage, read: all(call("ecr:GetAuthorizationToken", "*"))},
	"aws:kms/getAlias:getAlias": {source: kmsPage, read: all(call("kms:ListAliases", "*"),
		call("kms:DescribeKey").on_(keyOfAlias))},
	"aws:route53/getZone:getZone": {source: dnsPage, read: all(call("route53:ListHostedZones", "*"),
		call("route53:GetHostedZone").on_(zoneNamed), call("route53:ListTagsForResource").on_(zoneNamed))},
}

// parameterNamed is a parameter of the account, or a public one, which belongs to no account.
func parameterNamed(v view) []string {
	name := v.str("name")
	if strings.HasPrefix(name, "/aws/") {
		return []string{"arn:" + v.a.Partition + ":ssm:" + v.a.Region + "::parameter" + name}
	}
	return []string{v.a.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))}
}

func keyOfAlias(v view) []string {
	if key := keyNamed(v.a, v.str("name")); key != nil {
		return []string{Inputs(key.Outputs).String("arn")}
	}
	return nil
}

func zoneNamed(v view) []string {
	for _, zone := range v.a.list(zoneType) {
		if zone.ID == v.str("zoneId") || Inputs(zone.Outputs).String("name") == strings.TrimSuffix(v.str("name"), ".") {
			return []string{"arn:" + v.a.Partition + ":route53:::hostedzone/" + zone.ID}
		}
	}
	return nil
}

// taskRunCalls are the calls that run a task and wait for it.
func taskRunCalls() lifecycle {
	inCluster := func(r row) row { return r.with(clusterOfService) }
	return lifecycle{source: runTask, create: []row{
		inCluster(call("ecs:RunTask", "{definition}")),
		passes("executionRoleArn", "ecs-tasks.amazonaws.com"), passes("taskRoleArn", "ecs-tasks.amazonaws.com"),
		inCluster(call("ecs:DescribeTasks", "ecs:task/{cluster|last}/*")),
	}}
}

// callTable is the table by resource type and data source.
var callTable = sync.OnceValue(func() map[string]lifecycle {
	table := map[string]lifecycle{taskRunType: taskRunCalls()}
	for _, group := range []map[string]lifecycle{networkCalls(), computeCalls(), dataCalls(), cacheCalls(), identityCalls(),
		signalCalls(), sourceTable} {
		for token, l := range group {
			if _, twice := table[token]; twice {
				panic(fmt.Sprintf("cloud: two tables of calls for %s", token))
			}
			table[token] = l
		}
	}
	return table
})
