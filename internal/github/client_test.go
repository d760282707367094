package github

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at serves GitHub's API from a function, and gives a client of it.
func at(t *testing.T, answer http.HandlerFunc) Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return FromEnvironment(func(name string) string {
		return map[string]string{"GITHUB_API_URL": server.URL + "/", "GITHUB_TOKEN": "ghs_planted"}[name]
	})
}

func TestCallSendsWhatGitHubWants(t *testing.T) {
	type request struct {
		Method, Path, Authorization, Accept, Version, Body string
	}
	var got request
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = request{r.Method, r.URL.String(), r.Header.Get("Authorization"),
			r.Header.Get("Accept"), r.Header.Get("X-GitHub-Api-Version"), string(body)}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"id": 7}`)
	})
	var answer struct{ ID int }
	err := c.Call(t.Context(), http.MethodPost, "/repos/a/b/issues/1/comments?page=2", map[string]string{"body": "x"}, &answer)
	if err != nil || answer.ID != 7 {
		t.Fatal(answer, err)
	}
	want := request{"POST", "/repos/a/b/issues/1/comments?page=2", "Bearer ghs_planted",
		"application/vnd.github+json", "2022-11-28", `{"body":"x"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
}

func TestRunStatus(t *testing.T) {
	c := at(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/repos/a/b/actions/runs/77":
			io.WriteString(w, `{"status": "in_progress", "conclusion": null}`)
		case "/repos/a/b/actions/runs/77/attempts/2":
			io.WriteString(w, `{"status": "completed", "conclusion": "cancelled"}`)
		default:
			http.NotFound(w, r)
		}
	})
	for _, run := range []struct {
		attempt            int
		status, conclusion string
	}{{0, "in_progress", ""}, {2, "completed", "cancelled"}} {
		status, conclusion, err := c.RunStatus(t.Context(), "a/b", "77", run.attempt)
		if err != nil || status != run.status || conclusion != run.conclusion {
			t.Errorf("attempt %d is %q, %q, %v", run.attempt, status, conclusion, err)
		}
	}
	var refused *StatusError
	if _, _, err := c.RunStatus(t.Context(), "a/b", "77", 3); !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("an attempt that does not exist: %v", err)
	}
}

func TestErrorsNameTheCallAndNeverTheToken(t *testing.T) {
	message, _ := json.Marshal(map[string]string{"message": "Bad\r\ncredentials\u202e\x1b[2J"})
	for name, c := range map[string]struct {
		client Client
		want   string
	}{
		"refused": {at(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			w.Write(message)
		}), "GET /user: GitHub says 401 Unauthorized Bad\uFFFD\uFFFDcredentials\uFFFD\uFFFD[2J"},
		"refused in HTML": {at(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, "<html>")
		}), "GET /user: GitHub says 502 Bad Gateway"},
		"not JSON": {at(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>")
		}), "GET /user: GitHub's answer is not JSON: "},
		"no server": {Client{API: "http://127.0.0.1:1", Token: "ghs_planted"}, "GET /user: dial tcp 127.0.0.1:1"},
	} {
		err := c.client.Call(t.Context(), http.MethodGet, "/user", nil, &struct{}{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "ghs_planted") {
			t.Errorf("%s: error is %q, want %q", name, err, c.want)
		}
	}
}
