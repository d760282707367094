package awsaccount

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	slipwayecs "slipway/ecs"
	"slipway/operation/account"
)

// parametersACall is how many names one call takes.
const parametersACall = 50

// Diagnosis implements account.Account. It needs ecs:DescribeTaskDefinition, ecr:DescribeImages, ssm:DescribeParameters,
// and for Examine what ecs.AWSRunner needs.
func (a *Account) Diagnosis() account.Diagnosis { return diagnosis{a.aws, a.identity, a.args.Profile} }

type diagnosis struct {
	aws      aws.Config
	identity account.Identity
	profile  string
}

func (d diagnosis) Settings(ctx context.Context, taskDefinition string) ([]account.ContainerSettings, error) {
	out, err := ecs.NewFromConfig(d.aws).DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(taskDefinition)})
	if err != nil {
		return nil, err
	}
	var all []account.ContainerSettings
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		s := account.ContainerSettings{Name: aws.ToString(c.Name), Image: aws.ToString(c.Image),
			Env: map[string]string{}, Secrets: map[string]string{}}
		for _, e := range c.Environment {
			s.Env[aws.ToString(e.Name)] = aws.ToString(e.Value)
		}
		for _, e := range c.Secrets {
			s.Secrets[aws.ToString(e.Name)] = aws.ToString(e.ValueFrom)
		}
		if c.HealthCheck != nil {
			s.Health = c.HealthCheck.Command
		}
		if log := c.LogConfiguration; log != nil && log.LogDriver == types.LogDriverAwslogs {
			s.Group, s.Prefix = log.Options["awslogs-group"], log.Options["awslogs-stream-prefix"]
		}
		all = append(all, s)
	}
	return all, nil
}

// Missing asks ECR for each image of the account's own registry.
func (d diagnosis) Missing(ctx context.Context, images []string) ([]string, error) {
	client := ecr.NewFromConfig(d.aws)
	var missing []string
	for _, image := range images {
		repository, digest, ok := d.own(image)
		if !ok {
			continue
		}
		_, err := client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repository),
			ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(digest)}}})
		var none *ecrtypes.RepositoryNotFoundException
		var gone *ecrtypes.ImageNotFoundException
		switch {
		case errors.As(err, &none) || errors.As(err, &gone):
			missing = append(missing, image)
		case err != nil:
			return nil, err
		}
	}
	return missing, nil
}

// own takes an image's reference apart, if it is in the account's registry in the region.
func (d diagnosis) own(image string) (repository, digest string, ok bool) {
	host, rest, _ := strings.Cut(image, "/")
	repository, digest, ok = strings.Cut(rest, "@")
	return repository, digest, ok && strings.HasPrefix(host, d.identity.Account+".dkr.ecr."+d.identity.Region+".")
}

// Parameters reads no value: ssm:GetParameter would.
func (d diagnosis) Parameters(ctx context.Context, names []string) (map[string]int, error) {
	client := ssm.NewFromConfig(d.aws)
	versions := map[string]int{}
	for part := range slices.Chunk(names, parametersACall) {
		pages := ssm.NewDescribeParametersPaginator(client, &ssm.DescribeParametersInput{
			MaxResults: aws.Int32(parametersACall),
			ParameterFilters: []ssmtypes.ParameterStringFilter{
				{Key: aws.String("Name"), Option: aws.String("Equals"), Values: part}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, p := range page.Parameters {
				versions[aws.ToString(p.Name)] = int(p.Version)
			}
		}
	}
	return versions, nil
}

// Examine starts the task once: a permission that is missing is what doctor looks for.
func (d diagnosis) Examine(ctx context.Context, run account.Examination) (account.Examined, error) {
	runner := slipwayecs.AWSRunner{Region: d.identity.Region, Profile: d.profile, Settle: time.Nanosecond}
	return examined(runner.RunTask(ctx, taskRun(run)))
}

func taskRun(run account.Examination) slipwayecs.TaskRun {
	return slipwayecs.TaskRun{Cluster: run.Cluster, TaskDefinition: run.TaskDefinition, Subnets: run.Subnets,
		SecurityGroups: run.SecurityGroups, Container: run.Container, Command: run.Command, Environment: run.Environment,
		LogGroup: run.LogGroup, LogPrefix: run.LogPrefix, StartedBy: run.StartedBy}
}

func examined(result slipwayecs.TaskResult, err error) (account.Examined, error) {
	return account.Examined{Started: result.ExitCode != slipwayecs.NotStarted, Reason: result.StoppedReason, Lines: result.Logs}, err
}
