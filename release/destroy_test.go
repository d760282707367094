package release

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestWhatAKeptResourceNeeds(t *testing.T) {
	urn := func(name string) resource.URN { return resource.URN("urn:pulumi:dev::shop::t:t:T::" + name) }
	provider := resource.URN("urn:pulumi:dev::shop::pulumi:providers:aws::aws")
	all := []apitype.ResourceV3{
		{URN: urn("stack")}, {URN: provider, Custom: true, ID: "p"},
		{URN: urn("vpc"), Parent: urn("stack")}, {URN: urn("nat"), Dependencies: []resource.URN{urn("vpc")}},
		{URN: urn("subnet"), Dependencies: []resource.URN{urn("vpc")}}, {URN: urn("key"), Parent: urn("ring")}, {URN: urn("ring"), Parent: urn("stack")},
		{URN: urn("database"), Parent: urn("store"), Provider: string(provider) + "::p", Dependencies: []resource.URN{urn("subnet")},
			PropertyDependencies: map[resource.PropertyKey][]resource.URN{"kmsKeyId": {urn("key")}}},
		{URN: urn("store"), Parent: urn("stack")}, {URN: urn("web"), Dependencies: []resource.URN{urn("database"), urn("nat")}},
		{URN: urn("database"), Delete: true, Dependencies: []resource.URN{urn("nat")}}, // the one before, still to be deleted
	}
	got := closure(all, []string{string(urn("database")), string(urn("nobody"))})
	want := map[resource.URN]bool{}
	for _, u := range []resource.URN{urn("database"), urn("store"), urn("stack"), urn("subnet"), urn("vpc"), urn("key"), urn("ring"), provider} {
		want[u] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatTheEngineWouldDeleteIsTargetedToo(t *testing.T) {
	failure := &Failure{Problems: []Problem{
		{URN: "a", Message: "Resource 'a' will be destroyed but was not specified in --target list.\nEither include it"},
		{URN: "b", Message: "Resource 'b' will be destroyed but was not specified in --target list."},
		{URN: "c", Message: "AccessDenied"},
	}}
	if diff := cmp.Diff([]string{"b"}, untargeted(fmt.Errorf("up: %w", failure), []string{"a"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The same answer again, or another one, ends the attempts.
	for _, err := range []error{nil, errors.New("x"), &Failure{Problems: failure.Problems[:1]}} {
		if got := untargeted(err, []string{"a"}); got != nil {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestWhatCanBeImported(t *testing.T) {
	got := Imports([]Resource{
		{Type: "aws:rds/instance:Instance", Name: "database", ID: "shop-dev-database"},
		{Type: "random:index/randomPassword:RandomPassword", Name: "owner", ID: "none"},
	})
	if diff := cmp.Diff([]Import{{Type: "aws:rds/instance:Instance", Name: "database", ID: "shop-dev-database"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
