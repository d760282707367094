package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Exit codes.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitLimit   = 3
	exitLocked  = 4
	exitStopped = 143
)

// A failure ends the program with a code. Text may be empty if everything was said already.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func usage(format string, args ...any) error {
	return &failure{exitUsage, fmt.Sprintf(format, args...)}
}

// An invocation is one run of the program.
type invocation struct {
	out, err io.Writer
	env      environment
}

// An environment is the environment variables of the process.
type environment map[string]string

func currentEnvironment() environment {
	env := environment{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return env
}

// list is the environment in the form of os/exec.
func (e environment) list() []string {
	lines := make([]string, 0, len(e)) // not nil, which would mean the environment of this process
	for name, value := range e {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return lines
}

func (e environment) or(name, instead string) string {
	if value := e[name]; value != "" {
		return value
	}
	return instead
}

// parse parses flags; a mistake is a failure with exit code 2, which the flag package has printed already.
func parse(flags *flag.FlagSet, args []string, positional int) error {
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return &failure{code: exitUsage}
	}
	if flags.NArg() > positional {
		return usage("unexpected argument %q", flags.Arg(positional))
	}
	return nil
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string     { return strings.Join(*t, " ") }
func (t *texts) Set(s string) error { *t = append(*t, s); return nil }
