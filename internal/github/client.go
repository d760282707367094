package github

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// A Client calls GitHub's REST API.
type Client struct {
	API   string // "": https://api.github.com
	Token string
}

// FromEnvironment is the client that the variables of a workflow run describe.
func FromEnvironment(variable func(string) string) Client {
	return Client{API: variable("GITHUB_API_URL"), Token: variable("GITHUB_TOKEN")}
}

// A StatusError is an answer of GitHub that is not a success.
type StatusError struct {
	Method, Path string
	Code         int
	Status       string // "404 Not Found"
	Message      string // GitHub's own, on one line; may be empty
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: GitHub says %s %s", e.Method, e.Path, e.Status, e.Message))
}

const (
	patience = 30 * time.Second // of one call
	largest  = 64 << 20         // bytes of an answer
)

// Call sends body as JSON, unless it is nil, and decodes the answer into answer. It waits half a minute at most.
func (c Client) Call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(cmp.Or(c.API, "https://api.github.com"), "/")+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) { // it repeats the method and the whole URL
			err = failed.Err
		}
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode < 200 || response.StatusCode >= 300 {
		var said struct{ Message string }
		_ = json.Unmarshal(data, &said) // the status says enough if this fails
		return &StatusError{method, path, response.StatusCode, response.Status, printable(said.Message)}
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%s %s: GitHub's answer is not JSON: %w", method, path, err)
	}
	return nil
}

// RunStatus is the status of a workflow run, such as "in_progress" or "completed", and how it ended, such as "cancelled".
// Attempt 0 is the latest.
func (c Client) RunStatus(ctx context.Context, repository, id string, attempt int) (status, conclusion string, err error) {
	path := "/repos/" + repository + "/actions/runs/" + id
	if attempt > 0 {
		path += fmt.Sprintf("/attempts/%d", attempt)
	}
	var run struct{ Status, Conclusion string }
	err = c.Call(ctx, http.MethodGet, path, nil, &run)
	return run.Status, run.Conclusion, err
}

// printable is text without characters that could end a line or hide the rest of it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
