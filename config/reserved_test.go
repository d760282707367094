package config

import (
	"strings"
	"testing"
)

// load is Load with the names that a site reserves, and some of those that it offers to templates.
func load(source Source) (*Stack, error) {
	source.Reserved = []string{"PGSSLMODE", "PORT"}
	source.Names = map[string]bool{"bucket": false, "connections": false, "db.host": false, "db.name": false, "db.password": true,
		"db.port": false, "db.url": true, "db.user": false, "hosts": false, "https": false, "key": true, "origins": false, "url": false}
	return Load(source)
}

func TestReservedNamesMustBeKnown(t *testing.T) {
	if _, err := Load(Source{Project: "slipway", Stack: "dev"}); err == nil ||
		!strings.Contains(err.Error(), "reserved environment variables are missing") {
		t.Errorf("a stack without reserved names: %v", err)
	}
}
