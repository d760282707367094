package release

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/image"
)

// write writes files; "-> x" makes a link to x.
func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		os.Remove(file)
		var err error
		if target, link := strings.CutPrefix(content, "-> "); link {
			err = os.Symlink(target, file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// sourceOf reads the source of a project whose app is in the folder app.
func sourceOf(t *testing.T, root, app string) Source {
	t.Helper()
	c, err := image.Build{Root: root, Context: app, Dockerfile: "Dockerfile"}.Read()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSource(t.Context(), root, c, c) // as of both images
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSourceListsMigrationsAndPackages(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"app/Dockerfile": "", "app/feed/migrations/0001_first.py": "", "app/feed/migrations/0002_more.py": "",
		"app/feed/migrations/__init__.py":           "",
		"app/shop/carts/migrations/0001_initial.py": "", "app/feed/0003_not_in_a_folder.py": "", "app/feed/migrations/readme_0004.py": "",
		"app/env/lib/python3.13/site-packages/auth/migrations/0001_initial.py": "", "app/.cache/x/migrations/0001_x.py": "",
		"app/old/migrations/0001_ignored.py": "", "app/.dockerignore": "old\n",
		"app/requirements.txt": "# pip-compile\nDjango==5.1.4 \\\n    --hash=sha256:abc\npsycopg[binary] == 3.2.1 ; python_version > '3'\n" +
			"-e .\nhttps://example.com/x==1\nunpinned>=2\nzope.interface===7.0\n",
		"app/uv.lock": "version = 1\n" +
			"[[package]]\nname = \"django_taggit\"\nversion = \"6.1.0\"\n[[package]]\nname = \"django\"\nversion = \"5.1.4\"\n",
		"app/Pipfile.lock": `{"default": {"pillow": {"version": "==11.0.0"}, "local": {"path": "."}}, "develop": {"pytest": {"version": "==8"}}}`,
		"app/poetry.lock":  "not TOML",
	})
	s := sourceOf(t, dir, "app")
	if diff := cmp.Diff([]string{"carts/0001_initial", "feed/0001_first", "feed/0002_more"}, s.Migrations); diff != "" {
		t.Errorf("migrations (-want +got):\n%s", diff)
	}
	want := map[string]string{"django": "5.1.4", "psycopg": "3.2.1", "zope-interface": "7.0", "django-taggit": "6.1.0", "pillow": "11.0.0"}
	if diff := cmp.Diff(want, s.Packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if s, err := ReadSource(t.Context(), dir); err != nil || s.Commit != "" || s.Note == "" {
		t.Errorf("images of the configuration: %+v, %v", s, err)
	}
}

func TestPackagesThatStayBehind(t *testing.T) {
	running := Release{Packages: map[string]string{"django": "5.2", "django-taggit": "6.1.0", "pillow": "11"}}
	earlier := Release{Packages: map[string]string{"django": "5.1", "pillow": "11", "old": "1"}}
	if diff := cmp.Diff([]string{"django 5.2, not 5.1", "django-taggit 6.1.0"}, running.OtherPackages(earlier)); diff != "" {
		t.Error(diff)
	}
	if got := running.OtherPackages(Release{}); got != nil {
		t.Errorf("of a release whose packages are not known: %q", got)
	}
}

// A repo is a git repository with a project in it.
type repo struct {
	*testing.T
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	r := &repo{t, t.TempDir()}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(r.dir))
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(t.TempDir(), "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_ALLOW_PROTOCOL", "file")
	r.git("init", "-q")
	write(t, r.dir, map[string]string{
		"app/Dockerfile": "FROM scratch\n", "app/manage.py": "print()\n", "app/entry.sh": "#!/bin/sh\n",
		"app/lib/x.py": "x\n", "app/link": "-> lib/x.py",
		"app/.dockerignore": "ignored\n", "app/ignored/x": "x\n", "shared/Dockerfile": "FROM scratch\n", "shared/y.py": "y\n",
		".gitignore":  "*.local\n.slipway\n",
		"Pulumi.yaml": "name: shop\n", "Pulumi.prod.yaml": "config: {}\n",
	})
	if err := os.Chmod(filepath.Join(r.dir, "app/entry.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.commit()
	return r
}

func (r *repo) commit() { r.Helper(); r.git("add", "-A"); r.git("commit", "-qm", "x") }

func (r *repo) git(args ...string) string { r.Helper(); return gitIn(r.T, r.dir, args...) }

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSourceKnowsItsCommit(t *testing.T) {
	r := newRepo(t)
	if s := sourceOf(t, r.dir, "app"); s.Commit != r.git("rev-parse", "HEAD") || s.Dirty || s.Note != "" {
		t.Errorf("clean: %+v", s)
	}
	empty := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(empty))
	write(t, empty, map[string]string{"app/Dockerfile": ""})
	if s := sourceOf(t, empty, "app"); s.Commit != "" || !strings.Contains(s.Note, "not a git repository") {
		t.Errorf("outside of a repository: %+v", s)
	}
	gitIn(t, empty, "init", "-q")
	if s := sourceOf(t, empty, "app"); s.Commit != "" || s.Note == "" {
		t.Errorf("without a commit: %+v", s)
	}
	t.Setenv("PATH", "")
	if s := sourceOf(t, r.dir, "app"); s.Commit != "" || s.Note != "git is not installed" {
		t.Errorf("without git: %+v", s)
	}
}

// git-commit-id#510, waypoint#1490: what runs was called clean, and the commit does not have it.
func TestCleanMeansThatTheContextIsTheCommit(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *repo)
		app    string // "": app
		want   string // "": clean; %s: the commit
	}{
		{"nothing", func(*repo) {}, "", ""},
		{"a changed file", func(r *repo) { write(r.T, r.dir, map[string]string{"app/manage.py": "changed"}) }, "",
			"app/manage.py differs from commit %s"},
		{"a file of the same length", func(r *repo) { write(r.T, r.dir, map[string]string{"app/manage.py": "PRINT()\n"}) }, "",
			"app/manage.py differs from commit %s"},
		{"a missing file", func(r *repo) { os.Remove(filepath.Join(r.dir, "app/lib/x.py")) }, "", "app/lib/x.py of commit %s is missing"},
		{"a new file", func(r *repo) { write(r.T, r.dir, map[string]string{"app/new.py": ""}) }, "", "app/new.py is not in commit %s"},
		{"a new file, and git shows none", func(r *repo) {
			r.git("config", "status.showUntrackedFiles", "no")
			write(r.T, r.dir, map[string]string{"app/new.py": ""})
		}, "", "app/new.py is not in commit %s"},
		{"a new file beside the app, and git shows none", func(r *repo) {
			r.git("config", "status.showUntrackedFiles", "no")
			write(r.T, r.dir, map[string]string{"Pulumi.qa.yaml": ""})
		}, "", "Pulumi.qa.yaml differs from commit %s"},
		{"a file that git ignores and the image takes in", func(r *repo) { write(r.T, r.dir, map[string]string{"app/settings.local": ""}) }, "",
			"app/settings.local is not in commit %s"},
		{"a file that both ignore", func(r *repo) { write(r.T, r.dir, map[string]string{"app/ignored/x.local": ""}) }, "", ""},
		{"what Slipway keeps", func(r *repo) { write(r.T, r.dir, map[string]string{".slipway/local/model.json": ""}) }, "", ""},
		{"the executable bit", func(r *repo) {
			r.git("config", "core.fileMode", "false")
			os.Chmod(filepath.Join(r.dir, "app/manage.py"), 0o755)
		}, "", "app/manage.py has another mode than in commit %s"},
		{"a link to another file", func(r *repo) { write(r.T, r.dir, map[string]string{"app/link": "-> manage.py"}) }, "",
			"app/link differs from commit %s"},
		{"assume-unchanged", func(r *repo) {
			r.git("update-index", "--assume-unchanged", "app/manage.py")
			write(r.T, r.dir, map[string]string{"app/manage.py": "changed"})
		}, "", "app/manage.py differs from commit %s"},
		{"skip-worktree", func(r *repo) {
			r.git("update-index", "--skip-worktree", "app/manage.py")
			write(r.T, r.dir, map[string]string{"app/manage.py": "changed"})
		}, "", "app/manage.py differs from commit %s"},
		{"assume-unchanged beside the app", func(r *repo) {
			r.git("update-index", "--assume-unchanged", "Pulumi.prod.yaml")
			write(r.T, r.dir, map[string]string{"Pulumi.prod.yaml": "config: {a: 1}\n"})
		}, "", "Pulumi.prod.yaml differs from commit %s"},
		{"a mark and no change", func(r *repo) { r.git("update-index", "--assume-unchanged", "app/manage.py", "Pulumi.prod.yaml") }, "", ""},
		{"staged and not committed", func(r *repo) {
			write(r.T, r.dir, map[string]string{"app/new.py": ""})
			r.git("add", "-A")
		}, "", "app/new.py is not in commit %s"},
		{"an app that is a link to another folder", func(r *repo) {
			write(r.T, r.dir, map[string]string{"site": "-> shared"})
			r.commit()
		}, "site", ""},
		{"an app that is a link to another folder, changed", func(r *repo) {
			write(r.T, r.dir, map[string]string{"site": "-> shared"})
			r.commit()
			write(r.T, r.dir, map[string]string{"shared/y.py": "changed"})
		}, "site", "shared/y.py differs from commit %s"},
		{"an app that is a link out of the repository", func(r *repo) {
			outside := r.TempDir()
			write(r.T, outside, map[string]string{"Dockerfile": ""})
			write(r.T, r.dir, map[string]string{"site": "-> " + outside})
			r.commit()
		}, "site", "Dockerfile is not in commit %s"},
		{"names that git quotes", func(r *repo) {
			write(r.T, r.dir, map[string]string{"app/a\nb": "", "app/caf\u00e9": "", `app/"q"`: ""})
			r.commit()
		}, "", ""},
		{"line endings that the commit wants", func(r *repo) {
			write(r.T, r.dir, map[string]string{"app/.gitattributes": "*.bat text eol=crlf\n", "app/x.bat": "dir\r\n"})
			r.commit()
		}, "", ""},
		{"line endings of this machine", func(r *repo) {
			write(r.T, r.dir, map[string]string{"app/.gitattributes": "* text=auto\n"})
			r.commit()
			r.git("config", "core.autocrlf", "true")
			os.Remove(filepath.Join(r.dir, "app/entry.sh"))
			r.git("checkout", "app/entry.sh")
		}, "", "app/entry.sh differs from commit %s"},
		{"a repository with SHA-256", func(r *repo) {
			os.RemoveAll(filepath.Join(r.dir, ".git"))
			r.git("init", "-q", "--object-format=sha256")
			r.commit()
		}, "", ""},
		{"a file of Git LFS", func(r *repo) {
			const pointer = "version https://git-lfs.github.com/spec/v1\n" +
				"oid sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\nsize 1\n"
			elsewhere := r.TempDir()
			write(r.T, elsewhere, map[string]string{"pointer": pointer})
			r.git("config", "filter.lfs.clean", "cat "+filepath.Join(elsewhere, "pointer"))
			r.git("config", "filter.lfs.smudge", "false")
			r.git("config", "filter.lfs.required", "true")
			write(r.T, r.dir, map[string]string{"app/.gitattributes": "*.bin filter=lfs -text\n", "app/logo.bin": "x"})
			r.commit()
		}, "", ""},
		{"a submodule", func(r *repo) { r.submodule() }, "", ""},
		{"a submodule that is not checked out", func(r *repo) {
			r.submodule()
			r.git("submodule", "deinit", "-q", "-f", "app/vendor")
		}, "", "the submodule app/vendor is not checked out at the commit that %s names"},
		{"a submodule at another commit", func(r *repo) {
			r.submodule()
			r.git("config", "submodule.app/vendor.ignore", "all")
			write(r.T, filepath.Join(r.dir, "app/vendor"), map[string]string{"v.py": "changed"})
			gitIn(r.T, filepath.Join(r.dir, "app/vendor"), "commit", "-qam", "x")
		}, "", "app/vendor/v.py differs from commit %s"},
		{"variables of another repository", func(r *repo) {
			other := r.TempDir()
			gitIn(r.T, other, "init", "-q")
			write(r.T, other, map[string]string{"x": ""})
			gitIn(r.T, other, "add", "-A")
			gitIn(r.T, other, "commit", "-qm", "x")
			r.Setenv("GIT_DIR", filepath.Join(other, ".git"))
			r.Setenv("GIT_WORK_TREE", other)
			r.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git/index"))
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepo(t)
			c.change(r)
			app := c.app
			if app == "" {
				app = "app"
			}
			s := sourceOf(t, r.dir, app)
			for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"} {
				os.Unsetenv(name) // t.Setenv restores it
			}
			commit := r.git("rev-parse", "HEAD")
			want := c.want
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, commit[:7])
			}
			if s.Commit != commit || s.Note != "" {
				t.Errorf("the commit is %q, %s", s.Commit, s.Note)
			}
			if s.Dirty != (want != "") || !strings.HasSuffix(s.Differs, want) || want == "" && s.Differs != "" {
				t.Errorf("got  %s\nwant %s", s.Differs, want)
			}
		})
	}
}

func (r *repo) submodule() {
	r.Helper()
	other := r.TempDir()
	gitIn(r.T, other, "init", "-q")
	write(r.T, other, map[string]string{"v.py": "v"})
	gitIn(r.T, other, "add", "-A")
	gitIn(r.T, other, "commit", "-qm", "x")
	r.git("submodule", "--quiet", "add", other, "app/vendor")
	gitIn(r.T, filepath.Join(r.dir, "app/vendor"), "config", "user.name", "ada")
	gitIn(r.T, filepath.Join(r.dir, "app/vendor"), "config", "user.email", "ada@example.com")
	r.commit()
}

// The app may be beside the folder of Pulumi.yaml. An image with nothing of the project says nothing about the commit.
func TestSourceOutsideOfTheProject(t *testing.T) {
	r := newRepo(t)
	infra := filepath.Join(r.dir, "infra")
	write(t, infra, map[string]string{"Pulumi.yaml": "name: x"})
	r.commit()
	source := func() Source {
		t.Helper()
		django, err := image.Build{Root: infra, Context: "../app", Dockerfile: "Dockerfile", Text: "FROM x\n"}.Read()
		if err != nil {
			t.Fatal(err)
		}
		nginx, err := image.Build{Text: "FROM nginx\n", Bare: true}.Read()
		if err != nil {
			t.Fatal(err)
		}
		s, err := ReadSource(t.Context(), infra, django, nginx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := source(); s.Dirty || s.Commit == "" {
		t.Errorf("clean: %+v", s)
	}
	write(t, r.dir, map[string]string{"app/manage.py": "changed"})
	if s := source(); !s.Dirty || !strings.HasPrefix(s.Differs, "app/manage.py differs from commit ") {
		t.Errorf("changed: %+v", s)
	}
}
