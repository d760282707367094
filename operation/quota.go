package operation

import (
	"context"
	"fmt"
	"slices"

	"slipway/engine"
	"slipway/operation/account"
)

// overQuota is what the account has no room for. A replacement exists beside the resource that it replaces for a while.
func (s *session) overQuota(ctx context.Context, result engine.Result) []string {
	more := map[string]int{}
	var types []string
	for _, c := range result.Changes {
		if c.Op != "create" && c.Op != "replace" {
			continue
		}
		if more[c.Type]++; more[c.Type] == 1 {
			types = append(types, c.Type)
		}
	}
	if len(types) == 0 {
		return nil
	}
	quotas, notes := s.account.Quotas(ctx, types)
	s.unchecked(notes)
	var reasons []string
	for _, q := range quotas {
		if q.Used+more[q.Type] > q.Most {
			reasons = append(reasons, fmt.Sprintf("%s: the account may have %d, has %d, and this needs %d more.\n"+
				"  The way to do it: raise the quota %q in Service Quotas, or delete what is not used.",
				q.Name, q.Most, q.Used, more[q.Type], q.Name))
		}
	}
	return reasons
}

// unchecked reports what could not be found out before the first change. AWS still refuses it, but later.
func (s *session) unchecked(notes []string) {
	for _, note := range notes {
		s.target.Progress.Logf("Not checked in advance: %s", note)
	}
}

// nameInputs are the inputs that hold the physical name, for the types whose names the program chooses.
var nameInputs = map[string]string{
	"aws:s3/bucketV2:BucketV2":                            "bucket",
	"aws:cloudwatch/logGroup:LogGroup":                    "name",
	"aws:iam/role:Role":                                   "name",
	"aws:iam/policy:Policy":                               "name",
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "url",
	"aws:rds/instance:Instance":                           "identifier",
	"aws:lb/loadBalancer:LoadBalancer":                    "name",
	"aws:ecr/repository:Repository":                       "name",
	"aws:ecs/cluster:Cluster":                             "name",
	"aws:kms/alias:Alias":                                 "name",
	"aws:ssm/parameter:Parameter":                         "name",
}

// takenNames are the names that the plan gives to new resources, and that something else has. A resource of the stack's own
// state may have it: it is replaced, or moves to another logical name.
func (s *session) takenNames(ctx context.Context, result engine.Result, state engine.Checkpoint) []string {
	wanted, of := newNames(result, state)
	if len(wanted) == 0 {
		return nil
	}
	taken, notes := s.account.Taken(ctx, wanted)
	s.unchecked(notes)
	var reasons []string
	for _, t := range taken {
		c := of[t.Name]
		way := "delete or rename what has the name; or give the stack or the project another name"
		switch t.Type {
		case "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
			way = "set github.provider to the ARN of the provider that the account has"
		case "aws:s3/bucketV2:BucketV2":
			way = "set another name for the bucket; names are unique in all accounts"
		}
		reasons = append(reasons, fmt.Sprintf("%s (%s): the name %s is taken, by %s, and not by this stack.\n  The way to do it: %s.",
			c.Name(), c.Type, t.Name.Name, t.By, way))
	}
	return reasons
}

func newNames(result engine.Result, state engine.Checkpoint) (wanted []account.Name, of map[account.Name]engine.Change) {
	of = map[account.Name]engine.Change{}
	own := map[account.Name]bool{}
	for _, r := range state.Managed() {
		if property := nameInputs[r.Type]; property != "" {
			own[account.Name{Type: r.Type, Name: r.Text(property)}] = true
		}
	}
	for _, c := range result.Changes {
		n := account.Name{Type: c.Type, Name: c.Made(nameInputs[c.Type])}
		if nameInputs[c.Type] == "" || n.Name == "" || n.Name == unknown || n.Name == secret || own[n] || slices.Contains(wanted, n) {
			continue
		}
		wanted, of[n] = append(wanted, n), c
	}
	return wanted, of
}
