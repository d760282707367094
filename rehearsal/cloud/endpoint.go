package cloud

import (
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// endpointNames are the endpoints of services that are not called like the prefix of their actions (AWS PrivateLink guide, "AWS services
// that integrate with AWS PrivateLink"). Fargate pulls an image through both endpoints of ECR (ECR User Guide, "Amazon ECR interface VPC
// endpoints").
var endpointNames = map[string][]string{
	"cloudwatch": {"monitoring"}, "ecr": {"ecr.api", "ecr.dkr"}, "firehose": {"kinesis-firehose"}, "kinesis": {"kinesis-streams"},
}

// passEndpoints are the policies of the endpoints that a call passes: a gateway or interface endpoint of its network for its service. The
// request then carries the endpoint and its network.
func (a *Account) passEndpoints(r iam.Request, call Call) []*iam.Document {
	if call.VPC == "" {
		return nil
	}
	service, _, _ := strings.Cut(call.Action, ":")
	names := endpointNames[service]
	if names == nil {
		names = []string{service}
	}
	var all []*iam.Document
	for _, e := range a.list(endpointType) {
		in := Inputs(e.Outputs)
		name, ok := strings.CutPrefix(in.String("serviceName"), "com.amazonaws."+a.Region+".")
		if !ok || in.String("vpcId") != call.VPC || !slices.Contains(names, name) ||
			in.String("vpcEndpointType") == "Interface" && !in.Bool("privateDnsEnabled") {
			continue
		}
		r.Context.Set("aws:SourceVpce", iam.One(e.ID))
		r.Context.Set("aws:SourceVpc", iam.One(call.VPC))
		if d := a.document(e, "policy"); d != nil {
			all = append(all, d)
		}
	}
	return all
}
