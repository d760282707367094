package operation

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// cells are the configurations of the cells of conformance/, which between them have each pair of the main options.
var cells = map[string]struct {
	stack     string
	overrides []string
}{
	"local": {"local", nil}, "dev": {"dev", nil}, "staging": {"staging", nil}, "prod": {"prod", nil},
	"per-zone-firelens-amd64": {"dev", []string{"network.nat=perZone", "logs.route=firelens", "web.architecture=amd64",
		"bastion.enabled=false"}},
	"no-nat-domain-amd64-worker": {"dev", []string{"network.nat=none", "domain=dev.example.com", "zone=example.com",
		"web.architecture=amd64", feedWorker, "bastion.enabled=false"}},
	"no-nat":                      {"dev", []string{"network.nat=none", "bastion.enabled=false"}},
	"no-nat-amd64-worker-bastion": {"dev", []string{"network.nat=none", "web.architecture=amd64", feedWorker}},
	"domain-amd64": {"dev", []string{"domain=dev.example.com", "zone=example.com", "web.architecture=amd64",
		"bastion.enabled=false"}},
}

const feedWorker = `workers=[{"name": "feed", "command": ["python", "manage.py", "run_worker"]}]`

// TestNoCellRaisesAFalseAlarm rehearses every cell as an administrator and as its deploy role. Without SLIPWAY_DEEP it is the four stacks
// as administrators; TestTheDeployRoleMayDeploy has them as deploy roles.
func TestNoCellRaisesAFalseAlarm(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	deep := os.Getenv("SLIPWAY_DEEP") != ""
	for name, c := range cells {
		for caller, workflows := range map[string]string{"administrator": "github={}", "deploy role": github} {
			isStack := len(c.overrides) == 0
			if !deep && (!isStack || workflows == github) {
				continue
			}
			t.Run(name+" as "+caller, func(t *testing.T) {
				t.Parallel()
				var count callers
				v, err := Rehearse(t.Context(), Target{Root: root, Stack: c.stack, Overrides: append([]string{workflows}, c.overrides...),
					Progress: logged{t}, Model: count.hooks()})
				if err != nil {
					t.Fatal(err)
				}
				for _, reason := range v.Reasons {
					t.Error(reason)
				}
				want := cloud.Caller{}
				if workflows == github {
					want.Role = "slipway-" + c.stack + "-deploy"
				}
				if n := count.made[want]; n < 500 {
					t.Errorf("%s made only %d calls: %v", want, n, count.made)
				}
			})
		}
	}
}

// A release goes from staging in one account to prod in another, each deployed by its own deploy role and read by its own read role.
// Administrators bootstrap both accounts, and make no other call.
func TestAPromotionAcrossAccountsNeedsNoAdministrator(t *testing.T) {
	root := checkout(t)
	const source, destination = "111111111111", "222222222222"
	inAccount(t, root, "staging", source, `{"to": ["`+destination+`"]}`)
	inAccount(t, root, "prod", destination, `{"from": ["`+source+`"]}`)
	var counts [2]callers
	staging := Target{Root: root, Stack: "staging", Throwaway: true, Progress: logged{t}, Model: counts[0].hooks()}
	prod := Target{Root: root, Stack: "prod", Throwaway: true, Progress: logged{t}, Model: counts[1].hooks()}
	for _, target := range []Target{staging, prod} {
		if _, err := Bootstrap(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	for i := range counts {
		counts[i].made = map[cloud.Caller]int{}
	}
	up := func() {
		t.Helper()
		if _, err := Up(t.Context(), staging, UpArgs{Confirm: anything}); err != nil {
			t.Fatal(err)
		}
	}
	promote := func() {
		t.Helper()
		if _, err := Promote(t.Context(), prod, PromoteArgs{From: "staging", Confirm: anything}); err != nil {
			t.Fatal(err)
		}
	}
	up()
	promote()
	promote() // changes nothing
	settings := filepath.Join(root, "app", "website", "settings.py")
	data, err := os.ReadFile(settings)
	if err == nil {
		err = os.WriteFile(settings, append(data, "\n# the next release\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	up()
	promote()
	if _, err := Rollback(t.Context(), prod, "", anything); err != nil {
		t.Error(err)
	}
	for _, target := range []Target{staging, prod} {
		if d, err := Drift(t.Context(), target, DriftArgs{}); err != nil || len(d.Found) > 0 {
			t.Errorf("%s: %v %v", target.Stack, err, d)
		}
	}
	for _, target := range []Target{prod, staging} {
		if d, err := Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }}); err != nil || len(d.Left) > 0 {
			t.Errorf("%s: %v %v", target.Stack, err, d)
		}
	}
	for i, stack := range []string{"staging", "prod"} {
		for caller, n := range counts[i].made {
			if !strings.HasPrefix(caller.Role, "slipway-"+stack+"-") || n == 0 {
				t.Errorf("in the account of %s, %s made %d calls", stack, caller, n)
			}
		}
		if deploy := counts[i].made[cloud.Caller{Role: "slipway-" + stack + "-deploy"}]; deploy < 500 {
			t.Errorf("the deploy role of %s made only %d calls", stack, deploy)
		}
	}
}

// inAccount puts a stack into an account, and sets where its releases may go to or come from.
func inAccount(t *testing.T, root, stack, account, promotion string) {
	t.Helper()
	if !json.Valid([]byte(promotion)) {
		t.Fatal(promotion)
	}
	file := filepath.Join(root, "Pulumi."+stack+".yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(data, []byte("\nconfig:\n"), []byte("\nconfig:\n  aws:allowedAccountIds: [\""+account+"\"]\n  slipway:promotion: "+
		promotion+"\n"), 1)
	if bytes.Equal(edited, data) {
		t.Fatalf("%s has no config", file)
	}
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAPartThatIsRemovedIsNoFault removes parts of a stack that is up. What stays of them in the account, such as the task definitions of
// a worker, no longer has its permissions and needs none.
func TestAPartThatIsRemovedIsNoFault(t *testing.T) {
	for name, settings := range map[string][]string{
		"worker and job": {feedWorker, `jobs=[{"name": "clean", "command": ["python", "manage.py", "clean"], "schedule": "rate(1 day)"}]`},
		"cache and psql": {"cache.node=cache.t4g.micro", "database.psqlImage=public.ecr.aws/docker/library/postgres"},
		"log route":      {"logs.route=firelens", feedWorker},
		"network":        {"network.nat=perZone", "bastion.enabled=true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			project(t, root)
			target := Target{Root: root, Stack: "local", Overrides: settings, Progress: quiet{}}
			for range 2 {
				if _, err := Up(t.Context(), target, UpArgs{Confirm: func(*Plan) error { return nil }}); err != nil {
					t.Errorf("with %q: %v", target.Overrides, err)
				}
				target.Overrides = nil
			}
		})
	}
}
