package cicd

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	official = public + "/docker/library/postgres:17"
	ownPsql  = prodAccount + "/slipway-prod/psql:17"
)

// publish pushes an index with an image for each platform to the public registry, and returns the digests of the images.
func (e *fakeECR) publish(platforms ...v1.Platform) map[string]string {
	e.Helper()
	index, digests := v1.ImageIndex(empty.Index), map[string]string{}
	for _, p := range platforms {
		image, err := random.Image(512, 2)
		if err != nil {
			e.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			e.Fatal(err)
		}
		digests[p.String()] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &p}})
	}
	tag, err := name.NewTag(official)
	if err != nil {
		e.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		e.Fatal(err)
	}
	e.calls = nil
	return digests
}

// As Docker's official images: several processors, and an attestation for each.
var (
	amd64       = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64       = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	s390x       = v1.Platform{OS: "linux", Architecture: "s390x"}
	attestation = v1.Platform{OS: "unknown", Architecture: "unknown"}
)

func (e *fakeECR) sent() (sent []string) {
	for _, call := range e.calls {
		if !strings.HasPrefix(call, "GET") && !strings.HasPrefix(call, "HEAD") {
			sent = append(sent, call)
		}
	}
	return sent
}

func TestPsqlIsCopiedForPeoplesMachines(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	e := newECR(t)
	digests := e.publish(amd64, s390x, arm64, attestation)
	if err := (AWSCarrier{}).Mirror(t.Context(), official, ownPsql); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(ownPsql)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag, e.signed(tag)...)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	copied := map[string]string{}
	for _, m := range manifest.Manifests {
		copied[m.Platform.String()] = m.Digest.String()
		if _, err := remote.Image(tag.Context().Digest(m.Digest.String()), e.signed(tag)...); err != nil {
			t.Errorf("the image for %s is not there: %v", m.Platform, err)
		}
	}
	want := map[string]string{"linux/amd64": digests["linux/amd64"], "linux/arm64/v8": digests["linux/arm64/v8"]}
	if !maps.Equal(copied, want) {
		t.Errorf("copied are %v, want %v of %v", copied, want, digests)
	}
	for _, other := range []string{"linux/s390x", "unknown/unknown"} {
		digest := tag.Context().Digest(digests[other])
		if _, err := remote.Head(digest, e.signed(digest)...); !absent(err) {
			t.Errorf("%s is there too: %v", other, err)
		}
	}

	// The tag of the source moves, and nothing is copied, or asked for, because the tag is there.
	e.publish(amd64, arm64)
	before := e.manifest(ownPsql)
	e.calls = nil
	if err := (AWSCarrier{}).Mirror(t.Context(), official, ownPsql); err != nil {
		t.Fatal(err)
	}
	if sent := e.sent(); len(sent) > 0 || e.manifest(ownPsql) != before {
		t.Errorf("a second time it sends %q", sent)
	}
	if slices.ContainsFunc(e.calls, func(call string) bool { return strings.Contains(call, "docker/library") }) {
		t.Errorf("a second time it asks the source: %q", e.calls)
	}
}

// A cut network reaches every registry but one.
type cut struct {
	http.RoundTripper
	host string
}

func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == c.host {
		return nil, errors.New("no route to host")
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestASourceThatCannotBeCopiedSendsNothing(t *testing.T) {
	for _, c := range []struct {
		what    string
		prepare func(*fakeECR)
		want    string
	}{
		{"no such image", func(*fakeECR) {}, "NAME_UNKNOWN"},
		{"no such host", func(*fakeECR) { remote.DefaultTransport = cut{remote.DefaultTransport, public} }, "no route to host"},
		{"one processor", func(e *fakeECR) { e.publish(amd64, attestation) },
			"it has no image for linux/arm64: copy all of the official image there"},
		{"a single image", func(e *fakeECR) {
			image, err := random.Image(512, 1)
			if err != nil {
				e.Fatal(err)
			}
			tag, err := name.NewTag(official)
			if err != nil {
				e.Fatal(err)
			}
			if err := remote.Write(tag, image); err != nil {
				e.Fatal(err)
			}
		}, "it is for one processor only"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Setenv("DOCKER_CONFIG", t.TempDir())
			e := newECR(t)
			c.prepare(e)
			e.calls = nil
			if err := (AWSCarrier{}).Mirror(t.Context(), official, ownPsql); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if sent := e.sent(); len(sent) > 0 {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

// A company's copy may need a login, which the docker command of this machine has.
func TestTheSourceIsReadWithTheLoginOfDocker(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("DOCKER_CONFIG", folder)
	e := newECR(t)
	from := devAccount + "/slipway-dev/django:build"
	e.image()
	err := AWSCarrier{}.Mirror(t.Context(), from, ownPsql)
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a login: %v", err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte("AWS:token of us-east-1"))
	settings := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, devAccount, auth)
	if err := os.WriteFile(filepath.Join(folder, "config.json"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	err = AWSCarrier{}.Mirror(t.Context(), from, ownPsql)
	if err == nil || !strings.Contains(err.Error(), "it is for one processor only") {
		t.Errorf("with a login it is read: %v", err)
	}
}
