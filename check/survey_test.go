package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// surveyed is what a survey says, one line for each key, question, process and secret.
func surveyed(s *Survey) string {
	var b strings.Builder
	at := func(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
	for _, q := range s.Questions {
		fmt.Fprintf(&b, "ask %s [%s] %s\n", q.ID, q.Answer, at(q.File, q.Line))
	}
	for _, k := range s.Keys {
		fmt.Fprintf(&b, "%s: %v %s\n", k.Name, k.Value, at(k.File, k.Line))
		for _, item := range k.Items {
			fmt.Fprintf(&b, "%s %s\n", item.Name, at(item.File, item.Line))
		}
	}
	for _, k := range s.Secrets {
		fmt.Fprintf(&b, "secret %s %s\n", k.Name, at(k.File, k.Line))
	}
	for _, p := range s.Processes {
		fmt.Fprintf(&b, "process %s: %s single=%v %s\n", p.Name, strings.Join(p.Command, " "), p.Single, at(p.File, p.Line))
	}
	for name, k := range map[string]*Key{"health": s.Health, "cache": s.Cache, "https": s.Redirects} {
		if k != nil {
			fmt.Fprintf(&b, "%s: %v %s\n", name, k.Value, at(k.File, k.Line))
		}
	}
	for _, f := range s.Report.Findings {
		if f.Severity == Refused {
			fmt.Fprintf(&b, "refused %s\n", f.Check)
		}
	}
	return b.String()
}

func look(t *testing.T, folder string, answers map[string]string) *Survey {
	t.Helper()
	s, err := Look(context.Background(), Options{Path: folder}, answers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each case changes the base project, and says which lines the survey then has, and which it has not (with a ! before them).
func TestASurveyFindsTheKeys(t *testing.T) {
	needPython(t)
	for _, c := range []struct {
		name, files string
		want        []string
	}{
		{"nothing special", "", []string{"settings: shop.settings shop/wsgi.py:5", "env.SECRET_KEY: {key} shop/settings.py:3",
			"env.ALLOWED_HOSTS: {hosts} shop/settings.py:5", "env.DB_HOST: {db.host} shop/settings.py:11", "env.DB_USERNAME: {db.user} ",
			"!ask ", "!refused", "!command", "!overlay", "!dockerfile", "!env.DEBUG"}},
		{"another port", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt\n" +
			"CMD [\"gunicorn\", \"-b\", \"0.0.0.0:9000\", \"shop.wsgi\"]\n", []string{"port: 9000 Dockerfile:5", "!refused"}},
		{"a shell before the server", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt\n" +
			"CMD gunicorn --reload -b :$PORT shop.wsgi\n", []string{"command: [gunicorn -b :8000 shop.wsgi] Dockerfile:5", "!refused"}},
		{"a script that does not exec", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt\n" +
			"CMD [\"./run.sh\"]\n-- run.sh --\n#!/bin/sh\npython manage.py migrate\ngunicorn shop.wsgi\n",
			[]string{"command: [gunicorn shop.wsgi] run.sh:3", "!refused"}},
		{"a script that does more stays", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\nRUN pip install -r requirements.txt\n" +
			"CMD [\"./run.sh\"]\n-- run.sh --\n#!/bin/sh\n./load-data\ngunicorn shop.wsgi\n", []string{"!command"}},
		{"runserver in the image, gunicorn in production's compose file", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\n" +
			"RUN pip install -r requirements.txt\nCMD [\"python\", \"manage.py\", \"runserver\"]\n-- compose.prod.yml --\nservices:\n  web:\n" +
			"    build: .\n    command: gunicorn shop.wsgi --workers 3\n", []string{"command: [gunicorn shop.wsgi --workers 3] compose.prod.yml:4",
			"!refused"}},
		{"settings of a laptop", "-- shop/settings.py --\nremoved\n-- shop/settings/__init__.py --\n-- shop/settings/dev.py --\nDEBUG = True\n" +
			"-- shop/settings/production.py --\nimport os\nINSTALLED_APPS = []\nSECRET_KEY = os.environ['SECRET_KEY']\n" +
			"ALLOWED_HOSTS = [os.environ['HOST']]\nDATABASES = " +
			"{'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['DB_NAME']}}\n-- shop/wsgi.py --\nimport os\n" +
			"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.dev')\n",
			[]string{"settings: shop.settings.production shop/wsgi.py:2", "env.HOST: {host} ", "env.DB_NAME: {db.name}",
				"!ask settings", "!refused"}},
		{"two modules for production", "-- shop/settings.py --\nremoved\n-- shop/settings/__init__.py --\n-- shop/settings/dev.py --\n" +
			"DEBUG = True\n" +
			"-- shop/settings/production.py --\nDEBUG = False\n-- shop/settings/staging.py --\nDEBUG = False\n-- shop/wsgi.py --\nimport os\n" +
			"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.dev')\n",
			[]string{"ask settings [shop.settings.production] shop/wsgi.py:2"}},
		{"a boolean that only False turns off", with("DEBUG = os.environ.get('DJANGO_DEBUG', 'True') != 'False'"),
			[]string{"env.DJANGO_DEBUG: False shop/settings.py:3", "!overlay"}},
		{"a boolean of zero and one", with("DEBUG = bool(int(os.environ.get('DJANGO_DEBUG', '1')))"),
			[]string{"env.DJANGO_DEBUG: 0 shop/settings.py:3"}},
		{"literals", with("DEBUG = True"), []string{"overlay: [DEBUG]", "overlay.DEBUG shop/settings.py:3", "!refused"}},
		{"a URL and its parts", with("DEBUG = False\nimport environ\nenv = environ.Env()\n" +
			"DATABASES = {'default': env.db('DATABASE_URL')}"), []string{"env.DATABASE_URL: {db.url} shop/settings.py:6", "!refused"}},
		{"another engine unless a variable says postgres", with("if os.environ.get('DB', 'sqlite') == 'postgres':\n    DATABASES = {'default': " +
			"{'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ.get('DB_NAME', 'shop')}}\nelse:\n    DATABASES = {'default': " +
			"{'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}"), []string{"env.DB: postgres ", "!overlay", "!refused"}},
		{"one JSON document", with("import json\nsecret = json.loads(os.environ['SHOP'])\nDATABASES = {'default': {'ENGINE': " +
			"'django.db.backends.postgresql', 'HOST': secret['server'], 'NAME': secret['database'], 'USER': secret['login'], " +
			"'PASSWORD': secret['pw']}}\nSECRET_KEY = secret['key']"), []string{
			`env.SHOP: {{"database":"{db.name}","key":"{key}","login":"{db.user}","pw":"{db.password}","server":"{db.host}"}} `, "!refused"}},
		{"a secret and a value that only the user knows", with("TOKEN = os.environ['STRIPE_SECRET_KEY']\nADMIN_URL = os.environ['ADMIN_PATH']"),
			[]string{"secret STRIPE_SECRET_KEY shop/settings.py:3", "ask env.ADMIN_PATH [change-me] shop/settings.py:4",
				"env.ADMIN_PATH: change-me shop/settings.py:4", "!env.STRIPE", "!refused"}},
		{"demanded only inside of an if", with("from mail import own\nif own():\n    MAIL_SERVER = os.environ['MAIL_SERVER']"),
			[]string{"ask env.MAIL_SERVER [] shop/settings.py:5", "!env.MAIL_SERVER:", "!refused"}},
		{"a redirect that a variable turns off", with("SECURE_SSL_REDIRECT = os.environ.get('TLS', 'yes') == 'yes'"),
			[]string{"env.TLS: {https} shop/settings.py:3", "!https:", "!refused"}},
		{"a redirect that nothing turns off", with("SECURE_SSL_REDIRECT = True"), []string{"https: <nil> shop/settings.py:3", "!refused"}},
		{"Redis, Celery and beat", with("CELERY_BROKER_URL = os.environ.get('BROKER', 'redis://redis:6379/0')\nREDIS = "+
			"os.environ.get('REDIS_URL', 'redis://redis:6379/1')") + "-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop')\n" +
			"-- requirements.txt --\ndjango\ngunicorn\npsycopg\ncelery\nredis\n-- docker-compose.yml --\nx-base: &base\n  build: .\nservices:\n" +
			"  worker:\n    <<: *base\n    command: celery -A shop worker -l INFO\n  celerybeat:\n    <<: *base\n" +
			"    command: [celery, -A, shop, beat]\n" +
			"  flower:\n    <<: *base\n    command: celery -A shop flower\n",
			[]string{"cache: cache.t4g.micro shop/settings.py:3", "env.BROKER: {redis.url} shop/settings.py:3",
				"env.REDIS_URL: {redis.url} shop/settings.py:4",
				"process worker: celery -A shop worker -l INFO single=false docker-compose.yml:6",
				"process beat: celery -A shop beat -s /tmp/celerybeat-schedule single=true docker-compose.yml:9", "!flower", "!refused"}},
		{"workers without a broker", "-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop')\n" +
			"app.config_from_object('django.conf:settings', namespace='CELERY')\n-- Procfile --\nworker: celery -A shop worker\n" +
			"-- requirements.txt --\ndjango\ngunicorn\npsycopg\ncelery[redis]\n",
			[]string{"ask cache [yes] shop/celery.py:2", "cache: cache.t4g.micro shop/celery.py:2",
				"env.CELERY_BROKER_URL: {redis.url} shop/celery.py:2", "!refused"}},
		{"workers whose broker code sets", "-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop', broker='sqs://')\n" +
			"-- Procfile --\nworker: celery -A shop worker\n-- requirements.txt --\ndjango\ngunicorn\npsycopg\ncelery[sqs]\n",
			[]string{"process worker: celery -A shop worker single=false Procfile:1", "!ask cache", "!CELERY_BROKER_URL"}},
		{"a Celery app that no file starts", "-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop')\n" +
			"app.conf.beat_schedule = {}\n" +
			"-- requirements.txt --\ndjango\ngunicorn\npsycopg\ncelery\n", []string{"ask worker [yes] shop/celery.py:2",
			"ask beat [yes] shop/celery.py:2", "process worker: celery -A shop worker -l info single=false shop/celery.py:2",
			"process beat: celery -A shop beat -l info -s /tmp/celerybeat-schedule single=true"}},
		{"scripts that become Celery, and scripts that do more", "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\n" +
			"COPY start /start-worker\nCOPY wait /start-mail\nCOPY beat /start-beat\nCOPY child /start-slow\n" +
			"RUN pip install -r requirements.txt\nCMD gunicorn shop.wsgi\n" +
			"-- start --\n#!/bin/sh\nset -o errexit\nexport C_FORCE_ROOT=1\nexec celery -A shop worker -l INFO\n" +
			"-- wait --\n#!/bin/sh\nwait-for-it redis:6379\nexec celery -A shop worker -Q mail\n" +
			"-- beat --\n#!/bin/sh\nexec celery -A shop beat\n-- child --\n#!/bin/sh\ncelery -A shop worker -Q slow\n" +
			"-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop')\napp.conf.beat_schedule = {}\n" +
			"-- requirements.txt --\ndjango\ngunicorn\npsycopg\ncelery\n-- docker-compose.yml --\nservices:\n" +
			"  celeryworker: {command: /start-worker}\n  mail: {command: /start-mail}\n  celerybeat: {command: /start-beat}\n" +
			"  slow: {command: /start-slow}\n  elsewhere: {command: /opt/start}\n",
			[]string{"process worker: /start-worker single=false docker-compose.yml:2",
				"process mail: celery -A shop worker -Q mail single=false", "process slow: celery -A shop worker -Q slow single=false",
				"process beat: celery -A shop beat -s /tmp/celerybeat-schedule single=true",
				"process elsewhere: celery -A shop worker -l INFO single=false", "!ask worker", "!ask beat",
				"!refused"}},
		{"workers of a Procfile", "-- Procfile --\nweb: gunicorn shop.wsgi\nrelease: python manage.py migrate\n" +
			"worker: python manage.py rqworker high\n",
			[]string{"process worker: python manage.py rqworker high single=false Procfile:3", "!process web", "!process release"}},
		{"a schedule in the database", with("CELERY_BEAT_SCHEDULER = 'django_celery_beat.schedulers:DatabaseScheduler'") +
			"-- Procfile --\nbeat: celery -A shop beat\n", []string{"process beat: celery -A shop beat single=true Procfile:1"}},
		{"websockets", with("INSTALLED_APPS = ['channels']") + "-- Dockerfile --\nFROM python:3.13\nWORKDIR /srv\nCOPY . .\n" +
			"RUN pip install -r requirements.txt\n-- requirements.txt --\ndjango\ndaphne\npsycopg\n-- shop/asgi.py --\nimport os\n" +
			"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
			[]string{"command: [daphne shop.asgi:application -b 0.0.0.0 -p 8000]", "overlay: [SECURE_PROXY_SSL_HEADER]", "!refused"}},
		{"websockets and no Dockerfile", "-- Dockerfile --\nremoved\n" + with("INSTALLED_APPS = ['channels']\nASGI_APPLICATION = "+
			"'shop.asgi.application'") + "-- requirements.txt --\ndjango\ngunicorn\nuvicorn\nchannels\npsycopg\n-- shop/asgi.py --\nimport os\n" +
			"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
			[]string{"command: [uvicorn shop.asgi:application --host 0.0.0.0 --port 8000] shop/settings.py:4", "!refused"}},
		{"Daphne as an extra of Channels", "-- Dockerfile --\nremoved\n" + with("INSTALLED_APPS = ['daphne']\nASGI_APPLICATION = "+
			"'shop.asgi.application'") + "-- requirements.txt --\ndjango\ngunicorn\nchannels[daphne]\npsycopg\n-- shop/asgi.py --\nimport os\n" +
			"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
			[]string{"command: [daphne shop.asgi:application -b 0.0.0.0 -p 8000] shop/settings.py:4", "!refused"}},
		{"a page for the load balancer", with("ROOT_URLCONF = 'shop.urls'") + "-- shop/urls.py --\nfrom django.urls import include, path\n" +
			"urlpatterns = [\n    path('admin/', x),\n    path(\"up/\", include(\"up.urls\")),\n]\n-- up/urls.py --\n" +
			"urlpatterns = [path('', view)]\n",
			[]string{"health: /up/ shop/urls.py:4"}},
		{"no page for the load balancer", with("ROOT_URLCONF = 'shop.urls'") +
			"-- shop/urls.py --\nurlpatterns = [path('up/', include('up.urls'))]\n" +
			"-- up/urls.py --\nurlpatterns = [path('all', view)]\n", []string{"!health"}},
		{"no Dockerfile and packages missing", "-- Dockerfile --\nremoved\n-- requirements.txt --\ndjango\n",
			[]string{"ask packages [yes] requirements.txt:0", "packages: [gunicorn psycopg[binary]]", "!refused"}},
		{"uploads, and the package is not listed", "-- shop/models.py --\nclass Picture:\n    file = models.ImageField()\n",
			[]string{"overlay: [MEDIA]", "refused storage-not-installed", "!refused media"}},
		{"another URL of static files", with("STATIC_URL = 'assets/'"), []string{"static.url: /assets/ shop/settings.py:3", "!refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte(c.files)))
			got := surveyed(look(t, folder, nil))
			for _, want := range c.want {
				if line, without := strings.CutPrefix(want, "!"); without == strings.Contains("\n"+got, "\n"+line) {
					t.Errorf("want %q:\n%s", want, got)
				}
			}
		})
	}
}

// with is the base project's settings and a line after the import.
func with(line string) string {
	return "-- shop/settings.py --\nimport os\n\n" + line + "\n" + strings.Join(slices.DeleteFunc([]string{
		"SECRET_KEY = os.environ[\"SECRET_KEY\"]", "ALLOWED_HOSTS = os.environ.get(\"ALLOWED_HOSTS\", \"\").split(\",\")",
		"INSTALLED_APPS = [\"django.contrib.staticfiles\"]", "STATIC_ROOT = \"/srv/static\"",
		"DATABASES = {\"default\": {\"ENGINE\": \"django.db.backends.postgresql\", \"NAME\": os.environ[\"DB_NAME\"]}}",
	}, func(other string) bool {
		name, _, _ := strings.Cut(other, " ")
		return strings.Contains("\n"+line, "\n"+name+" ") || strings.Contains(line, "    "+name+" ")
	}), "\n") + "\n"
}

// An answer takes the place of the default.
func TestAnswersOfASurvey(t *testing.T) {
	needPython(t)
	folder := t.TempDir()
	write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte(with("R = os.environ.get('REDIS_URL', 'redis://x')\n"+
		"A = os.environ['ADMIN_PATH']\n"+
		"M = os.environ['MAIL_HOST']"))))
	got := surveyed(look(t, folder, map[string]string{"cache": "no", "env.ADMIN_PATH": "staff/{x}",
		"env.MAIL_HOST": "mg.{host}/{{x}}"}))
	for _, want := range []string{"ask cache [no]", "env.ADMIN_PATH: staff/{{x}} ", "env.MAIL_HOST: mg.{host}/{{{{x}}}} "} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "cache: ") || strings.Contains(got, "redis.url") {
		t.Errorf("the cache was declined:\n%s", got)
	}
}

// What a configuration has already leads to the same keys: running init again changes nothing. Each place is one of the project.
// docs/costs.md has no verified price for a cache in us-east-1, and pause says that none is known. So the question has none either.
func TestTheCacheIsOfferedWithoutAPrice(t *testing.T) {
	needPython(t)
	for name, project := range map[string]string{
		"Redis":  with("REDIS = os.environ['REDIS_URL']"),
		"Celery": "-- shop/celery.py --\nfrom celery import Celery\napp = Celery('shop')\n-- requirements.txt --\ngunicorn\npsycopg\ncelery\n",
	} {
		folder := t.TempDir()
		write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte(project)))
		questions := look(t, folder, nil).Questions
		at := slices.IndexFunc(questions, func(q Question) bool { return q.ID == "cache" })
		if at < 0 || strings.Contains(questions[at].Text, "$") || !strings.Contains(questions[at].Text, "billed by the hour") {
			t.Errorf("%s: %+v", name, questions)
		}
	}
}

func TestASurveyIsItsOwnResult(t *testing.T) {
	needPython(t)
	files, _ := filepath.Glob("testdata/*.txtar")
	base := read(t, "base.txtar")
	for n, file := range files {
		name := filepath.Base(file)
		if !strings.HasPrefix(name, "fixture-") && n%10 > 0 { // each takes a second
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if a := read(t, name); strings.HasPrefix(name, "fixture-") {
				write(t, folder, a)
			} else {
				write(t, folder, base, a)
			}
			first, err := Look(context.Background(), Options{Path: folder}, nil)
			if err != nil {
				return
			}
			for _, k := range slices.Concat(first.Keys, first.Secrets, first.Optional) {
				text, err := os.ReadFile(filepath.Join(folder, k.File))
				if k.File != "" && (err != nil || k.Line > 1+strings.Count(string(text), "\n")) {
					t.Errorf("%s comes from %s:%d, which is not there", k.Name, k.File, k.Line)
				}
			}
			o := Options{Path: folder, App: given(first)}
			second, err := Look(context.Background(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if one, other := values(first), values(second); one != other {
				t.Errorf("first:\n%s\nthen:\n%s", one, other)
			}
		})
	}
}

// given is a configuration with the keys of a survey.
func given(s *Survey) App {
	a := App{Own: true, Path: ".", Env: map[string]string{}}
	for _, k := range s.Keys {
		switch k.Name {
		case "path":
			a.Path = k.Value.(string)
		case "context":
			a.Context = k.Value.(string)
		case "dockerfile":
			a.Dockerfile = k.Value.(string)
		case "target":
			a.Target = k.Value.(string)
		case "settings":
			a.Settings = k.Value.(string)
		case "packages":
			a.Packages = k.Value.([]string)
		case "overlay":
			a.Overlay = k.Value.([]string)
		case "entrypoint":
			a.Entrypoint = k.Value.([]string)
		case "command":
			a.Command = k.Value.([]string)
		case "port":
			a.Port = k.Value.(int)
		case "writable":
			a.Writable = k.Value.([]string)
		case "static.url":
			a.Static.URL = k.Value.(string)
		default:
			a.Env[strings.TrimPrefix(k.Name, "env.")] = k.Value.(string)
		}
	}
	if a.Context == "" {
		a.Context = a.Path
	}
	if a.Dockerfile != "" {
		a.Dockerfile = filepath.Join(a.Context, a.Dockerfile)
	}
	return a
}

func values(s *Survey) string {
	var lines []string
	for _, k := range s.Keys {
		lines = append(lines, fmt.Sprintf("%s: %v", k.Name, k.Value))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestProjectsThatASurveyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"no project":   {[]string{"README.md"}, "there is no manage.py"},
		"two projects": {[]string{"shop/manage.py", "blog/manage.py"}, "more than one Django project: blog, shop"},
	} {
		folder := t.TempDir()
		for _, f := range c.files {
			if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(f)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, f), []byte("DJANGO_SETTINGS_MODULE\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Look(context.Background(), Options{Path: folder}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// Whatever is in a compose file or a Procfile, reading it ends.
func FuzzFilesThatStartProcesses(f *testing.F) {
	f.Add("services:\n  worker:\n    command: celery -A shop worker -l \"${LEVEL:-info}\"\n  beat: {command: [celery, beat]}\n")
	f.Add("x: &x {command: a}\nservices:\n  a:\n    <<: *x\n  b: *x\n  c:\n    entrypoint: [sh, -c, 'exec celery worker']\n")
	f.Add("web: gunicorn shop.wsgi\nworker: celery -A shop worker & sleep 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		names := []string{"Procfile", "compose.yml"}
		tr := &tree{files: names, has: map[string]bool{}, folders: map[string]bool{".": true}, texts: map[string]string{},
			byName: map[string][]string{}}
		for _, name := range names {
			tr.has[name], tr.texts[name], tr.byName[name] = true, text, []string{name}
		}
		p := &project{tree: tr, report: &Report{}, needs: readDependencies(tr, nil, nil), start: &start{sets: map[string]bool{}}}
		for _, one := range p.processes() {
			if len(one.Command) == 0 || one.Name == "" || len(one.Name) > 20 {
				t.Errorf("%q starts %+v", text, one)
			}
		}
		p.webCommand()
	})
}
