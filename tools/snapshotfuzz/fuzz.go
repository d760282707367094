// Package snapshotfuzz pins the fuzzer with which Pulumi looks for operations that ruin a state: it invents programs,
// providers that fail and interruptions, begins with a given state, and looks whether what is left is whole.
//
//	go run ./cmd/slipway export --stack prod > /tmp/prod.json
//	PULUMI_LIFECYCLE_TEST_FUZZ_FROM_STATE_FILE=/tmp/prod.json go test -C tools/snapshotfuzz \
//	  github.com/pulumi/pulumi/pkg/v3/engine/lifecycletest -run 'TestFuzzFromStateFile$' -v
package snapshotfuzz

import _ "github.com/pulumi/pulumi/pkg/v3/engine/lifecycletest/fuzzing"
