package check

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A line that does not parse keeps Django from starting, unless only the Python that reads it is too old for it.
func TestSettingsThatDoNotParse(t *testing.T) {
	needPython(t)
	for _, c := range []struct{ name, line, image, says string }{
		{"an error in every version", "X = (", "3.99", "refused settings-invalid shop/settings.py:1: "},
		{"syntax of a version that may be later", "match x while:", "3.99", "unknown shop/settings.py:1: this file: "},
		{"the image has no later version", "match x while:", "3.8", "refused settings-invalid shop/settings.py:1: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte("-- Dockerfile --\nFROM python:"+c.image+
				"\nWORKDIR /srv\nCOPY . .\nCMD [\"gunicorn\", \"shop.wsgi\"]\n-- shop/settings.py --\n"+c.line+"\n")))
			if got := shown(run(t, options(t, folder, ""))); !strings.Contains(got, c.says) {
				t.Errorf("want %q:\n%s", c.says, got)
			}
		})
	}
}

// A file that the settings import only under a condition does not have to parse.
func TestAFileThatMayNotBeImported(t *testing.T) {
	needPython(t)
	folder := t.TempDir()
	write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte(with("if os.environ.get('LAPTOP'):\n    from .laptop import *")+
		"-- shop/laptop.py --\nX = (\n")))
	if got := shown(run(t, options(t, folder, ""))); strings.Contains(got, "settings-invalid") {
		t.Errorf("it is refused:\n%s", got)
	}
}
