package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// A Neighbour is another account as seen from outside: its images, its buckets, and the policies that allow access to them. It is
// a read-only view of the account's file, which may be in use.
type Neighbour struct {
	AccountID, Partition, Region string

	objects []neighbourly
}

// neighbourly is the visible part of an object. It holds no secrets.
type neighbourly struct {
	Type    string         `json:"type"`
	Inputs  map[string]any `json:"inputs"`
	Outputs map[string]any `json:"outputs"`
}

// Look reads the account stored at path. If there is none, the result is empty.
func Look(path string) (*Neighbour, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Neighbour{}, nil
	}
	if err != nil {
		return nil, err
	}
	var kept struct {
		AccountID string        `json:"accountID"`
		Partition string        `json:"partition"`
		Region    string        `json:"region"`
		Objects   []neighbourly `json:"objects"`
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("the model %s is damaged: %w", path, err)
	}
	return &Neighbour{kept.AccountID, kept.Partition, kept.Region, kept.Objects}, nil
}

// Holds reports whether a repository of the account has an image (registry/repository@digest).
func (n *Neighbour) Holds(reference string) bool {
	return slices.ContainsFunc(n.objects, func(o neighbourly) bool { return o.Type == imageType && o.Outputs["imageUri"] == reference })
}

// pulls are the calls of a pull of an image, apart from signing in.
var pulls = []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}

// MayPull is ECR's answer when an administrator of another account pulls an image: nil if the repository policy allows that
// account.
func (n *Neighbour) MayPull(accountID, reference string) error {
	policy := n.policy("aws:ecr/repositoryPolicy:RepositoryPolicy", "repository", repositoryOf(reference))
	for _, action := range pulls {
		if err := n.evaluate(accountID, policy, access{action: action, named: n.repositoryARN(reference)}); err != nil {
			return err
		}
	}
	return nil
}

func (n *Neighbour) repositoryARN(reference string) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", n.Partition, n.Region, n.AccountID, repositoryOf(reference))
}

func repositoryOf(reference string) string {
	_, repository, _ := splitImage(reference)
	return repository
}

// PullsFrom is AWS's refusal of the calls by which the account's caller pulls an image from an account: both sides must allow them (IAM
// User Guide, "Cross-account policy evaluation logic"), and this is the caller's. nil: its own policies allow them.
func (a *Account) PullsFrom(n *Neighbour, reference string) error {
	calls := []Call{{Action: "ecr:GetAuthorizationToken", Resource: "*"}}
	for _, action := range pulls {
		c := Call{Action: action, Resource: n.repositoryARN(reference), Context: iam.Context{}}
		c.Context.Set("aws:ResourceAccount", iam.One(n.AccountID))
		calls = append(calls, c)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.permittedCalls(calls)
}

// MayRead is S3's answer when an administrator of another account lists and reads the objects under prefix in a bucket: nil if the
// policies of the bucket, and of the key that encrypts it, allow that account.
func (n *Neighbour) MayRead(accountID, bucket, prefix string) error {
	arn := "arn:" + n.Partition + ":s3:::" + bucket
	policy := n.policy("aws:s3/bucketPolicy:BucketPolicy", "bucket", bucket)
	known := map[string]string{"aws:SecureTransport": "true", "s3:prefix": prefix}
	for _, request := range []access{
		{action: "s3:ListBucket", resource: arn, named: arn, known: known},
		{action: "s3:GetObject", resource: arn + "/" + prefix + "x", named: arn + "/" + prefix + "*", known: known},
	} {
		if err := n.evaluate(accountID, policy, request); err != nil {
			return err
		}
	}
	for _, o := range n.objects {
		if o.Type != "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2" ||
			o.Inputs["bucket"] != bucket {
			continue
		}
		for _, rule := range Inputs(o.Inputs).Maps("rules") {
			key := rule.String("applyServerSideEncryptionByDefault.kmsMasterKeyId")
			if key == "" {
				continue
			}
			decrypt := access{action: "kms:Decrypt", resource: key, named: key,
				known: map[string]string{"kms:ViaService": "s3." + n.Region + ".amazonaws.com"}}
			if err := n.evaluate(accountID, n.policy(keyType, "arn", key), decrypt); err != nil {
				return err
			}
		}
	}
	return nil
}

// policy is the policy of the object with this type and name.
func (n *Neighbour) policy(kind, key, name string) []statement {
	for _, o := range n.objects {
		if o.Type == kind && (o.Inputs[key] == name || o.Outputs[key] == name) {
			return documentOf(documentText(o.Inputs, "policy"))
		}
	}
	return nil
}

// An access is what another account wants to do.
type access struct {
	action   string
	resource string            // what the statements must name; "" for policies without resources
	named    string            // how AWS's message names it
	known    map[string]string // the condition keys whose values are known
}

// evaluate evaluates a resource-based policy for another account as a whole; that account's IAM policies then decide who in it has
// access.
func (n *Neighbour) evaluate(accountID string, policy []statement, request access) error {
	root := "arn:" + n.Partition + ":iam::" + accountID + ":root"
	allowed, denied := false, false
	for _, s := range policy {
		means := func(name string) bool { return name == "*" || name == accountID || name == root }
		if !slices.ContainsFunc(append(s.principals["AWS"], s.principals["*"]...), means) || !anyMatch(s.actions, request.action) ||
			!s.holds(request.known) {
			continue
		}
		if request.resource != "" && !slices.ContainsFunc(s.resources, func(p string) bool { return iam.Glob(p, request.resource) }) {
			continue
		}
		denied = denied || s.deny
		allowed = allowed || !s.deny
	}
	if allowed && !denied {
		return nil
	}
	service, _, _ := strings.Cut(request.action, ":")
	because := "no resource-based policy allows the " + request.action + " action"
	if denied {
		because = "a resource-based policy denies it"
	}
	code, status := "AccessDeniedException", http.StatusBadRequest
	if service == "s3" {
		code, status = "AccessDenied", http.StatusForbidden
	}
	return &Error{
		Code: code, Action: request.action, Status: status,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because %s",
			root, request.action, request.named, because),
		Why: "it belongs to account " + n.AccountID + ", whose resource policy must allow account " + accountID,
	}
}
