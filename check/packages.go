package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// dependencies are the packages that the project lists.
type dependencies struct {
	files []string
	text  string // of all of them, in lower case
	open  bool   // there may be others
	// locked says that a lock file lists what packages bring along. Without one, a package that is not listed may come with another.
	locked bool
}

var packageFiles = regexp.MustCompile(`(?i)^(.*requirements.*\.(txt|in)|pyproject\.toml|pipfile|pipfile\.lock|poetry\.lock|` +
	`uv\.lock|pdm\.lock|` +
	`setup\.(py|cfg)|environment\.ya?ml|constraints.*\.txt)$`)

// modes are commands that name scripts and do not run them.
var modes = regexp.MustCompile(`\b(chmod|chown|sed -i|dos2unix)\b[^&;|\n]*`)

// frozen is a line that only pip freeze writes.
var frozen = regexp.MustCompile(`(?m)^asgiref==`)

// shells are programs in a bin folder that install nothing but what their arguments name.
var shells = regexp.MustCompile(`\bbin/((ba|da|a)?sh|activate|pip[0-9.]*|python[0-9.]*)(\s|["']|$)`)

// tools install what no file lists.
var tools = regexp.MustCompile(`\b(make|just|invoke|nox|tox|conda|mamba|nix)\s|\.sh\b|\bbin/`)

var elsewhere = regexp.MustCompile(`(?i)\b(git\+|file:|-e |--editable)`)

func readDependencies(t *tree, image *dockerImage, more []string) *dependencies {
	d := &dependencies{}
	var b strings.Builder
	if image != nil && image.generated {
		b.WriteString(strings.ToLower(strings.Join(more, "\n")) + "\n")
		if len(more) > 0 {
			d.files = append(d.files, "app.packages")
		}
	}
	for _, f := range t.where(func(f string) bool {
		return packageFiles.MatchString(path.Base(f)) || strings.Contains(path.Dir(f)+"/", "requirements/") && strings.HasSuffix(f, ".txt")
	}) {
		if besideButPackages(f) {
			continue
		}
		d.files = append(d.files, f)
		d.locked = d.locked || strings.HasSuffix(f, ".lock") || strings.Contains(t.text(f), "--hash=sha256:")
		b.WriteString(strings.ToLower(t.text(f)) + "\n")
		if t.text(f) == "" && path.Base(f) != "__init__.py" {
			d.open = true
		}
	}
	if image != nil {
		for _, s := range image.stages {
			for _, r := range s.runs {
				b.WriteString(strings.ToLower(r.text) + "\n")
				d.open = d.open || tools.MatchString(shells.ReplaceAllString(modes.ReplaceAllString(r.text, ""), ""))
			}
		}
		d.open = d.open || !official.MatchString(image.base) && !distroless.MatchString(image.base)
	}
	d.text = b.String()
	d.locked = d.locked || frozen.MatchString(d.text) && d.has("sqlparse") // Django needs both, and few list them by hand
	return d
}

// besideButPackages is beside, for files with packages: those of documentation are not installed.
func besideButPackages(file string) bool {
	return slices.ContainsFunc([]string{"docs/", "doc/", "tests/", "examples/"}, func(d string) bool {
		return strings.HasPrefix(path.Dir(file)+"/", d) || strings.Contains(path.Dir(file)+"/", "/"+d)
	})
}

// has reports whether a package is listed. Names count without regard to case, - and _ (PEP 503).
func (d *dependencies) has(name string) bool {
	form := regexp.QuoteMeta(strings.ToLower(name))
	form = strings.NewReplacer("-", `[-_.]`, "_", `[-_.]`).Replace(form)
	found, err := regexp.MatchString(`(^|[^a-z0-9_.-]|python3?-)`+form+`($|[^a-z0-9])`, d.text)
	return err == nil && found
}
