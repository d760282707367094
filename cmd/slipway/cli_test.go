package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"slipway/internal/awstest"
)

// TestOfficialCLI deploys what init wrote with Pulumi's own CLI and the genuine AWS provider, with a cache and two workers: docs/ci.md,
// "pulumi up without a clone". The file slipway is the program, and nothing of Slipway's own engine is used.
//
// It takes minutes, because the provider waits between its polls, so .ci/deep cli runs it.
func TestOfficialCLI(t *testing.T) {
	plugins, cli := genuine(t)
	host, err := exec.LookPath("pulumi-language-go")
	if err != nil {
		t.Skip("pulumi-language-go, of the archive of the Pulumi CLI, is not on PATH")
	}
	o := &official{t: t, dir: filepath.Join(t.TempDir(), "shop"), url: awstest.Genuine(t)}
	o.project()
	home := t.TempDir()
	if err := os.Symlink(plugins, filepath.Join(home, "plugins")); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-ldflags", "-X slipway/internal/version.number=0.4.0", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := append([]string{bin, filepath.Dir(cli.Path()), filepath.Dir(host)}, filepath.SplitList(os.Getenv("PATH"))...)
	o.env = append(os.Environ(), "PATH="+strings.Join(path, string(os.PathListSeparator)),
		"PULUMI_HOME="+home, "PULUMI_BACKEND_URL=file://"+t.TempDir(), "PULUMI_CONFIG_PASSPHRASE=open",
		"PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true", "DOCKER_PLUGIN_FAKE=1",
		"AWS_ENDPOINT_URL="+o.url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=", "AWS_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)

	o.runs("slipway", "init", "--yes", "--stacks", "dev")
	before := o.things()
	o.runs("pulumi", "stack", "init", "dev")
	for _, key := range []string{"skipCredentialsValidation", "skipMetadataApiCheck", "s3UsePathStyle"} {
		o.runs("pulumi", "config", "set", "--type", "bool", "aws:"+key, "true")
	}
	t.Cleanup(func() {
		if t.Failed() { // moto ends with the test, and with it what there is
			t.Logf("the state has %d resources", o.resources())
		}
	})

	out := o.runs("pulumi", "up", "--yes", "--skip-preview")
	made := regexp.MustCompile(`\+ (\d+) created`).FindStringSubmatch(out)
	if made == nil {
		t.Fatalf("nothing was created:\n%s", out)
	}
	t.Logf("%s created", made[1])
	there := o.things()
	for _, kind := range []string{"elasticache describe_replication_groups", "rds describe_db_instances", "s3 list_buckets"} {
		if len(there[kind]) == 0 {
			t.Errorf("there are no %s: %v", kind, there)
		}
	}
	if n := len(there["ecs describe_services"]); n != 3 {
		t.Errorf("%d services run, and not web, a worker and beat: %v", n, there["ecs describe_services"])
	}
	if out := o.runs("pulumi", "preview", "--expect-no-changes"); !strings.Contains(out, made[1]+" unchanged") {
		t.Errorf("a preview does not say that all is unchanged:\n%s", out)
	}

	// An older slipway than the one that the stack was set up with.
	o.runs("pulumi", "config", "set", "version", "0.5.0")
	if out, err := o.run("pulumi", "preview"); err == nil || !strings.Contains(out, "was set up with slipway 0.5.0, and this is 0.4.0") {
		t.Errorf("a stack of a newer slipway: %v\n%s", err, out)
	}
	o.runs("pulumi", "config", "set", "version", "0.4.0")

	// Without go the language host refuses, and the documentation says how.
	with := o.env
	o.env = append(slices.Clone(with), "PATH="+strings.Join(slices.DeleteFunc(path, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "go"))
		return err == nil
	}), string(os.PathListSeparator)))
	if out, err := o.run("pulumi", "preview"); err == nil || !regexp.MustCompile(`[Cc]ouldn't find go binary`).MatchString(out) {
		t.Errorf("without go: %v\n%s", err, out)
	}
	o.env = with

	o.runs("pulumi", "destroy", "--yes", "--skip-preview")
	if n := o.resources(); n != 0 {
		t.Errorf("%d resources are left in the state", n)
	}
	for kind, names := range o.things() {
		if left := slices.DeleteFunc(names, func(name string) bool {
			return slices.Contains(before[kind], name) || strings.Contains(name, `"/aws/service/`) // a public parameter of AWS
		}); len(left) > 0 {
			t.Errorf("%s are left: %v", kind, left)
		}
	}
}

// An official is a repository with init's files, and an account on moto.
type official struct {
	t   *testing.T
	dir string
	url string
	env []string
}

// project writes the Celery project without a configuration.
func (o *official) project() {
	archive, err := txtar.ParseFile("testdata/celery.txtar")
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "Pulumi.") {
			continue
		}
		name := filepath.Join(o.dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			o.t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
}

// run runs a command in the repository and returns what it wrote.
func (o *official) run(name string, args ...string) (string, error) {
	o.t.Helper()
	if name == "pulumi" {
		args = append(args, "--non-interactive", "--color", "never")
	}
	path, err := lookPath(name, o.env)
	if err != nil {
		o.t.Fatal(err)
	}
	cmd := exec.CommandContext(o.t.Context(), path, args...)
	cmd.Dir, cmd.Env = o.dir, o.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (o *official) runs(name string, args ...string) string {
	o.t.Helper()
	out, err := o.run(name, args...)
	if err != nil {
		o.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// lookPath finds a program on the PATH of an environment, whose last entry counts.
func lookPath(name string, env []string) (string, error) {
	for _, one := range slices.Backward(env) {
		if path, is := strings.CutPrefix(one, "PATH="); is {
			for _, dir := range filepath.SplitList(path) {
				if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
					return filepath.Join(dir, name), nil
				}
			}
			break
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// resources counts those of the state.
func (o *official) resources() int {
	o.t.Helper()
	var state struct {
		Deployment struct{ Resources []struct{ Type string } }
	}
	if err := json.Unmarshal([]byte(o.runs("pulumi", "stack", "export")), &state); err != nil {
		o.t.Fatal(err)
	}
	return len(slices.DeleteFunc(state.Deployment.Resources, func(r struct{ Type string }) bool { return r.Type == "pulumi:pulumi:Stack" }))
}

// things are what moto has, by the call that lists them.
func (o *official) things() map[string][]string {
	o.t.Helper()
	calls := [][]any{}
	for _, one := range []string{"ec2 describe_vpcs", "ec2 describe_addresses", "rds describe_db_instances", "rds describe_db_snapshots",
		"elasticache describe_replication_groups", "elasticache describe_cache_subnet_groups",
		"elbv2 describe_load_balancers", "s3 list_buckets", "ecr describe_repositories", "iam list_roles", "logs describe_log_groups",
		"cloudwatch describe_alarms", "firehose list_delivery_streams", "ssm describe_parameters", "sns list_topics"} {
		service, operation, _ := strings.Cut(one, " ")
		calls = append(calls, []any{service, operation, map[string]any{}})
	}
	calls = append(calls, []any{"ecs", "describe_clusters", map[string]any{"clusters": []string{"shop-dev-site"}}},
		[]any{"ecs", "describe_services", map[string]any{"cluster": "shop-dev-site",
			"services": []string{"shop-dev-web", "shop-dev-worker-worker", "shop-dev-worker-beat"}}})
	asked, err := json.Marshal(calls)
	if err != nil {
		o.t.Fatal(err)
	}
	cmd := exec.CommandContext(o.t.Context(), "python3", "../../conformance/ask.py")
	cmd.Env, cmd.Stdin = append(slices.Clone(o.env), "AWS_DEFAULT_REGION=us-east-1"), bytes.NewReader(asked)
	out, err := cmd.Output()
	var answers []map[string]any
	if err == nil {
		err = json.Unmarshal(out, &answers)
	}
	if err != nil {
		o.t.Fatalf("%v: %.300s", err, out)
	}
	all := map[string][]string{}
	for i, answer := range answers {
		kind := fmt.Sprint(calls[i][0], " ", calls[i][1])
		for _, list := range answer {
			things, _ := list.([]any)
			for _, one := range things {
				text, _ := json.Marshal(one)
				// ECS keeps what is deleted for a while (ECS API reference, DeleteCluster and DeleteService).
				if !bytes.Contains(text, []byte(`"status":"INACTIVE"`)) {
					all[kind] = append(all[kind], string(text))
				}
			}
		}
	}
	return all
}
