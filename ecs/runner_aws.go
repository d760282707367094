package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// logTail is how many lines of a task's log are read back.
const logTail = 50

// IAM is eventually consistent: what a role may do, and that it exists, reaches ECS some seconds after the call that
// changed it (IAM guide, "Troubleshoot IAM", changes that are not immediately visible). AWS names no bound.
const (
	// settle is how long after its first attempt a task is started again because a right is missing. Two minutes are
	// several times what such changes take, and short beside the time that a migration has.
	settle = 2 * time.Minute
	// attempts is how many tasks may fail to start in that time. Fargate needs about half a minute to find a right missing,
	// so four are what the time allows; and a right that is missing for good costs no more than these.
	attempts = 4
)

// denied is how ECS says that a task could not start because its execution role was refused something, or could not be
// assumed (ECS guide, "Stopped task error messages").
var denied = regexp.MustCompile(`(?is)unable to assume|(ResourceInitializationError|CannotPull\w*Error).*(AccessDenied|not authorized)`)

// patienceUnseen is for how many looks in a row a task may be invisible: a minute.
const patienceUnseen = 12

// AWSRunner runs tasks on AWS with the credentials of whoever runs Pulumi, which need ecs:RunTask, ecs:DescribeTasks,
// ecs:StopTask, logs:GetLogEvents and iam:PassRole for the task's two roles. It reads them when it first runs a task, so
// that a preview needs none, and follows AWS_ENDPOINT_URL as the AWS CLI does.
type AWSRunner struct {
	Region  string
	Profile string        // of the shared configuration; empty: the environment's
	Poll    time.Duration // between two looks at a task; default 5 seconds
	Settle  time.Duration // how long a role, or its policy, may still be unknown to ECS; default 2 minutes
	Warn    func(string)  // hears of each attempt that is repeated; may be nil
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
		// The container never ran, so nothing is done twice.
		refused := err == nil && result.ExitCode == NotStarted && denied.MatchString(result.StoppedReason)
		if !refused || attempt == attempts || time.Now().After(settled) {
			break
		}
		r.warn("task %s could not start, attempt %d of %d: %s; IAM may not have passed on a change yet: starting it again",
			arn[strings.LastIndex(arn, "/")+1:], attempt, attempts, result.StoppedReason)
		if err := sleep(ctx, r.poll()); err != nil {
			return result, fmt.Errorf("start of the task: %w", err)
		}
	}
	if err != nil {
		// Two migrations must never run side by side, so the one that nobody watches any more is stopped.
		stop(context.WithoutCancel(ctx), client, run, arn)
	}
	logs := cloudwatchlogs.NewFromConfig(settings)
	for range 3 { // CloudWatch shows the last lines a moment after the task has ended
		if result.Logs = tail(context.WithoutCancel(ctx), logs, run, arn); len(result.Logs) > 0 || result.ExitCode == NotStarted {
			break
		}
		time.Sleep(r.poll())
	}
	return result, err
}

// start starts the task, and until settled again while ECS does not know roles that were made a moment ago.
func (r AWSRunner) start(ctx context.Context, client *ecs.Client, run TaskRun, settled time.Time) (string, error) {
	for {
		out, err := client.RunTask(ctx, &ecs.RunTaskInput{
			Cluster: aws.String(run.Cluster), TaskDefinition: aws.String(run.TaskDefinition), Count: aws.Int32(1),
			LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("LATEST"),
			NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
				Subnets: run.Subnets, SecurityGroups: run.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
			}},
			StartedBy: aws.String(run.StartedBy), EnableECSManagedTags: true, PropagateTags: types.PropagateTagsTaskDefinition,
		})
		switch {
		case err == nil && len(out.Tasks) == 1:
			return aws.ToString(out.Tasks[0].TaskArn), nil
		case err == nil:
			return "", fmt.Errorf("ECS did not start the task: %s", reasons(out.Failures))
		case !strings.Contains(err.Error(), "unable to assume") || time.Now().After(settled):
			return "", fmt.Errorf("start of the task: %w", err)
		}
		r.warn("ECS refuses to start the task: %v; IAM may not have passed on a change yet: trying again", err)
		if err := sleep(ctx, r.poll()); err != nil {
			return "", fmt.Errorf("start of the task: %w", err)
		}
	}
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
			// A task may be unknown for a moment after its start, and a broken connection is no reason to stop a migration.
			if unseen++; unseen > patienceUnseen {
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
		r.Warn(hide(fmt.Sprintf(format, args...)))
	}
}

func (r AWSRunner) poll() time.Duration { return cmp.Or(r.Poll, 5*time.Second) }

func stop(ctx context.Context, client *ecs.Client, run TaskRun, arn string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// An error leaves a task that ends by itself; the one that is being reported matters more.
	_, _ = client.StopTask(ctx, &ecs.StopTaskInput{
		Cluster: aws.String(run.Cluster), Task: aws.String(arn), Reason: aws.String("stopped by " + run.StartedBy + ": nobody waits for it any more"),
	})
}

// tail is the end of the container's log; nothing when the container never wrote.
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
