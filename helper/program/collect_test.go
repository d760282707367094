package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newProject makes a project whose manage.py is a shell script.
func newProject(t *testing.T, script string) (into string, env environment) {
	t.Helper()
	dir := t.TempDir()
	manage := filepath.Join(dir, "manage.py")
	text := "#!/bin/sh\n" + script + "\n# os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")\n"
	if err := os.WriteFile(manage, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]string{manage})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "static"), environment{"PATH": os.Getenv("PATH"), "SLIPWAY_MANAGE": string(list)}
}

func TestCollect(t *testing.T) {
	into, env := newProject(t, `umask 077
mkdir "$SLIPWAY_STATIC_ROOT/css"
printf 'a { color: red }\n%.0s' $(seq 100) >"$SLIPWAY_STATIC_ROOT/css/app.css"
echo small >"$SLIPWAY_STATIC_ROOT/css/small.css"
head -c 4000 /dev/zero >"$SLIPWAY_STATIC_ROOT/photo.jpg"
echo "$@" "$DJANGO_SETTINGS_MODULE" "$SLIPWAY_SETTINGS" "$SLIPWAY_OVERLAY" "$SECRET_KEY"`)
	var first []byte
	for range 2 {
		if err := os.RemoveAll(into); err != nil {
			t.Fatal(err)
		}
		code, out := call(env, "collect", "--into="+into, `--env=SECRET_KEY=a "dummy"=x`)
		if code != 0 || !strings.Contains(out, "collectstatic --noinput slipway_settings shop.settings STATIC_ROOT a \"dummy\"=x\n") {
			t.Fatalf("exit code %d: %s", code, out)
		}
		packed, err := os.ReadFile(filepath.Join(into, "css/app.css.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, packed) {
			t.Error("equal files were compressed differently")
		}
		first = packed
	}
	z, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(z); !strings.HasPrefix(string(text), "a { color: red }\na {") || z.Name != "" || !z.ModTime.IsZero() {
		t.Errorf("compressed %q, header %+v", text, z.Header)
	}
	var names []string
	for _, pattern := range []string{"*", "css/*"} {
		found, _ := filepath.Glob(filepath.Join(into, pattern))
		for _, file := range found {
			info, err := os.Stat(file)
			if err != nil || info.Mode()&0o044 != 0o044 {
				t.Errorf("%s is not readable for all: %v %v", file, info.Mode(), err)
			}
			name, _ := filepath.Rel(into, file)
			names = append(names, name)
		}
	}
	if want := []string{"css", "photo.jpg", "css/app.css", "css/app.css.gz", "css/small.css"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

func TestCollectFromAFile(t *testing.T) {
	into, env := newProject(t, `echo "$0" "$@" "$DJANGO_SETTINGS_MODULE" "$SLIPWAY_SETTINGS" "$SLIPWAY_OVERLAY" "$LINES_"`)
	var manage []string
	if err := json.Unmarshal([]byte(env["SLIPWAY_MANAGE"]), &manage); err != nil {
		t.Fatal(err)
	}
	delete(env, "SLIPWAY_MANAGE")
	text, err := json.Marshal(map[string]any{
		"manage": manage, "commands": [][]string{{"compress"}, {"collectstatic", "--noinput", "-v0"}},
		"env": map[string]string{
			"LINES_": "one\ntwo", "DJANGO_SETTINGS_MODULE": overlayModule, "SLIPWAY_SETTINGS": "shop.production",
			"SLIPWAY_OVERLAY": "DATABASES,STATIC_ROOT",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(into), "collect.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	code, out := call(env, "collect", "--from="+file, "--into="+into)
	want := manage[0] + " compress slipway_settings shop.production DATABASES,STATIC_ROOT one\ntwo\n" +
		manage[0] + " collectstatic --noinput -v0 slipway_settings shop.production DATABASES,STATIC_ROOT one\ntwo\n"
	if code != 0 || out != want {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestCollectWithoutStaticFiles(t *testing.T) {
	into, env := newProject(t, `echo "Unknown command: 'collectstatic'" >&2
echo "Type 'manage.py help' for usage." >&2; exit 1`)
	code, out := call(env, "collect", "--into="+into)
	if code != 0 || !strings.Contains(out, "does not use django.contrib.staticfiles") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if info, err := os.Stat(into); err != nil || !info.IsDir() {
		t.Errorf("the folder is missing: %v", err)
	}
}

func TestCollectFails(t *testing.T) {
	into, env := newProject(t, `exec >&2
echo 'Traceback (most recent call last):'; echo '  File "a.py"'; echo 'KeyError: MAIL_KEY'; exit 1`)
	code, out := call(env, "collect", "--into="+into)
	if code != 1 || !strings.HasSuffix(out, "manage.py collectstatic --noinput: KeyError: MAIL_KEY\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	env["SLIPWAY_MANAGE"] = `["shopctl"]`
	if code, out := call(env, "collect", "--into="+into); code != 1 || !strings.Contains(out, "set app.settings") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
