package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each case is a public report of a person who deploys such a site. The first value is the one reported; the others are of
// the same kind.
func TestValuesThatYAMLChangesAreRefusedWithTheirQuotedForm(t *testing.T) {
	for _, c := range []struct{ written, kind string }{
		{"2023-05-15", "a date"}, // promptfoo/promptfoo#2174
		{"2023-05-15T10:00:00Z", "a date"},
		{"017", "a number"},
		{"0o17", "a number"},
		{"0x1F", "a number"},
		{"0b11", "a number"},
		{"1_000", "a number"},
		{"1e3", "a number"},
		{"1.10", "a number"},
		{"+5", "a number"},
		{".5", "a number"},
		{".inf", "a number"},
		{"-.INF", "a number"},
		{".nan", "a number"},
		{"12345678901234567890123", "a number"},
		{"True", "a boolean"},
		{"FALSE", "a boolean"},
	} {
		for _, at := range []string{"slipway:app: {env: {X: %}}", "slipway:app: {args: {X: %}}", "slipway:tags: {X: %}",
			"slipway:workers: [{name: a, command: [x, %]}]", "slipway:domain: %", "aws:profile: %"} {
			got := written(t, "dev", in(strings.Replace(at, "%", c.written, 1)))
			want := "must be a string, but YAML reads " + c.written + " as " + c.kind + `: write "` + c.written + `"`
			if len(got) != 1 || !strings.HasSuffix(got[0], want) {
				t.Errorf("%s: %s: %q, want %q", at, c.written, got, want)
			}
		}
	}
}

func TestValuesThatYAMLKeepsAreTheTextAsWritten(t *testing.T) {
	for _, text := range []string{"yes", "no", "on", "off", "Y", "n", "2023-05-15 10:00:00 +1", "12:30:45", "1:30", "190:20:30", "0o8",
		"1__0.x", "v1.10", "1.2.3", "=", "2023-5", "1e", "nan", "inf",
		"0x", "a#b", "a: b'"} {
		quoted := text
		if strings.ContainsAny(text, "'=") {
			quoted = `"` + text + `"`
		}
		source, err := FromFile(project(t, "dev", in("slipway:app: {env: {X: "+quoted+"}}")))
		if err != nil {
			t.Fatal(err)
		}
		stack, err := load(source)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if stack.App.Env["X"] != text {
			t.Errorf("%s was read as %q", text, stack.App.Env["X"])
		}
	}
}

func TestReports(t *testing.T) {
	const base = "config:\n  aws:region: us-east-1\n"
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"pulumi-aws#3360 a misspelt guard", base + "  aws:allowedAccountIDs: ['123456789012']\n",
			[]string{"aws:allowedAccountIDs: unknown key, did you mean aws:allowedAccountIds?"}},
		{"the other guard is honoured", base + "  aws:forbiddenAccountIds: ['123456789012']\n", nil},
		{"sst#5377 a role", base + "  aws:assumeRoles: [{roleArn: x}]\n",
			[]string{"aws:assumeRoles: is not read by Slipway: name the role in a profile of the shared AWS configuration (role_arn), and set " +
				"aws:profile to it: then every call assumes it"}},
		{"a role of provider 6", base + "  aws:assumeRole: {roleArn: x}\n",
			[]string{"aws:assumeRole: is not read by Slipway: name the role in a profile of the shared AWS configuration (role_arn), and set " +
				"aws:profile to it: then every call assumes it"}},
		{"default tags", base + "  aws:defaultTags: {tags: {a: b}}\n",
			[]string{"aws:defaultTags: is not read by Slipway: set tags of the project's own namespace: every resource gets them"}},
		{"endpoints", base + "  aws:endpoints: [{s3: 'http://localhost'}]\n",
			[]string{"aws:endpoints: is not read by Slipway: set the environment variable AWS_ENDPOINT_URL"}},
		{"a key of no provider", base + "  aws:colour: red\n",
			[]string{"aws:colour: unknown key; Slipway reads aws:region, aws:profile, aws:allowedAccountIds, aws:forbiddenAccountIds, " +
				"aws:maxRetries, aws:s3UsePathStyle, aws:skipCredentialsValidation, aws:skipMetadataApiCheck, aws:skipRequestingAccountId"}},
		{"docker", base + "  docker:host: tcp://1.2.3.4\n",
			[]string{"docker:host: is not read by Slipway: the images are built by the Docker of this machine (DOCKER_HOST, docker context)"}},
		{"random", base + "  random:seed: x\n", []string{"random:seed: the provider random has no settings"}},
		{"names of the engine's own", base + "  pulumi:autonaming: {mode: verbatim}\n",
			[]string{"pulumi:autonaming: is not read by Slipway; of the namespace pulumi you can set pulumi:tags and " +
				"pulumi:disable-default-providers"}},
		{"tags of the engine's own", base + "  pulumi:tags: {a: b}\n", nil},
		{"a guard that contradicts the other", base + "  aws:allowedAccountIds: ['123456789012']\n  aws:forbiddenAccountIds: ['123456789012']\n",
			[]string{`aws:forbiddenAccountIds[0]: is in aws:allowedAccountIds, too, got "123456789012"`}},
		{"a guard that names no account", base + "  aws:allowedAccountIds: []\n", []string{"aws:allowedAccountIds: must not be empty: " +
			"remove it, or name an account"}},
		{"Pulumi's JSON form", base + "  aws:allowedAccountIds: '[\"123456789012\"]'\n", nil},
		{"Pulumi's JSON form of another thing", base + "  aws:allowedAccountIds: '\"123456789012\"'\n",
			[]string{`aws:allowedAccountIds: must be a list, got "123456789012"`}},
		{"numbers in Pulumi's JSON form", base + "  aws:allowedAccountIds: '[123456789012]'\n",
			[]string{`aws:allowedAccountIds[0]: must be a string, but YAML reads 123456789012 as a number: write "123456789012"`}},
		{"an environment of Pulumi Cloud", "environment: [shop]\n" + base,
			[]string{"environment: is not read by Slipway: Pulumi ESC needs Pulumi Cloud. Put the values under config"}},

		{"saleor#986 a bucket of one's own", base + "  slipway:app: {env: {AWS_STORAGE_BUCKET_NAME: x, AWS_S3_CUSTOM_DOMAIN: cdn.example.com, " +
			"AWS_QUERYSTRING_AUTH: 'false'}}\n", nil},
		{"credentials", base + "  slipway:app: {env: {AWS_PROFILE: x, AWS_CONTAINER_CREDENTIALS_FULL_URI: x, ECS_AGENT_URI: x}}\n", []string{
			"app.env.AWS_CONTAINER_CREDENTIALS_FULL_URI: is reserved by AWS: the SDK would use it instead of the task's role and region",
			"app.env.AWS_PROFILE: is reserved by AWS: the SDK would use it instead of the task's role and region",
			"app.env.ECS_AGENT_URI: is reserved by AWS: the container agent sets variables that start with ECS_"}},
		{"ecs-agent#3797 an empty value", base + "  slipway:app: {env: {X: ''}, args: {X: ''}}\n  slipway:tags: {X: ''}\n",
			nil},
		{"no value is not an empty one", base + "  slipway:app: {env: {X: }}\n",
			[]string{`app.env.X: must be a string: write "" for an empty one, got null`}},
		{"a secret date is not shown", base + "  slipway:secrets: {X: 2023-05-15}\n",
			[]string{"secrets.X: must be secret: slipway secret set X --stack dev, got [secret]"}},

		{"router#1852 a health path with a query", base + "  slipway:web: {healthPath: '/ht/?format=json'}\n", nil},
		{"what else a URL may contain", base + "  slipway:web: {healthPath: \"/a-b_c.d~e/%7Efoo/x;y=1,2/(z)!$&'*+@:?a=b&c[\"}\n",
			[]string{`web.healthPath: must be a path that starts with /, with an optional query (/ht/?format=json), of at most 1024 ` +
				`characters: percent-encode what a URL cannot contain, got "/a-b_c.d~e/%7Efoo/x;y=1,2/(z)!$&'*+@:?a=b&c["`}},
		{"all that a URL may contain", base + "  slipway:web: {healthPath: \"/a-b_c.d~e/%7Efoo/x;y=1,2/(z)!$&'*+@:?a=b&c/d?\"}\n", nil},
		{"a fragment", base + "  slipway:web: {healthPath: '/ht/#top'}\n",
			[]string{`web.healthPath: must be a path that starts with /, with an optional query (/ht/?format=json), of at most 1024 ` +
				`characters: percent-encode what a URL cannot contain, got "/ht/#top"`}},

		{"two names as a list", base + "  slipway:domain: [example.com, www.example.com]\n", []string{"domain: " + oneName}},
		{"two names as a string", base + "  slipway:domain: example.com, www.example.com\n", []string{`domain: ` + oneName +
			`, got "example.com, www.example.com"`}},
		{"a second name elsewhere", base + "  slipway:domain: example.com\n  slipway:aliases: [www.example.com]\n",
			[]string{"slipway:aliases: unknown key: " + oneName}},
		{"a zone by its id", base + "  slipway:domain: example.com\n  slipway:zoneId: Z0123456789ABCDEFGHIJ\n", nil},
		{"a zone by its path", base + "  slipway:domain: example.com\n  slipway:zoneId: /hostedzone/Z0123456789ABCDEFGHIJ\n",
			[]string{`zoneId: must be the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/, got ` +
				`"/hostedzone/Z0123456789ABCDEFGHIJ"`}},
		{"a zone without a domain", base + "  slipway:zoneId: Z0123456789ABCDEFGHIJ\n",
			[]string{`zoneId: requires domain, got "Z0123456789ABCDEFGHIJ"`}},

		{"terraform-aws-github-runner#1346 a company's tag", base + "  slipway:tags: {Project: Shop}\n", nil},
		{"a tag that only Slipway sets", base + "  slipway:tags: {'slipway:project': x}\n",
			[]string{"tags.slipway:project: tag keys that start with slipway: are reserved by Slipway"}},

		{"a YAML tag", base + "  slipway:app: {env: {X: !!binary aGVsbG8=}}\n", []string{`has a YAML tag ("!!binary"): write the value without ` +
			`it, a string in quotes`}},
		{"a tag of one's own", base + "  slipway:app: {env: {X: !vault hello}}\n",
			[]string{`has a YAML tag ("!vault"): write the value without it, a string in quotes`}},
		{"the tag of strings", base + "  slipway:app: {env: {X: !!str 5}}\n", nil},
		{"a key that is a number", base + "  slipway:tags: {2024: x}\n", []string{`a key must be a string: write "2024"`}},
		{"a key that is nothing", base + "  slipway:tags: {~: x}\n", []string{`a key must be a string: write "~"`}},
		{"a merge key", base + "  slipway:app: {env: {<<: {A: b}}}\n", []string{"uses a merge key (<<): repeat the values instead"}},
		{"Latin-1", base + "  slipway:app: {env: {X: caf\xe9}}\n", []string{"is not valid YAML: invalid trailing UTF-8 octet"}},
		{"Windows lines", strings.ReplaceAll(base, "\n", "\r\n") + "  slipway:app: {env: {X: y}}\r\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := written(t, "dev", c.content)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The engine decides what Pulumi.yaml means: defaults, values for other namespaces, and the folder of the stacks' files.
func TestTheProjectFileIsReadAsTheEngineReadsIt(t *testing.T) {
	const pulumi = `name: slipway
runtime: go
stackConfigDir: stacks
config:
  aws:region: {value: eu-west-1}
  aws:allowedAccountIds: {value: ["123456789012"]}
  slipway:web: {type: object, default: {architecture: amd64, max: 3}}
  slipway:protect: {type: boolean, default: false}
  slipway:keys: {type: string, default: shared}
  short: {type: string, default: x}
`
	folder := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("Pulumi.yaml", strings.Replace(pulumi, "  short: {type: string, default: x}\n", "", 1))
	write("stacks/Pulumi.dev.yaml", "config:\n  slipway:keys: perPurpose\n")
	write("app/Dockerfile", "")

	path, err := StackFile(folder, "dev")
	if want := filepath.Join(folder, "stacks", "Pulumi.dev.yaml"); err != nil || path != want {
		t.Errorf("the stack's file is %s, %v, want %s", path, err, want)
	}
	source, err := FromProject(folder, "dev")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := load(source)
	if err != nil {
		t.Fatal(err)
	}
	if stack.Region != "eu-west-1" || stack.Web.Architecture != "amd64" || stack.Web.Max != 3 || stack.Keys != "perPurpose" ||
		stack.Web.Min != 1 ||
		!slices.Equal(stack.AWS.AllowedAccountIDs, []string{"123456789012"}) {
		t.Errorf("read %+v", stack)
	}

	for _, c := range []struct {
		name, project string
		want          []string
	}{
		{"a wrong default is a mistake of Pulumi.yaml", strings.Replace(pulumi, "max: 3", "max: 0", 1), []string{
			"Pulumi.yaml: slipway:short: unknown key; valid keys are " + strings.Join(keysOf(reflect.TypeFor[Stack]()), ", "),
			"Pulumi.yaml: web.max: must be from 1 to 1000, got 0"}},
		{"what the engine refuses", "name: slipway\nruntime: go\nconfig:\n  aws:region: {type: string, default: x}\n", []string{
			"Pulumi.yaml: Configuration key 'aws:region' is not namespaced by the project and should not define a type"}},
		{"the keys of another project", "name: shop\nruntime: go\nconfig:\n  slipway:app: {type: object, default: {}}\n", []string{
			"Pulumi.yaml: Configuration key 'slipway:app' is not namespaced by the project and should not define a type: " +
				"the project's name is shop, so its key is shop:app"}},
		{"no name", "runtime: go\n", []string{"Pulumi.yaml: project is missing a 'name' attribute"}},
		{"no YAML", "name: [\n", []string{"Pulumi.yaml: invalid YAML file: yaml: line 1: did not find expected node content"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			write("Pulumi.yaml", c.project)
			write("Pulumi.dev.yaml", "config: {}\n")
			source, err := FromProject(folder, "dev")
			if err == nil {
				_, err = load(source)
			}
			if diff := cmp.Diff(c.want, lines(t, err, true)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Plain `pulumi up` passes the value as the engine has read it. The program finds in the file what was written.
func TestUnderPulumiUpAChangedDateIsFound(t *testing.T) {
	path := project(t, "dev", in("slipway:app: {env: {OPENAI_API_VERSION: 2023-05-15}}"))
	config := map[string]string{"aws:region": "us-east-1",
		"slipway:app": `{"env":{"OPENAI_API_VERSION":"2023-05-15 00:00:00 +0000 UTC"}}`}
	want := []string{`Pulumi.dev.yaml:3: app.env.OPENAI_API_VERSION: must be a string, but YAML reads 2023-05-15 as a date: write ` +
		`"2023-05-15"`}
	if diff := cmp.Diff(want, lines(t, fromEngine(t, config, nil, false, filepath.Dir(path)), true)); diff != "" {
		t.Error(diff)
	}
}

func TestOwnTagsGiveWayToTheCompanys(t *testing.T) {
	for name, want := range map[string]string{"Project": "slipway:", "STACK": "slipway:", "managed-by": "slipway:", "team": ""} {
		if got := (&Stack{Tags: map[string]string{name: "x"}}).TagPrefix(); got != want {
			t.Errorf("with the tag %s Slipway's begin with %q, want %q", name, got, want)
		}
	}
}
