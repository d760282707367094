package release

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// A Register holds task definitions: ECS's, or a model of it.
type Register interface {
	// Active are the task definitions that are not deregistered and whose family begins with prefix, with their tags.
	Active(ctx context.Context, prefix string) ([]Registered, error)

	Deregister(ctx context.Context, arn string) error
}

// A Registered is an entry of a Register.
type Registered struct {
	ARN  string
	Tags map[string]string
}

// Retire deregisters all task definitions of a stack, and says how many there were. The provider keeps every revision when
// it replaces or deletes one, so a stack that is destroyed leaves them behind.
//
// Tags decide whose a definition is: the families of stack dev begin as those of a stack dev-2 do.
func Retire(ctx context.Context, register Register, project, stack string) (int, error) {
	all, err := register.Active(ctx, project+"-"+stack+"-")
	if err != nil {
		return 0, fmt.Errorf("the stack's task definitions stay registered, which costs nothing; destroy again deregisters them: %w", err)
	}
	retired := 0
	for _, d := range all {
		if d.Tags["project"] != project || d.Tags["stack"] != stack {
			continue
		}
		if err := register.Deregister(ctx, d.ARN); err != nil {
			return retired, fmt.Errorf("task definition %s stays registered, which costs nothing; destroy again deregisters it: %w", short(d.ARN), err)
		}
		retired++
	}
	return retired, nil
}

// AWSRegister is the account's own. It needs ecs:ListTaskDefinitionFamilies, ecs:ListTaskDefinitions,
// ecs:DescribeTaskDefinition and ecs:DeregisterTaskDefinition. Throttled calls are made again by the SDK.
func AWSRegister(settings aws.Config) Register { return awsRegister{ecs.NewFromConfig(settings)} }

type awsRegister struct{ ecs *ecs.Client }

func (r awsRegister) Active(ctx context.Context, prefix string) ([]Registered, error) {
	var all []Registered
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
					d := Registered{ARN: arn, Tags: map[string]string{}}
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

func (r awsRegister) Deregister(ctx context.Context, arn string) error {
	_, err := r.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(arn)})
	return err
}
