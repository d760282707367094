package image

import (
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

func read(t *testing.T, b Build) *Context {
	t.Helper()
	c, err := b.Read()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tagOf(t *testing.T, b Build) string { t.Helper(); return read(t, b).Tag() }

func names(c *Context) []string {
	var all []string
	for _, f := range c.Files {
		all = append(all, f.Name)
	}
	return all
}

// of is the build of a project that is one folder.
func of(root string) Build {
	return Build{Root: root, Context: ".", Dockerfile: "Dockerfile", Platform: "linux/arm64", Args: map[string]string{"A": "1"}}
}

func TestOnlyFilesThatDockerSendsCount(t *testing.T) {
	var got []string
	for _, f := range read(t, of(tree(t, app()))).Files {
		got = append(got, string(f.Kind)+" "+f.Name)
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
		change func(files map[string]string, b *Build)
	}{
		{"a byte", func(f map[string]string, _ *Build) { f["manage.py"] = "print('hellO')\n" }},
		{"a new file", func(f map[string]string, _ *Build) { f["site/new.py"] = "" }},
		{"a file gone", func(f map[string]string, _ *Build) { delete(f, "site/urls.py") }},
		{"a file renamed", func(f map[string]string, _ *Build) { f["site/url.py"] = f["site/urls.py"]; delete(f, "site/urls.py") }},
		{"content moved between files", func(f map[string]string, _ *Build) {
			f["site/settings.py"], f["site/urls.py"] = f["site/urls.py"], f["site/settings.py"]
		}},
		{"a link points elsewhere", func(f map[string]string, _ *Build) { f["current"] = "-> manage.py" }},
		{"a link becomes a file of the same text", func(f map[string]string, _ *Build) { f["current"] = "site" }},
		{"the Dockerfile, although ignored", func(f map[string]string, _ *Build) { f["Dockerfile"] += "USER 1\n" }},
		{"less is ignored", func(f map[string]string, _ *Build) { f[".dockerignore"] += "!README.md\n" }},
		{"an ignore file of this Dockerfile", func(f map[string]string, _ *Build) { f["Dockerfile.dockerignore"] = "site\n" }},
		{"another Dockerfile", func(_ map[string]string, b *Build) { b.Dockerfile = "Dockerfile.nginx" }},
		{"another platform", func(_ map[string]string, b *Build) { b.Platform = "linux/amd64" }},
		{"another argument", func(_ map[string]string, b *Build) { b.Args = map[string]string{"A": "2"} }},
		{"a further argument", func(_ map[string]string, b *Build) { b.Args = map[string]string{"A": "1", "B": ""} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := tagOf(t, of(tree(t, app())))
			files, b := app(), of("")
			c.change(files, &b)
			b.Root = tree(t, files)
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
	a.Args, b.Args = map[string]string{"A": "1argB2"}, map[string]string{"A": "1", "B": "2"}
	if tagOf(t, a) == tagOf(t, b) {
		t.Error("different arguments, same tag")
	}
}

func TestBadIgnoreFileIsNamed(t *testing.T) {
	files := app()
	files[".dockerignore"] = "[\n"
	_, err := of(tree(t, files)).Read()
	if err == nil || !strings.Contains(err.Error(), ".dockerignore") {
		t.Errorf("got %v", err)
	}
}

// modes are the modes of everything below a folder.
func modes(t *testing.T, folder string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		got[filepath.ToSlash(name)] = info.Mode().String()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestStageDoesNotDependOnTheUmask(t *testing.T) {
	want := map[string]string{
		".": "drwxr-xr-x", "site": "drwxr-xr-x",
		"Dockerfile": "-rw-r--r--", "manage.py": "-rwxr-xr-x", "site/settings.py": "-rw-r--r--", "site/urls.py": "-rw-r--r--",
		"current": "Lrwxrwxrwx",
	}
	tags := map[string]bool{}
	for _, umask := range []int{0o002, 0o022, 0o027, 0o077} {
		before := syscall.Umask(umask)
		folder := filepath.Join(t.TempDir(), "checkout")
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, folder, app())
		if err := os.Chmod(filepath.Join(folder, "manage.py"), fs.FileMode(0o777&^umask)); err != nil {
			t.Fatal(err)
		}
		c := read(t, of(folder))
		staged := filepath.Join(t.TempDir(), "contexts", "tag")
		for range 2 { // the second finds it there
			if err := c.Stage(staged); err != nil {
				t.Fatal(err)
			}
		}
		syscall.Umask(before)
		if diff := cmp.Diff(want, modes(t, staged)); diff != "" {
			t.Errorf("staged with umask %03o (-want +got):\n%s", umask, diff)
		}
		if entries, _ := os.ReadDir(filepath.Dir(staged)); len(entries) != 1 {
			t.Errorf("something was left beside the staged folder: %v", entries)
		}
		tags[c.Tag()] = true
	}
	if len(tags) != 1 {
		t.Errorf("the umask changes the tag: %v", tags)
	}
}

// aws-cdk#14841 and #3899: the repository is the build context, and the tool writes into it.
func TestOwnFilesNeverEnter(t *testing.T) {
	project := map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . .\n", "manage.py": "x", "Pulumi.yaml": "name: shop", "docs/Pulumi.md": "x",
		"site/__init__.py": "", ".env.example": "x", ".gitignore": ".slipway\n",
	}
	root := tree(t, project)
	b := of(root)
	want := []string{".env.example", ".gitignore", "Dockerfile", "Pulumi.yaml", "docs/Pulumi.md", "manage.py", "site/__init__.py"}
	c := read(t, b)
	if diff := cmp.Diff(want, names(c)); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	tag := c.Tag()
	if err := c.Stage(filepath.Join(root, ".slipway", "contexts", tag)); err != nil {
		t.Fatal(err)
	}
	write(t, root, map[string]string{
		".slipway/local/passphrase": "secret", ".slipway/local/model.json": "{}", "Pulumi.prod.yaml": "encryptedkey: x",
		".pulumi/stacks/prod.json": "{}", ".git/config": "token", ".git/HEAD": "ref: x", "vendored/.git": "gitdir: ../.git/modules/x",
		"slipway.secrets.env": "KEY=secret", "deploy/slipway.secrets.env": "KEY=secret",
		"site/.slipway/x": "x", "other/Pulumi.dev.yaml": "encryptedkey: x",
		".dockerignore": "!slipway.secrets.env\n!.slipway\n!**/.slipway\n!Pulumi.prod.yaml\n!.pulumi\n",
	})
	c = read(t, b)
	if diff := cmp.Diff(want, names(c)); diff != "" {
		t.Errorf("after a run, files (-want +got):\n%s", diff)
	}
	if c.Tag() != tag {
		t.Error("what a run writes changes the tag, so every up would build again")
	}

	// The same by another path.
	outside := t.TempDir()
	write(t, outside, map[string]string{"site": "-> " + root})
	for name, b := range map[string]Build{
		"the project by a symlink":    {Root: filepath.Join(outside, "site"), Context: "."},
		"the context by a symlink":    {Root: outside, Context: "site"},
		"by a path with dots":         {Root: root, Context: "./site/.."},
		"from the working directory":  {Context: "."},
		"an absolute path of context": {Root: "/", Context: root},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(root)
			b.Dockerfile, b.Platform, b.Args = "Dockerfile", "linux/arm64", map[string]string{"A": "1"}
			if got := read(t, b); got.Tag() != tag {
				t.Errorf("another tag, with files %q", names(got))
			}
		})
	}

	write(t, root, map[string]string{"more/x": ""})
	if err := os.WriteFile(filepath.Join(root, ".dockerignore"), []byte("more\n!.git\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	want = append([]string{".env.example", ".git/HEAD", ".git/config"}, want[1:]...)
	if diff := cmp.Diff(want, names(read(t, b))); diff != "" {
		t.Errorf("!.git in .dockerignore, files (-want +got):\n%s", diff)
	}
}

func TestWhatDockerignoreMeans(t *testing.T) {
	all := map[string]string{
		"Dockerfile": "", "a.py": "", "a.pyc": "", "doc/a.md": "", "doc/keep.md": "", "doc/deep/keep.md": "",
		"src/a.py": "", "src/tests/a.py": "",
		"src/tests/data/a.json": "", "x y/z": "", "[odd]": "", "node_modules/a/index.js": "",
	}
	for _, c := range []struct {
		name, ignore string
		want         []string // besides the Dockerfile
	}{
		{"one folder", "node_modules\ndoc/\n/src\n", []string{"[odd]", "a.py", "a.pyc", "x y/z"}},
		{"comments, blank lines and spaces", "# doc\n\n  src  \n\tdoc\nnode_modules\n", []string{"[odd]", "a.py", "a.pyc", "x y/z"}},
		{"a byte order mark and CRLF", "\ufeffsrc\r\ndoc\r\nnode_modules\r\n", []string{"[odd]", "a.py", "a.pyc", "x y/z"}},
		{"wildcards", "**/*.py\n*/*.md\n?.pyc\nnode_*\n\\[odd]\n[x-z] y\n", []string{"doc/deep/keep.md", "src/tests/data/a.json"}},
		{"everything but", "*\n!src\n", []string{"src/a.py", "src/tests/a.py", "src/tests/data/a.json"}},
		{"everything but, but", "*\n!src\nsrc/tests\n!src/tests/data\n", []string{"src/a.py", "src/tests/data/a.json"}},
		{"by name anywhere", "**\n!**/keep.md\n", []string{"doc/deep/keep.md", "doc/keep.md"}},
		{"the Dockerfile and the ignore file", "*\nDockerfile\n.dockerignore\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, all)
			write(t, root, map[string]string{".dockerignore": c.ignore})
			if diff := cmp.Diff(append([]string{"Dockerfile"}, c.want...), names(read(t, of(root)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\n" +
		"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	for _, c := range []struct {
		name, file, content string
		want                string // "": accepted
	}{
		{"a pointer of Git LFS", "static/logo.png", pointer,
			"shop/static/logo.png is a pointer of Git LFS, not the file itself. Run git lfs pull, or name it in shop/.dockerignore"},
		{"a text about Git LFS", "lfs.md", "see:\n" + pointer, ""},
		{"a long file that begins like a pointer", "lfs.txt", pointer + strings.Repeat("x", 1024), ""},
		{"a name that is not UTF-8", "caf\xe9.txt", "x",
			`"shop/caf\xe9.txt" has a name that is not UTF-8, which Docker's builder rejects. Rename it, or name it in shop/.dockerignore`},
		{"a link out of the context", "lib/shared", "-> ../../shared",
			"shop/lib/shared is a link to ../../shared, outside of the build context: Docker would copy the link and not what it names. " +
				"Copy the files into the folder, or name it in shop/.dockerignore"},
		{"a link to the context", "lib/up", "-> ..", ""},
		{"a link in the context", "lib/shared", "-> ../manage.py", ""},
		{"a link into the image", "python", "-> /usr/bin/python3", ""},
		{"a link to nothing", "old", "-> gone", ""},
		{"a link to itself", "loop", "-> loop", ""},
		{"a name with a line break", "a\nb", "x", ""},
		{"the longest name", strings.Repeat("n", 255), "x", ""},
		{"a name of Docker's own syntax", "!x", "x", ""},
		{"names that differ in case", "MANAGE.py", "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, map[string]string{"shop/Dockerfile": "", "shop/manage.py": "x"})
			b := of(root)
			b.Context = "shop"
			before := tagOf(t, b)
			write(t, filepath.Join(root, "shop"), map[string]string{c.file: c.content})
			got, err := b.Read()
			if c.want != "" {
				if err == nil || err.Error() != c.want {
					t.Errorf("got  %v\nwant %s", err, c.want)
				}
				write(t, root, map[string]string{"shop/.dockerignore": "*\n!manage.py"})
				if tagOf(t, b) != before {
					t.Error("ignored, it still counts")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Tag() == before || !slices.Contains(names(got), c.file) {
				t.Errorf("it does not count: %q", names(got))
			}
			staged := filepath.Join(root, "staged")
			if err := got.Stage(staged); err != nil {
				t.Fatal(err)
			}
			again := read(t, Build{Root: staged, Context: ".", Dockerfile: "Dockerfile", Platform: b.Platform, Args: b.Args})
			if again.Tag() != got.Tag() {
				t.Errorf("the copy differs: %q", names(again))
			}
		})
	}
}

// Docker does not send sockets; a pipe would stop a build that reads it.
func TestSpecialFilesAreOmitted(t *testing.T) {
	root := tree(t, app())
	want := tagOf(t, of(root))
	l, err := net.Listen("unix", filepath.Join(root, "site", "gunicorn.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := syscall.Mkfifo(filepath.Join(root, "site", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := tagOf(t, of(root)); got != want {
		t.Error("a socket or a pipe changes the tag")
	}
}

func TestDockerfileThatIsALink(t *testing.T) {
	root := tree(t, map[string]string{"deploy/Dockerfile": "FROM scratch\n", "Dockerfile": "-> deploy/Dockerfile", ".dockerignore": "deploy"})
	c := read(t, of(root))
	staged := filepath.Join(root, ".slipway", "x")
	if err := c.Stage(staged); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(c.Dockerfile(staged)); string(got) != "FROM scratch\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDockerfileBehindALink(t *testing.T) {
	outside := tree(t, map[string]string{"Dockerfile": "FROM scratch\n"})
	root := tree(t, map[string]string{"deploy": "-> " + outside, "x": ""})
	b := of(root)
	b.Dockerfile = "deploy/Dockerfile"
	c := read(t, b)
	staged := filepath.Join(root, ".slipway", "x")
	if err := c.Stage(staged); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(c.Dockerfile(staged)); string(got) != "FROM scratch\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestDockerfileBesideTheContext(t *testing.T) {
	root := tree(t, map[string]string{"app/manage.py": "x", "deploy/Dockerfile": "FROM scratch\n", "deploy/x": "x"})
	b := Build{Root: root, Context: "app", Dockerfile: "../deploy/Dockerfile"}
	c := read(t, b)
	if diff := cmp.Diff([]string{"manage.py"}, names(c)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(root, "deploy", "Dockerfile"), []byte("FROM debian\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if tagOf(t, b) == c.Tag() {
		t.Error("it does not count")
	}
	if err := c.Stage(filepath.Join(root, ".slipway", "tag")); err == nil || !strings.Contains(err.Error(), "changed while it was copied") {
		t.Errorf("a file that changed since: %v", err)
	}
}

func TestAFileThatChangesWhileItIsCopied(t *testing.T) {
	root := tree(t, app())
	c := read(t, of(root))
	if err := os.WriteFile(filepath.Join(root, "manage.py"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	staged := filepath.Join(root, ".slipway", "contexts", "tag")
	if err := c.Stage(staged); err == nil || !strings.Contains(err.Error(), "manage.py: the file changed while it was copied") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(staged)); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// withMore is a build that has more than the project: another Dockerfile and files of its own.
func withMore(root string) Build {
	b := of(root)
	b.Text, b.Target = "FROM python AS app\nCOPY . .\n", "app"
	b.Added = []Added{
		{Name: ".slipway/user", Mode: 0o666}, {Name: ".slipway/more/note", Mode: 0o644, Content: "note"},
		{Name: ".slipway/helper", Mode: 0o755, Sum: "of its sources"},
	}
	return b
}

func TestTagCoversWhatIsAdded(t *testing.T) {
	root := tree(t, app())
	before := tagOf(t, withMore(root))
	for name, change := range map[string]func(*Build){
		"the text": func(b *Build) { b.Text += "USER 1\n" }, "the target": func(b *Build) { b.Target = "base" },
		"a mode": func(b *Build) { b.Added[0].Mode = 0o644 }, "a content": func(b *Build) { b.Added[1].Content = "Note" },
		"a name": func(b *Build) { b.Added[1].Name = ".slipway/note" }, "a sum": func(b *Build) { b.Added[2].Sum = "of others" },
		"one less": func(b *Build) { b.Added = b.Added[:2] }, "content for a sum": func(b *Build) {
			b.Added[1].Content, b.Added[1].Sum = "",
				"note"
		},
	} {
		b := withMore(root)
		change(&b)
		if tagOf(t, b) == before {
			t.Errorf("%s does not change the tag", name)
		}
	}
}

func TestStageHasWhatIsAdded(t *testing.T) {
	root := tree(t, app())
	defer syscall.Umask(syscall.Umask(0o077))
	c := read(t, withMore(root))
	staged := filepath.Join(root, ".slipway", "contexts", c.Tag())
	if err := c.Stage(staged); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".": "drwxr-xr-x", "site": "drwxr-xr-x", ".slipway": "drwxr-xr-x", ".slipway/more": "drwxr-xr-x",
		"Dockerfile": "-rw-r--r--", "manage.py": "-rw-r--r--", "site/settings.py": "-rw-r--r--", "site/urls.py": "-rw-r--r--",
		"current": "Lrwxrwxrwx", ".slipway/Dockerfile": "-rw-r--r--", ".slipway/user": "-rw-rw-rw-", ".slipway/more/note": "-rw-r--r--",
	}
	if diff := cmp.Diff(want, modes(t, staged)); diff != "" {
		t.Errorf("staged (-want +got):\n%s", diff)
	}
	if text, err := os.ReadFile(c.Dockerfile(staged)); string(text) != withMore(root).Text {
		t.Errorf("the Dockerfile is %q, %v", text, err)
	}

	// What a build needs comes later, and a second time it is there.
	made := filepath.Join(t.TempDir(), "made")
	for range 2 {
		if err := os.WriteFile(made, []byte("helper"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.Supply(staged, ".slipway/helper", made); err != nil {
			t.Fatal(err)
		}
	}
	want[".slipway/helper"] = "-rwxr-xr-x"
	if diff := cmp.Diff(want, modes(t, staged)); diff != "" {
		t.Errorf("supplied (-want +got):\n%s", diff)
	}
	if entries, _ := os.ReadDir(filepath.Dir(staged)); len(entries) != 1 {
		t.Errorf("something was left beside the staged folder: %v", entries)
	}
	if err := c.Supply(staged, ".slipway/user", made); err == nil {
		t.Error("a file that is staged at once was supplied")
	}
}

// Without a Dockerfile of the project's, and with nothing of the project at all.
func TestBuildsWithoutADockerfile(t *testing.T) {
	files := app()
	delete(files, "Dockerfile")
	root := tree(t, files)
	b := withMore(root)
	b.Dockerfile = ""
	c := read(t, b)
	if diff := cmp.Diff([]string{"current", "manage.py", "site/settings.py", "site/urls.py"}, names(c)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	bare := b
	bare.Bare, bare.Root = true, filepath.Join(root, "nowhere")
	c = read(t, bare)
	staged := filepath.Join(root, ".slipway", "bare")
	if err := c.Stage(staged); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".", ".slipway", ".slipway/Dockerfile", ".slipway/more", ".slipway/more/note", ".slipway/user"},
		slices.Sorted(maps.Keys(modes(t, staged)))); diff != "" || len(c.All()) > 0 || c.Folder != "" {
		t.Errorf("files of the project %v (-want +got):\n%s", c.All(), diff)
	}
	if err := c.Copy(filepath.Join(root, "copy")); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Build){
		"no Dockerfile and no text": func(b *Build) { b.Text = "" },
		"a file of the project's":   func(b *Build) { b.Added[0].Name = "manage.py" },
		"a way out":                 func(b *Build) { b.Added[0].Name = ".slipway/../manage.py" },
		"two of a name":             func(b *Build) { b.Added[0].Name = b.Added[1].Name },
		"the Dockerfile's own name": func(b *Build) { b.Added[0].Name = ".slipway/Dockerfile" },
	} {
		b := withMore(root)
		b.Dockerfile = ""
		change(&b)
		if _, err := b.Read(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The context may be outside of the project's folder, and what Slipway writes stays out of it all the same.
func TestContextAboveTheProject(t *testing.T) {
	top := tree(t, map[string]string{
		"backend/Dockerfile": "FROM python\n", "backend/manage.py": "x", "infra/Pulumi.yaml": "name: x", "infra/Pulumi.prod.yaml": "key: x",
		"infra/.slipway/local/x": "secret", ".git/config": "token", "docker/prod": "FROM python\n",
	})
	b := of(filepath.Join(top, "infra"))
	b.Context, b.Dockerfile = "../backend", "../docker/prod"
	if diff := cmp.Diff([]string{"Dockerfile", "manage.py"}, names(read(t, b))); diff != "" {
		t.Errorf("beside (-want +got):\n%s", diff)
	}
	b.Context, b.Dockerfile = "..", "docker/prod"
	c := read(t, b)
	if diff := cmp.Diff([]string{"backend/Dockerfile", "backend/manage.py", "docker/prod", "infra/Pulumi.yaml"}, names(c)); diff != "" {
		t.Errorf("above (-want +got):\n%s", diff)
	}
	staged := filepath.Join(top, "infra", ".slipway", "contexts", c.Tag())
	if err := c.Stage(staged); err != nil {
		t.Fatal(err)
	}
	if again := read(t, b); again.Tag() != c.Tag() {
		t.Error("the staged copy changes the tag")
	}
}
