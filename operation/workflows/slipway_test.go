package workflows

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"slipway/internal/version"
	"slipway/operation"
)

// The workflows of these tests are written by a released slipway.
func init() { version.Number = "0.4.0" }

func TestWhereTheJobsGetSlipway(t *testing.T) {
	elsewhere := t.TempDir() // a user's repository
	goProject := t.TempDir() // of a user who has a program in Go, too
	if err := os.WriteFile(filepath.Join(goProject, "go.mod"), []byte("module example.com/shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0a", 32)
	for _, c := range []struct {
		name, root, number string
		asked              Request
		want               source
		wrong              string
	}{
		{"a released slipway", elsewhere, "0.4.0", Request{}, source{URL: version.Repository + "/releases/download/v0.4.0"}, ""},
		{"another program in Go", goProject, "0.4.0", Request{}, source{URL: version.Repository + "/releases/download/v0.4.0"}, ""},
		{"a clone of Slipway", "../..", "0.4.0", Request{}, source{Compiled: true}, ""},
		{"a clone without a version", "../..", "", Request{}, source{Compiled: true}, ""},
		{"a mirror", elsewhere, "", Request{Download: "https://files.example.com/slipway/"},
			source{URL: "https://files.example.com/slipway"}, ""},
		{"a mirror for a clone", "../..", "", Request{Download: "https://files.example.com/s"}, source{URL: "https://files.example.com/s"}, ""},
		{"a checksum", elsewhere, "0.4.0", Request{Checksum: strings.ToUpper(sum)},
			source{URL: version.Repository + "/releases/download/v0.4.0", Checksum: sum}, ""},
		{"built from a clone", elsewhere, "", Request{}, source{}, "built from a clone and is no release"},
		{"half a checksum", elsewhere, "0.4.0", Request{Checksum: "0a0a"}, source{}, "--checksum must be 64"},
		{"without TLS", elsewhere, "0.4.0", Request{Download: "http://files.example.com/slipway"}, source{}, "--download must be"},
		{"a script", elsewhere, "0.4.0", Request{Download: "https://files.example.com/$(id)"}, source{}, "--download must be"},
		{"a password", elsewhere, "0.4.0", Request{Download: "https://ada:pw@files.example.com/s"}, source{}, "--download must be"},
		{"a query", elsewhere, "0.4.0", Request{Download: "https://files.example.com/s?a=b"}, source{}, "--download must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			was := version.Number
			t.Cleanup(func() { version.Number = was })
			version.Number = c.number
			got, err := sourceOf(c.root, c.asked)
			var usage operation.UsageError
			switch {
			case c.wrong != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("got %v, want a usage error with %q", err, c.wrong)
			case c.wrong == "" && (err != nil || got != c.want):
				t.Errorf("got %+v %v, want %+v", got, err, c.want)
			}
		})
	}
}

// TestTheDownloadIsVerified runs the script of the jobs. Nothing that fails its checksum is unpacked.
func TestTheDownloadIsVerified(t *testing.T) {
	archive := packed(t, "#!/bin/sh\necho this is slipway\n")
	right := fmt.Sprintf("%x", sha256.Sum256(archive))
	other := fmt.Sprintf("%x", sha256.Sum256([]byte("other")))
	list := func(sum string) string {
		return other + "  slipway-darwin-arm64.tar.gz\n" + sum + "  slipway-linux-amd64.tar.gz\n"
	}
	for _, c := range []struct {
		name, sums, pinned string
		good               bool
	}{
		{"as published", list(right), "", true},
		{"another file", list(other), "", false},
		{"not in the list", other + "  slipway-darwin-arm64.tar.gz\n", "", false},
		{"not a list", "<html>\n", "", false},
		{"no list", "", "", false},
		{"as in the workflow", "", right, true},
		{"replaced with its list", list(right), other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, job := t.TempDir(), t.TempDir()
			put := func(name string, data []byte) {
				if err := os.WriteFile(filepath.Join(from, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put("slipway-linux-amd64.tar.gz", archive)
			if c.sums != "" {
				put("SHA256SUMS", []byte(c.sums))
			}
			const place = "https://files.example.com/slipway"
			p, _, err := newPipeline(project(t), Request{Download: place, Checksum: c.pinned})
			if err != nil {
				t.Fatal(err)
			}
			files, err := p.render()
			if err != nil {
				t.Fatal(err)
			}
			text := bytes.Replace(files[script], []byte("url="+place), []byte("url=file://"+from), 1)
			cmd := exec.Command("bash", "-c", string(text))
			cmd.Dir = job
			out, err := cmd.CombinedOutput()
			_, missing := os.Stat(filepath.Join(job, ".slipway/bin/slipway"))
			switch {
			case c.good && (err != nil || missing != nil || !strings.Contains(string(out), "this is slipway")):
				t.Errorf("it does not run: %v\n%s", err, out)
			case !c.good && (err == nil || missing == nil):
				t.Errorf("it was unpacked (%v)\n%s", err, out)
			}
		})
	}
}

// packed is an archive with a slipway.
func packed(t *testing.T, program string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	err := files.WriteHeader(&tar.Header{Name: "slipway", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = files.Write([]byte(program))
	}
	if err = errors.Join(err, files.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A project that is no clone of Slipway has neither Go nor its sources.
func TestOnlyACloneCompiles(t *testing.T) {
	p, files, _ := rendered(t, project(t))
	for name, text := range files {
		for _, word := range []string{"go build", "go test", "setup-go", " bin/slipway"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %q", name, word)
			}
		}
	}
	all, err := p.render()
	if err != nil || !strings.Contains(string(all[script]), "url="+version.Repository+"/releases/download/v0.4.0\n") {
		t.Errorf("the script does not download this version: %v\n%s", err, all[script])
	}
	p, files, _ = rendered(t, "../..")
	all, err = p.render()
	if _, there := all[script]; err != nil || there ||
		!strings.Contains(string(files["deploy.yml"]), "go build -o bin/slipway ./cmd/slipway") {
		t.Error("a clone does not compile its commits")
	}
}

// release.yml is the only workflow of this repository that slipway does not write. Only its job may write, and only to releases.
func TestTheReleaseWorkflow(t *testing.T) {
	text, err := os.ReadFile("../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
			t.Errorf("not pinned by commit with its version: %s", line)
		}
	}
	push, _ := w.On["push"].(map[string]any)
	if len(w.On) != 1 || len(push) != 1 || push["tags"] == nil {
		t.Errorf("it runs on %v, want tags alone", w.On)
	}
	j := w.Jobs["release"]
	if len(w.Jobs) != 1 || j == nil || w.Permissions == nil || len(w.Permissions) > 0 || len(j.Permissions) != 1 ||
		j.Permissions["contents"] != "write" {
		t.Fatalf("it gives more than one job the permission to write releases: %s", text)
	}
	var builds, tests, publishes int
	for i, s := range j.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression inside a script: %s", s.Run)
		}
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
			t.Error("the token stays in the checkout")
		}
		switch {
		case strings.HasPrefix(s.Run, ".ci/build "):
			builds = i
		case s.Run == ".ci/binary":
			tests = i
		case strings.Contains(s.Run, "gh release create"):
			publishes = i
		}
	}
	if builds == 0 || tests < builds || publishes < tests {
		t.Errorf("it builds in step %d, tests in %d and publishes in %d", builds, tests, publishes)
	}
}
