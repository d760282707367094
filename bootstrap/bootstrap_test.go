package bootstrap

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the bootstrap lets other accounts read.
func TestReadersReadTheRecordAndNothingElse(t *testing.T) {
	f := &Spec{Account: "111111111111", Partition: "aws", Region: "eu-west-1", Bucket: "state"}
	type statement struct {
		Sid, Effect      string
		Principal        map[string]any
		Action, Resource any
		Condition        map[string]map[string]any
	}
	read := func(document string) []statement {
		t.Helper()
		var d struct{ Statement []statement }
		if err := json.Unmarshal([]byte(document), &d); err != nil {
			t.Fatal(err)
		}
		return d.Statement
	}
	secure := statement{"TLSOnly", "Deny", map[string]any{"AWS": "*"}, "s3:*", []any{"arn:aws:s3:::state", "arn:aws:s3:::state/*"},
		map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}}}
	own := statement{"Account", "Allow", map[string]any{"AWS": "arn:aws:iam::111111111111:root"}, "kms:*", "*", nil}
	same := func(what, document string, want ...statement) {
		t.Helper()
		if diff := cmp.Diff(want, read(document)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("the bucket without readers", f.BucketPolicy(), secure)
	same("the key without readers", f.KeyPolicy(), own)

	f.Readers = []string{"222222222222"}
	one := map[string]any{"AWS": "arn:aws:iam::222222222222:root"} // AWS gives a list of one back as its one value
	same("the bucket", f.BucketPolicy(), secure,
		statement{"ReadReleases", "Allow", one, "s3:GetObject", "arn:aws:s3:::state/.slipway/releases/*", nil},
		statement{"FindReleases", "Allow", one, "s3:ListBucket", "arn:aws:s3:::state",
			map[string]map[string]any{"StringLike": {"s3:prefix": ".slipway/releases/*"}}})
	same("the key", f.KeyPolicy(), own,
		statement{"OpenReleases", "Allow", one, "kms:Decrypt", "*",
			map[string]map[string]any{"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}})

	f.Readers = append(f.Readers, "333333333333")
	for _, s := range append(read(f.BucketPolicy())[1:], read(f.KeyPolicy())[1:]...) {
		if diff := cmp.Diff(map[string]any{"AWS": []any{"arn:aws:iam::222222222222:root", "arn:aws:iam::333333333333:root"}},
			s.Principal); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Sid, diff)
		}
	}
}

// TestDocuments holds the policies to documents that were written down: a bootstrap compares them with what an account has,
// so another meaning would change every account that was bootstrapped.
func TestDocuments(t *testing.T) {
	f := &Spec{Account: "111111111111", Partition: "aws-cn", Region: "cn-north-1", Bucket: "state"}
	documents := map[string]string{"bucket.alone": f.BucketPolicy(), "key.alone": f.KeyPolicy()}
	f.Readers = []string{"222222222222", "333333333333"}
	documents["bucket.readers"], documents["key.readers"] = f.BucketPolicy(), f.KeyPolicy()
	for name, got := range documents {
		want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if !SameJSON(string(want), got) {
			t.Errorf("%s is %s, want\n%s", name, got, want)
		}
	}
}
