package containers

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestImagesGoFromOneStackToAnother(t *testing.T) {
	stack := func() *Run {
		r := &Run{dir: t.TempDir(), ctx: t.Context()}
		if err := r.shelve(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for _, s := range r.servers {
				s.Close()
			}
		})
		return r
	}
	dev, prod := stack(), stack()
	image, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(dev.registry() + "/slipway-dev/django:build")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	const ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com/"
	from, to := ecr+"slipway-dev/django@"+digest.String(), ecr+"slipway-prod/django@"+digest.String()

	if err := prod.Bring(t.TempDir(), from, to, "release-1"); err == nil || !strings.Contains(err.Error(), "must be up with --run") {
		t.Errorf("from a stack that is not run: %v", err)
	}
	unknown := strings.Replace(from, "sha256:", "sha256:0000", 1)[:len(from)]
	if err := prod.Bring(dev.dir, unknown, strings.Replace(unknown, "dev", "prod", 1), "release-1"); err == nil ||
		!strings.Contains(err.Error(), "was never built") {
		t.Errorf("an image that was never built: %v", err)
	}
	if prod.Has(to) {
		t.Fatal("it is there before it is brought")
	}
	for range 2 {
		if err := prod.Bring(dev.dir, from, to, "release-1"); err != nil {
			t.Fatal(err)
		}
	}
	if !prod.Has(to) {
		t.Error("it was not brought")
	}
	named, err := name.NewTag(prod.registry() + "/slipway-prod/django:release-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := remote.Head(named); err != nil || got.Digest != digest {
		t.Errorf("its tag names %v, %v, want %s", got, err, digest)
	}
}
