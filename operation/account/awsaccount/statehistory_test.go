package awsaccount

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/engine"
	"slipway/internal/awstest"
	"slipway/operation/account"
)

// S3 returns every version of the state, the newest first, and none of another object or of one that was deleted.
func TestStateVersions(t *testing.T) {
	url := awstest.Moto(t, "-m", "moto.server")
	awstest.Point(t, url)
	settings := awsAt(t, url)
	client := s3Client(settings)
	const bucket, key = "slipway-dev-state", ".pulumi/stacks/slipway/dev.json"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	must(err)
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	must(err)
	for _, put := range [][2]string{{key, "one"}, {key + ".bak", "other"}, {key, "two"}, {key, ""}} {
		_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &put[0], Body: strings.NewReader(put[1])})
		must(err)
	}
	a := &Account{args: Args{State: &engine.Backend{URL: engine.S3(bucket, "us-east-1", "")}}, aws: settings}
	read := func(most int) (got []string) {
		t.Helper()
		must(a.StateVersions(t.Context(), key, func(v account.StateVersion) bool {
			if v.ID == "" || v.Written.IsZero() || v.Latest != (len(got) == 0) {
				t.Errorf("version %+v", v)
			}
			got = append(got, string(v.Data))
			return len(got) < most
		}))
		return got
	}
	if got := strings.Join(read(10), ","); got != ",two,one" {
		t.Errorf("the versions are %q", got)
	}
	if got := read(2); len(got) != 2 {
		t.Errorf("it does not stop: %q", got)
	}
	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	must(err)
	if got := read(10); len(got) != 0 {
		t.Errorf("of a state that was deleted there are %q", got)
	}
}
