package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"gocloud.dev/blob"

	"slipway/release"
)

// TestLive plays testdata/live/*.txtar: what the command does with --live, against moto. No engine deploys anything here;
// release has it work with such a backend, and conformance with the official provider.
func TestLive(t *testing.T) {
	url := moto(t)
	account := map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"GITHUB_ACTIONS": "", "GITHUB_TOKEN": "",
	}
	for name, value := range account {
		t.Setenv(name, value)
	}
	cli, err := release.FindCLI(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/live",
		Setup: func(env *testscript.Env) error {
			files, err := filepath.Glob("../../Pulumi*.yaml")
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
			if cache, err := os.UserCacheDir(); err == nil && runtime.GOOS == "linux" {
				env.Setenv("XDG_CACHE_HOME", cache)
			} else {
				env.Setenv("PATH", filepath.Dir(cli.Path())+string(os.PathListSeparator)+env.Getenv("PATH"))
			}
			for name, value := range account {
				env.Setenv(name, value)
			}
			env.Setenv("PULUMI_HOME", filepath.Join(env.WorkDir, "home"))
			// The stack's own settings say where its state is, whatever the user has logged in to.
			env.Setenv("PULUMI_BACKEND_URL", "s3://of-somebody-else")
			env.Setenv("PULUMI_CONFIG_PASSPHRASE", "of somebody else")
			app, err := filepath.Abs("../../app")
			if err != nil {
				return err
			}
			return os.Symlink(app, filepath.Join(env.WorkDir, "app"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "edit": edit, "lock": lock},
	})
}

// lock STACK HOST leaves the lock of an engine on another host, as a run that was lost does.
func lock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lock stack host")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bucket, err := blob.OpenBucket(ctx, release.S3("slipway-"+args[0]+"-state-123456789012-us-east-1", "us-east-1"))
	ts.Check(err)
	defer bucket.Close()
	data, err := json.Marshal(map[string]any{"pid": 7, "username": "ada", "hostname": args[1], "timestamp": time.Now().Add(-time.Hour)})
	ts.Check(err)
	ts.Check(bucket.WriteAll(ctx, ".pulumi/locks/organization/slipway/"+args[0]+"/0b1c.json", data, nil))
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

// moto starts moto on loopback until the test ends, and gives its URL.
func moto(t *testing.T) string {
	t.Helper()
	if err := exec.Command("python3", "-c", "import moto.server").Run(); err != nil {
		t.Skip("there is no python3 with moto here: pip install 'moto[server]'")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	said, err := os.Create(filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	moto := exec.Command("python3", "-c", server, "-H", "127.0.0.1", "-p", port)
	moto.Stdout, moto.Stderr = said, said
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { moto.Process.Kill(); moto.Wait(); said.Close() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/moto-api/")
		if err == nil {
			answer.Body.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			words, _ := os.ReadFile(said.Name())
			t.Fatal(errors.Join(err, errors.New("moto does not come up: "+string(words))))
		}
	}
}
