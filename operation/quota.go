package operation

import (
	"context"
	"fmt"

	"slipway/engine"
)

// overQuota is what the account has no room for. A replacement exists beside the resource that it replaces for a while.
func (s *session) overQuota(ctx context.Context, result engine.Result) []string {
	quotas, err := s.account.Quotas(ctx)
	if err != nil {
		return []string{fmt.Sprintf("the quotas of the account cannot be read: %v", err)}
	}
	var reasons []string
	for _, q := range quotas {
		more := 0
		for _, c := range result.Changes {
			if c.Type == q.Type && (c.Op == "create" || c.Op == "replace") {
				more++
			}
		}
		if more > 0 && q.Used+more > q.Most {
			reasons = append(reasons, fmt.Sprintf("%s: the account may have %d, has %d, and this needs %d more.\n"+
				"  The way to do it: raise the quota %q in Service Quotas, or delete what is not used.", q.Name, q.Most, q.Used, more, q.Name))
		}
	}
	return reasons
}
