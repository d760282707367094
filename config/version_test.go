package config

import (
	"strings"
	"testing"

	"slipway/internal/version"
)

const plain = "config:\n  aws:region: us-east-1\n"

func is(t *testing.T, number string) {
	t.Helper()
	was := version.Number
	t.Cleanup(func() { version.Number = was })
	version.Number = number
}

// A stack that a newer slipway set up may have keys that this one does not know. The message is about the version alone.
func TestAStackOfANewerVersionIsRefused(t *testing.T) {
	is(t, "0.4.0")
	source, err := FromFile(project(t, "dev", "config:\n  slipway:version: 0.5.0\n  slipway:novelty: {size: 1}\n"))
	if err == nil {
		_, err = load(source)
	}
	got := lines(t, err, true)
	if len(got) != 1 {
		t.Fatalf("want one mistake, got %q", got)
	}
	for _, want := range []string{"Pulumi.dev.yaml:2: version: ", "set up with slipway 0.5.0", "this is 0.4.0", "/releases/tag/v0.5.0",
		"write 0.4.0 here"} {
		if !strings.Contains(got[0], want) {
			t.Errorf("want %q in: %s", want, got[0])
		}
	}
}

func TestAStackOfThisOrAnOlderVersionLoads(t *testing.T) {
	for program, of := range map[string]string{"0.4.0": "0.4.0", "0.5.0": "0.4.0", "0.10.0": "0.9.0", "": "99.0.0"} {
		is(t, program)
		if got := written(t, "dev", plain+"  slipway:version: "+of+"\n"); len(got) > 0 {
			t.Errorf("slipway %q refuses a stack of %s: %q", program, of, got)
		}
	}
}

func TestTheFormOfAVersion(t *testing.T) {
	is(t, "0.4.0")
	for value, want := range map[string]string{
		"v0.3.0": "must be a version of slipway", `"0.3"`: "must be a version of slipway", "latest": "must be a version of slipway",
		"0.3": "must be a string", "{secure: v1:abcd}": "must not be secret",
	} {
		got := written(t, "dev", plain+"  slipway:version: "+value+"\n")
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: want one mistake with %q, got %q", value, want, got)
		}
	}
}
