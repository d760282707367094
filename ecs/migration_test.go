package ecs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
)

// fakeRunner returns a fixed answer, and records its calls.
type fakeRunner struct {
	result TaskResult
	err    error
	hangs  bool
	runs   []TaskRun
}

func (r *fakeRunner) RunTask(ctx context.Context, run TaskRun) (TaskResult, error) {
	r.runs = append(r.runs, run)
	if r.hangs {
		<-ctx.Done()
		return TaskResult{ExitCode: NotStarted, Logs: []string{"waiting for the lock"}}, ctx.Err()
	}
	return r.result, r.err
}

// atOnce gives a task no time beside its limit.
func atOnce(t *testing.T) {
	before := startWait
	startWait = 0
	t.Cleanup(func() { startWait = before })
}

func step(old, release string) *pulumi.ResourceHookArgs {
	args := &pulumi.ResourceHookArgs{NewInputs: resource.PropertyMap{"insecureValue": resource.NewProperty(release)}}
	if old != "" {
		args.OldInputs = resource.PropertyMap{"insecureValue": resource.MakeSecret(resource.NewProperty(old))}
	}
	return args
}

func TestMigrationHook(t *testing.T) {
	for _, c := range []struct {
		name         string
		runner       fakeRunner
		old          string
		runs         int
		want, unwant []string // parts of the error; none: success
	}{
		{name: "first release", runs: 1},
		{name: "next release", old: "r1", runs: 1},
		{name: "only a tag of the marker changes", old: "r2", runs: 0},
		{
			name: "the command fails", runs: 1,
			runner: fakeRunner{result: TaskResult{ExitCode: 1, StoppedReason: "Essential container in task exited", Logs: []string{
				"Applying feed.0002... ", "django.db.utils.ProgrammingError: column exists",
				"url postgres://owner:hunter2@db/site password=hunter2, SECRET_KEY='hunter2'",
				"broker redis://:hunter2@cache:6379/0"}}},
			want: []string{"migration to r2 failed in feed.0002: exit code 1 (Essential container in task exited)", "column exists",
				"The services were not changed", "run up again", "log group /slipway/test/migration", "postgres://owner:…@db/site"},
			unwant: []string{"hunter2"},
		},
		{
			name: "the secret cannot be read", runs: 1,
			runner: fakeRunner{result: TaskResult{ExitCode: NotStarted,
				StoppedReason: "ResourceInitializationError: AccessDeniedException"}},
			want:   []string{"its task did not start: ResourceInitializationError: AccessDeniedException"},
			unwant: []string{"exit code", "Last lines"},
		},
		{
			name: "AWS refuses the task", runs: 1,
			runner: fakeRunner{err: errors.New("ECS did not start the task: Capacity is unavailable")},
			want:   []string{"migration to r2 failed: ECS did not start the task: Capacity is unavailable"},
		},
		{
			name: "a refusal does not read as success even with exit code 0", runs: 1,
			runner: fakeRunner{result: TaskResult{ExitCode: 0}, err: errors.New("watching the task: connection reset")},
			want:   []string{"connection reset"},
		},
		{
			name: "the migration hangs", runs: 1, runner: fakeRunner{hangs: true},
			want: []string{"it did not finish within 50ms and was stopped", "waiting for the lock"},
		},
		{
			name: "the helper stops it at the limit", runs: 1, runner: fakeRunner{result: TaskResult{ExitCode: 3}},
			want: []string{"it did not finish within app.migrate.limit, 50ms, and was stopped"}, unwant: []string{"exit code"},
		},
		{
			name: "another one is at work", runs: 1, runner: fakeRunner{result: TaskResult{ExitCode: 4}},
			want: []string{"another migration holds the lock"}, unwant: []string{"exit code"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			atOnce(t)
			planned := &plan{}
			planned.run.Store(&TaskRun{TaskDefinition: "migration:7", LogGroup: "/slipway/test/migration"})
			err := migrate(context.Background(), &c.runner, 50*time.Millisecond, planned, nil)(step(c.old, "r2"))
			if len(c.runner.runs) != c.runs {
				t.Errorf("%d runs, want %d", len(c.runner.runs), c.runs)
			}
			if (err == nil) != (len(c.want) == 0) {
				t.Fatalf("error is %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
			for _, unwant := range c.unwant {
				if strings.Contains(err.Error(), unwant) {
					t.Errorf("error says %q:\n%v", unwant, err)
				}
			}
		})
	}
}

func TestFailedMigrationIsNamed(t *testing.T) {
	for _, c := range []struct {
		name, want string
		log        []string
	}{
		{name: "the last line of the helper", want: "feed.0901_broken", log: []string{
			`  File "/srv/site/feed/migrations/0900_mood.py", line 3`, "django.db.utils.DataError: division by zero",
			"migration failed: feed.0901_broken"}},
		{name: "a lock that it did not get", want: "feed.0002_table",
			log: []string{"CommandError: the migration feed.0002_table waited 15 s for a table"}},
		{name: "Django's own line", want: "shop.0003_x", log: []string{"  Applying shop.0001_initial... OK", "  Applying shop.0003_x...",
			"IntegrityError"}},
		{name: "all of Django's lines are complete", want: "", log: []string{"  Applying shop.0001_initial... OK", "role could not be created"}},
		{name: "a frame of the traceback", want: "shop.0004_prices",
			log: []string{`  File "/code/shop/migrations/0004_prices.py", line 12, in forwards`, "KeyError: 'x'"}},
		{name: "nothing says it", want: "", log: []string{"cannot connect to the database"}},
	} {
		if got := failedMigration(c.log); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestALongMigrationIsReported(t *testing.T) {
	atOnce(t)
	before := reportEach
	reportEach = 10 * time.Millisecond
	t.Cleanup(func() { reportEach = before })
	planned := &plan{}
	planned.run.Store(&TaskRun{})
	var said []string
	err := migrate(context.Background(), &fakeRunner{hangs: true}, 65*time.Millisecond, planned, func(line string) {
		said = append(said,
			line)
	})(step("", "r1"))
	if err == nil || len(said) < 2 || !strings.Contains(said[0], "it is stopped after 65ms") {
		t.Errorf("said %q; error is %v", said, err)
	}
}

func TestCancelledDeploymentIsNotATimeout(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	planned := &plan{}
	planned.run.Store(&TaskRun{})
	err := migrate(ctx, &fakeRunner{hangs: true}, time.Minute, planned, nil)(step("", "r1"))
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error is %v", err)
	}
}

func TestTheHookRunsBeforeCreateAndUpdate(t *testing.T) {
	hook := &pulumi.ResourceHook{Name: "run"}
	got := before(hook)
	if !slices.Contains(got.BeforeCreate, hook) || !slices.Contains(got.BeforeUpdate, hook) {
		t.Errorf("the hook is called before %d creations and %d updates", len(got.BeforeCreate), len(got.BeforeUpdate))
	}
	if len(got.BeforeDelete)+len(got.AfterCreate)+len(got.AfterUpdate)+len(got.AfterDelete) != 0 {
		t.Errorf("the hook is called where it cannot stop a release: %+v", got)
	}
}

func TestHookWithoutAPlanRunsNothing(t *testing.T) {
	runner := &fakeRunner{}
	if err := migrate(context.Background(), runner, time.Second, &plan{}, nil)(step("", "r1")); err == nil || len(runner.runs) != 0 {
		t.Errorf("error is %v after %d runs", err, len(runner.runs))
	}
}

// The plan must be complete before the marker is registered, because the hook is called right after.
func TestPlanIsKnownBeforeTheMarker(t *testing.T) {
	planned := &plan{}
	var atMarker *TaskRun
	_, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		cluster, err := NewCluster(ctx, "cluster",
			&ClusterArgs{Site: site, ExecGroup: pulumi.String("exec"), ExecKeyARN: pulumi.String(logsKey)})
		if err != nil {
			return err
		}
		slow := pulumi.String("arn:task:7").ToStringOutput().ApplyT(func(arn string) string {
			time.Sleep(100 * time.Millisecond)
			return arn
		}).(pulumi.StringOutput)
		args := &MigrationArgs{Site: site, Cluster: cluster, Placement: place("sg-work"), Group: pulumi.String("/logs"),
			Release: pulumi.String("r1")}
		ready := planned.fill(args, slow, []pulumi.Resource{cluster})
		var after pulumi.ResourceState
		if err := ctx.RegisterComponentResource("slipway:ecs:Probe", "probe", &after, pulumi.DependsOnInputs(ready)); err != nil {
			return err
		}
		after.URN().ApplyT(func(pulumi.URN) int {
			atMarker = planned.run.Load()
			return 0
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &TaskRun{
		Cluster: "arn:aws:ecs:us-east-1:123456789012:cluster/cluster", TaskDefinition: "arn:task:7",
		Subnets: []string{"subnet-a", "subnet-b"}, SecurityGroups: []string{"sg-work"},
		Container: "django", LogGroup: "/logs", LogPrefix: "migration", StartedBy: "slipway-test-migration",
	}
	if diff := cmp.Diff(want, atMarker); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
