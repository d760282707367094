package screen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var loss = Plan{
	Losses: []Effect{
		{"database", "slipway-prod-database-1a2b3c4d", "replace", "all that it holds is deleted", "dbName: site -> shop"},
		{"address", "44.62.59.166", "delete", "the public address of outgoing connections is released and does not come back", ""},
	},
	Downtime: []Effect{{"service", "slipway-prod-web", "replace", "tasks stop after finishing current requests", ""}},
	Changes: []Change{
		{Op: "replace", Name: "database", Type: "aws:rds/instance:Instance", Settings: []Setting{
			{Op: "update", Name: "dbName", From: "site", To: "shop", Replaces: true}}},
		{Op: "update", Name: "media", Type: "aws:s3/bucketV2:BucketV2", Settings: []Setting{
			{Op: "add", Name: "tags.team", To: "pictures"}, {Op: "delete", Name: "tags.owner", From: "ada\nlovelace"},
			{Op: "update", Name: "policy", To: "[unknown]"}, {Op: "update", Name: "arn", From: strings.Repeat("a", 70), To: "[unknown]"}}},
		{Op: "create", Name: "network-nat-b", Type: "aws:ec2/eip:Eip", Part: "network"},
	},
}

// The golden screens: a plan with data loss, at several widths, with and without colour.
func TestPlan(t *testing.T) {
	for _, look := range []Look{{}, {Width: 60}, {Width: 80, Colour: true}, {Width: 120, Colour: true}} {
		name := fmt.Sprintf("plan.%d.%t.txt", look.Width, look.Colour)
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			loss.Write(&out, look)
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("another screen (-want +got); if it is better: go test ./screen -update\n%s", diff)
			}
		})
	}
}

// What is lost is said before anything else, and no line of it is wider than the terminal.
func TestLossesComeFirstAndFit(t *testing.T) {
	for width := 60; width <= 120; width += 20 {
		var out strings.Builder
		loss.Write(&out, Look{Width: width})
		head, _, _ := strings.Cut(out.String(), "replace  database  ")
		if !strings.HasPrefix(head, "Data would be lost:\n  database slipway-prod-database-1a2b3c4d is replaced: all") {
			t.Errorf("width %d begins with\n%s", width, head)
		}
		for line := range strings.SplitSeq(head, "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("width %d: %d characters: %s", width, n, line)
			}
		}
	}
}

// A brief plan counts many creates by their part of the site, and lists few.
func TestBriefPlan(t *testing.T) {
	creates := func(n int) Plan {
		var p Plan
		for i := range n {
			p.Changes = append(p.Changes, Change{Op: "create", Name: fmt.Sprint("r", i), Type: "x:y:Z", Part: []string{"network", "ecs", ""}[i%3]})
		}
		return p
	}
	for n, want := range map[int]string{
		2: "create   r0  x:y:Z\ncreate   r1  x:y:Z\n",
		9: "create   ecs 3, network 3, other 3\n",
	} {
		var out strings.Builder
		creates(n).Write(&out, Look{Brief: true})
		if out.String() != want {
			t.Errorf("%d creates are\n%swant\n%s", n, out.String(), want)
		}
	}
}

// A tag of the whole stack is said once, not ninety times. The other changes stay as they are.
func TestEqualChangesAreListedOnce(t *testing.T) {
	tag := []Setting{{Op: "add", Name: "tags.team", To: "web"}}
	p := Plan{Changes: []Change{{Op: "update", Name: "other", Type: "x:y:Z", Settings: []Setting{{Op: "add", Name: "size", To: 1}}}}}
	for i := range 5 {
		p.Changes = append(p.Changes, Change{Op: "update", Name: fmt.Sprint("r", i), Type: "x:y:Z", Settings: tag})
	}
	var out strings.Builder
	p.Write(&out, Look{Brief: true})
	want := "update   other  x:y:Z\n           + size=1\nupdate   5 resources\n           + tags.team=web\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out.Reset()
	p.Write(&out, Look{})
	if n := strings.Count(out.String(), "+ tags.team=web"); n != 5 {
		t.Errorf("in full it lists %d of 5", n)
	}
}

// A command line that is suggested works as it is written.
func TestCommandLine(t *testing.T) {
	words := []string{"up", "-c", `env.GREETING="5"`, "it's", "", "$HOME", "a b", "--stack=dev", "web.max=6", "workers[0].count=2", "*", "é"}
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+CommandLine(words...)).Output()
	if err != nil {
		t.Skipf("no shell: %v", err)
	}
	if diff := cmp.Diff(strings.Join(words, "\n")+"\n", string(out)); diff != "" {
		t.Errorf("the shell reads (-want +got):\n%s", diff)
	}
	if got := CommandLine("slipway", "up", "--stack", "dev", "-c", "web.max=6"); got != "slipway up --stack dev -c web.max=6" {
		t.Errorf("quoted without need: %s", got)
	}
}
