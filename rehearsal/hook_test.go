package rehearsal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The pinned engine fails a deployment whose after hook fails. The resource is still created and is in the state;
// what depends on it is not created. The hook is not called again for a resource that does not change. Pulumi before 3.238
// only warned. docs/design.md relies on this.
func TestAFailingAfterHookFailsTheDeployment(t *testing.T) {
	fails, called := true, 0
	program := func(ctx *pulumi.Context) error {
		hook, err := ctx.RegisterResourceHook("look", func(*pulumi.ResourceHookArgs) error {
			if called++; fails {
				return errors.New("it is not what was asked for")
			}
			return nil
		}, nil)
		if err != nil {
			return err
		}
		first, err := register(ctx, "aws:ssm/parameter:Parameter", "first",
			pulumi.Map{"name": pulumi.String("/first"), "type": pulumi.String("String"), "value": pulumi.String("1")},
			pulumi.ResourceHooks(&pulumi.ResourceHookBinding{AfterCreate: []*pulumi.ResourceHook{hook}}))
		if err != nil {
			return err
		}
		_, err = register(ctx, "aws:ssm/parameter:Parameter", "second",
			pulumi.Map{"name": pulumi.String("/second"), "type": pulumi.String("String"), "value": pulumi.String("2")},
			pulumi.DependsOn([]pulumi.Resource{first}))
		return err
	}
	r, stack := site(t, t.TempDir(), program)
	made := func() (names []string) {
		for _, o := range r.Account.Made() {
			names = append(names, o.ID)
		}
		return names
	}

	_, err := stack.Up(t.Context(), optup.SuppressProgress())
	if err == nil || !strings.Contains(err.Error(), "it is not what was asked for") {
		t.Fatalf("a failing after hook: %v", err)
	}
	if got := strings.Join(made(), " "); got != "/first" || called != 1 {
		t.Errorf("made are %q, the hook was called %d times", got, called)
	}

	fails = false
	if _, err := stack.Up(t.Context(), optup.SuppressProgress()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(made(), " "); got != "/first /second" || called != 1 {
		t.Errorf("made are %q, the hook was called %d times", got, called)
	}
}
