package workflows

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"slipway/internal/version"
	"slipway/operation"
)

// A Request is what the workflows of a project are to be.
type Request struct {
	Dir      string   // where they go, from the folder of Pulumi.yaml
	Path     []string // the stacks that a release goes through; nil: the usual ones
	Download string   // the URL of the folder with the archive of slipway and SHA256SUMS; "": the release of this version
	Checksum string   // of the archive; "": the one in SHA256SUMS
}

// script is the file that downloads slipway.
const script = "slipway.sh"

// A source is where the jobs get slipway.
type source struct {
	Compiled bool   // from the checkout, which is a clone of Slipway
	URL      string // of the folder with Archive and SHA256SUMS
	Checksum string // of Archive; "": the one in SHA256SUMS
}

// Archive is the file for GitHub's Linux runners, as .ci/build names it.
func (source) Archive() string { return "slipway-linux-amd64.tar.gz" }

// Command is slipway in the scripts of the jobs. What is downloaded goes where no image is built from.
func (s source) Command() string {
	if s.Compiled {
		return "bin/slipway"
	}
	return ".slipway/bin/slipway"
}

var checksum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// sourceOf decides where the jobs get slipway. A clone of Slipway compiles it, because its commits are what is to be tested there.
func sourceOf(root string, r Request) (source, error) {
	s := source{URL: r.Download, Checksum: strings.ToLower(r.Checksum)}
	wrong := func(format string, args ...any) (source, error) {
		return source{}, operation.UsageError{Err: fmt.Errorf(format, args...)}
	}
	if s.Checksum != "" && !checksum.MatchString(s.Checksum) {
		return wrong("--checksum must be 64 hexadecimal digits, got %q", r.Checksum)
	}
	if s.URL != "" {
		// What is in the URL reaches a script, and its scheme decides whether the file can be replaced on its way.
		at, err := url.Parse(s.URL)
		if err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil || at.RawQuery != "" || at.Fragment != "" ||
			!plainURL.MatchString(s.URL) {
			return wrong("--download must be the URL of a folder, such as https://files.example.com/slipway/0.4.0, got %q", s.URL)
		}
		s.URL = strings.TrimSuffix(s.URL, "/")
		return s, nil
	}
	cloned, err := isClone(root)
	switch {
	case err != nil:
		return source{}, err
	case cloned && s.Checksum == "":
		return source{Compiled: true}, nil
	case version.Number == "":
		return wrong("this slipway was built from a clone and is no release that a workflow can download: run the ci github of a released one "+
			"(%s/releases), or say with --download where to get it", version.Repository)
	}
	s.URL = version.Downloads(version.Number)
	return s, nil
}

var plainURL = regexp.MustCompile(`^[A-Za-z0-9:/._~%+@=-]+$`)

// isClone reports whether a folder is a clone of Slipway: the module slipway with the command.
func isClone(root string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = os.Stat(filepath.Join(root, "cmd", "slipway", "main.go"))
	return modfile.ModulePath(data) == "slipway" && err == nil, nil
}
