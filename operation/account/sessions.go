package account

import (
	"context"
	"fmt"

	"slipway/operation/account/process"
)

// Sessions run tasks of a site that is deployed, and get into those that run. An Observer finds these.
type Sessions interface {
	// Ready returns an error that says what this machine lacks in order to open a session, and how to get it.
	Ready(ctx context.Context) error

	// Run runs a task to its end, or only starts it. When ctx is done it stops the task; the error is then that of ctx.
	Run(ctx context.Context, run OneOff) (JobResult, error)

	// Exec prepares a command in a container of a task.
	Exec(ctx context.Context, e Exec) (Session, error)

	// Forward prepares a tunnel from a port of this machine, on the loopback interface, to a host that the site reaches.
	Forward(ctx context.Context, f Forward) (Session, error)

	// Shell prepares a shell on an instance, with a document of Session Manager.
	Shell(ctx context.Context, instance, document string) (Session, error)

	// Secret is the value of an encrypted parameter, by ARN or name.
	Secret(ctx context.Context, arn string) (string, error)

	// PostgresImages are the images that have psql of a major version of Postgres, the one to try first: that of the stack's own
	// registry, in a repository (its URL), unless that is "", and the official one.
	PostgresImages(repository, major string) []Image
}

// An Image is one that Docker on this machine can run.
type Image struct {
	Name string
	Own  bool // it is in the stack's own registry
	// Login is how a pull signs in to that registry; nil: it needs no login.
	Login func(ctx context.Context) (Login, error)
}

// A Login is a user of a registry.
type Login struct{ User, Password string }

// A Session is a connection with a program of the site.
type Session interface {
	// Run connects the streams with the program until it ends, and returns its exit code; 0 if that cannot be known. When ctx is done
	// it ends the session.
	Run(ctx context.Context, s process.Streams) (exit int, err error)
}

// A OneOff is a task that runs to its end.
type OneOff struct {
	Cluster, TaskDefinition string // ARNs
	Subnets, SecurityGroups []string
	Container               string   // whose log and exit code count
	Command                 []string // nil: the definition's own
	CPU, Memory             int      // units and MiB; 0: the definition's
	LogGroup, LogPrefix     string   // streams are LogPrefix/Container/ID; "": its log cannot be read
	StartedBy               string
	Detach                  bool // only start it

	Started func(arn string)  // is called once the task is accepted
	Line    func(text string) // is called for each line of its log
}

// An Exec is a command in a container.
type Exec struct {
	Cluster   string // ARN
	Task      Task
	Container string
	Command   []string
	Terminal  bool // it talks to the user's terminal; else its output is for a file or a pipe, and it has no input
}

// A Forward is a tunnel.
type Forward struct {
	Cluster   string // ARN
	Task      *Task  // it goes through this task's container
	Container string
	Instance  string // or through this instance

	Host       string
	Port, Here int // the host's, and the one on this machine
}

// A DeniedError is a call that the caller may not make.
type DeniedError struct {
	Caller, Action, Resource string
	Err                      error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("access denied: %s lacks the permission %s on %s\n  AWS: %v", e.Caller, e.Action, e.Resource, e.Err)
}

func (e *DeniedError) Unwrap() error { return e.Err }
