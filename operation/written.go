package operation

import (
	"errors"

	"slipway/config"
	"slipway/site"
)

// Written are the mistakes that a stack's files in a folder have: those that up refuses before it starts anything. They count for the
// project in the folder root. An error means that they could not be looked for.
func Written(folder, stack, root string) (config.Mistakes, error) {
	source, err := config.FromProject(folder, stack)
	if source.Root = root; err == nil {
		_, err = site.Load(source)
	}
	var all config.Mistakes
	if errors.As(err, &all) {
		return all, nil
	}
	return nil, err
}
