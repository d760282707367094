package containers

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/spf13/afero"

	"slipway/rehearsal/cloud"
)

// buckets is the S3 endpoint: gofakes3 over a folder. It serves only buckets that exist in the account.
func (r *Run) buckets() (http.Handler, error) {
	dir := filepath.Join(r.dir, "s3")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	backend, err := s3afero.MultiBucket(afero.NewBasePathFs(afero.NewOsFs(), dir))
	if err != nil {
		return nil, err
	}
	s3 := gofakes3.New(lister{backend}, gofakes3.WithTimeSkewLimit(0)).Server()
	var made sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
		if r.find("aws:s3/bucketV2:BucketV2", "bucket", name) == nil && r.find("aws:s3/bucket:Bucket", "bucket", name) == nil {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>")
			return
		}
		if _, known := made.LoadOrStore(name, true); !known {
			if err := backend.CreateBucket(name); err != nil && !gofakes3.IsAlreadyExists(err) {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		if acl := q.Header.Get("x-amz-acl"); acl != "" && acl != "bucket-owner-full-control" && r.ownerEnforced(name) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>AccessControlListNotSupported</Code><Message>The bucket does not allow ACLs</Message></Error>")
			return
		}
		s3.ServeHTTP(w, q)
	}), nil
}

// ownerEnforced reports whether a bucket has no ACLs, as every bucket without a setting for it (S3 User Guide, "Controlling ownership of
// objects and disabling ACLs for your bucket").
func (r *Run) ownerEnforced(bucket string) bool {
	o := r.find("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "bucket", bucket)
	return o == nil || cloud.Inputs(o.Outputs).String("rule.objectOwnership") == "BucketOwnerEnforced"
}

// A lister is the folder's backend, but lists a prefix without objects as empty: gofakes3 mistakes a missing folder for a missing
// bucket.
type lister struct{ *s3afero.MultiBucketBackend }

func (l lister) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	list, err := l.MultiBucketBackend.ListBucket(name, prefix, page)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchBucket) {
		if there, _ := l.BucketExists(name); there {
			return gofakes3.NewObjectList(), nil
		}
	}
	return list, err
}

// object is the file of an object in a bucket.
func (r *Run) object(bucket, key string) string {
	return filepath.Join(r.dir, "s3", "buckets", bucket, filepath.FromSlash(key))
}

// awsSettings point the AWS SDKs in a container to the S3 endpoint. The keys are not real.
func (r *Run) awsSettings() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_S3":              "http://" + net.JoinHostPort(r.gateway, fmt.Sprint(r.kept.Bucket)),
		"AWS_ACCESS_KEY_ID":                "rehearsal",
		"AWS_SECRET_ACCESS_KEY":            "rehearsal",
		"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
	}
}
