package modelaccount

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"slipway/bootstrap"
	"slipway/internal/bucket/hardening"
	"slipway/rehearsal/cloud"
)

// A bootstrapModel is the model as an account to which a bootstrap.Spec is applied.
type bootstrapModel struct{ account *cloud.Account }

// An object is one object of the model, found by one of its inputs, with the objects that hold its settings.
type object struct {
	what, kind string
	key, name  string // the input by which it is found, and its value
	inputs     map[string]any
	id         func(*cloud.Object) string
	parts      func(*cloud.Object) []part // the object is nil before it exists
	owned      bool                       // by one project, which is in its tags
}

// resource is the object as a resource of the bootstrap.
func (g bootstrapModel) resource(spec object) bootstrap.Resource {
	what, kind, key, name, inputs, id, parts := spec.what, spec.kind, spec.key, spec.name, spec.inputs, spec.id, spec.parts
	t := bootstrap.Resource{
		What: what, Name: name,
		Find: func(context.Context) (string, error) {
			o := g.find(kind, key, name)
			switch {
			case o == nil:
				return "", nil
			case !o.Seeded:
				return "", errors.New("it is there, but the stack itself made it; it is left alone. Take slipway:github out of the stack's file, " +
					"run up, put it back and bootstrap again")
			}
			return id(o), nil
		},
		Make: func(context.Context) (string, error) {
			o, err := g.make(part{kind: kind, key: key, inputs: with(inputs, key, name)})
			if err != nil {
				return "", err
			}
			return id(o), nil
		},
	}
	if spec.owned {
		t.Owner = func(context.Context, string) (string, error) {
			o := g.find(kind, key, name)
			return cloud.Inputs(o.Inputs).Map("tags").String(bootstrap.OwnerTag), nil
		}
	}
	for n, sample := range parts(nil) {
		current := func() part { return parts(g.find(kind, key, name))[n] }
		t.Settings = append(t.Settings, bootstrap.Setting{
			Name: sample.name,
			Holds: func(context.Context, string) (bool, error) {
				p := current()
				o := g.find(p.kind, p.key, fmt.Sprint(p.inputs[p.key]))
				if p.kind == kind {
					o = g.find(kind, key, name)
				}
				return o != nil && o.Seeded && holds(o.Inputs, p.inputs), nil
			},
			Set: func(context.Context, string) error {
				p := current()
				o := g.find(p.kind, p.key, fmt.Sprint(p.inputs[p.key]))
				if p.kind == kind {
					o = g.find(kind, key, name)
				}
				if o == nil {
					_, err := g.make(p)
					return err
				}
				return g.account.Alter(o.Type, o.ID, func(o *cloud.Object) {
					o.Seeded = true
					for key, value := range p.inputs {
						o.Inputs[key], o.Outputs[key] = value, value
					}
				})
			},
		})
	}
	return t
}

// A part is an object that holds a setting of another. If it has the kind of that object, it is that object's own input.
type part struct {
	name, kind, key string
	inputs          map[string]any
}

func (g bootstrapModel) find(kind, key, name string) *cloud.Object {
	all := g.account.Objects()
	i := slices.IndexFunc(all, func(o *cloud.Object) bool { return o.Type == kind && fmt.Sprint(o.Inputs[key]) == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

func (g bootstrapModel) make(p part) (*cloud.Object, error) {
	urn := "urn:pulumi:bootstrap::bootstrap::" + p.kind + "::" + fmt.Sprint(p.inputs[p.key])
	inputs, problems := g.account.Check(cloud.CheckRequest{Type: p.kind, URN: urn, News: p.inputs})
	if len(problems) > 0 {
		return nil, fmt.Errorf("the model refuses %s: %v", p.kind, problems)
	}
	id, _, err := g.account.Create(cloud.Change{Type: p.kind, URN: urn, Inputs: inputs})
	if err != nil {
		return nil, err
	}
	err = g.account.Alter(p.kind, id, func(o *cloud.Object) { o.Seeded = true })
	return g.account.Object(p.kind, id), err
}

func with(inputs map[string]any, key string, value any) map[string]any {
	all := map[string]any{key: value}
	for k, v := range inputs {
		all[k] = v
	}
	return all
}

func ownerTag(f *bootstrap.Spec) map[string]any {
	if f.Owner == "" {
		return map[string]any{}
	}
	return map[string]any{bootstrap.OwnerTag: f.Owner}
}

// holds reports whether an object has these inputs.
func holds(has, want map[string]any) bool {
	for key, value := range want {
		if !reflect.DeepEqual(has[key], value) {
			return false
		}
	}
	return true
}

func output(name string) func(*cloud.Object) string {
	return func(o *cloud.Object) string { return cloud.Inputs(o.Outputs).String(name) }
}

func objectID(o *cloud.Object) string {
	if o == nil {
		return ""
	}
	return o.ID
}

// Key implements bootstrap.Account.
func (g bootstrapModel) Key(f *bootstrap.Spec) bootstrap.Resource {
	return g.resource(object{what: "the key", kind: "aws:kms/key:Key", key: "description", name: f.KeyDescription(),
		inputs: map[string]any{"enableKeyRotation": true, "policy": f.KeyPolicy(), "tags": ownerTag(f)}, owned: true,
		id: output("arn"), parts: func(o *cloud.Object) []part {
			return []part{
				{"rotation", "aws:kms/key:Key", "description", map[string]any{"enableKeyRotation": true}},
				{"policy", "aws:kms/key:Key", "description", map[string]any{"policy": f.KeyPolicy()}},
				{"alias", "aws:kms/alias:Alias", "name", map[string]any{"name": f.Alias, "targetKeyId": objectID(o)}},
			}
		}})
}

// Bucket implements bootstrap.Account.
func (g bootstrapModel) Bucket(f *bootstrap.Spec, keyARN string) bootstrap.Resource {
	of := func(name, kind string, inputs map[string]any) part {
		return part{name, "aws:s3/" + kind, "bucket", with(inputs, "bucket", f.Bucket)}
	}
	want := f.Hardening()
	public := want.PublicAccess
	settings := []part{
		of("public access block", "bucketPublicAccessBlock:BucketPublicAccessBlock", map[string]any{
			"blockPublicAcls": public.BlockACLs, "ignorePublicAcls": public.IgnoreACLs,
			"blockPublicPolicy": public.BlockPolicy, "restrictPublicBuckets": public.Restrict}),
		of("ownership", "bucketOwnershipControls:BucketOwnershipControls", map[string]any{
			"rule": map[string]any{"objectOwnership": want.Ownership}}),
		of("encryption", "bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", map[string]any{
			"rules": []any{map[string]any{"bucketKeyEnabled": want.BucketKey, "applyServerSideEncryptionByDefault": map[string]any{
				"sseAlgorithm": want.Encryption, "kmsMasterKeyId": keyARN}}}}),
		of("versioning", "bucketVersioningV2:BucketVersioningV2", map[string]any{
			"versioningConfiguration": map[string]any{"status": want.Versioning}}),
		of("lifecycle", "bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", map[string]any{"rules": lifecycleRules(want.Lifecycle)}),
		of("policy", "bucketPolicy:BucketPolicy", map[string]any{"policy": f.BucketPolicy()}),
	}
	return g.resource(object{what: "the bucket", kind: "aws:s3/bucketV2:BucketV2", key: "bucket", name: f.Bucket, id: objectID,
		parts: func(*cloud.Object) []part { return settings }})
}

func lifecycleRules(want []hardening.Rule) []any {
	var rules []any
	for _, w := range want {
		r := map[string]any{"id": w.ID, "status": hardening.Enabled, "filter": map[string]any{"prefix": ""}}
		if w.OldVersionDays > 0 {
			r["noncurrentVersionExpiration"] = map[string]any{"noncurrentDays": float64(w.OldVersionDays)}
		}
		if w.BrokenUploadDays > 0 {
			r["abortIncompleteMultipartUpload"] = map[string]any{"daysAfterInitiation": float64(w.BrokenUploadDays)}
		}
		rules = append(rules, r)
	}
	return rules
}

// ServiceRole implements bootstrap.Account.
func (g bootstrapModel) ServiceRole(_ *bootstrap.Spec, service string) bootstrap.Resource {
	const kind, key = "aws:iam/serviceLinkedRole:ServiceLinkedRole", "awsServiceName"
	return bootstrap.Resource{
		What: bootstrap.ServiceRole, Name: service,
		Find: func(context.Context) (string, error) { return objectID(g.find(kind, key, service)), nil },
		Make: func(context.Context) (string, error) {
			o, err := g.make(part{kind: kind, key: key, inputs: map[string]any{key: service}})
			return objectID(o), err
		},
	}
}

// Provider implements bootstrap.Account.
func (g bootstrapModel) Provider(_ *bootstrap.Spec, trusted *bootstrap.Role) bootstrap.Resource {
	return g.resource(object{what: "the OIDC provider", kind: "aws:iam/openIdConnectProvider:OpenIdConnectProvider", key: "url",
		name:   "https://" + trusted.Issuer,
		inputs: map[string]any{"clientIdLists": []any{"sts.amazonaws.com"}}, id: output("arn"), parts: func(*cloud.Object) []part { return nil }})
}

// Role implements bootstrap.Account.
func (g bootstrapModel) Role(f *bootstrap.Spec, role *bootstrap.Role) bootstrap.Resource {
	const kind = "aws:iam/role:Role"
	inputs := map[string]any{"description": role.Description, "assumeRolePolicy": role.Trust,
		"maxSessionDuration": float64(role.SessionSeconds), "tags": ownerTag(f)}
	return g.resource(object{what: role.What, kind: kind, owned: true, key: "name", name: role.Name, inputs: inputs, id: output("arn"),
		parts: func(*cloud.Object) []part {
			parts := []part{{"trust", kind, "name", map[string]any{"assumeRolePolicy": role.Trust}}}
			for _, p := range role.Policies {
				parts = append(parts,
					part{"policy " + p.Name, "aws:iam/policy:Policy", "name",
						map[string]any{"name": p.Name, "policy": p.Document, "description": p.Description}},
					part{"attachment of " + p.Name, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "policyArn",
						map[string]any{"policyArn": f.PolicyARN(p), "role": role.Name}})
			}
			return parts
		}})
}

// Boundary implements bootstrap.Account.
func (g bootstrapModel) Boundary(f *bootstrap.Spec) bootstrap.Resource {
	const kind = "aws:iam/policy:Policy"
	p := f.Boundary
	inputs := map[string]any{"policy": p.Document, "description": p.Description}
	return g.resource(object{what: "the permissions boundary", kind: kind, key: "name", name: p.Name, inputs: inputs, id: output("arn"),
		parts: func(*cloud.Object) []part {
			return []part{{"policy " + p.Name, kind, "name", inputs}}
		}})
}
