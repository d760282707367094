package datastore_test

import (
	"fmt"

	"slipway/datastore"
)

// How many gunicorn workers with one connection each does an instance class serve?
func ExampleMaxConnections() {
	for _, class := range []string{"db.t4g.micro", "db.t4g.medium", "db.r6g.large"} {
		fmt.Println(class, datastore.MaxConnections(class))
	}
	// Output:
	// db.t4g.micro 112
	// db.t4g.medium 450
	// db.r6g.large 1802
}
