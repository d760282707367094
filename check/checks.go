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
	{"dockerfile-missing", Refused, "There is no Dockerfile for the site.",
		"Add a Dockerfile that installs the packages, copies the code and ends with a CMD that starts the server."},
	{"dockerfile-invalid", Refused, "The Dockerfile does not parse.", "Correct the instruction; docker build says the same."},
	{"copy-missing", Refused, "COPY or ADD names a file that the build context does not have, or that .dockerignore excludes.",
		"Correct the path, which counts from the build context, or commit the file."},
	{"last-stage", Refused, "The last stage of the Dockerfile is for development or tests. The last stage is the one that runs.",
		"Move the stage that runs the site to the end of the Dockerfile."},
	{"command-missing", Refused, "The image has neither CMD nor an ENTRYPOINT that starts a server.",
		"Add the command to the Dockerfile, such as CMD [\"gunicorn\", \"PROJECT.wsgi\"]."},
	{"entrypoint-arguments", Refused, "The entrypoint drops its arguments, so migrations, jobs and workers would start the web server.",
		"End the entrypoint's script with exec \"$@\" and put the server into CMD."},
	{"low-port", Refused, "The server listens on a port below 1024, which only root may do on Fargate.",
		"Listen on a port from 1024 up, such as 8000."},
	{"drops-privileges", Refused, "The start needs root: it changes the owner of files, or switches to another user. Tasks never run as root.",
		"Do it in the Dockerfile with RUN chown and USER, and start the server directly."},
	{"installs-at-start", Refused, "The start installs packages. The root file system is read-only, and each task would install again. " +
		"A warning for tools that only check first, such as uv run.",
		"Install in the Dockerfile; for uv run set UV_NO_SYNC=1."},
	{"development-server", Refused, "The start runs Django's development server.", "Start a production server such as gunicorn."},
	{"server-reload", Warning, "The server restarts when files change (--reload), which is for development.", "Remove --reload."},
	{"module-missing", Refused, "The server loads a module that the project does not have.", "Name the module that exists."},
	{"server-not-installed", Refused, "The server that starts is not among the packages that the image installs. A warning without " +
		"a lock file.",
		"Add the package to the requirements."},
	{"driver-not-installed", Refused, "The settings use Postgres, and no package for it is installed. A warning without a lock file.",
		"Add psycopg (or psycopg2) to the requirements."},
	{"packages-unlisted", Warning, "No file lists the project's packages.", "Add requirements.txt or pyproject.toml with a lock file."},
	{"migrates-at-start", Warning, "Every task migrates when it starts. Tasks that start together race, and Slipway has migrated already.",
		"Remove migrate from the start; Slipway runs it once per release."},
	{"collects-at-start", Warning, "Static files are collected when the container starts, into a root file system that is read-only.",
		"Run collectstatic in the Dockerfile."},
	{"writes-at-start", Warning, "The start writes files outside of /tmp, where the file system is read-only.",
		"Write them in the Dockerfile, or to /tmp."},
	{"superuser-password", Refused, "The start creates a superuser with a password that is in the code.",
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
	{"static-root-missing", Warning, "There is no STATIC_ROOT, so static files cannot be collected, and nothing serves them.",
		"Set STATIC_ROOT, and serve the files with WhiteNoise or nginx."},
	{"tls-without-domain", Refused, "The site redirects to https, and the stack has no domain, so there is no https. A warning if " +
		"the stack is not known.",
		"Set domain in the stack's configuration, or turn SECURE_SSL_REDIRECT off there."},
	{"media-on-disk", Refused, "Uploads go to the disk of a task and are lost with it. A warning if no model of the project has a file.",
		"Store uploads in a bucket with django-storages."},
	{"log-on-disk", Refused, "Logging opens a file on the root file system, which is read-only: Django does not start.",
		"Log to the console: Slipway collects it."},
	{"service-missing", Warning, "The site uses a service that Slipway does not create, such as Redis or RabbitMQ.",
		"Create it yourself and give its address as a secret of the stack."},
	{"proxy-header", Warning, "The server does not believe X-Forwarded-Proto by itself, and the settings do not either: forms fail " +
		"with 403 behind https.",
		"Set SECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")."},
	{"settings-development", Refused, "Unless DJANGO_SETTINGS_MODULE is set, the web process uses settings for development. The other " +
		"checks are about those of " +
		"production, if their name is clear.", "Set DJANGO_SETTINGS_MODULE in the Dockerfile with ENV."},
	{"settings-differ", Warning, "manage.py and the web process use different settings, so migrations run with others than the site.",
		"Set DJANGO_SETTINGS_MODULE in the Dockerfile with ENV."},
	{"variables-missing", Refused, "The settings demand variables without a value, so Django does not start. A warning if the stack " +
		"is not known.",
		"Set each in env, or in secrets if it is secret, of the stack's configuration."},

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

	// What an image needs to run with Slipway today.
	{"not-prepared", Refused, "The image lacks what Slipway runs in it: the command migrate_locked, the program healthcheck, a " +
		"volume at /tmp, user 10001.",
		"Copy it from Slipway's sample; its README lists what an image needs."},
	{"nginx-missing", Refused, "There is no Dockerfile for nginx.", "Copy Dockerfile.nginx and nginx/ from Slipway's sample."},
	{"database-variables", Refused, "The settings do not read the variables in which Slipway gives the database.",
		"Read DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME and DB_PASSWORD in the settings."},
}
