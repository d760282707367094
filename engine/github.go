package engine

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// A GitHubRun is a run of a GitHub Actions workflow.
type GitHubRun struct {
	Repository string `json:"repository"` // owner/name
	ID         string `json:"id"`
	Attempt    int    `json:"attempt"`
	Job        string `json:"job"` // the key of the job in its workflow
	Workflow   string `json:"workflow"`
	Actor      string `json:"actor"`
}

func (r GitHubRun) String() string {
	which := r.ID
	if r.Attempt > 1 {
		which += fmt.Sprintf(", attempt %d,", r.Attempt)
	}
	if r.Job != "" {
		which = r.Job + " in run " + which
	} else {
		which = "run " + which
	}
	return fmt.Sprintf("%s of %q in %s by %s", which, r.Workflow, r.Repository, r.Actor)
}

// GitHubRunOf is the run that this process is part of, by the variables that GitHub sets; nil if it is none.
func GitHubRunOf(variable func(string) string) *GitHubRun {
	if variable("GITHUB_ACTIONS") != "true" || variable("GITHUB_RUN_ID") == "" {
		return nil
	}
	attempt, _ := strconv.Atoi(variable("GITHUB_RUN_ATTEMPT"))
	return &GitHubRun{
		Repository: variable("GITHUB_REPOSITORY"), ID: variable("GITHUB_RUN_ID"), Attempt: attempt,
		Job: variable("GITHUB_JOB"), Workflow: variable("GITHUB_WORKFLOW"), Actor: variable("GITHUB_ACTOR"),
	}
}

// GitHub is what an engine needs in order to find out whether a run has ended. The caller brings the client, because this
// package imports nothing else of the module. The zero value knows only of this process's own run.
type GitHub struct {
	// RunStatus is the status of a run, such as "in_progress" or "completed", and how it ended. Nil: GitHub is not asked.
	RunStatus func(ctx context.Context, run GitHubRun) (status, conclusion string, err error)
	Own       *GitHubRun // the run that this process is part of, if it is
}

const githubPatience = 10 * time.Second

func (g GitHub) life(ctx context.Context, run GitHubRun) (Life, string) {
	if own := g.Own; own != nil && own.Repository == run.Repository && own.ID == run.ID && own.Attempt > run.Attempt {
		return Gone, "this is a later attempt of the same run"
	}
	if g.RunStatus == nil {
		return Unclear, "without GITHUB_TOKEN GitHub is not asked whether it has ended"
	}
	ctx, cancel := context.WithTimeout(ctx, githubPatience)
	defer cancel()
	status, conclusion, err := g.RunStatus(ctx, run)
	switch {
	case err != nil:
		return Unclear, "GitHub does not say whether it has ended: " + err.Error()
	case status == "completed":
		return Gone, "GitHub says that it has ended: " + conclusion
	}
	return Alive, "GitHub says that it is " + status
}
