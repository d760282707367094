package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// odd are files that must not stop a check: each takes the place of a file of the base project.
var odd = []struct {
	name, file string
	make       func(at string) error
	says       string // part of what the report says about it; "": nothing
}{
	{"binary", "shop/settings.py", content("\x7fELF\x00\x01\x02\xff"), "shop/settings.py"},
	{"binary Dockerfile", "Dockerfile", content("\x7fELF\x00\x01\x02\xff"), "Dockerfile"},
	{"empty", "shop/settings.py", content(""), "SECRET_KEY is not set"},
	{"empty Dockerfile", "Dockerfile", content(""), "Dockerfile"},
	{"syntax error", "shop/settings.py", content("SECRET_KEY = (\n"), "refused settings-invalid shop/settings.py:1: "},
	{"Python 2", "shop/settings.py", content("print 'settings'\nexec 'x = 1'\n"), "refused settings-invalid shop/settings.py:1: "},
	{"a newer Python", "shop/settings.py", content("match x:\n  case 1 | 2 if (y := 3) -> z:\n    pass\n"), "cannot parse it"},
	{"another encoding", "shop/settings.py", content("# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\nDEBUG = True\n"), "DEBUG is True"},
	{"a wrong encoding", "shop/settings.py", content("NAME = 'caf\xe9'\n"), "refused settings-invalid shop/settings.py:"},
	{"an unknown encoding", "shop/settings.py", content("# coding: klingon\nDEBUG = True\n"), "shop/settings.py"},
	{"UTF-16", "shop/settings.py", content("\xff\xfeD\x00E\x00"), "shop/settings.py"},
	{"UTF-16 requirements", "requirements.txt", content("\xff\xfed\x00j\x00a\x00n\x00g\x00o\x00\r\x00\n\x00"),
		"gunicorn starts, and none of requirements.txt lists it"},
	{"byte order mark and CRLF", "shop/settings.py", content("\xef\xbb\xbfDEBUG = True\r\nSECRET_KEY = 'x'\r\n"),
		"shop/settings.py:1: DEBUG is True"},
	{"huge", "shop/settings.py", content(strings.Repeat("X = 1\n", 400_000)), "it is larger than 1 MiB"},
	{"huge Dockerfile", "Dockerfile", content("FROM python:3.13\n" + strings.Repeat("COPY a b\n", 100_000)), "it is too large"},
	{"deep", "shop/settings.py", content("X = " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + "\n"), "shop/settings.py"},
	{"deep calls", "shop/settings.py", content("X = a" + strings.Repeat(".b()", 3000) + "\nDEBUG = True\n"), ""},
	{"deep blocks", "shop/settings.py", content(nested(90) + "DEBUG = True\n"), "DEBUG is True"},
	{"a circle of imports", "shop/settings.py", content("from .wsgi import *\nfrom .settings import *\nfrom . import " +
		"settings\nDEBUG = True\n"), "DEBUG is True"},
	{"endless", "shop/settings.py", content("while True:\n    X = 1\n\n\ndef f(x):\n    return f(x)\n\n\nY = f(1)\nDEBUG = True\n"),
		"DEBUG is True"},
	{"growth", "shop/settings.py", content("X = ['a']\n" + strings.Repeat("X = X + X + [X, X, X]\n", 40) +
		"Y = 'a' * 10 ** 10\nZ = 9 ** 9 ** 9\nW = f'{1:>999999999}'\n" +
		"V = '%999999999d' % 1\nU = '{:>999999999}'.format(1)\nDEBUG = True\n"), "DEBUG is True"},
	{"branches", "shop/settings.py", content("import os\n" + branches(200) + "DEBUG = True\n"), ""},
	{"a side effect", "shop/settings.py", content("import os\nos.system('touch ran')\nopen('ran', 'w').write('x')\nDEBUG = True\n"),
		"DEBUG is True"},
	{"a pipe", "shop/settings.py", func(at string) error { return syscall.Mkfifo(at, 0o600) }, "no module shop.settings"},
	{"a pipe as Dockerfile", "Dockerfile", func(at string) error { return syscall.Mkfifo(at, 0o600) }, ""},
	{"a pipe as manage.py", "manage.py", func(at string) error { return syscall.Mkfifo(at, 0o600) }, ""},
	{"a folder", "shop/settings.py", func(at string) error { return os.Mkdir(at, 0o755) }, "no module shop.settings"},
	{"a folder as Dockerfile", "Dockerfile", func(at string) error { return os.Mkdir(at, 0o755) }, ""},
	{"a link to itself", "shop/settings.py", func(at string) error { return os.Symlink("settings.py", at) }, "no module shop.settings"},
	{"a link to a device", "shop/settings.py", func(at string) error { return os.Symlink("/dev/zero", at) }, "no module shop.settings"},
	{"a link out of the project", "shop/settings.py", func(at string) error { return os.Symlink("/etc/hostname", at) },
		"no module shop.settings"},
	{"a link to its own folder", "shop/loop", func(at string) error { return os.Symlink("..", at) }, ""},
	{"a name that is not UTF-8", "shop/\xff.py", content("x"), ""},
	{"a workflow that is no YAML", ".github/workflows/a.yml", content("a: [\n\t*"), ""},
	{"a workflow with a bomb", ".github/workflows/a.yml", content("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b " +
		"[*a,*a,*a,*a,*a,*a,*a,*a]\njobs: &c [*b,*b,*b,*b,*b,*b,*b]\n"), ""},
	{"a script that does not parse", "start.sh", content("#!/bin/sh\nif then fi ((\n\x00"), ""},
	{"a program as entrypoint", "entrypoint.sh", content("\x7fELF\x00\x00"), ""},
}

func content(text string) func(string) error {
	return func(at string) error { return os.WriteFile(at, []byte(text), 0o644) }
}

func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sif x:\n", strings.Repeat(" ", i))
	}
	return b.String() + strings.Repeat(" ", depth) + "pass\n"
}

func branches(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "if os.environ.get('A%d'):\n    X%d = [1]\nelse:\n    X%d = {'a': X%d if %d else 1}\n", i, i, i, max(0, i-1), i)
	}
	return b.String()
}

// No file makes a check fail or hang: the report names the file, and the rest is checked.
func TestOddFiles(t *testing.T) {
	needPython(t)
	for _, c := range odd {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, read(t, "base.txtar"))
			at := filepath.Join(folder, c.file)
			_ = os.Remove(at)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.make(at); errors.Is(err, syscall.EILSEQ) {
				t.Skip("this file system has no such names")
			} else if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			got := shown(run(t, options(t, folder, "")))
			if took := time.Since(begin); took > readerTime+5*time.Second {
				t.Errorf("it took %s", took)
			}
			if !strings.Contains(got, c.says) {
				t.Errorf("the report does not say %q:\n%s", c.says, got)
			}
			if ran, _ := filepath.Glob(filepath.Join(folder, "ran")); len(ran) > 0 {
				t.Error("the project's code ran")
			}
		})
	}
}

// Damaged copies of the projects in testdata are checked like any others.
func TestDamagedProjects(t *testing.T) {
	needPython(t)
	files, _ := filepath.Glob("testdata/fixture-*.txtar")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 24 {
		folder, a := t.TempDir(), read(t, filepath.Base(files[i%len(files)]))
		for j := range a.Files {
			if f := &a.Files[j]; len(f.Data) > 0 && random.IntN(3) == 0 {
				f.Data = damaged(random, f.Data)
			}
		}
		write(t, folder, a)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if r, err := Run(ctx, options(t, folder, string(a.Comment))); err != nil || len(r.Findings)+len(r.Unknown) == 0 {
			t.Errorf("round %d: %v, %+v", i, err, r)
		}
		cancel()
	}
}

// damaged is a text with parts that are changed, doubled or missing.
func damaged(random *rand.Rand, text []byte) []byte {
	text = slices.Clone(text)
	for range 1 + random.IntN(5) {
		if len(text) < 4 {
			break
		}
		from := random.IntN(len(text) - 2)
		to := from + 1 + random.IntN(min(40, len(text)-from-1))
		switch random.IntN(4) {
		case 0:
			text[from] = byte(random.IntN(256))
		case 1:
			text = slices.Delete(text, from, to)
		case 2:
			text = slices.Insert(text, from, bytes.Repeat(text[from:to], 1+random.IntN(20))...)
		case 3:
			text = text[:to]
		}
	}
	return text
}

// FuzzImage reads any text as a Dockerfile, and as the script that it starts.
func FuzzImage(f *testing.F) {
	f.Add("FROM python\nARG A=1\nENV B=$A\nCOPY --from=x . .\nENTRYPOINT [\"/e.sh\"]\nCMD gunicorn x.wsgi -b :80", "#!/bin/sh\nexec \"$@\"\n")
	f.Add("# escape=`\nFROM a AS b\nFROM b\nRUN <<EOF\nx\nEOF\nUSER 1:1\nVOLUME [\"/tmp\"]",
		"if [ $(id -u) = 0 ]; then chown x y; fi; case $1 in a) uwsgi --ini x.ini;; esac")
	f.Add("FROM scratch\nADD https://x/y /z\nONBUILD RUN x\nHEALTHCHECK NONE\nSHELL [\"x\"]",
		"python - <<E\ncreate_superuser('a', 'b', 'c')\nE\n")
	f.Fuzz(func(t *testing.T, dockerfile, script string) {
		image := parseDockerfile(dockerfile, map[string]string{"A": "2"})
		image.file, image.context = "Dockerfile", "."
		tr := &tree{has: map[string]bool{"e.sh": true, "Dockerfile": true}, folders: map[string]bool{".": true},
			files: []string{"Dockerfile", "e.sh"},
			texts: map[string]string{"e.sh": script, "Dockerfile": dockerfile}, byName: map[string][]string{"e.sh": {"e.sh"}}}
		image.ignore = readIgnore(tr, ".", "Dockerfile")
		p := &project{tree: tr, image: image, report: &Report{}, needs: readDependencies(tr, image, nil)}
		p.start = readStart(tr, image, nil)
		for _, rule := range rules {
			rule(p)
		}
	})
}
