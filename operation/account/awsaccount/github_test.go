package awsaccount

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"slipway/engine"
)

// TestTheEngineAsksGitHub checks what the engine gets in a workflow run: its own run, and, if there is a token, a client.
func TestTheEngineAsksGitHub(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/repos/example/site/actions/runs/77/attempts/1" || r.Header.Get("Authorization") != "Bearer token" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, `{"status": "completed", "conclusion": "cancelled"}`)
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"GITHUB_API_URL": server.URL, "GITHUB_ACTIONS": "true",
		"GITHUB_REPOSITORY": "example/site", "GITHUB_RUN_ID": "78", "GITHUB_RUN_ATTEMPT": "1",
	} {
		t.Setenv(name, value)
	}
	options := func(token string) engine.GitHub {
		t.Setenv("GITHUB_TOKEN", token)
		var o engine.Options
		if err := (&Account{}).Engine(&o); err != nil {
			t.Fatal(err)
		}
		return o.GitHub
	}
	if g := options(""); g.RunStatus != nil || g.Own == nil || g.Own.ID != "78" {
		t.Errorf("without a token the engine has %+v", g)
	}
	run := engine.GitHubRun{Repository: "example/site", ID: "77", Attempt: 1}
	status, conclusion, err := options("token").RunStatus(t.Context(), run)
	if err != nil || status != "completed" || conclusion != "cancelled" {
		t.Errorf("the run is %q, %q, %v", status, conclusion, err)
	}
}
