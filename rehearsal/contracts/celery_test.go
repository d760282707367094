package contracts

import (
	"strings"
	"testing"
)

// celeryImage is a built image with a project's scripts.
func celeryImage() *Image {
	return &Image{Complete: true, User: "10001", WorkDir: "/app", Entrypoint: []string{"/entrypoint"},
		Programs: map[string]bool{"celery": true, "bash": true, "python": true, "tini": true}, Users: map[string]int{"root": 0, "django": 10001},
		Volumes: []string{"/tmp"}, Files: map[string]File{
			"/app": {Owner: 10001, Mode: 0o755}, "/tmp": {Mode: 0o1777},
			"/entrypoint": {Mode: 0o755, Text: "#!/bin/bash\nwait-for-it \"$POSTGRES_HOST\"\nexec \"$@\"\n"},
			"/beat":       {Mode: 0o755, Text: "#!/bin/bash\nset -o errexit\nexec celery -A config.celery_app beat -l INFO\n"},
			"/worker":     {Mode: 0o755, Text: "#!/bin/bash\ncelery -A config.celery_app worker -l INFO\n"},
			stores[0]:     {Mode: 0o644},
		}}
}

func TestCelery(t *testing.T) {
	beat := func(more ...string) []string { return append(strings.Fields("celery -A config beat -l INFO"), more...) }
	const required = "required"
	for name, c := range map[string]struct {
		command        []string
		tasks, percent int
		tls            map[string]string
		change         func(*Image)
		want           string // part of the problems; "" is none
		unknown        bool
	}{
		"one beat":                           {beat("-s", "/tmp/beat"), 1, 100, nil, nil, "", false},
		"beat of a deployment that overlaps": {beat("-s", "/tmp/beat"), 1, 200, nil, nil, "ScheduledTwice", false},
		"two beats":                          {beat("-s", "/tmp/beat"), 2, 100, nil, nil, "its service runs up to 2 tasks", false},
		"a paused beat":                      {beat("-s", "/tmp/beat"), 0, 200, nil, nil, "", false},
		"beat in workers": {strings.Fields("celery -A config worker -B -s /tmp/beat"), 3, 200, nil, nil,
			"(celery worker -B", false},
		"workers": {strings.Fields("celery -A config worker -l INFO -S /tmp/state"), 3, 200, nil, nil, "", false},
		"python -m celery": {strings.Fields("python -m celery -A config beat -s /tmp/x"), 1, 200, nil, nil,
			"ScheduledTwice", false},
		"a script that starts beat": {[]string{"/beat"}, 1, 200, nil, nil, "ScheduledTwice", true},
		"a scheduler with a lock":   {beat("-S", "redbeat.RedBeatScheduler"), 2, 200, nil, nil, "", false},
		"an app called beat":        {strings.Fields("celery -A beat worker"), 2, 200, nil, nil, "", false},
		"beat in the database":      {beat("--scheduler", "django"), 1, 100, nil, nil, "", false},
		"a file on the root":        {beat("-s", "/app/beat"), 1, 100, nil, nil, `open() "/app/beat" failed (30: Read-only`, false},
		"the file of the default": {beat("-S", "celery.beat:PersistentScheduler"), 1, 100, nil, nil,
			`"/app/celerybeat-schedule" failed`, false},
		"a scheduler that the settings choose": {beat(), 1, 100, nil, nil, "", true},
		"a worker behind a shell":              {[]string{"/worker"}, 2, 200, nil, nil, "SIGTERM does not reach its program", false},
		"TLS": {strings.Fields("celery -A config worker"), 1, 200,
			map[string]string{"REDIS_URL": required}, nil, "", false},
		"TLS without a check": {strings.Fields("celery -A config worker"), 1, 200, map[string]string{"REDIS_URL": "", "CACHE_URL": required}, nil,
			"its variable REDIS_URL is a rediss:// URL without ssl_cert_reqs", false},
		"TLS of something else": {strings.Fields("python -m http.server"), 1, 200, map[string]string{"REDIS_URL": ""}, nil, "", false},
		"an image without CA certificates": {strings.Fields("celery -A config worker"), 1, 200, map[string]string{"REDIS_URL": required},
			func(i *Image) { delete(i.Files, stores[0]) }, "CERTIFICATE_VERIFY_FAILED", false},
		"an image without them, and no TLS": {strings.Fields("celery -A config worker"), 1, 200, nil,
			func(i *Image) { delete(i.Files, stores[0]) }, "", false},
		"an image with its own store": {strings.Fields("celery -A config worker"), 1, 200, map[string]string{"REDIS_URL": required},
			func(i *Image) { delete(i.Files, stores[0]); i.Env = map[string]string{"SSL_CERT_FILE": "/app/ca.pem"} }, "", false},
	} {
		i := celeryImage()
		if c.change != nil {
			c.change(i)
		}
		v := Judge(i, Container{Name: "django", User: "10001", ReadOnly: true, Serves: true, Command: c.command,
			Tasks: c.tasks, Percent: c.percent, TLS: c.tls, Mounts: []Mount{{Path: "/tmp"}}})
		got := why(v)
		for _, p := range v.Problems {
			if p.Source == "" || p.Fix == "" {
				t.Errorf("%s: no source or no fix: %+v", name, p)
			}
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got\n%s", name, c.want, got)
		}
		if asks := strings.Contains(strings.Join(v.Unknown, "\n"), "celerybeat-schedule"); asks != c.unknown {
			t.Errorf("%s: unknown %q", name, v.Unknown)
		}
	}
}
