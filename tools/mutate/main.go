// Command mutate checks that the tests notice defects. It removes one resource, rule or permission at a time from a component, runs
// the tests of that component's package and of site, and prints which of them failed. It uses overlays and changes no file in the
// tree.
//
//	go run ./tools/mutate           all mutations; exit code 1 if one is missed
//	go run ./tools/mutate bastion   those whose file or name contains that word
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	missed, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "mutate: no test noticed %d mutations\n", missed)
		os.Exit(1)
	}
}

func run(words []string) (missed int, err error) {
	dir, err := os.MkdirTemp("", "slipway-mutate-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for _, m := range mutations {
		if !slices.ContainsFunc(append(words, ""), func(w string) bool {
			return (w != "" || len(words) == 0) && (strings.Contains(m.file, w) || strings.Contains(m.name, w))
		}) {
			continue
		}
		noticed, tryErr := m.try(dir)
		if tryErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %s: %w", m.file, m.name, tryErr))
			continue
		}
		result := strings.Join(noticed, ", ")
		if len(noticed) == 0 {
			result = "MISSED"
			missed++
		}
		fmt.Printf("%-28s %-60s %s\n", m.file, m.name, result)
	}
	return missed, err
}

// A mutation is one defect in the program.
type mutation struct {
	file string // relative to the project
	name string // the defect
	old  string // occurs in the file exactly once
	new  string
}

// try runs the tests of the file's package and of site with the mutation, and returns those that failed.
func (m mutation) try(dir string) ([]string, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("the text to replace occurs %d times", n)
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return nil, err
	}
	mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(mutant, bytes.Replace(text, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return nil, err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutant}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return nil, err
	}
	failed, err := test("-overlay", overlay, "./"+filepath.Dir(m.file), "./site")
	if err == nil && len(failed) > 0 { // the tests must fail because of the mutation
		if before, err := test("./"+filepath.Dir(m.file), "./site"); err != nil || len(before) > 0 {
			return nil, errors.Join(err, fmt.Errorf("these also fail without the mutation: %v", before))
		}
	}
	return failed, err
}

// test runs the tests of packages and returns those that failed. A mutant that does not compile or does not pass vet is an error: it
// proves nothing about the tests.
func test(args ...string) ([]string, error) {
	out, testErr := exec.Command("go", append([]string{"test", "-json", "-vet=all"}, args...)...).Output()
	failed, err := failures(out)
	if err == nil && len(failed) == 0 && testErr != nil {
		err = fmt.Errorf("no test failed, but go test did: %w\n%s", testErr, out)
	}
	return failed, err
}

// failures returns the top-level tests that failed, as package.Test.
func failures(out []byte) ([]string, error) {
	var failed []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Package, Test string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, fmt.Errorf("%w: %s", err, lines.Bytes())
		}
		if event.Action == "fail" && event.Test != "" && !strings.Contains(event.Test, "/") {
			failed = append(failed, strings.TrimPrefix(event.Package, "slipway/")+"."+event.Test)
		}
	}
	return failed, lines.Err()
}
