package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// overlayFile holds what a rehearsed bootstrap would have written into the stack's file. The rehearsal's operations read it
// in addition to that file.
func overlayFile(dir string) string { return filepath.Join(dir, "bootstrap.yaml") }

// overlay puts the settings of a rehearsed bootstrap over the stack's own.
func (c *configuration) overlay(dir string) error {
	data, err := os.ReadFile(overlayFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	over, err := configOf(data)
	if err != nil {
		return fmt.Errorf("%s is damaged: %w\nnothing was changed; delete that file and run bootstrap again", overlayFile(dir), err)
	}
	return merge(c.engine.Node, over)
}

func merge(node, over *yaml.Node) error {
	for i := 0; i+1 < len(over.Content); i += 2 {
		at, err := child(node, over.Content[i].Value)
		if err != nil {
			return err
		}
		if value := over.Content[i+1]; value.Kind == yaml.MappingNode && at.Kind == yaml.MappingNode {
			if err := merge(at, value); err != nil {
				return err
			}
		} else {
			*at = *value
		}
	}
	return nil
}
