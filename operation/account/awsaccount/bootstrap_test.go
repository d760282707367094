package awsaccount

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"slipway/bootstrap"
)

func document(statements ...map[string]any) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// benchSpec has everything that a bootstrap can create.
func benchSpec() *bootstrap.Spec {
	return &bootstrap.Spec{
		Stack: "bench-local", Account: "123456789012", Partition: "aws", Region: "eu-west-1",
		Bucket: "bench-local-state-123456789012-eu-west-1", Alias: "alias/bench-local-state",
		Boundary: &bootstrap.Policy{Name: "bench-local-boundary", Description: "the most",
			Document: document(map[string]any{"Sid": "Most", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})},
		RolesFor: func(keyARN string) (deploy, read *bootstrap.Role, err error) {
			const issuer = "token.actions.githubusercontent.com"
			role := func(what, part string) *bootstrap.Role {
				return &bootstrap.Role{
					What: what, Name: "bench-local-" + part, Description: part + " of the bench", SessionSeconds: 7200, Issuer: issuer,
					ProviderARN: "arn:aws:iam::123456789012:oidc-provider/" + issuer,
					Trust: document(map[string]any{"Sid": "GitHub", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
						"Principal": map[string]any{"Federated": "arn:aws:iam::123456789012:oidc-provider/" + issuer},
						"Condition": map[string]any{"StringEquals": map[string]any{issuer + ":aud": "sts.amazonaws.com"}}}),
					Policies: []bootstrap.Policy{{Name: "bench-local-" + part + "-state", Description: "its state", Document: document(map[string]any{
						"Sid": "State", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": keyARN})}},
				}
			}
			return role("the deploy role", "deploy"), role("the read role", "read"), nil
		},
	}
}

func TestBootstrapAgainstMoto(t *testing.T) {
	settings := awsAt(t, moto(t))
	settings.Region = "eu-west-1"
	account, spec, ctx := NewBootstrap(settings), benchSpec(), t.Context()
	var result bootstrap.Result
	// apply returns what was done, without the names.
	apply := func() []string {
		t.Helper()
		var err error
		if result, err = spec.Apply(ctx, account); err != nil {
			t.Fatal(err)
		}
		var did []string
		for _, p := range result.Outcomes {
			did = append(did, strings.TrimSuffix(p.Did+" "+p.What+": "+strings.Join(p.Mended, ", "), ": "))
		}
		return did
	}
	bucketIs := func() map[string]bool {
		is := map[string]bool{}
		for _, a := range account.Bucket(spec, result.Key).Settings {
			holds, err := a.Holds(ctx, result.Bucket)
			is[a.Name] = holds && err == nil
		}
		return is
	}

	// The first bootstrap creates everything, the second changes nothing, and a third reverts manual changes.
	want := []string{"made the key", "made the bucket", "made the OIDC provider", "made the deploy role", "made the read role",
		"made the permissions boundary"}
	if diff := cmp.Diff(want, apply()); diff != "" {
		t.Fatalf("the first bootstrap (-want +got):\n%s", diff)
	}
	want = []string{"found the key", "found the bucket", "found the OIDC provider", "found the deploy role", "found the read role",
		"found the permissions boundary"}
	if diff := cmp.Diff(want, apply()); diff != "" {
		t.Errorf("the second bootstrap (-want +got):\n%s", diff)
	}
	boundary := spec.Boundary.Document
	spec.Boundary.Document = strings.Replace(boundary, "s3:GetObject", "s3:*", 1) // a manual change
	apply()
	spec.Boundary.Document = boundary
	bucket := &spec.Bucket
	if _, err := account.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}}); err != nil {
		t.Fatal(err)
	}
	if _, err := account.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	// A lifecycle that only removes old versions.
	if _, err := account.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
		LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{ID: aws.String("old-versions"),
			Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration: &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(90)}}}}}); err != nil {
		t.Fatal(err)
	}
	want[1], want[5] = "mended the bucket: versioning, lifecycle, policy", "mended the permissions boundary: policy bench-local-boundary"
	if diff := cmp.Diff(want, apply()); diff != "" {
		t.Errorf("the bootstrap after manual changes (-want +got):\n%s", diff)
	}
	for what, holds := range bucketIs() {
		if !holds {
			t.Errorf("the bucket's %s is not as it must be", what)
		}
	}
	// One rule that does both is what older versions of bootstrap set.
	if _, err := account.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
		LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{ID: aws.String("old-versions"),
			Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration:    &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(90)},
			AbortIncompleteMultipartUpload: &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)}}}}}); err != nil {
		t.Fatal(err)
	}
	want[1], want[5] = "found the bucket", "found the permissions boundary"
	if diff := cmp.Diff(want, apply()); diff != "" {
		t.Errorf("the bootstrap of a bucket with one lifecycle rule (-want +got):\n%s", diff)
	}
}

// A bucket of that name may belong to any account: S3 answers 403 where the owner is not the one that is expected.
func TestForeignBucketIsNotChanged(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("x-amz-expected-bucket-owner"))
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	account := NewBootstrap(awsAt(t, server.URL))
	f := &bootstrap.Spec{Account: "123456789012", Partition: "aws", Region: "us-east-1", Bucket: "shop-prod-state"}
	_, err := account.Bucket(f, "arn:aws:kms:us-east-1:123456789012:key/k").Apply(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the bucket shop-prod-state: it belongs to another account than 123456789012") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"HEAD 123456789012"}, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
