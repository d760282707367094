package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/engine"
	"slipway/internal/version"
	"slipway/operation"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
)

// commands are those that the scripts find on their PATH.
var commands = map[string]func(){"slipway": conforming, "docker-stand-in": dockerStandIn}

// conforming is the command as main runs it. All JSON that it writes, in every script, must match its schema.
func conforming() {
	breakRuns()
	version.Number = os.Getenv("PRETENDED_VERSION") // "": built from a clone
	if !slices.Contains(os.Args, "--json") {
		main()
	}
	var out bytes.Buffer
	code := execute(os.Args[1:], io.MultiWriter(os.Stdout, &out), os.Stderr)
	command, rest, err := rootCommand(unused()).Find(os.Args[1:])
	name := strings.TrimPrefix(command.CommandPath(), "slipway ")
	failed := code != 0 && bytes.HasPrefix(out.Bytes(), []byte("{\n  \"error\": "))
	if failed {
		name = "error"
	}
	oneValue := name == "outputs" && len(rest) > 0 && !strings.HasPrefix(rest[0], "-")
	if (err == nil || failed) && out.Len() > 0 && !writesNone[name] && !oneValue {
		var schema []byte
		if schema, err = schemas.Of(name); err == nil {
			conform := conform
			if name == "logs" {
				conform = conformLines
			}
			err = conform(schema, out.Bytes())
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "what %s wrote is not what its schema says: %v\n", name, err)
			code = 99
		}
	}
	os.Exit(code)
}

// unused is an invocation whose commands are looked at and not run.
func unused() *invocation { return newInvocation(newOutput(io.Discard, io.Discard), nil) }

func TestMain(m *testing.M) {
	if os.Getenv("SLIPWAY_BENCHMARK") != "" { // this process is the command that a benchmark runs
		main()
	}
	testscript.Main(m, commands)
}

// further are the scripts that cover one subject at length. They run if SLIPWAY_SCRIPTS is "further", as .ci/run
// does: go test gives a package ten minutes, in which two slow processors finish only the others.
var further = []string{"accounts", "bootstrap", "ci", "contexts", "damaged", "destroy", "disk", "drift", "exits", "impossible", "json",
	"oncall", "doctor", "night", "workername",
	"killed", "leak", "loss", "promote", "questions", "releases", "unlock", "verdict", "whatif", "why"}

// scripts are the files to run.
func scripts(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	wanted := slices.DeleteFunc(slices.Clone(all), func(file string) bool {
		long := slices.Contains(further, strings.TrimSuffix(filepath.Base(file), ".txtar"))
		return long != (os.Getenv("SLIPWAY_SCRIPTS") == "further")
	})
	if len(wanted) == 0 || len(wanted) == len(all) {
		t.Fatalf("%d of %d scripts are to run", len(wanted), len(all))
	}
	return wanted
}

// TestScripts runs testdata/script/*.txtar, each in a folder with the project's own Pulumi files and app. They are
// written to be read: they show what the command does, and what it refuses. They find no Pulumi CLI: a rehearsal needs none.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files: scripts(t),
		Condition: func(name string) (bool, error) {
			switch name {
			case "mount":
				return canMount(), nil
			case "docker":
				return exec.Command("docker", "version").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			if err := furnish(env); err != nil {
				return err
			}
			// A rehearsal must not look at these, let alone use them.
			env.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
			env.Setenv("AWS_PROFILE", "the-company")
			env.Setenv("PULUMI_ACCESS_TOKEN", "pul-0123456789")
			env.Setenv("PULUMI_CONFIG_PASSPHRASE", "another passphrase")
			env.Setenv("PULUMI_BACKEND_URL", "s3://another-owner")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"count": count, "remember": remember, "unlink": unlink, "forget": forget, "same": same, "unbuilt": unbuilt,
			"exits": exits, "tally": tallies, "changes": changes, "edit": edit, "await": await, "cut": cut, "alter": alter, "lose": lose,
			"fill": fill, "conforms": conforms, "says": says, "leaks": leaks, "job": runJob, "github": github, "bounded": bounded,
			"lines": lines, "disk": disk, "reserve": reserve, "wrote": wrote, "archived": archivedText, "fires": fires,
			"state": state, "forgotten": forgotten,
		},
	})
}

// furnish returns a script the project's own Pulumi files and app.
func furnish(env *testscript.Env) error {
	env.Setenv("PRETENDED_VERSION", "0.4.0")
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "Pulumi*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(env.WorkDir, filepath.Base(file)), data, 0o644); err != nil {
			return err
		}
	}
	return os.Symlink(filepath.Join(root, "app"), filepath.Join(env.WorkDir, "app"))
}

// furnishLive also gives it the CLI, which a stack in an account needs.
func furnishLive(env *testscript.Env, cli *engine.CLI) error {
	if cache, err := os.UserCacheDir(); err == nil && runtime.GOOS == "linux" {
		env.Setenv("XDG_CACHE_HOME", cache)
	} else {
		env.Setenv("PATH", filepath.Dir(cli.Path())+string(os.PathListSeparator)+env.Getenv("PATH"))
	}
	return furnish(env)
}

// breakRuns injects the fault that the script asks for into the process of the command:
//
//	KILL=before:N  kills it with SIGKILL just before the Nth call that changes the model
//	KILL=after:N   kills it when the Nth change is made, before the engine learns of it
//	INTERRUPT=N    sends it Ctrl-C at the Nth call
//	PAUSE=N        stops the Nth call until the file "go" exists; the file "paused" says that it is there
//	REFUSE=ACTION  answers that API action as AWS does when a quota is reached
//	MIGRATION=N    ends the migration with exit code N
//	CALLER=ROLE    makes the calls as that role of the model
//	UNHEALTHY=HOW  keeps the new tasks of services from becoming healthy, see unhealthy; HOW:SERVICE of one only; alarm: an
//	               alarm of the service fires
func breakRuns() {
	when, at, _ := strings.Cut(os.Getenv("KILL"), ":")
	number := func(text string) int64 { n, _ := strconv.ParseInt(text, 10, 64); return n }
	killAt, interruptAt, pauseAt := number(at), number(os.Getenv("INTERRUPT")), number(os.Getenv("PAUSE"))
	refuse := os.Getenv("REFUSE")
	kill := func() { syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	modelHooks.Opened = func(a *cloud.Account) {
		if role := os.Getenv("CALLER"); role != "" {
			a.Caller = cloud.Caller{Role: role}
		}
		a.Before = func(n int, action string, _ *cloud.Object) error {
			if when == "before" && int64(n) == killAt {
				kill()
			}
			if int64(n) == interruptAt {
				syscall.Kill(os.Getpid(), syscall.SIGINT)
				time.Sleep(200 * time.Millisecond) // so that the engine receives it before this call is done
			}
			if int64(n) == pauseAt {
				os.WriteFile("paused", nil, 0o600)
				for _, err := os.Stat("go"); err != nil; _, err = os.Stat("go") {
					time.Sleep(20 * time.Millisecond)
				}
			}
			if refuse != "" && action == refuse {
				return &cloud.Error{Code: "AddressLimitExceeded", Action: action,
					Message: "The maximum number of addresses has been reached."}
			}
			return nil
		}
		if code := os.Getenv("MIGRATION"); code != "" {
			a.Tasks = func(context.Context, cloud.TaskRun) cloud.TaskResult {
				return cloud.TaskResult{ExitCode: int(number(code)), Logs: []string{"relation feed_entry already exists"}}
			}
		}
		if how, only, _ := strings.Cut(os.Getenv("UNHEALTHY"), ":"); how != "" {
			a.Healthy = func(service, _ *cloud.Object) *cloud.Failure {
				if name := cloud.Inputs(service.Outputs).String("name"); only != "" && name != only {
					return nil
				}
				if how == "alarm" {
					names := append(cloud.Inputs(service.Outputs).Strings("alarms.alarmNames"), "none")
					return &cloud.Failure{Alarm: names[0], Reason: "an alarm fired"}
				}
				return unhealthy[how]
			}
		}
	}
	var done atomic.Int64
	modelHooks.Done = func(e rehearsal.Event) {
		if when == "after" && e.Err == nil && done.Add(1) == killAt {
			kill()
		}
	}
}

// unhealthy are ways in which tasks fail.
var unhealthy = map[string]*cloud.Failure{
	"crash": {Container: "django", ExitCode: 3, Reason: "Essential container in task exited", Logs: []string{
		"[INFO] Starting gunicorn 23.0.0",
		"ModuleNotFoundError: No module named 'mysite'",
		"DATABASE_URL=postgres://site:hunter2@db:5432/site",
		"[ERROR] Reason: Worker failed to boot.",
	}},
	"processor": {Container: "django", ExitCode: 1, Reason: "Essential container in task exited",
		Logs: []string{"exec /usr/local/bin/python: exec format error"}},
	"memory": {Container: "django", ExitCode: 137, Reason: "OutOfMemoryError: Container killed due to memory usage",
		Detail: "OutOfMemoryError: container killed due to memory usage"},
	"silent": {Container: "django", ExitCode: 0,
		Reason: "Task failed ELB health checks in (target-group " +
			"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef)", Logs: []string{"GET /healthz 500"}},
}

// exits CODE COMMAND... runs a command that must exit with the code; 137 is what a shell calls SIGKILL.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			got = 128 + int(status.Signal())
		}
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s exits with %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// lines FILE... N checks that files have at most N lines together.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: lines file... n")
	}
	most, err := strconv.Atoi(args[len(args)-1])
	ts.Check(err)
	n := 0
	for _, file := range args[:len(args)-1] {
		n += strings.Count(ts.ReadFile(file), "\n")
	}
	if n > most {
		ts.Fatalf("%d lines are more than %d", n, most)
	}
}

// tally STACK FILE writes how many objects of each type the model holds, by the resource's name in the program.
func tallies(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tally stack file")
	}
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	counts := map[string]int{}
	for _, o := range account.Objects() {
		if !o.Seeded {
			counts[o.Type+" "+o.URN[strings.LastIndex(o.URN, ":")+1:]]++
		}
	}
	lines := strings.ReplaceAll(operation.Tally(counts), ", ", "\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(lines), 0o600))
}

// changes FILE [OP TYPE NAME [PATH...]]... checks that the JSON of up or preview lists exactly these changes. Changes are
// separated by commas; the order does not matter.
func changes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: changes file [op type name path... [, ...]]")
	}
	var result engine.Summary
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &result))
	got := map[string]bool{}
	for _, c := range result.Changes {
		words := []string{c.Op, c.Type, c.Name()}
		for _, p := range c.Properties {
			words = append(words, p.Path)
		}
		got[strings.Join(words, " ")] = true
	}
	want := map[string]bool{}
	for _, one := range strings.Split(strings.Join(args[1:], " "), ",") {
		if one = strings.TrimSpace(one); one != "" {
			want[one] = true
		}
	}
	var wrong []string
	for one := range got {
		if !want[one] {
			wrong = append(wrong, "unexpected: "+one)
		}
	}
	for one := range want {
		if !got[one] {
			wrong = append(wrong, "missing: "+one)
		}
	}
	if len(wrong) > 0 {
		ts.Fatalf("the changes are not what they should be:\n  %s", strings.Join(wrong, "\n  "))
	}
}

// edit FILE OLD NEW replaces a string that is in the file exactly once.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%q is %d times in %s", args[1], n, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// await FILE waits until a file exists, for a minute at most.
func await(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s does not come", args[0])
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cut FILE leaves the first half of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Clone(data[:len(data)/2]), 0o600))
}

// alter STACK TYPE NAME PATH JSON changes a setting of an object of the model by hand, as a user in the console would. NAME
// is the resource's in the program.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: alter stack type name path json")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(args[4]), &value))
	byHand(ts, args[0], args[1], args[2], func(account *cloud.Account, o *cloud.Object) error {
		return account.Alter(o.Type, o.ID, func(o *cloud.Object) {
			for _, settings := range []map[string]any{o.Inputs, o.Outputs} {
				keys := strings.Split(args[3], ".")
				for _, key := range keys[:len(keys)-1] {
					settings, _ = settings[key].(map[string]any)
				}
				if settings != nil {
					settings[keys[len(keys)-1]] = value
				}
			}
		})
	})
}

// lose STACK TYPE NAME deletes an object of the model by hand.
func lose(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lose stack type name")
	}
	byHand(ts, args[0], args[1], args[2], func(account *cloud.Account, o *cloud.Object) error {
		_, err := account.Remove(o.Type, o.ID)
		return err
	})
}

// fill STACK NAME KEY... puts objects into a bucket of the model.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fill stack bucket key...")
	}
	const object = "aws:s3/bucketObjectv2:BucketObjectv2"
	byHand(ts, args[0], "aws:s3/bucketV2:BucketV2", args[1], func(account *cloud.Account, bucket *cloud.Object) error {
		for _, key := range args[2:] {
			id, _, err := account.Create(cloud.Change{Type: object, URN: "urn:pulumi:x::x::" + object + "::" + key,
				Inputs: map[string]any{"bucket": bucket.ID, "key": key, "content": "x"}})
			if err != nil {
				return err
			}
			if err := account.Alter(object, id, func(o *cloud.Object) { o.URN, o.Owner = "", cloud.Key(bucket.Type, bucket.ID) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// byHand changes or reads one object of a stack's model.
func byHand(ts *testscript.TestScript, stack, kind, name string, do func(*cloud.Account, *cloud.Object) error) {
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", stack, "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	found := false
	for _, o := range account.Objects() {
		if o.Type == kind && strings.HasSuffix(o.URN, "::"+name) {
			found = true
			ts.Check(do(account, o))
		}
	}
	if !found {
		ts.Fatalf("the model has no %s %s", kind, name)
	}
}
