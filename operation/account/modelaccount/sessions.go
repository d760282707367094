package modelaccount

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"

	"slipway/operation/account"
	"slipway/operation/account/process"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/containers"
)

// Sessions implements account.Account: they are with the containers of this machine.
func (a *Account) Sessions() account.Sessions { return sessions{a.model.Account, a.containers} }

type sessions struct {
	model      *cloud.Account
	containers *containers // nil: the stack is only modelled
}

var errNothingRuns = errors.New("this stack is only modelled, so nothing runs")

// Ready implements account.Sessions.
func (s sessions) Ready(context.Context) error {
	if s.containers == nil {
		return errNothingRuns
	}
	return nil
}

// Run implements account.Sessions.
func (s sessions) Run(ctx context.Context, run account.OneOff) (account.JobResult, error) {
	result, err := s.model.RunTask(ctx, cloud.TaskRun{
		Cluster: run.Cluster, TaskDefinition: run.TaskDefinition, Subnets: run.Subnets, SecurityGroups: run.SecurityGroups,
		Container: run.Container, Command: run.Command, CPU: run.CPU, Memory: run.Memory, StartedBy: run.StartedBy,
		Detach: run.Detach, Started: run.Started, Line: run.Line,
	})
	if err == nil && ctx.Err() != nil {
		result.Reason, err = "stopped", ctx.Err()
	}
	ended := account.JobResult{ARN: result.ARN, ExitCode: result.ExitCode, Reason: result.Reason}
	if run.Detach && err == nil && result.ExitCode != cloud.NeverStarted {
		ended.Running, ended.Follow = true, "docker logs --follow $(docker ps --latest --quiet --filter label=slipway.detached=true)"
	}
	return ended, err
}

// A dockerSession is a program in a container.
type dockerSession struct{ command process.Command }

// Run implements account.Session.
func (d dockerSession) Run(ctx context.Context, s process.Streams) (int, error) {
	if !s.Terminal {
		s.In = nil // as in an account, where a command for a pipe has no input
	}
	return process.Run(ctx, d.command, s)
}

// Exec implements account.Sessions.
func (s sessions) Exec(_ context.Context, e account.Exec) (account.Session, error) {
	if s.containers == nil {
		return nil, errNothingRuns
	}
	command := e.Command
	if !e.Terminal { // as in an account, where a shell starts it: docker has another exit code for a command that is missing
		command = append([]string{"sh", "-c", `exec "$@"`, "sh"}, command...)
	}
	args := s.containers.Exec(e.Task.ID, e.Container, command, e.Terminal)
	return dockerSession{process.Command{Path: args[0], Args: args[1:]}}, nil
}

// A forward is a tunnel in this process.
type forward struct {
	here int
	to   string
}

// Run implements account.Session.
func (f forward) Run(ctx context.Context, _ process.Streams) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(f.here)))
	if err != nil {
		return -1, err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	live.Pass(l, f.to)
	return -1, ctx.Err()
}

// Forward implements account.Sessions. Containers have no agent that it goes through: it ends at the database's container.
func (s sessions) Forward(ctx context.Context, f account.Forward) (account.Session, error) {
	if s.containers == nil {
		return nil, errNothingRuns
	}
	to, err := s.containers.DatabaseAt(ctx, f.Host, f.Port)
	return forward{f.Here, to}, err
}

// Shell implements account.Sessions.
func (s sessions) Shell(context.Context, string, string) (account.Session, error) {
	return nil, errors.New("the bastion of a rehearsal is only modelled, and no container; to get into one of the site: slipway exec")
}

// Secret implements account.Sessions.
func (s sessions) Secret(_ context.Context, arn string) (string, error) {
	for _, o := range s.model.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type == "aws:ssm/parameter:Parameter" && slices.Contains([]string{out.String("arn"), out.String("name")}, arn) {
			return out.String("value"), nil
		}
	}
	return "", &cloud.Error{Code: "ParameterNotFound", Action: "ssm:GetParameter", Message: "no parameter " + arn}
}

// PostgresImages implements account.Sessions. The registry of a run is on this machine, and needs no login.
func (s sessions) PostgresImages(repository, major string) []account.Image {
	official, own := "postgres:"+major, repository+":"+major
	if s.containers != nil {
		official, own = s.containers.PostgresImage(major), s.containers.Local(own)
	}
	images := []account.Image{{Name: official}}
	if repository != "" {
		images = slices.Insert(images, 0, account.Image{Name: own, Own: true})
	}
	return images
}
