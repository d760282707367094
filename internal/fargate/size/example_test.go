package size_test

import (
	"fmt"

	"slipway/internal/fargate/size"
)

func ExampleCheck() {
	fmt.Println(size.Check(256, 4096))
	fmt.Println(size.Check(512, 1024))
	// Output:
	// memory for cpu 256 must be one of 512, 1024, 2048, got 4096
	// <nil>
}
