package cloud

import "time"

// A TaskRun asks to run one task to its end, as ecs:RunTask does.
type TaskRun struct {
	Cluster        string            `json:"cluster"`        // name or ARN
	TaskDefinition string            `json:"taskDefinition"` // ARN, family:revision, or family for the newest
	Subnets        []string          `json:"subnets"`
	SecurityGroups []string          `json:"securityGroups"`
	Container      string            `json:"container"` // the container whose command and environment are overridden, and whose exit code counts
	Command        []string          `json:"command,omitempty"`
	Environment    map[string]string `json:"-"` // may hold what must not be kept
	StartedBy      string            `json:"startedBy,omitempty"`
}

// A TaskResult is how a task ended.
type TaskResult struct {
	ARN      string   `json:"arn"`
	ExitCode int      `json:"exitCode"`
	Reason   string   `json:"reason,omitempty"` // why the task stopped, in ECS's words
	Logs     []string `json:"logs,omitempty"`
}

// A TaskRecord is what the account keeps of a task.
type TaskRecord struct {
	Run    TaskRun    `json:"run"`
	Result TaskResult `json:"result"`
	At     time.Time  `json:"at"`
}
