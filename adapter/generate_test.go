package adapter

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// plain is a project without a Dockerfile and without packages.
var plain = map[string]string{"manage.py": "x", "shop/wsgi.py": "application = 1\n",
	"shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi.application'\n"}

const lock = "version = 1\n[[package]]\nname = \"Django\"\nversion = \"5.2\"\n[[package]]\nname = \"gunicorn\"\nversion = \"23\"\n" +
	"[[package]]\nname = \"psycopg\"\nversion = \"3.2\"\n"

func TestDockerfileIsGeneratedFromPackages(t *testing.T) {
	for _, c := range []struct {
		name, path string
		files      map[string]string
		want       []string // lines, in this order
	}{
		{"requirements", ".", map[string]string{"requirements.txt": "Django==5.2 # web\ngunicorn\npsycopg2_binary>=2\n"}, []string{
			`COPY ["requirements.txt","./requirements.txt"]`,
			"RUN python3 -m venv --without-pip --system-site-packages /opt/venv && " +
				"python3 -m pip --python /opt/venv/bin/python install -r requirements.txt",
			"COPY . .", `CMD ["/bin/sh", "-c", "exec python3 -m gunicorn --bind 0.0.0.0:${PORT:-8000} shop.wsgi:application"]`,
		}},
		{"requirements that refer to others", ".", map[string]string{
			"requirements.txt": "-r requirements/prod.txt\n", "requirements/prod.txt": "-r base.txt\n--requirement=base.txt\ngunicorn\n",
			"requirements/base.txt": "-c ../constraints.txt\ndjango\npsycopg[binary]\n", "constraints.txt": "django==5.2\n",
		}, []string{
			`COPY ["requirements.txt","./requirements.txt"]`, `COPY ["requirements/prod.txt","./requirements/prod.txt"]`,
			`COPY ["requirements/base.txt","./requirements/base.txt"]`, `COPY ["constraints.txt","./constraints.txt"]`,
		}},
		{"requirements in UTF-16, as PowerShell writes them", ".", map[string]string{
			"requirements.txt": utf16("django\r\n-r more.txt\r\ngunicorn\r\n"), "more.txt": "\ufeffpsycopg[binary]\n",
		}, []string{
			`COPY ["requirements.txt","./requirements.txt"]`, `COPY ["more.txt","./more.txt"]`,
		}},
		{"uv before requirements", ".", map[string]string{"uv.lock": lock, "pyproject.toml": "[project]\nname = 'shop'\n",
			"requirements.txt": "flask\n"}, []string{
			`COPY ["uv.lock","./uv.lock"]`, `COPY ["pyproject.toml","./pyproject.toml"]`,
			"RUN python3 -m venv /opt/tool && /opt/tool/bin/python -m pip install uv",
			"RUN /opt/tool/bin/uv export --frozen --no-dev --no-emit-project --format requirements-txt --output-file /packages.txt",
		}},
		{"poetry", ".", map[string]string{"poetry.lock": lock, "pyproject.toml": ""}, []string{
			"RUN /opt/tool/bin/poetry export --only main --output /packages.txt",
		}},
		{"pipenv", ".", map[string]string{"Pipfile.lock": `{"default": {"django": {}, "gunicorn": {}, "psycopg": {}}}`}, []string{
			"RUN /opt/tool/bin/pipenv requirements >/packages.txt",
		}},
		{"pyproject alone", ".", map[string]string{"pyproject.toml": "[project]\ndependencies = ['django>=5', 'gunicorn', 'psycopg[c]']\n"},
			[]string{
				`COPY ["pyproject.toml","./pyproject.toml"]`,
				"RUN python3 -c 'import tomllib; " +
					`print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' >/packages.txt`,
			}},
		{"the project in a folder, the packages above it", "src", map[string]string{"requirements.txt": "django\ngunicorn\npsycopg\n"}, []string{
			`COPY ["requirements.txt","./requirements.txt"]`, "WORKDIR /app", "COPY . .", "WORKDIR /app/src",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(c.files)
			for name, content := range plain {
				if c.path != "." {
					name = c.path + "/" + name
				}
				files[name] = content
			}
			a := someApp()
			a.Root, a.Context, a.Path = tree(t, files), ".", c.path
			builds, err := a.Builds()
			if err != nil {
				t.Fatal(err)
			}
			rest := builds.Django.Text
			for _, line := range c.want {
				_, after, ok := strings.Cut(rest, line+"\n")
				if !ok {
					t.Fatalf("no line\n%s\nor it is too early in\n%s", line, builds.Django.Text)
				}
				rest = after
			}
			stages := stagesOf(t, builds.Django.Text)
			if _, ok := instructions.HasStage(stages, builds.Django.Target); !ok {
				t.Errorf("no target in\n%s", builds.Django.Text)
			}
			if _, err := builds.Django.Read(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A slim base has neither libpq nor a compiler.
// utf16 is ASCII text in UTF-16, little-endian with a byte order mark.
func utf16(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, r := range text {
		b.WriteRune(r)
		b.WriteByte(0)
	}
	return b.String()
}

func TestBaseFitsThePostgresDriver(t *testing.T) {
	for _, c := range []struct{ file, content, want string }{
		{"requirements.txt", "django\ngunicorn\npsycopg2-binary\n", generatedBase},
		{"requirements.txt", "django\ngunicorn\npsycopg[pool, binary]==3.2\n", generatedBase},
		{"requirements.txt", "django\ngunicorn\npsycopg==3.1.9\npsycopg-binary==3.1.9\n", generatedBase},
		{"requirements.txt", "django\ngunicorn\npsycopg2==2.9.9\n", wholeBase},
		{"requirements.txt", "django\ngunicorn\npsycopg==3.1.9\n", wholeBase},
		{"requirements.txt", "django\ngunicorn\npsycopg[c]==3.1.9\n", wholeBase},
		{"pyproject.toml", "[project]\ndependencies = ['django', 'gunicorn', 'psycopg[binary]>=3']\n", generatedBase},
		{"poetry.lock", lock, wholeBase},
		{"poetry.lock", lock + "[[package]]\nname = \"psycopg-binary\"\nversion = \"3.2\"\n", generatedBase},
	} {
		files := maps.Clone(plain)
		files[c.file] = c.content
		a := someApp()
		a.Root, a.Context, a.Path = tree(t, files), ".", "."
		builds, err := a.Builds()
		if err != nil {
			t.Fatal(err)
		}
		if text := builds.Django.Text; !strings.Contains(text, "ARG BASE="+c.want+"\n") {
			t.Errorf("%s with %q: the base is not %s:\n%s", c.file, c.content, c.want, text)
		}
	}
}

// Packages of the configuration come beside those of the project's list, or in place of one.
func TestAGeneratedDockerfileInstallsPackagesOfTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		name, list string
		packages   []string
		want       string // a line, or an error
	}{
		{"beside a list", "django\n", []string{"gunicorn~=23.0", "psycopg[binary]"},
			"install -r requirements.txt 'gunicorn~=23.0' 'psycopg[binary]'\n"},
		{"without a list", "", []string{"django~=5.2.0", "gunicorn", "psycopg[binary]"},
			"python -m pip --python /opt/venv/bin/python install 'django~=5.2.0' 'gunicorn' 'psycopg[binary]'\n"},
		{"psycopg alone needs libpq", "", []string{"django", "gunicorn", "psycopg"}, "ARG BASE=python:3.13\n"},
		{"not enough", "django\n", []string{"gunicorn"}, "requirements.txt lacks psycopg[binary]"},
		{"not enough without a list", "", []string{"django"}, "app.packages lacks gunicorn, psycopg[binary]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(plain)
			if c.list != "" {
				files["requirements.txt"] = c.list
			}
			a := someApp()
			a.Root, a.Context, a.Path, a.Packages = tree(t, files), ".", ".", c.packages
			text, err := a.generate(a.Root)
			if got := strings.ReplaceAll(text, "python3 -m", "python -m") + fmt.Sprint(err); !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestProjectsForWhichNoDockerfileIsGenerated(t *testing.T) {
	good := map[string]string{"requirements.txt": "django\ngunicorn\npsycopg\n"}
	for _, c := range []struct {
		name string
		more map[string]string // content "-" removes
		want string
	}{
		{"no packages", map[string]string{"requirements.txt": "-"},
			". has no Dockerfile, and no uv.lock, poetry.lock, Pipfile.lock, requirements.txt or pyproject.toml"},
		{"an empty pyproject.toml", map[string]string{"requirements.txt": "-", "pyproject.toml": "[tool.black]\n"},
			"has no Dockerfile, and no uv.lock"},
		{"no gunicorn", map[string]string{"requirements.txt": "django\npsycopg\n"},
			". has no Dockerfile, and requirements.txt lacks gunicorn, which an image"},
		{"MySQL", map[string]string{"requirements.txt": "django\nmysqlclient\n"}, "requirements.txt lacks gunicorn, psycopg[binary], which"},
		{"a comment is no package", map[string]string{"requirements.txt": "django\npsycopg\n# gunicorn\n"}, "lacks gunicorn"},
		{"a reference to outside", map[string]string{"requirements.txt": "-r ../../base.txt\n"},
			"refers to ../../base.txt, outside of its folder"},
		{"no application", map[string]string{"shop/wsgi.py": "-", "shop/settings.py": "-"},
			"neither WSGI_APPLICATION in its settings nor a wsgi.py"},
		{"two applications", map[string]string{"shop/settings.py": "-", "blog/wsgi.py": "x"},
			"more than one WSGI application (blog.wsgi:application, shop.wsgi:application)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(plain)
			maps.Copy(files, good)
			for name, content := range c.more {
				if files[name] = content; content == "-" {
					delete(files, name)
				}
			}
			a := someApp()
			a.Root, a.Context, a.Path = tree(t, files), ".", "."
			if _, err := a.Builds(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// The settings say which application runs, wherever its module is; those of a virtual environment do not.
func TestWSGIModule(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"named", map[string]string{"config/settings/base.py": "  WSGI_APPLICATION = \"config.web.app\"\n", "other/wsgi.py": "x"},
			"config.web:app"},
		{"found", map[string]string{"blog/wsgi.py": "x", "venv/lib/site/wsgi.py": "x", ".tox/wsgi.py": "x"}, "blog.wsgi:application"},
		{"in the folder itself", map[string]string{"wsgi.py": "x"}, "wsgi:application"},
		{"named twice", map[string]string{"c/settings/a.py": "WSGI_APPLICATION = 'c.wsgi.application'\n",
			"c/settings/b.py": "WSGI_APPLICATION = 'c.wsgi.application'\n"},
			"c.wsgi:application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := someApp().wsgi(tree(t, c.files)); got != c.want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
