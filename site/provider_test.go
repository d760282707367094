package site

import (
	"strings"
	"testing"
)

// The guards of the namespace aws reach the provider of every resource, as a list or in Pulumi's JSON form.
func TestTheGuardsReachTheProvider(t *testing.T) {
	g := declared(t, "dev", map[string]string{
		"aws:allowedAccountIds": `["123456789012"]`, "aws:forbiddenAccountIds": `["111111111111"]`, "aws:profile": "shop",
		"aws:skipMetadataApiCheck": "false", "aws:maxRetries": "5",
	})
	provider := g.Named("pulumi:providers:aws", "aws")
	for path, want := range map[string]any{
		"allowedAccountIds": `["123456789012"]`, "forbiddenAccountIds": `["111111111111"]`, "profile": "shop", "skipMetadataApiCheck": "false",
		"maxRetries": "5",
	} {
		if got := provider.Input(path); got != want && !same(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

// same compares a value with its JSON: the provider's inputs are JSON where they are not strings.
func same(got, want any) bool {
	switch got := got.(type) {
	case []any:
		return len(got) == 1 && want == `["`+got[0].(string)+`"]`
	case bool:
		return want == map[bool]string{true: "true", false: "false"}[got]
	case float64:
		return got == 5 && want == "5"
	}
	return false
}

// A company has a tag Project of its own (terraform-aws-github-runner#1346). Slipway's tags give way on every resource, and
// the permissions that depend on them follow.
func TestOwnTagsGiveWayToACompanysTag(t *testing.T) {
	tags := map[string]string{"slipway:tags": `{"Project":"Shop"}`,
		"slipway:github": `{"repository":"example/site","branches":["main"]}`}
	for _, c := range []struct {
		further map[string]string
		project string
		other   string
	}{{tags, "slipway:project", `ResourceTag/project`}, {map[string]string{"slipway:github": tags["slipway:github"]}, "project",
		`ResourceTag/slipway:project`}} {
		g := declared(t, "dev", c.further)
		provider, _ := g.Named("pulumi:providers:aws", "aws").Input("defaultTags.tags").(map[string]any)
		if provider[c.project] != "slipway" {
			t.Errorf("the tags of every resource are %v, want %s", provider, c.project)
		}
		if c.project == "slipway:project" && (provider["Project"] != "Shop" || provider["project"] != nil || provider["stack"] != nil ||
			provider["managed-by"] != nil) {
			t.Errorf("beside the company's tag there are %v", provider)
		}
		text, err := g.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if s := string(text); !strings.Contains(s, "ResourceTag/"+c.project+`\"`) || strings.Contains(s, c.other+`\"`) {
			t.Errorf("the permissions do not depend on the tag %s alone", c.project)
		}
	}
}
