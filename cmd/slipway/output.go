package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/engine"
	"slipway/screen"
)

// An output is where one run of the command writes: data to stdout, messages and progress to stderr.
type output struct {
	stdout, stderr io.Writer
	json           bool
	progress       *progress
}

func newOutput(stdout, stderr io.Writer) *output {
	return &output{stdout: stdout, stderr: stderr, progress: newProgress(stderr)}
}

// say writes a message.
func (o *output) say(format string, args ...any) {
	o.progress.close()
	fmt.Fprintf(o.stderr, format+"\n", args...)
}

// print writes data: v as JSON, or whatever text writes in its place.
func (o *output) print(v any, text func()) error {
	o.progress.close()
	if !o.json {
		text()
		return nil
	}
	out := json.NewEncoder(o.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

func (o *output) printOutputs(outputs map[string]any) {
	width := 0
	for name := range outputs {
		width = max(width, len(name))
	}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		fmt.Fprintf(o.stdout, "%-*s  %s\n", width, name, screen.Shown(outputs[name]))
	}
}

func counts(r engine.Result, names map[string]string) string {
	var parts []string
	for _, op := range []string{"create", "update", "replace", "delete", "import"} {
		if n := r.Counts[op]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, names[op]))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0 changes"}
	}
	if same := r.Counts["same"]; same > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", same))
	}
	return strings.Join(parts, ", ")
}

// elapsed is a duration as people say it: 3.2s, 4m12s.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
