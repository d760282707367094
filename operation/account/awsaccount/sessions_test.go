package awsaccount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway/internal/awstest"
	"slipway/operation/account"
	"slipway/operation/account/process"
)

// The output of a command comes in pieces of any size, and what it writes may look like a mark.
func TestUnframer(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		exit             int
	}{
		{"line ends are turned off", "Starting session\nM begin 0\na\nb\r\n\nM end 3\n\nExiting", "a\nb\r\n", 3},
		{"line ends are not", "Starting session\r\nM begin 1\r\na\r\nb\r\n\r\nM end 0\r\n", "a\nb\n", 0},
		{"no line end at the end", "M begin 0\na\nM end 0\n", "a", 0},
		{"no output", "M begin 0\n\nM end 127\n", "", 127},
		{"like a mark", "M begin 0\nM en\nM end x\n\nM end 255\n", "M en\nM end x\n", 255},
		{"a session that breaks", "M begin 0\nhalf", "", -1},
		{"a session that never began", "Cannot perform start session: EOF\n", "", -1},
	} {
		for size := 1; size <= len(c.text); size++ {
			var out bytes.Buffer
			u := &unframer{to: &out, mark: []byte("M"), exit: -1}
			for part := range slices.Chunk([]byte(c.text), size) {
				if n, err := u.Write(part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if out.String() != c.want && c.exit >= 0 || !strings.HasPrefix("half", out.String()) && c.exit < 0 || u.exit != c.exit {
				t.Errorf("%s, in pieces of %d: %q and exit code %d, want %q and %d", c.name, size, out.String(), u.exit, c.want, c.exit)
			}
		}
	}
}

// A real shell runs the framed command, whatever its words are.
func TestFrameInAShell(t *testing.T) {
	for _, c := range []struct {
		command []string
		want    string
		exit    int
	}{
		{[]string{"printf", "%s|", "a b", "", "it's", `"$HOME"`, "#x", "*", `\`}, `a b||it's|"$HOME"|#x|*|\|`, 0},
		{[]string{"sh", "-c", "cat; exit 7"}, "", 7}, // it has no input
		{[]string{"no-such-command"}, "", 127},
	} {
		mark := newMark()
		words := frame(mark, c.command)
		// The agent's splitting and this shell's are the same for quoted words.
		cmd := exec.Command("sh", "-c", quote(words))
		cmd.Stdin = strings.NewReader("not for the command")
		var out bytes.Buffer
		u := &unframer{to: &out, mark: []byte(mark), exit: -1}
		cmd.Stdout = u
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want || u.exit != c.exit {
			t.Errorf("%q: %q and exit code %d, want %q and %d", c.command, out.String(), u.exit, c.want, c.exit)
		}
	}
}

// What the shell says of a command that it does not find begins with "sh", not with the mark.
func TestTheMarkIsInNoMessage(t *testing.T) {
	mark := newMark()
	words := frame(mark, []string{"no-such-command"})
	var out bytes.Buffer
	u := &unframer{to: &out, mark: []byte(mark), exit: -1}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = u, u
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); !strings.HasPrefix(said, "sh: ") || strings.Contains(said, mark) {
		t.Errorf("it says %q", said)
	}
}

// The plugin waits forever if it cannot connect.
func TestASessionThatDoesNotBegin(t *testing.T) {
	f := framedSession{mark: newMark(), host: "ssmmessages.us-east-1.amazonaws.com", begin: 50 * time.Millisecond,
		pluginSession: pluginSession{command: process.Command{Path: "sh", Args: []string{"-c",
			"echo Starting session with SessionId: ada-1; exec sleep 300"}}}}
	begun := time.Now()
	var out bytes.Buffer
	_, err := f.Run(t.Context(), process.Streams{Out: &out, Err: &out})
	if err == nil || !strings.Contains(err.Error(), "the session did not begin within 50ms; does this machine reach "+f.host) {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second || out.Len() > 0 {
		t.Errorf("it took %s and wrote %q", took, out.String())
	}
	f.command.Args[1] = "echo " + f.mark + " begin 0; sleep 0.3; echo; echo " + f.mark + " end 4"
	if exit, err := f.Run(t.Context(), process.Streams{Out: &out, Err: &out}); exit != 4 || err != nil {
		t.Errorf("one that began, and takes longer: %d, %v", exit, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Run(ctx, process.Streams{Out: &out, Err: &out}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupt: %v", err)
	}
}

// The plugin ends and resumes sessions where the SDK starts them.
func TestThePluginGetsTheEndpointOfSystemsManager(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "https://ssm.us-east-1.amazonaws.com"},
		{map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://ssm-fips.us-east-1.amazonaws.com"},
		{map[string]string{"AWS_ENDPOINT_URL_SSM": "https://vpce-0123.ssm.us-east-1.vpce.amazonaws.com"},
			"https://vpce-0123.ssm.us-east-1.vpce.amazonaws.com"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL", "")
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			if got, err := at(t).endpoint(t.Context()); err != nil || got != c.want {
				t.Errorf("it is %q, %v", got, err)
			}
		})
	}
}

func TestInstallOn(t *testing.T) {
	for _, c := range []struct{ system, processor, release, want string }{
		{"darwin", "arm64", "", "/mac_arm64/session-manager-plugin.pkg"},
		{"darwin", "amd64", "", "/mac/session-manager-plugin.pkg"},
		{"linux", "amd64", "NAME=Debian\nID=debian\n", "/ubuntu_64bit/session-manager-plugin.deb"},
		{"linux", "arm64", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "/ubuntu_arm64/session-manager-plugin.deb"},
		{"linux", "amd64", "ID=\"amzn\"\nID_LIKE=\"fedora\"\n",
			"dnf install -y https://s3.amazonaws.com/session-manager-downloads/plugin/latest/linux_64bit/"},
		{"linux", "arm64", "ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n", "zypper install -y "},
		{"linux", "amd64", "ID=alpine\n", "apk add aws-session-manager-plugin"},
		{"linux", "amd64", "ID=nixos\n", "AWS's page has every system: https://"},
		{"freebsd", "amd64", "", "AWS's page has every system: https://"},
	} {
		if got := installOn(c.system, c.processor, []byte(c.release)); !strings.Contains(got, c.want) {
			t.Errorf("%s %s %q: %q does not say %q", c.system, c.processor, c.release, got, c.want)
		}
	}
	for version, want := range map[string]bool{"1.2.764.0": true, "1.2.497.0": false, "1.2.497.1": true, "1.2.30.0": false,
		"1.3": true, "": false} {
		if newer(version, lastArgument) != want {
			t.Errorf("version %q is new enough: want %t", version, want)
		}
	}
}

// at is the sessions of an account at an endpoint.
func at(t *testing.T) sessions {
	t.Helper()
	a := &Account{args: Args{Region: "us-east-1"}, aws: settings(t), identity: account.Identity{Caller: "arn:aws:iam::123456789012:user/ada"}}
	s := a.Sessions().(sessions)
	s.poll = time.Millisecond
	return s
}

const taskARN = "arn:aws:ecs:us-east-1:123456789012:task/shop/0123456789abcdef"

// An interrupt stops the task, and says so.
func TestAnInterruptStopsTheTask(t *testing.T) {
	calls := awstest.Pretend(t, map[string][]awstest.Answer{
		"RunTask":       {{"tasks": []any{map[string]any{"taskArn": taskARN}}}},
		"DescribeTasks": {{"tasks": []any{map[string]any{"taskArn": taskARN, "lastStatus": "RUNNING"}}}},
		"GetLogEvents":  {{"__type": "ResourceNotFoundException", "message": "The specified log stream does not exist."}},
		"StopTask":      {{"task": map[string]any{}}, {"__type": "AccessDeniedException", "message": "no"}},
	})
	for _, want := range []string{"stopped",
		"not stopped: access denied: arn:aws:iam::123456789012:user/ada lacks the permission ecs:StopTask on " + taskARN + "\n  AWS: no"} {
		ctx, cancel := context.WithCancel(t.Context())
		result, err := at(t).Run(ctx, account.OneOff{Cluster: "shop", TaskDefinition: "d", Subnets: []string{"subnet-0"}, Container: "django",
			LogGroup: "/shop", LogPrefix: "task",
			Started: func(string) { time.AfterFunc(20*time.Millisecond, cancel) }, Line: func(string) {}})
		if !errors.Is(err, context.Canceled) || result.Reason != want || result.ARN != taskARN {
			t.Errorf("%+v, %v; want %q", result, err, want)
		}
	}
	stops := slices.DeleteFunc(calls(), func(call string) bool { return !strings.HasPrefix(call, "StopTask ") })
	if len(stops) != 2 || !strings.Contains(stops[0], `"task":"`+taskARN+`"`) {
		t.Errorf("calls to stop it: %q", stops)
	}
}

// What keeps a task from running is said in AWS's words.
func TestATaskThatDoesNotRun(t *testing.T) {
	ended := func(container map[string]any) awstest.Answer {
		container["name"] = "django"
		return awstest.Answer{"tasks": []any{map[string]any{"taskArn": taskARN, "lastStatus": "STOPPED", "stoppedReason": "it stopped",
			"containers": []any{container}}}}
	}
	for _, c := range []struct {
		name      string
		run, look awstest.Answer
		wrong     string
		result    account.JobResult
	}{
		{"no capacity", awstest.Answer{"failures": []any{map[string]any{"reason": "RESOURCE:CPU"}}}, nil,
			"ECS did not start the task: RESOURCE:CPU", account.JobResult{ExitCode: -1}},
		{"another error", awstest.Answer{"__type": "ClusterNotFoundException", "message": "Cluster not found."}, nil,
			"ecs:RunTask on d: ClusterNotFoundException: Cluster not found.", account.JobResult{ExitCode: -1}},
		{"no image", nil, ended(map[string]any{"reason": "CannotPullContainerError"}), "",
			account.JobResult{ARN: taskARN, ExitCode: -1, Reason: "it stopped: CannotPullContainerError"}},
		{"no memory", nil, ended(map[string]any{"exitCode": 137, "reason": "OutOfMemoryError"}), "",
			account.JobResult{ARN: taskARN, ExitCode: 137, Reason: "it stopped: OutOfMemoryError"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.run == nil {
				c.run = awstest.Answer{"tasks": []any{map[string]any{"taskArn": taskARN}}}
			}
			awstest.Pretend(t, map[string][]awstest.Answer{"RunTask": {c.run}, "DescribeTasks": {c.look}})
			result, err := at(t).Run(t.Context(), account.OneOff{Cluster: "shop", TaskDefinition: "d", Subnets: []string{"subnet-0"},
				Container: "django", Started: func(string) {},
				Line: func(string) {}})
			if fmt.Sprint(err) != c.wrong && !(err == nil && c.wrong == "") || result != c.result {
				t.Errorf("%+v, %v; want %+v, %q", result, err, c.result, c.wrong)
			}
		})
	}
}

// tasksInText is moto, which has numbers where ECS has texts: the CPU units and the memory of a task's containers.
const tasksInText = `
import sys
from moto.ecs.models import Container
init = Container.__init__
def corrected(self, definition):
    init(self, definition)
    self.cpu, self.memory = str(self.cpu or 0), str(self.memory or 0)
Container.__init__ = corrected
from moto.server import main
main(sys.argv[1:])
`

// TestSessionsAgainstMoto runs what moto serves: everything but ExecuteCommand and StartSession, which it does not know.
func TestSessionsAgainstMoto(t *testing.T) {
	settings := awsAt(t, recorded(t, awstest.Moto(t, "-c", tasksInText)))
	ctx := t.Context()
	client, logs, parameters := ecs.NewFromConfig(settings), cloudwatchlogs.NewFromConfig(settings), ssm.NewFromConfig(settings)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("shop")})
	must(err)
	definition, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("shop-task"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, Cpu: aws.String("256"), Memory: aws.String("512"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("django"), Image: aws.String("django"), Memory: aws.Int32(512)}},
	})
	must(err)
	_, err = logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/shop")})
	must(err)
	s := at(t)
	var found struct {
		Subnets []struct {
			ID string `xml:"subnetId"`
		} `xml:"subnetSet>item"`
	}
	must(ec2Service.call(ctx, settings, "DescribeSubnets", nil, &found))
	var groups struct {
		Groups []struct {
			ID string `xml:"groupId"`
		} `xml:"securityGroupInfo>item"`
	}
	must(ec2Service.call(ctx, settings, "DescribeSecurityGroups", nil, &groups))
	var lines []string
	within, cancel := context.WithCancel(ctx)
	run := account.OneOff{
		Cluster: "shop", TaskDefinition: aws.ToString(definition.TaskDefinition.TaskDefinitionArn), Subnets: []string{found.Subnets[0].ID},
		SecurityGroups: []string{groups.Groups[0].ID},
		Container:      "django", Command: []string{"true"}, CPU: 512, Memory: 1024, LogGroup: "/shop", LogPrefix: "task",
		StartedBy: "slipway task",
		Started: func(arn string) {
			stream := aws.String("task/django" + arn[strings.LastIndex(arn, "/"):])
			_, err := logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("/shop"), LogStreamName: stream})
			must(err)
			_, err = logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("/shop"), LogStreamName: stream,
				LogEvents: []logtypes.InputLogEvent{{Message: aws.String("hello"), Timestamp: aws.Int64(time.Now().UnixMilli())}}})
			must(err)
		},
		Line: func(text string) { lines = append(lines, text); cancel() },
	}
	result, err := s.Run(within, run)
	if !errors.Is(err, context.Canceled) || result.Reason != "stopped" || !slices.Equal(lines, []string{"hello"}) {
		t.Fatalf("%+v, %v, log %q", result, err, lines)
	}
	described, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("shop"), Tasks: []string{result.ARN}})
	must(err)
	if status := aws.ToString(described.Tasks[0].LastStatus); status != "STOPPED" {
		t.Errorf("the task is %s", status)
	}

	run.Detach, run.Started = true, func(string) {}
	if result, err = s.Run(ctx, run); err != nil || !result.Running {
		t.Fatalf("%+v, %v", result, err)
	}

	images := s.PostgresImages("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/psql", "17")
	if login, err := images[0].Login(ctx); err != nil || login.User != "AWS" || login.Password == "" || images[1].Login != nil {
		t.Errorf("the registry's user is %q, %v", login.User, err)
	}

	_, err = parameters.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/shop/db/password"),
		Type: ssmtypes.ParameterTypeSecureString, Value: aws.String("correct horse")})
	must(err)
	value, err := s.Secret(ctx, "arn:aws:ssm:us-east-1:123456789012:parameter/shop/db/password")
	if err != nil || value != "correct horse" {
		t.Errorf("the secret is %q, %v", value, err)
	}
	if _, err := s.Secret(ctx, "/shop/db/none"); err == nil || !strings.Contains(err.Error(), "ParameterNotFound") {
		t.Errorf("a secret that does not exist: %v", err)
	}
}
