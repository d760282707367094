package workflows

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// A workflow is the part of a workflow that these tests read.
type workflow struct {
	Name        string
	On          map[string]any
	Concurrency *concurrency
	Permissions map[string]string
	Env         map[string]string
	Jobs        map[string]*job
}

type job struct {
	If          string
	Needs       any
	Environment string
	Timeout     int `yaml:"timeout-minutes"`
	Permissions map[string]string
	Concurrency *concurrency
	Strategy    struct{ Matrix map[string][]string }
	Env         map[string]string
	Steps       []struct {
		If, Uses, Run, Shell string
		With, Env            map[string]string
		Continue             bool `yaml:"continue-on-error"`
	}
}

type concurrency struct {
	Group  string
	Cancel *bool `yaml:"cancel-in-progress"`
	Queue  string
}

// project creates a folder with the project's own files, changed by edits: file, old text, new text.
func project(t *testing.T, edits ...[3]string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(root, "Pulumi*.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, edit := range edits {
			if edit[0] == filepath.Base(file) {
				if n := bytes.Count(data, []byte(edit[1])); n != 1 {
					t.Fatalf("%q is %d times in %s", edit[1], n, file)
				}
				data = bytes.Replace(data, []byte(edit[1]), []byte(edit[2]), 1)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "app"), filepath.Join(dir, "app")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Roles and what they trust, as bootstrap and an owner write them.
var (
	devRole = [3]string{"Pulumi.dev.yaml", "  slipway:app:", "  slipway:github:\n    repository: example/site\n" +
		"    environments: [dev-small]\n    provider: arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com\n" +
		"    role: arn:aws:iam::111111111111:role/dev-deploy\n  slipway:app:"}
	devBranch = [3]string{"Pulumi.dev.yaml", "  slipway:app:",
		"  slipway:github:\n    repository: example/site\n    branches: [trunk]\n  slipway:app:"}
	prodBranch = [3]string{"Pulumi.prod.yaml", "    readBranches: [main]", "    branches: [main]"}
	prodAlone  = [3]string{"Pulumi.prod.yaml", "    readBranches: [main]\n", ""}
	prodRead   = [3]string{"Pulumi.prod.yaml", "    readBranches: [main]", "    readBranches: [main]\n" +
		"    provider: arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com\n" +
		"    readRole: arn:aws:iam::111111111111:role/prod-read"}
	devPulls = [3]string{"Pulumi.dev.yaml", "  slipway:app:", "  slipway:github:\n    repository: example/site\n    branches: [trunk]\n" +
		"    readPullRequests: true\n  slipway:app:"}
	amd64 = [3]string{"Pulumi.dev.yaml", "architecture: arm64", "architecture: amd64"}
)

func rendered(t *testing.T, root string, path ...string) (*pipeline, map[string][]byte, []string) {
	t.Helper()
	p, notes, err := newPipeline(root, Request{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	files, err := p.render()
	if err != nil {
		t.Fatal(err)
	}
	delete(files, script) // which is no workflow
	return p, files, notes
}

func TestTheRepositorysWorkflowsAreTheOutput(t *testing.T) {
	_, files, _ := rendered(t, "../..")
	there, err := filepath.Glob("../../.github/workflows/*")
	if err != nil {
		t.Fatal(err)
	}
	// Only this repository makes releases of Slipway.
	there = slices.DeleteFunc(there, func(name string) bool { return filepath.Base(name) == "release.yml" })
	if len(there) != len(files) {
		t.Errorf("there are %v, want %v", there, slices.Sorted(maps.Keys(files)))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../.github/workflows", name))
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what `slipway ci github` writes (-want +got):\n%s", name, diff)
		}
	}
}

// TestWorkflowsKeepTheirPromises checks every job of several projects for what docs/ci.md promises.
func TestWorkflowsKeepTheirPromises(t *testing.T) {
	for name, root := range map[string]string{
		"this repository":        "../..",
		"with a role":            project(t, devRole, prodBranch, amd64),
		"a role trusts branches": project(t, devBranch),
		"no read role":           project(t, prodAlone),
		"pull requests look":     project(t, devPulls, prodRead),
	} {
		t.Run(name, func(t *testing.T) {
			p, files, _ := rendered(t, root)
			for file, text := range files {
				for _, wrong := range broken(p, text) {
					t.Errorf("%s: %s", file, wrong)
				}
			}
			for _, wrong := range shared(files) {
				t.Error(wrong)
			}
		})
	}
}

// TestBrokenPromisesAreSeen breaks each promise once.
func TestBrokenPromisesAreSeen(t *testing.T) {
	p, files, _ := rendered(t, project(t, devPulls))
	for _, c := range []struct{ file, old, new, want string }{
		{"deploy.yml", "@a03048d87541d1d9fcf2ecf528a4a65ba9bd7838 # v5.0.0", "@v5", "not pinned"},
		{"deploy.yml", "permissions: {}", "permissions: {contents: write}", "top level"},
		{"deploy.yml", "      contents: read\n", "      contents: write\n", "contents:write"},
		{"deploy.yml", "      id-token: write\n", "", "id-token"},
		{"deploy.yml", "cancel-in-progress: false", "cancel-in-progress: true", "may be cancelled"},
		{"deploy.yml", "group: slipway-dev-deploy", "group: slipway-staging-deploy", "slipway-dev-deploy"},
		{"deploy.yml", "      queue: max\n", "", "cancels the one that waits"},
		{"rollback.yml", "      queue: max\n", "      queue: single\n", "cancels the one that waits"},
		{"destroy.yml", "group: slipway-dev-destroy", "group: slipway-dev-deploy", "slipway-dev-destroy"},
		{"drift.yml", "    timeout-minutes: 45\n", "    timeout-minutes: 45\n    concurrency: {group: slipway-dev-deploy}\n",
			"only looks, and stands in a queue"},
		{"deploy.yml", "up --stack dev --live --yes --wait 20m", "up --stack dev --live --yes", "does not wait"},
		{"rollback.yml", "unlock --stack dev --live --wait 20m", "unlock --stack dev --live", "does not wait"},
		{"drift.yml", "drift --stack dev --live --wait 20m", "drift --stack dev --live", "does not wait"},
		{"deploy.yml", "    timeout-minutes: 60\n", "", "no end"},
		{"deploy.yml", "          role-to-assume: ${{ vars.SLIPWAY_DEV_ROLE }}", "          aws-access-key-id: ${{ secrets.KEY }}", "static key"},
		{"deploy.yml", "if: failure() || cancelled()", "if: failure()", "heals no lock"},
		{"deploy.yml", "          GITHUB_TOKEN: ${{ github.token }}\n", "          X: y\n", "actions:read"},
		{"deploy.yml", " -- \"$RELEASE\"", " ${{ needs.dev.outputs.release }}", "expression"},
		{"deploy.yml", "exec .slipway/bin/slipway up", "exec .slipway/bin/slipway up ${{ github.event.head_commit.message }}", "expression"},
		{"deploy.yml", "exec .slipway/bin/slipway up", "curl https://example.com | sh; bin/slipway up", "one command"},
		{"deploy.yml", "          persist-credentials: false\n", "", "persist"},
		{"drift.yml", "${{ vars.SLIPWAY_PROD_READ_ROLE }}", "${{ vars.SLIPWAY_PROD_ROLE }}", "prod: only looks at prod, with the rights"},
		{"pull-request.yml", "${{ vars.SLIPWAY_DEV_READ_ROLE }}", "${{ vars.SLIPWAY_DEV_ROLE }}", "preview: only looks at dev, with the rights"},
		{"drift.yml", "    if: vars.SLIPWAY_PROD_READ_ROLE != ''\n", "    environment: production\n", "trusts no environment"},
		{"drift.yml", "${{ vars.SLIPWAY_DEV_ROLE }}", "${{ vars.SLIPWAY_DEV_READ_ROLE }}", "dev: a role that trusts no branch"},
		{"deploy.yml", "${{ vars.SLIPWAY_PROD_ROLE }}", "${{ vars.SLIPWAY_PROD_READ_ROLE }}", "prod: changes prod with a role that only looks"},
		{"pull-request.yml", "github.event.pull_request.head.repo.full_name == github.repository &&", "", "fork"},
		{"pull-request.yml", "pull_request:", "pull_request_target:", "pull_request_target"},
		{"pull-request.yml", "      pull-requests: write\n", "      pull-requests: write\n      id-token: write\n", "id-token"},
	} {
		text := string(files[c.file])
		if !strings.Contains(text, c.old) {
			t.Errorf("%s does not hold %q", c.file, c.old)
			continue
		}
		wrong := broken(p, []byte(strings.Replace(text, c.old, c.new, 1)))
		if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, c.want) }) {
			t.Errorf("%s with %q: want a word about %q, got %q", c.file, c.new, c.want, wrong)
		}
	}
}

var (
	pinned  = regexp.MustCompile(`^ *(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	command = regexp.MustCompile(`^(exec (\.slipway/)?bin/slipway [^;&|` + "`" +
		`]+|bash \.github/workflows/slipway\.sh|go (build|vet|test) [\w ./-]+|mkdir -p changes)$`)
	changing = regexp.MustCompile(` (up|promote|rollback|destroy) .*--live`)
	looking  = regexp.MustCompile(` (drift|preview) .*--live`)
	stackOf  = regexp.MustCompile(` --(?:stack|to) ([\w.-]+)`)
)

// shared lists the concurrency groups that more than one workflow uses. In one group GitHub may cancel a run of one workflow
// for the sake of another's, whatever either of them says.
func shared(files map[string][]byte) (wrong []string) {
	users := map[string][]string{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		var w workflow
		if err := yaml.Unmarshal(files[file], &w); err != nil {
			return []string{err.Error()}
		}
		use := func(c *concurrency) {
			if c == nil {
				return
			}
			group := strings.ToLower(c.Group) // GitHub takes Prod and prod for the same
			if !slices.Contains(users[group], file) {
				users[group] = append(users[group], file)
			}
		}
		use(w.Concurrency)
		for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
			use(w.Jobs[name].Concurrency)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(users)) {
		if len(users[group]) > 1 {
			wrong = append(wrong, fmt.Sprintf("the group %s is shared by %s", group, strings.Join(users[group], ", ")))
		}
	}
	return wrong
}

func TestSharedGroupsAreSeen(t *testing.T) {
	_, files, _ := rendered(t, "../..")
	files["drift.yml"] = bytes.Replace(files["drift.yml"], []byte("    timeout-minutes: 45\n"),
		[]byte("    timeout-minutes: 45\n    concurrency:\n      group: Slipway-dev-deploy\n"), 1)
	if diff := cmp.Diff([]string{"the group slipway-dev-deploy is shared by deploy.yml, drift.yml"}, shared(files)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// broken lists the promises that a workflow does not keep.
func broken(p *pipeline, text []byte) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
			say("not pinned by commit with its version: %s", strings.TrimSpace(line))
		}
	}
	if found := regexp.MustCompile(`(?i)secrets\.|access[_-]key|session[_-]token|password`).Find(text); found != nil {
		say("a static key or secret: %s", found)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		say("%v", err)
		return wrong
	}
	if _, ok := w.On["pull_request_target"]; ok {
		say("pull_request_target gives strangers' code the rights of this repository")
	}
	_, pull := w.On["pull_request"]
	if w.Permissions == nil || len(w.Permissions) > 0 {
		say("the top level gives permissions %v", w.Permissions)
	}
	if len(w.Jobs) == 0 {
		say("it has no jobs")
	}
	for name, j := range w.Jobs {
		credentials, writes, asks, lives, heals, looks, role, impatient := false, false, false, "", "", "", "", ""
		for _, s := range j.Steps {
			switch {
			case strings.HasPrefix(s.Uses, "aws-actions/configure-aws-credentials@"):
				credentials, role = true, s.With["role-to-assume"]
				if s.With["role-to-assume"] == "" || s.With["aws-region"] == "" {
					say("%s: credentials without a role or a region: %v", name, s.With)
				}
			case strings.HasPrefix(s.Uses, "actions/checkout@"):
				if s.With["persist-credentials"] != "false" {
					say("%s: persist-credentials leaves the token in the checkout", name)
				}
			}
			if s.Run == "" {
				continue
			}
			if strings.Contains(s.Run, "${{") {
				say("%s: an expression inside a script: %s", name, s.Run)
			}
			if !command.MatchString(s.Run) {
				say("%s: not one command: %s", name, s.Run)
			}
			if strings.Contains(s.Run, "comment --post") {
				writes = true
				if s.If != "github.event.pull_request.head.repo.full_name == github.repository" {
					say("%s: tries to write for a fork too", name)
				}
			}
			stack := ""
			if m := stackOf.FindAllStringSubmatch(s.Run, -1); m != nil {
				stack = m[len(m)-1][1]
			}
			switch {
			case strings.Contains(s.Run, "slipway unlock"):
				asks = asks || s.Env["GITHUB_TOKEN"] != "" // whether another run has ended
				if strings.Contains(s.If, "cancelled()") && strings.Contains(s.Run, "--live") && !strings.Contains(s.Run, "--force") {
					heals = stack
				}
			case changing.MatchString(s.Run):
				lives = stack
			case looking.MatchString(s.Run):
				looks = stack
			}
			// A pull request's preview changes nothing and can be repeated; the step after a failure removes its own lock.
			if strings.Contains(s.Run, "--live") && s.If == "" && !pull && !strings.Contains(s.Run, " --wait ") {
				impatient = s.Run
			}
			if strings.Contains(s.Run, "--live") && !credentials {
				say("%s: goes to an account without credentials: %s", name, s.Run)
			}
		}
		want := map[string]string{"contents": "read"}
		if credentials {
			want["id-token"] = "write"
		}
		if asks {
			want["actions"] = "read"
		}
		if writes {
			want["pull-requests"] = "write"
		}
		if !maps.Equal(want, j.Permissions) {
			say("%s: permissions are %v, it needs %v", name, j.Permissions, want)
		}
		if credentials && pull && !strings.Contains(j.If, "github.event.pull_request.head.repo.full_name == github.repository") {
			say("%s: a fork gets credentials", name)
		}
		if j.Timeout < 1 || j.Timeout > 60 {
			say("%s: no end within an hour, which is as long as credentials last", name)
		}
		switch {
		case lives != "" && (j.Concurrency == nil || j.Concurrency.Group != "slipway-"+lives+"-"+w.Name):
			say("%s: must wait in the queue slipway-%s-%s", name, lives, w.Name)
		case lives != "" && (j.Concurrency.Cancel == nil || *j.Concurrency.Cancel):
			say("%s: may be cancelled in the middle of a deployment", name)
		case lives != "" && j.Concurrency.Queue != "max":
			say("%s: a newer run cancels the one that waits: queue is %q", name, j.Concurrency.Queue)
		case lives == "" && looks != "" && j.Concurrency != nil:
			say("%s: only looks, and stands in a queue", name)
		}
		if impatient != "" {
			say("%s: does not wait for a run that holds the stack: %s", name, impatient)
		}
		i := slices.IndexFunc(p.Path, func(s *ciStack) bool { return s.Name == lives+looks })
		if i < 0 {
			continue
		}
		s := p.Path[i]
		readOnly := regexp.MustCompile(`_READ_ROLE|-read$`).MatchString(role)
		switch mayRead := s.Watch.ReadOnly && !pull || s.Preview.ReadOnly && pull; {
		case lives != "" && readOnly:
			say("%s: changes %s with a role that only looks", name, lives)
		case lives == "" && mayRead && !readOnly:
			say("%s: only looks at %s, with the rights of a deployment: %s", name, looks, role)
		case readOnly && !mayRead:
			say("%s: a role that trusts no branch and no pull request of %s: %s", name, looks, role)
		case readOnly && j.Environment != "":
			say("%s: the read role trusts no environment", name)
		}
		if lives != "" && heals != lives {
			say("%s: heals no lock of %s when it is cut short", name, lives)
		}
		if lives == "" && (heals != "" || asks) {
			say("%s: frees %s, although it only looks", name, looks)
		}
	}
	return wrong
}

func TestProtectedStacksAreApproved(t *testing.T) {
	_, files, _ := rendered(t, project(t, devRole, prodBranch))
	environments := func(file string) map[string]string {
		var w workflow
		if err := yaml.Unmarshal(files[file], &w); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, j := range w.Jobs {
			got[name] = j.Environment
		}
		return got
	}
	approved := map[string]string{"dev": "dev-small", "staging": "", "prod": "production"}
	for _, file := range []string{"deploy.yml", "rollback.yml", "destroy.yml"} {
		if diff := cmp.Diff(approved, environments(file)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	// A role that trusts a branch as well is checked without an approval.
	if diff := cmp.Diff(map[string]string{"dev": "dev-small", "staging": "", "prod": ""}, environments("drift.yml")); diff != "" {
		t.Errorf("drift.yml (-want +got):\n%s", diff)
	}
}

// A drift check with the read role needs no approval. Without the role, the notes say how to get it.
func TestReadOnlyJobsNeedNoApproval(t *testing.T) {
	for _, c := range []struct {
		name      string
		edits     [][3]string
		drift     string // the lines of prod's job at night that say its rights
		preview   string // those of the pull request's, "" if there is none
		want, not string // among the notes
	}{
		{"this repository", nil,
			"role-to-assume: ${{ vars.SLIPWAY_PROD_READ_ROLE }}", `environment: "dev" role-to-assume: ${{ vars.SLIPWAY_DEV_ROLE }}`,
			"With github.readPullRequests in Pulumi.dev.yaml they may only read", "waits for an approval"},
		{"roles that exist", [][3]string{devPulls, prodRead},
			"role-to-assume: arn:aws:iam::111111111111:role/prod-read", "role-to-assume: ${{ vars.SLIPWAY_DEV_READ_ROLE }}",
			"Pulumi.dev.yaml has no github.readRole yet: its read-only jobs wait for the repository's variable SLIPWAY_DEV_READ_ROLE",
			"Pulumi.prod.yaml has no github.readRole"},
		{"no read role", [][3]string{devBranch, prodAlone},
			`environment: "production" role-to-assume: ${{ vars.SLIPWAY_PROD_ROLE }}`, "",
			"Name the deployed branch in github.readBranches of Pulumi.prod.yaml, and it only reads and needs no approval",
			"Pulumi.prod.yaml has no github.readRole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, files, notes := rendered(t, project(t, c.edits...))
			lines := func(file, name string) string {
				var w workflow
				if err := yaml.Unmarshal(files[file], &w); err != nil {
					t.Fatal(err)
				}
				j := w.Jobs[name]
				if j == nil {
					return ""
				}
				said := ""
				if j.Environment != "" {
					said = fmt.Sprintf("environment: %q ", j.Environment)
				}
				for _, s := range j.Steps {
					if role := s.With["role-to-assume"]; role != "" {
						said += "role-to-assume: " + role
					}
				}
				return said
			}
			if got := lines("drift.yml", "prod"); got != c.drift {
				t.Errorf("at night prod has %s, want %s", got, c.drift)
			}
			if got := lines("pull-request.yml", "preview"); got != c.preview {
				t.Errorf("a pull request has %s, want %s", got, c.preview)
			}
			if said := strings.Join(notes, "\n"); !strings.Contains(said, c.want) || strings.Contains(said, c.not) {
				t.Errorf("the notes are\n%s\nwant %q among them, and not %q", said, c.want, c.not)
			}
		})
	}
}

func TestRolesComeFromTheStacks(t *testing.T) {
	_, files, notes := rendered(t, project(t, devRole, amd64))
	deploy := string(files["deploy.yml"])
	for _, want := range []string{"role-to-assume: arn:aws:iam::111111111111:role/dev-deploy", "role-to-assume: ${{ vars.SLIPWAY_PROD_ROLE }}",
		"if: vars.SLIPWAY_PROD_ROLE != ''", "needs: staging"} {
		if !strings.Contains(deploy, want) {
			t.Errorf("deploy.yml does not hold %q", want)
		}
	}
	for _, not := range []string{"SLIPWAY_DEV_ROLE", "qemu"} {
		if strings.Contains(deploy, not) {
			t.Errorf("deploy.yml holds %q", not)
		}
	}
	said := strings.Join(notes, "\n")
	if strings.Contains(said, "Pulumi.dev.yaml has no") || !strings.Contains(said, "Pulumi.staging.yaml has no github.role yet") {
		t.Errorf("the notes are %s", said)
	}
}

func TestAPathThatIsNone(t *testing.T) {
	for _, c := range []struct {
		root string
		path []string
		want string
	}{
		{project(t), []string{"dev", "qa"}, `--path: there is no stack "qa"; the project has dev, local, prod, staging`},
		{project(t), []string{"dev", "dev"}, "--path: dev is named twice"},
		{project(t, [3]string{"Pulumi.prod.yaml", "    environments: [production]", "    branches: [main]"}), nil,
			"file Pulumi.prod.yaml: github.environments is empty: a protected stack is deployed behind the approval"},
		{project(t, [3]string{"Pulumi.dev.yaml", "zones: 2", "zones: 9"}), nil, "network.zones"},
	} {
		_, _, err := newPipeline(c.root, Request{Path: c.path})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.path, err, c.want)
		}
	}
}

func TestWorkflowsOfOthersAreLeftAlone(t *testing.T) {
	root := project(t)
	write := func() error {
		_, err := Write(root, Request{Dir: ".github/workflows", Download: "https://files.example.com/slipway"})
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, ".github/workflows", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(root, ".github/workflows", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deploy := read("deploy.yml")
	put("theirs.yml", "name: theirs\n")
	put("deploy.yml", strings.ReplaceAll(deploy, "\n", "\r\n")) // git does this on some machines
	put("drift.yml", string(signed([]byte("of an older slipway\n"))))
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if read("theirs.yml") != "name: theirs\n" || read("deploy.yml") != deploy || !strings.Contains(read("drift.yml"), "cron") {
		t.Error("what slipway wrote is written again, and nothing else")
	}

	changed := strings.Replace(deploy, "timeout-minutes: 60", "timeout-minutes: 59", 1)
	put("deploy.yml", changed)
	put("drift.yml", string(signed([]byte("of an older slipway\n"))))
	err := write()
	if err == nil || !strings.Contains(err.Error(), "deploy.yml was not written by slipway, or was changed since") {
		t.Errorf("got %v", err)
	}
	if read("deploy.yml") != changed || strings.Contains(read("drift.yml"), "cron") {
		t.Error("something was written although one file is not slipway's")
	}
}

// TestWorkflowsPassActionlint runs the linter that tools/actionlint pins.
func TestWorkflowsPassActionlint(t *testing.T) {
	lint := filepath.Join(t.TempDir(), "actionlint")
	build := exec.Command("go", "build", "-o", lint, "github.com/rhysd/actionlint/cmd/actionlint")
	build.Dir = "../../tools/actionlint"
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "" && bytes.Contains(out, []byte("dial tcp")) {
			t.Skipf("actionlint cannot be fetched: %s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	check := func(files map[string][]byte) (string, error) {
		dir := t.TempDir()
		// concurrency.queue is of 2026-05-07 (github.blog/changelog), and actionlint does not know it yet (rhysd/actionlint#657).
		// Its value is held by TestWorkflowsKeepTheirPromises.
		args := []string{"-no-color", "-shellcheck=", "-pyflakes=", "-ignore", `^unexpected key "queue" for "concurrency" section`}
		for name, text := range files {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, file)
		}
		out, err := exec.Command(lint, args...).CombinedOutput()
		return string(out), err
	}
	release, err := os.ReadFile("../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := check(map[string][]byte{"release.yml": release}); err != nil {
		t.Errorf("release.yml: %v\n%s", err, out)
	}
	_, files, _ := rendered(t, "../..")
	for _, root := range []string{"../..", project(t, devRole, prodBranch, amd64), project(t, devBranch), project(t, devPulls, prodRead)} {
		_, files, _ := rendered(t, root)
		if out, err := check(files); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	bad := bytes.Replace(files["deploy.yml"], []byte("needs: dev"), []byte("needs: absent"), 1)
	if out, err := check(map[string][]byte{"deploy.yml": bad}); err == nil || !strings.Contains(out, "absent") {
		t.Errorf("actionlint accepts a job that needs an absent one: %v\n%s", err, out)
	}
}

// A template of a stack is in no release's way: only a stack that one goes through has to be right.
func TestAStackThatIsOnlyAnExampleDoesNotStop(t *testing.T) {
	root := project(t)
	write := func(stack, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "Pulumi."+stack+".yaml"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("example", "config:\n  slipway:domain: www.example.com\n") // without a region
	p, notes, err := newPipeline(root, Request{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(p.All, "example") || !slices.Contains(p.All, "dev") {
		t.Errorf("the workflows offer %v", p.All)
	}
	if want := "Stack example is in no workflow: Pulumi.example.yaml has mistakes (slipway preview --stack " +
		"example)."; !slices.Contains(notes, want) {
		t.Errorf("the notes are %q", notes)
	}
	if _, _, err := newPipeline(root, Request{Path: []string{"dev", "example"}}); err == nil ||
		!strings.Contains(err.Error(), "aws:region: is required") {
		t.Errorf("a release that goes through it: %v", err)
	}
	write("staging", "config: {}\n")
	if _, _, err := newPipeline(root, Request{}); err == nil ||
		!strings.Contains(err.Error(), "the configuration of stack staging has a mistake") {
		t.Errorf("a stack of the path with a mistake: %v", err)
	}
}
