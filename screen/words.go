package screen

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// operations are the engine's operations in the order in which they are counted, and the words for them.
var operations = []struct{ op, doing, done, planned string }{
	{"create", "creating", "created", "to create"},
	{"update", "updating", "updated", "to update"},
	{"replace", "replacing", "replaced", "to replace"},
	{"delete", "deleting", "deleted", "to delete"},
	{"import", "adopting", "adopted", "to adopt"},
	{"create-replacement", "replacing", "created", ""},
	{"delete-replaced", "replacing", "deleted", ""},
	{"refresh", "reading", "read", ""},
	{"read", "reading", "read", ""},
}

// Some is a number of things: "1 task", "2 tasks".
func Some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Counted says what an operation did: "139 created", "0 changes".
func Counted(counts map[string]int) string { return count(counts, false) }

// Planned says what an operation would do: "139 to create", "0 changes".
func Planned(counts map[string]int) string { return count(counts, true) }

func count(counts map[string]int, planned bool) string {
	var parts []string
	for _, o := range operations {
		word := o.done
		if planned {
			word = o.planned
		}
		if n := counts[o.op]; n > 0 && o.planned != "" { // the others are steps of a replacement, or change nothing
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0 changes"}
	}
	if same := counts["same"]; same > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", same))
	}
	return strings.Join(parts, ", ")
}

func doing(op string) string {
	for _, o := range operations {
		if o.op == op {
			return o.doing
		}
	}
	return op
}

func done(op string) string {
	for _, o := range operations {
		if o.op == op {
			return o.done
		}
	}
	return op
}

// Elapsed is a duration as people say it: 3.2s, 4m12s.
func Elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// whole is a duration that runs: 3s, 4m12s.
func whole(d time.Duration) string { return d.Truncate(time.Second).String() }

// about is a duration that is an estimate: 40s, 8m.
func about(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return fmt.Sprintf("%dm", int(d.Round(time.Minute).Minutes()))
}

// Age is how long ago something was, in a table: now, 12m, 3h, 5d.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// Value is a value on one line.
func Value(v any) string {
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

// Short is a value in at most about half a line.
func Short(v any) string {
	const most = 60
	text := []rune(strings.ReplaceAll(Value(v), "\n", " "))
	if len(text) > most {
		return string(text[:most-3]) + "..."
	}
	return string(text)
}
