package release

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"
)

// ServiceRoles are the services whose service-linked roles every stack needs, in the order in which bootstrap looks for them.
//
// AWS makes each of these roles itself when the first resource that needs it is created, if the caller may. It does so
// behind the call, so the first deployment to a fresh account can fail with "Unable to assume the service linked role":
// the ECS developer guide, "Using service-linked roles"; aws-cloudformation/cloudformation-coverage-roadmap#818 and
// pulumi/pulumi-aws#1041.
var ServiceRoles = []string{
	"ecs.amazonaws.com", "rds.amazonaws.com", "elasticloadbalancing.amazonaws.com", "ecs.application-autoscaling.amazonaws.com",
}

// WAFServiceRole is the service that logs what a web ACL blocks. The WAF developer guide, "Using service-linked roles".
const WAFServiceRole = "wafv2.amazonaws.com"

// errFound says that a thing was there after all when it was to be made: another caller was faster.
var errFound = errors.New("it is there already")

// ServiceRole implements Ground. A service-linked role is the service's own: bootstrap never changes or deletes one. It is
// looked for by its path, which names the service, because the name follows no rule.
func (g *AWSGround) ServiceRole(_ *Foundation, service string) Thing {
	find := func(ctx context.Context) (string, error) {
		path := "/aws-service-role/" + service + "/"
		for pages := iam.NewListRolesPaginator(g.iam, &iam.ListRolesInput{PathPrefix: &path}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return "", err
			}
			if len(page.Roles) > 0 {
				return aws.ToString(page.Roles[0].Arn), nil
			}
		}
		return "", nil
	}
	return Thing{
		What: serviceRole, Name: service, Find: find,
		Make: func(ctx context.Context) (string, error) {
			made, err := g.iam.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: &service})
			if taken(err) {
				arn, err := find(ctx)
				return arn, errors.Join(errFound, err)
			}
			if err != nil {
				return "", err
			}
			return aws.ToString(made.Role.Arn), nil
		},
	}
}

// serviceRole is what a piece is called that is a service-linked role.
const serviceRole = "the service-linked role"

// taken says that IAM refuses to make a service-linked role because it exists. InvalidInput alone says no more than that
// something is wrong with the request.
func taken(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && is(err, "InvalidInput", "InvalidInputException") && strings.Contains(api.ErrorMessage(), "has been taken")
}
