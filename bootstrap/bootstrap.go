package release

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// A Foundation is what must lie in an account before a stack can be deployed to it from anywhere: a bucket for the
// engine's state, a key that encrypts it and the secrets in it, and, where workflows are to deploy, the account's OIDC
// provider for GitHub, a role, or two, and the boundary of the roles that the first may make.
type Foundation struct {
	Stack                      string // project-stack, for descriptions
	Account, Partition, Region string
	Bucket                     string // versioned, private, TLS only
	Alias                      string // of the key: alias/project-stack-state

	// Readers are other accounts that may read the record of the stack's releases, so that these can be promoted to them,
	// and nothing else of the state. Each decides by its own IAM who there.
	Readers []string

	// RolesFor gives the roles of workflows, whose policies name the key: the one that deploys and the one that only looks.
	// A nil one is not made. Nil: no workflow does either.
	RolesFor func(keyARN string) (deploy, read *Role, err error)

	// Boundary is the permissions boundary of all other roles of the stack. It is laid with the role that deploys.
	Boundary *RolePolicy
}

// A Role is a role of the workflows of a stack. Documents are JSON.
type Role struct {
	What              string // "the deploy role"
	Name, Description string
	SessionSeconds    int32
	Issuer            string // of the tokens, without https://
	ProviderARN       string
	Trust             string
	Policies          []RolePolicy
}

// A RolePolicy is a managed policy of a role.
type RolePolicy struct{ Name, Description, Document string }

// oldVersionDays is for how long the bucket keeps a state that was overwritten.
const oldVersionDays = 90

// A Ground is an account in which a foundation can be laid.
type Ground interface {
	Key(f *Foundation) Thing
	Bucket(f *Foundation, keyARN string) Thing
	Provider(f *Foundation, trusted *Role) Thing // what the role trusts
	Role(f *Foundation, role *Role) Thing
	Boundary(f *Foundation) Thing
}

// A Thing is one part of a foundation.
type Thing struct {
	What string // "the bucket"
	Name string

	Find func(ctx context.Context) (id string, err error) // "" if there is none; an error if it belongs to somebody else
	Make func(ctx context.Context) (id string, err error)

	// Aspects are how it must be, besides being there. They are set in this order.
	Aspects []Aspect
}

// An Aspect is one setting of a thing.
type Aspect struct {
	Name  string // "versioning"
	Holds func(ctx context.Context, id string) (bool, error)
	Set   func(ctx context.Context, id string) error
}

// A Piece is what was done for a thing.
type Piece struct {
	What   string   `json:"what"`
	ID     string   `json:"id"`
	Did    string   `json:"did"`              // "made", "found" or "mended"
	Mended []string `json:"mended,omitempty"` // the aspects that were not as they must be
}

func (p Piece) String() string {
	words := fmt.Sprintf("%-6s  %s %s", p.Did, p.What, p.ID)
	for i, m := range p.Mended {
		words += map[bool]string{true: ": ", false: ", "}[i == 0] + m
	}
	return words
}

// Lay finds or makes a thing, and makes it what it must be. It can be called again at any time: what an earlier run left
// half done is completed, and what somebody changed since is put right.
func (t Thing) Lay(ctx context.Context) (Piece, error) {
	p := Piece{What: t.What, Did: "found"}
	var err error
	if p.ID, err = t.Find(ctx); err == nil && p.ID == "" {
		p.Did = "made"
		p.ID, err = t.Make(ctx)
	}
	if err != nil {
		return p, fmt.Errorf("%s %s: %w", t.What, t.Name, err)
	}
	for _, a := range t.Aspects {
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

// A Laid foundation says what everything is called.
type Laid struct {
	Bucket   string  `json:"bucket"`
	Key      string  `json:"key"`                // ARN
	Provider string  `json:"provider,omitempty"` // ARN
	Role     string  `json:"role,omitempty"`     // ARN of the deploy role
	ReadRole string  `json:"readRole,omitempty"` // ARN
	Boundary string  `json:"boundary,omitempty"` // ARN
	Pieces   []Piece `json:"pieces"`
}

// Lay lays the whole foundation. After an error it says what was done before it.
func (f *Foundation) Lay(ctx context.Context, ground Ground) (Laid, error) {
	var laid Laid
	lay := func(t Thing, id *string) error {
		p, err := t.Lay(ctx)
		if err != nil {
			return err
		}
		*id, laid.Pieces = p.ID, append(laid.Pieces, p)
		return nil
	}
	if err := lay(ground.Key(f), &laid.Key); err != nil {
		return laid, err
	}
	if err := lay(ground.Bucket(f, laid.Key), &laid.Bucket); err != nil {
		return laid, err
	}
	if f.RolesFor == nil {
		return laid, nil
	}
	deploy, read, err := f.RolesFor(laid.Key)
	if err != nil {
		return laid, err
	}
	for _, r := range []struct {
		role *Role
		id   *string
	}{{deploy, &laid.Role}, {read, &laid.ReadRole}} {
		if r.role == nil {
			continue
		}
		if laid.Provider == "" {
			if err := lay(ground.Provider(f, r.role), &laid.Provider); err != nil {
				return laid, err
			}
		}
		if err := lay(ground.Role(f, r.role), r.id); err != nil {
			return laid, err
		}
	}
	if deploy == nil || f.Boundary == nil {
		return laid, nil
	}
	return laid, lay(ground.Boundary(f), &laid.Boundary)
}

// policyARN is what a managed policy of the foundation is called.
func (f *Foundation) policyARN(p RolePolicy) string {
	return "arn:" + f.Partition + ":iam::" + f.Account + ":policy/" + p.Name
}

// BucketPolicy refuses whoever does not speak TLS, and lets Readers read the releases.
func (f *Foundation) BucketPolicy() string {
	bucket := "arn:" + f.Partition + ":s3:::" + f.Bucket
	statements := []map[string]any{{
		"Sid": "TLSOnly", "Effect": "Deny", "Principal": map[string]any{"AWS": "*"}, "Action": "s3:*",
		"Resource":  []any{bucket, bucket + "/*"},
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
	}}
	if len(f.Readers) > 0 {
		statements = append(statements, map[string]any{
			"Sid": "ReadReleases", "Effect": "Allow", "Principal": f.principals(f.Readers), "Action": "s3:GetObject",
			"Resource": bucket + "/" + releasesKey + "*",
		}, map[string]any{
			"Sid": "FindReleases", "Effect": "Allow", "Principal": f.principals(f.Readers), "Action": "s3:ListBucket", "Resource": bucket,
			"Condition": map[string]any{"StringLike": map[string]any{"s3:prefix": releasesKey + "*"}},
		})
	}
	return document(statements...)
}

// KeyPolicy leaves it to the account's IAM who may use the key. Readers may use it through S3 alone: it opens to them what
// the bucket lets them read, and never a secret in the state, which is decrypted by a call to KMS itself.
func (f *Foundation) KeyPolicy() string {
	statements := []map[string]any{{
		"Sid": "Account", "Effect": "Allow", "Principal": f.principals([]string{f.Account}), "Action": "kms:*", "Resource": "*",
	}}
	if len(f.Readers) > 0 {
		statements = append(statements, map[string]any{
			"Sid": "OpenReleases", "Effect": "Allow", "Principal": f.principals(f.Readers), "Action": "kms:Decrypt", "Resource": "*",
			"Condition": map[string]any{"StringEquals": map[string]any{"kms:ViaService": "s3." + f.Region + ".amazonaws.com"}},
		})
	}
	return document(statements...)
}

// principals are accounts as such. AWS keeps a list of one as its one value, so that is how it is asked for.
func (f *Foundation) principals(accounts []string) map[string]any {
	var roots []any
	for _, account := range accounts {
		roots = append(roots, "arn:"+f.Partition+":iam::"+account+":root")
	}
	if len(roots) == 1 {
		return map[string]any{"AWS": roots[0]}
	}
	return map[string]any{"AWS": roots}
}

// KeyDescription is what the key is for. A run that was killed before the key had its alias is known by it.
func (f *Foundation) KeyDescription() string {
	return f.Stack + ": state of Pulumi, and the secrets in it"
}

func document(statements ...map[string]any) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(text)
}

// sameJSON says whether two documents say the same.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}
