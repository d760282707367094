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
		fmt.Fprintf(o.stdout, "%-*s  %s\n", width, name, shown(outputs[name]))
	}
}

// writeChanges writes one line for a resource and one for a property that differs.
func writeChanges(out io.Writer, changes []engine.Change) {
	for _, c := range changes {
		for _, line := range changeLines(c) {
			fmt.Fprintln(out, line)
		}
	}
}

func changeLines(c engine.Change) []string {
	lines := []string{fmt.Sprintf("%-8s %s  %s", c.Op, c.Name(), c.Type)}
	for _, p := range c.Properties {
		note := ""
		if strings.HasSuffix(p.Kind, "-replace") {
			note = "  (replaces it)"
		}
		lines = append(lines, fmt.Sprintf("           %s: %s -> %s%s", p.Path, short(p.From), short(p.To), note))
	}
	return lines
}

// shown is a value on one line.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	default:
		var b strings.Builder
		out := json.NewEncoder(&b)
		out.SetEscapeHTML(false)
		if err := out.Encode(v); err != nil {
			return fmt.Sprint(v)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// short is a value in at most about half a line.
func short(v any) string {
	const most = 60
	text := []rune(shown(v))
	if len(text) > most {
		return string(text[:most-3]) + "..."
	}
	return string(text)
}

// counted says what an operation did: "139 created", "0 changes".
func counted(r engine.Result) string {
	return counts(r, map[string]string{"create": "created", "update": "updated", "replace": "replaced",
		"delete": "deleted", "import": "adopted"})
}

// planned says what an operation would do: "139 to create", "0 changes".
func planned(r engine.Result) string {
	return counts(r, map[string]string{"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete",
		"import": "to adopt"})
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
