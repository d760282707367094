package check

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReportForPeople(t *testing.T) {
	r := &Report{
		Findings: []Finding{
			{Severity: Refused, Check: "debug-on", File: "shop/settings.py", Line: 4, Reason: "DEBUG is True", Fix: "Set it to False."},
			{Severity: Warning, Check: "packages-unlisted", File: "", Line: 0, Reason: "there is no requirements.txt", Fix: "Add one."},
			{Severity: Warning, Check: "secret-in-image", File: "a\x1b[2Jb\xff", Line: 0, Reason: "the file contains a key", Fix: "Remove it."},
		},
		Unknown: []Unknown{{"Dockerfile", 7, "what /init does", "it is not a shell script"}},
	}
	want := `refused  shop/settings.py:4 (debug-on)
         DEBUG is True
         Fix: Set it to False.
warning  the project (packages-unlisted)
         there is no requirements.txt
         Fix: Add one.
warning  a?[2Jb? (secret-in-image)
         the file contains a key
         Fix: Remove it.
unknown  Dockerfile:7
         what /init does: it is not a shell script
1 refused, 2 warnings, 1 unknown.
`
	var b strings.Builder
	r.Write(&b)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	b.Reset()
	(&Report{}).Write(&b)
	if want := "Nothing found. Whether the site runs shows in: slipway up --run\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

// docs/check.md has the table of all checks.
func TestTheTableOfChecks(t *testing.T) {
	const path, begin, end = "../docs/check.md", "<!-- checks:begin -->\n", "<!-- checks:end -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %s...%s", path, begin, end)
	}
	want := before + begin + Table() + end + after
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("out of date; go test ./check -update writes it:\n%s", cmp.Diff(string(data), want))
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A check is written for someone who reads only its line.
func TestChecksAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks {
		if seen[c.Code] || c.Code == "" || c.Severity != Refused && c.Severity != Warning {
			t.Errorf("%+v: a code must be unique, and have a severity", c)
		}
		seen[c.Code] = true
		for _, text := range []string{c.What, c.Fix} {
			if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "].") && !strings.HasSuffix(text, ")") || strings.Contains(text, "  ") {
				t.Errorf("%s: %q is not a sentence", c.Code, text)
			}
		}
	}
}
