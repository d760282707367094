package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"slipway/operation/account"
)

// lookTimeout is how long it may take to look for names or quotas before the first change.
const lookTimeout = time.Minute

// here is who has a name that is not taken elsewhere.
const here = "this account"

// A finder says who has a name; "" if the name is free.
type finder func(ctx context.Context, settings aws.Config, identity account.Identity, name string) (by string, err error)

// finders are the types whose names the user or the program chooses. The other types have a name that AWS makes up.
var finders = map[string]finder{
	"aws:s3/bucketV2:BucketV2":         findBucket,
	"aws:cloudwatch/logGroup:LogGroup": findLogGroup,
	"aws:iam/role:Role": func(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
		_, err := iam.NewFromConfig(settings).GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		return found(err, noSuchEntity...)
	},
	"aws:iam/policy:Policy": func(ctx context.Context, settings aws.Config, identity account.Identity, name string) (string, error) {
		arn := fmt.Sprintf("arn:%s:iam::%s:policy/%s", identity.Partition, identity.Account, name)
		_, err := iam.NewFromConfig(settings).GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		return found(err, noSuchEntity...)
	},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": findProvider,
	"aws:rds/instance:Instance": func(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
		err := rdsService.call(ctx, settings, "DescribeDBInstances", url.Values{"DBInstanceIdentifier": {name}}, new(struct{}))
		return found(err, "DBInstanceNotFound", "DBInstanceNotFoundFault")
	},
	"aws:lb/loadBalancer:LoadBalancer": func(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
		err := elbService.call(ctx, settings, "DescribeLoadBalancers", url.Values{"Names.member.1": {name}}, new(struct{}))
		return found(err, "LoadBalancerNotFound")
	},
	"aws:ecr/repository:Repository": func(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
		_, err := ecr.NewFromConfig(settings).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
		return found(err, "RepositoryNotFoundException")
	},
	"aws:ecs/cluster:Cluster":     findCluster,
	"aws:kms/alias:Alias":         findAlias,
	"aws:ssm/parameter:Parameter": findParameter,
}

// Taken implements account.Account. It needs the calls with which the provider reads the same resources.
func (a *Account) Taken(ctx context.Context, names []account.Name) (taken []account.TakenName, notes []string) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	by, failed := make([]string, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(8)
	for i, n := range names {
		if find := finders[n.Type]; find != nil {
			group.Go(func() error {
				by[i], failed[i] = find(ctx, a.aws, a.identity, n.Name)
				return nil
			})
		}
	}
	_ = group.Wait()
	for i, n := range names {
		switch {
		case failed[i] != nil:
			if note := fmt.Sprintf("the name %s (%s): %v", n.Name, n.Type, short(failed[i])); !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		case by[i] != "":
			taken = append(taken, account.TakenName{Name: n, By: by[i]})
		}
	}
	return taken, notes
}

// found is who has a name, by the error of asking for it.
func found(err error, none ...string) (string, error) {
	switch {
	case err == nil:
		return here, nil
	case is(err, none...):
		return "", nil
	}
	return "", err
}

// short is an error of the AWS SDK without the id of the request.
func short(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorMessage() != "" {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}

// findBucket asks for a bucket, whose name is unique in a whole partition. S3 answers 403 if the bucket is another account's,
// but also if a policy denies the caller s3:ListBucket; without credentials the answer is 404 unless the bucket exists.
// Source: Amazon S3 API reference, HeadBucket.
func findBucket(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
	head := func(settings aws.Config) (int, error) {
		_, err := s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""
		}).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
		if err == nil {
			return http.StatusOK, nil
		}
		return status(err), err
	}
	code, err := head(settings)
	if code == http.StatusForbidden {
		settings = settings.Copy()
		settings.Credentials = aws.AnonymousCredentials{}
		if code, err = head(settings); code == http.StatusForbidden {
			return "another account", nil
		}
	}
	switch code {
	case http.StatusNotFound:
		return "", nil
	case http.StatusOK:
		return here, nil
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return "a bucket in another region", nil
	}
	return "", err
}

func findLogGroup(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(cloudwatchlogs.NewFromConfig(settings),
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, group := range page.LogGroups {
			if aws.ToString(group.LogGroupName) == name {
				return here, nil
			}
		}
	}
	return "", nil
}

// findProvider finds an OIDC provider: an account may have one for each URL.
func findProvider(ctx context.Context, settings aws.Config, identity account.Identity, issuer string) (string, error) {
	arn := fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", identity.Partition, identity.Account, strings.TrimPrefix(issuer, "https://"))
	_, err := iam.NewFromConfig(settings).GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	return found(err, noSuchEntity...)
}

// findCluster finds a cluster that runs: ECS would return it as if it were new. Source: Amazon ECS API reference, CreateCluster.
func findCluster(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
	out, err := ecs.NewFromConfig(settings).DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{name}})
	if err != nil {
		return "", err
	}
	for _, cluster := range out.Clusters {
		if aws.ToString(cluster.Status) != "INACTIVE" {
			return here, nil
		}
	}
	return "", nil
}

func findAlias(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
	for pages := kms.NewListAliasesPaginator(kms.NewFromConfig(settings), &kms.ListAliasesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, alias := range page.Aliases {
			if aws.ToString(alias.AliasName) == name {
				return here, nil
			}
		}
	}
	return "", nil
}

func findParameter(ctx context.Context, settings aws.Config, _ account.Identity, name string) (string, error) {
	out, err := ssm.NewFromConfig(settings).DescribeParameters(ctx, &ssm.DescribeParametersInput{
		ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("Equals"), Values: []string{name}}},
	})
	if err != nil {
		return "", err
	}
	for _, parameter := range out.Parameters {
		if aws.ToString(parameter.Name) == name {
			return here, nil
		}
	}
	return "", nil
}
