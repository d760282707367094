package operation

import (
	"context"
	"fmt"
	"strings"

	"slipway/operation/account"
)

// retire deregisters the task definitions that a stack leaves when it is deleted, and reports how many there were. The
// provider keeps every revision when it replaces or deletes one.
func (s *session) retire(ctx context.Context) error {
	n, err := Retire(ctx, s.account.TaskDefinitions(), s.config.stack.Project, s.config.stack.Name)
	if n > 0 {
		s.target.Progress.Logf("Deregistered %s: those in use, and those that releases replaced.", some(n, false, "task definition"))
	}
	return err
}

// Retire deregisters all task definitions of a stack and says how many there were. Tags decide whose a task definition is: the
// families of stack dev begin as those of a stack dev-2 do.
func Retire(ctx context.Context, definitions account.TaskDefinitions, project, stack string) (int, error) {
	all, err := definitions.Active(ctx, project+"-"+stack+"-")
	if err != nil {
		return 0, fmt.Errorf("the stack's task definitions stay registered, which costs nothing; destroy again deregisters them: %w", err)
	}
	retired := 0
	for _, d := range all {
		if !tagged(d.Tags, "", project, stack) && !tagged(d.Tags, "slipway:", project, stack) { // see config.Stack.TagPrefix
			continue
		}
		if err := definitions.Deregister(ctx, d.ARN); err != nil {
			return retired, fmt.Errorf("task definition %s stays registered, which costs nothing; destroy again deregisters it: %w",
				d.ARN[strings.LastIndex(d.ARN, "/")+1:], err)
		}
		retired++
	}
	return retired, nil
}

func tagged(tags map[string]string, prefix, project, stack string) bool {
	return tags[prefix+"project"] == project && tags[prefix+"stack"] == stack
}
