package site

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An answer is a row of docs/security.md.
type answer struct {
	ids    string
	status map[string]string // by stack
	text   string
}

const met, accepted, notApplicable = "met", "accepted", "–"

func answers(t *testing.T) (rows []answer, text string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 6 || !slices.Contains([]string{met, accepted, notApplicable}, cells[1]) {
			continue
		}
		a := answer{ids: cells[0], status: map[string]string{}, text: cells[5]}
		for i, stack := range stacks {
			a.status[stack] = cells[1+i]
		}
		rows = append(rows, a)
	}
	return rows, string(page)
}

var sourceFile = regexp.MustCompile("`([a-z_/]+\\.go)`")

func TestTheDocumentListsWhatIsEnforced(t *testing.T) {
	enforced := map[string][]string{}
	for _, c := range controls {
		if enforced[c.ids] != nil {
			t.Errorf("two rules are for %s", c.ids)
		}
		enforced[c.ids] = stacks
		if c.on != nil {
			enforced[c.ids] = c.on
		}
	}
	rows, page := answers(t)
	answered := map[string]bool{}
	counts := map[string]map[string]int{met: {}, accepted: {}, notApplicable: {}}
	for _, a := range rows {
		if answered[a.ids] {
			t.Errorf("two rows answer %s", a.ids)
		}
		answered[a.ids] = true
		var where []string
		for _, stack := range stacks {
			if counts[a.status[stack]] == nil {
				t.Fatalf("%s: %s is %q", a.ids, stack, a.status[stack])
			}
			counts[a.status[stack]][stack]++
			if a.status[stack] == met {
				where = append(where, stack)
			}
		}
		if !slices.Equal(where, enforced[a.ids]) {
			t.Errorf("%s: the document says it is met on %v, it is enforced on %v", a.ids, where, enforced[a.ids])
		}
		files := sourceFile.FindAllStringSubmatch(a.text, -1)
		if len(where) > 0 && len(files) == 0 {
			t.Errorf("%s: the row does not say in which file it is met", a.ids)
		}
		for _, file := range files {
			if _, err := os.Stat(filepath.Join("..", file[1])); err != nil {
				t.Errorf("%s: %v", a.ids, err)
			}
		}
	}
	for ids := range enforced {
		if !answered[ids] {
			t.Errorf("the document does not answer %s", ids)
		}
	}
	for _, stack := range stacks {
		line := fmt.Sprintf("| `%s` | %d | %d | %d |", stack, counts[met][stack], counts[accepted][stack], counts[notApplicable][stack])
		if !strings.Contains(page, line) {
			t.Errorf("the counts at the top are out of date, want %s", line)
		}
	}
}
