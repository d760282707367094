//go:build unix

package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2"
)

// A Report is report.json.
type Report struct {
	Journal
	Good    bool           `json:"good"` // every step did what it must, and nothing is left
	Refused []Call         `json:"refused"`
	Counts  []Count        `json:"counts"`
	Calls   int            `json:"calls"` // the list is calls.jsonl
	Tunnels map[string]int `json:"tunnels"`
	Remains []string       `json:"remains"`
}

// A Count is how often an action was called.
type Count struct {
	Service string         `json:"service"`
	Action  string         `json:"action"`
	Calls   int            `json:"calls"`
	Errors  map[string]int `json:"errors,omitempty"` // by code
}

// count adds calls up by service and action, sorted.
func count(calls []Call) []Count {
	type key struct{ service, action string }
	all := map[key]*Count{}
	for _, c := range calls {
		k := key{c.Service, c.Action}
		if all[k] == nil {
			all[k] = &Count{Service: c.Service, Action: c.Action}
		}
		all[k].Calls++
		if c.Code != "" {
			if all[k].Errors == nil {
				all[k].Errors = map[string]int{}
			}
			all[k].Errors[c.Code]++
		}
	}
	counts := []Count{}
	for _, c := range all {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Action, b.Action))
	})
	return counts
}

// refused are the calls that IAM did not allow, each action and resource once.
func refused(calls []Call) []Call {
	seen := map[string]bool{}
	all := []Call{}
	for _, c := range calls {
		if c.Refused == nil {
			continue
		}
		key := strings.Join([]string{c.Service, c.Action, c.Refused.Action, c.Refused.Resource, c.Path}, " ")
		if !seen[key] {
			seen[key] = true
			all = append(all, c)
		}
	}
	return all
}

// recorded reads calls.jsonl, which has the calls of a killed run as well. Its last line may be cut short.
func recorded(dir string) ([]Call, error) {
	data, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
	if err != nil {
		return nil, err
	}
	var calls []Call
	for line := range bytes.Lines(data) {
		var c Call
		if json.Unmarshal(line, &c) == nil {
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// report writes report.json and report.md.
func (r *run) report() error {
	calls, err := recorded(r.dir)
	if err != nil {
		return err
	}
	_, tunnels := r.recorder.Seen()
	report := Report{
		Journal: *r.Journal, Good: r.Clean, Refused: refused(calls), Counts: count(calls), Calls: len(calls), Tunnels: tunnels,
		Remains: append([]string{}, r.remains...),
	}
	for _, s := range r.Steps {
		report.Good = report.Good && s.Failed == "" && !s.Ended.IsZero()
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	var words bytes.Buffer
	report.write(&words)
	if err := renameio.WriteFile(filepath.Join(r.dir, "report.json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(r.dir, "report.md"), words.Bytes(), 0o600)
}

// write is the report for people.
func (r *Report) write(w io.Writer) {
	verdict := "Every step did what it must, and nothing is left in the account."
	if !r.Good {
		verdict = "**Not good.** Look at the steps."
	}
	if !r.Clean {
		verdict += " **The account is not clean**: run `go run ./cmd/sandbox clean`."
	}
	fmt.Fprintf(w, "# Sandbox run %s\n\n%s\n\n", r.Project, verdict)
	fmt.Fprintf(w, "Account %s in %s, as `%s`, %s.\n", r.Account, r.Region, r.Caller, r.Began.Format(time.RFC1123))
	r.writeRefused(w)
	r.writeSteps(w)
	if len(r.Remains) > 0 {
		fmt.Fprintf(w, "\n## What stays\n\n- %s\n", strings.Join(r.Remains, "\n- "))
	}
	r.writeCalls(w)
}

// writeRefused lists the calls that IAM refused, and what each needs.
func (r *Report) writeRefused(w io.Writer) {
	fmt.Fprintf(w, "\n## Refused calls\n\n")
	if len(r.Refused) == 0 {
		fmt.Fprintf(w, "IAM refused no call.\n")
	} else {
		fmt.Fprintf(w, "| step | call | needs | resource | why |\n|---|---|---|---|---|\n")
		for _, c := range r.Refused {
			resource := cmp.Or(c.Refused.Resource, c.Path)
			fmt.Fprintf(w, "| %s | %s %s: %s | %s | %s | %s |\n", c.Step, c.Service, c.Action, c.Code, c.Refused.Action, resource, c.Refused.Why)
		}
	}
}

// writeSteps is a table of the steps, then what there is to say of each.
func (r *Report) writeSteps(w io.Writer) {
	expected := map[string]span{}
	for _, s := range story() {
		expected[s.name] = s.takes
	}
	fmt.Fprintf(w, "\n## Steps\n\n| step | took | expected | result | output |\n|---|---|---|---|---|\n")
	for _, s := range r.Steps {
		result, forecast := "good", "-"
		switch {
		case s.Failed != "":
			result = "failed"
		case s.Ended.IsZero():
			result = "was killed"
		}
		if takes, ok := expected[s.Name]; ok {
			forecast = takes.String()
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", s.Name, s.Took(), forecast, result, strings.Join(s.Output, " "))
	}
	for _, s := range r.Steps {
		if s.Failed == "" && len(s.Notes) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n### %s\n\n", s.Name)
		for _, n := range s.Notes {
			fmt.Fprintf(w, "- %s\n", n)
		}
		if s.Failed != "" {
			fmt.Fprintf(w, "\n```\n%s\n```\n", s.Failed)
		}
	}
}

// writeCalls counts the calls that were recorded, and the connections whose calls could not be.
func (r *Report) writeCalls(w io.Writer) {
	fmt.Fprintf(w, "\n## AWS calls\n\n%d calls; each is a line of calls.jsonl. ", r.Calls)
	fmt.Fprintf(w, "Pushes and pulls of images by Docker are not among them.\n\n```\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Counts {
		var errs []string
		for _, code := range slices.Sorted(maps.Keys(c.Errors)) {
			errs = append(errs, fmt.Sprintf("%s %d", code, c.Errors[code]))
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", c.Calls, c.Service, c.Action, strings.Join(errs, ", "))
	}
	table.Flush()
	fmt.Fprintf(w, "```\n\nConnections that went through unopened:\n\n")
	for _, host := range slices.Sorted(maps.Keys(r.Tunnels)) {
		fmt.Fprintf(w, "- %s: %d\n", host, r.Tunnels[host])
	}
	if len(r.Tunnels) == 0 {
		fmt.Fprintf(w, "none\n")
	}
}
