package awsaccount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"slipway/cicd"
	"slipway/operation/account"
)

// Sessions implements account.Account. They need ecs:DescribeTasks, ecs:RunTask, ecs:StopTask, iam:PassRole for the
// roles of the site's tasks, logs:GetLogEvents, ecs:ExecuteCommand, ssm:StartSession, ssm:GetParameter, kms:Decrypt and
// kms:GenerateDataKey for the keys of parameters and sessions, and for the image with psql ecr:GetAuthorizationToken.
func (a *Account) Sessions() account.Sessions {
	return sessions{settings: a.aws, profile: a.args.Profile, caller: a.identity.Caller, ecs: ecs.NewFromConfig(a.aws),
		ssm: ssm.NewFromConfig(a.aws), logs: cloudwatchlogs.NewFromConfig(a.aws), poll: 2 * time.Second}
}

type sessions struct {
	settings        aws.Config
	profile, caller string
	ecs             *ecs.Client
	ssm             *ssm.Client
	logs            *cloudwatchlogs.Client
	poll            time.Duration
}

// Ready implements account.Sessions.
func (s sessions) Ready(ctx context.Context) error {
	_, err := findPlugin(ctx)
	return err
}

// Exec implements account.Sessions. The agent in the container splits the command into words as a shell does, and expands nothing
// (agent/session/shell/shell_unix.go in aws/amazon-ssm-agent).
func (s sessions) Exec(ctx context.Context, e account.Exec) (account.Session, error) {
	command, mark := e.Command, newMark()
	if !e.Terminal {
		command = frame(mark, command)
	}
	out, err := s.ecs.ExecuteCommand(ctx, &ecs.ExecuteCommandInput{
		Cluster: aws.String(e.Cluster), Task: aws.String(e.Task.ARN), Container: aws.String(e.Container),
		Command: aws.String(quote(command)), Interactive: true,
	})
	if err != nil {
		return nil, s.denied(err, "ecs:ExecuteCommand", e.Task.ARN)
	}
	if out.Session == nil {
		return nil, errors.New("ECS started no session")
	}
	began := started{SessionID: out.Session.SessionId, StreamURL: out.Session.StreamUrl, Token: out.Session.TokenValue}
	session, err := s.session(ctx, began, map[string]any{"Target": target(e.Cluster, &e.Task, e.Container)})
	if err != nil || e.Terminal {
		return session, err
	}
	return framedSession{pluginSession: session, mark: mark, host: hostOf(aws.ToString(began.StreamURL))}, nil
}

// target is a container in Session Manager's form, ecs:CLUSTER_TASK_RUNTIME (aws/aws-cli, customizations/ecs/executecommand.py).
func target(cluster string, task *account.Task, container string) string {
	runtime := ""
	for _, c := range task.Containers {
		if c.Name == container {
			runtime = c.Runtime
		}
	}
	return fmt.Sprintf("ecs:%s_%s_%s", afterLast(cluster, "/"), task.ID, runtime)
}

// quote writes words as a POSIX shell reads them.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.Trim(w, plainCharacters) != "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+"

// portForwarding is AWS's document for tunnels to another host (Systems Manager guide, "Start a session", port forwarding to a remote
// host). It takes containers of ECS as targets too (kayac/ecspresso#414).
const portForwarding = "AWS-StartPortForwardingSessionToRemoteHost"

// Forward implements account.Sessions.
func (s sessions) Forward(ctx context.Context, f account.Forward) (account.Session, error) {
	to := f.Instance
	resource := to
	if f.Task != nil {
		to, resource = target(f.Cluster, f.Task, f.Container), f.Task.ARN
	}
	parameters := map[string][]string{
		"host": {f.Host}, "portNumber": {strconv.Itoa(f.Port)}, "localPortNumber": {strconv.Itoa(f.Here)},
	}
	session, err := s.start(ctx, to, portForwarding, parameters, resource)
	session.quiet = true
	// A plugin that knows this variable listens on the host that it names (aws/session-manager-plugin#133), so a user's own value is
	// replaced. Others listen on localhost (session/portsession/muxportforwarding.go).
	session.command.Env = append(session.command.Env, "SSM_PLUGIN_LOCAL_HOST=127.0.0.1")
	return session, err
}

// Shell implements account.Sessions.
func (s sessions) Shell(ctx context.Context, instance, document string) (account.Session, error) {
	return s.start(ctx, instance, document, nil, instance)
}

func (s sessions) start(ctx context.Context, to, document string, parameters map[string][]string, resource string) (pluginSession, error) {
	out, err := s.ssm.StartSession(ctx, &ssm.StartSessionInput{
		Target: aws.String(to), DocumentName: aws.String(document), Parameters: parameters,
	})
	if err != nil {
		return pluginSession{}, s.denied(err, "ssm:StartSession", resource+" and document "+document)
	}
	request := map[string]any{"Target": to, "DocumentName": document}
	if parameters != nil {
		request["Parameters"] = parameters
	}
	return s.session(ctx, started{SessionID: out.SessionId, StreamURL: out.StreamUrl, Token: out.TokenValue}, request)
}

// Secret implements account.Sessions.
func (s sessions) Secret(ctx context.Context, arn string) (string, error) {
	name := arn
	if _, path, is := strings.Cut(arn, ":parameter/"); is {
		name = "/" + path
	}
	out, err := s.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name), WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", s.denied(err, "ssm:GetParameter", arn)
	}
	return aws.ToString(out.Parameter.Value), nil
}

// PostgresImages implements account.Sessions. The official one is Docker's in AWS's public registry, which needs no login and does not
// limit anonymous pulls as Docker Hub does.
func (s sessions) PostgresImages(repository, major string) []account.Image {
	images := []account.Image{{Name: "public.ecr.aws/docker/library/postgres:" + major}}
	if repository != "" {
		images = slices.Insert(images, 0, account.Image{Name: repository + ":" + major, Own: true, Login: s.registryLogin})
	}
	return images
}

// registryLogin is valid for twelve hours, in every repository that the caller may read (ECR guide, "Private registry authentication").
func (s sessions) registryLogin(ctx context.Context) (account.Login, error) {
	const action = "ecr:GetAuthorizationToken"
	out, err := ecr.NewFromConfig(s.settings).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return account.Login{}, s.denied(err, action, "*")
	}
	user, password, err := cicd.Login(out)
	if err != nil {
		return account.Login{}, fmt.Errorf("%s: %w", action, err)
	}
	return account.Login{User: user, Password: password}, nil
}

// denied makes an *account.DeniedError of an error that is one. AWS's message names the action and the resource that matter.
func (s sessions) denied(err error, action, resource string) error {
	return denied(s.caller, err, action, resource)
}

func denied(caller string, err error, action, resource string) error {
	var wrong smithy.APIError
	if !errors.As(err, &wrong) {
		return err
	}
	if !slices.Contains(denialCodes, wrong.ErrorCode()) {
		return fmt.Errorf("%s on %s: %s: %s%s", action, resource, wrong.ErrorCode(), wrong.ErrorMessage(), advice[wrong.ErrorCode()])
	}
	if said := refusal.FindStringSubmatch(wrong.ErrorMessage()); said != nil {
		action, resource = said[2], cmp.Or(said[3], resource)
	}
	return &account.DeniedError{Caller: caller, Action: action, Resource: resource, Err: errors.New(wrong.ErrorMessage())}
}

// advice is what helps against errors of sessions (ECS guide, "Troubleshooting issues with ECS Exec").
var advice = map[string]string{
	"TargetNotConnectedException": "\nThe agent in the container does not reach Session Manager. Try another task, or restart the service; " +
		"a task that just started needs a minute",
	"TargetNotConnected": "\nThe agent there does not reach Session Manager. Try another task; one that just started needs a minute",
	"InvalidParameterException": "\nThe task may have started without ECS Exec, or the agent in its container has stopped. Try another " +
		"task, or restart the service",
}

// Run implements account.Sessions.
func (s sessions) Run(ctx context.Context, run account.OneOff) (account.JobResult, error) {
	none := account.JobResult{ExitCode: -1}
	in := &ecs.RunTaskInput{
		Cluster: aws.String(run.Cluster), TaskDefinition: aws.String(run.TaskDefinition), Count: aws.Int32(1),
		LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("LATEST"),
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: run.Subnets, SecurityGroups: run.SecurityGroups, AssignPublicIp: types.AssignPublicIpDisabled,
		}},
		StartedBy: aws.String(run.StartedBy), EnableECSManagedTags: true, PropagateTags: types.PropagateTagsTaskDefinition,
	}
	if run.Command != nil || run.CPU != 0 {
		in.Overrides = &types.TaskOverride{}
		if run.Command != nil {
			in.Overrides.ContainerOverrides = []types.ContainerOverride{{Name: aws.String(run.Container), Command: run.Command}}
		}
		if run.CPU != 0 {
			in.Overrides.Cpu, in.Overrides.Memory = aws.String(strconv.Itoa(run.CPU)), aws.String(strconv.Itoa(run.Memory))
		}
	}
	out, err := s.ecs.RunTask(ctx, in)
	if err != nil {
		return none, s.denied(err, "ecs:RunTask", run.TaskDefinition)
	}
	if len(out.Tasks) != 1 {
		why := "it gave no reason"
		for _, f := range out.Failures {
			why = strings.TrimSpace(aws.ToString(f.Reason) + " " + aws.ToString(f.Detail))
		}
		return none, fmt.Errorf("ECS did not start the task: %s", why)
	}
	w := &watch{sessions: s, run: run, result: account.JobResult{ARN: aws.ToString(out.Tasks[0].TaskArn), ExitCode: -1}}
	run.Started(w.result.ARN)
	if run.Detach {
		w.result.Running, w.result.ExitCode = true, 0
		return w.result, nil
	}
	return w.follow(ctx)
}

// A watch follows one task.
type watch struct {
	sessions
	run    account.OneOff
	result account.JobResult
	next   *string // of its log
	unseen int
}

// Limits of a watch.
const (
	mostUnseen = 30 // polls that may fail in a row: a minute
	lastPolls  = 3  // polls for its last lines, which CloudWatch shows shortly after the task has ended
)

// follow writes the task's log until the task has stopped.
func (w *watch) follow(ctx context.Context) (account.JobResult, error) {
	for {
		stopped, err := w.look(ctx)
		if ctx.Err() != nil {
			w.stop(context.WithoutCancel(ctx))
			return w.result, ctx.Err()
		}
		if err != nil {
			return w.result, fmt.Errorf("%w\nThe task may still run: %s", err, w.result.ARN)
		}
		lines := w.lines(ctx)
		for n := 1; stopped && n <= lastPolls && (lines > 0 || n == 1); n++ {
			w.wait(ctx)
			lines = w.lines(ctx)
		}
		if stopped {
			return w.result, nil
		}
		w.wait(ctx)
	}
}

func (w *watch) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(w.poll):
	}
}

// look sees whether the task has stopped, and how.
func (w *watch) look(ctx context.Context) (stopped bool, err error) {
	out, err := w.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(w.run.Cluster), Tasks: []string{w.result.ARN}})
	if err != nil || len(out.Tasks) == 0 {
		if w.unseen++; w.unseen <= mostUnseen { // a new task may not be visible yet, and a lost connection is no reason to give up
			return false, nil
		}
		if err == nil {
			err = errors.New("ECS no longer knows the task")
		}
		return false, w.denied(err, "ecs:DescribeTasks", w.result.ARN)
	}
	w.unseen = 0
	task := out.Tasks[0]
	if aws.ToString(task.LastStatus) != "STOPPED" {
		return false, nil
	}
	w.result.Reason = aws.ToString(task.StoppedReason)
	for _, c := range task.Containers {
		if aws.ToString(c.Name) != w.run.Container {
			continue
		}
		if c.ExitCode != nil {
			w.result.ExitCode = int(*c.ExitCode)
		}
		if c.Reason != nil {
			w.result.Reason += ": " + *c.Reason
		}
	}
	return true, nil
}

// stream is the log stream of the container.
func (w *watch) stream() string {
	return w.run.LogPrefix + "/" + w.run.Container + w.result.ARN[strings.LastIndex(w.result.ARN, "/"):]
}

// lines writes what is new in the task's log, and counts it.
func (w *watch) lines(ctx context.Context) (n int) {
	if w.run.LogGroup == "" {
		return 0
	}
	for {
		out, err := w.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(w.run.LogGroup), LogStreamName: aws.String(w.stream()), StartFromHead: aws.Bool(true), NextToken: w.next,
		})
		var none *logtypes.ResourceNotFoundException
		if err != nil {
			if !errors.As(err, &none) && ctx.Err() == nil { // its exit code matters more than its log
				w.run.Line("(its log could not be read: " + w.denied(err, "logs:GetLogEvents", w.run.LogGroup).Error() + ")")
				w.run.LogGroup = ""
			}
			return n
		}
		for _, e := range out.Events {
			w.run.Line(strings.TrimRight(aws.ToString(e.Message), "\r\n"))
			n++
		}
		same := w.next != nil && aws.ToString(out.NextForwardToken) == *w.next
		w.next = out.NextForwardToken
		if same || len(out.Events) == 0 {
			return n
		}
	}
}

func (w *watch) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := w.ecs.StopTask(ctx, &ecs.StopTaskInput{
		Cluster: aws.String(w.run.Cluster), Task: aws.String(w.result.ARN), Reason: aws.String("stopped by " + w.run.StartedBy + ": interrupted"),
	})
	w.result.Reason = "stopped"
	if err != nil {
		w.result.Reason = "not stopped: " + w.denied(err, "ecs:StopTask", w.result.ARN).Error()
	}
}
