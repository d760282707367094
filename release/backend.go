package release

import (
	"context"
	"fmt"
	"os"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
)

// Bucket is where the stack's state is kept, opened for the caller, who closes it. The engine keeps its own things in it
// under .pulumi/; whatever else is kept of a stack belongs beside them.
func (s *Stack) Bucket(context.Context) (*blob.Bucket, error) {
	if err := os.MkdirAll(s.backend(), 0o700); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	bucket, err := fileblob.OpenBucket(s.backend(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return bucket, nil
}
