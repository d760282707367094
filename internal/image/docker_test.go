package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A builder is one of the two that Docker has.
type builder struct {
	command, kit string
	plugin       bool // BuildKit's client is buildx, not the older one of a Docker before 23.0
}

// builders are those of this machine. Clients before 23.0 have BuildKit built in; the later ones need the plugin buildx for it.
func builders(t *testing.T) map[string]builder {
	t.Helper()
	found := map[string]builder{"classic": {command: "docker", kit: "0"}}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		command := filepath.Join(dir, "docker")
		version, err := exec.Command(command, "version", "--format", "{{.Client.Version}}").Output()
		if err != nil {
			continue
		}
		major, _, _ := strings.Cut(string(version), ".")
		plugin := exec.Command(command, "buildx", "version").Run() == nil
		if n, err := strconv.Atoi(major); plugin || err == nil && n < 23 {
			found["BuildKit"] = builder{command, "1", plugin}
			break
		}
	}
	return found
}

// docker runs a docker command.
func (b builder) docker(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(b.command, args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT="+b.kit)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", args[0], err, &words)
	}
	return out
}

// built builds an image with COPY . and lists what is in it: name, mode, and the target of a link or the content.
func (b builder) built(t *testing.T, folder, dockerfile string) map[string]string {
	t.Helper()
	id := strings.TrimSpace(string(b.docker(t, "build", "-q", "--no-cache", "-f", dockerfile, folder)))
	defer b.docker(t, "rmi", "-f", id)
	box := strings.TrimSpace(string(b.docker(t, "create", id, "none")))
	defer b.docker(t, "rm", "-f", box)
	got := map[string]string{}
	files := tar.NewReader(bytes.NewReader(b.docker(t, "export", box)))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, "context/")
		// The copy has the Dockerfile in any case, because the Docker provider needs it there, and no ignore file.
		if !ok || name == "" || name == ignoreFile || name == "Dockerfile" {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = fmt.Sprintf("%s %d:%d %s%s", h.FileInfo().Mode(), h.Uid, h.Gid, h.Linkname, content)
	}
}

// Docker decides what a context means: the image from the staged copy is the one that Docker makes of the folder itself, by a
// user with the usual umask. A "!" after a wildcard that includes something in an ignored folder is compared with buildx alone: the
// older builders do not look there, BuildKit and Slipway do.
func TestDockerMakesTheSameImageOfTheCopy(t *testing.T) {
	if err := exec.Command("docker", "version").Run(); err != nil {
		t.Skip("there is no Docker engine")
	}
	available := builders(t)
	if len(available) < 2 {
		t.Log("Docker has no BuildKit here: only the classic builder is compared")
	}
	tree := map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . /context/\n", "a.py": "a", "a.pyc": "", "doc/a.md": "", "doc/keep.md": "k", "doc/deep/keep.md": "",
		"src/a.py": "x", "src/tests/a.py": "", "src/tests/data/a.json": "{}", "x y/z": "", "[odd]": "", "node_modules/a/index.js": "",
		"a\nb": "line break", "A.py": "case", strings.Repeat("n", 200): "long", "x": "-> x",
		"gone": "-> nothing", "python": "-> /usr/bin/python3",
		"doc/up": "-> ../src", "src/caf\u00e9": "utf-8",
	}
	const again = "a wildcard that includes again"
	for name, ignore := range map[string]string{
		"nothing":                        "",
		"comments and folders":           "# doc\n\nnode_modules\ndoc/\n/src\n",
		"a byte order mark and CRLF":     "\ufeffsrc\r\ndoc\r\n",
		"wildcards":                      "**/*.py\n*/*.md\n?.pyc\nnode_*\n\\[odd]\n[x-z] y\n",
		"everything but":                 "*\n!src\n",
		"everything but, but":            "*\n!src\nsrc/tests\n!src/tests/data\n",
		"the Dockerfile":                 "*\n!doc\nDockerfile\n",
		"a dot and a slash":              "./src\ndoc/../node_modules\n",
		"the last pattern counts":        "!doc\ndoc\n!doc/keep.md\n",
		"a folder with everything in it": "src/**\n!src/a.py\n",
		again:                            "src\ndoc\n!**/data\n!*/keep.md\n",
	} {
		t.Run(name, func(t *testing.T) {
			make := func(umask int) string {
				defer syscall.Umask(syscall.Umask(umask))
				root := filepath.Join(t.TempDir(), "checkout")
				for name, content := range tree {
					at := filepath.Join(root, name)
					if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
						t.Fatal(err)
					}
					var err error
					if target, link := strings.CutPrefix(content, "-> "); link {
						err = os.Symlink(target, at)
					} else if strings.HasSuffix(name, ".pyc") {
						err = os.WriteFile(at, []byte(content), 0o777)
					} else {
						err = os.WriteFile(at, []byte(content), 0o666)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(root, ignoreFile), []byte(ignore), 0o666); err != nil {
					t.Fatal(err)
				}
				return root
			}
			usual, strict := make(0o022), make(0o077)
			c := read(t, of(strict))
			staged := filepath.Join(strict, ".slipway", "contexts", c.Tag())
			defer syscall.Umask(syscall.Umask(0o077))
			if err := c.Stage(staged); err != nil {
				t.Fatal(err)
			}
			for kind, b := range available {
				if name == again && !b.plugin {
					continue
				}
				want, got := b.built(t, usual, filepath.Join(usual, "Dockerfile")), b.built(t, staged, c.Dockerfile(staged))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: in the image (-of the folder +of the copy):\n%s", kind, diff)
				}
				if name == again && len(got) == 0 {
					t.Errorf("%s: nothing is included again", kind)
				}
			}
		})
	}
}
