// Package account is the interface between an operation and the place where the resources of a stack are. There are two
// implementations: a real AWS account (awsaccount), and the model of one (modelaccount). Package accounttest holds the test
// suite that both pass.
package account

import (
	"context"
	"time"

	"slipway/bootstrap"
	"slipway/ecs"
	"slipway/engine"
	"slipway/verdict"
)

// An Account is where the resources of a stack are.
type Account interface {
	Identity() Identity

	// Engine fills in what the engine needs to work in this account: its providers, where the state is, what exists.
	Engine(o *engine.Options) error

	// Lock is the right to change the stack, where this process has to hold it; nil where the engine's own lock is enough.
	Lock() *engine.Lock

	ECS() verdict.ECSScaler
	Actor() Actor
	Observe() Observer
	TaskDefinitions() TaskDefinitions
	Contents() Contents
	Diagnosis() Diagnosis
	Bootstrap() bootstrap.Account

	// Runner runs the migration.
	Runner() ecs.Runner

	Sessions() Sessions

	// Carry copies images of a release to this account. It is a cicd.Carrier.
	Carry(origin Origin) func(ctx context.Context, from, to, tag string) error

	// Find returns an error unless an image of a release is at to, or, if it is to be copied, at from. Both are
	// repository@digest; an empty one is not looked at. It copies nothing.
	Find(origin Origin) func(ctx context.Context, from, to string) error

	// Mirror copies the image with psql to this account. It is a cicd.Mirror.
	Mirror() func(ctx context.Context, from, to string) error

	// Quotas are those of the account or region that limit resources of these types. notes say what could not be found out;
	// then the quota is left out.
	Quotas(ctx context.Context, types []string) (quotas []Quota, notes []string)

	// Taken are the names that a resource has already, in this account or, for a bucket, anywhere. notes say what could not be
	// found out.
	Taken(ctx context.Context, names []Name) (taken []TakenName, notes []string)

	// Disown marks a KMS key that stays after the stack was destroyed: it belongs to no stack.
	Disown(ctx context.Context, keyARN string) error

	// Leftovers counts, by type, what exists although the stack was destroyed, without what was kept. It is nil where that
	// cannot be listed.
	Leftovers(kept []engine.Import) map[string]int

	// Containers are the stack's containers on this machine; nil if there are none.
	Containers() Containers

	// Close ends the use of the account. Containers are closed on their own.
	Close() error
}

// An Identity says which account it is, and who uses it.
type Identity struct {
	Account, Region, Partition string
	Caller                     string // ARN; "" in a model
}

func (i Identity) String() string { return "account " + i.Account + " in " + i.Region }

// A Quota is how many resources of a type the account may have.
type Quota struct {
	Type       string // Pulumi's type token
	Name       string // as AWS calls it
	Most, Used int
}

// A Name is the physical name of a resource.
type Name struct {
	Type string // Pulumi's type token
	Name string
}

// A TakenName is a name that a resource has already.
type TakenName struct {
	Name
	By string // "this account", "another account"
}

// An Origin is where a release is copied from.
type Origin struct {
	Stack   string
	Profile string // of the shared AWS configuration; "" is the environment's
	// Explain describes what must be configured so that one account can read from another.
	Explain func(theirs, ours string) string
}

// Contents looks into buckets and repositories: what would be lost with them, and which images are there.
type Contents interface {
	// Objects counts the objects of a bucket, up to a thousand; more says that there are more. A bucket that does not exist
	// has none.
	Objects(ctx context.Context, bucket string) (n int, more bool, err error)

	// Images counts the images of a repository. A repository that does not exist has none.
	Images(ctx context.Context, repository string) (int, error)

	// Tagged is the digest of the image with a tag; "" if there is none.
	Tagged(ctx context.Context, repository, tag string) (string, error)
}

// TaskDefinitions are those of ECS that are registered.
type TaskDefinitions interface {
	// Active are the task definitions that are not deregistered and whose family begins with prefix.
	Active(ctx context.Context, prefix string) ([]TaskDefinition, error)

	Deregister(ctx context.Context, arn string) error
}

// A TaskDefinition is one that is registered.
type TaskDefinition struct {
	ARN  string
	Tags map[string]string
}

// A StateHistory keeps the earlier versions of a stack's state. A model keeps none.
type StateHistory interface {
	// StateVersions calls visit for each version of the object that holds the state, the newest first, until it returns false.
	// There are none if the object was deleted.
	StateVersions(ctx context.Context, key string, visit func(v StateVersion) (more bool)) error
}

// A StateVersion is a version of the state.
type StateVersion struct {
	ID      string
	Written time.Time
	Latest  bool
	Data    []byte
}

// A DataKeyMaker makes the key that encrypts a stack's secrets, encrypted by a KMS key, in base64. A model has no such key:
// secrets are not decrypted in a rehearsal.
type DataKeyMaker interface {
	DataKey(ctx context.Context, keyARN string) (string, error)
}

// Containers are the tasks of a stack that run as containers of this machine.
type Containers interface {
	URL() string

	// Converge waits until the containers match what was deployed.
	Converge() error

	// Serves reports whether this process serves the site; if not, another up does.
	Serves() bool

	// Untried reports whether no deployment has succeeded in them yet.
	Untried() bool

	// Deployed notifies the process that serves the site of a deployment.
	Deployed() error

	// Serve serves the site until ctx ends or the stack is destroyed. The account must be closed by then.
	Serve(ctx context.Context) error

	// LastLines are what the containers behind the load balancer wrote since a moment, at most lines of each.
	LastLines(ctx context.Context, since time.Time, lines int) []string

	// Archived counts the log objects in the archive.
	Archived(ctx context.Context) (int, error)

	// Remove removes the containers and everything that belongs to them, and closes this.
	Remove(ctx context.Context) error

	Close() error
}

// A JobResult is how a job or a one-off task ended, or that it runs.
type JobResult struct {
	ARN      string `json:"arn"`
	Running  bool   `json:"running,omitempty"` // it was only started
	ExitCode int    `json:"exitCode"`          // of the container; -1 if it never started
	Reason   string `json:"reason,omitempty"`  // why the task stopped, in ECS's words
	Follow   string `json:"follow,omitempty"`  // the command that shows the log of a task that was only started
}
