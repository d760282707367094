package bucket

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

func declare(t *testing.T, args Args) graph.Graph {
	t.Helper()
	args.Site.Project, args.Site.Stack = "slipway", "test"
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		_, err := New(ctx, "media", &args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// statements are a bucket's policy by Sid.
func statements(t *testing.T, g graph.Graph, bucket string) map[string]map[string]any {
	t.Helper()
	text, _ := g.Named("aws:s3/bucketPolicy:BucketPolicy", bucket+"-policy").Input("policy").(string)
	var document struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	all := map[string]map[string]any{}
	for _, s := range document.Statement {
		all[s["Sid"].(string)] = s
	}
	return all
}

func TestABucketIsClosedToOtherAccounts(t *testing.T) {
	g := declare(t, Args{Part: "media"})
	block := g.Named("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "media-block")
	for _, input := range []string{"blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets"} {
		if block.Input(input) != true {
			t.Errorf("%s is %v", input, block.Input(input))
		}
	}
	if owner := g.Named("aws:s3/bucketOwnershipControls:BucketOwnershipControls",
		"media-owner").Input("rule.objectOwnership"); owner != "BucketOwnerEnforced" {
		t.Errorf("ACLs count: object ownership is %v", owner)
	}
	want := map[string]any{
		"Sid": "TLSOnly", "Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*",
		"Resource": []any{
			"arn:aws:s3:us-east-1:123456789012:bucketV2/media",
			"arn:aws:s3:us-east-1:123456789012:bucketV2/media/*",
		},
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
	}
	if diff := cmp.Diff(want, statements(t, g, "media")["TLSOnly"]); diff != "" {
		t.Errorf("plain HTTP is not refused (-want +got):\n%s", diff)
	}
}

func TestABucketIsEncryptedWithItsKeyOrS3s(t *testing.T) {
	encryption := func(args Args) any {
		rules, _ := declare(t, args).Named("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
			"media-encryption").Input("rules").([]any)
		if len(rules) != 1 {
			t.Fatalf("rules are %v", rules)
		}
		return rules[0]
	}
	key := map[string]any{"bucketKeyEnabled": true, "applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms",
		"kmsMasterKeyId": "the-key"}}
	if diff := cmp.Diff(any(key), encryption(Args{Part: "media", KeyARN: pulumi.String("the-key")})); diff != "" {
		t.Errorf("with a key (-want +got):\n%s", diff)
	}
	none := map[string]any{"bucketKeyEnabled": false, "applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "AES256"}}
	if diff := cmp.Diff(any(none), encryption(Args{Part: "media"})); diff != "" {
		t.Errorf("without a key (-want +got):\n%s", diff)
	}
}

func TestDeletedObjectsCanBeRestored(t *testing.T) {
	g := declare(t, Args{Part: "media", Rules: []s3.BucketLifecycleConfigurationV2RuleInput{
		&s3.BucketLifecycleConfigurationV2RuleArgs{Id: pulumi.String("own"), Status: pulumi.String("Enabled")},
	}})
	if status := g.Named("aws:s3/bucketVersioningV2:BucketVersioningV2",
		"media-versions").Input("versioningConfiguration.status"); status != "Enabled" {
		t.Errorf("versioning is %v", status)
	}
	rules, _ := g.Named("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "media-lifecycle").Input("rules").([]any)
	all := graph.Resource{Inputs: map[string]any{}}
	for _, rule := range rules {
		rule := rule.(map[string]any)
		all.Inputs[rule["id"].(string)] = rule
	}
	if days := all.Input("old-versions.noncurrentVersionExpiration.noncurrentDays"); days != 90.0 {
		t.Errorf("old versions are kept for %v days", days)
	}
	if days := all.Input("broken-uploads.abortIncompleteMultipartUpload.daysAfterInitiation"); days != 7.0 {
		t.Errorf("broken uploads are kept for %v days", days)
	}
	if all.Input("delete-markers.expiration.expiredObjectDeleteMarker") != true || all.Input("delete-markers.expiration.days") != nil {
		t.Errorf("delete markers stay for ever: %v", all.Input("delete-markers"))
	}
	if all.Input("own.status") != "Enabled" {
		t.Error("the bucket's own rule is lost")
	}
}

func TestAProtectedStackKeepsItsBuckets(t *testing.T) {
	for _, protect := range []bool{true, false} {
		b := declare(t, Args{Part: "media", Site: wiring.Site{Protect: protect}}).Named("aws:s3/bucketV2:BucketV2", "media")
		if b.Protect != protect || b.Input("forceDestroy") != !protect {
			t.Errorf("protect %v: protected by the engine %v, emptied on destroy %v", protect, b.Protect, b.Input("forceDestroy"))
		}
	}
}

func TestAccessIsLoggedToABucketThatAllowsIt(t *testing.T) {
	site := wiring.Site{Project: "slipway", Stack: "test"}
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		access, err := New(ctx, "access", &Args{Site: site, Part: "access", Delivery: func(arn pulumi.StringOutput) []policy.Statement {
			return []policy.Statement{{Sid: "Deliver", Actions: []string{"s3:PutObject"}, Resources: []any{pulumi.Sprintf("%s/s3/*", arn)}}}
		}})
		if err != nil {
			return err
		}
		_, err = New(ctx, "media", &Args{Site: site, Part: "media", AccessLogs: access})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := statements(t, g, "access"); s["Deliver"] == nil || s["TLSOnly"] == nil {
		t.Errorf("the bucket of access logs has the statements %v", s)
	}
	if _, media := statements(t, g, "media")["Deliver"]; media {
		t.Error("media is delivered to as well")
	}
	logging := g.Of("aws:s3/bucketLoggingV2:BucketLoggingV2")
	if len(logging) != 1 || logging[0].Name != "media-access" || logging[0].Input("targetBucket") != "access-bucket" {
		t.Fatalf("access is logged by %v", logging)
	}
	if !slices.Contains(logging[0].DependsOn, "access-policy") {
		t.Errorf("S3 would reject a target whose policy does not allow it yet: %v", logging[0].DependsOn)
	}
}

func TestANamePrefixThatS3WouldReject(t *testing.T) {
	args := &Args{Site: wiring.Site{Project: "slipway", Stack: "test"}, Part: strings.Repeat("x", 30)}
	_, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		_, err := New(ctx, "media", args)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "at most 37 characters, got 44") {
		t.Errorf("error is %v", err)
	}
}
