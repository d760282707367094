package operation

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/engine"
	"slipway/internal/version"
)

// quiet discards progress.
type quiet struct{}

func (quiet) Event(engine.Event)  {}
func (quiet) Logf(string, ...any) {}

// A stack that an earlier version deployed is not replaced by this one: no type token, logical name or physical name has
// changed since. testdata/upgrade holds such stacks, rehearsed, with all that is needed to preview them.
//
// The images are built from app/, which changes, so task definitions are replaced; so is the lifecycle policy of a repository if it
// changes, which is a document and holds nothing. Nothing else may be, and nothing is deleted but what obsolete names.
func TestStacksOfAnEarlierVersionAreNotReplaced(t *testing.T) {
	was := version.Number
	t.Cleanup(func() { version.Number = was })
	version.Number = "0.5.0" // the ledgers there are from before versions were recorded
	for _, stack := range []string{"local", "dev", "staging", "prod"} {
		t.Run(stack, func(t *testing.T) {
			root := t.TempDir()
			project(t, root)
			unpack(t, filepath.Join("testdata", "upgrade", stack+".tar.gz"), filepath.Join(root, ".slipway"))
			before, err := os.ReadFile(filepath.Join(root, ".slipway", stack, "model.json"))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := Preview(t.Context(), Target{Root: root, Stack: stack, Progress: quiet{}}, "")
			if err != nil {
				t.Fatal(err)
			}
			result := plan.Result
			if result.Counts["same"] < 100 {
				t.Errorf("only %d resources are unchanged: the stack was not read (%v)", result.Counts["same"], result.Counts)
			}
			deleted := 0
			for _, c := range result.Changes {
				replaced := strings.Contains(c.Op, "replace") && c.Type != "aws:ecs/taskDefinition:TaskDefinition" &&
					c.Type != "aws:ecr/lifecyclePolicy:LifecyclePolicy"
				if c.Op == "delete" && slices.Contains(obsolete[stack], c.Name()) {
					deleted++
					continue
				}
				if c.Op == "create" && slices.Contains(added, c.Name()) {
					continue
				}
				if replaced || c.Op == "delete" || c.Op == "create" {
					t.Errorf("%s %s (%s): %v", c.Op, c.Name(), c.Type, c.Properties)
				}
			}
			if deleted != len(obsolete[stack]) {
				t.Errorf("%d resources are deleted, want %v", deleted, obsolete[stack])
			}
			after, err := os.ReadFile(filepath.Join(root, ".slipway", stack, "model.json"))
			if err != nil || string(after) != string(before) {
				t.Errorf("the preview changed the model (%v)", err)
			}
		})
	}
}

// obsolete are resources of an earlier version that nothing uses: a stack without a domain has no listener on 443.
var obsolete = map[string][]string{"local": {"network-world-to-edge-443-in"}, "dev": {"network-world-to-edge-443-in"}}

// added are resources that an earlier version did not have: one-off tasks have a task definition of their own.
var added = []string{"task", "task-definition"}

// An earlier version made four more endpoints without NAT, under the names that network.endpoints gives to the same services today.
// The upgrade deletes them and replaces nothing. Naming a service keeps its endpoint.
func TestEndpointsOfAnEarlierVersionAreDeletedUnlessNamed(t *testing.T) {
	root := t.TempDir()
	project(t, root)
	target := func(endpoints string) Target {
		return Target{Root: root, Stack: "dev", Progress: quiet{}, Overrides: []string{"network.nat=none", "network.endpoints=" + endpoints}}
	}
	if _, err := Up(t.Context(), target("[secretsmanager, sts, kinesis-firehose, ec2messages]"), UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	plan, err := Preview(t.Context(), target("[sts]"), "")
	if err != nil {
		t.Fatal(err)
	}
	var changed []string
	for _, c := range plan.Result.Changes {
		changed = append(changed, c.Op+" "+c.Name())
	}
	slices.Sort(changed)
	want := []string{"delete network-ec2messages", "delete network-kinesis-firehose", "delete network-secretsmanager"}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// project copies this project's files to root.
func project(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "Pulumi*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Pulumi.yaml: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, filepath.Base(file)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	app, err := filepath.Abs(filepath.Join("..", "app"))
	if err == nil {
		err = os.Symlink(app, filepath.Join(root, "app"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if header.Typeflag == tar.TypeDir {
			continue
		}
		err = os.MkdirAll(filepath.Dir(path), 0o700)
		var data []byte
		if err == nil {
			data, err = io.ReadAll(reader)
		}
		if err == nil {
			err = os.WriteFile(path, data, fs.FileMode(0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
