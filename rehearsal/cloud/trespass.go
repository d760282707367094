package cloud

import (
	"fmt"
	"strings"

	"slipway/rehearsal/iam"
)

// What a role that deploys one stack must not be able to do: to open what belongs to another stack of the account, or to destroy what
// the state of its own is kept in. Refused calls of a deployment show rights that are missing; this shows rights that are too wide.

// takeover are actions on a key that give its data away, or destroy it.
var takeover = words("kms:PutKeyPolicy kms:CreateGrant kms:Decrypt kms:ScheduleKeyDeletion kms:DisableKey kms:DeleteAlias")

// destruction are actions on the key of the state, which a deployment itself uses.
var destruction = words("kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:DisableKey")

// vandalism are actions on a bucket that a deployment never does to the one that holds its state.
var vandalism = words("s3:DeleteBucket s3:PutBucketPolicy s3:DeleteBucketPolicy s3:PutBucketVersioning s3:PutLifecycleConfiguration " +
	"s3:PutEncryptionConfiguration s3:PutBucketPublicAccessBlock s3:PutBucketOwnershipControls")

// A Trespass is a right that a role has and must not have.
type Trespass struct {
	Role, Action, Resource string
	By                     string // the statement that allows it
	Why                    string
}

func (t Trespass) String() string {
	return fmt.Sprintf("role %s may %s on %s (%s): %s", t.Role, t.Action, t.Resource, t.By, t.Why)
}

// Trespasses are the rights of a role on what does not belong to its stack. It asks about the keys and buckets that existed before the
// program, which are those of its state, and about a key of another stack.
func (a *Account) Trespasses(role string) ([]Trespass, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var found []Trespass
	ask := func(call Call, adjust func(*iam.Policies), why string) error {
		request, policies, err := a.request(Caller{Role: role}, call)
		if err != nil {
			return err
		}
		if adjust != nil {
			adjust(&policies)
		}
		if d := iam.Decide(request, policies); d.Allowed() {
			found = append(found, Trespass{Role: role, Action: call.Action, Resource: call.Resource, By: strings.Join(d.Reasons(), "; "), Why: why})
		}
		return nil
	}
	// A stack's own tags, with other values.
	foreign := iam.Context{}
	for _, key := range a.list(keyType) {
		if !key.Seeded {
			for name, value := range tagsOf(key) {
				foreign.Set("aws:ResourceTag/"+name, iam.One("other-"+value))
			}
			break
		}
	}
	delegating := func(p *iam.Policies) {
		p.Resource = a.parsed("key of another stack", fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
			"Principal": {"AWS": "arn:%s:iam::%s:root"}, "Action": "kms:*", "Resource": "*"}]}`, a.Partition, a.AccountID))
	}
	for _, action := range takeover {
		call := Call{Action: action, Resource: a.arn("kms", "key/11111111-2222-4333-8444-555555555555"), Context: foreign}
		if err := ask(call, delegating, "the key belongs to another stack"); err != nil {
			return nil, err
		}
	}
	for _, key := range a.list(keyType) {
		if !key.Seeded {
			continue
		}
		for _, action := range destruction {
			call := Call{Action: action, Resource: Inputs(key.Outputs).String("arn"), Context: iam.Context{}}
			a.resourceTags(call.Context, call.Resource, action)
			if err := ask(call, nil, "the key encrypts the state"); err != nil {
				return nil, err
			}
		}
	}
	for _, bucket := range a.list(bucketType) {
		if !bucket.Seeded {
			continue
		}
		arn := Inputs(bucket.Outputs).String("arn")
		for _, action := range vandalism {
			if err := ask(Call{Action: action, Resource: arn}, nil, "the bucket holds the state"); err != nil {
				return nil, err
			}
		}
		if err := ask(Call{Action: "s3:DeleteObjectVersion", Resource: arn + "/.pulumi/history/x.json"}, nil,
			"the versions are the only copies of the state"); err != nil {
			return nil, err
		}
	}
	return found, nil
}
