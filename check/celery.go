package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkCelery looks at what starts Celery.
func (p *project) checkCelery() {
	for _, c := range p.start.commands {
		if schedules(c.words) {
			f := p.find("beat-not-single", c.at, "the web container starts Celery's beat (%s), so each of its tasks sends every scheduled task",
				strings.Join(c.words, " "))
			f.Fix = "Start beat as a worker with single: true."
			p.checkSchedule(c.words, c.at)
		}
	}
	if p.Stack != nil {
		for _, w := range p.Stack.Workers {
			p.checkWorker(w)
		}
	}
	p.checkBroker()
	p.checkCacheTLS()
}

// brokers are the variables from which Celery takes its broker by itself, before all settings (celery/app/utils.py, class Settings).
var brokers = []string{"CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"}

// brokerSet is code, a script or an option that may set a broker in any of Celery's ways.
var brokerSet = regexp.MustCompile(`(?im)^[^#\n]*(broker_?(url|read_url|write_url|host|transport)|\bbroker["']?\s*[=:]|--broker\b)`)

// brokerless reports whether the project has a Celery app and nothing sets its broker. Celery then uses amqp://localhost (Celery
// documentation, "Configuration and defaults", broker_url).
func (p *project) brokerless() bool {
	if app, _ := p.celeryApp(); app == "" || slices.ContainsFunc(brokers, p.provided) {
		return false
	}
	if _, set, known := p.setting("CELERY_BROKER_URL"); set || !known {
		return false
	}
	return len(p.tree.where(func(f string) bool {
		return (strings.HasSuffix(f, ".py") || strings.HasSuffix(f, ".sh")) && !beside(f) && brokerSet.MatchString(p.tree.text(f))
	})) == 0
}

// checkBroker looks for workers that have no broker.
func (p *project) checkBroker() {
	if !p.brokerless() {
		p.checkBrokerPackage()
		return
	}
	lacks := func(words []string) bool {
		return slices.ContainsFunc(p.within(words).commands, func(c command) bool {
			kind := celeryCommand(c.words)
			return (kind == "worker" || kind == "beat") && celeryOption(c.words, "-b", "--broker") == ""
		})
	}
	report := func(name string, at place, severity Severity) {
		f := p.find("broker-missing", at, "%s starts Celery, and nothing sets a broker, so it looks for RabbitMQ on localhost", name)
		f.Severity = severity
		if p.Stack != nil && p.Stack.Cache {
			f.Fix = "Set app.env.CELERY_BROKER_URL: \"{redis.url}\", which Celery reads by itself. The image needs celery[redis]."
		}
	}
	if p.Stack != nil {
		for _, w := range p.Stack.Workers {
			if lacks(w.Command) {
				report("the worker "+w.Name, p.workerPlace(w), Refused)
				return
			}
		}
	}
	for _, one := range p.processes() {
		if lacks(one.Command) {
			report(one.Name, place{one.File, one.Line}, Warning)
			return
		}
	}
}

// checkBrokerPackage looks for the package that a Redis as broker needs. Celery does not require it by itself.
func (p *project) checkBrokerPackage() {
	app, _ := p.celeryApp()
	if app == "" || !strings.Contains(p.App.Env["CELERY_BROKER_URL"], "{redis.") || len(p.needs.files) == 0 || p.needs.has("redis") {
		return
	}
	at := p.source("app.env.CELERY_BROKER_URL", "CELERY_BROKER_URL")
	f := p.find("broker-missing", at, "Celery's broker is a Redis, and no package for it is listed")
	f.Fix = "Add celery[redis] to the requirements."
	if p.needs.open || !p.needs.locked {
		f.Severity = Warning
	}
}

// schedules reports whether a command runs Celery's scheduler.
func schedules(words []string) bool {
	kind := celeryCommand(words)
	return kind == "beat" || kind == "worker" && slices.ContainsFunc(words, func(w string) bool { return w == "-B" || w == "--beat" })
}

// checkWorker looks at what a worker of the stack runs, behind scripts of the project.
func (p *project) checkWorker(w Worker) {
	for _, c := range p.within(w.Command).commands {
		if !schedules(c.words) {
			continue
		}
		at := p.workerPlace(w)
		if !w.Single && w.Count > 0 && !p.locks(c.words) {
			f := p.find("beat-not-single", at,
				"the worker %s runs Celery's beat and is not single, so a deployment runs it twice for a while", w.Name)
			if f.Severity = Warning; w.Count > 1 {
				f.Severity, f.Reason = Refused, fmt.Sprintf("the worker %s runs Celery's beat in %d tasks, each of which sends every scheduled task",
					w.Name, w.Count)
			}
		}
		p.checkSchedule(c.words, at)
		return
	}
}

// workerPlace is where the configuration names a worker.
func (p *project) workerPlace(w Worker) place {
	form := regexp.MustCompile(`(?m)name["']?\s*:\s*["']?` + regexp.QuoteMeta(w.Name) + `["']?\s*(,|\}|$)`)
	for _, s := range p.Stack.Sources {
		if found := form.FindStringIndex(s.Text); found != nil {
			return place{s.File, lineAt(s.Text, found[0])}
		}
	}
	return place{file: "workers"}
}

// locks reports whether the scheduler of beat takes a lock, so that several may run.
func (p *project) locks(words []string) bool {
	scheduler, _, _ := p.setting("CELERY_BEAT_SCHEDULER")
	return strings.Contains(strings.ToLower(strings.Join(words, " ")+scheduler.text()), "redbeat")
}

// celeryOption is the value of an option of a command line.
func celeryOption(words []string, names ...string) string {
	for i, w := range words {
		name, value, joined := strings.Cut(w, "=")
		switch {
		case !slices.Contains(names, name):
		case joined:
			return value
		case i+1 < len(words):
			return words[i+1]
		}
	}
	return ""
}

var (
	fromSettings = regexp.MustCompile(`config_from_object\(\s*["']django\.conf:settings["']\s*,\s*namespace\s*=\s*["']CELERY["']`)
	ownSchedule  = regexp.MustCompile(`beat_scheduler|beat_schedule_filename`)
)

// checkSchedule looks whether beat can write the file in which it notes what ran: celerybeat-schedule in the working directory, unless the
// scheduler is another one.
func (p *project) checkSchedule(words []string, at place) {
	file, scheduler := celeryOption(words, "-s", "--schedule", "--schedule-filename"), celeryOption(words, "--scheduler")
	if scheduler == "" && celeryCommand(words) == "beat" {
		scheduler = celeryOption(words, "-S")
	}
	set, isSet, known := p.setting("CELERY_BEAT_SCHEDULER")
	if scheduler == "" && isSet {
		if scheduler = set.text(); scheduler == "" {
			known = false
		}
	}
	if scheduler != "" && !strings.Contains(scheduler, "PersistentScheduler") {
		return
	}
	if named, isSet, sure := p.setting("CELERY_BEAT_SCHEDULE_FILENAME"); file == "" {
		if file = named.text(); isSet && file == "" || !sure {
			known = false
		}
	}
	if file == "" {
		file = "celerybeat-schedule"
	}
	if !path.IsAbs(file) {
		if p.image == nil || p.image.workdir == "" {
			return
		}
		file = path.Join(p.image.workdir, file)
	}
	if p.App.writes(file) {
		return
	}
	f := p.find("beat-file", at, "Celery's beat writes %s", file)
	app, module := p.celeryApp()
	text := p.tree.text(module.file)
	if !known || app == "" || !fromSettings.MatchString(text) || ownSchedule.MatchString(text) {
		f.Severity = Warning
	}
}

// checkCacheTLS looks for URLs with TLS that do not say how the certificate is checked.
func (p *project) checkCacheTLS() {
	for _, s := range []struct{ url, options string }{{"CELERY_RESULT_BACKEND", "CELERY_REDIS_BACKEND_USE_SSL"},
		{"CELERY_BROKER_URL", "CELERY_BROKER_USE_SSL"}} {
		v, _, _ := p.setting(s.url)
		if _, set, known := p.setting(s.options); !v.isText() || set || !known {
			continue
		}
		if strings.HasPrefix(v.text(), "rediss://") && !strings.Contains(v.text(), "ssl_cert_reqs=") {
			f := p.find("cache-tls", orFile(v.at(), p.settingsFile()), "%s is a rediss:// URL without ssl_cert_reqs", s.url)
			if s.url == "CELERY_BROKER_URL" {
				f.Severity = Warning
			}
		}
	}
}
