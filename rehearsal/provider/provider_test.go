package provider

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/rehearsal/cloud"
)

const (
	keyType      = "aws:kms/key:Key"
	vpcType      = "aws:ec2/vpc:Vpc"
	passwordType = "random:index/randomPassword:RandomPassword"
)

func urn(token, name string) string { return "urn:pulumi:local::small::" + token + "::" + name }

func model(t *testing.T) *cloud.Account {
	t.Helper()
	a, err := cloud.Open(filepath.Join(t.TempDir(), "model.json"), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// attach serves p and speaks to it as the engine does: over gRPC, beginning with the handshake.
func attach(t *testing.T, p pulumirpc.ResourceProviderServer) pulumirpc.ResourceProviderClient {
	t.Helper()
	s, err := Serve(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", s.Port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := pulumirpc.NewResourceProviderClient(conn)
	if _, err := c.Handshake(t.Context(), &pulumirpc.ProviderHandshakeRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Attach(t.Context(), &pulumirpc.PluginAttach{Address: "127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	return c
}

func sent(t *testing.T, m map[string]any) *structpb.Struct {
	t.Helper()
	s, err := wire(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func got(t *testing.T, s *structpb.Struct) map[string]any {
	t.Helper()
	m, err := raw(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reasons is what the engine would show of failures.
func reasons(failures []*pulumirpc.CheckFailure) string {
	var all []string
	for _, f := range failures {
		all = append(all, f.Property+": "+f.Reason)
	}
	return strings.Join(all, "\n")
}

// register checks and creates.
func register(t *testing.T, c pulumirpc.ResourceProviderClient, token, name string, in map[string]any) (string,
	map[string]any, map[string]any) {
	t.Helper()
	checked, err := c.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(token, name), News: sent(t, in), RandomSeed: []byte(name)})
	if err != nil {
		t.Fatal(err)
	}
	if len(checked.Failures) > 0 {
		t.Fatalf("refused: %v", checked.Failures)
	}
	created, err := c.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(token, name), Properties: checked.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	return created.Id, got(t, checked.Inputs), got(t, created.Properties)
}

func TestValuesSurviveTheWire(t *testing.T) {
	want := map[string]any{
		"s": "x", "n": 1.5, "b": true, "l": []any{"a", cloud.Unknown, cloud.Secret{Value: "y"}},
		"m": map[string]any{"a.b": cloud.Secret{Value: map[string]any{"c": 1.0}}}, "u": cloud.Unknown,
	}
	if diff := cmp.Diff(want, got(t, sent(t, want)), cmp.AllowUnexported()); diff != "" {
		t.Error(diff)
	}
}

func TestPluginInfo(t *testing.T) {
	a := model(t)
	for want, p := range map[string]pulumirpc.ResourceProviderServer{"6.83.2": NewAWS(a, nil), "4.10.0": NewDocker(a, nil),
		"4.19.0": NewRandom(nil)} {
		info, err := attach(t, p).GetPluginInfo(t.Context(), &emptypb.Empty{})
		if err != nil || info.Version != want {
			t.Errorf("version %q, expected %q (%v)", info.GetVersion(), want, err)
		}
	}
}

func TestAWSConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		in   map[string]any
		want string // part of the reason
		at   string
	}{
		"right": {map[string]any{"region": "eu-west-1", "version": "6.83.2", "defaultTags": `{"tags":{"a":"b"}}`,
			"maxRetries": "3"}, "", ""},
		"no region":          {map[string]any{}, "missing", "region"},
		"region that is not": {map[string]any{"region": "eu-west-9"}, `no AWS region "eu-west-9"; did you mean "eu-west-`, "region"},
		"shouted region":     {map[string]any{"region": "EU-WEST-1"}, `did you mean "eu-west-1"?`, "region"},
		"unknown key":        {map[string]any{"region": "eu-west-1", "regoin": "x"}, `did you mean "region"?`, "regoin"},
		"wrong type":         {map[string]any{"region": "eu-west-1", "defaultTags": `{"tags":["a"]}`}, "expected a map", "defaultTags.tags"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := attach(t, NewAWS(model(t), nil)).CheckConfig(t.Context(), &pulumirpc.CheckRequest{News: sent(t, c.in)})
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(r.Failures, func(f *pulumirpc.CheckFailure) bool {
				return f.Property == c.at && strings.Contains(f.Reason, c.want)
			})
			if c.want == "" && len(r.Failures) > 0 || c.want != "" && !found {
				t.Errorf("failures: %v", r.Failures)
			}
		})
	}
}

func TestAWSLife(t *testing.T) {
	a := model(t)
	var events []string
	c := attach(t, NewAWS(a, func(e Event) { events = append(events, e.Action+" "+e.Type) }))
	if _, err := c.Configure(t.Context(), &pulumirpc.ConfigureRequest{Args: sent(t, map[string]any{"region": "eu-west-1",
		"defaultTags": `{"tags":{"Stack":"dev"}}`})}); err != nil {
		t.Fatal(err)
	}
	if a.Region != "eu-west-1" {
		t.Errorf("region = %s", a.Region)
	}
	in := map[string]any{"description": cloud.Secret{Value: "hunter2-correct-horse"}, "tags": map[string]any{"Name": "k"}}

	foreseen, err := c.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(keyType, "k"), Properties: sent(t, in), Preview: true})
	if err != nil {
		t.Fatal(err)
	}
	if out := got(t, foreseen.Properties); out["arn"] != any(cloud.Unknown) ||
		out["description"] != any(cloud.Secret{Value: "hunter2-correct-horse"}) {
		t.Errorf("foresaw %v", out)
	}

	id, inputs, out := register(t, c, keyType, "k", in)
	if out["arn"] != "arn:aws:kms:eu-west-1:123456789012:key/"+id {
		t.Errorf("arn = %v", out["arn"])
	}
	if diff := cmp.Diff(map[string]any{"Name": "k", "Stack": "dev"}, out["tagsAll"]); diff != "" {
		t.Error(diff)
	}
	if _, secret := out["description"].(cloud.Secret); !secret {
		t.Error("what went in as a secret came out as none")
	}

	changed := map[string]any{"description": "other", "multiRegion": true}
	diff, err := c.Diff(t.Context(), &pulumirpc.DiffRequest{Id: id, Urn: urn(keyType, "k"), OldInputs: sent(t, inputs),
		Olds: sent(t, out), News: sent(t, changed)})
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(diff.Replaces, []string{"multiRegion"}) || diff.DetailedDiff["description"].GetKind() != pulumirpc.PropertyDiff_UPDATE ||
		diff.DetailedDiff["multiRegion"].GetKind() != pulumirpc.PropertyDiff_ADD_REPLACE ||
		diff.DetailedDiff["tags"].GetKind() != pulumirpc.PropertyDiff_DELETE {
		t.Errorf("planned %v", diff)
	}

	updated, err := c.Update(t.Context(), &pulumirpc.UpdateRequest{Id: id, Urn: urn(keyType, "k"), OldInputs: sent(t, inputs),
		Olds: sent(t, out), News: sent(t, map[string]any{"description": "other"})})
	if err != nil {
		t.Fatal(err)
	}
	if now := got(t, updated.Properties); now["description"] != "other" || now["arn"] != out["arn"] {
		t.Errorf("updated to %v", now)
	}

	read, err := c.Read(t.Context(), &pulumirpc.ReadRequest{Id: id, Urn: urn(keyType, "k")})
	if err != nil || got(t, read.Inputs)["description"] != "other" {
		t.Errorf("read %v, %v", read, err)
	}
	if _, err := c.Delete(t.Context(), &pulumirpc.DeleteRequest{Id: id, Urn: urn(keyType, "k")}); err != nil {
		t.Fatal(err)
	}
	if read, err := c.Read(t.Context(), &pulumirpc.ReadRequest{Id: id, Urn: urn(keyType, "k")}); err != nil || read.Id != "" {
		t.Errorf("read what is gone: %v, %v", read, err)
	}
	if diff := cmp.Diff([]string{"create " + keyType, "update " + keyType, "delete " + keyType}, events); diff != "" {
		t.Error(diff)
	}
}

func TestAWSSaysEverythingThatIsWrongAtOnce(t *testing.T) {
	r, err := attach(t, NewAWS(model(t), nil)).Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(keyType, "k"),
		News: sent(t, map[string]any{"descripton": "x", "isEnabled": "yes", "deletionWindowInDays": 5.0})})
	if err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, f := range r.Failures {
		at = append(at, f.Property)
	}
	if diff := cmp.Diff([]string{"descripton", "isEnabled", "deletionWindowInDays"}, at); diff != "" {
		t.Errorf("%s\n%v", diff, r.Failures)
	}
}

func TestAWSDataSources(t *testing.T) {
	a, err := cloud.Open(filepath.Join(t.TempDir(), "model.json"), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := attach(t, NewAWS(a, nil))
	for _, q := range []struct {
		token string
		args  map[string]any
		key   string
		want  any // nil: it is refused with the words of key
	}{
		{"aws:index/getCallerIdentity:getCallerIdentity", nil, "accountId", "123456789012"},
		{"aws:index/getRegion:getRegion", nil, "name", "us-east-1"},
		{"aws:index/getPartition:getPartition", nil, "dnsSuffix", "amazonaws.com"},
		{"aws:index/getAvailabilityZones:getAvailabilityZones", map[string]any{"state": "available"}, "names", []any{"us-east-1a", "us-east-1b",
			"us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"}},
		{"aws:index/getAvailabilityZones:getAvailabilityZones", map[string]any{"excludeZoneIds": []any{"use1-az3"}}, "zoneIds",
			[]any{"use1-az1", "use1-az2", "use1-az4", "use1-az5", "use1-az6"}},
		{"aws:route53/getZone:getZone", map[string]any{"name": "example.com."}, "name", "example.com"},
		{"aws:route53/getZone:getZone", map[string]any{"name": "example.org"}, "no matching Route 53 Hosted Zone found", nil},
		{"aws:ssm/getParameter:getParameter", map[string]any{"name": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"},
			"type", "String"},
		{"aws:ssm/getParameter:getParameter", map[string]any{"name": "/mine"}, "ParameterNotFound", nil},
		{"aws:ssm/getParameter:getParameter", map[string]any{}, "missing required property", nil},
		{"aws:ec2/getSubnets:getSubnets", map[string]any{"tags": map[string]any{"stack": "prod"}}, "ids", []any{}},
		{"aws:ec2/getSubnets:getSubnets", map[string]any{"filters": []any{map[string]any{"name": "zone", "values": []any{"a"}}}},
			"does not know the filter", nil},
		{"aws:ec2/getAmi:getAmi", map[string]any{"owners": []any{"amazon"}, "mostRecent": true,
			"filters": []any{map[string]any{"name": "name", "values": []any{"al2023-ami-2023*"}}, map[string]any{"name": "architecture",
				"values": []any{"arm64"}}}}, "architecture", "arm64"},
		{"aws:ec2/getAmi:getAmi", map[string]any{"owners": []any{"amazon"}}, "more than one result", nil},
		{"aws:ecr/getAuthorizationToken:getAuthorizationToken", nil, "userName", "AWS"},
		{"aws:kms/getAlias:getAlias", map[string]any{"name": "alias/none"}, "NotFoundException", nil},
		{"aws:iam/getPolicyDocument:getPolicyDocument",
			map[string]any{"statements": []any{map[string]any{"actions": []any{"s3:GetObject"}, "resources": []any{"*"}}}}, "minifiedJson",
			`{"Statement":[{"Action":"s3:GetObject","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}`},
		{"aws:ec2/getVpc:getVpc", nil, "does not know the data source aws:ec2/getVpc:getVpc", nil},
		{"aws:ec2/getNothing:getNothing", nil, "has no data source aws:ec2/getNothing:getNothing", nil},
	} {
		t.Run(q.token, func(t *testing.T) {
			r, err := c.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: q.token, Args: sent(t, q.args)})
			if q.want == nil {
				if !strings.Contains(fmt.Sprint(err, reasons(r.GetFailures())), q.key) {
					t.Errorf("expected the refusal %q, got %v %v", q.key, err, r)
				}
				return
			}
			if err != nil || len(r.Failures) > 0 {
				t.Fatal(err, r.GetFailures())
			}
			if diff := cmp.Diff(q.want, got(t, r.Return)[q.key]); diff != "" {
				t.Error(diff)
			}
		})
	}
	token, err := c.Invoke(t.Context(), &pulumirpc.InvokeRequest{Tok: "aws:ecr/getAuthorizationToken:getAuthorizationToken"})
	if err != nil {
		t.Fatal(err)
	}
	if _, secret := got(t, token.Return)["password"].(cloud.Secret); !secret {
		t.Error("the registry's password is no secret")
	}
}

func TestRandom(t *testing.T) {
	c := attach(t, NewRandom(nil))
	_, inputs, out := register(t, c, passwordType, "p", map[string]any{"length": 30.0, "special": false, "minNumeric": 3.0,
		"keepers": map[string]any{"v": "1"}})
	secret, ok := out["result"].(cloud.Secret)
	if !ok {
		t.Fatal("a password is no secret")
	}
	s, _ := secret.Value.(string)
	if len(s) != 30 || strings.ContainsAny(s, specialSigns) || strings.Count(strings.Map(func(r rune) rune {
		if strings.ContainsRune(digits, r) {
			return '0'
		}
		return r
	}, s), "0") < 3 {
		t.Errorf("a password of %d characters that is not as asked for", len(s))
	}
	if hash, _ := out["bcryptHash"].(cloud.Secret); !strings.HasPrefix(fmt.Sprint(hash.Value), "$2a$") {
		t.Error("no bcrypt hash")
	}
	_, _, other := register(t, c, passwordType, "p", map[string]any{"length": 30.0})
	if other["result"] == out["result"] {
		t.Error("the same password twice")
	}
	same, err := c.Diff(t.Context(), &pulumirpc.DiffRequest{Urn: urn(passwordType, "p"), OldInputs: sent(t, inputs),
		News: sent(t, merged(inputs, map[string]any{"upper": true}))})
	if err != nil || same.Changes != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("saying the default is a change: %v %v", same, err)
	}
	kept, err := c.Diff(t.Context(), &pulumirpc.DiffRequest{Urn: urn(passwordType, "p"), OldInputs: sent(t, inputs),
		News: sent(t, merged(inputs, map[string]any{"keepers": map[string]any{"v": "2"}}))})
	if err != nil || kept.DetailedDiff["keepers.v"].GetKind() != pulumirpc.PropertyDiff_UPDATE_REPLACE {
		t.Errorf("another keeper does not replace: %v %v", kept, err)
	}
	for token, in := range map[string]map[string]any{
		"random:index/randomId:RandomId": {"byteLength": 4.0}, "random:index/randomUuid:RandomUuid": {}, "random:index/randomPet:RandomPet": {},
		"random:index/randomString:RandomString": {"length": 8.0}, "random:index/randomBytes:RandomBytes": {"length": 8.0},
	} {
		if id, _, _ := register(t, c, token, "x", in); id == "" {
			t.Errorf("%s has no id", token)
		}
	}
	for want, bad := range map[string]struct {
		token string
		in    map[string]any
	}{
		"does not know":           {"random:index/randomShuffle:RandomShuffle", nil},
		`did you mean "special"?`: {passwordType, map[string]any{"length": 8.0, "specail": true}},
		"missing required":        {passwordType, nil},
		"at least 9":              {passwordType, map[string]any{"length": 8.0, "minLower": 9.0}},
	} {
		r, err := c.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(bad.token, "x"), News: sent(t, bad.in)})
		if err != nil || !strings.Contains(reasons(r.Failures), want) {
			t.Errorf("expected %q, got %v %v", want, r.GetFailures(), err)
		}
	}
}

func TestDockerDigestFollowsWhatABuildReads(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file("Dockerfile", "FROM scratch\nCOPY . /\n")
	file(".dockerignore", "*.pyc\nnotes/**\n!notes/kept.md\n")
	file("app.py", "print(1)\n")
	b := build{context: dir, dockerfile: filepath.Join(dir, "Dockerfile"), platform: "linux/arm64", args: map[string]any{"A": "1"}}
	digest := func(b build) string {
		t.Helper()
		d, err := b.digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	last := digest(b)
	for _, c := range []struct {
		name    string
		change  func()
		changes bool
	}{
		{"nothing", func() {}, false},
		{"an ignored file", func() { file("app.pyc", "x") }, false},
		{"an ignored directory", func() { file("notes/a.md", "x") }, false},
		{"a file that is kept from an ignored directory", func() { file("notes/kept.md", "x") }, true},
		{"a file", func() { file("app.py", "print(2)\n") }, true},
		{"a new file", func() { file("sub/new.py", "x") }, true},
		{"the program, which is made from what is hashed already", func() { file(".slipway/helper", "x") }, false},
		{"another file of Slipway's", func() { file(".slipway/slipway.conf.template", "x") }, true},
		{"the Dockerfile", func() { file("Dockerfile", "FROM scratch\n") }, true},
		{"an argument", func() { b.args = map[string]any{"A": "2"} }, true},
		{"the platform", func() { b.platform = "linux/amd64" }, true},
		{"the time alone", func() { file("app.py", "print(2)\n") }, false},
	} {
		c.change()
		if now := digest(b); (now != last) != c.changes {
			t.Errorf("%s: digest changed is %t, expected %t", c.name, now != last, c.changes)
		} else {
			last = now
		}
	}
}

func TestDocker(t *testing.T) {
	a, dir := model(t), t.TempDir()
	aws, c := attach(t, NewAWS(a, nil)), attach(t, NewDocker(a, nil))
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	id, _, repository := register(t, aws, "aws:ecr/repository:Repository", "app",
		map[string]any{"name": "app", "imageTagMutability": "IMMUTABLE"})
	url, _ := repository["repositoryUrl"].(string)
	image := func(name, dir string) map[string]any {
		return map[string]any{
			"imageName": name, "build": map[string]any{"context": dir, "platform": "linux/arm64"},
			"registry": map[string]any{"server": url, "username": "AWS", "password": cloud.Secret{Value: "a token"}},
		}
	}
	_, inputs, out := register(t, c, dockerImage, "app", image(url+":v1", dir))
	digest, _ := out["repoDigest"].(string)
	if !strings.HasPrefix(digest, url+"@sha256:") || len(digest) != len(url)+len("@sha256:")+64 {
		t.Errorf("repoDigest = %q", digest)
	}
	again := image(url+":v1", dir)
	again["registry"].(map[string]any)["password"] = cloud.Secret{Value: "another token"}
	checked, err := c.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(dockerImage, "app"), News: sent(t, again)})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := c.Diff(t.Context(), &pulumirpc.DiffRequest{Urn: urn(dockerImage, "app"), OldInputs: sent(t, inputs), News: checked.Inputs})
	if err != nil || diff.Changes != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("another password is a change: %v %v", diff, err)
	}

	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, in map[string]any) error {
		checked, err := c.Check(t.Context(), &pulumirpc.CheckRequest{Urn: urn(dockerImage, name), News: sent(t, in)})
		if err != nil {
			return err
		}
		if len(checked.Failures) > 0 {
			return errors.New(reasons(checked.Failures))
		}
		_, err = c.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(dockerImage, name), Properties: checked.Inputs})
		return err
	}
	noLogin := image(url+":v2", dir)
	delete(noLogin, "registry")
	for want, in := range map[string]map[string]any{
		"ImageTagAlreadyExistsException": image(url+":v1", dir),
		"RepositoryNotFoundException":    image(strings.TrimSuffix(url, "app")+"nothing:v1", dir),
		"the registry of this account":   image("210987654321.dkr.ecr.us-east-1.amazonaws.com/app:v1", dir),
		"no basic auth credentials":      noLogin,
		"gone does not exist":            image(url+":v3", filepath.Join(dir, "gone")),
		"Dockerfile does not exist":      image(url+":v3", t.TempDir()),
		`did you mean "imageName"?`:      merged(image(url+":v3", dir), map[string]any{"imagename": "x"}),
		"is not an image name":           image("App:v3", dir),
		"expected a platform": merged(image(url+":v3", dir),
			map[string]any{"build": map[string]any{"context": dir, "platform": "arm"}}),
		`did you mean "dockerfile"?`: merged(image(url+":v3", dir),
			map[string]any{"build": map[string]any{"context": dir, "dockerFile": "x"}}),
	} {
		if err := refused("bad", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, got %v", want, err)
		}
	}

	_, err = aws.Delete(t.Context(), &pulumirpc.DeleteRequest{Id: id, Urn: urn("aws:ecr/repository:Repository", "app")})
	if err == nil || !strings.Contains(err.Error(), "RepositoryNotEmptyException") {
		t.Errorf("a repository with images was deleted: %v", err)
	}
}

// The command may be called anywhere below the project; the paths of its images count from the project all the same, and
// the state does not contain that path.
func TestImagePathsCountFromTheProject(t *testing.T) {
	a, root := model(t), t.TempDir()
	docker := NewDocker(a, nil)
	docker.Root = root
	aws, c := attach(t, NewAWS(a, nil)), attach(t, docker)
	if err := os.Mkdir(filepath.Join(root, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "app", "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, repository := register(t, aws, "aws:ecr/repository:Repository", "app", map[string]any{"name": "app"})
	url, _ := repository["repositoryUrl"].(string)
	_, _, out := register(t, c, dockerImage, "app", map[string]any{
		"imageName": url + ":v1", "build": map[string]any{"context": "app", "platform": "linux/arm64"},
		"registry": map[string]any{"server": url, "username": "AWS", "password": cloud.Secret{Value: "a token"}},
	})
	if out["context"] != "app" || out["dockerfile"] != "app/Dockerfile" {
		t.Errorf("the state holds %v and %v", out["context"], out["dockerfile"])
	}
}
