//go:build embedhelper

package adapter

import "embed"

// binaries are the helpers that a released slipway carries, compressed. .ci/build makes them first.
//
//go:embed bin/helper-linux-arm64.gz bin/helper-linux-amd64.gz
var binaries embed.FS
