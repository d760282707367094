package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A generated Dockerfile copies everything, so files with variables are not in its context, unless .dockerignore includes them.
func TestFilesWithVariablesAreNotForAGeneratedDockerfile(t *testing.T) {
	files := map[string]string{"manage.py": "x", ".env": "SECRET_KEY=x", ".env.local": "x", "deploy/.env": "x", "site/env.py": "x"}
	for _, c := range []struct {
		name, ignore string
		dockerfile   string
		want         []string
	}{
		{"generated", "", "", []string{"manage.py", "site/env.py"}},
		{"generated, and included again", "!deploy/.env\n", "", []string{"deploy/.env", "manage.py", "site/env.py"}},
		{"a Dockerfile of the project", "", "Dockerfile", []string{".env", ".env.local", "Dockerfile", "deploy/.env",
			"manage.py", "site/env.py"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, files)
			b := Build{Root: root, Context: ".", Dockerfile: c.dockerfile, Text: "FROM scratch\nCOPY . .\n", Platform: "linux/arm64"}
			if c.dockerfile != "" {
				write(t, root, map[string]string{c.dockerfile: "FROM scratch\nCOPY . .\n"})
			}
			if c.ignore != "" {
				write(t, root, map[string]string{".dockerignore": c.ignore})
			}
			if diff := cmp.Diff(c.want, names(read(t, b))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}
