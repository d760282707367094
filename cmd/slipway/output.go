package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"slipway/cmd/slipway/commandline"
	"slipway/engine"
	"slipway/operation"
	"slipway/screen"
)

// An output is where one run of the command writes: data to stdout, messages and progress to stderr.
type output struct {
	stdout, stderr       io.Writer
	data, words          screen.Terminal // the same, as terminals
	json, verbose, quiet bool
	dir                  string   // -C, which a suggested command needs too
	commands             []string // of slipway, that a message may suggest
	printed              bool     // the data is written
	progress             *progress
}

func newOutput(stdout, stderr io.Writer) *output {
	o := &output{stdout: stdout, stderr: stderr, data: screen.Open(stdout), words: screen.Open(stderr)}
	o.progress = &progress{Progress: screen.NewProgress(o.words, screen.Components)}
	return o
}

// detail chooses how much progress is shown.
func (o *output) detail(command string) {
	switch {
	case o.quiet:
		o.progress.SetDetail(screen.Quiet)
	case o.verbose:
		o.progress.SetDetail(screen.Resources)
	case command == "rehearse":
		o.progress.SetDetail(screen.Acts)
	}
}

// say writes a message, which a quiet run leaves out.
func (o *output) say(format string, args ...any) {
	if !o.quiet {
		o.warn(format, args...)
	}
}

// warn writes a message that has to be read.
func (o *output) warn(format string, args ...any) {
	o.progress.Close()
	fmt.Fprintln(o.stderr, o.runnable(fmt.Sprintf(format, args...)))
}

// print writes data: v as JSON, or whatever text writes in its place.
func (o *output) print(v any, text func()) error {
	o.progress.Close()
	if !o.json {
		text()
		return nil
	}
	o.printed = true
	out := json.NewEncoder(o.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// A failure is an error with --json.
type failure struct {
	Error failureDetails `json:"error"`
}

type failureDetails struct {
	Message string `json:"message"`
	Kind    string `json:"kind"`
	Code    int    `json:"code"`
}

// fail writes an error. With --json it is also the data, unless that is there already.
func (o *output) fail(err error, kind string, code int) {
	o.progress.Close()
	words := o.runnable(err.Error())
	if o.json && !o.printed {
		_ = o.print(failure{failureDetails{words, kind, code}}, nil)
	}
	if kind == "usage" {
		words += "\n" + o.runnable("See slipway --help.")
	}
	fmt.Fprintf(o.stderr, "%s %s\n", o.words.Bad("slipway:"), words)
}

// runnable makes the commands in a message those that work here.
func (o *output) runnable(words string) string {
	return commandline.Runnable(words, os.Args[0], o.dir, o.commands)
}

// printOutputs writes the outputs of a stack, the URL first, under names for people.
func (o *output) printOutputs(outputs map[string]any) {
	var pairs []screen.Pair
	for _, one := range operation.Describe(outputs) {
		pairs = append(pairs, screen.Pair{Name: one.Name, Value: screen.Value(one.Value)})
	}
	o.data.WritePairs(pairs)
}

// counted says what an operation did: "139 created", "0 changes".
func counted(r engine.Result) string { return screen.Counted(r.Counts) }

// planned says what an operation would do: "139 to create", "0 changes".
func planned(r engine.Result) string { return screen.Planned(r.Counts) }

func elapsed(d time.Duration) string { return screen.Elapsed(d) }
