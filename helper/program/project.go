package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"slipway/internal/redact"
)

// grace is the time between SIGTERM and SIGKILL for a command that is stopped. ECS gives a task 30 s.
var grace = 10 * time.Second

// A project runs the project's own commands.
type project struct {
	manage []string // what stands for manage.py
	env    []string
	out    io.Writer
	hide   *strings.Replacer // hides passwords
}

// manage reads what stands for manage.py.
func (i *invocation) manage() ([]string, error) {
	var manage []string
	text := i.env.or("SLIPWAY_MANAGE", `["python","manage.py"]`)
	if err := json.Unmarshal([]byte(text), &manage); err != nil || len(manage) == 0 {
		return nil, usage("SLIPWAY_MANAGE must be a JSON list of strings, got %s", text)
	}
	return manage, nil
}

// hiding replaces secrets in output, plain and as part of a URL.
func hiding(secrets ...string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) < 4 {
			continue // it would garble every line
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), url.UserPassword("", s).String()[1:]} {
			pairs = append(pairs, form, "…")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (p *project) clean(text string) string { return redact.Text(p.hide.Replace(text)) }

// A result is what a command left.
type result struct {
	err      error  // nil: exit code 0
	out      string // its last 64 KiB on stdout
	errs     string // and on stderr
	reason   string // why it failed, in one line
	applying string // the migration that began last and did not end
	locked   bool   // Postgres ended a statement because of lock_timeout
}

// run runs a command of the project and passes its output on, line by line. It returns when the whole process group is gone.
func (p *project) run(ctx context.Context, args []string, progress func(applying string)) result {
	var lock sync.Mutex
	out := &lines{to: p.out, lock: &lock, clean: p.clean, progress: progress}
	errs := &lines{to: p.out, lock: &lock, clean: p.clean}
	err := runGroup(ctx, slices.Concat(p.manage, args), p.env, out, errs)
	out.end()
	errs.end()
	r := result{err: err, out: out.kept.String(), errs: errs.kept.String(), applying: out.applying}
	r.locked = strings.Contains(r.errs+r.out, "canceling statement due to lock timeout")
	if err != nil {
		r.reason = cmp.Or(exceptionOf(r.errs), exceptionOf(r.out), err.Error())
	}
	return r
}

// runGroup runs a command in its own process group until it ends or ctx does, and ends the whole group.
func runGroup(ctx context.Context, argv, env []string, out, errs io.Writer) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, errs
	cmd.SysProcAttr = groupAttr()
	cmd.WaitDelay = time.Second // for a process that left the group and holds the pipe
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the command ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start %s: %w", argv[0], err)
	}
	group := -cmd.Process.Pid
	defer func() {
		for n := 0; n < 100 && syscall.Kill(group, syscall.SIGKILL) == nil; n++ {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	select {
	case err := <-ended:
		return exitOf(err)
	case <-ctx.Done():
	}
	_ = syscall.Kill(group, syscall.SIGTERM)
	kill := time.AfterFunc(grace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer kill.Stop()
	<-ended
	return context.Cause(ctx)
}

func exitOf(err error) error {
	var exit *exec.ExitError
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // the command itself succeeded
	}
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("ended by signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Errorf("exit code %d", exit.ExitCode())
}

// lines passes output on in whole lines, without secrets.
type lines struct {
	to       io.Writer
	lock     *sync.Mutex // of both streams
	clean    func(string) string
	progress func(string) // may be nil

	partial  []byte
	kept     tail
	applying string
}

const longestLine = 64 << 10

func (l *lines) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.partial = append(l.partial, p...)
	for {
		n := bytes.IndexByte(l.partial, '\n')
		if n < 0 && len(l.partial) > longestLine {
			n = len(l.partial) - 1
		}
		if n < 0 {
			break
		}
		l.line(string(l.partial[:n+1]))
		l.partial = l.partial[n+1:]
	}
	l.watch(string(l.partial)) // Django ends this line only after the migration
	return len(p), nil
}

func (l *lines) end() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.partial) > 0 {
		l.line(string(l.partial))
		l.partial = nil
	}
}

func (l *lines) line(text string) {
	l.watch(text)
	text = l.clean(strings.TrimRight(text, "\r\n")) + "\n"
	_, _ = io.WriteString(&l.kept, text)
	_, _ = io.WriteString(l.to, text)
}

var applyingLine = regexp.MustCompile(`(?m)^ *(?:Applying|Unapplying) (\w+\.[\w.-]*\w)\.\.\.(.*)`)

func (l *lines) watch(text string) {
	m := applyingLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	l.applying = m[1]
	if strings.Contains(m[2], "OK") || strings.Contains(m[2], "FAKED") {
		l.applying = ""
	}
	if l.progress != nil {
		l.progress(l.applying)
	}
}

// A tail keeps the last 64 KiB of a text.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - longestLine; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.text) }

// exceptionOf is the line that says why a command failed: the one after the frames of the last traceback, or the last line.
func exceptionOf(output string) string {
	found, last, frames := "", "", false
	for line := range strings.SplitSeq(output, "\n") {
		switch {
		case strings.HasPrefix(line, "Traceback (most recent call last)"):
			frames, found = true, ""
		case strings.TrimSpace(line) == "":
			continue
		case frames && !strings.HasPrefix(line, " "):
			frames, found = false, line
		}
		last = line
	}
	text := []rune(strings.TrimSpace(cmp.Or(found, last)))
	if len(text) > 400 {
		text = append(text[:400], '…')
	}
	return string(text)
}
