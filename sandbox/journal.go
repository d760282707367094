//go:build unix

package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// A Journal records what a run is about to do, before it does it. A later run reads there what a killed one may have left.
type Journal struct {
	Project string    `json:"project"` // whose name everything in the account begins with
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Caller  string    `json:"caller"`
	GitHub  string    `json:"github,omitempty"`
	Command string    `json:"command"` // the slipway that it drives
	Began   time.Time `json:"began"`
	PID     int       `json:"pid"`

	// Provider says that the account had no OIDC provider for GitHub before this run, so that the one it has then is this
	// run's to delete.
	Provider bool `json:"provider"`
	// Touched says that the run may have created resources in the account.
	Touched bool `json:"touched"`
	// Clean says that the account was checked afterwards and holds nothing of this run.
	Clean bool `json:"clean"`

	Steps []Outcome `json:"steps"`

	dir string
}

// An Outcome is how a step went. Ended is zero for one that is under way, or was killed.
type Outcome struct {
	Name   string    `json:"name"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"`
	Failed string    `json:"failed,omitempty"`
	Notes  []string  `json:"notes,omitempty"`
	Output []string  `json:"output,omitempty"` // files
}

// Took is how long the step took.
func (o Outcome) Took() time.Duration {
	if o.Ended.IsZero() {
		return 0
	}
	return o.Ended.Sub(o.Began).Round(time.Second)
}

func (j *Journal) file() string { return filepath.Join(j.dir, "journal.json") }

// write replaces the journal, all of it or nothing.
func (j *Journal) write() error {
	data, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(j.file(), append(data, '\n'), 0o600)
}

// begin writes down that a step begins.
func (j *Journal) begin(name string) error {
	j.Steps = append(j.Steps, Outcome{Name: name, Began: time.Now().UTC()})
	return j.write()
}

// end writes down how the last step went.
func (j *Journal) end(err error, notes, output []string) error {
	last := &j.Steps[len(j.Steps)-1]
	last.Ended, last.Notes, last.Output = time.Now().UTC(), notes, output
	if err != nil {
		last.Failed = err.Error()
	}
	return j.write()
}

// unfinished are the runs in a folder that may have left something, oldest first.
func unfinished(folder string) ([]*Journal, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Journal
	for _, entry := range entries {
		j := &Journal{dir: filepath.Join(folder, entry.Name())}
		data, err := os.ReadFile(j.file())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(data, j)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.file(), err)
		}
		if j.Touched && !j.Clean {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b *Journal) int { return a.Began.Compare(b.Began) })
	return all, nil
}
