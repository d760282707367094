package operation

import (
	"errors"

	"slipway/config"
	"slipway/site"
)

// Written are the mistakes that a stack's files have: those that up refuses before it starts anything. An error means that they could not
// be looked for.
func Written(root, stack string) (config.Mistakes, error) {
	source, err := config.FromProject(root, stack)
	if err == nil {
		_, err = site.Load(source)
	}
	var all config.Mistakes
	if errors.As(err, &all) {
		return all, nil
	}
	return nil, err
}
