package account

import "context"

// A Diagnosis reads what doctor compares with the program, besides what an Observer reads. It changes nothing, and reads no value of
// a secret.
type Diagnosis interface {
	// Settings are those of a registered task definition that decide whether its tasks start and reach the database.
	Settings(ctx context.Context, taskDefinition string) ([]ContainerSettings, error)

	// Missing are those of these images, repository@digest, that the account's registry does not have. One of another registry is
	// not looked for.
	Missing(ctx context.Context, images []string) ([]string, error)

	// Parameters are the versions of these parameters, by name, without those that do not exist.
	Parameters(ctx context.Context, names []string) (map[string]int, error)

	// Examine runs a task to its end. An error means that ECS did not take the task, or that it was not watched to its end.
	Examine(ctx context.Context, run Examination) (Examined, error)
}

// An Examination is a task that looks at the site from inside.
type Examination struct {
	Cluster, TaskDefinition string // ARNs
	Subnets, SecurityGroups []string
	Container               string // which runs Command
	Command                 []string
	Environment             map[string]string // replaces or adds variables
	LogGroup, LogPrefix     string
	StartedBy               string // shown by ECS
}

// An Examined is how that task ended.
type Examined struct {
	Started bool   // its container ran
	Reason  string // why the task stopped, in ECS's words
	Lines   []string
}

// ContainerSettings are those of one container.
type ContainerSettings struct {
	Name, Image string
	Env         map[string]string
	Secrets     map[string]string // by variable: the ARN or the name of its parameter
	Group       string            // log group; "": its lines go elsewhere
	Prefix      string            // of its log streams
	Health      []string          // its health check, CMD and its arguments
}
