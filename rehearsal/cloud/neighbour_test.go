package cloud

import (
	"path/filepath"
	"strings"
	"testing"
)

const neighbour, stranger = "222222222222", "333333333333"

// A statement in the other account that allows the neighbour something.
func lets(sid, action string, more map[string]any) map[string]any {
	s := map[string]any{"Sid": sid, "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::" + neighbour +
		":root"}, "Action": action}
	for key, value := range more {
		s[key] = value
	}
	return s
}

func written(statements ...map[string]any) string {
	return jsonText(map[string]any{"Version": "2012-10-17", "Statement": statements})
}

func TestARepositoryAllowsAnotherAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	if n, err := Look(path); err != nil || n.AccountID != "" {
		t.Errorf("an account that does not exist is %+v, %v", n, err)
	}
	a, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	image := a.imageRegistry() + "/app@" + digest
	may := func(account string) error {
		t.Helper()
		n, err := Look(path)
		if err != nil {
			t.Fatal(err)
		}
		return n.MayPull(account, image)
	}
	create(t, a, repositoryType, "app", map[string]any{"name": "app"})
	if err := may(neighbour); err == nil || !strings.Contains(err.Error(),
		"AccessDeniedException: User: arn:aws:iam::222222222222:root is not authorized to perform: "+
			"ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:123456789012:repository/app because no resource-based policy allows the "+
			"ecr:BatchGetImage action") {
		t.Errorf("a repository without a policy: %v", err)
	}
	half := written(lets("Half", "ecr:BatchGetImage", nil))
	create(t, a, "aws:ecr/repositoryPolicy:RepositoryPolicy", "app", map[string]any{"repository": "app", "policy": half})
	if err := may(neighbour); err == nil || !strings.Contains(err.Error(), "ecr:GetDownloadUrlForLayer") {
		t.Errorf("a pull without access to the layers: %v", err)
	}
	err = a.Alter("aws:ecr/repositoryPolicy:RepositoryPolicy", "app", func(o *Object) {
		o.Inputs["policy"] = written(lets("Whole", "ecr:*", nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := may(neighbour); err != nil {
		t.Error(err)
	}
	if err := may(stranger); err == nil {
		t.Error("an account that is not named may pull")
	}
}

func TestABucketAllowsAnotherAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	a, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	const arn, prefix = "arn:aws:s3:::state", ".slipway/releases/slipway/dev/"
	root := map[string]any{"Sid": "Account", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::123456789012:root"},
		"Action": "kms:*", "Resource": "*"}
	secure := map[string]any{"Sid": "TLSOnly", "Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*",
		"Resource": []any{arn, arn + "/*"}, "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}
	find := lets("Find", "s3:ListBucket", map[string]any{"Resource": arn,
		"Condition": map[string]any{"StringLike": map[string]any{"s3:prefix": ".slipway/releases/*"}}})
	read := lets("Read", "s3:GetObject", map[string]any{"Resource": arn + "/.slipway/releases/*"})
	open := lets("Open", "kms:Decrypt", map[string]any{"Resource": "*",
		"Condition": map[string]any{"StringEquals": map[string]any{"kms:ViaService": "s3.us-east-1.amazonaws.com"}}})
	elsewhere := lets("Open", "kms:Decrypt", map[string]any{"Resource": "*",
		"Condition": map[string]any{"StringEquals": map[string]any{"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}})

	key := create(t, a, keyType, "state", map[string]any{"description": "state", "policy": written(root)})
	create(t, a, bucketType, "state", map[string]any{"bucket": "state"})
	create(t, a, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "state",
		map[string]any{"bucket": "state",
			"rules": []any{map[string]any{"applyServerSideEncryptionByDefault": map[string]any{"sseAlgorithm": "aws:kms",
				"kmsMasterKeyId": key.Outputs["arn"]}}}})
	bucket := create(t, a, "aws:s3/bucketPolicy:BucketPolicy", "state", map[string]any{"bucket": "state", "policy": written(secure)})

	for _, c := range []struct {
		name            string
		bucket, key     string
		account, prefix string
		want            string // "": it may
	}{
		{"no principal", written(secure), written(root), neighbour, prefix,
			"s3:ListBucket on resource: arn:aws:s3:::state because no resource-based policy allows"},
		{"listing alone", written(secure, find), written(root, open), neighbour, prefix,
			"s3:GetObject on resource: arn:aws:s3:::state/.slipway/releases/slipway/dev/*"},
		{"reading alone", written(secure, read), written(root, open), neighbour, prefix, "s3:ListBucket"},
		{"without the key", written(secure, find, read), written(root), neighbour, prefix, "kms:Decrypt"},
		{"the key through another service", written(secure, find, read), written(root, elsewhere), neighbour, prefix, "kms:Decrypt"},
		{"all three", written(secure, find, read), written(root, open), neighbour, prefix, ""},
		{"the state beside the record", written(secure, find, read), written(root, open), neighbour, ".pulumi/stacks/", "s3:ListBucket"},
		{"another account", written(secure, find, read), written(root, open), stranger, prefix, "s3:ListBucket"},
		{"a condition that the request does not meet", written(secure, find, lets("Read", "s3:GetObject", map[string]any{
			"Resource": arn + "/*", "Condition": map[string]any{"StringEquals": map[string]any{"aws:PrincipalOrgID": "o-1234567890"}}})),
			written(root, open), neighbour, prefix, "s3:GetObject"},
		{"a wider denial", written(secure, find, read, map[string]any{"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
			"Resource": arn + "/*"}),
			written(root, open), neighbour, prefix, "because a resource-based policy denies it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, change := range map[string][2]string{"aws:s3/bucketPolicy:BucketPolicy": {bucket.ID, c.bucket}, keyType: {key.ID, c.key}} {
				if err := a.Alter(kind, change[0], func(o *Object) { o.Inputs["policy"] = change[1] }); err != nil {
					t.Fatal(err)
				}
			}
			n, err := Look(path)
			if err != nil {
				t.Fatal(err)
			}
			err = n.MayRead(c.account, "state", c.prefix)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
