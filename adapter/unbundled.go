//go:build !embedhelper

package adapter

import "embed"

// binaries is empty: the helper is compiled when an image is built.
var binaries embed.FS
