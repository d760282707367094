package cloud

import (
	"path/filepath"
	"testing"
)

func TestHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	seen := func(reference string) bool { // while the account is in use
		t.Helper()
		n, err := Look(path)
		if err != nil {
			t.Fatal(err)
		}
		return n.Holds(reference)
	}
	a, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	create(t, a, repositoryType, "app", map[string]any{"name": "app", "forceDelete": true})
	image := a.imageRegistry() + "/app@" + digest
	if a.Holds(image) || seen(image) {
		t.Error("it holds an image that was not pushed")
	}
	if err := a.Push(a.imageRegistry()+"/app:v1", digest); err != nil {
		t.Fatal(err)
	}
	if !a.Holds(image) || !seen(image) {
		t.Errorf("it does not hold %s", image)
	}
	if other := "210987654321.dkr.ecr.us-east-1.amazonaws.com/app@" + digest; a.Holds(other) || seen(other) {
		t.Errorf("it holds %s of another account", other)
	}
	if err := a.Delete(repositoryType, "app"); err != nil {
		t.Fatal(err)
	}
	if a.Holds(image) || seen(image) {
		t.Error("it holds an image without its repository")
	}
}
