package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/operation/pullrequest"
)

func written(t *testing.T, files map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func comment(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, words bytes.Buffer
	code = execute(append([]string{"comment"}, args...), &out, &words)
	return code, out.String(), words.String()
}

const (
	devPreview = `{"stack":"dev","counts":{"same":120,"update":1,"replace":1},"changes":[
		{"urn":"urn:pulumi:dev::slipway::aws:ecs/taskDefinition:TaskDefinition::web",
		 "type":"aws:ecs/taskDefinition:TaskDefinition","op":"replace",
		 "properties":[{"path":"containerDefinitions","kind":"update-replace","from":"[old]","to":"[new]"}]},
		{"urn":"urn:pulumi:dev::slipway::aws:ecs/service:Service::web","type":"aws:ecs/service:Service","op":"update",
		 "properties":[{"path":"taskDefinition","kind":"update","from":"a","to":"[unknown]"}]}],"seconds":3}`
	prodVerdict = `{"stack":"prod","good":false,"reasons":["a second up changed resources without a change of the program:\n web"]}`
)

func TestCommentListsTheChangesOfEveryStack(t *testing.T) {
	code, got, words := comment(t, written(t, map[string]string{
		"prod.rehearse.json": prodVerdict, "dev.preview.json": devPreview, "staging.preview.json": "",
		"dev.rehearse.json": `{"stack":"dev","good":true,"up":{"counts":{"create":122},"seconds":3}}`,
	})...)
	if code != 0 {
		t.Fatal(code, words)
	}
	want := `<!-- slipway comment -->
## What this changes

| stack | | create | update | replace | delete |
|---|---|---|---|---|---|
| dev | preview of the rehearsal | 0 | 1 | **1** | 0 |
| dev | rehearsed: good | | | | |
| prod | **rehearsed: not fit to be deployed** | | | | |
| staging | **no result: its log says why** | | | | |

<details><summary>dev: 2 changes</summary>

` + "```text" + `
replace  web  aws:ecs/taskDefinition:TaskDefinition
           ~ containerDefinitions: [old] -> [new]  (replaces it)
update   web  aws:ecs/service:Service
           ~ taskDefinition: a -> known when it is done
` + "```" + `

</details>

<details><summary>prod: what is wrong</summary>

` + "```text" + `
a second up changed resources without a change of the program:
 web
` + "```" + `

</details>
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommentCannotBeBrokenOutOf(t *testing.T) {
	preview := func(name, value string) string {
		text, err := json.Marshal(map[string]any{"stack": "dev", "counts": map[string]int{"update": 1}, "changes": []any{map[string]any{
			"urn": "urn:pulumi:dev::slipway::t::" + name, "type": "t", "op": "update",
			"properties": []any{map[string]any{"path": "p", "kind": "update", "from": value, "to": value}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, evil := range []string{"```\n# out", "`````\n@everyone", "\n```\n<script>", "x\u202egnp", "\r\n~~~"} {
		code, got, words := comment(t, written(t, map[string]string{"dev.json": preview(evil, evil)})...)
		if code != 0 {
			t.Fatal(code, words)
		}
		lines := strings.Split(got, "\n")
		fence, closed := "", false
		for i, line := range lines {
			switch {
			case fence == "" && strings.HasSuffix(line, "text"):
				fence = strings.TrimSuffix(line, "text")
			case fence != "" && strings.Trim(line, "`") == "" && len(line) >= len(fence):
				closed = true
				if i != len(lines)-4 {
					t.Errorf("%q closes the block at line %d of %d:\n%s", evil, i, len(lines), got)
				}
			}
		}
		if !closed || strings.ContainsAny(got, "\r\u202e") {
			t.Errorf("%q gives\n%s", evil, got)
		}
	}
	for text, want := range map[string]string{
		`{"stack":"<b>","counts":{}}`:  "must name a stack",
		`{"stack":"dev"}`:              "either counts or good",
		`{"stack":"dev","counts":"x"}`: "not what preview --json",
		`[]`:                           "not what preview --json",
	} {
		if code, out, words := comment(t, written(t, map[string]string{"dev.json": text})...); code != 1 || out != "" ||
			!strings.Contains(words, want) {
			t.Errorf("%s: %d %s %s", text, code, out, words)
		}
	}
	if code, _, words := comment(t, written(t, map[string]string{"-x.json": ""})...); code == 0 {
		t.Error("an empty file that names no stack is accepted:", words)
	}
	if code, _, _ := comment(t); code != exitUsage {
		t.Error("a comment of no file is exit", code)
	}
	if code, _, _ := comment(t, "--post", "0", "x.json"); code != exitUsage {
		t.Error("pull request 0 is exit", code)
	}
}

func TestCommentFitsIntoGitHub(t *testing.T) {
	files := map[string]string{}
	for _, stack := range []string{"dev", "staging", "prod"} {
		var changes []any
		for i := range 3000 {
			changes = append(changes, map[string]any{"urn": fmt.Sprintf("urn:pulumi:s::slipway::t::bücket-%d", i),
				"type": "aws:s3/bucket:Bucket", "op": "create"})
		}
		text, err := json.Marshal(map[string]any{"stack": stack, "counts": map[string]int{"create": 3000}, "changes": changes})
		if err != nil {
			t.Fatal(err)
		}
		files[stack+".json"] = string(text)
	}
	code, got, words := comment(t, written(t, files)...)
	if code != 0 {
		t.Fatal(words)
	}
	if len(got) > 65536 || len(got) < 60000 {
		t.Errorf("three stacks of 3000 changes make a comment of %d bytes", len(got))
	}
	if n := strings.Count(got, "lines more\n"); n != 3 {
		t.Errorf("%d of 3 stacks say that there is more", n)
	}
	if strings.Count(got, "<details>") != strings.Count(got, "</details>") {
		t.Error("a block is left open")
	}
	many := map[string]string{}
	for i := range 3000 {
		many["s"+strconv.Itoa(i)+".json"] = fmt.Sprintf(`{"stack":"s%d%s","good":false,"reasons":["no"]}`, i, strings.Repeat("x", 60))
	}
	if code, got, words := comment(t, written(t, many)...); code != 0 || len(got) > 65536 {
		t.Errorf("3000 stacks make a comment of %d bytes: %s", len(got), words)
	}
}

// A hub is the part of GitHub that serves comments.
type hub struct {
	*httptest.Server
	comments []map[string]any
	calls    []string
	actions  bool // the caller is a workflow
}

// startHub starts one whose pull request 12 has comments by other authors; one of them begins with Slipway's mark.
func startHub() *hub {
	h := &hub{}
	add := func(login, body string) map[string]any {
		c := map[string]any{"id": len(h.comments) + 1, "body": body, "user": map[string]any{"login": login},
			"html_url": fmt.Sprintf("https://github.com/example/site/pull/12#%d", len(h.comments)+1)}
		h.comments = append(h.comments, c)
		return c
	}
	add("stranger", pullrequest.Mark+" all is well")
	for range 150 {
		add("talker", "nice")
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.calls = append(h.calls, r.Method+" "+r.URL.Path)
		answer := func(v any) { json.NewEncoder(w).Encode(v) }
		if r.Header.Get("Authorization") != "Bearer ghs_planted" {
			w.WriteHeader(http.StatusUnauthorized)
			answer(map[string]string{"message": "Bad credentials"})
			return
		}
		var sent struct{ Body string }
		if r.Method != http.MethodGet {
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		const all = "/repos/example/site/issues/12/comments"
		one, _ := strings.CutPrefix(r.URL.Path, "/repos/example/site/issues/comments/")
		id, _ := strconv.Atoi(one)
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/user":
			answer(map[string]string{"login": "me"})
		case r.Method == http.MethodGet && r.URL.Path == all:
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			from := min((page-1)*100, len(h.comments))
			answer(h.comments[from:min(from+100, len(h.comments))])
		case r.Method == http.MethodPost && r.URL.Path == all:
			login := "me"
			if h.actions {
				login = "github-actions[bot]"
			}
			w.WriteHeader(http.StatusCreated)
			answer(add(login, sent.Body))
		case r.Method == http.MethodPatch && id > 0 && id <= len(h.comments):
			h.comments[id-1]["body"] = sent.Body
			answer(h.comments[id-1])
		default:
			w.WriteHeader(http.StatusNotFound)
			answer(map[string]string{"message": "Not Found"})
		}
	}))
	return h
}

func newHub(t *testing.T, actions bool) *hub {
	h := startHub()
	h.actions = actions
	t.Cleanup(h.Close)
	t.Setenv("GITHUB_API_URL", h.URL)
	t.Setenv("GITHUB_REPOSITORY", "example/site")
	t.Setenv("GITHUB_TOKEN", "ghs_planted")
	t.Setenv("GITHUB_ACTIONS", strconv.FormatBool(actions))
	return h
}

func TestThereIsAlwaysOneComment(t *testing.T) {
	for _, actions := range []bool{false, true} {
		h := newHub(t, actions)
		before := len(h.comments)
		for _, text := range []string{devPreview, strings.ReplaceAll(devPreview, "dev", "prod")} {
			code, _, words := comment(t, append([]string{"--post", "12"}, written(t, map[string]string{"x.json": text})...)...)
			if code != 0 {
				t.Fatal(words)
			}
			if !strings.Contains(words, "https://github.com/example/site/pull/12#152") {
				t.Errorf("it says %s", words)
			}
		}
		if len(h.comments) != before+1 {
			t.Errorf("%d comments were made, want 1", len(h.comments)-before)
		}
		if got := h.comments[before]["body"].(string); !strings.Contains(got, "| prod |") || strings.Contains(got, "| dev |") {
			t.Errorf("the comment is not the second one:\n%s", got)
		}
		if got := h.comments[0]["body"]; got != pullrequest.Mark+" all is well" {
			t.Errorf("a stranger's comment now says %s", got)
		}
	}
}

func TestGitHubRefuses(t *testing.T) {
	h := newHub(t, false)
	file := written(t, map[string]string{"x.json": devPreview})[0]
	for _, c := range []struct{ name, value, want string }{
		{"GITHUB_TOKEN", "ghp_wrong", "GET /user: GitHub says 401 Unauthorized Bad credentials; the token needs the right to write"},
		{"GITHUB_TOKEN", "", "GITHUB_TOKEN is empty"},
		{"GITHUB_REPOSITORY", "../../x", `GITHUB_REPOSITORY must be owner/name, got "../../x"`},
		{"GITHUB_REPOSITORY", "example/other", "404 Not Found"},
		{"GITHUB_API_URL", "http://127.0.0.1:1", "GET /user: "},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			code, out, words := comment(t, "--post", "12", file)
			if code != 1 || out != "" || !strings.Contains(words, c.want) || strings.Contains(words, "ghp_") || strings.Contains(words, "ghs_") {
				t.Errorf("exit %d, %s%s", code, out, words)
			}
		})
	}
	for _, call := range h.calls {
		if strings.HasPrefix(call, "POST") || strings.HasPrefix(call, "PATCH") {
			t.Error("something was written:", call)
		}
	}
}
