package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"gopkg.in/yaml.v3"
)

// downloaded is slipway as a job finds it, except that it stays in the rehearsal.
const downloaded = `#!/bin/sh
for word do
	shift
	[ "$word" = --live ] || set -- "$@" "$word"
done
exec slipway "$@"
`

// A workflow is what this test runs of one.
type workflow struct {
	Env  map[string]string
	Jobs map[string]*struct {
		Env   map[string]string
		Steps []struct {
			If, Run, Shell string
			Env            map[string]string
			Continue       bool `yaml:"continue-on-error"`
		}
	}
}

// job WORKFLOW JOB [NAME=VALUE...] runs the steps of a job, as GitHub does: its scripts, with bash, in sequence.
// An expression is one of the names given, or what an earlier job handed on. What is not slipway's own is left out: the
// actions, and the script that downloads the command. What the scripts write is kept as the job's log. "! job" is one that fails.
func runJob(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: job workflow job [name=value...]")
	}
	var w workflow
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(filepath.Join(".github/workflows", args[0]))), &w))
	j := w.Jobs[args[1]]
	if j == nil {
		ts.Fatalf("%s has the jobs %v", args[0], slices.Sorted(maps.Keys(w.Jobs)))
	}
	known := map[string]string{"github.token": "ghs_planted"}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		known[name] = value
	}
	outputs, err := filepath.Glob(ts.MkAbs("outputs/*"))
	ts.Check(err)
	for _, file := range outputs {
		for _, line := range strings.Split(strings.TrimSpace(ts.ReadFile(file)), "\n") {
			name, value, _ := strings.Cut(line, "=")
			known["needs."+filepath.Base(file)+".outputs."+name] = value
		}
	}
	evaluated := func(text string) string {
		return regexp.MustCompile(`\$\{\{ *(.+?) *\}\}`).ReplaceAllStringFunc(text, func(expression string) string {
			name := strings.Trim(expression, "${} ")
			value, ok := known[name]
			if !ok {
				ts.Fatalf("the expression %s is none of %v", name, known)
			}
			return value
		})
	}
	ts.Check(os.MkdirAll(ts.MkAbs(".slipway/bin"), 0o755))
	ts.Check(os.MkdirAll(ts.MkAbs("outputs"), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(".slipway/bin/slipway"), []byte(downloaded), 0o755))

	failed, ran := false, 0
	for _, s := range j.Steps {
		if s.Run == "" || s.Run == "bash .github/workflows/slipway.sh" {
			continue
		}
		switch s.If {
		case "failure() || cancelled()":
			if !failed {
				continue
			}
		case "github.event.pull_request.head.repo.full_name == github.repository":
			if failed || known["fork"] == "true" {
				continue
			}
		case "":
			if failed {
				continue
			}
		default:
			ts.Fatalf("this test does not know the condition %s", s.If)
		}
		if s.Shell != "" {
			ts.Fatalf("this test does not know the shell %s", s.Shell)
		}
		ran++
		words := []string{"GITHUB_OUTPUT=" + ts.MkAbs("outputs/"+args[1]), "GITHUB_STEP_SUMMARY=" + ts.MkAbs("summary.md"), "GITHUB_ACTIONS=true"}
		for _, env := range []map[string]string{w.Env, j.Env, s.Env} {
			for name, value := range env {
				words = append(words, name+"="+evaluated(value))
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs("script.sh"), []byte(s.Run+"\n"), 0o644))
		ts.Logf("+ %s", s.Run)
		err := ts.Exec("env", append(words, "bash", "--noprofile", "--norc", "-eo", "pipefail", ts.MkAbs("script.sh"))...)
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			ts.Check(err)
		}
		keep(ts, args[0]+" "+args[1])
		if err != nil && !s.Continue {
			failed = true
		}
	}
	switch {
	case ran == 0:
		ts.Fatalf("%s has no step that this test can run", args[1])
	case failed && !neg:
		ts.Fatalf("job %s failed", args[1])
	case !failed && neg:
		ts.Fatalf("job %s did not fail", args[1])
	}
}

// github starts what a workflow takes for GitHub's API, whose pull request 12 is the script's. With an argument it writes
// the comment of Slipway there into that file.
func github(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		h := startHub()
		h.actions = true
		hubs.Store(ts.Getenv("WORK"), h)
		ts.Defer(h.Close)
		ts.Setenv("GITHUB_API_URL", h.URL)
		ts.Setenv("GITHUB_REPOSITORY", "example/site")
		return
	}
	found, _ := hubs.Load(ts.Getenv("WORK"))
	h := found.(*hub)
	var ours []string
	for _, c := range h.comments {
		if c["user"].(map[string]any)["login"] == "github-actions[bot]" {
			ours = append(ours, c["body"].(string))
		}
	}
	if len(ours) != 1 {
		ts.Fatalf("there are %d comments, want 1", len(ours))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ours[0]), 0o600))
}

// hubs are those of the scripts that run, by folder.
var hubs sync.Map
