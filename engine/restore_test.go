package engine

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A state that was cut short is refused, a version that can be read replaces it, and nothing else does.
func (b *sharedBench) restored(t *testing.T) {
	ctx := t.Context()
	key := b.open().StateKey()
	good := b.everything()[key]
	if len(good) == 0 {
		t.Fatalf("there is no state at %s", key)
	}
	cut := good[:len(good)/2]
	if _, err := b.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String(key), Body: bytes.NewReader(cut)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.open().Up(ctx, nil, UpOptions{}); err == nil {
		t.Error("an up ran with a damaged state")
	}
	s := b.open()
	if err := s.RestoreState(ctx, cut); err == nil || !bytes.Equal(b.everything()[key], cut) {
		t.Errorf("a damaged version was restored: %v", err)
	}
	if err := s.RestoreState(ctx, good); err != nil {
		t.Fatal(err)
	}
	if up := b.must("up"); up.Changed() != 0 {
		t.Errorf("the up after it changed %v", up.Changes)
	}
}
