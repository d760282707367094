package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/finding"
)

// An explaining account says why a call is allowed or denied, and why a connection is possible or not.
type explaining interface {
	Why(caller, action, resource string, keys map[string][]string) (finding.Answer, error)
	Reach(source, destination string) (finding.Answer, error)
	Holds() bool
}

// Why answers a question about the rehearsed stack. Its words are ROLE ACTION RESOURCE [key=value ...], or SOURCE DESTINATION:PORT. A
// stack that is not deployed, or that is asked about with a change or with other settings, is rehearsed for the answer.
func Why(ctx context.Context, t Target, words []string) (answer finding.Answer, err error) {
	ask, err := question(words)
	if err != nil {
		return answer, UsageError{err}
	}
	if t.Live {
		return answer, UsageError{errors.New("why asks the model: it cannot read every policy of an account")}
	}
	c, err := configure(t)
	if err != nil {
		return answer, err
	}
	if _, err := os.Stat(modelaccount.File(t.dir())); err == nil && !t.WhatIf.Asked() && len(t.Overrides) == 0 {
		a, err := openAccount(ctx, t, c, "preview") // which has no containers
		if err != nil {
			return answer, err
		}
		if judge, ok := a.(explaining); ok && judge.Holds() {
			answer, err = ask(a)
			answer.Stack = t.Stack
			return answer, errors.Join(err, a.Close())
		}
		if err := a.Close(); err != nil {
			return answer, err
		}
	}
	tried, err := t.try(ctx, "")
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, tried.close()) }()
	t.Progress.Logf("Rehearsing stack %s to find out.", t.Stack)
	progress := t.Progress
	t.Progress = silence{}
	args := asideArgs{tried: tried, monitor: tried.monitor()}
	err = t.aside(ctx, args, func(s *session) error {
		_, failed := s.up(ctx, nil)
		if failed != nil {
			if ctx.Err() != nil {
				return failed
			}
			progress.Logf("The stack does not come up, so not everything is there: %s", firstLine(failed, s.findings(failed)))
		}
		if answer, err = ask(s.account); err != nil && failed != nil {
			err = s.stopped(words, failed, err)
		}
		answer.Stack, answer.Rehearsed = t.Stack, true
		return err
	})
	return answer, err
}

// question reads the words of a question. Its answer comes from an account.
func question(words []string) (func(account.Account) (finding.Answer, error), error) {
	keys := map[string][]string{}
	for i, word := range words {
		if i < 3 {
			continue
		}
		key, value, ok := strings.Cut(word, "=")
		if !ok || !strings.Contains(key, ":") {
			return nil, fmt.Errorf("%q is not a condition key with its value, as in aws:SourceAccount=123456789012", word)
		}
		keys[key] = append(keys[key], value)
	}
	switch {
	case len(words) == 2:
		return explained(func(a explaining) (finding.Answer, error) { return a.Reach(words[0], words[1]) }), nil
	case len(words) >= 3:
		return explained(func(a explaining) (finding.Answer, error) { return a.Why(words[0], words[1], words[2], keys) }), nil
	}
	return nil, errors.New("expected ROLE ACTION RESOURCE [key=value ...], or SOURCE DESTINATION:PORT")
}

func explained(ask func(explaining) (finding.Answer, error)) func(account.Account) (finding.Answer, error) {
	return func(a account.Account) (finding.Answer, error) {
		judge, ok := a.(explaining)
		if !ok {
			return finding.Answer{}, errors.New("this account cannot be asked")
		}
		return ask(judge)
	}
}

// stopped is why an end of a connection, or a role, is not there: AWS refused it, or it was never tried. err is what is said otherwise.
func (s *session) stopped(words []string, failed, err error) error {
	for _, word := range words[:2] {
		name, _, _ := strings.Cut(word, ":")
		for _, f := range s.findings(failed) {
			if finding.Name(f.Resource) == name {
				return fmt.Errorf("%s does not come up with this change: %s", name, f)
			}
		}
	}
	return err
}
