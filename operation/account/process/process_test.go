package process

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Setenv("PGSERVICE", "another")
	for _, c := range []struct {
		name, script, in, want string
		hold                   bool
		exit                   int
	}{
		{"output and exit code", "echo out; echo err >&2; exit 3", "", "out\nerr\n", false, 3},
		{"an input", "cat", "words", "words", false, 0},
		{"no input", "cat", "", "", false, 0},
		{"an input that stays open", "read -t 0.2 line; echo $?", "", "142\n", true, 0}, // bash: the time is over, not the input
		{"a variable more, and one less", `echo "$PGPASSWORD,$PGSERVICE"`, "", "secret,\n", false, 0},
		{"killed", "kill -9 $$", "", "", false, 137},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			s := Streams{Out: &out, Err: &out}
			if c.in != "" {
				s.In = strings.NewReader(c.in)
			}
			exit, err := Run(t.Context(), Command{Path: "bash", Args: []string{"-c", c.script}, Env: []string{"PGPASSWORD=secret"},
				Without: []string{"PGSERVICE"}, Hold: c.hold}, s)
			if exit != c.exit || err != nil || out.String() != c.want {
				t.Errorf("%q, exit code %d, %v; want %q and %d", out.String(), exit, err, c.want, c.exit)
			}
		})
	}
	_, err := Run(t.Context(), Command{Path: "/no/such/program"}, Streams{})
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a program that does not exist: %v", err)
	}
}

// An interrupt reaches the program as Ctrl-C does, and it may finish what it does.
func TestAnInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	ready := &signalled{to: &out, seen: cancel}
	began := time.Now()
	_, err := Run(ctx, Command{Path: "bash", Args: []string{"-c", `trap 'echo over; exit' INT; echo ready; while :; do sleep 0.05; done`}},
		Streams{Out: ready})
	if !errors.Is(err, context.Canceled) || out.String() != "ready\nover\n" || time.Since(began) > patience {
		t.Errorf("%v after %s: %q", err, time.Since(began), out.String())
	}
}

// A signalled calls seen after the first output.
type signalled struct {
	to   *bytes.Buffer
	seen func()
}

func (s *signalled) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.seen()
	return n, err
}
