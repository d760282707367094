package inprocess_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// configure writes the configuration that the CLI reads: that of the stack local, protected, with more.
func (w *world) configure(tb testing.TB, more string) {
	tb.Helper()
	const protected = "config:\n  aws:region: us-east-1\n  slipway:protect: true\n  slipway:plainHTTP: true\n" +
		"  slipway:alarms:\n    email: ada@example.com\n"
	must(tb, os.WriteFile(filepath.Join(w.dir, "Pulumi.local.yaml"), []byte(protected+more), 0o600))
}

// objects is every object of the model, but for what was read.
func (w *world) objects(tb testing.TB) string {
	tb.Helper()
	var all []string
	for _, o := range w.model.Account.Objects() {
		data, err := json.Marshal([]any{o.Type, o.ID, o.Inputs, o.Outputs})
		must(tb, err)
		all = append(all, string(data))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// A protected stack refuses a change that replaces its data before anything is changed: in a preview of `pulumi up`, and in an
// update that skips the preview. It says which setting, its old and its new value, and what to do.
func TestAProtectedStackRefusesBeforeTheFirstChange(t *testing.T) {
	w := open(t, t.TempDir(), clone(t), "local")
	defer w.model.Close()
	stack := w.through(t)
	w.configure(t, "  slipway:keys: shared\n")
	must(t, stack.up())
	before := w.objects(t)
	for _, c := range []struct{ name, config, says string }{
		{"database name", "  slipway:keys: shared\n  slipway:database:\n    name: shop\n",
			"database.name: site -> shop would replace the database"},
		{"keys", "", "keys: shared -> perPurpose would replace the database"},
		{"network", "  slipway:keys: shared\n  slipway:network:\n    cidr: 10.9.0.0/16\n",
			"network.cidr: 10.0.0.0/16 -> 10.9.0.0/16 would replace the network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.configure(t, c.config)
			refuses := func(operation string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "Set it back to") {
					t.Errorf("%s is not refused with %q: %v", operation, c.says, err)
				}
				if w.objects(t) != before {
					t.Fatalf("%s changed the account", operation)
				}
			}
			_, err := stack.Preview(t.Context())
			refuses("preview", err)
			refuses("up", stack.up())
		})
	}

	// A stack that an earlier version deployed has no record of its settings yet. There the engine itself refuses, at the
	// first resource that it would replace.
	forgetSettings(t, w.StatePath())
	w.configure(t, "  slipway:keys: shared\n  slipway:database:\n    name: shop\n")
	if err := stack.up(); err == nil || !strings.Contains(err.Error(), "database-id") {
		t.Errorf("without a record up is not refused at database-id: %v", err)
	}
	if w.objects(t) != before {
		t.Error("without a record up changed the account")
	}

	forgetSettings(t, w.StatePath()) // the refused value was recorded
	w.configure(t, "  slipway:keys: shared\n")
	must(t, stack.up())
	if w.objects(t) != before {
		t.Error("the configuration as it was changes something")
	}
}

// forgetSettings takes the record of the settings out of a state.
func forgetSettings(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var state struct {
		Version    int            `json:"version"`
		Checkpoint map[string]any `json:"checkpoint"`
	}
	must(t, json.Unmarshal(data, &state))
	latest := state.Checkpoint["latest"].(map[string]any)
	var rest []any
	for _, r := range latest["resources"].([]any) {
		resource := r.(map[string]any)
		if strings.HasSuffix(resource["type"].(string), ":Stash") {
			continue
		}
		if resource["type"] == "pulumi:providers:aws" {
			delete(resource, "dependencies")
			delete(resource, "propertyDependencies")
		}
		rest = append(rest, r)
	}
	if len(rest)+1 != len(latest["resources"].([]any)) {
		t.Fatalf("the state has no record of the settings")
	}
	latest["resources"] = rest
	data, err = json.Marshal(state)
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
}
