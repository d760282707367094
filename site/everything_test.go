package site

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"slipway/config"
)

// The switches that are not true or false.
const (
	cacheSwitch = "cache.node"
	psqlSwitch  = "database.psqlImage"
)

// switches are the configuration keys that turn an optional component on.
func switches(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, k := range config.Reference() {
		if strings.HasSuffix(k.Path, ".enabled") || k.Path == cacheSwitch || k.Path == psqlSwitch {
			all = append(all, k.Path)
		}
	}
	if len(all) < 3 {
		t.Fatalf("the switches are %v: the test does not see the configuration", all)
	}
	return all
}

// everything is the configuration of prod with every optional component. A new component with a key NAME.enabled is in it.
func everything(t testing.TB) map[string]string {
	t.Helper()
	further := map[string]string{
		"slipway:logs":      `{"days":90,"archiveDays":730,"route":"firelens"}`,
		"slipway:promotion": `{"to":["222222222222"],"from":["333333333333"]}`,
		"slipway:app":       `{"env":{"COLOUR":"red","DATABASE_URL":"{db.url}"}}`,
	}
	for _, path := range switches(t) {
		turn(t, further, path, true)
	}
	return further
}

// turn sets a switch in the configuration of prod.
func turn(t testing.TB, further map[string]string, path string, on bool) {
	t.Helper()
	if path == cacheSwitch {
		if delete(further, "slipway:cache"); on {
			further["slipway:cache"] = `{"node":"cache.t4g.small","replicas":1}`
		}
		return
	}
	top, name, _ := strings.Cut(path, ".")
	object := map[string]any{}
	if text := configured(t, "prod", further)["slipway:"+top]; text != "" {
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case path != psqlSwitch:
		object[name] = on
	case on:
		object[name] = "public.ecr.aws/docker/library/postgres"
	default:
		delete(object, name)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	further["slipway:"+top] = string(text)
}

// TestEverySwitchIsForAComponent holds that the stack with everything really has each optional component.
func TestEverySwitchIsForAComponent(t *testing.T) {
	with := everything(t)
	all := len(declared(t, "prod", with))
	for _, path := range switches(t) {
		without := maps.Clone(with)
		turn(t, without, path, false)
		if n := len(declared(t, "prod", without)); n >= all {
			t.Errorf("without %s the stack has %d resources, with it %d", path, n, all)
		}
	}
}
