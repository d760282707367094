package setup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"slipway/check"
	"slipway/operation"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := exec.LookPath("python3"); err != nil {
		fmt.Println("needs python3")
		return
	}
	os.Exit(m.Run())
}

// project writes archives into a folder with this name.
func project(t *testing.T, name string, archives ...string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), name)
	for _, a := range archives {
		if !strings.HasPrefix(a, "fixture-") {
			a = filepath.Join("testdata", a+".txtar")
		} else {
			a = filepath.Join("../../check/testdata", a+".txtar")
		}
		archive, err := txtar.ParseFile(a)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if slices.Contains([]string{"app", "want", "want-configured"}, f.Name) || strings.HasPrefix(f.Name, "changed/") {
				continue
			}
			put(t, filepath.Join(folder, f.Name), string(f.Data))
		}
	}
	return folder
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each project has the files that init writes for it in testdata/NAME.golden. A second run finds nothing to change, and no other file of
// the project is touched.
func TestFilesThatAreWritten(t *testing.T) {
	for name, archives := range map[string][]string{
		"startproject":              {"startproject"},
		"startproject-requirements": {"startproject", "requirements"},
		"cookiecutter":              {"fixture-layered", "plain"},
		"cookiecutter-celery":       {"fixture-layered", "celery"},
		"src-layout":                {"fixture-src"},
		"channels":                  {"fixture-asgi"},
		"json-secret":               {"fixture-json"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := project(t, "shop", archives...)
			before := contents(t, folder)
			r := run(t, Options{Path: folder, Stacks: []string{"dev", "prod"}})
			var b strings.Builder
			for _, q := range r.Questions {
				fmt.Fprintf(&b, "asked %s: %s [%s] %s:%d\n", q.ID, q.Text, q.Answer, q.File, q.Line)
			}
			for _, one := range r.Todo {
				fmt.Fprintf(&b, "to do: %s (%s:%d)\n", one.What, one.File, one.Line)
			}
			after := contents(t, folder)
			for _, f := range r.Files {
				fmt.Fprintf(&b, "-- %s: %s --\n%s", f.Name, f.Did, after[f.Name])
				delete(before, f.Name)
				delete(after, f.Name)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("another file changed:\n%s", diff)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				put(t, golden, b.String())
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
			for _, f := range run(t, Options{Path: folder, Stacks: []string{"dev", "prod"}}).Files {
				if f.Did != Unchanged {
					t.Errorf("a second run: %s %s\n%s", f.Name, f.Did, f.Diff)
				}
			}
		})
	}
}

// contents are the files of a folder.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(at)
		rel, _ := filepath.Rel(folder, at)
		all[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What the user wrote stays: values, keys, comments. What the project needs since is added, and what differs is named.
func TestRunningAgainKeepsWhatTheUserWrote(t *testing.T) {
	folder := project(t, "shop", "startproject")
	o := Options{Path: folder}
	run(t, o)
	file := filepath.Join(folder, "Pulumi.yaml")
	text := read(t, file)
	text = strings.Replace(text, "- gunicorn # no file lists the packages", "- gunicorn~=23.0 # pinned by hand", 1)
	text = strings.Replace(text, "      settings: mysite.settings", "      # Ours.\n      settings: mysite.settings\n      start: 90", 1)
	put(t, file, text)
	local := filepath.Join(folder, "Pulumi.local.yaml")
	put(t, local, "# My stack.\nconfig:\n  aws:region: eu-central-1 # near us\n  shop:web: {max: 7}\n")
	put(t, filepath.Join(folder, "mysite/settings.py"), read(t, filepath.Join(folder, "mysite/settings.py"))+
		"import os\nMAIL_PASSWORD = os.environ['MAIL_PASSWORD']\nADMIN = os.environ['ADMIN_PATH']\n")

	asked := ""
	o.Confirm = func(r *Result) (bool, error) {
		for _, f := range r.Files {
			asked += f.Diff
		}
		return false, nil
	}
	if _, err := Run(context.Background(), o); err == nil || err.Error() != "nothing was written" {
		t.Errorf("declined, and got %v", err)
	}
	if read(t, file) != text {
		t.Error("Pulumi.yaml was written without consent")
	}
	o.Confirm = func(*Result) (bool, error) { return true, nil }
	r := run(t, o)
	got := read(t, file)
	for _, want := range []string{"- gunicorn~=23.0 # pinned by hand", "# Ours.\n", "start: 90", "ADMIN_PATH: " + check.Placeholder} {
		if !strings.Contains(got, want) {
			t.Errorf("Pulumi.yaml lacks %q:\n%s", want, got)
		}
	}
	for _, want := range []string{"+        ADMIN_PATH: change-me", "aws:region: eu-central-1 # near us", "+  shop:secrets:"} {
		if !strings.Contains(asked, want) {
			t.Errorf("the difference lacks %q:\n%s", want, asked)
		}
	}
	got = read(t, local)
	for _, want := range []string{"# My stack.", "aws:region: eu-central-1 # near us", "shop:web: {max: 7}",
		"shop:keys: shared", "MAIL_PASSWORD:"} {
		if !strings.Contains(got, want) {
			t.Errorf("Pulumi.local.yaml lacks %q:\n%s", want, got)
		}
	}
	if !slices.ContainsFunc(r.Kept, func(k Kept) bool {
		return k.Key == "config.shop:web.max" && k.Value == "7" && k.Found == "2" && k.Line == 4
	}) {
		t.Errorf("kept: %+v", r.Kept)
	}
	for _, f := range run(t, o).Files {
		if f.Did != Unchanged {
			t.Errorf("then: %s %s\n%s", f.Name, f.Did, f.Diff)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// No value of a secret is ever written: only a ciphertext that stands for one.
func TestSecretsAreOnlyNamed(t *testing.T) {
	folder := project(t, "shop", "fixture-layered", "plain")
	put(t, filepath.Join(folder, ".env"), "MAILGUN_API_KEY=key-0123456789abcdef\n")
	run(t, Options{Path: folder, Stacks: []string{"dev"}})
	for name, text := range contents(t, folder) {
		if name != ".env" && strings.Contains(text, "key-0123456789abcdef") {
			t.Errorf("%s has the secret", name)
		}
	}
	for _, file := range []string{"Pulumi.local.yaml", "Pulumi.dev.yaml"} {
		var stack struct {
			Config map[string]yaml.Node
		}
		if err := yaml.Unmarshal([]byte(read(t, filepath.Join(folder, file))), &stack); err != nil {
			t.Fatal(err)
		}
		var secrets map[string]struct{ Secure string }
		node := stack.Config["shop:secrets"]
		if err := node.Decode(&secrets); err != nil || secrets["MAILGUN_API_KEY"].Secure != operation.StandIn {
			t.Errorf("%s: secrets: %v %v", file, secrets, err)
		}
	}
}

// Without a terminal the first question ends it, and the error has all of them. Nothing is written.
func TestQuestionsWithoutATerminal(t *testing.T) {
	folder := project(t, "shop", "startproject", "requirements")
	none := errors.New("there is no terminal to ask on")
	_, err := Run(context.Background(), Options{Path: folder, Ask: func([]check.Fact, check.Question) (string, error) { return "", none }})
	if !errors.Is(err, none) || !strings.Contains(err.Error(), "packages: There is no Dockerfile") ||
		!strings.Contains(err.Error(), "--answer ID=VALUE") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "Pulumi.yaml")); err == nil {
		t.Error("Pulumi.yaml was written")
	}
}

// An answer may lead to another question, and each is asked once.
func TestQuestionsAreAskedOnce(t *testing.T) {
	folder := project(t, "shop", "fixture-layered", "celery")
	asked := map[string]int{}
	r := run(t, Options{Path: folder, Answers: map[string]string{"cache": "no"}, Ask: func(_ []check.Fact, q check.Question) (string, error) {
		asked[q.ID]++
		return q.Default, nil
	}})
	if asked["cache"] > 0 {
		t.Error("the cache was asked for, and answered already")
	}
	for id, n := range asked {
		if n != 1 {
			t.Errorf("%s was asked %d times", id, n)
		}
	}
	if len(asked) != len(r.Questions)-1 {
		t.Errorf("asked %v of %v", asked, ids(r.Questions))
	}
	if text := read(t, filepath.Join(folder, "Pulumi.local.yaml")); strings.Contains(text, "cache") {
		t.Errorf("the cache was declined:\n%s", text)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		path    string
		answers map[string]string
		want    string
		usage   bool
	}{
		"no folder":  {nil, "nothing", nil, "there is no folder", true},
		"a file":     {map[string]string{"shop": "x"}, "shop", nil, "is not a folder", true},
		"no project": {map[string]string{"shop/README": "x"}, "shop", nil, "there is no manage.py", false},
		"two projects": {map[string]string{"a/manage.py": "DJANGO_SETTINGS_MODULE", "b/manage.py": "DJANGO_SETTINGS_MODULE"}, ".", nil,
			"more than one Django project: a, b. Name the folder of one: slipway init ", false},
		"other program": {map[string]string{"manage.py": "x", "Pulumi.yaml": "name: infra\nruntime: nodejs\n"}, ".", nil,
			"describes another program, infra: Slipway needs a folder of its own. Move", false},
		"no YAML": {map[string]string{"manage.py": "x", "Pulumi.yaml": "a: [\n"}, ".", nil, "Pulumi.yaml is not valid YAML", false},
		"no name": {map[string]string{"manage.py": "x", "Pulumi.yaml": "runtime: go\n"}, ".", nil, "no name in Pulumi.yaml", false},
		"a list": {map[string]string{"manage.py": "x", "Pulumi.local.yaml": "- a\n"}, ".", nil,
			"Pulumi.local.yaml is not an object", false},
		"other form": {map[string]string{"manage.py": "x", "Pulumi.local.yaml": "config:\n  shop:web: 3\n  aws:region: x\n"}, ".", nil,
			"line 2: config.shop:web has another form", false},
		"an unknown question": {map[string]string{"manage.py": "x"}, ".", map[string]string{"colour": "red"},
			"--answer colour: there is no such question; the questions are ", true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "shop")
			for name, text := range c.files {
				put(t, filepath.Join(folder, name), text)
			}
			_, err := Run(context.Background(), Options{Path: filepath.Join(folder, c.path), Answers: c.answers})
			var usage operation.UsageError
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(folder, "Pulumi.dev.yaml")); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// A misspelt key is named before anything is asked or written: the right one beside it would be a second mistake.
func TestMistakesInFilesThatExist(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new, want string
	}{
		"a key of app": {"Pulumi.yaml", "      overlay:", "      overlayy:",
			"Pulumi.yaml:21: app.overlayy: unknown key, did you mean overlay?"},
		"a key": {"Pulumi.local.yaml", "shop:network:", "shop:netwrk:",
			`Pulumi.local.yaml:5: shop:netwrk: unknown key, did you mean network?`},
		"a nested key": {"Pulumi.dev.yaml", "    class:", "    clas:", "Pulumi.dev.yaml:8: database.clas: unknown key, did you mean class?"},
		"a value":      {"Pulumi.dev.yaml", "nat: single", "nat: double", `network.nat: must be perZone, single or none, got "double"`},
		"another type": {"Pulumi.yaml", "      path: .", "      port: many\n      path: .",
			`app.port: must be a number, without quotes, got "many"`},
		"an unknown key": {"Pulumi.local.yaml", "config:\n", "config:\n  shop:colour: red\n", "colour: unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := project(t, "shop", "startproject")
			run(t, Options{Path: folder, Stacks: []string{"dev"}})
			at := filepath.Join(folder, c.file)
			text := read(t, at)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s lacks %q:\n%s", c.file, c.old, text)
			}
			put(t, at, strings.Replace(text, c.old, c.new, 1))
			before := contents(t, folder)
			asked := func([]check.Fact, check.Question) (string, error) { return "", errors.New("asked") }
			for _, o := range []Options{{Path: folder, Stacks: []string{"dev"}}, {Path: folder, Stacks: []string{"dev"}, Ask: asked}} {
				_, err := Run(context.Background(), o)
				if err == nil || !strings.Contains(err.Error(), "nothing was written:\n  ") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if diff := cmp.Diff(before, contents(t, folder)); diff != "" {
					t.Errorf("something was written:\n%s", diff)
				}
			}
		})
	}
	t.Run("what init adds is no mistake", func(t *testing.T) {
		folder := project(t, "shop", "startproject")
		put(t, filepath.Join(folder, "Pulumi.local.yaml"), "config:\n  shop:web: {max: 3}\n")
		run(t, Options{Path: folder})
		if text := read(t, filepath.Join(folder, "Pulumi.local.yaml")); !strings.Contains(text, "aws:region") {
			t.Errorf("the region is missing:\n%s", text)
		}
	})
}

// A process of Celery that the stack does not run is named, with what to do.
func TestProcessesThatAreNotDeployed(t *testing.T) {
	folder := project(t, "shop", "startproject")
	put(t, filepath.Join(folder, "requirements.txt"), "django\ngunicorn\npsycopg[binary]\ncelery[redis]\nflower\n")
	put(t, filepath.Join(folder, "mysite/celery.py"), "from celery import Celery\n\napp = Celery('mysite')\n")
	put(t, filepath.Join(folder, "Procfile"), "web: gunicorn mysite.wsgi\nworker: celery -A mysite worker -c 2\n"+
		"monitor: celery --app=mysite flower --port=5555\ncamera: celery -A mysite events --camera snap\n"+
		"slow: celery -A mysite worker -Q slow -c $SLOW\n")
	r := run(t, Options{Path: folder})
	for _, want := range []Todo{
		{"monitor is not deployed: it is a site of its own, and a stack serves one. " +
			"To see what the workers do: slipway task -- celery -A mysite inspect active", "Procfile", 3},
		{"camera is not deployed: it only watches the workers. If the site needs what it does, add its command to shop:workers", "Procfile", 4},
		{"slow is not deployed: its command has variables, and no shell replaces them. Add it to shop:workers with their values", "Procfile", 5},
	} {
		if !slices.Contains(r.Todo, want) {
			t.Errorf("to do lacks %+v:\n%+v", want, r.Todo)
		}
	}
	if !slices.Contains(r.Found, check.Fact{
		What: "not deployed: monitor", Value: "celery --app=mysite flower --port=5555", File: "Procfile", Line: 3,
	}) {
		t.Errorf("found: %+v", r.Found)
	}
	text := read(t, filepath.Join(folder, "Pulumi.local.yaml"))
	if !strings.Contains(text, "celery, -A, mysite, worker, -c, \"2\"") || strings.Contains(text, "flower") || strings.Contains(text, "slow") {
		t.Errorf("workers:\n%s", text)
	}
}

// Without a broker setting Celery's workers would look for RabbitMQ on localhost. A cache is offered, and what is missing then is listed.
func TestWorkersWithoutABroker(t *testing.T) {
	for answer, want := range map[string]string{
		"yes": "Add celery[redis] to the requirements.", "no": "Set cache.node: cache.t4g.micro and app.env",
	} {
		folder := project(t, "shop", "startproject")
		put(t, filepath.Join(folder, "requirements.txt"), "django\ngunicorn\npsycopg[binary]\ncelery\n")
		put(t, filepath.Join(folder, "mysite/celery.py"), "from celery import Celery\n\napp = Celery('mysite')\n")
		put(t, filepath.Join(folder, "Procfile"), "web: gunicorn mysite.wsgi\nworker: celery -A mysite worker\n")
		r := run(t, Options{Path: folder, Answers: map[string]string{"cache": answer}})
		if !slices.ContainsFunc(r.Todo, func(one Todo) bool { return strings.Contains(one.What, want) }) {
			t.Errorf("cache %s: to do lacks %q:\n%+v", answer, want, r.Todo)
		}
		written := read(t, filepath.Join(folder, "Pulumi.yaml")) + read(t, filepath.Join(folder, "Pulumi.local.yaml"))
		for _, part := range []string{"CELERY_BROKER_URL: \"{redis.url}\"", "node: cache.t4g.micro"} {
			if strings.Contains(written, part) != (answer == "yes") {
				t.Errorf("cache %s, %s:\n%s", answer, part, written)
			}
		}
	}
}

func TestProjectNames(t *testing.T) {
	for folder, want := range map[string]string{"shop": "shop", "My_Shop 2": "my-shop-2", "2024-shop": "shop", "---": "site",
		"a-very-long-name-of-a-project": "a-very-long-name-of"} {
		if got := projectName("/x/" + folder); got != want || len(got)+len("-staging-web") > 32 {
			t.Errorf("%s: got %s, want %s", folder, got, want)
		}
	}
}

// Settings that do not parse are the first thing to do, and nothing says that the project is ready.
func TestSettingsThatDoNotParse(t *testing.T) {
	folder := project(t, "shop", "startproject")
	at := settingsOf(t, folder)
	put(t, filepath.Join(folder, at), "DEBUG = (\nSECRET_KEY = 'x'\n")
	r := run(t, Options{Path: folder})
	if !r.Unread || len(r.Todo) == 0 || r.Todo[0].File != at || r.Todo[0].Line != 1 ||
		!strings.HasPrefix(r.Todo[0].What, "The settings cannot be parsed: ") {
		t.Errorf("unread %v, to do %+v", r.Unread, r.Todo)
	}
}

// settingsOf is the settings file of a project, from its folder.
func settingsOf(t *testing.T, folder string) string {
	t.Helper()
	all, _ := filepath.Glob(filepath.Join(folder, "*/settings.py"))
	if len(all) != 1 {
		t.Fatalf("settings: %v", all)
	}
	at, _ := filepath.Rel(folder, all[0])
	return at
}

// The folder's name is the project's, unless a provider's configuration has it.
func TestAFolderNamedAsAProvider(t *testing.T) {
	if r := run(t, Options{Path: project(t, "aws", "startproject")}); r.Project != "aws-site" {
		t.Errorf("the project is named %s", r.Project)
	}
}

// An answer that a question does not have is a mistake in the command, and nothing is written.
func TestAnAnswerThatIsNoChoice(t *testing.T) {
	folder := project(t, "shop", "startproject")
	before := contents(t, folder)
	_, err := Run(context.Background(), Options{Path: folder, Answers: map[string]string{"packages": "perhaps"}})
	var usage operation.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--answer packages=perhaps: the answer must be yes or no") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, contents(t, folder)); diff != "" {
		t.Errorf("a file changed:\n%s", diff)
	}
}

// With an empty __init__.py, the settings of production are those beside it.
func TestAnEmptySettingsPackage(t *testing.T) {
	folder := project(t, "shop", "startproject")
	at := settingsOf(t, folder)
	text, err := os.ReadFile(filepath.Join(folder, at))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, at)); err != nil {
		t.Fatal(err)
	}
	pkg := filepath.Join(folder, strings.TrimSuffix(at, ".py"))
	put(t, filepath.Join(pkg, "__init__.py"), "")
	put(t, filepath.Join(pkg, "base.py"), string(text))
	put(t, filepath.Join(pkg, "dev.py"), "from .base import *\nDEBUG = True\n")
	put(t, filepath.Join(pkg, "prod.py"), "from .base import *\nDEBUG = False\n")
	r := run(t, Options{Path: folder})
	for _, q := range r.Questions {
		if q.ID == "settings" {
			t.Errorf("it asks %+v", q)
		}
	}
	made := contents(t, folder)["Pulumi.yaml"]
	for _, want := range []string{"settings.prod", "- DATABASES # "} {
		if !strings.Contains(made, want) {
			t.Errorf("Pulumi.yaml has no %s:\n%s", want, made)
		}
	}
}

// A cache alone does not help a site with a fixed address of Redis: the address is left to do.
func TestAFixedAddressOfRedis(t *testing.T) {
	folder := project(t, "shop", "startproject")
	at := filepath.Join(folder, settingsOf(t, folder))
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	put(t, at, string(text)+"\nCHANNEL_LAYERS = {'default': {'BACKEND': 'channels_redis.core.RedisChannelLayer', 'CONFIG': "+
		"{'hosts': [('127.0.0.1', 6379)]}}}\n")
	r := run(t, Options{Path: folder})
	if !slices.ContainsFunc(r.Todo, func(one Todo) bool { return strings.Contains(one.What, "CHANNEL_LAYERS") }) {
		t.Errorf("to do: %+v", r.Todo)
	}
}
