package ecs

import "context"

// A Runner runs one Fargate task to its end.
type Runner interface {
	// RunTask starts the task and returns when it has stopped, whatever its exit code. An error means that the task could
	// not be started or not be watched to its end. When ctx is done the task is stopped.
	RunTask(ctx context.Context, run TaskRun) (TaskResult, error)
}

// NotStarted is the exit code of a container that never ran, because its image, secrets or network were missing.
const NotStarted = -1

// A TaskRun says which task to run, and where.
type TaskRun struct {
	Cluster        string // ARN
	TaskDefinition string // ARN with revision
	Subnets        []string
	SecurityGroups []string
	Container      string            // whose exit code and log are reported
	Command        []string          // replaces the container's own; nil: its own
	Environment    map[string]string // replaces or adds variables of the container; ECS shows them, so no secrets
	LogGroup       string
	LogPrefix      string // streams are LogPrefix/Container/task id
	StartedBy      string // shown by ECS
}

// A TaskResult says how a task ended.
type TaskResult struct {
	TaskARN       string
	ExitCode      int // of the container, or NotStarted
	StoppedReason string
	Logs          []string // the container's last lines, oldest first; at most 50
}
