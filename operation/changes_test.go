package operation

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/engine"
)

// protectedLocal is the stack local as a protected one.
var protectedLocal = []string{"protect=true", "plainHTTP=true", "alarms.email=ada@example.com"}

// Twelve changes that a user makes without knowing what they mean. Each is a loss, which must be confirmed, a downtime, which
// is shown, or impossible, and then refused with the way to do it. Nothing changes without a confirmation.
func TestChangesThatHurt(t *testing.T) {
	base := t.TempDir()
	always := func(values ...string) []string { return append(slices.Clone(protectedLocal), values...) }
	deployed := map[string]string{} // the folder of a stack that is up, by its settings
	deploy := func(t *testing.T, settings []string) string {
		root, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatal(err)
		}
		project(t, root)
		target := Target{Root: root, Stack: "local", Overrides: settings, Progress: quiet{}}
		if _, err := Up(t.Context(), target, UpArgs{Confirm: nothingLost(t)}); err != nil {
			t.Fatal(err)
		}
		return root
	}
	for _, c := range []struct {
		name       string
		from       []string // the settings of the first up
		to         []string // of the second
		project    string   // the new name of the project
		rename     string   // the new name of the stack
		loss       string   // the kind and the cause
		downtime   string
		impossible []string // parts of the message
	}{
		{name: "database name", to: []string{"database.name=shop"}, loss: "database replace dbName: site -> shop"},
		{name: "database name, protected", from: protectedLocal, to: always("database.name=shop"),
			impossible: []string{"database.name: site -> shop", "Set it back to site", "pg_dump", "nothing was changed"}},
		{name: "class family", to: []string{"database.class=db.m7g.large"},
			downtime: "database update instanceClass: db.t4g.micro -> db.m7g.large"},
		{name: "engine downgrade", to: []string{"database.engineVersion=16"},
			impossible: []string{"engineVersion: 17 -> 16", "RDS cannot downgrade Postgres", "restore a snapshot"}},
		{name: "engine upgrade", from: []string{"database.engineVersion=16"}, to: nil, downtime: "database update engineVersion: 16 -> 17"},
		{name: "cidr", to: []string{"network.cidr=10.9.0.0/16"},
			impossible: []string{"network.cidr: 10.0.0.0/16 -> 10.9.0.0/16", "create a stack with the new value", "nothing was changed"}},
		{name: "shared keys", to: []string{"keys=perPurpose"}, loss: "database replace kmsKeyId: "},
		{name: "shared keys, protected", from: protectedLocal, to: always("keys=perPurpose"),
			impossible: []string{"keys: shared -> perPurpose", "set protect to false"}},
		{name: "protect off", from: protectedLocal, to: []string{"plainHTTP=true", "alarms.email=ada@example.com"},
			loss: "database update deletionProtection: true -> false"},
		{name: "protect off and the database name", from: protectedLocal, to: []string{"database.name=shop"},
			impossible: []string{"database.name: site -> shop"}},
		{name: "fewer zones", from: []string{"network.zones=3", "database.multiAz=true"}, to: []string{"database.multiAz=true"},
			impossible: []string{"network.zones", "the database or its standby may be in it", "set network.zones back"}},
		{name: "more zones", to: []string{"network.zones=3"}},
		{name: "storage grows", to: []string{"database.storage=40"}},
		{name: "storage shrinks", from: []string{"database.storage=40"}, to: nil,
			impossible: []string{"allocatedStorage: 40 -> 20", "RDS cannot shrink storage"}},
		{name: "fewer backups", to: []string{"database.backupDays=2"}, loss: "database update backupRetentionPeriod: 7 -> 2"},
		{name: "no backups", to: []string{"database.backupDays=0"}, loss: "database update backupRetentionPeriod: 7 -> 0"},
		{name: "stack renamed", rename: "other",
			impossible: []string{"stack other has no state, and stack local has one", "rename the file back to Pulumi.local.yaml"}},
		{name: "project renamed", project: "shop",
			impossible: []string{"was deployed as project slipway", "names the project shop", "set name: slipway in Pulumi.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			project(t, root)
			from := strings.Join(c.from, " ")
			if deployed[from] == "" {
				deployed[from] = deploy(t, c.from)
			}
			if err := os.CopyFS(filepath.Join(root, ".slipway"), os.DirFS(filepath.Join(deployed[from], ".slipway"))); err != nil {
				t.Fatal(err)
			}
			target := Target{Root: root, Stack: "local", Overrides: c.to, Progress: quiet{}}
			before := everyByte(t, root)
			if c.rename != "" {
				target.Stack = c.rename
				if err := os.Rename(filepath.Join(root, "Pulumi.local.yaml"), filepath.Join(root, "Pulumi."+c.rename+".yaml")); err != nil {
					t.Fatal(err)
				}
			}
			if c.project != "" {
				for _, file := range []string{"Pulumi.yaml", "Pulumi.local.yaml"} {
					replace(t, filepath.Join(root, file), "name: slipway", "name: "+c.project, "slipway:", c.project+":")
				}
			}
			var plan *Plan
			unconfirmed := errors.New("unconfirmed")
			_, err := Up(t.Context(), target, UpArgs{Confirm: func(p *Plan) error { plan = p; return unconfirmed }})
			for _, want := range c.impossible {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			for _, never := range []string{"pulumi state", "pulumi up", "marked for protection"} {
				if err != nil && strings.Contains(err.Error(), never) {
					t.Errorf("the error recommends a way around Slipway: %v", err)
				}
			}
			if after := everyByte(t, root); !bytes.Equal(after, before) {
				t.Error("the account or the state changed")
			}
			if refused := len(c.impossible) > 0; refused != (plan == nil) || !refused && !errors.Is(err, unconfirmed) {
				t.Fatalf("there is a plan: %t; %v", plan != nil, err)
			}
			if plan == nil {
				return
			}
			if !holds(plan.Losses, c.loss) {
				t.Errorf("losses are %v, want %q", plan.Losses, c.loss)
			}
			if c.downtime != "" && !holds(plan.Downtime, c.downtime) {
				t.Errorf("downtime is %v, want %q", plan.Downtime, c.downtime)
			}
		})
	}
}

// A destroy lists what is lost, and does nothing unless it is confirmed.
func TestDestroyIsConfirmed(t *testing.T) {
	root := t.TempDir()
	project(t, root)
	target := Target{Root: root, Stack: "local", Progress: quiet{}}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: nothingLost(t)}); err != nil {
		t.Fatal(err)
	}
	before := everyByte(t, root)
	unconfirmed := errors.New("unconfirmed")
	_, err := Destroy(t.Context(), target, DestroyArgs{Confirm: func(d Destruction) error {
		for _, kind := range []string{"database", "bucket", "repository", "key", "address"} {
			if !slices.ContainsFunc(d.Losses, func(l Loss) bool { return l.Kind == kind }) {
				t.Errorf("no %s is among the losses %v", kind, d.Losses)
			}
		}
		return unconfirmed
	}})
	if !errors.Is(err, unconfirmed) {
		t.Errorf("destroy: %v", err)
	}
	if !bytes.Equal(everyByte(t, root), before) {
		t.Error("the account or the state changed")
	}
}

// No setting names a bucket: its name changes with the program, and that replaces it.
func TestAReplacedBucketIsALoss(t *testing.T) {
	const urn = "urn:pulumi:local::slipway::slipway:datastore:Media$slipway:bucket:Private$aws:s3/bucketV2:BucketV2::media"
	state, err := engine.ParseState([]byte(`{"version": 3, "checkpoint": {"latest": {"resources": [{"urn": "` + urn +
		`", "custom": true, "type": "aws:s3/bucketV2:BucketV2", "outputs": {"bucket": "slipway-local-media-1"}}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	change := engine.Change{URN: urn, Type: "aws:s3/bucketV2:BucketV2", Op: "replace", Properties: []engine.Property{
		{Path: "bucketPrefix", Kind: "update-replace", From: "slipway-local-media-", To: "slipway-local-files-"}}}
	p := newPlan(facts(), engine.Result{Changes: []engine.Change{change}}, state)
	if !holds(p.Losses, "bucket replace bucketPrefix: slipway-local-media- -> slipway-local-files-") ||
		p.Losses[0].Name != "slipway-local-media-1" {
		t.Errorf("losses are %v", p.Losses)
	}
	if got := p.Changes[0].Part(); got != "datastore" {
		t.Errorf("it is part of %q", got)
	}
	state.Resources[0].Protect = true
	if reasons := impossible(facts(), p.Result, state); len(reasons) != 1 || !strings.Contains(reasons[0],
		"media (aws:s3/bucketV2:BucketV2) is protected") {
		t.Errorf("a protected one is refused with %q", reasons)
	}
}

// nothingLost confirms a plan that loses nothing.
func nothingLost(t *testing.T) func(*Plan) error {
	return func(p *Plan) error {
		if len(p.Losses) > 0 {
			t.Errorf("losses: %v", p.Losses)
		}
		return nil
	}
}

// holds says whether effects begin with one; "" is none at all.
func holds(all []Effect, want string) bool {
	if want == "" {
		return len(all) == 0
	}
	return len(all) > 0 && strings.HasPrefix(all[0].Kind+" "+all[0].Op+" "+all[0].Why, want) && all[0].Says != ""
}

// everyByte is the model and the state of the rehearsed stack local.
func everyByte(t *testing.T, root string) []byte {
	t.Helper()
	var all []byte
	for _, file := range []string{"model.json", "state/.pulumi/stacks/slipway/local.json"} {
		data, err := os.ReadFile(filepath.Join(root, ".slipway", "local", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func replace(t *testing.T, file string, pairs ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.NewReplacer(pairs...).Replace(string(data))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
