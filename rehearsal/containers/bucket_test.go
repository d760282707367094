package containers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// A storage library that sends an ACL with each upload fails on a bucket without ACLs
// (https://github.com/lucyparsons/OpenOversight/issues/191).
func TestABucketWithoutACLsRefusesThem(t *testing.T) {
	objects := []*cloud.Object{
		{Type: "aws:s3/bucketV2:BucketV2", Outputs: map[string]any{"bucket": "media"}},
		{Type: "aws:s3/bucketV2:BucketV2", Outputs: map[string]any{"bucket": "old"}},
		{Type: "aws:s3/bucketOwnershipControls:BucketOwnershipControls", Outputs: map[string]any{"bucket": "old",
			"rule": map[string]any{"objectOwnership": "ObjectWriter"}}},
	}
	r := &Run{dir: t.TempDir()}
	r.frozen.Store(&objects)
	endpoint, err := r.buckets()
	if err != nil {
		t.Fatal(err)
	}
	put := func(bucket, acl string) (int, string) {
		t.Helper()
		q := httptest.NewRequest(http.MethodPut, "/"+bucket+"/photo.jpg", strings.NewReader("photo"))
		q.Header.Set("Content-Length", "5")
		if acl != "" {
			q.Header.Set("x-amz-acl", acl)
		}
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, q)
		return w.Code, w.Body.String()
	}
	if code, body := put("media", "public-read"); code != http.StatusBadRequest || !strings.Contains(body, "AccessControlListNotSupported") {
		t.Errorf("public-read on a bucket without ACLs: %d %s", code, body)
	}
	for _, c := range [][2]string{{"media", ""}, {"media", "bucket-owner-full-control"}, {"old", "public-read"}} {
		if code, body := put(c[0], c[1]); code != http.StatusOK {
			t.Errorf("%q on bucket %s: %d %s", c[1], c[0], code, body)
		}
	}
}
