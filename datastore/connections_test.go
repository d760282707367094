package datastore

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMaxConnections(t *testing.T) {
	for class, want := range map[string]int{
		"db.t4g.micro": 112, "db.t4g.small": 225, "db.m7g.large": 901, "db.r7g.large": 1802, "db.m7g.16xlarge": 5000,
		"db.r7g.4xlarge": 5000, "db.new.size": 112,
	} {
		if got := MaxConnections(class); got != want {
			t.Errorf("%s takes %d connections, want %d", class, got, want)
		}
	}
}

// docs/operations.md shows the numbers by class.
func TestTheDocumentShowsTheConnectionsOfAClass(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"db.t4g.micro", "db.t4g.small", "db.t4g.medium", "db.m7g.large", "db.m7g.xlarge", "db.r7g.large"} {
		row := fmt.Sprintf("| `%s` | %d | %d |", class, MaxConnections(class), Usable(class))
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/operations.md lacks the row %s", row)
		}
	}
}
