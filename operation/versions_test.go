package operation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/engine"
	"slipway/internal/version"
)

// listening keeps messages.
type listening struct{ words strings.Builder }

func (*listening) Event(engine.Event)                {}
func (l *listening) Logf(format string, args ...any) { fmt.Fprintf(&l.words, format+"\n", args...) }

// A repository and the versions of slipway that people use on it.
type repository struct {
	t    *testing.T
	root string
}

// with makes the following commands those of a version.
func (r repository) with(number string) { version.Number = number }

// states writes the version into the stack's file; "": the file has none.
func (r repository) states(number string) {
	r.t.Helper()
	file := filepath.Join(r.root, "Pulumi.local.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), "  slipway:version:")
	if number != "" {
		text += "  slipway:version: " + number + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r repository) target() (Target, *listening) {
	heard := &listening{}
	return Target{Root: r.root, Stack: "local", Progress: heard}, heard
}

// up deploys, and returns what was changed and said.
func (r repository) up() (changed int, words string, err error) {
	t, heard := r.target()
	done, err := Up(r.t.Context(), t, UpArgs{Confirm: anything})
	if done != nil {
		changed = done.Result.Changed()
	}
	return changed, heard.words.String(), err
}

// must is an up that succeeds. It returns what was said.
func (r repository) must(changes int) string {
	r.t.Helper()
	changed, words, err := r.up()
	if err != nil || changes >= 0 && changed != changes {
		r.t.Fatalf("slipway %s: %d changes, %v", version.Number, changed, err)
	}
	return words
}

func (r repository) refused(err error, want ...string) {
	r.t.Helper()
	for _, words := range want {
		if err == nil || !strings.Contains(err.Error(), words) {
			r.t.Errorf("slipway %s: want %q in: %v", version.Number, words, err)
		}
	}
}

// One person upgrades, another one still has the older slipway.
func TestTwoVersionsOnOneStack(t *testing.T) {
	was := version.Number
	t.Cleanup(func() { version.Number = was })
	r := repository{t, t.TempDir()}
	project(t, r.root)

	r.states("0.4.0")
	r.with("0.4.0")
	if words := r.must(-1); strings.Contains(words, "was set up with") {
		t.Errorf("a note about the same version: %s", words)
	}

	r.with("0.5.0") // a newer one works, and says where its changes are
	words := r.must(0)
	for _, want := range []string{"set up with slipway 0.4.0, and this is 0.5.0", "/releases/tag/v0.5.0", "write version: 0.5.0 in "} {
		if !strings.Contains(words, want) {
			t.Errorf("want %q in: %s", want, words)
		}
	}

	r.states("0.5.0")
	if words := r.must(0); strings.Contains(words, "was set up with") {
		t.Errorf("the note stays: %s", words)
	}

	r.with("0.4.0") // the older one refuses the file
	_, _, err := r.up()
	r.refused(err, "set up with slipway 0.5.0, and this is 0.4.0", "/releases/tag/v0.5.0")

	r.states("") // and, if the file does not say, what the newer one deployed
	_, _, err = r.up()
	r.refused(err, "last deployed by slipway 0.5.0, and this is 0.4.0", "/releases/tag/v0.5.0", "write version: 0.4.0 in ")
	target, _ := r.target()
	_, err = Preview(t.Context(), target, "")
	r.refused(err, "last deployed by slipway 0.5.0")
	_, err = Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }})
	r.refused(err, "last deployed by slipway 0.5.0")
	if _, err = Outputs(t.Context(), target, false); err != nil {
		t.Errorf("outputs: %v", err)
	}

	r.states("0.4.0") // back on purpose
	if words := r.must(0); !strings.Contains(words, "goes back to 0.4.0") {
		t.Errorf("nothing about going back: %s", words)
	}
	r.states("")
	r.must(0)

	r.with("") // a slipway from a clone, and one whose predecessor is from a clone
	r.must(0)
	r.with("0.3.0")
	r.must(0)
	if _, err = Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }}); err != nil {
		t.Fatal(err)
	}
}

// What an older slipway wrote may have keys that were renamed since. The mistakes say where the changes are listed.
func TestMistakesAfterAnUpgrade(t *testing.T) {
	was := version.Number
	t.Cleanup(func() { version.Number = was })
	r := repository{t, t.TempDir()}
	project(t, r.root)
	r.states("0.4.0\n  slipway:images: {app: ./app}")
	r.with("0.5.0")
	_, _, err := r.up()
	r.refused(err, "app.path", "set up with slipway 0.4.0, and this is 0.5.0", "/releases/tag/v0.5.0")
	r.with("0.4.0")
	if _, _, err = r.up(); err == nil || strings.Contains(err.Error(), "was set up with") {
		t.Errorf("got %v", err)
	}
}
