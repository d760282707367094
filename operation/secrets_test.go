package operation

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// heard keeps what an operation reports.
type heard struct {
	quiet
	lines []string
}

func (h *heard) Logf(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

const sealedStack = plainStack + "  slipway:secrets:\n    MAIL_PASSWORD: {secure: v1:mail}\n    API_TOKEN: {secure: v1:api}\n"

// secretsOf writes slipway.secrets.env into a project whose Git repository ignores it, and gives the engine's values.
func secretsOf(t *testing.T, text string, change func(root string), ask func(context.Context, string) (string, error)) (map[string]string,
	string, error) {
	t.Helper()
	c, err := configured(t, plainProject, sealedStack)
	if err != nil {
		t.Fatal(err)
	}
	git := exec.Command("git", "init", "-q", c.root)
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(c.root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".gitignore", "/"+secretsFile+"\n")
	if text != "" {
		write(secretsFile, text)
	}
	if change != nil {
		change(c.root)
	}
	h := &heard{}
	err = c.localSecrets(t.Context(), Target{Root: c.root, Stack: "try", Progress: h, Containers: Containers{Run: true, Ask: ask}}, "up")
	return c.engine.Secrets, strings.Join(h.lines, "\n"), err
}

func TestSecretsOfThisMachine(t *testing.T) {
	const both = "# mine\nMAIL_PASSWORD='hunter2 $x #y'\nexport API_TOKEN=\"a=b\\nc\"\n"
	got, said, err := secretsOf(t, both, nil, nil)
	if diff := cmp.Diff(map[string]string{"v1:mail": "hunter2 $x #y", "v1:api": "a=b\nc"}, got); diff != "" || said != "" || err != nil {
		t.Errorf("both secrets (-want +got):\n%s%s%v", diff, said, err)
	}

	got, said, err = secretsOf(t, "MAIL_PASSWORD=hunter2\nMAIL_PASWORD=hunter3\n", nil, nil)
	if diff := cmp.Diff(map[string]string{"v1:mail": "hunter2"}, got); diff != "" || err != nil {
		t.Errorf("one secret (-want +got):\n%s%v", diff, err)
	}
	for _, want := range []string{"slipway.secrets.env has MAIL_PASWORD, which the stack does not use", "stand-ins for API_TOKEN."} {
		if !strings.Contains(said, want) || strings.Contains(said, "hunter") {
			t.Errorf("%q does not say %q, or has a secret in it", said, want)
		}
	}

	got, said, err = secretsOf(t, "", nil, nil)
	if len(got) > 0 || err != nil || !strings.Contains(said, "stand-ins for API_TOKEN, MAIL_PASSWORD.") {
		t.Errorf("without a file: %q, %q, %v", got, said, err)
	}
}

// Only what the file lacks is asked for, and nothing typed is a stand-in.
func TestSecretsAreAskedFor(t *testing.T) {
	var asked []string
	ask := func(_ context.Context, name string) (string, error) {
		asked = append(asked, name)
		return map[string]string{"API_TOKEN": "typed"}[name], nil
	}
	got, said, err := secretsOf(t, "MAIL_PASSWORD=hunter2\n", nil, ask)
	if diff := cmp.Diff(map[string]string{"v1:mail": "hunter2", "v1:api": "typed"}, got); diff != "" || said != "" || err != nil {
		t.Errorf("(-want +got):\n%s%s%v", diff, said, err)
	}
	if diff := cmp.Diff([]string{"API_TOKEN"}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	got, said, err = secretsOf(t, "", nil, ask)
	if diff := cmp.Diff(map[string]string{"v1:api": "typed"}, got); diff != "" || err != nil || !strings.Contains(said, "for MAIL_PASSWORD.") {
		t.Errorf("(-want +got):\n%s%s%v", diff, said, err)
	}
}

// An interrupt is no answer: the other secrets are not asked for, and no stand-ins are promised.
func TestAnInterruptAtTheQuestionForASecret(t *testing.T) {
	asked := 0
	_, said, err := secretsOf(t, "", nil, func(context.Context, string) (string, error) { asked++; return "", context.Canceled })
	if err == nil || !strings.Contains(err.Error(), "interrupted at the question for the secret API_TOKEN; nothing was deployed") ||
		asked != 1 || said != "" {
		t.Errorf("asked %d times, said %q: %v", asked, said, err)
	}
}

func TestFilesOfSecretsThatAreRefused(t *testing.T) {
	const one = "MAIL_PASSWORD=hunter2\n"
	at := func(root string) string { return filepath.Join(root, secretsFile) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, text string
		change     func(root string)
		says       string
	}{
		{"Git does not ignore it", one, func(root string) { must(os.Remove(filepath.Join(root, ".gitignore"))) }, "is not ignored by Git"},
		{"it is in the index", one, func(root string) {
			must(exec.Command("git", "-C", root, "add", "-f", secretsFile).Run())
		}, "is not ignored by Git"},
		{"others can read it", one, func(root string) { must(os.Chmod(at(root), 0o640)) }, "(mode 0640): chmod 600"},
		{"it is a folder", "", func(root string) { must(os.Mkdir(at(root), 0o700)) }, "is not a file"},
		{"a line without a name", one + "hunter3 hunter4\n", nil, "line 2 is not NAME=value"},
		{"a quote", "API_TOKEN=\"hunter2\nMAIL_PASSWORD=x\n", nil, "slipway.secrets.env is not valid"},
	} {
		_, said, err := secretsOf(t, c.text, c.change, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error()+said, "hunter") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A preview of a stack that runs must use the same values as its up; a rehearsal runs containers of its own.
func TestWhichOperationsUseTheSecretsOfThisMachine(t *testing.T) {
	running, other := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(running, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(running, "run", "kept.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		operation, dir string
		target         Target
		want           bool
	}{
		{"up", other, Target{Containers: Containers{Run: true}}, true},
		{"up", other, Target{}, false},
		{"up", running, Target{}, true},
		{"preview", running, Target{}, true},
		{"rehearse", running, Target{}, false},
		{"rehearse", other, Target{Containers: Containers{Run: true}}, true},
		{"up", running, Target{Live: true}, false},
	} {
		if got := c.target.runs(c.operation, c.dir); got != c.want {
			t.Errorf("%s, running %t, %+v: %t", c.operation, c.dir == running, c.target.Containers.Run, got)
		}
	}
}
