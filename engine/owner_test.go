package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Two runners of GitHub may have the same host name, and then the same process numbers: neither shows that a run has ended.
// It takes the same run, attempt and job to look for its process here.
func (b *sharedBench) runners(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const gone = 1 << 30 // no process has this number
	lives := map[string]string{}
	b.github = GitHub{RunStatus: func(_ context.Context, run GitHubRun) (string, string, error) {
		status, known := lives[fmt.Sprintf("%s/%d", run.ID, run.Attempt)]
		if !known {
			return "", "", errors.New("404 Not Found")
		}
		return status, "success", nil
	}}
	defer func() { b.github = GitHub{} }()
	at := func(id, attempt string) string { return id + "/" + attempt }
	const running, ended = "in_progress", "completed"
	run := func(id string, attempt int, job string) *GitHubRun {
		return &GitHubRun{Repository: "example/site", ID: id, Attempt: attempt, Job: job, Workflow: "deploy", Actor: "ada"}
	}
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	const key = ".pulumi/locks/organization/bench/local/0b1c.json"

	for _, c := range []struct {
		name  string
		own   *GitHubRun // that looks
		notes []Owner    // of this host, before the lock was taken
		says  map[string]string
		free  bool
		run   string // that the lock is said to be of
	}{
		{"another run that lives", run("78", 1, "prod"), []Owner{{GitHub: run("77", 1, "prod")}},
			map[string]string{at("77", "1"): running}, false, "77"},
		{"another run that has ended", run("78", 1, "prod"), []Owner{{GitHub: run("77", 1, "prod")}},
			map[string]string{at("77", "1"): ended}, true, ""},
		{"another job of the same run", run("77", 1, "prod"), []Owner{{GitHub: run("77", 1, "staging")}},
			map[string]string{at("77", "1"): running}, false, "77"},
		{"an earlier step of the same job", run("77", 1, "prod"), []Owner{{GitHub: run("77", 1, "prod")}},
			map[string]string{at("77", "1"): running}, true, ""},
		{"an earlier attempt", run("77", 2, "prod"), []Owner{{GitHub: run("77", 1, "prod")}}, map[string]string{at("77", "1"): ended}, true, ""},
		{"a run whose twin has ended", run("79", 1, "prod"), []Owner{{GitHub: run("77", 1, "prod")}, {GitHub: run("78", 1, "prod")}},
			map[string]string{at("77", "1"): running, at("78", "1"): ended}, false, "77"},
		{"a run that left no note", run("78", 1, "prod"), nil, nil, false, ""},
		{"a person's run, seen by the person", nil, []Owner{{}}, nil, true, ""},
		{"a run of GitHub, seen by a person", nil, []Owner{{GitHub: run("77", 1, "prod")}},
			map[string]string{at("77", "1"): running}, false, "77"},
	} {
		t.Run(c.name, func(t *testing.T) {
			variables := map[string]string{"GITHUB_ACTIONS": "", "GITHUB_RUN_ID": "", "GITHUB_RUN_ATTEMPT": "", "GITHUB_JOB": "",
				"GITHUB_REPOSITORY": ""}
			if c.own != nil {
				variables = map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": c.own.ID, "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": c.own.Job,
					"GITHUB_REPOSITORY": c.own.Repository}
				if c.own.Attempt == 2 {
					variables["GITHUB_RUN_ATTEMPT"] = "2"
				}
			}
			for name, value := range variables {
				t.Setenv(name, value)
			}
			b.github.Own = GitHubRunOf(os.Getenv)
			lives = c.says
			notes := map[string]bool{}
			for i, n := range c.notes {
				n.PID, n.Host, n.Operation, n.Since = gone, host, "up", since.Add(time.Duration(i-10)*time.Second)
				name := ".slipway/runs/bench/local/" + n.noteName()
				notes[name] = true
				b.put(name, n)
			}
			if len(notes) != len(c.notes) {
				t.Errorf("two runs have the same note: %v", notes)
			}
			b.put(key, map[string]any{"pid": gone, "username": "runner", "hostname": host, "timestamp": since})
			s := b.open()
			locks, err := s.Locks(t.Context())
			if err != nil || len(locks) != 1 {
				t.Fatalf("the locks are %v, %v", locks, err)
			}
			switch l := locks[0]; {
			case (l.Life == Gone) != c.free:
				t.Errorf("the run is %s: %s; want ended: %t", l.Life, l.Why, c.free)
			case c.run != "" && (l.Run == nil || l.Run.GitHub == nil || l.Run.GitHub.ID != c.run):
				t.Errorf("the lock is said to be of %+v, want run %s", l.Run, c.run)
			}
			var locked *StateLockedError
			if err := s.Free(t.Context()); errors.As(err, &locked) == c.free {
				t.Errorf("free: %v, want free %t", err, c.free)
			}
			if err := s.locks.admit(t.Context()); errors.As(err, &locked) == c.free {
				t.Errorf("admit: %v, want free %t", err, c.free)
			}
			if _, there := b.everything()[key]; there == c.free {
				t.Errorf("the lock is there: %t", there)
			}
			left := []StateLock{{Key: key}}
			for name := range notes {
				left = append(left, StateLock{Key: name})
			}
			if err := s.Break(t.Context(), left); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Two jobs on runners that share a host name and a process number, in the same second, keep a note each.
func TestEveryJobHasItsOwnNote(t *testing.T) {
	at := time.Date(2026, 11, 28, 3, 17, 0, 0, time.UTC)
	owner := func(id string, attempt int, job string) string {
		return Owner{PID: 42, Host: "runnervm", Since: at, GitHub: &GitHubRun{ID: id, Attempt: attempt, Job: job}}.noteName()
	}
	names := map[string]bool{
		owner("77", 1, "dev"): true, owner("77", 1, "prod"): true, owner("77", 2, "dev"): true, owner("78", 1, "dev"): true,
		Owner{PID: 42, Host: "runnervm", Since: at}.noteName(): true,
	}
	if len(names) != 5 {
		t.Errorf("the notes are %v", names)
	}
	for name := range names {
		if !strings.HasSuffix(name, ".json") || strings.Contains(name, "/") {
			t.Errorf("%s cannot be listed with the others", name)
		}
	}
}
