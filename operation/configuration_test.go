package operation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/rehearsal/cloud"
)

// configured is a stack of a project of its own, with settings for one run.
func configured(t *testing.T, projectFile, stackFile string, overrides ...string) (*configuration, error) {
	t.Helper()
	root := t.TempDir()
	project(t, root)
	for name, content := range map[string]string{"Pulumi.yaml": projectFile, "Pulumi.try.yaml": stackFile} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return configure(Target{Root: root, Stack: "try", Overrides: overrides, Progress: quiet{}})
}

const plainProject, plainStack = "name: slipway\nruntime: go\n", "config:\n  aws:region: us-east-1\n"

// A value of --config is text where the key holds text: overhangio/tutor#866.
func TestSettingsOfOneRunAreTheTextAsWritten(t *testing.T) {
	for _, value := range []string{"Shop #1", "#225522", "", "5", "0x1F", "1_000", "2023-05-15", "true", "True", "null", "~", "yes",
		`"quoted"`, "'x'", `{{"a": 1}}`, "[a]", "a: b",
		"*a", "&a", "!x", "@", "%", "a=b", "=", "- a", "|", "\\n", "caf\u00e9"} {
		c, err := configured(t, plainProject, plainStack+"  slipway:app: {env: {OTHER: kept}}\n", "app.env.TITLE="+value)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if diff := cmp.Diff(map[string]string{"OTHER": "kept", "TITLE": value}, c.stack.App.Env); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
		// The engine gets the same text.
		if got := valueOf(valueOf(valueOf(c.engine.Node, "slipway:app"), "env"), "TITLE"); got.Value != value || got.ShortTag() != "!!str" {
			t.Errorf("the engine gets %q (%s) for %q", got.Value, got.ShortTag(), value)
		}
	}
}

func TestSettingsOfOneRunHaveTheTypeOfTheirKey(t *testing.T) {
	c, err := configured(t, plainProject, plainStack, "web.max=6", "protect=false", "database.engineVersion=17",
		`promotion.to=["222222222222"]`, "aws:region=eu-west-1",
		"aws:allowedAccountIds=['123456789012']", "jobs=[{name: a, schedule: rate(1 hour), command: [x]}]", "domain=",
		"web={healthPath: /x, max: 7}", "web.min=2",
		"github.repository=a/b", "github.branches[0]=main", "keys=shared")
	if err != nil {
		t.Fatal(err)
	}
	s := c.stack
	if s.Web.Max != 7 || s.Web.Min != 2 || s.Web.HealthPath != "/x" || s.Database.EngineVersion != "17" || s.Region != "eu-west-1" ||
		len(s.Jobs) != 1 || s.Keys != "shared" ||
		!cmp.Equal(s.Promotion.To, []string{"222222222222"}) || !cmp.Equal(c.accounts, []string{"123456789012"}) ||
		!cmp.Equal(s.GitHub.Branches, []string{"main"}) {
		t.Errorf("read %+v", s)
	}
	for words, want := range map[string]string{
		"web.mx=6":                  "--config web.mx: did you mean web.max?",
		"wbe.max=6":                 "--config wbe.max: did you mean web?",
		"aws:regoin=x":              "--config aws:regoin: unknown key, did you mean aws:region?",
		"aws:assumeRoles[0].x=y":    "--config aws:assumeRoles[0].x: is not read by Slipway",
		"app.env=x":                 `app.env: must be an object`,
		"env.A=b":                   `--config env.A: is now app.env`,
		"images.app=x":              `--config images.app: is now app.path`,
		"app.env.A={db.uri}":        `app.env.A: has the unknown name {db.uri}`,
		"web.max=six":               `web.max: must be a number, without quotes, got "six"`,
		"web.max=0x10":              `web.max: must be a number, without quotes, got "0x10"`,
		"protect=yes":               `protect: must be a boolean (true or false), without quotes, got "yes"`,
		"promotion.to=[1111]":       `promotion.to[0]: must be a string, but YAML reads 1111 as a number`,
		"workers=[":                 "--config workers: the value is not YAML or JSON",
		"database.multiZone=true":   "--config database.multiZone: is now database.multiAz",
		"secrets.KEY=plain-text-01": "--config secrets.KEY: a secret does not belong on a command line",
	} {
		_, err := configured(t, plainProject, plainStack, words)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "plain-text-01") {
			t.Errorf("%s: %v, want %q", words, err, want)
		}
	}
}

// A setting goes on top of what Pulumi.yaml gives the key, and does not drop the rest of that.
func TestASettingKeepsWhatPulumiYAMLSays(t *testing.T) {
	const project = plainProject + "config:\n  aws:region: {value: eu-west-1}\n  slipway:web: {type: object, default: {architecture: " +
		"amd64, max: 2}}\n"
	c, err := configured(t, project, "config: {}\n", "web.max=5")
	if err != nil {
		t.Fatal(err)
	}
	if w := c.stack.Web; w.Architecture != "amd64" || w.Max != 5 || c.stack.Region != "eu-west-1" {
		t.Errorf("read %+v in %s", w, c.stack.Region)
	}
	if got := valueOf(valueOf(c.engine.Node, "slipway:web"), "architecture"); got == nil || got.Value != "amd64" {
		t.Errorf("the engine gets %v", got)
	}
}

// The engine passes on only one of the two values of a key, so the program merges app itself, and the command the same way.
func TestASettingOfTheAppKeepsWhatPulumiYAMLAndTheStackSay(t *testing.T) {
	const project = plainProject + "config:\n  slipway:app: {type: object, default: {port: 9000, env: {A: shared, B: shared}}}\n"
	for stack, want := range map[string]map[string]string{
		plainStack: {"A": "shared", "B": "run", "C": "run"},
		plainStack + "  slipway:app: {env: {A: own}}\n": {"A": "own", "B": "run", "C": "run"},
	} {
		c, err := configured(t, project, stack, "app.env.B=run", "app.env.C=run", "app.start=90")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, c.stack.App.Env); diff != "" || c.stack.App.Port != 9000 || c.stack.App.Start != 90 {
			t.Errorf("%s: port %d, start %d, environment (-want +got):\n%s", stack, c.stack.App.Port, c.stack.App.Start, diff)
		}
	}
}

func TestPulumisJSONFormOfAListNamesTheAccount(t *testing.T) {
	c, err := configured(t, plainProject, plainStack+"  aws:allowedAccountIds: '[\"111111111111\"]'\n")
	if err != nil || !cmp.Equal(c.allowed(), []string{"111111111111"}) {
		t.Errorf("the accounts are %v, %v", c.accounts, err)
	}
}

// Two public zones of one name: the message says so, and the ID selects one.
func TestOneOfTwoZonesOfANameIsNamed(t *testing.T) {
	root := t.TempDir()
	project(t, root)
	first := ""
	target := Target{Root: root, Stack: "staging", Progress: quiet{}, Model: ModelHooks{Opened: func(a *cloud.Account) {
		const zone, urn = "aws:route53/zone:Zone", "urn:pulumi:x::x::aws:route53/zone:Zone::x"
		inputs, problems := a.Check(cloud.CheckRequest{Type: zone, URN: urn, News: map[string]any{"name": "example.com"}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		id, _, err := a.Create(cloud.Change{Type: zone, URN: urn, Inputs: inputs})
		if err == nil {
			err = a.Alter(zone, id, func(o *cloud.Object) { o.Seeded = true })
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range a.Objects() { // the zone that every model of this stack has, with the same ID
			if o.Type == zone && o.ID != id {
				first = o.ID
			}
		}
	}}}
	_, err := Preview(t.Context(), target, "")
	if err == nil || !strings.Contains(err.Error(), "zone: account 123456789012 has several public hosted zones named example.com. Set "+
		"zoneId") {
		t.Errorf("without an ID: %v", err)
	}
	target.Overrides = []string{"zoneId=" + first}
	if _, err := Preview(t.Context(), target, ""); err != nil {
		t.Errorf("with an ID: %v", err)
	}
	target.Overrides = []string{"zoneId=Z0"}
	if _, err := Preview(t.Context(), target, ""); err == nil || !strings.Contains(err.Error(),
		"zoneId: Route 53 has no hosted zone Z0 in account 123456789012") {
		t.Errorf("with an ID of none: %v", err)
	}
}
