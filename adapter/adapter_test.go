package adapter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/image"
)

// tree writes files into a folder; a content "-> x" makes a link to x.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		at := filepath.Join(folder, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if target, link := strings.CutPrefix(content, "-> "); err == nil && link {
			err = os.Symlink(target, at)
		} else if err == nil {
			err = os.WriteFile(at, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const dockerfileText = "FROM python AS app\nCOPY . .\n"

func TestBothImagesComeFromOneStagedCopy(t *testing.T) {
	a := someApp()
	a.Root = tree(t, map[string]string{"app/Dockerfile": dockerfileText, "app/manage.py": "x", "app/.dockerignore": ".env\n",
		"app/.env": "secret"})
	builds, err := a.Builds()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	tags := map[string]bool{}
	for _, b := range []image.Build{builds.Django, builds.Nginx} {
		read, err := b.Read()
		if err != nil {
			t.Fatal(err)
		}
		tags[read.Tag()] = true
		staged := filepath.Join(a.Root, ".slipway", "contexts", read.Tag())
		if err := read.Stage(staged); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		err = filepath.WalkDir(staged, func(at string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			name, _ := filepath.Rel(staged, at)
			got[filepath.ToSlash(name)] = info.Mode().String()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"Dockerfile": "-rw-r--r--", "manage.py": "-rw-r--r--", ".slipway/Dockerfile": "-rw-r--r--", ".slipway/user": "-rw-rw-rw-",
			".slipway/global-bundle.pem": "-rw-r--r--", ".slipway/slipway_settings.py": "-rw-r--r--",
			".slipway/slipway.conf.template": "-rw-r--r--", ".slipway/slipway.cached": "-rw-r--r--",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("staged (-want +got):\n%s", diff)
		}
		text, err := os.ReadFile(read.Dockerfile(staged))
		if err != nil {
			t.Fatal(err)
		}
		texts[string(text)] = true
	}
	// One text in one place: Docker builds the project's stages once, although they copy the whole folder.
	if len(texts) != 1 || len(tags) != 2 || builds.Django.Target == builds.Nginx.Target {
		t.Errorf("%d texts, %d tags, targets %s and %s", len(texts), len(tags), builds.Django.Target, builds.Nginx.Target)
	}
	if got, _ := os.ReadFile(filepath.Join(a.Root, "app", "Dockerfile")); string(got) != dockerfileText {
		t.Errorf("the project's Dockerfile is now\n%s", got)
	}
}

func TestAnAppThatServesItsFilesHasAnNginxWithoutTheProject(t *testing.T) {
	a := someApp()
	a.Root, a.Static.Serve = tree(t, map[string]string{"app/Dockerfile": dockerfileText}), "app"
	tags := func() (django, nginx string) {
		builds, err := a.Builds()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(builds.Django.Text, "collect") {
			t.Errorf("files are collected although the app serves them:\n%s", builds.Django.Text)
		}
		if got := stagesOf(t, builds.Nginx.Text); len(got) != 1 || strings.Contains(builds.Nginx.Text, "COPY --from") {
			t.Errorf("nginx's text is\n%s", builds.Nginx.Text)
		}
		return tagsOf(t, builds)
	}
	django, nginx := tags()
	if err := os.WriteFile(filepath.Join(a.Root, "app", "new.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if d, n := tags(); d == django || n != nginx {
		t.Errorf("a new file of the app: Django's tag changed: %t, nginx's: %t", d != django, n != nginx)
	}
}

func TestWhereContextAndDockerfileMayBe(t *testing.T) {
	files := map[string]string{
		"repo/.git/HEAD": "ref: x", "repo/backend/manage.py": "x", "repo/backend/Dockerfile": dockerfileText,
		"repo/docker/Dockerfile.prod": dockerfileText, "repo/infra/Pulumi.yaml": "name: x", "outside/Dockerfile": dockerfileText,
		"repo/infra/link": "-> ../../outside", "repo/infra/app/Dockerfile": dockerfileText, "repo/file": "x", "repo/backend/folder/x": "",
		"repo/.dockerignore": "infra/link\n",
	}
	git := tree(t, files)
	delete(files, "repo/.git/HEAD")
	plain := tree(t, files)
	for _, c := range []struct{ name, root, context, dockerfile, want string }{
		{"beside the project", git, "../backend", "", ""},
		{"the whole repository", git, "..", "docker/Dockerfile.prod", ""},
		{"a Dockerfile elsewhere", git, "../backend", "../docker/Dockerfile.prod", ""},
		{"in the project", git, "app", "", ""},
		{"outside of the repository", git, "../../outside", "", "folder ../../outside is outside of the repository"},
		{"a Dockerfile outside", git, "app", "../../../outside/Dockerfile", "Dockerfile ../../outside/Dockerfile is outside of the repository"},
		{"a link", git, "link", "", ""},
		{"not in Git", plain, "../backend", "", "folder ../backend is outside of the repository"},
		{"not in Git, in the project", plain, "app", "", ""},
		{"no such folder", git, "ap", "", "folder ap does not exist"},
		{"a file for a folder", git, "../file", "", "folder ../file is not a folder"},
		{"no such Dockerfile", git, "../backend", "Dockerfile.prod", "Dockerfile ../backend/Dockerfile.prod does not exist"},
		{"a folder for a Dockerfile", git, "../backend", "folder", "Dockerfile ../backend/folder is not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := someApp()
			a.Root, a.Context, a.Path, a.Dockerfile = filepath.Join(c.root, "repo", "infra"), c.context, c.context, c.dockerfile
			builds, err := a.Builds()
			if c.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("got  %v\nwant %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			read, err := builds.Django.Read()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range read.All() {
				if strings.HasPrefix(f.Name, ".git/") {
					t.Errorf("%s is in the context", f.Name)
				}
			}
		})
	}
}

func TestTagsCoverWhatSlipwayAdds(t *testing.T) {
	base := someApp()
	base.Root = tree(t, map[string]string{"app/Dockerfile": dockerfileText})
	tag := func(a App) string {
		builds, err := a.Builds()
		if err != nil {
			t.Fatal(err)
		}
		read, err := builds.Django.Read()
		if err != nil {
			t.Fatal(err)
		}
		return read.Tag()
	}
	before := tag(base)
	for name, change := range map[string]func(*App){
		"a writable path": func(a *App) { a.Writable = []string{"/app/media"} },
		"an overlay":      func(a *App) { a.Overlay = []string{"DEBUG"} },
		"nginx's base":    func(a *App) { a.NginxBase = "nginx:2" },
		"a platform":      func(a *App) { a.Platform = "linux/amd64" },
		"an argument":     func(a *App) { a.Args = map[string]string{"A": "1"} },
	} {
		a := base
		change(&a)
		if tag(a) == before {
			t.Errorf("%s does not change the tag", name)
		}
	}
	old := helperSum
	defer func() { helperSum = old }()
	helperSum = func() string { return strings.Repeat("f", 64) }
	if tag(base) == before {
		t.Error("another helper does not change the tag")
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		change func(*App)
		want   string
	}{
		{func(a *App) { a.Writable = []string{"media"} }, `app.writable: "media" is not the absolute path`},
		{func(a *App) { a.Writable = []string{"/app/media/"} }, `app.writable: "/app/media/" is not the absolute path`},
		{func(a *App) { a.Writable = []string{"/"} }, `app.writable: "/" is not`},
		{func(a *App) { a.Writable = []string{"/app/$HOME"} }, "has a character that a volume's path cannot have"},
		{func(a *App) { a.Writable = []string{"/opt"} }, "app.writable: /opt belongs to the system or to Slipway"},
		{func(a *App) { a.Writable = []string{"/etc/ssl/rds/x"} }, "belongs to the system or to Slipway"},
		{func(a *App) { a.Overlay = []string{"CACHES"} }, `app.overlay: "CACHES" is not one of DATABASES, `},
		{func(a *App) { a.NginxBase = "nginx\nRUN x" }, "is not the name of an image"},
		{func(a *App) { a.Region = "" }, `"" is not a region`},
	} {
		a := someApp()
		a.Root = tree(t, map[string]string{"app/Dockerfile": dockerfileText})
		c.change(&a)
		if _, err := a.Builds(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestCollectHasAnyValue(t *testing.T) {
	a := someApp()
	a.Env = map[string]string{"A": "it's \"quoted\", $HOME\nand `more` \\", "B": ""}
	a.Overlay, a.Settings = []string{"DEBUG"}, "shop.settings"
	text, err := a.collect()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Manage   []string
		Commands [][]string
		Env      map[string]string
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"A": a.Env["A"], "B": "", "SLIPWAY_OVERLAY": "DEBUG,STATIC_ROOT", "SLIPWAY_STATIC_ROOT": "/srv/static",
		"DJANGO_SETTINGS_MODULE": "slipway_settings", "SLIPWAY_SETTINGS": "shop.settings",
	}
	if diff := cmp.Diff(want, got.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if len(a.Env) != 2 {
		t.Error("the configuration's own environment was changed")
	}
	if diff := cmp.Diff(a.Manage, got.Manage); diff != "" || len(got.Commands) != 1 {
		t.Errorf("commands %q of %q", got.Commands, got.Manage)
	}
}

// A variable of the app's is in the task definition. It changes nothing in the app's image, whose tag would make a migration run.
func TestTheEnvironmentChangesOnlyTheImageThatCollects(t *testing.T) {
	a := someApp()
	a.Root = tree(t, map[string]string{"app/Dockerfile": dockerfileText})
	tags := func(level string, overlay ...string) (django, nginx string) {
		a.Env, a.Overlay = map[string]string{"LOG_LEVEL": level}, overlay
		builds, err := a.Builds()
		if err != nil {
			t.Fatal(err)
		}
		return tagsOf(t, builds)
	}
	django, nginx := tags("INFO")
	if d, n := tags("DEBUG"); d != django || n == nginx {
		t.Errorf("Django's tag changed: %t, nginx's: %t", d != django, n != nginx)
	}
	django, nginx = tags("INFO", "STATIC_ROOT")
	if d, n := tags("DEBUG", "STATIC_ROOT"); d == django || n == nginx {
		t.Errorf("with the files in both, Django's tag changed: %t, nginx's: %t", d != django, n != nginx)
	}
	if a.Args != nil {
		t.Error("the configuration's own arguments were changed")
	}
}

// tagsOf are the tags of both images.
func tagsOf(t *testing.T, builds image.Builds) (django, nginx string) {
	t.Helper()
	d, err := builds.Django.Read()
	if err != nil {
		t.Fatal(err)
	}
	n, err := builds.Nginx.Read()
	if err != nil {
		t.Fatal(err)
	}
	return d.Tag(), n.Tag()
}
