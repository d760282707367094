package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"gopkg.in/yaml.v3"

	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
)

// differences reads the accepted differences between the rehearsal and the real provider: reasons by "type path". A path includes
// everything below it; the type * means all types.
func differences(t *testing.T) map[string]string {
	t.Helper()
	words, err := os.ReadFile("differences.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var reasons map[string][]string
	if err := yaml.Unmarshal(words, &reasons); err != nil {
		t.Fatalf("differences.yaml: %v", err)
	}
	accepted := map[string]string{}
	for reason, all := range reasons {
		for _, one := range all {
			accepted[one] = reason
		}
	}
	return accepted
}

// genuine is the result of the real provider for a cell.
type genuine struct {
	Unlocked bool                          // deployed without its protection
	State    map[string]apitype.ResourceV3 // after the first up
	Released changes
	Resized  changes // nil if the database kept its class
}

// keep saves the real provider's result for kept.
func (c cell) keep(t *testing.T, g genuine) {
	t.Helper()
	folder := os.Getenv(keepVariable)
	if folder == "" {
		return
	}
	words, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, c.name+".json"), words, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c cell) kept(t *testing.T) (result genuine, ok bool) {
	t.Helper()
	folder := os.Getenv(keepVariable)
	if folder == "" {
		return result, false
	}
	words, err := os.ReadFile(filepath.Join(folder, c.name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return result, false
	}
	if err == nil {
		err = json.Unmarshal(words, &result)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result, true
}

// compare runs the same operations in the rehearsal, and fails for every difference that is not accepted.
func (c cell) compare(t *testing.T, recorded genuine) {
	t.Helper()
	d := deploy(t, c.stack, c.further, rehearsal.Isolation(), "")
	options := rehearsal.Options{Region: region, Root: d.dir}
	d.unlock = recorded.Unlocked
	if zone := d.setting("slipway:zone"); zone != "" {
		options.Zones = []cloud.HostedZone{{Name: zone}}
	}
	model, err := rehearsal.Open(filepath.Join(d.dir, "model.json"), options)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	env, err := model.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.stack.Workspace().SetEnvVars(env); err != nil {
		t.Fatal(err)
	}
	d.up()
	quiet(t, "a second up of the model", d.up())
	quiet(t, "a refresh of the model", d.refresh())
	compareStates(t, recorded.State, d.state())
	d.edit()
	compareChanges(t, "a release", recorded.Released, d.up())
	if recorded.Resized != nil {
		compareChanges(t, "another database class", recorded.Resized, d.resize())
	}
}

func compareChanges(t *testing.T, what string, genuine, model changes) {
	t.Helper()
	urns := maps.Clone(genuine)
	maps.Copy(urns, model)
	for _, urn := range slices.Sorted(maps.Keys(urns)) {
		if g, m := genuine[urn].Op, model[urn].Op; g != m {
			t.Errorf("%s: %s: the real provider does %q, the model %q", what, short(urn), g, m)
		}
	}
}

func compareStates(t *testing.T, genuine, model map[string]apitype.ResourceV3) {
	t.Helper()
	accepted := differences(t)
	found := map[string][]string{} // resources by difference
	differ := func(urn, path, format string, args ...any) {
		_, name, _ := strings.Cut(short(urn), " ")
		kind, _, _ := strings.Cut(short(urn), " ")
		for at := elements.ReplaceAllString(path, "[]"); at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
			if accepted[kind+" "+at] != "" || accepted["* "+at] != "" {
				return
			}
		}
		difference := fmt.Sprintf("%s %s: %s", kind, path, fmt.Sprintf(format, args...))
		found[difference] = append(found[difference], name)
	}
	for urn, g := range genuine {
		m, there := model[urn]
		if !there {
			differ(urn, "", "only the real provider has it")
			continue
		}
		if a, b := form(string(g.ID)), form(string(m.ID)); a != b {
			differ(urn, "id", "real %q, model %q", a, b)
		}
		for _, of := range []map[string]any{g.Outputs, m.Outputs} {
			delete(of, "id")     // the engine stores it next to the outputs
			delete(of, "__meta") // internal to the bridge
		}
		compareValues(func(path, format string, args ...any) { differ(urn, path, format, args...) }, "", g.Outputs, m.Outputs)
	}
	for urn := range model {
		if _, there := genuine[urn]; !there {
			differ(urn, "", "only the model has it")
		}
	}
	for _, difference := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[difference])
		t.Errorf("%s (%s)", difference, strings.Join(found[difference], ", "))
	}
}

// elements matches the indices in a path.
var elements = regexp.MustCompile(`\[[0-9]+\]`)

// secretSignature is the key of a map that is an encrypted value.
const secretSignature = "4dabf18193072939515e22adb298388d"

// compareValues compares two outputs: strings by their form, lists by their length and elements.
func compareValues(differ func(path, format string, args ...any), path string, g, m any) {
	if empty(g) && empty(m) {
		return
	}
	gMap, isMap := g.(map[string]any)
	mMap, isMapToo := m.(map[string]any)
	gList, isList := g.([]any)
	mList, isListToo := m.([]any)
	switch {
	case isMap && isMapToo:
		if gMap[secretSignature] != nil && mMap[secretSignature] != nil {
			return
		}
		keys := maps.Clone(gMap)
		maps.Copy(keys, mMap)
		for key := range keys {
			below := strings.TrimPrefix(path+"."+key, ".")
			compareValues(differ, below, gMap[key], mMap[key])
		}
	case isList && isListToo && len(gList) == len(mList):
		if !alike(gList, mList) && alike(sorted(gList), sorted(mList)) {
			return // the provider has a set, the model a list
		}
		for i := range gList {
			compareValues(differ, fmt.Sprintf("%s[%d]", path, i), gList[i], mList[i])
		}
	case empty(m):
		differ(path, "only the real provider has it: %s", shown(g))
	case empty(g):
		differ(path, "only the model has it: %s", shown(m))
	default:
		if a, b := parsed(g), parsed(m); a != nil && b != nil {
			compareValues(differ, path, a, b)
		} else if a, b := formed(g), formed(m); !reflect.DeepEqual(a, b) {
			differ(path, "real %s, model %s", shown(a), shown(b))
		}
	}
}

// alike reports whether two lists have equal elements in the same order.
func alike(g, m []any) bool {
	return slices.EqualFunc(g, m, func(a, b any) bool {
		same := true
		compareValues(func(string, string, ...any) { same = false }, "", a, b)
		return same
	})
}

// sorted sorts a list by the forms of its elements.
func sorted(list []any) []any {
	return slices.SortedFunc(slices.Values(list),
		func(a, b any) int { return strings.Compare(form(text(compacted(a))), form(text(compacted(b)))) })
}

// compacted is a value without its empty parts.
func compacted(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	kept := map[string]any{}
	for key, e := range m {
		if !empty(e) {
			kept[key] = compacted(e)
		}
	}
	return kept
}

// empty reports whether a value is a zero value at every level, which a provider may return or omit.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case float64:
		return v == 0
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !empty(e) })
	case map[string]any:
		if v[secretSignature] != nil {
			return v["plaintext"] == "null"
		}
		for _, e := range v {
			if !empty(e) {
				return false
			}
		}
		return true
	}
	return false
}

func shown(v any) string {
	out := []rune(text(v))
	return string(out[:min(len(out), 160)])
}

// parsed parses a string that contains a JSON document; nil for anything else.
func parsed(v any) (document any) {
	if text, ok := v.(string); ok && (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) {
		_ = json.Unmarshal([]byte(text), &document)
	}
	return document
}

func formed(v any) any {
	if text, ok := v.(string); ok {
		return form(text)
	}
	return v
}

var forms = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`\.[0-9a-z]{10}\.acm-validations\.`), ".LETTERS.acm-validations."},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b(A[A-Z]{3}|Z|db-)[0-9A-Z]{12,}`), "${1}ID"},
	{regexp.MustCompile(`-cache-[0-9a-f]{4}\b`), "-cache-N"},
	{regexp.MustCompile(`\.[0-9a-z]{6}\.use1\.cache\.`), ".ID.use1.cache."},
	{regexp.MustCompile(`(^|[^0-9A-Za-z])[0-9a-f]{7,}\b`), "${1}N"}, // digits alone may be hexadecimal, too
	{regexp.MustCompile(`[0-9]+`), "N"},
}

// form replaces everything in a string that differs between deployments.
func form(text string) string {
	for _, f := range forms {
		text = f.pattern.ReplaceAllString(text, f.stands)
	}
	return text
}
