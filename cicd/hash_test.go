package cicd

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree writes files (name -> content; a content "-> x" makes a link to x) and returns their folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, files)
	return folder
}

func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func app() map[string]string {
	return map[string]string{
		"Dockerfile":       "FROM python\nCOPY . .\n",
		"Dockerfile.nginx": "FROM nginx\n",
		".dockerignore":    "*\n!manage.py\n!site\n!current\n**/tests\n**/*.pyc\n",
		"manage.py":        "print('hello')\n",
		"site/settings.py": "DEBUG = False\n",
		"site/urls.py":     "urlpatterns = []\n",
		"site/tests/a.py":  "assert True\n",
		"site/urls.pyc":    "compiled",
		"README.md":        "read me",
		"current":          "-> site",
	}
}

func tagOf(t *testing.T, b build) string {
	t.Helper()
	tag, err := b.tag()
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func of(folder string) build {
	return build{context: folder, dockerfile: "Dockerfile", platform: "linux/arm64", args: map[string]string{"A": "1"}}
}

func TestOnlyFilesThatDockerSendsCount(t *testing.T) {
	files, err := of(tree(t, app())).files()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.kind+" "+f.name)
	}
	want := []string{"file Dockerfile", "link current", "file manage.py", "file site/settings.py", "file site/urls.py"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestTagIgnoresIrrelevantChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, folder string) error
	}{
		{"another folder", func(*testing.T, string) error { return nil }},
		{"checked out later", func(_ *testing.T, folder string) error {
			return os.Chtimes(filepath.Join(folder, "manage.py"), time.Unix(1, 0), time.Unix(1, 0))
		}},
		{"checked out with umask 002", func(_ *testing.T, folder string) error {
			return os.Chmod(filepath.Join(folder, "manage.py"), 0o664)
		}},
		{"an ignored file changes", func(_ *testing.T, folder string) error {
			return os.WriteFile(filepath.Join(folder, "README.md"), []byte("changed"), 0o644)
		}},
		{"an ignored file appears deep down", func(t *testing.T, folder string) error {
			write(t, folder, map[string]string{"site/tests/b.py": "x"})
			return nil
		}},
		{"an empty folder appears", func(_ *testing.T, folder string) error {
			return os.Mkdir(filepath.Join(folder, "site", "empty"), 0o755)
		}},
		{"the other image's Dockerfile changes", func(_ *testing.T, folder string) error {
			return os.WriteFile(filepath.Join(folder, "Dockerfile.nginx"), []byte("changed"), 0o644)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := tagOf(t, of(tree(t, app())))
			folder := tree(t, app())
			if err := c.change(t, folder); err != nil {
				t.Fatal(err)
			}
			if got := tagOf(t, of(folder)); got != want {
				t.Errorf("tag changed from %s to %s", want, got)
			}
		})
	}
}

func TestTagChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(files map[string]string, b *build)
	}{
		{"a byte", func(f map[string]string, _ *build) { f["manage.py"] = "print('hellO')\n" }},
		{"a new file", func(f map[string]string, _ *build) { f["site/new.py"] = "" }},
		{"a file gone", func(f map[string]string, _ *build) { delete(f, "site/urls.py") }},
		{"a file renamed", func(f map[string]string, _ *build) { f["site/url.py"] = f["site/urls.py"]; delete(f, "site/urls.py") }},
		{"content moved between files", func(f map[string]string, _ *build) {
			f["site/settings.py"], f["site/urls.py"] = f["site/urls.py"], f["site/settings.py"]
		}},
		{"a link points elsewhere", func(f map[string]string, _ *build) { f["current"] = "-> manage.py" }},
		{"a link becomes a file of the same text", func(f map[string]string, _ *build) { f["current"] = "site" }},
		{"the Dockerfile, although ignored", func(f map[string]string, _ *build) { f["Dockerfile"] += "USER 1\n" }},
		{"less is ignored", func(f map[string]string, _ *build) { f[".dockerignore"] += "!README.md\n" }},
		{"an ignore file of this Dockerfile", func(f map[string]string, _ *build) { f["Dockerfile.dockerignore"] = "site\n" }},
		{"another Dockerfile", func(_ map[string]string, b *build) { b.dockerfile = "Dockerfile.nginx" }},
		{"another platform", func(_ map[string]string, b *build) { b.platform = "linux/amd64" }},
		{"another argument", func(_ map[string]string, b *build) { b.args = map[string]string{"A": "2"} }},
		{"a further argument", func(_ map[string]string, b *build) { b.args = map[string]string{"A": "1", "B": ""} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := tagOf(t, of(tree(t, app())))
			files, b := app(), of("")
			c.change(files, &b)
			b.context = tree(t, files)
			if after := tagOf(t, b); after == before {
				t.Errorf("tag stayed %s", after)
			}
		})
	}
}

// COPY keeps the bit, so an entrypoint that becomes executable makes another image.
func TestTagChangesWithTheExecutableBit(t *testing.T) {
	folder := tree(t, app())
	before := tagOf(t, of(folder))
	if err := os.Chmod(filepath.Join(folder, "manage.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	if after := tagOf(t, of(folder)); after == before {
		t.Errorf("tag stayed %s", after)
	}
}

// Two different lists of strings must not produce the same bytes.
func TestTagSeparatesStrings(t *testing.T) {
	a, b := of(tree(t, app())), of(tree(t, app()))
	a.args, b.args = map[string]string{"A": "1argB2"}, map[string]string{"A": "1", "B": "2"}
	if tagOf(t, a) == tagOf(t, b) {
		t.Error("different arguments, same tag")
	}
}

func TestBadIgnoreFileIsNamed(t *testing.T) {
	files := app()
	files[".dockerignore"] = "[\n"
	_, err := of(tree(t, files)).tag()
	if err == nil || !strings.Contains(err.Error(), ".dockerignore") {
		t.Errorf("got %v", err)
	}
}

func TestStageDoesNotDependOnTheUmask(t *testing.T) {
	folder := tree(t, app())
	for name, mode := range map[string]fs.FileMode{"manage.py": 0o775, "site/urls.py": 0o600} {
		if err := os.Chmod(filepath.Join(folder, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	staged := filepath.Join(t.TempDir(), "contexts", "tag")
	for range 2 { // the second finds it there
		if err := of(folder).stage(staged); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	err := filepath.WalkDir(staged, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(staged, path)
		got[filepath.ToSlash(name)] = info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Dockerfile": "-rw-r--r--", "manage.py": "-rwxr-xr-x", "site/settings.py": "-rw-r--r--", "site/urls.py": "-rw-r--r--",
		"current": "Lrwxrwxrwx",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("staged (-want +got):\n%s", diff)
	}
	if entries, _ := os.ReadDir(filepath.Dir(staged)); len(entries) != 1 {
		t.Errorf("something was left beside the staged folder: %v", entries)
	}
}
