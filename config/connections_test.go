package config

import (
	"strings"
	"testing"
)

// A deployment at full scale needs the connections of old and new tasks: Postgres answers the ones beyond its limit with
// "remaining connection slots are reserved".
func TestTheTasksFitTheDatabase(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"the defaults", "", ""},
		{"just enough", "slipway:web: {max: 4, connections: 11}", ""}, // 88 + 2
		{"two processes of eight threads", "slipway:web: {max: 4, connections: 16}",
			"takes 95 connections, and the tasks may need 130: web.max 4 x web.connections 16 x 2 during a deployment = 128, workers 0, " +
				"jobs and migration 2"},
		{"many tasks", "slipway:web: {max: 40}", "may need 482"},
		{"workers and jobs", "slipway:web: {max: 4}\nslipway:workers: [{name: mail, command: [mail], count: 16, connections: 2}]\n" +
			"slipway:jobs: [{name: night, command: [night], schedule: rate(1 day)}]", "workers 64, jobs and migration 3"},
		{"a worker that is never there twice",
			"slipway:workers: [{name: beat, command: [beat], single: true, connections: 90}]", "workers 90, jobs and migration 2"},
		{"a paused worker", "slipway:workers: [{name: mail, command: [mail], count: 0, connections: 90}]", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, err := FromFile(project(t, "dev", in(test.config)))
			if err != nil {
				t.Fatal(err)
			}
			source.Reserved = []string{"PORT"}
			source.Connections = func(class string) int { return map[string]int{"db.t4g.micro": 95}[class] }
			_, err = Load(source)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("want %q in %v", test.want, err)
			}
		})
	}
}
