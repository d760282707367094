package contracts

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What Celery's processes need in a container.

const (
	beatPage  = "Celery documentation, \"Periodic Tasks\""
	redisPage = "Celery documentation, \"Using Redis\"; celery/celery#5371"
)

// A celeryCommand is a command line of Celery.
type celeryCommand struct {
	name string // worker, beat, flower ...
	args []string
}

// celeryGlobals are the options before the subcommand that take a value.
var celeryGlobals = words("-A --app -b --broker --result-backend --loader --config --workdir")

// celeryOf reads a command line; ok is false if it is none of Celery's.
func celeryOf(argv []string) (c celeryCommand, ok bool) {
	argv = serving(argv)
	if programOf(argv) != "celery" {
		return c, false
	}
	for i := 1; i < len(argv); i++ {
		switch {
		case slices.Contains(celeryGlobals, argv[i]):
			i++
		case !strings.HasPrefix(argv[i], "-"):
			return celeryCommand{argv[i], argv[i+1:]}, true
		}
	}
	return c, false
}

// schedules reports whether the process sends the tasks of the schedule.
func (c celeryCommand) schedules() bool {
	return c.name == "beat" || c.name == "worker" && (slices.Contains(c.args, "-B") || slices.Contains(c.args, "--beat"))
}

// celery judges a process of Celery.
func (j *judge) celery() {
	c, ok := celeryOf(j.p.argv)
	if !ok || !j.p.known {
		return
	}
	j.unverified(c)
	if !c.schedules() {
		return
	}
	scheduler := option(c.args, "", "-S", "--scheduler")
	if c.name == "worker" {
		scheduler = option(c.args, "", "--scheduler")
	}
	j.beatsOnce(c, scheduler)
	j.keepsSchedule(c, scheduler)
}

// beatsOnce: each beat sends every scheduled task. RedBeat is the known scheduler that takes a lock.
func (j *judge) beatsOnce(c celeryCommand, scheduler string) {
	if !j.c.Serves || strings.Contains(strings.ToLower(scheduler), "redbeat") || j.c.Tasks == 0 {
		return
	}
	why := ""
	switch {
	case j.c.Tasks > 1:
		why = fmt.Sprintf("its service runs up to %d tasks", j.c.Tasks)
	case j.c.Percent > 100:
		why = fmt.Sprintf("deploymentMaximumPercent is %d: a deployment starts the new task before it stops the old one", j.c.Percent)
	default:
		return
	}
	j.say("ScheduledTwice", fmt.Sprintf("each task of container %s sends every scheduled task: they run more than once", j.c.Name),
		beatPage+": only a single scheduler may run for a schedule at a time",
		"run beat in a service of its own with one task, deploymentMinimumHealthyPercent 0 and deploymentMaximumPercent 100 "+
			"(workers[].single); if its scheduler takes a lock, name it with -S",
		fmt.Sprintf("container %s runs Celery's scheduler (celery %s)", j.c.Name, strings.Join(append([]string{c.name}, c.args...), " ")), why)
}

// keepsSchedule: the default scheduler keeps a file, celerybeat-schedule in the working directory, and beat ends if it cannot write
// it. In a worker the scheduler's process ends, and the worker continues without it. Which scheduler the settings name is not known
// here.
func (j *judge) keepsSchedule(c celeryCommand, scheduler string) {
	if !j.c.ReadOnly {
		return
	}
	file := option(c.args, "", "-s", "--schedule", "--schedule-filename")
	switch {
	case file == "" && scheduler == "":
		if dir := j.i.Real(clean(j.i.WorkDir)); !j.covered(dir) {
			j.unknown("%s: whether Celery's scheduler writes its file celerybeat-schedule to %s", j.c.Name, dir)
		}
		return
	case scheduler != "" && !strings.Contains(scheduler, "PersistentScheduler"):
		return
	case file == "":
		file = "celerybeat-schedule"
	}
	if !path.IsAbs(file) {
		file = path.Join(clean(j.i.WorkDir), file)
	}
	j.write("celery "+c.name, "-s", file)
}

// unverified: the URL of a cache with TLS must say how its certificate is checked. With Redis as result backend Celery ends without; as a
// broker alone it is used without a check, which Celery's log calls insecure.
func (j *judge) unverified(c celeryCommand) {
	for _, name := range slices.Sorted(maps.Keys(j.c.TLS)) {
		if j.c.TLS[name] != "" {
			continue
		}
		j.say("EssentialContainerExited", "A rediss:// URL must have parameter ssl_cert_reqs and this must be set to CERT_REQUIRED, "+
			"CERT_OPTIONAL, or CERT_NONE", redisPage, "add ?ssl_cert_reqs=required to the URL, as {redis.url} has it",
			fmt.Sprintf("container %s runs celery %s, and its variable %s is a rediss:// URL without ssl_cert_reqs", j.c.Name, c.name, name))
	}
}

// stores are the files with CA certificates of Debian and Alpine, of Red Hat, and of OpenSSL.
var stores = words("/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem")

// trusts judges whether a client can verify a cache's certificate, which Amazon Trust Services signs. redis-py and Celery take the system's
// store unless ssl_ca_certs names another one.
func (j *judge) trusts() {
	if !j.i.Complete || !slices.ContainsFunc(slices.Collect(maps.Values(j.c.TLS)), func(checked string) bool {
		return !strings.HasSuffix(strings.ToLower(checked), "none")
	}) {
		return
	}
	if j.i.environment(j.c)["SSL_CERT_FILE"] != "" {
		return
	}
	for _, p := range stores {
		if _, has := j.i.file(p); has || j.covered(p) || j.i.opaque(j.i.Real(p)) {
			return
		}
	}
	j.say("SSLCertVerificationError", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate",
		"ElastiCache User Guide, \"In-transit encryption (TLS)\"", "install ca-certificates in the Dockerfile",
		fmt.Sprintf("container %s connects to a cache with TLS (%s), and its image has no CA certificates at %s", j.c.Name,
			strings.Join(slices.Sorted(maps.Keys(j.c.TLS)), ", "), strings.Join(stores, ", ")))
}
