package operation

import (
	"strings"
	"testing"
)

func TestWhoDeploys(t *testing.T) {
	for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_RUN_ID", "GITHUB_REPOSITORY", "GITHUB_ACTOR", "GITHUB_SERVER_URL"} {
		t.Setenv(name, "")
	}
	if got := who(); strings.Count(got, "@") != 1 {
		t.Errorf("at a desk it is %q", got)
	}
	for name, value := range map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "42", "GITHUB_REPOSITORY": "acme/shop",
		"GITHUB_ACTOR": "ada"} {
		t.Setenv(name, value)
	}
	if got, want := who(), "ada, https://github.com/acme/shop/actions/runs/42"; got != want {
		t.Errorf("in a workflow it is %q, want %q", got, want)
	}
}
