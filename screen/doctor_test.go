package screen

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheLikelyCauseIsTheFirstLine(t *testing.T) {
	var out bytes.Buffer
	Open(&out).WriteCheckup(Checkup{Stack: "prod", State: "problem", Inside: "not seen: --outside",
		Causes: []Cause{
			{Text: "parameter /a does not exist", Because: "no task starts", Next: "slipway up", Services: []string{"web", "feed"},
				Evidence: []string{"web reads A from it"}, Explains: []string{"alarm 5xx fires"}},
			{Text: "a run left the stack locked", Because: "it was killed", Next: "slipway unlock"},
		},
		Notices: []Cause{{Text: "1 resource drifted", Because: "by hand", Next: "slipway drift"}},
		Checks:  []Checked{{"outside", "secrets", "failed", []string{"4 parameters", "another"}}, {View: "outside", Name: "lock", State: "ok"}},
	})
	want := `Likely cause: parameter /a does not exist
  services: web, feed
  why: no task starts
  seen: web reads A from it
  explains: alarm 5xx fires
  next: slipway up
Also wrong: a run left the stack locked
  why: it was killed
  next: slipway unlock
Note: 1 resource drifted
  why: by hand
  next: slipway drift

VIEW     CHECK    STATE   SEEN
outside  secrets  failed  4 parameters (and 1 more)
outside  lock     ok
The inside was not seen: --outside.
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

func TestAHealthySiteSaysSoFirst(t *testing.T) {
	for state, want := range map[string]string{
		"healthy": "Stack prod is healthy.\n", "deploying": "Stack prod is being deployed. Nothing is wrong.\n",
		"unknown": "Stack prod: no problem was found, but not everything could be looked at.\n",
	} {
		var out bytes.Buffer
		Open(&out).WriteCheckup(Checkup{Stack: "prod", State: state, Inside: "seen"})
		if !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "inside") {
			t.Errorf("%s: got %s", state, out.String())
		}
	}
}
