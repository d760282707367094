// Package helper holds the sources of the program that Slipway adds to every image, see helper/program. An image's tag covers
// them, so that a change of the helper makes a new image, and no rehearsal has to compile it.
package helper

import "embed"

// Sources are the program's Go files. Names that end in _test.go are not part of the program.
//
//go:embed program/*.go
var Sources embed.FS
