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

// service is a service of AWS as clients in the region reach it.
func (r region) service(name string) reach.Service {
	s := reach.Service{Name: name, Gateway: slices.Contains(gatewayServices, name)}
	patterns := hostNames[name]
	if patterns == nil {
		patterns = []string{name + ".{region}"}
	}
	for _, p := range patterns {
		s.Hosts = append(s.Hosts, strings.ReplaceAll(p, "{region}", r.name)+"."+r.dnsSuffix())
	}
	return s
}

// serviceAt is the service of AWS that a host name belongs to; empty if it is none in this region.
func (r region) serviceAt(host string) reach.Service {
	rest, ok := strings.CutSuffix(host, "."+r.name+"."+r.dnsSuffix())
	if !ok {
		return reach.Service{}
	}
	switch {
	case rest == "api.ecr":
		return r.service("ecr.api")
	case strings.HasSuffix(rest, ".dkr.ecr"):
		return r.service("ecr.dkr")
	case rest == "s3" || strings.HasSuffix(rest, ".s3") || strings.HasSuffix(rest, ".s3.dualstack"):
		return r.service("s3")
	case rest == "firehose":
		return r.service("kinesis-firehose")
	case rest == "kinesis":
		return r.service("kinesis-streams")
	case slices.Contains(endpointServices, rest):
		return r.service(rest)
	}
	return reach.Service{}
}

// hostOf is a host name of a service: the name itself, or one that its wildcard covers.
func (r region) hostOf(service, name string) string {
	host := r.service(service).Hosts[0]
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

// endpointName is the name of a service's endpoint in the region.
func (r region) endpointName(service, kind string) string {
	name := "com.amazonaws." + r.name + "." + service
	if r.partition() == "aws-cn" && (slices.Contains(chineseNames, service) || service == "s3" && kind == "Interface") {
		return "cn." + name
	}
	return name
}

// endpointService is the service that an endpoint's name stands for, as in com.amazonaws.REGION.SERVICE; empty if it is none of AWS's.
func (r region) endpointService(name string) string {
	service, ok := strings.CutPrefix(strings.TrimPrefix(name, "cn."), "com.amazonaws."+r.name+".")
	if !ok {
		return ""
	}
	return service
}

// endpointServices are the services with interface endpoints in all modelled regions.
var endpointServices = words(`s3 dynamodb ecr.api ecr.dkr ecs ecs-agent ecs-telemetry logs monitoring events ssm ssmmessages ec2messages ec2
	secretsmanager kms sts sns sqs kinesis-firehose kinesis-streams scheduler elasticloadbalancing rds rds-data application-
	autoscaling autoscaling backup servicediscovery data-servicediscovery athena glue states lambda execute-api xray email-
	smtp cloudtrail config codebuild codepipeline acm-pca elasticache elasticfilesystem synthetics guardduty-data inspector2
	securityhub access-analyzer`)

// gatewayServices also have gateway endpoints.
var gatewayServices = words("s3 dynamodb")
