package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"gocloud.dev/blob"

	"slipway/engine"
	"slipway/internal/awstest"
)

// TestLive runs testdata/live/*.txtar: what the command does with --live, against moto. No engine deploys anything here:
// package engine tests such a backend, and conformance the official provider.
func TestLive(t *testing.T) {
	url := awstest.Moto(t, "-c", server)
	account := map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"GITHUB_ACTIONS": "", "GITHUB_TOKEN": "",
	}
	for name, value := range account {
		t.Setenv(name, value)
	}
	cli, err := engine.FindCLI(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/live",
		Setup: func(env *testscript.Env) error {
			if err := furnishLive(env, cli); err != nil {
				return err
			}
			for name, value := range account {
				env.Setenv(name, value)
			}
			env.Setenv("PULUMI_HOME", filepath.Join(env.WorkDir, "home"))
			// The stack's own settings say where its state is, whatever the user has logged in to.
			env.Setenv("PULUMI_BACKEND_URL", "s3://another-owner")
			env.Setenv("PULUMI_CONFIG_PASSPHRASE", "another passphrase")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "edit": edit, "lock": lock, "damage": damage,
			"deployed": deployed, "pretend": pretend, "plugin": plugin,
			"pulumi": func(ts *testscript.TestScript, neg bool, args []string) { ask(ts, cli, args) }},
	})
}

// pulumi STACK ARGUMENT... asks the official CLI about a stack, and writes its answer to the file "answer".
func ask(ts *testscript.TestScript, cli *engine.CLI, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stack := args[0]
	command := exec.CommandContext(ctx, cli.Path(), append(args[1:], "--stack", stack)...)
	command.Dir = ts.MkAbs(".")
	command.Env = append(os.Environ(), "PULUMI_HOME="+ts.Getenv("PULUMI_HOME"), "PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_BACKEND_URL="+engine.S3("slipway-"+stack+"-state-123456789012-us-east-1", "us-east-1", ""))
	out, err := command.CombinedOutput()
	if err != nil {
		ts.Fatalf("pulumi %s: %v\n%s", args, err, out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), out, 0o600))
}

// lock STACK HOST leaves the lock of an engine on another host, as a run that was lost does.
func lock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lock stack host")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bucket, err := blob.OpenBucket(ctx, engine.S3("slipway-"+args[0]+"-state-123456789012-us-east-1", "us-east-1", ""))
	ts.Check(err)
	defer bucket.Close()
	data, err := json.Marshal(map[string]any{"pid": 7, "username": "ada", "hostname": args[1], "timestamp": time.Now().Add(-time.Hour)})
	ts.Check(err)
	ts.Check(bucket.WriteAll(ctx, ".pulumi/locks/organization/slipway/"+args[0]+"/0b1c.json", data, nil))
}

// damage STACK truncates the stack's state, as an engine does that loses its connection while it writes.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage stack")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bucket, err := blob.OpenBucket(ctx, engine.S3("slipway-"+args[0]+"-state-123456789012-us-east-1", "us-east-1", ""))
	ts.Check(err)
	defer bucket.Close()
	key := ".pulumi/stacks/slipway/" + args[0] + ".json"
	state, err := bucket.ReadAll(ctx, key)
	ts.Check(err)
	ts.Check(bucket.WriteAll(ctx, key, state[:len(state)/2], nil))
}

// server is moto, which takes a bucket policy's "deny without TLS" for "deny": it reads no conditions.
const server = `
import sys
from moto.s3.models import FakeBucket
from moto.iam.access_control import PermissionResult
FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL
from moto.server import main
main(sys.argv[1:])
`
