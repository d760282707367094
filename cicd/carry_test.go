package cicd

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway/internal/image"
)

// A fakeECR is the registries of two accounts, the API that gives their tokens, and AWS's public registry.
type fakeECR struct {
	*testing.T
	mu     sync.Mutex
	calls  []string // "PUT 222222222222 /v2/..."
	tokens []string // regions that were asked for a token
}

const (
	devAccount  = "111111111111.dkr.ecr.us-east-1.amazonaws.com"
	prodAccount = "222222222222.dkr.ecr.eu-west-1.amazonaws.com"
	public      = "public.ecr.aws"
)

func newECR(t *testing.T) *fakeECR {
	e := &fakeECR{T: t}
	registries := map[string]http.Handler{}
	for _, host := range []string{devAccount, prodAccount, public} {
		registries[host] = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	}
	images := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		region := strings.Split(r.Host+"..", ".")[3]
		if user, password, _ := r.BasicAuth(); r.Host != public && (user != "AWS" || password != "token of "+region) {
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		e.mu.Lock()
		e.calls = append(e.calls, r.Method+" "+r.Host[:12]+" "+r.URL.Path)
		e.mu.Unlock()
		registries[r.Host].ServeHTTP(w, r)
	}))
	t.Cleanup(images.Close)
	// Every connection goes to the fake registry, whatever its name.
	before := remote.DefaultTransport
	t.Cleanup(func() { remote.DefaultTransport = before })
	where, err := url.Parse(images.URL)
	if err != nil {
		t.Fatal(err)
	}
	remote.DefaultTransport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, where.Host)
		},
	}

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		region := strings.Split(scope, "/")[2]
		e.mu.Lock()
		e.tokens = append(e.tokens, region)
		e.mu.Unlock()
		json.NewEncoder(w).Encode(map[string]any{"authorizationData": []any{map[string]any{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:token of " + region)),
		}}})
	}))
	t.Cleanup(api.Close)
	t.Setenv("AWS_ENDPOINT_URL", api.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_PROFILE", "")
	return e
}

// signed are options for reading the fake registries.
func (e *fakeECR) signed(reference name.Reference) []remote.Option {
	e.Helper()
	auth, err := signIn(e.Context(), reference.Context().RegistryStr(), "")
	if err != nil {
		e.Fatal(err)
	}
	return []remote.Option{remote.WithAuth(auth)}
}

func (e *fakeECR) push(image remote.Taggable, write func(name.Reference, []remote.Option) error) string {
	e.Helper()
	tag, err := name.NewTag(devAccount + "/slipway-dev/django:build")
	if err != nil {
		e.Fatal(err)
	}
	if err := write(tag, e.signed(tag)); err != nil {
		e.Fatal(err)
	}
	found, err := remote.Head(tag, e.signed(tag)...)
	if err != nil {
		e.Fatal(err)
	}
	return found.Digest.String()
}

func (e *fakeECR) manifest(reference string) string {
	e.Helper()
	r, err := name.ParseReference(reference)
	if err != nil {
		e.Fatal(err)
	}
	found, err := remote.Get(r, e.signed(r)...)
	if err != nil {
		e.Fatal(err)
	}
	return string(found.Manifest)
}

func (e *fakeECR) image() string {
	e.Helper()
	image, err := random.Image(1024, 3)
	if err != nil {
		e.Fatal(err)
	}
	return e.push(image, func(r name.Reference, o []remote.Option) error { return remote.Write(r, image, o...) })
}

const (
	devDjango  = devAccount + "/slipway-dev/django"
	prodDjango = prodAccount + "/slipway-prod/django"
)

func TestImagesAreCopiedBetweenAccountsByteByByte(t *testing.T) {
	for kind, push := range map[string]func(*fakeECR) string{
		"image": (*fakeECR).image,
		"index for two processors": func(e *fakeECR) string {
			index, err := random.Index(1024, 2, 2)
			if err != nil {
				t.Fatal(err)
			}
			return e.push(index.(remote.Taggable), func(r name.Reference, o []remote.Option) error {
				return remote.WriteIndex(r, index, o...)
			})
		},
	} {
		t.Run(kind, func(t *testing.T) {
			e := newECR(t)
			digest := push(e)
			carrier := AWSCarrier{}
			if err := carrier.Carry(t.Context(), devDjango+"@"+digest, prodDjango+"@"+digest, "release-1"); err != nil {
				t.Fatal(err)
			}
			want := e.manifest(devDjango + "@" + digest)
			for _, reference := range []string{prodDjango + "@" + digest, prodDjango + ":release-1"} {
				if got := e.manifest(reference); got != want {
					t.Errorf("%s is\n%s\nwant\n%s", reference, got, want)
				}
			}
			if !slices.Contains(e.tokens, "us-east-1") || !slices.Contains(e.tokens, "eu-west-1") {
				t.Errorf("tokens were requested from %v", e.tokens)
			}
			if err := carrier.Carry(t.Context(), "", prodDjango+"@"+digest, ""); err != nil {
				t.Errorf("it is there, but: %v", err)
			}

			// A second time nothing is sent.
			e.calls = nil
			if err := carrier.Carry(t.Context(), devDjango+"@"+digest, prodDjango+"@"+digest, "release-1"); err != nil {
				t.Fatal(err)
			}
			for _, call := range e.calls {
				if !strings.HasPrefix(call, "GET") && !strings.HasPrefix(call, "HEAD") {
					t.Errorf("again: %s", call)
				}
			}
		})
	}
}

func TestAMissingImageIsReported(t *testing.T) {
	e := newECR(t)
	missing := "sha256:" + strings.Repeat("c", 64)
	err := AWSCarrier{}.Carry(t.Context(), devDjango+"@"+missing, prodDjango+"@"+missing, "release-1")
	if want := devDjango + "@" + missing + " is not in the repository: deploy the release there again"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	err = AWSCarrier{}.Carry(t.Context(), "", prodDjango+"@"+missing, "")
	if want := prodDjango + "@" + missing + " is not in the repository: promote the release again from a stack that has it"; err == nil ||
		err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, call := range e.calls {
		if strings.HasPrefix(call, "PUT") || strings.HasPrefix(call, "POST") {
			t.Errorf("something was sent: %s", call)
		}
	}
}

// containers-roadmap#2380: an image that is deployed again was pushed long ago. A tag keeps it (see lifecycle).
func TestAnImageThatRunsAgainIsKept(t *testing.T) {
	e := newECR(t)
	digest := e.image()
	tag := devDjango + ":" + image.AgainTag(digest)
	for range 2 {
		if err := (AWSCarrier{}).Carry(t.Context(), "", devDjango+"@"+digest, ""); err != nil {
			t.Fatal(err)
		}
		if e.manifest(tag) != e.manifest(devDjango+"@"+digest) {
			t.Error("the tag is of another image")
		}
	}
	// So is one that comes from another stack and was here before.
	if err := (AWSCarrier{}).Carry(t.Context(), devDjango+"@"+digest, prodDjango+"@"+digest, "release-1"); err != nil {
		t.Fatal(err)
	}
	again := prodDjango + ":" + image.AgainTag(digest)
	if r, err := name.ParseReference(again); err != nil {
		t.Fatal(err)
	} else if _, err := remote.Head(r, e.signed(r)...); !absent(err) {
		t.Errorf("a first copy was just pushed, and is kept for ever: %v", err)
	}
	if err := (AWSCarrier{}).Carry(t.Context(), devDjango+"@"+digest, prodDjango+"@"+digest, "release-2"); err != nil {
		t.Fatal(err)
	}
	if e.manifest(again) != e.manifest(prodDjango+"@"+digest) {
		t.Error("the tag is of another image")
	}
}

func TestTagsAreImmutable(t *testing.T) {
	e := newECR(t)
	first, second := e.image(), e.image()
	if err := (AWSCarrier{}).Carry(t.Context(), devDjango+"@"+first, prodDjango+"@"+first, "release-1"); err != nil {
		t.Fatal(err)
	}
	err := AWSCarrier{}.Carry(t.Context(), devDjango+"@"+second, prodDjango+"@"+second, "release-1")
	want := fmt.Sprintf("%s:release-1 is already %s, and tags are immutable; the release is %s", prodDjango, first, second)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestOnlyECRIsAccepted(t *testing.T) {
	e := newECR(t)
	digest := "@sha256:" + strings.Repeat("c", 64)
	err := AWSCarrier{}.Carry(t.Context(), "ghcr.io/a/b"+digest, prodDjango+digest, "release-1")
	if err == nil || err.Error() != "ghcr.io is not an ECR registry" {
		t.Error(err)
	}
	if len(e.calls) > 0 {
		t.Errorf("called %v", e.calls)
	}
}
