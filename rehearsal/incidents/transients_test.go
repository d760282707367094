package incidents_test

import (
	"strings"
	"sync"
	"testing"

	"slipway/operation"
	"slipway/rehearsal/cloud"
)

// once refuses the first attempt of each operation with one of the errors, by action.
type once struct {
	errors map[string]cloud.Error

	mu   sync.Mutex
	seen map[string]int // attempts by action and object
}

func (o *once) hooks() operation.ModelHooks {
	o.seen = map[string]int{}
	return operation.ModelHooks{Opened: func(a *cloud.Account) {
		a.Before = func(_ int, action string, object *cloud.Object) error {
			e, ok := o.errors[action]
			if object.URN == "" { // of the bootstrap
				return nil
			}
			if !ok || strings.HasPrefix(object.URN, "urn:pulumi:bootstrap::") {
				return nil
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			key := action + " " + object.URN
			if o.seen[key]++; o.seen[key] > 1 {
				return nil
			}
			e.Action = action
			return &e
		}
	}}
}

// attempts are the attempts of an action, by object.
func (o *once) attempts(action string) (all []int) {
	for key, n := range o.seen {
		if strings.HasPrefix(key, action+" ") {
			all = append(all, n)
		}
	}
	return all
}

// Errors that pass by themselves, and that the genuine provider retries: the whole life of the site must be as if they had not occurred.
func TestErrorsThatPassAreRetried(t *testing.T) {
	aborted := cloud.Error{Code: "OperationAborted", Status: 409,
		Message: "A conflicting conditional operation is currently in progress against this resource. Please try again."}
	faults := once{errors: map[string]cloud.Error{
		// https://github.com/aws/aws-sdk-js-v3/issues/6494
		"scheduler:CreateSchedule": {Code: "ValidationException",
			Message: "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."},
		// https://github.com/aws/aws-cdk/issues/4179
		"acm:DeleteCertificate": {Code: "ResourceInUseException", Message: "Certificate arn:aws:acm:... in account 123456789012 is in use."},
		// https://github.com/sevenwestmedia-labs/pulumi-components/issues/46
		"s3:PutBucketOwnershipControls": aborted, "s3:PutBucketPolicy": aborted,
		// https://github.com/1Password/scim-examples/issues/356
		"ecs:CreateCluster": {Code: "InvalidParameterException",
			Message: "Unable to assume the service linked role. Please verify that the ECS service linked role exists."},
	}}
	to := target(checkout(t, nil), "prod")
	to.Model = faults.hooks()
	v, err := operation.Rehearse(t.Context(), to)
	must(t, err)
	for _, reason := range v.Reasons {
		t.Error(reason)
	}
	for action := range faults.errors {
		all := faults.attempts(action)
		if len(all) == 0 {
			t.Errorf("the site has no %s", action)
		}
		for _, n := range all {
			if n < 2 {
				t.Errorf("%s was not tried again", action)
			}
		}
	}
}

// The genuine provider does not retry this one (https://github.com/hashicorp/terraform-provider-aws/issues/36000): the deployment ends, and
// the next one continues from there.
func TestTheLogsOfTheWebACLFailOnlyOnce(t *testing.T) {
	const action = "wafv2:PutLoggingConfiguration"
	faults := once{errors: map[string]cloud.Error{action: {Code: "WAFLogDestinationPermissionIssueException",
		Message: "Unable to deliver logs to the configured destination. You might need to grant log delivery permissions for the destination."}}}
	to := target(checkout(t, nil), "prod")
	_, err := operation.Bootstrap(t.Context(), to)
	must(t, err)
	to.Model = faults.hooks()
	err = up(t, to)
	if err == nil || !strings.Contains(err.Error(), "WAFLogDestinationPermissionIssueException") {
		t.Fatalf("expected the error of WAF, got %v", err)
	}
	if said := operation.Explain(err).Error(); !strings.Contains(said, "Run the same command again") {
		t.Errorf("the message does not say what to do: %s", said)
	}
	must(t, up(t, to))
	if n := faults.attempts(action); len(n) != 1 || n[0] != 2 {
		t.Errorf("attempts of %s: %v", action, n)
	}
}
