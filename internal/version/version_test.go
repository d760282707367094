package version

import (
	"runtime/debug"
	"testing"
)

func TestTagged(t *testing.T) {
	for given, want := range map[string]string{
		"v0.4.0":                               "0.4.0",
		"v0.4.0-rc.1":                          "0.4.0-rc.1",
		"(devel)":                              "",
		"":                                     "",
		"v0.4.1-0.20261129001546-1d36291aaaaa": "", // commits after the tag
		"v0.4.0+dirty":                         "", // and changes
		"v0.4":                                 "",
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: given}}
		if got := tagged(info, true); got != want {
			t.Errorf("%q is the version %q, want %q", given, got, want)
		}
	}
	if got := tagged(nil, false); got != "" {
		t.Errorf("without build information the version is %q", got)
	}
}

func TestComparison(t *testing.T) {
	was := Number
	t.Cleanup(func() { Number = was })
	for _, c := range []struct {
		program, other string
		newer, older   bool
	}{
		{"0.4.0", "0.5.0", true, false},
		{"0.4.0", "0.3.9", false, true},
		{"0.4.0", "0.4.0", false, false},
		{"0.9.0", "0.10.0", true, false}, // as numbers, not as text
		{"0.5.0-rc.1", "0.5.0", true, false},
		{"0.5.0", "0.5.0-rc.1", false, true},
		{"", "0.5.0", false, false}, // from a clone
		{"0.4.0", "", false, false}, // not stated
		{"0.4.0", "latest", false, false},
	} {
		Number = c.program
		if newer, older := Newer(c.other), Older(c.other); newer != c.newer || older != c.older {
			t.Errorf("%q for a program of %q: newer %t, older %t", c.other, c.program, newer, older)
		}
	}
}

func TestPage(t *testing.T) {
	was := Number
	t.Cleanup(func() { Number = was })
	for number, want := range map[string]string{"": "/blob/main/docs/ci.md", "0.4.0": "/blob/v0.4.0/docs/ci.md"} {
		Number = number
		if got := Page("docs/ci.md"); got != Repository+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestValid(t *testing.T) {
	for text, want := range map[string]bool{
		"0.4.0": true, "12.0.3-rc.1": true,
		"v0.4.0": false, "0.4": false, "1": false, "": false, "0.4.0+meta": false, "00.4.0": false, "0.4.0 ": false, "latest": false,
	} {
		if got := Valid(text); got != want {
			t.Errorf("%q is a version: %t", text, got)
		}
	}
}
