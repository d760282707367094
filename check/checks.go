package check

// A Check is one kind of finding.
type Check struct {
	Code     string
	Severity Severity // a finding may have the other one: see What
	What     string   // what is found
	Fix      string
}

// checkOf is a check by its code.
func checkOf(code string) Check {
	for _, c := range Checks {
		if c.Code == code {
			return c
		}
	}
	panic("check: no check has the code " + code)
}

// Checks are all of them, in the order of the documentation.
var Checks = []Check{
	// The image.
	{"dockerfile-missing", Refused, "There is no Dockerfile for the site, and Slipway cannot generate one: for that it needs a lock file or " +
		"requirements.txt with gunicorn and psycopg, and a wsgi.py.",
		"Add the packages to the list, name a Dockerfile in app.dockerfile, or add one."},
	{"dockerfile-invalid", Refused, "The Dockerfile does not parse.", "Correct the instruction; docker build says the same."},
	{"copy-missing", Refused, "COPY or ADD names a file that the build context does not have, or that .dockerignore excludes.",
		"Correct the path, which counts from the build context, or commit the file."},
	{"target-missing", Refused, "The Dockerfile has no stage of the name in app.target.", "Correct app.target."},
	{"last-stage", Refused, "The last stage of the Dockerfile is for development or tests. Without app.target the last stage runs.",
		"Name the stage that runs the site in app.target."},
	{"command-missing", Refused, "The image has neither CMD nor an ENTRYPOINT that starts a server.",
		"Set app.command, such as [gunicorn, PROJECT.wsgi]."},
	{"entrypoint-arguments", Refused, "The entrypoint drops its arguments, so jobs and workers would start the web server.",
		"Set app.entrypoint: [] and app.command, or end the script with exec \"$@\" and put the server into CMD."},
	{"low-port", Refused, "The server listens on a port below 1024, which only root may do on Fargate.",
		"Set app.command so that the server listens on app.port, which is 8000 unless it is set."},
	{"port-differs", Refused, "The server listens on another port than app.port. A warning for a project that is not the stack's own.",
		"Set app.port to the port of the server."},
	{"drops-privileges", Refused, "The start needs root: it changes the owner of files, or switches to another user. Tasks never run as root.",
		"Set app.entrypoint: [] and app.command, or do it in the Dockerfile with RUN chown and USER."},
	{"installs-at-start", Refused, "The start installs packages. The root file system is read-only, and each task would install again.",
		"Install in the Dockerfile."},
	{"development-server", Refused, "The start runs Django's development server.", "Start a production server such as gunicorn."},
	{"server-reload", Warning, "The server restarts when files change (--reload), which is for development.", "Remove --reload."},
	{"module-missing", Refused, "The server loads a module that the project does not have.", "Name the module that exists."},
	{"server-not-installed", Refused, "The server that starts is not among the packages that the image installs. A warning without " +
		"a lock file.",
		"Add the package to the requirements."},
	{"driver-not-installed", Refused, "The settings use Postgres, and no package for it is installed. A warning without a lock file.",
		"Add psycopg (or psycopg2) to the requirements."},
	{"storage-not-installed", Refused, "app.overlay names MEDIA, which needs django-storages and boto3, and a list of packages lacks one. " +
		"A warning without a lock file.",
		"Add django-storages[s3] to the requirements."},
	{"packages-unlisted", Warning, "No file lists the project's packages.", "Add requirements.txt or pyproject.toml with a lock file."},
	{"migrates-at-start", Warning, "Every task migrates when it starts. Slipway has migrated already, once per release.",
		"Nothing has to change: the second migrate finds nothing to do. To start faster, remove it or set app.command."},
	{"collects-at-start", Warning, "Static files are collected when the container starts, into a root file system that is read-only. " +
		"Refused if the container then ends.",
		"Name STATIC_ROOT's folder in app.writable, or run collectstatic in the Dockerfile."},
	{"writes-at-start", Warning, "The start writes files outside of /tmp and app.writable, where the file system is read-only. " +
		"Refused if the container then ends.",
		"Name the folder in app.writable, or write to /tmp."},
	{"superuser-password", Refused, "The start creates a superuser with a password that is in the code. A warning if nothing that starts " +
		"uses it.",
		"Remove it, change the password wherever it was used, and create the superuser by hand after the first deployment."},
	{"superuser-no-password", Warning, "The start creates a superuser without a password, so no one can log in as it.",
		"Set DJANGO_SUPERUSER_PASSWORD as a secret, or create the superuser by hand after the first deployment."},
	{"secret-in-image", Refused, "A file with secrets is copied into the image. A warning if it is only in the build context, or if " +
		"ENV sets the secret.",
		"Name the file in .dockerignore and give its values as secrets of the stack; replace what was in an image already."},

	// The settings.
	{"database-engine", Refused, "The database is not Postgres.",
		"Use ENGINE django.db.backends.postgresql, with name, user, password, host and port from the environment, and install psycopg."},
	{"database-fixed", Refused, "The settings name one database, and no variable changes it.", "Read the database from the environment."},
	{"database-fallback", Warning, "Without a variable the site silently uses SQLite, whose file is lost with each task. Refused if " +
		"the stack does not set it.",
		"Set the variable, or let the settings fail without it."},
	{"database-unset", Refused,
		"Variables of the database's connection have no value, so defaults of the code count. A warning if the stack " +
			"is not known.", "Set the variables in app.env."},
	{"database-tls", Warning, "The settings set an sslmode that does not verify the database's certificate; it takes precedence over " +
		"PGSSLMODE=verify-full, which Slipway sets. Refused if it is disable: RDS takes no such connection.",
		"Remove sslmode from OPTIONS, or set it to verify-full."},
	{"debug-on", Refused, "DEBUG is on, so error pages show code and settings. A warning if a variable can turn it off, or the " +
		"stack is not protected.",
		"Set DEBUG = False, or read it from the environment with False as default."},
	{"hosts-fixed", Refused, "ALLOWED_HOSTS does not contain the site's host, so Django answers 400, also to health checks. " +
		"A warning if the hosts may be right.", "Read ALLOWED_HOSTS from the environment."},
	{"hosts-any", Warning, "ALLOWED_HOSTS allows every host, so links in mails can be forged. Refused on a protected stack.",
		"List the site's hosts, from the environment."},
	{"secret-key-in-code", Refused, "SECRET_KEY is in the code: everyone who reads it can forge sessions. A warning if it is only a default.",
		"Read SECRET_KEY from the environment, without a default, and use a new key."},
	{"secret-key-random", Refused, "Each process makes its own SECRET_KEY, so sessions of one task are invalid in the next. A " +
		"warning if it is only a default.",
		"Read SECRET_KEY from the environment, without a default."},
	{"secret-key-file", Warning, "SECRET_KEY comes from a file. If the start makes that file, each task has another key.",
		"Read SECRET_KEY from the environment."},
	{"secret-key-missing", Refused, "The settings of production have no SECRET_KEY, so Django does not start.",
		"Read SECRET_KEY from the environment."},
	{"static-not-collected", Refused, "Static files have hashed names (a manifest), and nothing collects them: pages with {% static %} " +
		"fail with 500. " +
		"A warning if the start is not known.",
		"Run collectstatic in the Dockerfile."},
	{"static-root-missing", Warning, "There is no STATIC_ROOT and app.static.serve is app, so no static files are collected.",
		"Set STATIC_ROOT, or let nginx serve the files (app.static.serve: nginx)."},
	{"static-url", Refused, "Pages look for static files at another path than nginx serves. A warning for a project that is not the stack's " +
		"own.", "Set app.static.url to STATIC_URL."},
	{"tls-without-domain", Refused, "The site redirects to https, and the stack has no domain, so there is no https. A warning if " +
		"the stack is not known.",
		"Set domain in the stack's configuration, or turn SECURE_SSL_REDIRECT off there."},
	{"media-on-disk", Refused, "Uploads go to the disk of a task and are lost with it. A warning if no model of the project has a file.",
		"Store uploads in the stack's bucket with django-storages. Slipway has no shared disk."},
	{"storage-keys", Warning, "The settings have access keys of AWS, so django-storages does not use the role of the task.",
		"Remove the keys from the settings; replace them if they were real."},
	{"log-on-disk", Refused, "Logging opens a file on the root file system, which is read-only: Django does not start.",
		"Log to the console: Slipway collects it. Or name the folder in app.writable."},
	{"service-missing", Warning,
		"The site uses a service that the stack does not have: RabbitMQ, a search server, or a Redis without cache.node.",
		"Create it yourself and give its address as a secret of the stack."},
	{"broker-missing", Refused, "Celery's workers have no broker: without a setting Celery uses amqp://localhost, where a task has none. " +
		"A warning if no worker of the stack runs Celery.",
		"Set cache.node: cache.t4g.micro and app.env.CELERY_BROKER_URL: \"{redis.url}\", which Celery reads by itself; the image needs " +
			"celery[redis]. Or give the address of your own broker as the secret CELERY_BROKER_URL."},
	{"beat-not-single", Refused,
		"Celery's beat runs in several tasks, and each sends every scheduled task (Celery documentation, \"Periodic " +
			"Tasks\"). A warning if only a deployment runs two of them.", "Set single: true for the worker that runs beat."},
	{"beat-file", Refused, "Celery's beat keeps a file, celerybeat-schedule, on the root file system, which is read-only: beat ends, and a " +
		"worker with -B sends nothing. A warning if the scheduler is not known.",
		"Add -s /tmp/celerybeat-schedule to its command, or name a scheduler that keeps no file."},
	{"cache-tls", Refused,
		"The URL of a Redis with TLS has no ssl_cert_reqs. Celery's result backend then does not start. A warning for the " +
			"broker, which does not check the certificate.", "Use {redis.url}, or add ?ssl_cert_reqs=required to the URL."},
	{"proxy-header", Warning, "The server does not believe X-Forwarded-Proto by itself, and the settings do not either: forms fail " +
		"with 403 behind https.",
		"Set SECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")."},
	{"settings-invalid", Refused, "Python cannot parse the settings, or a file that they import, so Django does not start.",
		"Correct the line. A file with other characters than ASCII has to be UTF-8, or name its encoding in a coding line."},
	{"settings-empty", Refused, "The settings module sets neither ROOT_URLCONF nor INSTALLED_APPS, so no page works. It may be the empty " +
		"__init__.py of a package with the real settings.",
		"Name the settings of production in app.settings."},
	{"settings-development", Refused, "Unless DJANGO_SETTINGS_MODULE is set, the web process uses settings for development. The other " +
		"checks are about those of " +
		"production, if their name is clear.", "Name the settings of production in app.settings."},
	{"settings-differ", Warning, "manage.py and the web process use different settings, so migrations run with others than the site. " +
		"Refused if those of manage.py are for development.",
		"Name the settings of the site in app.settings."},
	{"variables-missing", Refused, "The settings demand a variable without a value, so Django does not start. A warning if the stack " +
		"is not known.",
		"Set it in app.env, or in secrets if it is secret."},
	{"placeholder", Warning, "A variable still has the value that slipway init wrote for one that only you know. Refused on a protected " +
		"stack.", "Set it in app.env."},

	// What lies beside the project. Slipway does not run it.
	{"pipeline-static-keys", Warning, "A workflow uses long-lived AWS keys.",
		"Use a role through OIDC; slipway ci github writes such workflows. Delete the keys."},
	{"pipeline-after-failure", Warning, "A workflow deploys after another one even if that failed: completed is not success.",
		"Add if: github.event.workflow_run.conclusion == 'success' to its jobs."},
	{"pipeline-not-serial", Warning, "Runs of a deploying workflow may overlap: it has no concurrency group.",
		"Add concurrency: with a group for each stack."},
	{"pipeline-moving-tag", Warning, "A workflow deploys the tag latest, so the running version is unknown and a rollback has no target.",
		"Deploy by digest, as Slipway does."},
	{"pipeline-unset-variable", Warning, "A step uses a variable that nothing in its workflow sets.",
		"Set it in env of the step, or write it to $GITHUB_ENV."},
	{"pipeline-task-definition", Warning, "A workflow registers what describe-task-definition returned; AWS refuses its read-only fields.",
		"Remove those fields, or let Slipway deploy."},
	{"pipeline-differs", Warning, "Workflows work on different regions or with different versions of the same tool.",
		"Use one region and one exact version in all of them."},
	{"pipeline-repository", Warning, "A workflow pushes to an image repository that the infrastructure does not create.",
		"Use one name for both."},
	{"infra-plan-file", Warning, "A plan or a state of Terraform is committed. Both contain secrets in plain text.",
		"Remove it from Git and its history, and replace the secrets."},
	{"infra-default-password", Warning, "A password has a default in the infrastructure's code.",
		"Remove the default, generate the password, and mark it as sensitive."},
	{"infra-endpoint", Warning, "The database's endpoint, which contains the port, is used as its host.",
		"Use address in place of endpoint."},
}
