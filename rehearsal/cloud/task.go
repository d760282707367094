package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A TaskRun asks to run one task to its end, as ecs:RunTask does.
type TaskRun struct {
	Cluster        string   `json:"cluster"`        // name or ARN
	TaskDefinition string   `json:"taskDefinition"` // ARN, family:revision, or family for the newest
	Subnets        []string `json:"subnets"`
	SecurityGroups []string `json:"securityGroups"`
	// its command is overridden, and its exit code is the result; default: the first
	Container   string            `json:"container,omitempty"`
	Command     []string          `json:"command,omitempty"` // default: the container's own
	Environment map[string]string `json:"-"`                 // added to the container's own; never stored
	StartedBy   string            `json:"startedBy,omitempty"`
	CPU, Memory int               `json:"-"` // units and MiB; 0: the definition's

	Detach  bool              `json:"-"` // only start it, if something really runs it
	Started func(arn string)  `json:"-"` // is called when ECS has accepted it; may be nil
	Line    func(text string) `json:"-"` // is called for each line of its log, if something really runs it; may be nil
}

// A TaskResult is how a task ended.
type TaskResult struct {
	ARN      string   `json:"arn"`
	ExitCode int      `json:"exitCode"`         // of the container; NeverStarted if it did not start
	Reason   string   `json:"reason,omitempty"` // why the task stopped, in ECS's wording
	Logs     []string `json:"logs,omitempty"`
}

// NeverStarted is the exit code of a container that did not start.
const NeverStarted = -1

// A TaskRecord is a task that ran.
type TaskRecord struct {
	Run    TaskRun    `json:"run"`
	Result TaskResult `json:"result"`
	At     time.Time  `json:"at"`
}

// mostTasks is how many tasks the account remembers. ECS itself drops stopped tasks after an hour.
const mostTasks = 50

// A container is one container of a task definition: the fields that matter for running it.
type container struct {
	Name, Image string
	Command     []string
	Secrets     []struct{ Name, ValueFrom string }
	Credentials map[string]string `json:"repositoryCredentials"`
	Log         struct {
		Driver  string `json:"logDriver"`
		Options map[string]string
	} `json:"logConfiguration"`
}

// RunTask runs a task to its end, and stops it when ctx is done. The error is ECS's refusal to start it. If the task started and its
// containers did not, the
// result has the reason.
func (a *Account) RunTask(ctx context.Context, run TaskRun) (TaskResult, error) {
	const action = "ecs:RunTask"
	a.mu.RLock()
	asked := &Object{Type: taskRunType, Outputs: map[string]any{"definition": run.TaskDefinition, "cluster": run.Cluster}}
	if definition := a.definition(run.TaskDefinition); definition != nil {
		out := Inputs(definition.Outputs)
		asked.Outputs["definition"] = out.String("arn")
		asked.Outputs["executionRoleArn"], asked.Outputs["taskRoleArn"] = out.String("executionRoleArn"), out.String("taskRoleArn")
	}
	denied := a.permittedCalls(a.callsOf(creates, asked, nil))
	a.mu.RUnlock()
	if denied != nil {
		return TaskResult{}, denied
	}
	if err := a.before(action, &Object{Type: taskRunType, Inputs: map[string]any{"cluster": run.Cluster,
		"taskDefinition": run.TaskDefinition}}); err != nil {
		return TaskResult{}, err
	}
	a.mu.Lock()
	result, err := a.start(&run)
	if err == nil {
		err = a.delayedTask(run)
	}
	a.mu.Unlock()
	if err != nil {
		return TaskResult{}, acting(err, action)
	}
	if run.Started != nil {
		run.Started(result.ARN)
	}
	if result.ExitCode != NeverStarted && a.Tasks != nil {
		arn := result.ARN
		result = a.Tasks(ctx, run)
		result.ARN = arn
	}
	if result.Reason == "" && !run.Detach {
		result.Reason = "Essential container in task exited"
	}
	a.mu.Lock()
	a.tasks = append(a.tasks, TaskRecord{Run: run, Result: result, At: a.now().UTC()})
	if n := len(a.tasks) - mostTasks; n > 0 {
		a.tasks = slices.Delete(a.tasks, 0, n)
	}
	a.version++
	a.mu.Unlock()
	return result, a.flush()
}

// TaskRecords are the tasks that ran, oldest first; the account remembers the last 50.
func (a *Account) TaskRecords() []TaskRecord {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Clone(a.tasks)
}

func (a *Account) start(run *TaskRun) (TaskResult, error) {
	cluster := a.find("arn", run.Cluster, clusterType)
	if cluster == nil {
		cluster = a.find("name", run.Cluster, clusterType)
	}
	if cluster == nil {
		return TaskResult{}, &Error{Code: "ClusterNotFoundException", Message: "Cluster not found.",
			Why: fmt.Sprintf("the account has no cluster %q", run.Cluster)}
	}
	definition := a.definition(run.TaskDefinition)
	if definition == nil {
		return TaskResult{}, &Error{Code: "ClientException", Message: "Unable to find task definition",
			Why: fmt.Sprintf("the account has no task definition %q", run.TaskDefinition)}
	}
	if err := a.placed(run); err != nil {
		return TaskResult{}, err
	}
	var containers []container
	if err := json.Unmarshal([]byte(Inputs(definition.Outputs).String("containerDefinitions")),
		&containers); err != nil || len(containers) == 0 {
		return TaskResult{}, &Error{Code: "ClientException", Message: "Container definitions are not valid"}
	}
	if run.Container == "" {
		run.Container = containers[0].Name
	}
	at := slices.IndexFunc(containers, func(c container) bool { return c.Name == run.Container })
	if at < 0 {
		var names []string
		for _, c := range containers {
			names = append(names, c.Name)
		}
		return TaskResult{}, &Error{Code: "InvalidParameterException",
			Message: fmt.Sprintf("Override for container named %s is not a container in the TaskDefinition.", run.Container),
			Why:     "its containers are " + strings.Join(names, ", ")}
	}
	if run.Command == nil {
		run.Command = containers[at].Command
	}
	result := TaskResult{ARN: a.arn("ecs", "task/"+Inputs(cluster.Outputs).String("name")+"/"+draw(32, run.TaskDefinition,
		fmt.Sprint(a.now().UnixNano(), a.calls.Load())))}
	for _, c := range containers {
		if reason := a.stopped(c); reason != "" {
			result.ExitCode, result.Reason = NeverStarted, reason
			return result, nil
		}
	}
	result.Logs = []string{fmt.Sprintf("[rehearsal] %s: %s", run.Container, strings.Join(run.Command, " "))}
	return result, nil
}

// definition finds a task definition by ARN, by family:revision, or by family for the newest revision.
func (a *Account) definition(name string) *Object {
	var newest *Object
	for _, o := range a.list(taskType) {
		out := Inputs(o.Outputs)
		if out.String("arn") == name || fmt.Sprintf("%s:%d", out.String("family"), out.Int("revision")) == name {
			return o
		}
		if family := out.String("family"); family == name || strings.HasSuffix(name, ":task-definition/"+family) {
			if newest == nil || out.Int("revision") > Inputs(newest.Outputs).Int("revision") {
				newest = o
			}
		}
	}
	return newest
}

// placed checks the subnets and security groups of a task.
func (a *Account) placed(run *TaskRun) error {
	if len(run.Subnets) == 0 {
		return &Error{Code: "InvalidParameterException",
			Message: "Network Configuration must be provided when networkMode 'awsvpc' is specified."}
	}
	vpcs := map[string]bool{}
	for _, id := range run.Subnets {
		o := a.get(subnetType, id)
		if o == nil {
			return &Error{Code: "InvalidParameterException",
				Message: fmt.Sprintf("Error retrieving subnet information for [%s]: The subnet ID '%s' does not exist (ErrorCode: "+
					"InvalidSubnetID.NotFound)", id, id)}
		}
		vpcs[Inputs(o.Outputs).String("vpcId")] = true
	}
	for _, id := range run.SecurityGroups {
		o := a.find("id", id, anyGroup...)
		if o == nil {
			return &Error{Code: "InvalidParameterException",
				Message: fmt.Sprintf("Error retrieving security group information for [%s]: The security group '%s' does not exist (ErrorCode: "+
					"InvalidGroup.NotFound)", id, id)}
		}
		vpcs[Inputs(o.Outputs).String("vpcId")] = true
	}
	if len(vpcs) > 1 {
		return &Error{Code: "InvalidParameterException", Message: "The provided subnets and security groups do not belong to the same VPC.",
			Why: "they are in " + strings.Join(sortedKeys(vpcs), " and ")}
	}
	return nil
}

// stopped is why a container cannot start, in ECS's wording; "" if it can.
func (a *Account) stopped(c container) string {
	for _, s := range c.Secrets {
		if reason := a.missingSecret(s.Name, s.ValueFrom, c.Name); reason != "" {
			return reason
		}
	}
	if secret := c.Credentials["credentialsParameter"]; secret != "" && !a.holdsSecret(secret) {
		return fmt.Sprintf("ResourceInitializationError: unable to pull secrets or registry auth: the repositoryCredentials of container %s "+
			"name %s, which does not exist", c.Name, secret)
	}
	if host, repository, reference := splitImage(c.Image); host == a.imageRegistry() {
		r := a.find("name", repository, repositoryType)
		found := r != nil && slices.ContainsFunc(a.images(r), func(o *Object) bool {
			return o.ID == repository+"@"+reference || slices.Contains(Inputs(o.Outputs).Strings("imageTags"), reference)
		})
		if !found {
			return fmt.Sprintf("CannotPullContainerError: failed to resolve ref %s: not found", c.Image)
		}
	}
	if c.Log.Driver == "awsfirelens" && len(c.Log.Options) == 0 {
		// aws-samples/amazon-ecs-firelens-examples#29 and #35
		return fmt.Sprintf("CannotStartContainerError: failed to initialize logging driver: failed to get fluentd log driver arguments: "+
			"awsfirelens of container %s has no options", c.Name)
	}
	if group := c.Log.Options["awslogs-group"]; c.Log.Driver == "awslogs" && c.Log.Options["awslogs-create-group"] != "true" &&
		a.find("name", group, logGroupType) == nil {
		return fmt.Sprintf("ResourceInitializationError: failed to validate logger args: ResourceNotFoundException: The specified log group "+
			"does not exist: %s", group)
	}
	return ""
}

// holdsSecret reports whether the parameter or secret for a container exists.
func (a *Account) holdsSecret(from string) bool {
	if strings.Contains(from, ":secretsmanager:") {
		if parts := strings.Split(from, ":"); len(parts) > 7 {
			from = strings.Join(parts[:7], ":")
		}
		return a.find("arn", from, secretType) != nil
	}
	return a.find("arn", from, parameterType) != nil || a.find("name", from, parameterType) != nil
}
