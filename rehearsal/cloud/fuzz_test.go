package cloud

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzContainers: whatever container definitions the model accepts, all code that reads them later can.
func FuzzContainers(f *testing.F) {
	for _, seed := range []string{
		`[{"name":"django","image":"example.com/django@sha256:0000000000000000000000000000000000000000000000000000000000000000",` +
			`"essential":true,"portMappings":[{"containerPort":8000}]}]`,
		`[{"name":"a","image":"x","dependsOn":[{"containerName":"b","condition":"START"}]},{"name":"b","image":"x",` +
			`"dependsOn":[{"containerName":"a","condition":"HEALTHY"}]}]`,
		`[{"name":"a","image":"x","environment":[{"name":"A","value":"1"},{"name":"A","value":"2"}],"secrets":[{"name":"A",` +
			`"valueFrom":"arn:aws:ssm:us-east-1:1:parameter/x"}]}]`,
		`[{"name":"a","image":"x","logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g"}},` +
			`"healthCheck":{"command":["CMD","true"],"interval":5},"linuxParameters":{"initProcessEnabled":true}}]`,
		`[null]`, `[]`, `null`, `{}`, `[[]]`, `[{"name":"a","image":"x"}] []`,
	} {
		f.Add(seed, "256", "512", true)
	}
	f.Fuzz(func(t *testing.T, text, cpu, memory string, fargate bool) {
		in := Inputs{"family": "x", "cpu": cpu, "memory": memory, "networkMode": "awsvpc", "containerDefinitions": text}
		if fargate {
			in["requiresCompatibilities"] = []any{"FARGATE"}
		}
		if len(checkTask(in, nil)) > 0 || text == "" {
			return
		}
		all, err := containersOf(&Object{Outputs: map[string]any{"containerDefinitions": text}})
		if err != nil || len(all) == 0 {
			t.Fatalf("%q is accepted, but has %d containers: %v", text, len(all), err)
		}
		var plain []container
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			t.Errorf("a task cannot be started of %q: %v", text, err)
		}
		for _, name := range containerNames(all) {
			if name == "" || containerNamed(all, name) == nil {
				t.Errorf("%q has a container that cannot be named", text)
			}
		}
	})
}

// FuzzModel: whatever is in a model's file, opening it returns an account or an error. An account that was opened can be reopened
// with the same contents.
func FuzzModel(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "model.json")
	a, err := Open(path, Options{})
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := a.Create(Change{Type: vpcType, URN: urn(vpcType, "net"), Inputs: map[string]any{"cidrBlock": "10.0.0.0/16"}}); err != nil {
		f.Fatal(err)
	}
	if err := a.Close(); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(data), `{}`, `null`, `{"version":1}`, `{"version":1,"objects":[null,{}]}`,
		`{"version":1,"objects":[{"$sealed":"AAAA"}],"tasks":[{}],"rollouts":[0]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path, Options{})
		if err != nil {
			return
		}
		n := len(a.Objects())
		a.Summary()
		if err := a.Close(); err != nil {
			t.Fatalf("%q opens and does not close: %v", text, err)
		}
		a, err = Open(path, Options{})
		if err != nil {
			t.Fatalf("%q opens once: %v", text, err)
		}
		defer a.Close()
		if got := len(a.Objects()); got != n {
			t.Errorf("%q has %d objects, then %d", text, n, got)
		}
	})
}
