package modelaccount

import (
	"context"
	"fmt"
	"strings"

	"slipway/operation/account"
	"slipway/rehearsal/cloud"
)

// taskDefinitions are those of the model.
type taskDefinitions struct{ account *cloud.Account }

// Active implements account.TaskDefinitions.
func (t taskDefinitions) Active(_ context.Context, prefix string) ([]account.TaskDefinition, error) {
	var all []account.TaskDefinition
	for _, o := range t.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type != typeDefinition || o.Owner != "" || !strings.HasPrefix(out.String("family"), prefix) {
			continue
		}
		d := account.TaskDefinition{ARN: out.String("arn"), Tags: map[string]string{}}
		for name := range out.Map("tagsAll") {
			d.Tags[name] = out.Map("tagsAll").String(name)
		}
		all = append(all, d)
	}
	return all, nil
}

// Deregister implements account.TaskDefinitions.
func (t taskDefinitions) Deregister(_ context.Context, arn string) error {
	for _, o := range t.account.Objects() {
		if o.Type == typeDefinition && cloud.Inputs(o.Outputs).String("arn") == arn {
			_, err := t.account.Remove(o.Type, o.ID)
			return err
		}
	}
	return fmt.Errorf("the model has no task definition %s", arn)
}
