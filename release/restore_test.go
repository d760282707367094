package release

import (
	"bytes"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A state that was cut short is refused by everything, and one that can be read is found among its versions and restored.
func (b *sharedBench) restored(t *testing.T) {
	ctx := t.Context()
	const key = ".pulumi/stacks/bench/local.json"
	good := b.everything()[key]
	write := func(data []byte) {
		t.Helper()
		if _, err := b.ground.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.laid.Bucket, Key: aws.String(key), Body: bytes.NewReader(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.open().Restorable(ctx); !errors.Is(err, ErrSound) {
		t.Errorf("a sound state: %v", err)
	}

	write(good[:len(good)/2])
	write(nil)
	if _, err := b.open().Up(ctx, nil); err == nil {
		t.Error("an up went on with a damaged state")
	}
	s := b.open()
	v, err := s.Restorable(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if v.Newer != 2 || v.Resources == 0 || !bytes.Equal(v.data, good) {
		t.Errorf("found %+v, want the version before the two that are damaged", v)
	}
	if data := b.everything()[key]; len(data) != 0 {
		t.Error("looking for a version changed the state")
	}
	if err := s.RestoreState(ctx, v); err != nil {
		t.Fatal(err)
	}
	if up := b.must("up"); up.Changed() != 0 {
		t.Errorf("the up after it changed %v", up.Changes)
	}

	// A state that was deleted is not damaged, and one that was never sound cannot be restored.
	if _, err := b.ground.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.laid.Bucket, Key: aws.String(key)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.open().Restorable(ctx); !errors.Is(err, ErrNoStack) {
		t.Errorf("a state that was deleted: %v", err)
	}
	write(good)
	never := b.open()
	never.Stack = "never"
	b.put(".pulumi/stacks/bench/never.json", "nonsense")
	if v, err := never.Restorable(ctx); err == nil {
		t.Errorf("found %+v of a stack that was never sound", v)
	}
	if err := never.Break(ctx, []Lock{{Key: ".pulumi/stacks/bench/never.json"}}); err != nil {
		t.Fatal(err)
	}
}
