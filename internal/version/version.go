// Package version says which slipway this is, where its releases are, and what two versions mean for each other.
package version

import (
	"cmp"
	"regexp"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// The build of a release sets these with -ldflags -X (see .ci/build).
var (
	number     string // "0.4.0"
	commit     string
	repository string // "https://github.com/example/slipway"
)

// Number is the version of a released slipway, such as 0.4.0, and "" for one that was built from a clone: nothing is known of what
// that one can do, so it is compared with nothing. It is a variable so that tests can be another version.
var Number = cmp.Or(number, tagged(debug.ReadBuildInfo()))

// Repository is the page of the repository that the releases come from.
var Repository = cmp.Or(repository, "https://github.com/example/slipway")

// tagged is the version of a program that `go build` made from a clean checkout of a tag.
func tagged(info *debug.BuildInfo, ok bool) string {
	if !ok || strings.Contains(info.Main.Version, "+") || module.IsPseudoVersion(info.Main.Version) {
		return ""
	}
	return trimmed(info.Main.Version)
}

var form = regexp.MustCompile(`^[0-9]`)

// Valid reports whether a text has the form of a version: 0.4.0, or 0.4.0-rc.1.
func Valid(text string) bool {
	return form.MatchString(text) && semver.Canonical("v"+text) == "v"+text
}

func trimmed(tag string) string {
	if text := strings.TrimPrefix(tag, "v"); Valid(text) {
		return text
	}
	return ""
}

// Newer reports whether a version is newer than this program. A program from a clone is not compared.
func Newer(than string) bool {
	return Number != "" && Valid(than) && semver.Compare("v"+than, "v"+Number) > 0
}

// Older reports whether a version is older than this program. A program from a clone is not compared.
func Older(than string) bool {
	return Number != "" && Valid(than) && semver.Compare("v"+than, "v"+Number) < 0
}

// Release is the page of a version.
func Release(of string) string { return Repository + "/releases/tag/v" + of }

// Downloads is the folder that the files of a version are in.
func Downloads(of string) string { return Repository + "/releases/download/v" + of }

// Page is where a page of the documents of this version is: docs/ci.md, or README.md#deploying-for-real. A user's repository has none.
func Page(of string) string {
	if Number == "" {
		return Repository + "/blob/main/" + of
	}
	return Repository + "/blob/v" + Number + "/" + of
}

// String is a line about this program: slipway 0.4.0, commit ..., Pulumi v3.250.0, go1.26.8.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "slipway, of an unknown version"
	}
	words := "slipway " + cmp.Or(Number, info.Main.Version)
	if commit != "" {
		words += ", commit " + commit
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && commit == "":
			words += ", commit " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true" && commit == "":
			words += " with changes"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/pulumi/pulumi/sdk/v3" {
			words += ", Pulumi " + d.Version
		}
	}
	return words + ", " + info.GoVersion
}
