package operation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// Every stack deploys although other services see each new role, policy and service-linked role late: the provider retries where AWS
// answers that it does not see it yet, and so does what starts the migration.
func TestStacksDeployAlthoughIAMIsSlow(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	for stack, want := range map[string][]string{
		"local": {"ecs:CreateCluster", "ecs:RunTask"},
		"dev":   {"ecs:CreateCluster", "ecs:RunTask", "ec2:CreateFlowLogs", "logs:PutSubscriptionFilter", "firehose:CreateDeliveryStream"},
		"staging": {"ecs:RunTask", "ec2:CreateFlowLogs", "logs:PutSubscriptionFilter", "firehose:CreateDeliveryStream",
			"scheduler:CreateSchedule"},
		"prod": {"ecs:RunTask", "ec2:CreateFlowLogs", "ec2:RunInstances", "logs:PutSubscriptionFilter", "firehose:CreateDeliveryStream",
			"scheduler:CreateSchedule", "rds:CreateDBInstance"},
	} {
		t.Run(stack, func(t *testing.T) {
			var account *cloud.Account
			v, err := Rehearse(t.Context(), Target{Root: root, Stack: stack, Faults: []string{IAMDelay}, Progress: logged{t},
				Model: ModelHooks{Opened: func(a *cloud.Account) { account = a }}})
			if err != nil {
				t.Fatal(err)
			}
			for _, reason := range v.Reasons {
				t.Error(reason)
			}
			delayed := strings.Join(account.Delayed(), "\n")
			t.Logf("%d operations were delayed:\n%s", len(account.Delayed()), delayed)
			for _, action := range want {
				if !strings.Contains(delayed, action) {
					t.Errorf("the fault did not delay %s:\n%s", action, delayed)
				}
			}
		})
	}
}

func TestUnknownFaultsAreRefused(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Rehearse(t.Context(), Target{Root: root, Stack: "local", Faults: []string{"iam-slow"}, Progress: logged{t}})
	var usage UsageError
	if !errors.As(err, &usage) || !strings.Contains(fmt.Sprint(err), "iam-delay") {
		t.Errorf("expected a usage error that names iam-delay, got %v", err)
	}
	if !slices.Contains(Faults, IAMDelay) {
		t.Errorf("Faults are %v", Faults)
	}
}
