package release

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"slipway/internal/image"
)

// packages are the versions of Python packages that the lock files of the image name. They stand for what cannot be seen from
// outside of an image: a package may have migrations of its own.
func packages(c *image.Context) (map[string]string, error) {
	found := map[string]string{}
	for _, f := range c.Files {
		read, ok := locks[path.Base(f.Name)]
		dir, name := path.Split(f.Name)
		if strings.HasSuffix(name, ".txt") && (strings.HasPrefix(name, "requirements") || dir == "requirements/") {
			read, ok = requirements, true
		}
		if !ok || f.Kind == image.Link || foreign(path.Dir(f.Name)) {
			continue
		}
		data, err := os.ReadFile(f.Path)
		if err != nil {
			return nil, fmt.Errorf("the packages of the image cannot be listed: %w", err)
		}
		for name, version := range read(data) {
			if name = normal(name); found[name] == "" {
				found[name] = version
			}
		}
	}
	return found, nil
}

// locks read the lock files of Python's tools. One that cannot be parsed names nothing: the build will say so.
var locks = map[string]func([]byte) map[string]string{
	"uv.lock": tomlLock, "poetry.lock": tomlLock, "pdm.lock": tomlLock, "pylock.toml": tomlLock, "Pipfile.lock": pipfile,
}

var separators = regexp.MustCompile(`[-_.]+`)

// normal is the name of a package as indexes compare it (PEP 503).
func normal(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }

var pinned = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]\n]*\])?[ \t]*===?[ \t]*([^\s;\\#]+)`)

func requirements(data []byte) map[string]string {
	found := map[string]string{}
	for _, m := range pinned.FindAllSubmatch(data, -1) {
		found[string(m[1])] = string(m[2])
	}
	return found
}

func tomlLock(data []byte) map[string]string {
	type one struct{ Name, Version string }
	var lock struct{ Package, Packages []one }
	found := map[string]string{}
	if toml.Unmarshal(data, &lock) == nil {
		for _, p := range append(lock.Package, lock.Packages...) {
			if p.Name != "" && p.Version != "" {
				found[p.Name] = p.Version
			}
		}
	}
	return found
}

func pipfile(data []byte) map[string]string {
	var lock struct {
		Default map[string]struct{ Version string }
	}
	found := map[string]string{}
	if json.Unmarshal(data, &lock) == nil {
		for name, p := range lock.Default {
			if version := strings.TrimLeft(p.Version, "="); version != "" {
				found[name] = version
			}
		}
	}
	return found
}

// foreign reports whether a folder holds what is not the project's own: a virtual environment, or what a tool keeps.
func foreign(dir string) bool {
	return slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool {
		return part == "site-packages" || part == "dist-packages" || part == "node_modules" || len(part) > 1 && part[0] == '.'
	})
}
