package workflows

import (
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"slipway/engine"
	"slipway/operation"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/githubtoken"
)

type silent struct{}

func (silent) Event(engine.Event)  {}
func (silent) Logf(string, ...any) {}

// jobsOf are the tokens of a job's runs: one for each event that starts its workflow, on the branch on which GitHub then runs it.
func jobsOf(w workflow, j *job, branch string) []githubtoken.Job {
	var all []githubtoken.Job
	for event := range w.On {
		g := githubtoken.Job{Repository: "example/site", Event: event, Ref: "refs/heads/" + branch, Environment: j.Environment,
			IDToken: j.Permissions["id-token"] == "write"}
		if event == "pull_request" {
			g.Ref = "refs/pull/5/merge"
		}
		all = append(all, g)
	}
	return all
}

// TestTheRolesTrustTheJobs: every job of the workflows that signs in to AWS gets a token that the trust policy of its role admits, as
// bootstrap makes the role; the same job of a fork, on another branch or without its permission does not.
func TestTheRolesTrustTheJobs(t *testing.T) {
	for name, c := range map[string]struct {
		edits  [][3]string
		branch string // that is deployed
		jobs   int    // at least
	}{
		"the repository":         {nil, "main", 8},
		"a role trusts branches": {[][3]string{devBranch}, "trunk", 4},
		"no read role":           {[][3]string{prodAlone}, "main", 8},
		"pull requests look":     {[][3]string{devPulls}, "trunk", 5},
		"prod from a branch too": {[][3]string{prodBranch}, "main", 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := project(t, c.edits...)
			p, files, _ := rendered(t, root)
			accounts := map[string]*cloud.Account{}
			for _, s := range p.Path {
				target := operation.Target{Root: root, Stack: s.Name, Throwaway: true, Progress: silent{}}
				if _, err := operation.Bootstrap(t.Context(), target); err != nil {
					t.Fatal(err)
				}
				a, err := cloud.Open(modelaccount.File(filepath.Join(root, ".slipway", s.Name)), cloud.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Close() })
				accounts[s.ID] = a
			}
			judged := 0
			for file, text := range files {
				var w workflow
				if err := yaml.Unmarshal(text, &w); err != nil {
					t.Fatal(err)
				}
				for id, j := range w.Jobs {
					stack, role := signsIn(p, j)
					if stack == nil || accounts[stack.ID].Object("aws:iam/role:Role", role) == nil {
						continue // a stack that names no repository has no roles, and its jobs wait
					}
					// The first stack's branch starts the workflows; a stack that trusts another branch waits for it.
					for _, g := range jobsOf(w, j, c.branch) {
						if g.Event == "pull_request" && p.Previewed == nil || trustsAnother(stack, g, c.branch) {
							continue
						}
						judged++
						if why := refused(accounts[stack.ID], role, g); why != "" {
							t.Errorf("%s, job %s at %s: %s", file, id, g.Event, why)
						}
						for what, wrong := range map[string]func(*githubtoken.Job){
							"without id-token":                 func(g *githubtoken.Job) { g.IDToken = false },
							"of a fork":                        func(g *githubtoken.Job) { g.Fork = true },
							"of another repository":            func(g *githubtoken.Job) { g.Repository = "example/site2" },
							"of a repository in other letters": func(g *githubtoken.Job) { g.Repository = "Example/Site" },
							"for another audience":             func(g *githubtoken.Job) { g.Audience = "https://github.com/example" },
							"in another place": func(g *githubtoken.Job) {
								if g.Ref = "refs/heads/feature"; g.Environment != "" {
									g.Environment = "feature"
								}
								g.Event = "push"
							},
						} {
							other := g
							wrong(&other)
							if refused(accounts[stack.ID], role, other) == "" {
								t.Errorf("%s, job %s at %s: the job %s may assume %s", file, id, g.Event, what, role)
							}
						}
					}
				}
			}
			if judged < c.jobs {
				t.Errorf("only %d tokens were judged", judged)
			}
			t.Logf("%d tokens of jobs judged", judged)
		})
	}
}

// signsIn is the stack and the role that a job signs in for; nil if it does not.
func signsIn(p *pipeline, j *job) (*ciStack, string) {
	for _, step := range j.Steps {
		if !strings.HasPrefix(step.Uses, "aws-actions/configure-aws-credentials@") {
			continue
		}
		for _, s := range p.Path {
			if strings.HasPrefix(step.With["role-session-name"], "slipway-"+s.ID+"-${{") {
				if strings.Contains(step.With["role-to-assume"], "_READ_ROLE") {
					return s, "slipway-" + s.Name + "-read"
				}
				return s, "slipway-" + s.Name + "-deploy"
			}
		}
	}
	return nil, ""
}

// trustsAnother reports whether a stack is deployed from another branch than the one that starts the workflows.
func trustsAnother(s *ciStack, g githubtoken.Job, branch string) bool {
	return g.Environment == "" && branch != "main" && s.Name != "dev"
}

func refused(a *cloud.Account, role string, g githubtoken.Job) string {
	token, err := g.Token()
	if err == nil {
		err = a.AssumeWithToken(role, cloud.Token(token))
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
