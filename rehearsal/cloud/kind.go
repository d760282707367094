package cloud

// A Kind is what the model knows about one resource type beyond the provider's schema: how AWS names it, what it refers
// to, what AWS refuses, and which outputs AWS computes. A type of the schema without a Kind is refused by name.
//
// Each service has a file (kinds_ec2.go, kinds_ecs.go ...) with a function that returns its kinds; kinds.go lists those.
type Kind struct {
	Type string // the Pulumi token: "aws:ec2/vpc:Vpc"

	// The API actions behind the operations, as IAM writes them: "ec2:CreateVpc". Errors name them.
	CreateAction, UpdateAction, DeleteAction string

	Name Name  // how the resource is named, if it has a name of its own
	Refs []Ref // the inputs that name other resources

	NotFound string // AWS's error code for a reference to one that does not exist: "InvalidVpcID.NotFound"
	InUse    string // AWS's error code for deleting one that another resource refers to: "DependencyViolation"

	// Defaults are what AWS fills in where the input is absent: property path -> value.
	Defaults map[string]any

	// Check validates inputs on their own (ranges, enumerations, formats, JSON documents), without the account. It gets
	// plain values only; values that are still unknown are absent from in, and unknown lists their paths.
	Check func(in Inputs, unknown Unknowns) []Problem

	// CheckState validates a create or an update against the account (overlaps, conflicts other than the name, quotas). References
	// have already been resolved.
	CheckState func(a *Account, o *Object) error

	// Compute sets the object's ID and computed outputs. On update it is called again with o.ID set, and a.was(o) is the
	// object before the update. Outputs start as a deep copy of the inputs, with Defaults and tagsAll.
	Compute func(a *Account, o *Object) error

	// CheckDelete refuses a delete for reasons other than references: deletion protection, a bucket that is not empty. Optional.
	CheckDelete func(a *Account, o *Object) error

	// AfterDelete cleans up after a delete. Optional.
	AfterDelete func(a *Account, o *Object)

	// Recomputed lists, for an input, the outputs that are unknown in the plan when that input changes, as the provider
	// shows them: "value" -> ["version"]. The input "*" stands for any change.
	Recomputed map[string][]string

	// ServiceManaged lists inputs that AWS may change automatically. Like the provider, a diff compares their current values, not
	// those of the last deployment.
	ServiceManaged []string

	// Replaces lists further inputs whose change replaces the resource, where the schema does not say so or it depends on other
	// inputs. Optional.
	Replaces func(in Inputs) []string

	// DeleteFirst makes a replacement delete the old resource before it creates the new one, as the provider does for
	// resources that cannot exist twice.
	DeleteFirst bool
}

// A Ref is an input that names another resource. Path may go through lists and objects: "subnets[]",
// "loadBalancers[].targetGroupArn", "tags.x".
type Ref struct {
	Path string
	To   []string // tokens of the kinds it may name
	By   string   // the output of the target that identifies it: "id", "arn", "name" ...; or several: "arn,name"
	Weak bool     // AWS checks that the target exists, but allows deleting it while this refers to it
	// The value may also name something outside the model (a public principal, an AWS-managed policy, "self"). It is looked up
	// only if it looks like a resource of this account.
	Any bool
}

// held is a reference that prevents its target from being deleted.
func held(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by} }

// soft is a reference to something that must exist, but may be deleted later.
func soft(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by, Weak: true} }

// maybe is soft, but the value may also name something outside the model.
func maybe(path, by string, to ...string) Ref {
	return Ref{Path: path, To: to, By: by, Weak: true, Any: true}
}

// keyRef is an input that takes a KMS key by ARN, id or alias.
func keyRef(path string) Ref { return maybe(path, "arn,id,name", keyType, aliasType) }

// roleRef is an input that takes a role by ARN.
func roleRef(path string) Ref { return soft(path, "arn", roleType) }

func (k *rule) notFound() string {
	if k.NotFound != "" {
		return k.NotFound
	}
	return "ResourceNotFoundException"
}
