// Package snapshotfuzz pins Pulumi's fuzzer for operations that corrupt a state. It starts with a given state, generates programs,
// failing providers and interruptions, and checks that the resulting state is valid.
//
//	go run ./cmd/slipway export --stack prod > /tmp/prod.json
//	PULUMI_LIFECYCLE_TEST_FUZZ_FROM_STATE_FILE=/tmp/prod.json go test -C tools/snapshotfuzz \
//	  github.com/pulumi/pulumi/pkg/v3/engine/lifecycletest -run 'TestFuzzFromStateFile$' -v
package snapshotfuzz

import _ "github.com/pulumi/pulumi/pkg/v3/engine/lifecycletest/fuzzing"
