package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

// Pulumi's variables of the caller name another login and backend. An engine in this process does not see them.
func TestCallersSettingsStayOut(t *testing.T) {
	for _, name := range []string{"PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_DEBUG_PROVIDERS"} {
		t.Setenv(name, "of the caller")
	}
	t.Setenv("PULUMI_HOME", "/plugins")
	b := newBench(t)
	lock, err := Acquire(b.dir, "local", "up")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	s, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	s.Program = func(*pulumi.Context) error {
		for _, pair := range os.Environ() {
			if strings.HasPrefix(pair, "PULUMI_") {
				seen = append(seen, pair)
			}
		}
		return nil
	}
	if _, err := s.Up(t.Context(), lock, UpOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, " "); got != "PULUMI_HOME=/plugins" {
		t.Errorf("the program sees %q, want PULUMI_HOME alone", got)
	}
}

// Pulumi.yaml declares settings: a stack's own value must have the type, and a default replaces a missing one.
func TestSettingsOfTheProject(t *testing.T) {
	const project = "name: bench\nruntime: go\nconfig:\n  bench:count: {type: integer}\n  bench:mode: {type: string, default: quiet}\n"
	for _, c := range []struct{ config, want, refusal string }{
		{"bench:count: 3", "3 quiet", ""},
		{"bench:count: 3\nbench:mode: loud", "3 loud", ""},
		{"bench:count: three", "", "bench:count"},
		{"bench:mode: loud", "", "bench:count"},
	} {
		dir := t.TempDir()
		lock, err := Acquire(dir, "local", "up")
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(c.config), &doc); err != nil {
			t.Fatal(err)
		}
		var got string
		s, err := Open(Options{Dir: dir, Stack: "local", Project: []byte(project), Config: Config{Node: doc.Content[0]},
			Program: func(ctx *pulumi.Context) error {
				count, _ := ctx.GetConfig("bench:count")
				mode, _ := ctx.GetConfig("bench:mode")
				got = count + " " + mode
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Up(t.Context(), lock, UpOptions{})
		if got != c.want || (err == nil) != (c.refusal == "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%q: the program sees %q, and the error is %v", c.config, got, err)
		}
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}
