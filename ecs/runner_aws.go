package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/redact"
)

// logTail is how many lines of a task's log are read back.
const logTail = 50

// IAM is eventually consistent: a new role or policy reaches ECS some seconds after the call that made it (IAM guide,
// "Troubleshoot IAM", changes that are not immediately visible). AWS documents no upper limit.
const (
	// settle is how long after the first attempt a task that lacks a permission is started again. Two minutes are several
	// times what such changes take, and little of the time that a migration has.
	settle = 2 * time.Minute
	// attempts is how many tasks may fail to start in that time. Fargate takes about half a minute to notice a missing
	// permission, so four fit; and a permission that stays missing costs only these.
	attempts = 4
)

// denied matches stopped reasons that mean that the execution role lacked a permission or could not be assumed (ECS guide,
// "Stopped task error messages").
var denied = regexp.MustCompile(`(?is)unable to assume|(ResourceInitializationError|CannotPull\w*Error).*(AccessDenied|not authorized)`)

// maxUnseen is how many polls in a row may fail to find the task: a minute.
const maxUnseen = 12

// AWSRunner runs tasks on AWS with the credentials that run Pulumi. They need ecs:RunTask, ecs:DescribeTasks,
// ecs:StopTask, logs:GetLogEvents and iam:PassRole for the task's two roles. It loads them when it first runs a task, so a
// preview needs none, and honors AWS_ENDPOINT_URL as the AWS CLI does.
type AWSRunner struct {
	Region  string
	Profile string        // of the shared AWS configuration; default: the environment's
	Poll    time.Duration // interval between polls; default 5 seconds
	Settle  time.Duration // how long ECS may not see a new role or policy yet; default 2 minutes
	Warn    func(string)  // called for each retry; may be nil
}

// RunTask implements Runner.
func (r AWSRunner) RunTask(ctx context.Context, run TaskRun) (TaskResult, error) {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region), config.WithSharedConfigProfile(r.Profile))
	if err != nil {
		return TaskResult{}, fmt.Errorf("AWS configuration: %w", err)
	}
	client := ecs.NewFromConfig(settings)
	var result TaskResult
	var arn string
	settled := time.Now().Add(cmp.Or(r.Settle, settle))
	for attempt := 1; ; attempt++ {
		if arn, err = r.start(ctx, client, run, settled); err != nil {
			return TaskResult{}, err
		}
		result, err = r.wait(ctx, client, run, arn)
		// The container never ran, so a retry does nothing twice.
		refused := err == nil && result.ExitCode == NotStarted && denied.MatchString(result.StoppedReason)
		if !refused || attempt == attempts || time.Now().After(settled) {
			break
		}
		r.warn("task %s could not start, attempt %d of %d: %s; a recent IAM change may not be visible yet, retrying",
			arn[strings.LastIndex(arn, "/")+1:], attempt, attempts, result.StoppedReason)
		if err := sleep(ctx, r.poll()); err != nil {
			return result, fmt.Errorf("starting the task: %w", err)
		}
	}
	if err != nil {
		// Two migrations must never run at once, so a task that is no longer watched is stopped.
		stop(context.WithoutCancel(ctx), client, run, arn)
	}
	logs := cloudwatchlogs.NewFromConfig(settings)
	for range 3 { // CloudWatch shows the last lines shortly after the task has ended
		if result.Logs = tail(context.WithoutCancel(ctx), logs, run, arn); len(result.Logs) > 0 || result.ExitCode == NotStarted {
			break
		}
		time.Sleep(r.poll())
	}
	return result, err
}

// MayBeTooNew reports whether ECS refused to start a task because it could not assume a role, which it may not see yet.
func MayBeTooNew(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unable to assume")
}

// start starts the task. Until settled it retries while ECS cannot assume a role, which may be too new.
func (r AWSRunner) start(ctx context.Context, client *ecs.Client, run TaskRun, settled time.Time) (string, error) {
	for {
		out, err := client.RunTask(ctx, &ecs.RunTaskInput{
			Cluster: aws.String(run.Cluster), TaskDefinition: aws.String(run.TaskDefinition), Count: aws.Int32(1),
			LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("LATEST"),
			NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
				Subnets: run.Subnets, SecurityGroups: run.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
			}},
			StartedBy: aws.String(run.StartedBy), EnableECSManagedTags: true, PropagateTags: types.PropagateTagsTaskDefinition,
			Overrides: run.overrides(),
		})
		switch {
		case err == nil && len(out.Tasks) == 1:
			return aws.ToString(out.Tasks[0].TaskArn), nil
		case err == nil:
			return "", fmt.Errorf("ECS did not start the task: %s", reasons(out.Failures))
		case !MayBeTooNew(err) || time.Now().After(settled):
			return "", fmt.Errorf("starting the task: %w", err)
		}
		r.warn("ECS did not start the task: %v; a recent IAM change may not be visible yet, retrying", err)
		if err := sleep(ctx, r.poll()); err != nil {
			return "", fmt.Errorf("starting the task: %w", err)
		}
	}
}

// overrides are what differs from the container's definition; nil: nothing does.
func (run TaskRun) overrides() *types.TaskOverride {
	if run.Command == nil && len(run.Environment) == 0 {
		return nil
	}
	override := types.ContainerOverride{Name: aws.String(run.Container), Command: run.Command}
	for _, name := range slices.Sorted(maps.Keys(run.Environment)) {
		override.Environment = append(override.Environment,
			types.KeyValuePair{Name: aws.String(name), Value: aws.String(run.Environment[name])})
	}
	return &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{override}}
}

// wait returns when the task has stopped.
func (r AWSRunner) wait(ctx context.Context, client *ecs.Client, run TaskRun, arn string) (TaskResult, error) {
	result := TaskResult{TaskARN: arn, ExitCode: NotStarted}
	for unseen := 0; ; {
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(run.Cluster), Tasks: []string{arn}})
		if ctx.Err() != nil {
			return result, fmt.Errorf("watching the task: %w", ctx.Err())
		}
		if err != nil || len(out.Tasks) == 0 {
			// A new task may not be visible yet, and a lost connection is no reason to stop a migration.
			if unseen++; unseen > maxUnseen {
				if err == nil {
					err = errors.New(reasons(out.Failures))
				}
				return result, fmt.Errorf("watching the task: %w", err)
			}
		} else if task := out.Tasks[0]; aws.ToString(task.LastStatus) != "STOPPED" {
			unseen = 0
		} else {
			result.StoppedReason = aws.ToString(task.StoppedReason)
			for _, c := range task.Containers {
				if aws.ToString(c.Name) != run.Container {
					continue
				}
				if c.ExitCode != nil {
					result.ExitCode = int(*c.ExitCode)
				}
				if c.Reason != nil {
					result.StoppedReason += ": " + *c.Reason
				}
			}
			return result, nil
		}
		if err := sleep(ctx, r.poll()); err != nil {
			return result, fmt.Errorf("watching the task: %w", err)
		}
	}
}

func (r AWSRunner) warn(format string, args ...any) {
	if r.Warn != nil {
		r.Warn(redact.Text(fmt.Sprintf(format, args...)))
	}
}

func (r AWSRunner) poll() time.Duration { return cmp.Or(r.Poll, 5*time.Second) }

func stop(ctx context.Context, client *ecs.Client, run TaskRun, arn string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// If this fails the task still ends when it is done; the error that led here matters more.
	_, _ = client.StopTask(ctx, &ecs.StopTaskInput{
		Cluster: aws.String(run.Cluster), Task: aws.String(arn),
		Reason: aws.String("stopped by " + run.StartedBy + ", which no longer waits for it"),
	})
}

// tail returns the end of the container's log, nothing if the container wrote none.
func tail(ctx context.Context, client *cloudwatchlogs.Client, run TaskRun, arn string) []string {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stream := run.LogPrefix + "/" + run.Container + arn[strings.LastIndex(arn, "/"):]
	out, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String(run.LogGroup), LogStreamName: aws.String(stream),
		Limit: aws.Int32(logTail), StartFromHead: aws.Bool(false),
	})
	var none *logtypes.ResourceNotFoundException
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return []string{"(its log could not be read: " + err.Error() + ")"}
	}
	lines := make([]string, 0, len(out.Events))
	for _, e := range out.Events {
		lines = append(lines, strings.TrimRight(aws.ToString(e.Message), "\r\n"))
	}
	return lines
}

func reasons(failures []types.Failure) string {
	if len(failures) == 0 {
		return "it gave no reason"
	}
	all := make([]string, len(failures))
	for i, f := range failures {
		all[i] = strings.TrimSpace(aws.ToString(f.Reason) + " " + aws.ToString(f.Detail))
	}
	return strings.Join(all, "; ")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
