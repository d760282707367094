package adapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The bases of a generated Dockerfile. The build argument BASE replaces them. The whole image has libpq and a compiler.
const (
	generatedBase = "python:3.13-slim"
	wholeBase     = "python:3.13"
)

// A packageFile lists what a generated Dockerfile installs. Files are looked for in this order: a lock before a wish.
type packageFile struct {
	name     string
	packages func(data []byte) []string
	beside   string // another file that the export reads, if it exists
	tool     string // a package that exports the lock; it is not part of the image
	export   string // the command, which writes requirements
}

var packageFiles = []packageFile{
	{"uv.lock", lockedPackages, "pyproject.toml", "uv",
		"/opt/tool/bin/uv export --frozen --no-dev --no-emit-project --format requirements-txt --output-file /packages.txt"},
	{"poetry.lock", lockedPackages, "pyproject.toml", "poetry poetry-plugin-export",
		"/opt/tool/bin/poetry export --only main --output /packages.txt"},
	{"Pipfile.lock", pipfilePackages, "Pipfile", "pipenv", "/opt/tool/bin/pipenv requirements >/packages.txt"},
	{"requirements.txt", requirementPackages, "", "", ""},
	{"pyproject.toml", projectPackages, "", "", `python3 -c 'import tomllib; ` +
		`print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' >/packages.txt`},
}

// generate writes a Dockerfile for a project that has none.
func (a App) generate(context string) (string, error) {
	project := filepath.Join(a.Root, a.Path)
	within, err := filepath.Rel(context, project)
	if err != nil || within != "." && !filepath.IsLocal(within) {
		return "", fmt.Errorf("%s has no Dockerfile, and one can be generated only for a project in the build context: "+
			"%s is not in %s", a.Context, a.Path, a.Context)
	}
	within = filepath.ToSlash(within)
	if strings.ContainsAny(within, " \t\r\n\"'$\\[]*?") {
		return "", fmt.Errorf("%s has no Dockerfile, and none is generated for a folder with such a name: write one", a.Path)
	}
	for _, file := range packageFiles {
		r := recipe{packageFile: file, project: within}
		for _, r.folder = range []string{within, "."} { // the project's own, or the whole context's
			if err := r.read(context, file.name); err != nil {
				return "", fmt.Errorf("%s: %w", a.Path, err)
			}
			if len(r.files) > 0 {
				break
			}
		}
		if len(r.files) == 0 || file.name == "pyproject.toml" && len(r.packages) == 0 {
			continue
		}
		return a.recipe(r, project)
	}
	if len(a.Packages) > 0 {
		return a.recipe(recipe{packageFile: packageFile{name: "app.packages"}, project: within}, project)
	}
	return "", fmt.Errorf("%s has no Dockerfile, and no uv.lock, poetry.lock, Pipfile.lock, requirements.txt or pyproject.toml with "+
		"dependencies, from which Slipway would generate one. Write one of them, list packages in app.packages, or set app.path, "+
		"app.context or app.dockerfile", a.Path)
}

// recipe completes a recipe and writes it.
func (a App) recipe(r recipe, project string) (string, error) {
	r.more = a.Packages
	for _, one := range a.Packages {
		r.packages = append(r.packages, requirementPackages([]byte(one))...)
	}
	err := a.complete(r.name, r.packages)
	if err != nil {
		return "", err
	}
	if r.wsgi, err = a.wsgi(project); err != nil {
		return "", err
	}
	return r.text(), nil
}

// A recipe is what a generated Dockerfile does.
type recipe struct {
	packageFile
	project, folder string   // of the project and of the package file, from the context
	files           []string // from folder
	packages        []string // their names
	more            []string // requirements beside those of the files
	wsgi            string
}

// read reads a package file, and those that it refers to. One that does not exist has nothing. A byte order mark says the encoding, as it
// does for pip (pip documentation, "Requirements File Format", "Encoding"): PowerShell's > writes UTF-16.
func (r *recipe) read(context, name string) error {
	data, err := os.ReadFile(filepath.Join(context, filepath.FromSlash(r.folder), filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, errors.Unwrap(err))
	}
	if data, _, err = transform.Bytes(unicode.BOMOverride(transform.Nop), data); err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	r.files = append(r.files, name)
	r.packages = append(r.packages, r.packageFile.packages(data)...)
	if r.beside != "" {
		if _, err := os.Stat(filepath.Join(context, filepath.FromSlash(r.folder), r.beside)); err == nil {
			r.files = append(r.files, r.beside)
		}
	}
	if r.name != "requirements.txt" {
		return nil
	}
	for _, m := range includeForm.FindAllSubmatch(data, -1) {
		more := path.Join(path.Dir(name), filepath.ToSlash(string(m[1])))
		if !filepath.IsLocal(more) {
			return fmt.Errorf("%s refers to %s, outside of its folder: write a Dockerfile", name, more)
		}
		if slices.Contains(r.files, more) {
			continue
		}
		if err := r.read(context, more); err != nil {
			return err
		}
	}
	return nil
}

func (r *recipe) text() string {
	var b strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&b, format+"\n", values...) }
	base := generatedBase
	if needsLibpq(r.packages) {
		base = wholeBase
	}
	line("ARG BASE=%s", base)
	line("FROM ${BASE} AS packages")
	line("ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1")
	line("WORKDIR /packages")
	for _, name := range r.files {
		line("COPY %s", words(path.Join(r.folder, name), "./"+name))
	}
	if r.tool != "" {
		line("RUN python3 -m venv /opt/tool && /opt/tool/bin/python -m pip install %s", r.tool)
	}
	list := " -r requirements.txt"
	if r.export != "" {
		line("RUN %s", r.export)
		list = " -r /packages.txt"
	} else if len(r.files) == 0 {
		list = ""
	}
	for _, one := range r.more {
		list += " '" + one + "'"
	}
	// The packages of the base count too: what has the right version already is not installed again.
	line("RUN python3 -m venv --without-pip --system-site-packages /opt/venv && "+
		"python3 -m pip --python /opt/venv/bin/python install%s", list)
	line("")
	line("FROM ${BASE}")
	line("COPY --from=packages /opt/venv /opt/venv")
	line("ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1")
	line("WORKDIR /app")
	line("COPY . .")
	if r.project != "." {
		line("WORKDIR /app/%s", r.project)
	}
	// PORT is set in every container. python -m finds gunicorn in the base as well.
	line(`CMD ["/bin/sh", "-c", "exec python3 -m gunicorn --bind 0.0.0.0:${PORT:-8000} %s"]`, r.wsgi)
	return b.String()
}

// needsLibpq reports whether the Postgres driver is one without its own copy of libpq: psycopg2 and psycopg-c are compiled against it,
// and psycopg alone loads it (Psycopg 3 documentation, "Installation", "Pure Python installation").
func needsLibpq(packages []string) bool {
	has := func(name string) bool { return slices.Contains(packages, name) }
	return has("psycopg2") || has("psycopg-c") || has("psycopg") && !has("psycopg-binary")
}

// complete checks that the packages without which the image cannot run are listed.
func (a App) complete(file string, packages []string) error {
	has := func(names ...string) bool {
		return slices.ContainsFunc(packages, func(name string) bool { return slices.Contains(names, name) })
	}
	var missing []string
	if !has("django") {
		missing = append(missing, "django")
	}
	if !has("gunicorn") {
		missing = append(missing, "gunicorn")
	}
	if !has("psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "psycopg-c") {
		missing = append(missing, "psycopg[binary]")
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s has no Dockerfile, and %s lacks %s, which an image that Slipway generates needs: add them, "+
		"name them in app.packages, or write a Dockerfile", a.Path, file, strings.Join(missing, ", "))
}

var (
	requirementForm = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)(?:[ \t]*\[([^\]\n]*)\])?`)
	includeForm     = regexp.MustCompile(`(?m)^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]+([^\s#]+)`)
	separatorsForm  = regexp.MustCompile(`[-_.]+`)
)

// normal is the name of a package as indexes compare it (PEP 503).
func normal(name string) string { return separatorsForm.ReplaceAllString(strings.ToLower(name), "-") }

func requirementPackages(data []byte) (names []string) {
	for _, m := range requirementForm.FindAllSubmatch(data, -1) {
		name := normal(string(m[1]))
		names = append(names, name)
		for _, extra := range strings.Split(string(m[2]), ",") {
			if extra = strings.TrimSpace(extra); name == "psycopg" && extra != "" {
				names = append(names, name+"-"+extra) // psycopg[binary] is psycopg-binary, as a lock file lists it
			}
		}
	}
	return names
}

func lockedPackages(data []byte) (names []string) {
	var lock struct{ Package []struct{ Name string } }
	if toml.Unmarshal(data, &lock) == nil {
		for _, p := range lock.Package {
			names = append(names, normal(p.Name))
		}
	}
	return names
}

func pipfilePackages(data []byte) (names []string) {
	var lock struct{ Default map[string]any }
	if json.Unmarshal(data, &lock) == nil {
		for name := range lock.Default {
			names = append(names, normal(name))
		}
	}
	return names
}

func projectPackages(data []byte) (names []string) {
	var project struct {
		Project struct{ Dependencies []string }
	}
	if toml.Unmarshal(data, &project) == nil {
		for _, dependency := range project.Project.Dependencies {
			names = append(names, requirementPackages([]byte(dependency))...)
		}
	}
	return names
}

var wsgiForm = regexp.MustCompile(`(?m)^[ \t]*WSGI_APPLICATION[ \t]*=[ \t]*["']([A-Za-z_][\w.]*)\.(\w+)["']`)

// wsgi is what gunicorn serves, as MODULE:NAME: what WSGI_APPLICATION says, or the module wsgi.
func (a App) wsgi(project string) (string, error) {
	var named, found []string
	err := filepath.WalkDir(project, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if at != project && (strings.HasPrefix(name, ".") || slices.Contains([]string{"node_modules", "site-packages", "venv", "env",
				"tests"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".py") || !entry.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(project, at)
		if err != nil {
			return err
		}
		module := strings.ReplaceAll(strings.TrimSuffix(filepath.ToSlash(rel), ".py"), "/", ".")
		if name == "wsgi.py" {
			found = append(found, module+":application")
		}
		if strings.Contains(module, "settings") || a.Settings != "" && module == a.Settings {
			data, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			if m := wsgiForm.FindSubmatch(data); m != nil {
				if one := string(m[1]) + ":" + string(m[2]); !slices.Contains(named, one) {
					named = append(named, one)
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", a.Path, err)
	}
	for _, all := range [][]string{named, found} {
		switch {
		case len(all) == 1:
			return all[0], nil
		case len(all) > 1:
			return "", fmt.Errorf("%s has no Dockerfile, and more than one WSGI application (%s): write a Dockerfile", a.Path, strings.Join(all,
				", "))
		}
	}
	return "", fmt.Errorf("%s has no Dockerfile, and neither WSGI_APPLICATION in its settings nor a wsgi.py says what gunicorn serves: "+
		"write a Dockerfile", a.Path)
}
