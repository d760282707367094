// Package githubtoken says which OpenID Connect token GitHub Actions gives to a job. A role in AWS trusts tokens by their audience and
// their subject, so this decides which jobs may assume it.
//
// Sources: GitHub Docs, "OpenID Connect reference", sections "OIDC token claims", "Example subject claims" and "Customizing the token
// claims"; "Workflow syntax for GitHub Actions", permissions; GitHub Changelog 2026-04-23, immutable subject claims.
package githubtoken

import (
	"errors"
	"fmt"
	"strings"
)

// Issuer is the issuer of every token, without https://.
const Issuer = "token.actions.githubusercontent.com"

// A Job is one job of a workflow run.
type Job struct {
	Repository            string // owner/name, as GitHub spells it
	OwnerID, RepositoryID int    // with both the subject has the immutable form
	Event                 string // push, pull_request, merge_group, workflow_dispatch or schedule
	Ref                   string // refs/heads/main, refs/tags/v1, refs/pull/5/merge
	Environment           string // that the job names; "": none
	Fork                  bool   // a pull request from a fork
	IDToken               bool   // the job has the permission id-token: write
	Audience              string // that the job asks for; "": that of configure-aws-credentials
	Workflow              string // owner/name/.github/workflows/file@ref: a reusable workflow that the job is in; "": none

	// ClaimKeys are those of a customised subject, in order; nil: the default. repo and context are the parts of the default.
	ClaimKeys []string
}

// A Token is what AWS reads of a token.
type Token struct{ Issuer, Audience, Subject string }

// Token is the token that the job gets, or why it gets none.
func (j Job) Token() (Token, error) {
	switch {
	case j.Fork:
		return Token{}, errors.New("GitHub gives no token to a pull request from a fork")
	case !j.IDToken:
		return Token{}, errors.New("GitHub gives a token only to a job with the permission id-token: write")
	}
	t := Token{Issuer: Issuer, Audience: j.Audience, Subject: j.subject()}
	if t.Audience == "" {
		t.Audience = "sts.amazonaws.com"
	}
	return t, nil
}

func (j Job) subject() string {
	keys := j.ClaimKeys
	if keys == nil {
		keys = []string{"repo", "context"}
	}
	var parts []string
	for _, key := range keys {
		switch key {
		case "repo":
			parts = append(parts, "repo:"+j.repository())
		case "context":
			parts = append(parts, j.context())
		default:
			parts = append(parts, key+":"+escape(j.claim(key)))
		}
	}
	return strings.Join(parts, ":")
}

func (j Job) repository() string {
	if j.OwnerID == 0 || j.RepositoryID == 0 {
		return j.Repository
	}
	owner, name, _ := strings.Cut(j.Repository, "/")
	return fmt.Sprintf("%s@%d/%s@%d", owner, j.OwnerID, name, j.RepositoryID)
}

// context is where the job runs. An environment hides the branch and the pull request; a merge queue runs on a branch of its own.
func (j Job) context() string {
	switch {
	case j.Environment != "":
		return "environment:" + escape(j.Environment)
	case j.Event == "pull_request":
		return "pull_request"
	}
	return "ref:" + j.Ref
}

func (j Job) claim(key string) string {
	owner, _, _ := strings.Cut(j.Repository, "/")
	switch key {
	case "repository":
		return j.Repository
	case "repository_owner":
		return owner
	case "environment":
		return j.Environment
	case "ref":
		return j.Ref
	case "event_name":
		return j.Event
	case "job_workflow_ref":
		return j.Workflow
	}
	return ""
}

// escape keeps a value from looking like two claims.
func escape(value string) string { return strings.ReplaceAll(value, ":", "%3A") }
