package datastore

import "testing"

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
