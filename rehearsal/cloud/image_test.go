package cloud

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestAnAccountSaysWhichImagesItHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	if held, err := Pushed(path); err != nil || len(held) != 0 {
		t.Errorf("an account that was never made holds %v, %v", held, err)
	}
	a, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	create(t, a, repositoryType, "app", map[string]any{"name": "app", "forceDelete": true})
	image := a.registry() + "/app@" + digest
	if a.Holds(image) {
		t.Error("it holds what was not pushed")
	}
	if err := a.Push(a.registry()+"/app:v1", digest); err != nil {
		t.Fatal(err)
	}
	held, err := Pushed(path) // while it is in use
	if err != nil || !slices.Equal(held, []string{image}) || !a.Holds(image) {
		t.Errorf("it holds %v, %v, want %s", held, err, image)
	}
	if other := "210987654321.dkr.ecr.us-east-1.amazonaws.com/app@" + digest; a.Holds(other) {
		t.Errorf("it holds %s of another account", other)
	}
	if err := a.Delete(repositoryType, "app"); err != nil {
		t.Fatal(err)
	}
	if held, err := Pushed(path); err != nil || len(held) != 0 || a.Holds(image) {
		t.Errorf("without its repository it holds %v, %v", held, err)
	}
}
