package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestWhetherGitIgnoresAFile(t *testing.T) {
	root := t.TempDir()
	project := filepath.Join(root, "deploy")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(project, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, want bool) {
		t.Helper()
		if got, err := Ignored(t.Context(), project, "x.env"); got != want || err != nil {
			t.Errorf("%s: ignored is %t, %v", what, got, err)
		}
	}
	write("deploy/x.env", "A=1\n")
	expect("without a repository", true)
	run("init", "-q")
	expect("without .gitignore", false)
	write(".gitignore", "*.env\n")
	expect("with .gitignore above", true)
	run("add", "-f", "deploy/x.env")
	expect("in the index", false)
	run("commit", "-q", "-m", "x")
	expect("committed", false)
	write(".gitignore", "*.env\n!x.env\n")
	run("rm", "-q", "--cached", "deploy/x.env")
	expect("with an exception", false)
}
