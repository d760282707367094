package cicd_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/cicd"
	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/site"
)

func recordBoundary(t *testing.T) graph.Resource {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := cicd.NewBoundary(ctx, "boundary", &cicd.BoundaryArgs{Site: devSite, Facts: site.Catalog(devSite)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g.Named("aws:iam/policy:Policy", "boundary")
}

func TestTheBoundarySpecIsThatOfTheProgram(t *testing.T) {
	made, spec := recordBoundary(t), (&cicd.BoundaryArgs{Site: devSite, Facts: site.Catalog(devSite)}).PolicySpec()
	if diff := cmp.Diff(statements(t, made.Input("policy")), statements(t, spec.Document)); diff != "" {
		t.Errorf("-program +spec:\n%s", diff)
	}
	if made.Input("name") != spec.Name || made.Input("description") != spec.Description {
		t.Errorf("the program's is %v (%v), the spec's is %s (%s)", made.Input("name"), made.Input("description"), spec.Name, spec.Description)
	}
	if len(spec.Document) > 6144 {
		t.Errorf("%d characters; IAM takes 6144", len(spec.Document))
	}
}

// A role within the boundary cannot extend its permissions, and by name reaches only resources of this stack.
func TestTheBoundaryHoldsTheStackAlone(t *testing.T) {
	everywhere := []string{ // calls that know no narrower resource
		"arn:aws:logs:us-east-1:123456789012:log-group:*", "arn:aws:logs:us-east-1:123456789012:log-group:RDS*",
		"arn:aws:kms:us-east-1:123456789012:key/*", "arn:aws:ssm:us-east-1:*:document/AWS*",
	}
	for _, s := range statements(t, recordBoundary(t).Input("policy")) {
		if s.Effect == "Deny" {
			continue
		}
		for _, action := range s.Action {
			service, call, _ := strings.Cut(action, ":")
			switch {
			case strings.Contains(action, "*"), service == "sts", service == "iam" && call != "PassRole":
				t.Errorf("%s allows %s", s.Sid, action)
			case call == "PassRole":
				if diff := cmp.Diff(map[string]map[string]policy.Many{"StringEquals": {"iam:PassedToService": {"ecs-tasks.amazonaws.com"}}},
					s.Condition); diff != "" {
					t.Errorf("roles are passed (-want +got):\n%s", diff)
				}
			}
		}
		for _, resource := range s.Resource {
			if resource == "*" && !slices.Contains([]string{"SpeakToSystemsManager", "SignInToRegistry"}, s.Sid) {
				t.Errorf("%s is about everything", s.Sid)
			}
			if resource != "*" && !strings.Contains(resource, "slipway-dev") && !strings.Contains(resource, "/slipway/dev/") &&
				!slices.Contains(everywhere, resource) {
				t.Errorf("%s is about %s, which does not name the stack", s.Sid, resource)
			}
		}
	}
}

// The deploy role can only create and extend roles within the boundary, and cannot change the boundary.
func TestTheDeployRoleWidensRolesWithinTheBoundaryOnly(t *testing.T) {
	const own, theirs = "arn:aws:iam::123456789012:policy/slipway-dev-boundary", "arn:aws:iam::123456789012:policy/ours"
	for given, want := range map[string]string{"": own, theirs: theirs} {
		args := deployerOf()
		args.BoundaryARN = given
		widens, denied := 0, false
		for _, s := range granted(t, recordDeployer(t, args)) {
			for _, action := range s.Action {
				_, call, _ := strings.Cut(action, ":")
				switch {
				case s.Effect == "Deny":
					denied = denied || slices.Contains(s.Resource, want) && slices.Contains(s.Action, "iam:CreatePolicyVersion")
				case slices.Contains([]string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"}, action):
					widens++
					if diff := cmp.Diff(map[string]map[string]policy.Many{"StringEquals": {"iam:PermissionsBoundary": {want}}}, s.Condition); diff != "" {
						t.Errorf("%s (-want +got):\n%s", action, diff)
					}
				case action == "iam:DeleteRolePermissionsBoundary",
					strings.HasPrefix(action, "iam:") && strings.Contains(call, "Policy") &&
						(strings.HasPrefix(call, "Create") || strings.HasPrefix(call, "Set")):
					t.Errorf("%s allows %s", s.Sid, action)
				}
			}
		}
		if widens != 4 || !denied {
			t.Errorf("boundary %q: %d calls widen roles, want 4; that it changes is denied: %v", given, widens, denied)
		}
	}
}

// The two policies of AWS's that roles of the stack have are theirs within the boundary too, but for parameters and
// for documents of the whole account. Source: the policies' texts in the AWS Managed Policy Reference Guide.
func TestTheBoundaryHoldsWhatServicesNeed(t *testing.T) {
	for action, resource := range map[string]string{
		"logs:CreateLogGroup":     "arn:aws:logs:us-east-1:123456789012:log-group:RDS*",
		"logs:PutRetentionPolicy": "arn:aws:logs:us-east-1:123456789012:log-group:RDS*",
		"logs:PutLogEvents":       "arn:aws:logs:us-east-1:123456789012:log-group:RDS*",
		"logs:GetLogEvents":       "arn:aws:logs:us-east-1:123456789012:log-group:RDS*",
		"ssm:DescribeAssociation": "*", "ssm:GetDeployablePatchSnapshotForInstance": "*", "ssm:GetManifest": "*", "ssm:ListAssociations": "*",
		"ssm:ListInstanceAssociations": "*", "ssm:PutInventory": "*", "ssm:PutComplianceItems": "*", "ssm:PutConfigurePackageResult": "*",
		"ssm:UpdateAssociationStatus": "*", "ssm:UpdateInstanceAssociationStatus": "*", "ssm:UpdateInstanceInformation": "*",
		"ssmmessages:CreateControlChannel": "*", "ssmmessages:CreateDataChannel": "*", "ssmmessages:OpenControlChannel": "*",
		"ssmmessages:OpenDataChannel": "*", "ec2messages:AcknowledgeMessage": "*", "ec2messages:DeleteMessage": "*",
		"ec2messages:FailMessage": "*", "ec2messages:GetEndpoint": "*", "ec2messages:GetMessages": "*", "ec2messages:SendReply": "*",
		"ssm:GetDocument": "arn:aws:ssm:us-east-1:*:document/AWS*",
	} {
		if !slices.ContainsFunc(statements(t, recordBoundary(t).Input("policy")), func(s policy.ParsedStatement) bool {
			return slices.Contains(s.Action, action) && slices.Contains(s.Resource, resource)
		}) {
			t.Errorf("%s is not allowed for %s", action, resource)
		}
	}
}
