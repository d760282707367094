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

	// Admit judges a create or an update against the account (overlaps, collisions beyond the name, quotas). References
	// have been resolved already.
	Admit func(a *Account, o *Object) error

	// Compute gives the new object its ID and its outputs; on update it is called again with o.ID set, and a.was(o) is the
	// object before. Outputs start as a deep copy of inputs with Defaults and tagsAll; Compute adds what AWS works out.
	Compute func(a *Account, o *Object) error

	// Release judges a delete beyond references: deletion protection, a bucket that is not empty. Nil: nothing holds it.
	Release func(a *Account, o *Object) error

	// Gone tidies the account after a delete. Nil: nothing to tidy.
	Gone func(a *Account, o *Object)

	// Recomputed lists the outputs that a change of the given input makes unknown until it is applied, as the provider's
	// plan says: "value" -> ["version"].
	Recomputed map[string][]string

	// Moved lists the inputs that AWS may change by itself. Like the provider, a diff compares them as they are and not as
	// they were asked for.
	Moved []string

	// Replaces lists the inputs of a resource whose change replaces it, where the schema does not say so or it depends on
	// other inputs. Nil: what the schema says.
	Replaces func(in Inputs) []string

	// DeleteFirst says that a replacement deletes the old one before it creates the new one, as the provider does for
	// resources that cannot exist twice.
	DeleteFirst bool
}

// A Name is how a resource is named in AWS.
type Name struct {
	Input  string // the input property that holds the name: "name", "bucket", "identifier"
	Prefix string // the input that holds a prefix instead, if the provider has one
	Lead   string // what a made-up name begins with: "alias/"
	Manual bool   // the provider never makes the name up; it is absent, or AWS draws one
	Max    int    // the longest name that AWS takes, in characters
	Lower  bool   // only lower case
	Form   string // regular expression of the whole name; "" for any
	Taken  string // AWS's error code when the name exists: "EntityAlreadyExists"
	Scope  string // "" unique in account and region per type; "global"; or the input within whose value it is unique ("cluster")
}

// A Ref is an input that names another resource. Path may go through lists and objects: "subnets[]",
// "loadBalancers[].targetGroupArn", "tags.x".
type Ref struct {
	Path string
	To   []string // tokens of the kinds it may name
	By   string   // "id", "arn", "name" or another output of the target by which it is named; several with commas: "arn,name"
	Weak bool     // AWS looks it up but lets the target be deleted while this refers to it
	Any  bool     // may also be something that is outside the model (a public principal, an AWS-managed policy, "self"); then it is looked up only when its form says that it belongs to this account
}

// A Problem is one thing that is wrong with inputs.
type Problem struct {
	Path string // property path
	Rule string // "expected memory to be one of 512, 1024, 2048 for cpu 256, got 4096"
}

// An Object is one resource in the account. Its values are plain; Secrets says which of them are secret.
type Object struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	URN     string         `json:"urn,omitempty"` // the Pulumi resource that made it
	Inputs  map[string]any `json:"inputs,omitempty"`
	Outputs map[string]any `json:"outputs,omitempty"`
	Secrets []string       `json:"secrets,omitempty"` // paths of secret values, in the inputs and the outputs
	Owner   string         `json:"owner,omitempty"`   // type and ID of the object with which AWS made it and with which it goes
	Seeded  bool           `json:"seeded,omitempty"`  // was there before the program came, such as a registered domain's zone
}

// An Error is AWS's refusal: the code and the words that AWS uses, and why the model says so.
type Error struct {
	Code    string // "DependencyViolation"
	Action  string // "ec2:DeleteVpc"
	Status  int    // HTTP status; 400 unless said
	Message string // AWS's words
	Why     string // the model's reason: which object or rule; "" if the message says it all
}
