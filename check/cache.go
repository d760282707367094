package check

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A reading is an answer of Python's, kept for the next check: starting Python takes longer than everything else. It holds as long as
// the request, Python, the names of the project's files and the content of those that were read stay the same.
type reading struct {
	Files map[string]string // sums, by name
	Facts json.RawMessage
}

const readingAge = 30 * 24 * time.Hour // one that was not used for so long is removed

// readingFile is where the answer to a request is kept, "" if none is.
func (p *project) readingFile(in []byte) string {
	if p.Cache == "" || p.tree.truncated {
		return ""
	}
	look := p.LookPath
	if look == nil {
		look = exec.LookPath
	}
	python, err := look("python3")
	if err != nil {
		return "" // the image's: it is asked each time
	}
	program, err := filepath.EvalSymlinks(python)
	if err != nil {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s %d %d\n%s\n", reader, program, info.Size(), info.ModTime().UnixNano(), in)
	for _, f := range p.tree.files {
		if strings.HasSuffix(f, ".py") {
			fmt.Fprintf(sum, "%q\n", f)
		}
	}
	return filepath.Join(p.Cache, hex.EncodeToString(sum.Sum(nil))+".json")
}

// kept is the answer that is kept in a file, nil if there is none or a file of the project has changed.
func (p *project) kept(file string) []byte {
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	var r reading
	if err != nil || json.Unmarshal(data, &r) != nil {
		return nil
	}
	for name, sum := range r.Files {
		if p.sum(name) != sum {
			return nil
		}
	}
	now := time.Now()
	_ = os.Chtimes(file, now, now)
	return r.Facts
}

// keep keeps an answer. What goes wrong costs only time.
func (p *project) keep(file string, facts []byte) {
	var parsed struct{ Parsed []string }
	if file == "" || json.Unmarshal(facts, &parsed) != nil {
		return
	}
	r := reading{Files: map[string]string{}, Facts: facts}
	for _, name := range parsed.Parsed {
		r.Files[name] = p.sum(name)
	}
	data, err := json.Marshal(r)
	if err != nil || os.MkdirAll(p.Cache, 0o700) != nil {
		return
	}
	old, _ := os.ReadDir(p.Cache)
	for _, e := range old {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > readingAge {
			_ = os.Remove(filepath.Join(p.Cache, e.Name()))
		}
	}
	made, err := os.CreateTemp(p.Cache, "new-*") // 0600: settings may have secrets
	if err != nil {
		return
	}
	_, err = made.Write(data)
	if failed := made.Close(); err != nil || failed != nil || os.Rename(made.Name(), file) != nil {
		_ = os.Remove(made.Name())
	}
}

// sum is the sum of a file's content, as it is on the disk.
func (p *project) sum(name string) string {
	info, err := os.Stat(filepath.Join(p.Path, filepath.FromSlash(name)))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxText {
		return "none"
	}
	data, err := os.ReadFile(filepath.Join(p.Path, filepath.FromSlash(name)))
	if err != nil {
		return "none"
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
