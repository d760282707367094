package incidents_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"slipway/engine/inprocess"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/site"
)

// deep runs the whole of a sweep; see .ci/deep.
var deep = os.Getenv("SLIPWAY_DEEP") != ""

// A form is a stack with some settings changed.
type form struct {
	stack, nat, route string
	zones             int
	domain, bastion   bool
	arch              string
}

func (f form) String() string {
	return fmt.Sprintf("%s,nat=%s,zones=%d,route=%s,domain=%v,bastion=%v,arch=%s", f.stack, f.nat, f.zones, f.route, f.domain, f.bastion,
		f.arch)
}

// settings are the stack's own settings with the form's.
func (f form) settings(t *testing.T) config.Map {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi."+f.stack+".yaml"))
	must(t, err)
	var file struct {
		Config config.Map `yaml:"config"`
	}
	must(t, encoding.YAML.Unmarshal(data, &file))
	set := func(key string, change func(map[string]any)) {
		k := config.MustParseKey("slipway:" + key)
		object := map[string]any{}
		if v, ok := file.Config[k]; ok {
			text, err := v.Value(config.NopDecrypter)
			must(t, err)
			must(t, json.Unmarshal([]byte(text), &object))
		}
		change(object)
		text, err := json.Marshal(object)
		must(t, err)
		file.Config[k] = config.NewObjectValue(string(text))
	}
	set("network", func(m map[string]any) { m["nat"], m["zones"] = f.nat, f.zones })
	set("logs", func(m map[string]any) { m["route"] = f.route })
	set("web", func(m map[string]any) { m["architecture"] = f.arch })
	set("bastion", func(m map[string]any) { m["enabled"] = f.bastion })
	domain, zone := config.MustParseKey("slipway:domain"), config.MustParseKey("slipway:zone")
	delete(file.Config, domain)
	delete(file.Config, zone)
	if f.domain {
		file.Config[domain], file.Config[zone] = config.NewValue("www.example.com"), config.NewValue("example.com")
	} else {
		file.Config[config.MustParseKey("slipway:plainHTTP")] = config.NewObjectValue("true")
	}
	return file.Config
}

// open opens the form in a model of its own.
func (f form) open(t *testing.T) (*inprocess.Stack, *cloud.Account, string) {
	t.Helper()
	root, dir := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(filepath.Join(root, "app"), os.DirFS(filepath.Join(repository, "app"))))
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), data, 0o600))
	project, err := workspace.LoadProjectBytes(data, "Pulumi.yaml", encoding.YAML)
	must(t, err)
	model, err := rehearsal.Open(filepath.Join(dir, "model.json"), rehearsal.Options{Root: root,
		Zones: []cloud.HostedZone{{Name: "example.com"}}})
	must(t, err)
	t.Cleanup(func() { model.Close() })
	s, err := inprocess.Open(inprocess.Options{Project: project, Stack: f.stack, Dir: root, State: filepath.Join(dir, "state"),
		Passphrase: "correct horse", Config: f.settings(t),
		Program:   site.New(site.Options{Root: root, Runner: modelaccount.Runner(model.Account)}).Run,
		Providers: model.Providers()})
	must(t, err)
	return s, model.Account, dir
}

// TestNoFalseAlarm: what the configuration allows has no blocked path, in the first up, in the second, and after destroy. FireLens
// without NAT is refused, because its router's image is public.
func TestNoFalseAlarm(t *testing.T) {
	// Pairwise: any two values of two settings meet. The last two are refused.
	forms := []form{
		{"prod", "perZone", "subscription", 2, true, false, "arm64"},
		{"prod", "single", "firelens", 3, false, false, "amd64"},
		{"prod", "none", "subscription", 3, true, true, "arm64"},
		{"staging", "single", "firelens", 2, true, true, "arm64"},
		{"staging", "perZone", "subscription", 3, false, false, "amd64"},
		{"staging", "none", "subscription", 3, true, false, "amd64"},
		{"dev", "perZone", "firelens", 3, false, true, "arm64"},
		{"dev", "none", "subscription", 2, true, true, "amd64"},
		{"dev", "single", "subscription", 2, false, false, "arm64"},
		{"local", "none", "subscription", 3, false, false, "arm64"},
		{"local", "single", "subscription", 3, true, true, "amd64"},
		{"local", "perZone", "firelens", 2, false, true, "arm64"},
		{"local", "none", "firelens", 2, true, true, "arm64"},
		{"prod", "none", "firelens", 3, true, false, "amd64"},
	}
	pairwise(t, forms)
	if deep {
		forms = nil
		for i := range 4 * 3 * 2 * 2 * 2 * 2 * 2 {
			forms = append(forms, form{[]string{"prod", "staging", "dev", "local"}[i%4], []string{"perZone", "single", "none"}[i/4%3],
				[]string{"subscription", "firelens"}[i/12%2], 2 + i/24%2, i/48%2 == 0, i/96%2 == 0,
				[]string{"arm64", "amd64"}[i/192%2]})
		}
	}
	for _, f := range forms {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			s, a, _ := f.open(t)
			err := s.Up(t.Context(), inprocess.Run{})
			if f.nat == "none" && f.route == "firelens" {
				if err == nil || !strings.Contains(err.Error(), "route") {
					t.Fatalf("FireLens without NAT was not refused: %v", err)
				}
				return
			}
			must(t, err)
			quiet(t, a, "after the first up")
			must(t, s.Up(t.Context(), inprocess.Run{}))
			quiet(t, a, "after the second up")
			if f.stack == "prod" { // it is protected, and must be
				return
			}
			must(t, s.Destroy(t.Context(), inprocess.Run{}))
			quiet(t, a, "after destroy")
			if made := a.Made(); len(made) > 5 {
				t.Errorf("destroy left %d resources", len(made))
			}
		})
	}
}

// pairwise checks that any two values of two settings meet in one of the forms, but those that are refused.
func pairwise(t *testing.T, forms []form) {
	t.Helper()
	met := map[string]bool{}
	for _, f := range forms {
		values := strings.Split(f.String(), ",")
		for i := range values {
			for j := range i {
				met[values[j]+" "+values[i]] = true
			}
		}
	}
	settings := [][]string{{"prod", "staging", "dev", "local"}, {"nat=perZone", "nat=single", "nat=none"}, {"zones=2", "zones=3"},
		{"route=subscription", "route=firelens"}, {"domain=true", "domain=false"}, {"bastion=true", "bastion=false"},
		{"arch=arm64", "arch=amd64"}}
	for i := range settings {
		for j := range i {
			for _, one := range settings[j] {
				for _, other := range settings[i] {
					if !met[one+" "+other] {
						t.Errorf("%s and %s do not meet", one, other)
					}
				}
			}
		}
	}
}

func quiet(t *testing.T, a *cloud.Account, when string) {
	t.Helper()
	if found := append(a.Findings(), a.Refusals()...); len(found) > 0 {
		t.Fatalf("%s: %s", when, list(found))
	}
}

// An exemption says why nothing is blocked without some settings of the network.
type exemption struct {
	reason string
	covers func(f form, name string) bool
}

var unneeded = []*exemption{
	{"data subnets would use the main table, which has no routes either; their own keeps a later route away", func(_ form, name string) bool {
		return strings.HasPrefix(name, "network-data-") && strings.HasSuffix(name, "-routes")
	}},
	{"S3 is reached through NAT as well; the endpoint saves its price for each GB", func(f form, name string) bool {
		return name == "network-s3" && f.nat != "none"
	}},
}

// exempt is the exemption of a setting; nil if it is needed.
func (f form) exempt(name string) *exemption {
	for _, e := range unneeded {
		if e.covers(f, name) {
			return e
		}
	}
	return nil
}

// mutable are the types that are removed, one at a time.
var mutable = []string{":Route", ":RouteTableAssociation", ":SecurityGroupIngressRule", ":SecurityGroupEgressRule", ":VpcEndpoint",
	":NatGateway", ":InternetGateway"}

// TestEverySettingOfTheNetworkIsNeeded removes each route, association, rule, endpoint and gateway: something must then be blocked, or
// it was unnecessary. An exemption that covers nothing, or something that is needed, fails.
func TestEverySettingOfTheNetworkIsNeeded(t *testing.T) {
	used := map[*exemption]bool{}
	for _, f := range []form{
		{"prod", "perZone", "subscription", 3, true, true, "arm64"}, {"staging", "single", "firelens", 2, true, false, "arm64"},
		{"dev", "none", "subscription", 2, false, false, "arm64"}, {"prod", "none", "subscription", 3, true, true, "arm64"},
	} {
		t.Run(f.String(), func(t *testing.T) {
			s, deployed, dir := f.open(t)
			must(t, s.Up(t.Context(), inprocess.Run{}))
			removed, red := 0, 0
			var idle []string
			for _, o := range deployed.Made() {
				name := o.URN[strings.LastIndex(o.URN, "::")+2:]
				row := f.exempt(name)
				sample := deep || row != nil || crc32.ChecksumIEEE([]byte(name))%3 == 0
				if !sample || !slices.ContainsFunc(mutable, func(kind string) bool { return strings.HasSuffix(o.Type, kind) }) {
					continue
				}
				a := account(t, dir)
				if _, err := a.Remove(o.Type, o.ID); err != nil {
					t.Fatal(err)
				}
				removed++
				switch found := a.Findings(); {
				case len(found) > 0 && row != nil:
					t.Errorf("%s is needed, although %s: %s", name, row.reason, list(found))
				case len(found) > 0:
					red++
				case row == nil:
					t.Errorf("%s: nothing is blocked without it", name)
				default:
					used[row] = true
					idle = append(idle, name)
				}
				must(t, a.Close())
			}
			slices.Sort(idle)
			t.Logf("%d settings removed, one at a time: %d red, unnecessary: %s", removed, red, strings.Join(idle, " "))
			if red < 5 {
				t.Errorf("only %d of %d removals were red", red, removed)
			}
		})
	}
	for _, e := range unneeded {
		if !used[e] {
			t.Errorf("no setting is unneeded because %s", e.reason)
		}
	}
}
