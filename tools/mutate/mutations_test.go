package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The sweep takes half an hour; a text that has moved shows here.
func TestEveryMutationIsPossible(t *testing.T) {
	for _, m := range mutations {
		text, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Error(err)
		} else if n := bytes.Count(text, []byte(m.old)); n != 1 {
			t.Errorf("%s: %s: the text to replace occurs %d times", m.file, m.name, n)
		}
	}
}
