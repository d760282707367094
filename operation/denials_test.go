package operation

import (
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// A call that only happens later, here an alarm that publishes to a topic whose key does not let CloudWatch use it, makes an up and a
// rehearsal bad: the deployment itself does not trip over it.
func TestACallThatWouldBeDeniedLaterIsBad(t *testing.T) {
	target := Target{Root: checkout(t), Stack: "dev", Throwaway: true, Progress: logged{t}}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	target.Model = ModelHooks{Opened: func(a *cloud.Account) {
		for _, o := range a.Objects() {
			text, _ := o.Outputs["policy"].(string)
			if o.Type != "aws:kms/key:Key" || !strings.Contains(text, "cloudwatch.amazonaws.com") {
				continue
			}
			if err := a.Alter(o.Type, o.ID, func(o *cloud.Object) {
				o.Outputs["policy"] = strings.ReplaceAll(text, `"cloudwatch.amazonaws.com"`, `"events.amazonaws.com"`)
			}); err != nil {
				t.Error(err)
			}
		}
	}}
	_, err := Up(t.Context(), target, UpArgs{Confirm: anything})
	if err == nil || !strings.Contains(err.Error(), "cloudwatch.amazonaws.com -> kms:GenerateDataKey") ||
		!strings.Contains(err.Error(), "To fix it, allow cloudwatch.amazonaws.com") {
		t.Errorf("got %v", err)
	}
}
