//go:build embedhelper

package adapter

import "embed"

// binaries are the helpers that a released slipway carries (helper-linux-arm64, helper-linux-amd64). Its build makes them first:
//
//	for a in arm64 amd64; do
//		CGO_ENABLED=0 GOOS=linux GOARCH=$a go build -trimpath -ldflags='-s -w' -o adapter/bin/helper-linux-$a ./helper/program
//	done
//	go build -tags embedhelper ./cmd/slipway
//
//go:embed bin/helper-linux-arm64 bin/helper-linux-amd64
var binaries embed.FS
