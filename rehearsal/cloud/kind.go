package cloud

// A Kind is what the model knows of one resource type beyond the provider's schema: how AWS names it, what it refers
// to, what AWS refuses, and what AWS works out. A type of the schema that has no Kind is refused by name.
//
// Kinds are declared in one file a service (kinds_ec2.go, kinds_ecs.go ...), each calling register in its init.
type Kind struct {
	Type string // the Pulumi token: "aws:ec2/vpc:Vpc"

	// The API actions behind the operations, as IAM writes them: "ec2:CreateVpc". Errors name them.
	CreateAction, UpdateAction, DeleteAction string

	Name Name  // how the resource is named, if it has a name of its own
	Refs []Ref // the inputs that name other resources

	NotFound string // AWS's error code when somebody names one that does not exist: "InvalidVpcID.NotFound"
	InUse    string // AWS's error code when one is deleted while another resource refers to it: "DependencyViolation"

	// Defaults are what AWS fills in where the input is absent: property path -> value.
	Defaults map[string]any

	// Check judges inputs without looking at the account (ranges, enumerations, formats, JSON documents). It is called
	// with plain values only; unknown values have been left out, and listed in unknown by path.
	Check func(in Inputs, unknown Unknowns) []Problem

	// CheckState judges a create or an update against the account (overlaps, collisions beyond the name, quotas). References
	// have been resolved already.
	CheckState func(a *Account, o *Object) error

	// Compute gives the new object its ID and its outputs; on update it is called again with o.ID set, and a.was(o) is the
	// object before. Outputs start as a deep copy of inputs with Defaults and tagsAll; Compute adds what AWS works out.
	Compute func(a *Account, o *Object) error

	// CheckDelete judges a delete beyond references: deletion protection, a bucket that is not empty. Nil: nothing holds it.
	CheckDelete func(a *Account, o *Object) error

	// AfterDelete tidies the account after a delete. Nil: nothing to tidy.
	AfterDelete func(a *Account, o *Object)

	// Recomputed lists the outputs that a change of the given input makes unknown until it is applied, as the provider's
	// plan says: "value" -> ["version"].
	Recomputed map[string][]string

	// ServiceManaged lists the inputs that AWS may change by itself. Like the provider, a diff compares them as they are and not as
	// they were asked for.
	ServiceManaged []string

	// Replaces lists the inputs of a resource whose change replaces it, where the schema does not say so or it depends on
	// other inputs. Nil: what the schema says.
	Replaces func(in Inputs) []string

	// DeleteFirst says that a replacement deletes the old one before it creates the new one, as the provider does for
	// resources that cannot exist twice.
	DeleteFirst bool
}

// A Ref is an input that names another resource. Path may go through lists and objects: "subnets[]",
// "loadBalancers[].targetGroupArn", "tags.x".
type Ref struct {
	Path string
	To   []string // tokens of the kinds it may name
	By   string   // "id", "arn", "name" or another output of the target by which it is named; several with commas: "arn,name"
	Weak bool     // AWS looks it up but lets the target be deleted while this refers to it
	// may also be something that is outside the model (a public principal, an AWS-managed policy, "self"); then it is looked up
	// only when its form says that it belongs to this account
	Any bool
}

// held is a reference that keeps its target from being deleted.
func held(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by} }

// soft is a reference that AWS looks up and that does not keep its target.
func soft(path, by string, to ...string) Ref { return Ref{Path: path, To: to, By: by, Weak: true} }

// maybe is soft, but the input may also speak of something outside the model.
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
