package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// A GitHub answers whether a run is still alive. Its zero value knows only this process's own run.
type GitHub struct {
	API   string     // https://api.github.com
	Token string     // "": nothing is asked
	Own   *GitHubRun // the run that this process is part of, if it is
}

const githubPatience = 10 * time.Second

func (g GitHub) life(ctx context.Context, run GitHubRun) (Life, string) {
	if own := g.Own; own != nil && own.Repository == run.Repository && own.ID == run.ID && own.Attempt > run.Attempt {
		return Gone, "this is a later attempt of the same run"
	}
	if g.Token == "" {
		return Unclear, "without GITHUB_TOKEN GitHub is not asked whether it has ended"
	}
	ctx, cancel := context.WithTimeout(ctx, githubPatience)
	defer cancel()
	where := fmt.Sprintf("%s/repos/%s/actions/runs/%s", cmp.Or(g.API, "https://api.github.com"), run.Repository, run.ID)
	if run.Attempt > 0 {
		where += fmt.Sprintf("/attempts/%d", run.Attempt)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return Unclear, "GitHub cannot be asked: " + err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+g.Token)
	request.Header.Set("Accept", "application/vnd.github+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Unclear, "GitHub does not answer: " + err.Error()
	}
	defer response.Body.Close()
	var answer struct{ Status, Conclusion string }
	if response.StatusCode != http.StatusOK {
		return Unclear, "GitHub answers " + response.Status
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return Unclear, "GitHub's answer cannot be read: " + err.Error()
	}
	if answer.Status == "completed" {
		return Gone, "GitHub says that it has ended: " + answer.Conclusion
	}
	return Alive, "GitHub says that it is " + answer.Status
}
