package operation

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
)

// psqlTags are the tags in the repository psql of a model, and whether there is one.
func psqlTags(t *testing.T, target Target) (tags []string, there bool) {
	t.Helper()
	a, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, o := range a.Objects() {
		out := cloud.Inputs(o.Outputs)
		there = there || o.Type == "aws:ecr/repository:Repository" && strings.HasSuffix(o.ID, "/psql")
		if strings.HasSuffix(out.String("repositoryName"), "/psql") {
			tags = append(tags, out.Strings("imageTags")...)
		}
	}
	slices.Sort(tags)
	return tags, there
}

// A stack, here a protected one, gets an image with psql, upgrades its database, and does without the image again. The deploy role does it.
func TestTheLifeOfAnImageWithPsql(t *testing.T) {
	t.Parallel()
	target := Target{Root: checkout(t), Stack: "staging", Throwaway: true, Progress: logged{t}}
	if _, err := Bootstrap(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	base := []string{"protect=true", "alarms.email=ops@example.com"}
	up := func(settings ...string) (*Deployed, error) {
		target.Overrides = append(slices.Clone(base), settings...)
		return Up(t.Context(), target, UpArgs{Confirm: anything})
	}
	const from = "database.psqlImage=public.ecr.aws/docker/library/postgres"
	good := func(settings ...string) int {
		t.Helper()
		d, err := up(settings...)
		if err != nil {
			t.Fatal(err)
		}
		return d.Result.Changed()
	}
	tagged := func(want ...string) {
		t.Helper()
		if tags, _ := psqlTags(t, target); !slices.Equal(tags, want) {
			t.Errorf("the images with psql are %q, want %q", tags, want)
		}
	}
	good("database.engineVersion=16")
	if _, there := psqlTags(t, target); there {
		t.Error("without the setting there is a repository")
	}

	// The copy fails: the services are as they were, the state does not say that there is an image, and the setting can be taken back.
	target.SCP = []string{filepath.Join(t.TempDir(), "scp.json")}
	if err := os.WriteFile(target.SCP[0], []byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Effect": "Deny", "Action": "ecr:PutImage", "Resource": "arn:aws:ecr:*:*:repository/*/psql"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := up("database.engineVersion=16", from, "web.max=3")
	for _, want := range []string{"psql: the image public.ecr.aws/docker/library/postgres:16 cannot be copied", "ecr:PutImage",
		"The services were not changed"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a copy that fails does not say %q: %v", want, err)
		}
	}
	tagged()
	if changed := good("database.engineVersion=16"); changed == 0 {
		t.Error("nothing had to be taken back")
	}
	if _, there := psqlTags(t, target); there {
		t.Error("the repository stays, although the setting was taken back")
	}
	target.SCP = nil

	good("database.engineVersion=16", from)
	tagged("16")
	for _, more := range []string{from, "database.psqlImage=registry.example.com/postgres"} {
		if changed := good("database.engineVersion=16", more); changed > 0 {
			t.Errorf("another up with %s changes %d resources", more, changed)
		}
	}
	good("database.engineVersion=17", from)
	tagged("16", "17")

	// Who deletes the marker and an image has it copied again.
	a, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range a.Objects() {
		tags := cloud.Inputs(o.Outputs).Strings("imageTags")
		if o.ID == "/slipway/staging/psql/image" || slices.Equal(tags, []string{"17"}) {
			if removed, err := a.Remove(o.Type, o.ID); err != nil || !removed {
				t.Errorf("%s is still there: %v", o.ID, err)
			}
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	tagged("16")
	good("database.engineVersion=17", from)
	tagged("16", "17")

	good("database.engineVersion=17")
	if tags, there := psqlTags(t, target); there || len(tags) > 0 {
		t.Errorf("turned off, it leaves %q", tags)
	}

	good("database.engineVersion=17", from)
	if _, err := Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	if tags, there := psqlTags(t, target); there || len(tags) > 0 {
		t.Errorf("destroyed, the stack leaves %q", tags)
	}
}
