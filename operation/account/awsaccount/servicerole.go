package awsaccount

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"slipway/bootstrap"
)

// ServiceRole implements bootstrap.Account. A service-linked role is the service's own: bootstrap never changes or deletes one. It is
// looked for by its path, which names the service, because the name follows no rule.
func (g *Bootstrap) ServiceRole(_ *bootstrap.Spec, service string) bootstrap.Resource {
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
	return bootstrap.Resource{
		What: bootstrap.ServiceRole, Name: service, Find: find,
		Make: func(ctx context.Context) (string, error) {
			made, err := g.iam.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: &service})
			if taken(err) {
				arn, err := find(ctx)
				return arn, errors.Join(bootstrap.ErrFound, err)
			}
			if err != nil {
				return "", err
			}
			return aws.ToString(made.Role.Arn), nil
		},
	}
}

// taken reports whether IAM refuses to create a service-linked role because it exists. InvalidInput alone only means that
// the request is invalid.
func taken(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && is(err, "InvalidInput", "InvalidInputException") && strings.Contains(api.ErrorMessage(), "has been taken")
}
