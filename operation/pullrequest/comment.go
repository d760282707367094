// Package pullrequest says in Markdown what a change does to every stack, and keeps it as the one comment of a GitHub pull
// request.
package pullrequest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"slipway/internal/github"
	"slipway/operation"
)

// The most characters that GitHub takes in a comment. Slipway counts bytes, which are never fewer.
const limit = 65536

// Mark begins the comment, unseen, so that the next run finds it.
const Mark = "<!-- slipway comment -->"

// A Summary is what one file says about a stack.
type Summary struct {
	Stack   string                    `json:"stack"`
	Live    bool                      `json:"live"`
	Counts  map[string]int            `json:"counts"`  // of a preview
	Changes []operation.PlannedChange `json:"changes"` // of a preview
	Good    *bool                     `json:"good"`    // of a rehearsal
	Reasons []string                  `json:"reasons"` // of a rehearsal
	Error   *struct {
		Message string `json:"message"`
	} `json:"error"` // of a command that failed
	empty bool
}

// Read reads what preview --json or rehearse --json wrote. A file that is empty, or holds an error, stands for a command that failed;
// its stack is taken from the file's name up to the first dot.
func Read(file string) (Summary, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Summary{}, err
	}
	var one Summary
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &one); err != nil {
			return Summary{}, fmt.Errorf("%s: not what preview --json or rehearse --json writes: %w", file, err)
		}
	}
	if len(bytes.TrimSpace(data)) == 0 || one.Error != nil {
		stack, _, _ := strings.Cut(filepath.Base(file), ".")
		if !operation.IsStackName(stack) {
			return Summary{}, fmt.Errorf("%s: it holds no result, and its name does not begin with the name of a stack", file)
		}
		failed := Summary{Stack: stack, empty: true}
		if one.Error != nil {
			failed.Reasons = []string{one.Error.Message}
		}
		return failed, nil
	}
	// Only such a name means nothing in Markdown.
	if !operation.IsStackName(one.Stack) || len(one.Stack) > 100 || (one.Counts == nil) == (one.Good == nil) {
		return Summary{}, fmt.Errorf("%s: not what preview --json or rehearse --json writes: "+
			"it must name a stack, and hold either counts or good", file)
	}
	return one, nil
}

// Markdown is a table with a line for each summary, then the changes of each as long as there is room. lines gives the text of
// one change.
func Markdown(all []Summary, lines func(operation.PlannedChange) []string) string {
	slices.SortStableFunc(all, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(a.Stack, b.Stack), cmp.Compare(rank(a), rank(b)))
	})
	var b strings.Builder
	b.WriteString(Mark + "\n## What this changes\n\n| stack | | create | update | replace | delete |\n|---|---|---|---|---|---|\n")
	var detailed []Summary
	for i, one := range all {
		if b.Len() > limit/2 {
			fmt.Fprintf(&b, "\n... and %d files more\n", len(all)-i)
			break
		}
		line := "| " + one.Stack + " | " + one.kind()
		if one.Good == nil && !one.empty {
			for _, op := range []string{"create", "update", "replace", "delete"} {
				n := fmt.Sprint(one.Counts[op])
				if one.Counts[op] > 0 && (op == "replace" || op == "delete") {
					n = "**" + n + "**"
				}
				line += " | " + n
			}
		} else {
			line += " | | | |"
		}
		b.WriteString(line + " |\n")
		if len(one.Changes) > 0 || len(one.Reasons) > 0 {
			detailed = append(detailed, one)
		}
	}
	for i, one := range detailed {
		// Each gets an equal share of what the ones before it left.
		room := (limit - b.Len()) / (len(detailed) - i)
		b.WriteString(one.details(room, lines))
	}
	return b.String()
}

func rank(one Summary) int {
	switch {
	case one.empty:
		return 3
	case one.Good != nil:
		return 2
	case one.Live:
		return 0
	}
	return 1
}

func (one Summary) kind() string {
	switch {
	case one.empty:
		return "**no result: its log says why**"
	case one.Good != nil && *one.Good:
		return "rehearsed: good"
	case one.Good != nil:
		return "**rehearsed: not fit to be deployed**"
	case one.Live:
		return "preview of the account"
	}
	return "preview of the rehearsal"
}

// details lists changes or reasons in a block that opens on a click, in at most room bytes.
func (one Summary) details(room int, linesOf func(operation.PlannedChange) []string) string {
	var lines []string
	for _, reason := range one.Reasons {
		lines = append(lines, strings.Split(reason, "\n")...)
	}
	for _, c := range one.Changes {
		lines = append(lines, linesOf(c)...)
	}
	for i, line := range lines {
		lines[i] = oneLine(line)
	}
	// A fence that is longer than any in the text cannot be closed by it.
	fence := "```"
	for _, run := range regexp.MustCompile("`+").FindAllString(strings.Join(lines, "\n"), -1) {
		fence += strings.Repeat("`", max(0, len(run)+1-len(fence)))
	}
	head := fmt.Sprintf("\n<details><summary>%s: %s</summary>\n\n%stext\n", one.Stack, one.title(), fence)
	foot := fence + "\n\n</details>\n"
	rest := func(n int) string { return fmt.Sprintf("... and %d lines more\n", n) }
	if room -= len(head) + len(foot) + len(rest(len(lines))); room < 0 {
		return ""
	}
	var b strings.Builder
	for i, line := range lines {
		if b.Len()+len(line)+1 > room {
			b.WriteString(rest(len(lines) - i))
			break
		}
		b.WriteString(line + "\n")
	}
	return head + b.String() + foot
}

func (one Summary) title() string {
	if one.Good != nil {
		return "what is wrong"
	}
	what := fmt.Sprintf("%d changes", len(one.Changes))
	if len(one.Changes) == 1 {
		what = "1 change"
	}
	if one.Live {
		what += " in the account"
	}
	return what
}

// oneLine is text without what could end a line or hide the rest of it.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < ' ' || r == 0x7f || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) ||
			r == 0x2028 || r == 0x2029 {
			return '\uFFFD'
		}
		return r
	}, text)
}

// Post makes body the one comment of a pull request, and returns its address.
func Post(ctx context.Context, pull int, body string) (string, error) {
	repository, g := os.Getenv("GITHUB_REPOSITORY"), client{github.FromEnvironment(os.Getenv)}
	if !github.Repository.MatchString(repository) {
		return "", fmt.Errorf("GITHUB_REPOSITORY must be owner/name, got %q", repository)
	}
	if g.Token == "" {
		return "", errors.New("GITHUB_TOKEN is empty: it must hold a token that may write pull requests")
	}
	// Another author's comment can begin with the mark too, and must not be overwritten with Slipway's words.
	author := "github-actions[bot]"
	if os.Getenv("GITHUB_ACTIONS") != "true" {
		var user struct{ Login string }
		if err := g.call(ctx, http.MethodGet, "/user", nil, &user); err != nil {
			return "", err
		}
		author = user.Login
	}
	type written struct {
		ID      int64
		Body    string
		HTMLURL string `json:"html_url"`
		User    struct{ Login string }
	}
	var result written
	text := map[string]string{"body": body}
	const perPage = 100
	for page := 1; page <= 100; page++ {
		var comments []written
		path := fmt.Sprintf("/repos/%s/issues/%d/comments?per_page=%d&page=%d", repository, pull, perPage, page)
		if err := g.call(ctx, http.MethodGet, path, nil, &comments); err != nil {
			return "", err
		}
		for _, c := range comments {
			if c.User.Login == author && strings.HasPrefix(c.Body, Mark) {
				err := g.call(ctx, http.MethodPatch, fmt.Sprintf("/repos/%s/issues/comments/%d", repository, c.ID), text, &result)
				return result.HTMLURL, err
			}
		}
		if len(comments) < perPage {
			break
		}
	}
	err := g.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/issues/%d/comments", repository, pull), text, &result)
	return result.HTMLURL, err
}

// A client names the permission that a token lacks.
type client struct{ github.Client }

func (c client) call(ctx context.Context, method, path string, body, answer any) error {
	err := c.Call(ctx, method, path, body, answer)
	var refused *github.StatusError
	if errors.As(err, &refused) {
		switch refused.Code {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			return fmt.Errorf("%w; the token needs the right to write pull requests of that repository", err)
		}
	}
	return err
}
