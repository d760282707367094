package containers

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
	"slipway/rehearsal/provider"
)

// staged is a build context with the program of another platform in it.
func staged(t *testing.T) (context, helper string) {
	t.Helper()
	context, helper = t.TempDir(), filepath.Join(t.TempDir(), "helper")
	for name, text := range map[string]string{"app.py": "print(1)\n", ".slipway/helper": "#!/bin/sh\necho of another platform\n",
		".slipway/Dockerfile": "FROM slipway-debian:sid\nCOPY .slipway/helper /opt/slipway/helper\n" +
			"RUN [\"/opt/slipway/helper\"]\nCOPY app.py link /srv/\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(context, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(context, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("app.py", filepath.Join(context, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(helper, []byte("#!/bin/sh\necho of this platform\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return context, helper
}

func TestAContextIsPackedWithTheProgramOfDockersPlatform(t *testing.T) {
	context, helper := staged(t)
	var packed bytes.Buffer
	if err := pack(&packed, context, helper); err != nil {
		t.Fatal(err)
	}
	var got []string
	for files := tar.NewReader(&packed); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d %s", h.Name, h.Uid, h.Uname)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		got = append(got, strings.TrimRight(h.Name+" "+h.Linkname+first, " "))
		if h.Name == helperFile && (!strings.Contains(string(text), "of this platform") || h.Mode != 0o755) {
			t.Errorf("the program is %s, mode %o", text, h.Mode)
		}
	}
	slices.Sort(got)
	want := []string{".slipway/", ".slipway/Dockerfile FROM slipway-debian:sid", ".slipway/helper #!/bin/sh", "app.py print(1)", "link app.py"}
	if !slices.Equal(got, want) {
		t.Errorf("packed %q, want %q", got, want)
	}
}

// The stack's context has the program of the stack's platform. An image of Docker's platform is built with another one, and the context
// stays as it is.
func TestABuildTakesTheProgramOfDockersPlatform(t *testing.T) {
	r := dockered(t, `[]`)
	context, helper := staged(t)
	asked := ""
	r.options.Helper = func(platform string) (string, error) {
		asked = platform
		return helper, nil
	}
	b := provider.Build{Context: context, Dockerfile: filepath.Join(context, ".slipway", "Dockerfile")}
	path, err := r.helper(b)
	if err != nil || path != helper || !strings.HasPrefix(asked, "linux/") {
		t.Fatalf("program %s for platform %s: %v", path, asked, err)
	}
	said, err := r.buildWith(b, path, []string{"DOCKER_BUILDKIT=0"}, []string{"build", "--no-cache", "--force-rm"})
	if err != nil || !strings.Contains(said, "of this platform") || strings.Contains(said, "of another platform") {
		t.Errorf("%v\n%s", err, said)
	}
	record, err := os.ReadFile(r.stagesFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.engine.clean(t.Context(), "127.0.0.1:1", strings.Fields(string(record))); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(context, helperFile)); err != nil || !strings.Contains(string(text), "of another platform") {
		t.Errorf("the context's own program is now %s, %v", text, err)
	}
}

func TestDockerfilesWithoutTheProgramAreBuiltFromTheirFolder(t *testing.T) {
	context, _ := staged(t)
	file := filepath.Join(context, "Dockerfile")
	if err := os.WriteFile(file, []byte("FROM scratch\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := frozen(t)
	for _, helper := range []func(string) (string, error){nil, func(string) (string, error) { return "", errors.New("it is not asked for") }} {
		r.options.Helper = helper
		if path, err := r.helper(provider.Build{Context: context, Dockerfile: file}); path != "" || err != nil {
			t.Errorf("program %q, %v", path, err)
		}
	}
}

// A container that checks the database's certificate gets the authority of the stand-in; others keep what their image has.
func TestTheCertificatesOfRDSAreReplacedWhereTheyAreNamed(t *testing.T) {
	for name, want := range map[string]bool{
		`{"name":"PGSSLROOTCERT","value":"/etc/ssl/rds/global-bundle.pem"}`: true,
		`{"name":"DB_CA","value":"/etc/ssl/rds/global-bundle.pem"}`:         true,
		`{"name":"DB_HOST","value":"db.example.com"}`:                       false,
	} {
		r := frozen(t, &cloud.Object{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{"arn": "task:1",
			"containerDefinitions": `[{"name":"django","environment":[` + name + `]}]`}})
		d, err := r.definition("task:1")
		if err != nil {
			t.Fatal(err)
		}
		args, _, err := r.environment(&d.Containers[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(args, " "), "ca.pem,dst=/etc/ssl/rds/global-bundle.pem"); got != want {
			t.Errorf("with %s the authority is mounted: %t, want %t", name, got, want)
		}
	}
}

// An application that prints its own secrets must not put them on the terminal of the one who deploys.
func TestSecretsAreHiddenInLastLines(t *testing.T) {
	parameter := func(kind, value string) *cloud.Object {
		return &cloud.Object{Type: "aws:ssm/parameter:Parameter", Outputs: map[string]any{"type": kind, "value": value}}
	}
	r := frozen(t, parameter("SecureString", "hunter2-hunter2"), parameter("String", "www.example.com"), parameter("SecureString", "a"))
	if got := r.hide("a key hunter2-hunter2 of www.example.com"); got != "a key [secret] of www.example.com" {
		t.Errorf("shown is %q", got)
	}
}
