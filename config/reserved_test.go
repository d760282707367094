package config

import (
	"strings"
	"testing"
)

// load is Load with the names that a site reserves.
func load(source Source) (*Stack, error) {
	source.Reserved = []string{"ALLOWED_HOSTS", "DB_HOST", "SECRET_KEY"}
	return Load(source)
}

func TestReservedNamesMustBeKnown(t *testing.T) {
	if _, err := Load(Source{Project: "slipway", Stack: "dev"}); err == nil ||
		!strings.Contains(err.Error(), "reserved environment variables are missing") {
		t.Errorf("a stack without reserved names: %v", err)
	}
}
