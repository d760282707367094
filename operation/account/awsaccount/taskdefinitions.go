package awsaccount

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/operation/account"
)

// TaskDefinitions needs ecs:ListTaskDefinitionFamilies, ecs:ListTaskDefinitions,
// ecs:DescribeTaskDefinition and ecs:DeregisterTaskDefinition. Throttled calls are made again by the SDK.
func TaskDefinitions(settings aws.Config) account.TaskDefinitions {
	return taskDefinitions{ecs.NewFromConfig(settings)}
}

type taskDefinitions struct{ ecs *ecs.Client }

func (r taskDefinitions) Active(ctx context.Context, prefix string) ([]account.TaskDefinition, error) {
	var all []account.TaskDefinition
	families := ecs.NewListTaskDefinitionFamiliesPaginator(r.ecs, &ecs.ListTaskDefinitionFamiliesInput{
		FamilyPrefix: aws.String(prefix), Status: types.TaskDefinitionFamilyStatusActive,
	})
	for families.HasMorePages() {
		page, err := families.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, family := range page.Families {
			revisions := ecs.NewListTaskDefinitionsPaginator(r.ecs, &ecs.ListTaskDefinitionsInput{
				FamilyPrefix: aws.String(family), Status: types.TaskDefinitionStatusActive,
			})
			for revisions.HasMorePages() {
				page, err := revisions.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				for _, arn := range page.TaskDefinitionArns {
					d := account.TaskDefinition{ARN: arn, Tags: map[string]string{}}
					out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
						TaskDefinition: aws.String(arn), Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
					})
					if err != nil {
						return nil, err
					}
					for _, tag := range out.Tags {
						d.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
					}
					all = append(all, d)
				}
			}
		}
	}
	return all, nil
}

func (r taskDefinitions) Deregister(ctx context.Context, arn string) error {
	_, err := r.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(arn)})
	return err
}
