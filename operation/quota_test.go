package operation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/operation/account"
)

// full is an account whose addresses are used up, and in which a name is taken.
type full struct {
	account.Account
	types []string
	names []account.Name
}

func (f *full) Quotas(_ context.Context, types []string) ([]account.Quota, []string) {
	f.types = types
	return []account.Quota{{Type: "aws:ec2/eip:Eip", Name: "EC2-VPC Elastic IPs", Most: 5, Used: 5}}, []string{"the quota of something"}
}

func (f *full) Taken(_ context.Context, names []account.Name) (taken []account.TakenName, notes []string) {
	f.names = names
	for _, n := range names {
		switch n.Type {
		case "aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws:ecs/cluster:Cluster":
			taken = append(taken, account.TakenName{Name: n, By: "this account"})
		}
	}
	return taken, []string{"the name of something"}
}

// TestRefusedByTheAccount has an account refuse a plan before anything is changed. What the stack has already is not asked for.
func TestRefusedByTheAccount(t *testing.T) {
	var lines []string
	target := Target{Root: checkout(t), Stack: "prod", Throwaway: true, Progress: collected{logged{t}, &lines}}
	planned := func() (*full, error) {
		t.Helper()
		c, err := configure(target)
		if err != nil {
			t.Fatal(err)
		}
		s, err := open(t.Context(), target, c, openArgs{operation: "preview", builds: true})
		if err != nil {
			t.Fatal(err)
		}
		f := &full{Account: s.account}
		s.account = f
		_, err = s.plan(t.Context(), "up")
		s.account = f.Account
		if err := s.close(); err != nil {
			t.Error(err)
		}
		return f, err
	}
	f, err := planned()
	if err == nil {
		t.Fatal("nothing is refused")
	}
	for _, want := range []string{
		"EC2-VPC Elastic IPs: the account may have 5, has 5, and this needs 3 more",
		"cluster (aws:ecs/cluster:Cluster): the name slipway-prod-site is taken, by this account, and not by this stack",
		"the name https://token.actions.githubusercontent.com is taken", "set github.provider to the ARN", "nothing was changed",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q:\n%v", want, err)
		}
	}
	for _, note := range []string{"Not checked in advance: the quota of something", "Not checked in advance: the name of something"} {
		if !slices.Contains(lines, note) {
			t.Errorf("the user does not hear %q: %q", note, lines)
		}
	}
	for token := range nameInputs {
		if token == "aws:s3/bucketV2:BucketV2" || token == "aws:rds/instance:Instance" {
			continue // their names end in a random id, which the first plan does not know
		}
		if !slices.ContainsFunc(f.names, func(n account.Name) bool { return n.Type == token }) {
			t.Errorf("the name of %s was not asked for: %v", token, f.names)
		}
	}

	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	if f, err := planned(); err != nil || len(f.types) > 0 || len(f.names) > 0 {
		t.Errorf("without a change the account is asked for %v and %v, %v", f.types, f.names, err)
	}
}

type collected struct {
	logged
	lines *[]string
}

func (c collected) Logf(format string, args ...any) {
	c.logged.Logf(format, args...)
	*c.lines = append(*c.lines, fmt.Sprintf(format, args...))
}
