package account

import "context"

// An Actor changes what runs in a stack, outside of the program: how many tasks, which database, which schedules.
type Actor interface {
	// Scale sets the desired count of a service.
	Scale(ctx context.Context, cluster, service string, tasks int) error

	// Restart makes a new deployment of the task definition that a service runs, and returns ECS's ID of the deployment.
	Restart(ctx context.Context, cluster, service string) (deployment string, err error)

	// SetScaling changes the range in which a service scales, and what is suspended. The service must have one.
	SetScaling(ctx context.Context, cluster, service string, s Scaling) error

	// StopDatabase stops an instance that is available. It does not wait.
	StopDatabase(ctx context.Context, id string) error

	// StartDatabase starts an instance that is stopped. It does not wait.
	StartDatabase(ctx context.Context, id string) error

	// Enable makes a schedule of EventBridge Scheduler start its job, or not.
	Enable(ctx context.Context, group, schedule string, enabled bool) error
}
