package operation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/operation/account"
)

// imagesOf are sessions that know images alone.
type imagesOf struct {
	account.Sessions
	login func(context.Context) (account.Login, error)
}

func (s imagesOf) PostgresImages(repository, major string) []account.Image {
	images := []account.Image{{Name: "public/postgres:" + major}}
	if repository != "" {
		images = slices.Insert(images, 0, account.Image{Name: repository + ":" + major, Own: true, Login: s.login})
	}
	return images
}

// A desk is a machine with the programs psql and docker, or without. Docker notes its calls, and what it finds in its settings.
type desk struct {
	t                  *testing.T
	folder, own, notes string
}

const fakeDocker = `#!/bin/sh
echo "$*" >>"$DESK/calls"
case "$1" in
image) exit "$(cat "$DESK/inspect")" ;;
pull)
	echo "$DOCKER_CONFIG" >"$DESK/settings"
	cp "$DOCKER_CONFIG/config.json" "$DESK/config.json"
	cat "$DOCKER_CONFIG/contexts/meta/desk/meta.json" >"$DESK/context"
	env >"$DESK/environment"
	cat "$DESK/said" >&2
	exit "$(cat "$DESK/pulled")" ;;
esac
`

func newDesk(t *testing.T, psql string) *desk {
	t.Helper()
	d := &desk{t: t, folder: t.TempDir(), own: t.TempDir()}
	bin := filepath.Join(d.folder, "bin")
	d.write("bin/docker", fakeDocker)
	if psql != "" {
		d.write("bin/psql", "#!/bin/sh\necho 'psql (PostgreSQL) "+psql+"'\n")
	}
	for name, text := range map[string]string{"inspect": "1", "pulled": "0", "said": ""} {
		d.write(name, text)
	}
	for _, name := range []string{"cat", "cp", "env"} { // this machine may have a psql beside them
		at, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(at, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DESK", d.folder)
	t.Setenv("PATH", bin)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("DOCKER_CONFIG", d.own)
	settings := `{"currentContext": "work", "credsStore": "desktop", "auths": {"https://index.docker.io/v1/": {}}}`
	for name, text := range map[string]string{"config.json": settings, "contexts/meta/desk/meta.json": "an engine elsewhere"} {
		at := filepath.Join(d.own, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	at := filepath.Join(d.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o755)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(d.folder, name))
	return strings.TrimSpace(string(text))
}

// find looks for psql for a server of version 17.2, whose stack has an image of its own in a repository, or "".
func (d *desk) find(repository string, login func(context.Context) (account.Login, error)) (client, error) {
	d.notes = ""
	e := &entrance{sessions: imagesOf{login: login}, layout: &layout{postgres: "17.2", psql: repository}}
	return e.findClient(d.t.Context(), func(text string) { d.notes += text + "\n" })
}

const (
	psqlRegistry   = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	psqlRepository = psqlRegistry + "/slipway-prod/psql"
)

func anyLogin(context.Context) (account.Login, error) {
	return account.Login{User: "AWS", Password: "hunter2"}, nil
}

func TestPsqlOnPathComesFirst(t *testing.T) {
	for version, enough := range map[string]bool{"17.0": true, "18.1": true, "16.9": false} {
		d := newDesk(t, version)
		c, err := d.find(psqlRepository, anyLogin)
		if err != nil || (c.image == "") != enough || (d.read("calls") == "") != enough {
			t.Errorf("psql %s: %+v, %v; docker was called with %q", version, c, err, d.read("calls"))
		}
	}
}

// The token is for one pull: neither the user's settings nor the list of processes ever has it, and the folder with it is gone.
func TestPsqlIsPulledFromTheStacksOwnRegistry(t *testing.T) {
	d := newDesk(t, "")
	before, err := os.ReadFile(filepath.Join(d.own, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.find(psqlRepository, anyLogin)
	if err != nil || c.image != psqlRepository+":17" || !strings.Contains(c.what, psqlRepository+":17, of the stack's own registry") {
		t.Fatalf("%+v, %v", c, err)
	}
	if want := "image inspect " + psqlRepository + ":17\npull --quiet " + psqlRepository + ":17"; d.read("calls") != want {
		t.Errorf("docker was called with\n%s\nwant\n%s", d.read("calls"), want)
	}
	var settings struct {
		Auths          map[string]struct{ Auth string }
		CurrentContext string
	}
	if err := json.Unmarshal([]byte(d.read("config.json")), &settings); err != nil {
		t.Fatal(err)
	}
	auth, err := base64.StdEncoding.DecodeString(settings.Auths[psqlRegistry].Auth)
	if err != nil || string(auth) != "AWS:hunter2" || len(settings.Auths) != 1 || strings.Contains(d.read("config.json"), "credsStore") {
		t.Errorf("docker's settings were %s", d.read("config.json"))
	}
	if settings.CurrentContext != "work" || d.read("context") != "an engine elsewhere" {
		t.Errorf("docker asks another engine than the user's: context %q is %q", settings.CurrentContext, d.read("context"))
	}
	if _, err := os.Stat(d.read("settings")); d.read("settings") == d.own || !os.IsNotExist(err) {
		t.Errorf("the folder %s with the token is still there: %v", d.read("settings"), err)
	}
	if strings.Contains(d.read("environment")+d.notes, "hunter2") {
		t.Error("the password is in the environment, or was shown")
	}
	after, err := os.ReadFile(filepath.Join(d.own, "config.json"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the user's settings are\n%s\nand were\n%s", after, before)
	}
	if _, err := os.Stat(filepath.Join(d.own, "contexts/meta/desk/meta.json")); err != nil {
		t.Errorf("the user's contexts were deleted: %v", err)
	}

	// A second time it is here, and no token is asked for.
	d.write("inspect", "0")
	d.write("calls", "")
	c, err = d.find(psqlRepository, func(context.Context) (account.Login, error) { return account.Login{}, errors.New("asked again") })
	if err != nil || c.image != psqlRepository+":17" || d.notes != "" || strings.Contains(d.read("calls"), "pull") {
		t.Errorf("again: %+v, %v, said %q, docker was called with %q", c, err, d.notes, d.read("calls"))
	}
}

// Whatever is wrong with the stack's own image, psql is still to be had, and the user hears why it is another one.
func TestPsqlFallsBackToTheOfficialImage(t *testing.T) {
	for _, c := range []struct{ what, repository, denied, said, want string }{
		{"the stack has none", "", "", "", ""},
		{"no permission", psqlRepository, "access denied: ann lacks the permission ecr:GetAuthorizationToken on *", "",
			"The image " + psqlRepository + ":17 of the stack's own registry cannot be used: access denied: ann lacks the permission"},
		{"another processor", psqlRepository, "",
			"Error response from daemon: no matching manifest for linux/riscv64 in the manifest list entries",
			"cannot be used: it is for linux/amd64 and linux/arm64, and Docker's processor here is another."},
		{"not there", psqlRepository, "", "Using default tag\nError response from daemon: manifest for psql:17 not found",
			"cannot be used: docker pull: Error response from daemon: manifest for psql:17 not found."},
		{"no word", psqlRepository, "", "", "cannot be used: docker pull: exit status 1."},
	} {
		d := newDesk(t, "")
		d.write("pulled", "1")
		d.write("said", c.said)
		found, err := d.find(c.repository, func(ctx context.Context) (account.Login, error) {
			if c.denied != "" {
				return account.Login{}, errors.New(c.denied)
			}
			return anyLogin(ctx)
		})
		if err != nil || found.image != "public/postgres:17" || found.what != "psql from the image public/postgres:17" {
			t.Errorf("%s: %+v, %v", c.what, found, err)
		}
		if !strings.Contains(d.notes, c.want) || c.want == "" && d.notes != "" {
			t.Errorf("%s: said %q, want %q", c.what, d.notes, c.want)
		}
		if left, err := filepath.Glob(filepath.Join(os.TempDir(), "slipway-docker-*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left are %v, %v", c.what, left, err)
		}
	}
}

func TestALayoutNamesTheRepositoryWithPsql(t *testing.T) {
	l := layoutOf("shop", "prod", []apitype.ResourceV3{{Type: typePsql, Outputs: map[string]any{"repository": psqlRepository}}})
	if l.psql != psqlRepository {
		t.Errorf("it is %q", l.psql)
	}
}
