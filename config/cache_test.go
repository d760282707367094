package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCacheMistakes(t *testing.T) {
	for _, c := range []struct{ name, cache, want string }{
		{"a node", "{node: cache.t4g.micro}", ""},
		{"all of it", `{node: cache.r7g.large, version: "7.2", replicas: 5, snapshotDays: 35, rotation: 2}`, ""},
		{"a class of RDS", "{node: db.t4g.micro}", `cache.node: must be a node type such as cache.t4g.micro, got "db.t4g.micro"`},
		{"a type of EC2", "{node: t4g.micro}", `cache.node: must be a node type such as cache.t4g.micro, got "t4g.micro"`},
		{"a family that needs data tiering", "{node: cache.r6gd.xlarge}", "cache.node: must be of one of the families " +
			`c7gn, m5, m6g, m7g, r5, r6g, r7g, t3 or t4g, got "cache.r6gd.xlarge"`},
		{"a size that its family has not", "{node: cache.t4g.large}",
			`cache.node: cache.t4g is available as micro, small or medium, got "cache.t4g.large"`},
		{"a version of Redis", `{node: cache.t4g.micro, version: "7.1"}`, `cache.version: must be 7.2, 8.0, 8.1, 8.2 or 9.0, got "7.1"`},
		{"a version without quotes", `{node: cache.t4g.micro, version: 8.0}`,
			`cache.version: must be a string, but YAML reads 8.0 as a number: write "8.0"`},
		{"a version without a minor", `{node: cache.t4g.micro, version: "8"}`, `cache.version: must be 7.2, 8.0, 8.1, 8.2 or 9.0, got "8"`},
		{"six replicas", "{node: cache.t4g.micro, replicas: 6}", "cache.replicas: must be from 0 to 5, got 6"},
		{"snapshots for 36 days", "{node: cache.t4g.micro, snapshotDays: 36}", "cache.snapshotDays: must be from 1 to 35, got 36"},
		{"no snapshots", "{node: cache.t4g.micro, snapshotDays: 0}", "cache.snapshotDays: must be from 1 to 35, got 0"},
		{"the first generation", "{node: cache.t4g.micro, rotation: 0}", "cache.rotation: must be from 1 to 1000000, got 0"},
		{"replicas of nothing", "{replicas: 1}", "cache.replicas: needs cache.node: the stack has no cache, got 1"},
		{"snapshots of nothing", "{snapshotDays: 7}", "cache.snapshotDays: needs cache.node: the stack has no cache, got 7"},
		{"a misspelt key", "{nodes: cache.t4g.micro}", "cache.nodes: unknown key, did you mean node?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(written(t, "dev", in("slipway:cache: "+c.cache)), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A template that uses the cache needs one.
func TestCacheInTemplates(t *testing.T) {
	names := map[string]bool{"redis.url": true, "redis.host": false, "redis.port": false, "redis.password": true}
	for name := range names {
		for _, c := range []struct{ cache, want string }{
			{"{node: cache.t4g.micro}", ""},
			{"{version: \"8.0\"}", "app.env.X: has {" + name + "}, and the stack has no cache: set cache.node"},
		} {
			source := sourceOf(t, in("slipway:app: {env: {X: \"{"+name+"}\"}}", "slipway:cache: "+c.cache))
			source.Names = names
			_, err := Load(source)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("{%s} with %s: %v", name, c.cache, err)
			}
		}
	}
}

// sourceOf is the configuration of a stack dev, without the app's files.
func sourceOf(t *testing.T, text string) Source {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"Pulumi.yaml": "name: slipway\nruntime: go\n", "Pulumi.dev.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source, err := FromFile(filepath.Join(dir, "Pulumi.dev.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	source.Root, source.Reserved = "", []string{"PORT"}
	return source
}

// Snapshots are kept where data is protected, unless the configuration says otherwise.
func TestSnapshotDays(t *testing.T) {
	const protected = "slipway:protect: true\nslipway:plainHTTP: true\nslipway:alarms: {email: ops@example.com}"
	for _, c := range []struct {
		config string
		want   int
	}{
		{"slipway:cache: {node: cache.t4g.micro}", 0},
		{"slipway:cache: {node: cache.t4g.micro, snapshotDays: 3}", 3},
		{protected + "\nslipway:cache: {node: cache.t4g.micro}", 7},
		{protected + "\nslipway:cache: {node: cache.t4g.micro, snapshotDays: 1}", 1},
		{protected, 0},
	} {
		stack, err := Load(sourceOf(t, in(c.config)))
		if err != nil {
			t.Fatal(err)
		}
		if stack.Cache.SnapshotDays != c.want {
			t.Errorf("%s: %d days, want %d", c.config, stack.Cache.SnapshotDays, c.want)
		}
	}
}
