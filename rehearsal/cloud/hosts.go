package cloud

import (
	"slices"
	"strings"

	"slipway/rehearsal/reach"
)

// The host names of AWS's services, and the names of their VPC endpoints, by partition.

// hostNames are the services whose host names are not SERVICE.REGION.SUFFIX, by the name of their endpoint (AWS PrivateLink Guide,
// "AWS services that integrate with AWS PrivateLink", and the page of each service; ECR User Guide, "Amazon ECR interface VPC endpoints").
var hostNames = map[string][]string{
	"ecr.api":          {"api.ecr.{region}"},
	"ecr.dkr":          {"*.dkr.ecr.{region}"},
	"s3":               {"s3.{region}", "*.s3.{region}", "*.s3.dualstack.{region}"},
	"kinesis-firehose": {"firehose.{region}"},
	"kinesis-streams":  {"kinesis.{region}"},
	"ecs-agent":        {"ecs-a-1.{region}"},
	"ecs-telemetry":    {"ecs-t-1.{region}"},
}

// awsService is a service of AWS as clients in the account's region reach it.
func (a *Account) awsService(name string) reach.Service {
	s := reach.Service{Name: name, Gateway: slices.Contains(gatewayServices, name)}
	patterns := hostNames[name]
	if patterns == nil {
		patterns = []string{name + ".{region}"}
	}
	for _, p := range patterns {
		s.Hosts = append(s.Hosts, strings.ReplaceAll(p, "{region}", a.Region)+"."+a.domain())
	}
	return s
}

// serviceAt is the service of AWS that a host name belongs to; empty if it is none in this region.
func (a *Account) serviceAt(host string) reach.Service {
	rest, ok := strings.CutSuffix(host, "."+a.Region+"."+a.domain())
	if !ok {
		return reach.Service{}
	}
	switch {
	case rest == "api.ecr":
		return a.awsService("ecr.api")
	case strings.HasSuffix(rest, ".dkr.ecr"):
		return a.awsService("ecr.dkr")
	case rest == "s3" || strings.HasSuffix(rest, ".s3") || strings.HasSuffix(rest, ".s3.dualstack"):
		return a.awsService("s3")
	case rest == "firehose":
		return a.awsService("kinesis-firehose")
	case rest == "kinesis":
		return a.awsService("kinesis-streams")
	case slices.Contains(endpointServices, rest):
		return a.awsService(rest)
	}
	return reach.Service{}
}

// hostOf is a host name of a service: the name itself, or one that its wildcard covers.
func (a *Account) hostOf(service, name string) string {
	host := a.awsService(service).Hosts[0]
	if rest, wild := strings.CutPrefix(host, "*"); wild {
		return name + rest
	}
	if name != "" {
		return name + "." + host
	}
	return host
}

// chineseNames are the services whose endpoints in China are called cn.com.amazonaws.REGION.SERVICE; the others are com.amazonaws there
// too. AWS documents it by DescribeVpcEndpointServices only: the lists are in aws/aws-cdk#16139 and #25333.
var chineseNames = words(`application-autoscaling athena autoscaling backup ec2 ecr.api ecr.dkr elasticache elasticfilesystem execute-api
	kinesis-streams lambda monitoring rds securityhub sqs states sts synthetics xray`)

// endpointName is the name of a service's endpoint in the account's region.
func (a *Account) endpointName(service, kind string) string {
	name := "com.amazonaws." + a.Region + "." + service
	if a.Partition == "aws-cn" && (slices.Contains(chineseNames, service) || service == "s3" && kind == "Interface") {
		return "cn." + name
	}
	return name
}

// endpointService is the service that an endpoint's name stands for, as in com.amazonaws.REGION.SERVICE; empty if it is none of AWS's.
func (a *Account) endpointService(name string) string {
	service, ok := strings.CutPrefix(strings.TrimPrefix(name, "cn."), "com.amazonaws."+a.Region+".")
	if !ok {
		return ""
	}
	return service
}
