package incidents_test

import (
	"slices"
	"strings"
	"testing"
)

// A network without NAT has an endpoint for each service. A policy there that does not admit the site's roles stops the calls that pass
// the endpoint, and no others.
func TestEndpointsThatDoNotAdmitTheSite(t *testing.T) {
	const settings = `config:
  aws:region: us-east-1
  slipway:network: {nat: none}
  slipway:bastion: {enabled: true}
`
	to := target(checkout(t, map[string]string{"Pulumi.local.yaml": settings}), "local")
	must(t, up(t, to))
	if found := account(t, dir(to)).Findings(); len(found) > 0 {
		t.Fatalf("the program itself: %+v", found)
	}
	for endpoint, want := range map[string]struct{ resource, says string }{
		// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
		"network-ecr.api": {"web", "ecr:BatchGetImage"},
		"network-ecr.dkr": {"web", "ecr:BatchGetImage"},
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
		"network-logs":        {"web", "logs:PutLogEvents"},
		"network-ssm":         {"web", "ssm:GetParameters"},
		"network-ssmmessages": {"web", "ssmmessages:OpenDataChannel"},
		"network-kms":         {"web", "kms:Decrypt"},
		"network-s3":          {"web", "s3:PutObject"},
	} {
		t.Run(endpoint, func(t *testing.T) {
			a := account(t, dir(to))
			replaced("VpcEndpoint", endpoint, "policy", `"aws:PrincipalAccount":"123456789012"`, `"aws:PrincipalAccount":"333333333333"`)(t, a)
			var said []string
			for _, f := range a.Findings() {
				text := strings.Join(f.Chain, "\n")
				said = append(said, f.Resource+" "+text)
				// SSM decrypts the settings on behalf of the role, and comes from its own network.
				if !strings.Contains(text, "endpoint policy") || strings.Contains(text, "site-execution -> kms:Decrypt") {
					t.Errorf("another kind of refusal: %s", text)
				}
			}
			if !slices.ContainsFunc(said, func(s string) bool {
				return strings.Contains(s, "::"+want.resource+" ") && strings.Contains(s, want.says)
			}) {
				t.Errorf("%s is not refused %s:\n%s", want.resource, want.says, strings.Join(said, "\n"))
			}
		})
	}
}
