package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"slipway/internal/bucket/hardening"
	"slipway/internal/policy"
	"slipway/release"
)

// A Spec is what an account needs before a stack can be deployed to it: a bucket for the engine's state, a key that encrypts
// the state and the secrets in it, and, if workflows deploy, the account's OIDC provider for GitHub, one or two roles, and
// the permissions boundary of the roles that the deploy role may create.
type Spec struct {
	Stack                      string // project-stack, for descriptions
	Account, Partition, Region string
	Bucket                     string // versioned, private, TLS only
	Alias                      string // of the key: alias/project-stack-state

	// Owner says which project this is, as the value of a tag: its computer and folder. What bootstrap creates keeps it, so that
	// a second project of the same name in the account is noticed. "": it is not checked.
	Owner string
	// KeyARN is the key that the stack's file names: such a key is the stack's own, wherever it was bootstrapped.
	KeyARN string

	// Readers are other accounts that may read the record of the stack's releases, so that these can be promoted to them,
	// and nothing else of the state. Each account's IAM decides which of its principals may.
	Readers []string

	// ServiceRoles are the services whose service-linked roles the stack needs.
	ServiceRoles []string

	// RolesFor returns the roles of workflows, whose policies name the key: the one that deploys and the one that only looks.
	// A nil one is not made. Nil: no workflow does either.
	RolesFor func(keyARN string) (deploy, read *Role, err error)

	// Boundary is the permissions boundary of all other roles of the stack. It is created with the deploy role.
	Boundary *Policy
}

// A Role is a role of the workflows of a stack. Documents are JSON.
type Role struct {
	What              string // "the deploy role"
	Name, Description string
	SessionSeconds    int32
	Issuer            string // of the tokens, without https://
	ProviderARN       string
	Trust             string
	Policies          []Policy
	ARN               string // that the stack's file names; "" before the first bootstrap
}

// A Policy is a managed policy of a role.
type Policy struct{ Name, Description, Document string }

// Hardening are the settings of the bucket, whose objects are encrypted with the key.
func (f *Spec) Hardening() hardening.Bucket { return hardening.Settings(true) }

// An Account is where a Spec is applied: it says how each resource is found, created and set.
type Account interface {
	Key(f *Spec) Resource
	Bucket(f *Spec, keyARN string) Resource
	ServiceRole(f *Spec, service string) Resource
	Provider(f *Spec, trusted *Role) Resource // what the role trusts
	Role(f *Spec, role *Role) Resource
	Boundary(f *Spec) Resource
}

// A Resource is one resource of a Spec.
type Resource struct {
	What string // "the bucket"
	Name string

	Find func(ctx context.Context) (id string, err error) // "" if there is none; an error if it belongs to another owner
	Make func(ctx context.Context) (id string, err error)
	// Owner gives the Owner of the Spec that created it, "" if it has none. Nil: projects share it.
	Owner func(ctx context.Context, id string) (string, error)

	// Settings are applied in this order, whether the resource is new or was found.
	Settings []Setting
}

// A Setting is one setting of a resource.
type Setting struct {
	Name  string // "versioning"
	Holds func(ctx context.Context, id string) (bool, error)
	Set   func(ctx context.Context, id string) error
}

// An Outcome is what was done for one resource.
type Outcome struct {
	What   string   `json:"what"`
	ID     string   `json:"id"`
	Did    string   `json:"did"`              // "made", "found" or "mended"
	Mended []string `json:"mended,omitempty"` // the settings that were wrong
}

func (p Outcome) String() string {
	words := fmt.Sprintf("%-6s  %s %s", p.Did, p.What, p.ID)
	for i, m := range p.Mended {
		words += map[bool]string{true: ": ", false: ", "}[i == 0] + m
	}
	return words
}

// Apply finds or creates a resource and applies its settings. It can be repeated at any time: it completes what an
// interrupted run left, and reverts manual changes.
func (t Resource) Apply(ctx context.Context) (Outcome, error) {
	p := Outcome{What: t.What, Did: "found"}
	var err error
	if p.ID, err = t.Find(ctx); err == nil && p.ID == "" {
		p.Did = "made"
		if p.ID, err = t.Make(ctx); errors.Is(err, ErrFound) && p.ID != "" {
			p.Did, err = "found", nil
		}
	}
	if err != nil {
		return p, fmt.Errorf("%s %s: %w", t.What, t.Name, err)
	}
	for _, a := range t.Settings {
		holds, err := a.Holds(ctx, p.ID)
		if err == nil && !holds {
			if p.Did == "found" {
				p.Did = "mended"
			}
			if p.Did == "mended" {
				p.Mended = append(p.Mended, a.Name)
			}
			err = a.Set(ctx, p.ID)
		}
		if err != nil {
			return p, fmt.Errorf("%s %s: %s: %w", t.What, t.Name, a.Name, err)
		}
	}
	return p, nil
}

// A Result names every resource of a Spec.
type Result struct {
	Bucket   string    `json:"bucket"`
	Key      string    `json:"key"`                // ARN
	Provider string    `json:"provider,omitempty"` // ARN
	Role     string    `json:"role,omitempty"`     // ARN of the deploy role
	ReadRole string    `json:"readRole,omitempty"` // ARN
	Boundary string    `json:"boundary,omitempty"` // ARN
	Outcomes []Outcome `json:"pieces"`

	ServiceRoles []string `json:"serviceRoles"` // ARNs
}

// Apply creates and sets everything. After an error the Result holds what was done before it.
func (f *Spec) Apply(ctx context.Context, account Account) (Result, error) {
	var result Result
	apply := func(t Resource, id *string, known string) error {
		p, err := f.own(t, known).Apply(ctx)
		if err != nil {
			return err
		}
		*id, result.Outcomes = p.ID, append(result.Outcomes, p)
		return nil
	}
	if err := apply(account.Key(f), &result.Key, f.KeyARN); err != nil {
		return result, err
	}
	if err := apply(account.Bucket(f, result.Key), &result.Bucket, ""); err != nil {
		return result, err
	}
	result.ServiceRoles = make([]string, len(f.ServiceRoles))
	for i, service := range f.ServiceRoles {
		if err := apply(account.ServiceRole(f, service), &result.ServiceRoles[i], ""); err != nil {
			return result, err
		}
	}
	if f.RolesFor == nil {
		return result, nil
	}
	deploy, read, err := f.RolesFor(result.Key)
	if err != nil {
		return result, err
	}
	for _, r := range []struct {
		role *Role
		id   *string
	}{{deploy, &result.Role}, {read, &result.ReadRole}} {
		if r.role == nil {
			continue
		}
		if result.Provider == "" {
			if err := apply(account.Provider(f, r.role), &result.Provider, ""); err != nil {
				return result, err
			}
		}
		if err := apply(account.Role(f, r.role), r.id, r.role.ARN); err != nil {
			return result, err
		}
	}
	if deploy == nil || f.Boundary == nil {
		return result, nil
	}
	return result, apply(account.Boundary(f), &result.Boundary, "")
}

// PolicyARN is the ARN of a managed policy of the Spec.
func (f *Spec) PolicyARN(p Policy) string {
	return "arn:" + f.Partition + ":iam::" + f.Account + ":policy/" + p.Name
}

// BucketPolicy refuses requests without TLS, and lets Readers read the releases.
func (f *Spec) BucketPolicy() string {
	bucket := "arn:" + f.Partition + ":s3:::" + f.Bucket
	statements := []policy.Statement{policy.TLSOnly("s3", bucket, bucket+"/*")}
	if len(f.Readers) > 0 {
		readers := policy.AccountRoots(f.Partition, f.Readers...)
		statements = append(statements, policy.Statement{
			Sid: "ReadReleases", Principals: readers, Actions: []string{"s3:GetObject"},
			Resources: []any{bucket + "/" + release.LedgerRoot + "*"},
		}, policy.Statement{
			Sid: "FindReleases", Principals: readers, Actions: []string{"s3:ListBucket"}, Resources: []any{bucket},
			Conditions: policy.Conditions{"StringLike": {"s3:prefix": release.LedgerRoot + "*"}},
		})
	}
	return document(statements...)
}

// KeyPolicy leaves it to the account's IAM who may use the key. Readers may use it through S3 alone: it opens to them what
// the bucket lets them read, and never a secret in the state, which is decrypted by a call to KMS itself.
func (f *Spec) KeyPolicy() string {
	statements := []policy.Statement{{
		Sid: "Account", Principals: policy.AccountRoots(f.Partition, f.Account), Actions: []string{"kms:*"}, Resources: []any{"*"},
	}}
	if len(f.Readers) > 0 {
		statements = append(statements, policy.Statement{
			Sid: "OpenReleases", Principals: policy.AccountRoots(f.Partition, f.Readers...), Actions: []string{"kms:Decrypt"},
			Resources:  []any{"*"},
			Conditions: policy.Conditions{"StringEquals": {"kms:ViaService": "s3." + f.Region + ".amazonaws.com"}},
		})
	}
	return document(statements...)
}

// KeyDescription describes the key. It identifies the key of a run that was killed before the key had its alias.
func (f *Spec) KeyDescription() string {
	return f.Stack + ": state of Pulumi, and the secrets in it"
}

func document(statements ...policy.Statement) string {
	text, err := policy.JSON(statements...)
	if err != nil {
		panic(err) // every value above is a plain string
	}
	return text
}

// SameJSON reports whether two JSON documents are equal.
func SameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
