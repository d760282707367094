package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// failures are the ways in which the commands after a deployment fail, each with the scripts that show it: "SCRIPT: TEXT" of
// testdata/script, testdata/live or a Go file of this package. A case that a command cannot meet says why in brackets.
var failures = map[string]map[string]string{
	"status": {"nothing deployed": "script/status: was never deployed here", "denied": "live/look: unknown services: .*access denied",
		"two at once": `script/status: held by slipway up`, "Ctrl-C": "live/look: 'Stack look, live' slipway status",
		"usage": "script/status: no such argument",
		"JSON":  "script/status: slipway status --stack prod --json", "no terminal": "script/status: without a terminal each picture"},
	"logs": {"nothing deployed": "script/logs: was never deployed here", "not running": "script/logs: rehearsed without containers",
		"unknown name": `script/logs: no service "wbe"`, "denied": "live/look: lacks the permission logs:DescribeLogGroups on",
		"two at once": "[takes no lock]", "Ctrl-C": "script/logs: -s INT", "usage": "script/logs: no such argument",
		"JSON": "live/look: slipway logs --stack look --live --json"},
	"doctor": {"nothing deployed": "script/doctor: never|is not", "not running": "script/doctor: in the model nothing runs",
		"denied": "live/look: outside +services +not seen", "two at once": "script/doctor: in use by slipway up",
		"Ctrl-C": "live/look: interrupted-at RunTask slipway doctor", "usage": "script/doctor: exits 2 slipway doctor web",
		"JSON": "live/look: doctor --stack look --live --json"},
	"exec": {"nothing deployed": "script/exec: was never deployed here", "not running": "script/exec: only modelled",
		"unknown name": "live/enter: djnago", "no plugin": "live/enter: is not on PATH",
		"no task": "script/exec: no task of service web runs",
		"denied":  "live/enter: lacks the permission ecs:ExecuteCommand", "two at once": "script/exec: in use by slipway up",
		"no terminal": "script/exec: there is no terminal", "Ctrl-C": "live/look: StartSession slipway exec",
		"usage": "script/exec: write -- before",
		"JSON":  "script/exec: slipway exec --json"},
	"task": {"nothing deployed": "script/task: was never deployed here", "not running": "script/task: only modelled",
		"denied": "live/enter: lacks the permission iam:PassRole", "two at once": "script/task: in use by slipway up",
		"Ctrl-C": "live/look: GetLogEvents slipway task", "usage": "script/task: write -- before",
		"JSON": "script/task: slipway task --json"},
	"job": {"nothing deployed": "script/job: was never deployed here", "not running": "script/job: only modelled",
		"unknown name": "script/job: did you mean clean-up", "denied": "live/look: lacks the permission ecs:RunTask",
		"two at once": "script/job: in use by slipway up", "Ctrl-C": "live/look: GetLogEvents slipway job",
		"usage": "script/job: job needs more arguments",
		"JSON":  "script/job: slipway job clean-up --json"},
	"shell": {"nothing deployed": "script/shell: was never deployed here", "not running": "script/shell: only modelled",
		"no plugin": "live/look: slipway shell --stack look --live", "no task": "script/shell: has no bastion",
		"denied":      "live/enter: lacks the permission ssm:StartSession on arn:aws:ssm:",
		"two at once": "script/shell: in use by slipway up", "no terminal": "script/shell: there is no terminal",
		"Ctrl-C": "[goes to the shell]",
		"usage":  "script/shell: no such argument", "JSON": "script/shell: slipway shell --json"},
	"db psql": {"nothing deployed": "script/db: slipway db psql --json", "not running": "script/db: db psql needs a stack that runs",
		"no plugin": "live/look: slipway db psql --stack look --live", "no task": "[as db tunnel]",
		"denied":      "live/enter: lacks the permission ssm:GetParameter",
		"two at once": "script/db: exits 4 slipway db psql", "Ctrl-C": "live/look: StartSession slipway db psql",
		"usage": "script/db: write -- before",
		"JSON":  "script/db: slipway db psql --json"},
	"db tunnel": {"nothing deployed": "script/db: exits 1 slipway db tunnel$",
		"not running": "script/db: db tunnel needs a stack that runs",
		"no plugin":   "live/enter: slipway db tunnel --stack qa --live",
		"no task":     "genuine/story: no task of the site runs that a tunnel could go through",
		"denied":      "live/enter: document/AWS-StartPortForwardingSessionToRemoteHost",
		"two at once": "script/db: exits 4 slipway db tunnel",
		"Ctrl-C":      "live/enter: tunnel-and-stop", "usage": "script/db: no such argument", "JSON": "script/db: slipway db tunnel --json"},
	"scale": {"nothing deployed": "script/scale: was never deployed", "unknown name": `script/scale: no service "wob"`,
		"denied": "script/scale: is not authorized to perform", "two at once": "script/scale: in use by slipway restart",
		"Ctrl-C":      "script/scale: env INTERRUPT=1",
		"no terminal": "genuine/story: there is no terminal to ask on", "usage": "script/scale: is not a number of tasks",
		"JSON": "script/scale: slipway scale web 2 --json"},
	"restart": {"nothing deployed": "script/restart: was never deployed", "unknown name": `script/restart: no service "wob"`,
		"no task":     "script/restart: there is nothing to restart",
		"denied":      "script/restart: is not authorized to perform: ecs:UpdateService",
		"two at once": "script/restart: in use by slipway restart", "Ctrl-C": "script/restart: stopped waiting",
		"usage": "script/restart: accepts at most 1 arg",
		"JSON":  "script/restart: slipway restart --json"},
	"pause": {"nothing deployed": "script/pause: exits 1 slipway pause$", "denied": "script/pause: slipway pause --stack staging --json",
		"two at once": "script/pause: exits 4 slipway pause", "Ctrl-C": "script/pause: is only partly paused",
		"no terminal": "script/pause: there is no terminal to ask on",
		"usage":       "script/pause: exits 2 slipway pause", "JSON": "script/pause: slipway pause --stack staging --json"},
	"resume": {"nothing deployed": "script/pause: exits 1 slipway resume --json",
		"denied":      "script/pause: exits 1 slipway resume --stack staging$",
		"two at once": "script/pause: exits 4 slipway resume", "Ctrl-C": "script/pause: exits 130 slipway resume",
		"usage": "script/pause: exits 2 slipway resume",
		"JSON":  "script/pause: slipway resume --json"},
	"policy on-call": {"nothing deployed": "script/policy: whether or not it is deployed",
		"unknown name": "script/policy: --stack nowhere",
		"two at once":  "[reads files alone]", "Ctrl-C": "[ends at once]",
		"usage": "script/policy: exits 2 slipway policy on-call prod", "JSON": "[is JSON]"},
}

// always are the cases that each command has.
var always = []string{"nothing deployed", "two at once", "Ctrl-C", "usage", "JSON"}

// Each command after a deployment has a script for each way in which it can fail.
func TestEachFailureOfEachCommandHasAScript(t *testing.T) {
	var commands []string
	var walk func(c *cobra.Command, path string)
	walk = func(c *cobra.Command, path string) {
		for _, sub := range c.Commands() {
			walk(sub, strings.TrimSpace(path+" "+sub.Name()))
		}
		if len(c.Commands()) == 0 {
			commands = append(commands, path)
		}
	}
	walk(rootCommand(unused()), "")
	for command, cases := range failures {
		if !slices.Contains(commands, command) {
			t.Errorf("there is no command %s: there is %q", command, commands)
		}
		for _, one := range always {
			if cases[one] == "" {
				t.Errorf("%s: no script for: %s", command, one)
			}
		}
		for name, where := range cases {
			if strings.HasPrefix(where, "[") {
				continue
			}
			script, text, _ := strings.Cut(where, ": ")
			data, err := os.ReadFile(filepath.Join("testdata", script+".txtar"))
			if err != nil || !strings.Contains(string(data), text) && !regexp.MustCompile(`(?m)`+text).Match(data) {
				t.Errorf("%s, %s: %s does not have %q (%v)", command, name, script, text, err)
			}
		}
	}
}
