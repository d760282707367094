package fargate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

var site = wiring.Site{Project: "slipway", Stack: "test", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}

func container(name string, change func(*Container)) Container {
	c := Container{Name: name, Image: pulumi.String(name + "@sha256:00"), User: "10001:10001", Group: pulumi.String("/logs/" + name)}
	if change != nil {
		change(&c)
	}
	return c
}

func TestMistakesInContainers(t *testing.T) {
	healthy := container("django", func(c *Container) { c.Health, c.Port = &Health{}, 8000 })
	for _, c := range []struct {
		name       string
		containers []Container
		want       string // part of the error; empty: accepted
	}{
		{"the web task", []Container{healthy, container("nginx", func(c *Container) { c.Port, c.After = 8080, []string{"django"} })}, ""},
		{"no container", nil, "a task needs a container"},
		{"two of one name", []Container{healthy, healthy}, "only once"},
		{"root by number", []Container{container("a", func(c *Container) { c.User = "0" })},
			`"a": user must be a user other than root, got "0"`},
		{"root by number and group", []Container{container("a", func(c *Container) { c.User = "0:10001" })}, "other than root"},
		{"root by name", []Container{container("a", func(c *Container) { c.User = "root" })}, "other than root"},
		{"the image's default user", []Container{container("a", func(c *Container) { c.User = "" })}, "other than root"},
		{"nginx and gunicorn on one port", []Container{healthy, container("nginx", func(c *Container) { c.Port = 8000 })},
			`port 8000 is taken by "django"`},
		{"a port beyond the last", []Container{container("a", func(c *Container) { c.Port = 70000 })}, "from 1 to 65535, got 70000"},
		{"longer than Fargate waits", []Container{container("a", func(c *Container) { c.Stop = 121 })}, "from 2 to 120 seconds, got 121"},
		{"waits for an unknown container", []Container{container("a", func(c *Container) { c.After = []string{"b"} })}, `after names "b"`},
		{"waits for a container without a health check",
			[]Container{container("b", nil), container("a", func(c *Container) { c.After = []string{"b"} })},
			"with a health check"},
		{"a secret in plain as well", []Container{container("a", func(c *Container) {
			c.Env, c.Secrets = map[string]pulumi.StringInput{"K": pulumi.String("v")}, map[string]wiring.Secret{"K": {}}
		})}, "K is set both"},
		{"the whole disk writable", []Container{container("a", func(c *Container) { c.Writable = []string{"/"} })}, "not the root"},
		{"a symbolic link in the image", []Container{container("a", func(c *Container) { c.Writable = []string{"/var/run"} })},
			`"/var/run" is under /var/run, a symbolic link`},
		{"below a symbolic link", []Container{container("a", func(c *Container) { c.Writable = []string{"/var/run/nginx/"} })},
			"is under /var/run"},
		{"beside a symbolic link", []Container{container("a", func(c *Container) { c.Writable = []string{"/var/running", "/library"} })},
			""},
		{"no log group", []Container{container("a", func(c *Container) { c.Group = nil })}, "log group must be given"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := check(c.containers)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	err := (&TaskArgs{Part: "web", CPU: 256, Memory: 4096, Architecture: "x86",
		Containers: []Container{container("a", func(c *Container) { c.User = "root" })}}).Check()
	for _, want := range []string{"memory for cpu 256", `got "x86"`, "other than root"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

// roles declares one pair of roles and returns the statements of each by Sid.
func roles(t *testing.T, args *RolesArgs) (g graph.Graph, execution, task map[string]map[string]any) {
	t.Helper()
	args.Site, args.Part = site, "web"
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		_, err := NewRoles(ctx, "web", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) map[string]map[string]any {
		text, ok := g.Named("aws:iam/rolePolicy:RolePolicy", name).Inputs["policy"].(string)
		if !ok {
			return nil
		}
		var document struct{ Statement []map[string]any }
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		all := map[string]map[string]any{}
		for _, s := range document.Statement {
			all[s["Sid"].(string)] = s
		}
		return all
	}
	return g, read("web-execution-policy"), read("web-task-policy")
}

const (
	parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/slipway/test/"
	settings  = "arn:aws:kms:us-east-1:123456789012:key/settings"
	logsKey   = "arn:aws:kms:us-east-1:123456789012:key/logs"
	bucketARN = "arn:aws:s3:::media"
	django    = "arn:aws:ecr:us-east-1:123456789012:repository/slipway-test-django"
	stream    = "arn:aws:firehose:us-east-1:123456789012:deliverystream/slipway-test-firelens"
)

func workload() *RolesArgs {
	secret := func(part string) wiring.Secret {
		return wiring.Secret{ARN: pulumi.String(parameter + part), KeyARN: pulumi.String(settings), Version: pulumi.Int(1)}
	}
	return &RolesArgs{
		Repositories: []pulumi.StringInput{pulumi.String(django)},
		Groups:       []pulumi.StringInput{pulumi.String("/slipway/test/django"), pulumi.String("/slipway/test/nginx")},
		Binding: wiring.Binding{
			Secrets: map[string]wiring.Secret{"SECRET_KEY": secret("django/secret-key"), "DB_PASSWORD": secret("db/password")},
			Grants:  []policy.Statement{{Sid: "Media", Actions: []string{"s3:GetObject"}, Resources: []any{bucketARN + "/*"}}},
		},
		Exec: &Exec{Group: pulumi.String("/slipway/test/exec"), KeyARN: pulumi.String(logsKey)},
	}
}

func TestExecutionRoleReadsExactlyWhatTheTaskNeeds(t *testing.T) {
	_, execution, _ := roles(t, workload())
	want := map[string]any{ // Sid -> Resource
		"LoginToRegistry": "*",
		"PullImages":      django,
		"WriteLogs": []any{
			"arn:aws:logs:us-east-1:123456789012:log-group:/slipway/test/django:*",
			"arn:aws:logs:us-east-1:123456789012:log-group:/slipway/test/nginx:*"},
		"ReadSecrets":    []any{parameter + "db/password", parameter + "django/secret-key"},
		"DecryptSecrets": settings,
	}
	got := map[string]any{}
	for sid, s := range execution {
		got[sid] = s["Resource"]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if action := execution["LoginToRegistry"]["Action"]; action != "ecr:GetAuthorizationToken" {
		t.Errorf("%v is allowed on everything", action)
	}
}

func TestTaskRoleHasTheGrantsAndExecOnly(t *testing.T) {
	_, _, task := roles(t, workload())
	want := map[string]any{
		"Media":         bucketARN + "/*",
		"ExecChannels":  "*",
		"ExecFindGroup": "arn:aws:logs:us-east-1:123456789012:log-group:*",
		"ExecRecord":    "arn:aws:logs:us-east-1:123456789012:log-group:/slipway/test/exec:*",
		"ExecEncrypt":   logsKey,
	}
	got := map[string]any{}
	for sid, s := range task {
		got[sid] = s["Resource"]
		actions, _ := json.Marshal(s["Action"])
		if strings.Contains(string(actions), "ssm:") || strings.Contains(string(actions), `*"`) {
			t.Errorf("%s allows the application %s", sid, actions)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestExecRecordsToABucketAsWell(t *testing.T) {
	args := workload()
	args.Exec.Bucket, args.Exec.Prefix = pulumi.String("logs"), "exec"
	_, _, task := roles(t, args)
	if got := task["ExecRecordToBucket"]["Resource"]; got != "arn:aws:s3:::logs/exec/*" {
		t.Errorf("sessions are written to %v", got)
	}
	settings := task["ExecReadBucketSettings"]
	if got := settings["Resource"]; got != "arn:aws:s3:::logs" {
		t.Errorf("the agent may read the settings of %v", got)
	}
	if got := fmt.Sprint(settings["Action"]); got != "[s3:GetBucketLocation s3:GetEncryptionConfiguration]" {
		t.Errorf("the agent may %s, and AWS lists location and encryption", got)
	}
}

func TestRouterSendsWithTheTaskRole(t *testing.T) {
	args := workload()
	args.Firehose = &Firehose{Name: pulumi.String("slipway-test-firelens"), ARN: pulumi.String(stream)}
	_, execution, task := roles(t, args)
	if got := task["SendLogs"]; got["Resource"] != stream || got["Action"] != "firehose:PutRecordBatch" {
		t.Errorf("the task role may send %v", got)
	}
	if execution["SendLogs"] != nil {
		t.Error("the agent sends no log lines to Firehose")
	}
}

func TestWithoutGrantsThereIsNoPolicy(t *testing.T) {
	g, execution, task := roles(t, &RolesArgs{})
	if execution != nil || task != nil || len(g.Of("aws:iam/rolePolicy:RolePolicy")) != 0 {
		t.Errorf("policies without a statement: %v %v", execution, task)
	}
}

func TestOnlyTasksOfThisAccountAssumeTheRoles(t *testing.T) {
	g, _, _ := roles(t, workload())
	for _, r := range g.Of("aws:iam/role:Role") {
		trust, _ := r.Input("assumeRolePolicy").(string)
		for _, want := range []string{`"Service":"ecs-tasks.amazonaws.com"`, `"aws:SourceAccount":"123456789012"`,
			`"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:123456789012:*"}`} {
			if !strings.Contains(trust, want) {
				t.Errorf("%s: trust policy without %s: %s", r.Name, want, trust)
			}
		}
	}
	if n := len(g.Of("aws:iam/role:Role")); n != 2 {
		t.Errorf("%d roles, want execution and task", n)
	}
}

func TestEveryWritablePathIsAVolumeOfItsOwn(t *testing.T) {
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		r, err := NewRoles(ctx, "roles", &RolesArgs{Site: site, Part: "web"})
		if err != nil {
			return err
		}
		_, err = NewTask(ctx, "task", &TaskArgs{Site: site, Part: "web", CPU: 256, Memory: 512, Architecture: "amd64",
			Roles: r, Containers: []Container{
				container("nginx", func(c *Container) { c.Writable = []string{"/var/cache/nginx", "/tmp"} }),
				container("django", func(c *Container) { c.Writable = []string{"/tmp"} }),
			}}, pulumi.Parent(r))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	task := g.Named("aws:ecs/taskDefinition:TaskDefinition", "task")
	want := []any{map[string]any{"name": "django-tmp"}, map[string]any{"name": "nginx-tmp"},
		map[string]any{"name": "nginx-var-cache-nginx"}}
	if diff := cmp.Diff(want, task.Input("volumes")); diff != "" {
		t.Errorf("volumes: both containers write /tmp, as different users (-want +got):\n%s", diff)
	}
	if task.Input("skipDestroy") != true {
		t.Error("the revision that ECS may go back to is deregistered when it is replaced")
	}
	var list []struct {
		Name        string
		MountPoints []struct{ SourceVolume, ContainerPath string }
	}
	if err := json.Unmarshal([]byte(task.Inputs["containerDefinitions"].(string)), &list); err != nil {
		t.Fatal(err)
	}
	var mounted []any
	for _, c := range list {
		for _, m := range c.MountPoints {
			mounted = append(mounted, map[string]any{"name": m.SourceVolume})
		}
	}
	if diff := cmp.Diff(want, mounted); diff != "" {
		t.Errorf("mounted (-want +got):\n%s", diff)
	}
	if list[0].Name != "django" {
		t.Errorf("containers are not sorted by name: %s is first", list[0].Name)
	}
}

func TestDefinitionsAreCompleteAsECSReturnsThem(t *testing.T) {
	c := container("job", nil).definition()
	for _, empty := range []string{"environment", "mountPoints", "portMappings", "volumesFrom", "systemControls"} {
		if list, ok := c[empty].([]any); !ok || len(list) != 0 {
			t.Errorf("%s is %v, which ECS would hand back as an empty list", empty, c[empty])
		}
	}
	if c["essential"] != true || c["cpu"] != 0 || c["readonlyRootFilesystem"] != true {
		t.Errorf("defaults are not filled in: %v", c)
	}
	port := container("web", func(c *Container) { c.Port = 8080 }).definition()["portMappings"].([]any)[0]
	if diff := cmp.Diff(map[string]any{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}, port); diff != "" {
		t.Errorf("port mapping (-want +got):\n%s", diff)
	}
}

type readier struct {
	pulumi.ResourceState
	ready []pulumi.Resource
}

func (r *readier) Ready() []pulumi.Resource { return r.ready }

func TestReadyReplacesComponents(t *testing.T) {
	plain, child, grandchild := &pulumi.ResourceState{}, &pulumi.ResourceState{}, &pulumi.ResourceState{}
	nested := &readier{ready: []pulumi.Resource{grandchild}}
	got := Ready(plain, &readier{ready: []pulumi.Resource{child, nested}})
	want := []pulumi.Resource{plain, child, grandchild}
	if len(got) != len(want) {
		t.Fatalf("%d resources, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("resource %d is another", i)
		}
	}
}

// ECS reads an empty list as the image's own entrypoint.
func TestEntrypoints(t *testing.T) {
	for _, c := range []struct {
		name                string
		entrypoint, command []string
		want                map[string]any
	}{
		{"the image's own", nil, nil, map[string]any{}},
		{"another command", nil, []string{"a", "b"}, map[string]any{"command": []any{"a", "b"}}},
		{"another entrypoint", []string{"e"}, nil, map[string]any{"entryPoint": []any{"e"}}},
		{"both", []string{"e"}, []string{"a"}, map[string]any{"entryPoint": []any{"e"}, "command": []any{"a"}}},
		{"none", []string{}, []string{"a", "b"}, map[string]any{"entryPoint": []any{"a"}, "command": []any{"b"}}},
		{"none, and a program alone", []string{}, []string{"a"}, map[string]any{"entryPoint": []any{"a"}}},
	} {
		d := container("a", func(k *Container) { k.Entrypoint, k.Command = c.entrypoint, c.command }).definition()
		got := map[string]any{}
		for _, key := range []string{"entryPoint", "command"} {
			if value, there := d[key]; there {
				got[key] = value
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if err := check([]Container{container("a", func(c *Container) { c.Entrypoint = []string{} })}); err == nil {
		t.Error("no entrypoint and no command is accepted")
	}
}
