package account

import (
	"context"
	"errors"
)

// An Actor changes what runs in a stack, outside of the program: how many tasks, which database, which schedules.
type Actor interface {
	// Scale sets the desired count of a service.
	Scale(ctx context.Context, cluster, service string, tasks int) error

	// Restart makes a new deployment of the task definition that a service runs, and returns ECS's ID of the deployment.
	Restart(ctx context.Context, cluster, service string) (deployment string, err error)

	// Scaling is the range in which a service scales; nil if it does not.
	Scaling(ctx context.Context, cluster, service string) (*ScalingRange, error)

	// SetScaling changes that range, and what is suspended. The service must have one.
	SetScaling(ctx context.Context, cluster, service string, s ScalingRange) error

	// Database is an RDS instance by its identifier; ErrNoDatabase if there is none.
	Database(ctx context.Context, id string) (DatabaseState, error)

	// StopDatabase stops an instance that is available. It does not wait.
	StopDatabase(ctx context.Context, id string) error

	// StartDatabase starts an instance that is stopped. It does not wait.
	StartDatabase(ctx context.Context, id string) error

	// Enabled says whether a schedule of EventBridge Scheduler starts its job; there is false if it does not exist.
	Enabled(ctx context.Context, group, schedule string) (enabled, there bool, err error)

	// Enable makes a schedule start its job, or not.
	Enable(ctx context.Context, group, schedule string, enabled bool) error
}

// A ScalingRange is the range in which Application Auto Scaling changes the number of tasks, and what of it is suspended.
type ScalingRange struct {
	Min           int  `json:"min"`
	Max           int  `json:"max"`
	InSuspended   bool `json:"inSuspended,omitempty"`
	OutSuspended  bool `json:"outSuspended,omitempty"`
	TimeSuspended bool `json:"timeSuspended,omitempty"` // scheduled actions
}

// A DatabaseState is an RDS instance, as far as stopping and starting it needs.
type DatabaseState struct {
	Status   string // available, stopping, stopped, starting, ...
	Replicas bool   // it has read replicas, or is one
}

// ErrNoDatabase means that there is no such instance.
var ErrNoDatabase = errors.New("there is no such database instance")
