package verdict

import (
	"regexp"

	"slipway/internal/version"
)

// A clue is a pattern that identifies a cause.
type clue struct {
	sign        *regexp.Regexp
	cause, next string
}

func sign(expression string) *regexp.Regexp { return regexp.MustCompile(`(?is)` + expression) }

// clues find the cause in what ECS reports about a stopped task, its containers and the service, and in the log. The first
// match is reported, so specific causes come before general ones.
var clues = []clue{
	{sign(`exec format error|no matching manifest|image Manifest does not contain descriptor matching platform|does not match the ` +
		`(specified|detected) .*platform`),
		"the image is built for another processor than the task's",
		"build for web.architecture (arm64 or amd64), or change web.architecture to what the image is built for"},
	{sign(`CannotPull\w*.*(timeout|timed out|deadline exceeded|dial tcp|connection (refused|reset)|no route)`),
		"the task cannot reach the registry",
		"see that the private subnets have a route to the NAT or the endpoints of ECR and S3, and that the task's security group may go out " +
			"on port 443"},
	{sign(`CannotPull\w*.*(AccessDenied|not authorized|403|denied)`),
		"the execution role may not pull the image",
		"see the role's policy for this repository and its key; another account's repository needs a policy that admits this one"},
	{sign(`CannotPull\w*.*(not found|does not exist|manifest unknown)`),
		"the image is no longer in the registry, or never was",
		"run up again, which builds and pushes it; a release of before may have been removed by the repository's lifecycle rule"},
	{sign(`CannotPull\w*.*(no space left|disk)`),
		"the image is too large for the task's disk",
		"make the image smaller (20 GiB is what a task has, unpacked)"},
	{sign(`CannotPull`),
		"the image cannot be pulled",
		"read the reason above: it names the registry's answer"},
	{sign(`ResourceInitializationError.*(secret|ssm|parameter|registry auth).*(timeout|timed out|deadline exceeded|dial tcp|connection ` +
		`(refused|reset)|check your task network)`),
		"the task cannot reach the service that holds its secrets",
		"see that the private subnets have a route to the NAT or the endpoint of SSM, and that the task's security group may go out on port 443"},
	{sign(`ResourceInitializationError.*(secret|ssm|parameter).*(AccessDenied|not authorized|kms)`),
		"the execution role may not read or decrypt a secret of the task",
		"see the role's policy for the parameter and for the key that encrypts it; the reason above names the call"},
	{sign(`ResourceInitializationError.*(secret|ssm|parameter|registry auth)`),
		"a secret that the task is given does not exist or cannot be read",
		"see that every parameter the task definition names is there; up makes those that the stack declares"},
	{sign(`ResourceInitializationError.*(log|awslogs)`),
		"the task cannot write its log",
		"see that its log group exists and that the execution role may create streams in it"},
	{sign(`ResourceInitializationError.*(network|interface|ENI)`),
		"the task got no network interface",
		"see that the subnets have free addresses and that the security groups exist"},
	{sign(`ResourceInitializationError`),
		"something that the task needs before its containers start is not there",
		"read the reason above: it names what"},
	{sign(`OutOfMemory|\bOOM\b|exit code 137.*memory`),
		"the container used more memory than it has",
		"raise web.memory (or the worker's), or run fewer gunicorn workers a task"},
	{sign(`answered 30[1278], to https://`),
		"the health check is redirected to HTTPS: SECURE_SSL_REDIRECT applies to it as well",
		"the load balancer asks over HTTP; exempt the health path: SECURE_REDIRECT_EXEMPT = [r\"^healthz$\"] (without the first slash)"},
	{sign(`answered 30[1278], to \S*/(\s|$)`),
		"the health check is redirected, probably to the same path with a slash at its end (APPEND_SLASH)",
		"set web.healthPath to the path that answers 200 itself, such as /healthz/"},
	{sign(`these codes: \[30[1278]\]`),
		"the health check is redirected: to HTTPS (SECURE_SSL_REDIRECT), or to the path with a slash at its end (APPEND_SLASH)",
		"exempt the health path with SECURE_REDIRECT_EXEMPT, or set web.healthPath to the path that answers 200 itself, such as /healthz/"},
	{sign(`these codes: \[400\]|answered 400|DisallowedHost|Invalid HTTP_HOST header`),
		"Django refuses the host name with 400: it is not in ALLOWED_HOSTS",
		"a health check has the task's address as its host: answer the health path before ALLOWED_HOSTS is checked, as the sample's " +
			"/healthz does. " +
			"Visitors come with the site's own name: settings must read the variable ALLOWED_HOSTS, which has it"},
	{sign(`Missing staticfiles manifest entry|staticfiles manifest`),
		"a template names a static file that collectstatic did not collect",
		"the log names the file; see that the image runs collectstatic with the settings that the site has"},
	{sign(`ProgrammingError.*(does not exist|UndefinedTable|UndefinedColumn)|(relation|column) "?[\w."]+"? does not exist`),
		"the code expects a table or column that the database does not have",
		"see that the model's migration is in the image: python manage.py makemigrations --check"},
	{sign(`No module named|ModuleNotFoundError|ImportError`),
		"the application cannot be imported",
		"a module is missing in the image, or gunicorn is pointed at one that does not exist; the log names it"},
	{sign(`ImproperlyConfigured|KeyError: '[A-Z_]+'`),
		"a setting of the application is missing or wrong",
		"the log names it; plain settings belong under app.env, secret ones under secrets"},
	{sign(`OperationalError|could not connect to server|password authentication failed|Name or service not known`),
		"the application cannot reach its database, or may not log in",
		"see that the database runs, that the task's security group is admitted to it, and that the password's parameter is the current one"},
	{sign(`\balarms? (was |were )?(detected|triggered)`),
		"an alarm fired while the release was being deployed",
		version.Page("docs/runbook.md") + " says what the alarm means and what to check. If the release is not to blame, deploy it again " +
			"when the alarm is over: ECS does not watch an alarm that fires already when a deployment begins"},
	{sign(`failed (ELB|load balancer) health checks|unhealthy in \(?target-group|health checks failed`),
		"the task runs, but does not answer the balancer's health check",
		"ask the health path in the container; a slow start needs a longer grace period, a wrong path web.healthPath"},
	{sign(`failed container health checks|container.*unhealthy`),
		"a container's own health check fails",
		"run its health command in the container; the log may say more"},
	{sign(`CannotStartContainer|executable file not found|no such file or directory.*exec|exit code 12[67]`),
		"the container's command cannot be started",
		"see that the program exists in the image, is executable, and that the task's user may run it"},
	{sign(`Read-only file system|Permission denied`),
		"the container writes where it may not",
		"the root file system is read-only and the user is not root: write to /tmp, or to the media bucket"},
	{sign(`capacity is unavailable|RESOURCE:|InsufficientCapacity|unable to place a task`),
		"AWS has no room for the task at the moment",
		"run up again later, or lower the share of Spot (web.spot)"},
	{sign(`SpotInterruption|Spot interruption`),
		"AWS took the Spot capacity back",
		"nothing is wrong with the release: run up again, or lower web.spot"},
	{sign(`unable to assume`),
		"ECS may not assume one of the task's roles",
		"a role that was made a moment ago needs a minute: run up again; else see its trust policy"},
	{sign(`exit code 137`),
		"the container was killed: it used more memory than it has, or did not end within its stop timeout",
		"raise web.memory (or the worker's), or run fewer gunicorn workers a task"},
	{sign(`exit code 139`),
		"the program crashed (segmentation fault)",
		"a native library does not fit the image or the processor; the last log lines say where"},
	{sign(`exit code 143`),
		"the container got a stop signal and stopped",
		"look for who stopped it in the service's events"},
	{sign(`Essential container in task exited.*exit code 0`),
		"the program ended on its own; a service's program must stay in the foreground",
		"see the container's command: what ends when it is done is a job, not a service"},
	{sign(`Essential container in task exited|exit code \d`),
		"the program ended with an error as it started",
		"the log says why; the same image runs on this machine with: slipway up --run"},
}

// likely is the cause that the reported reasons and the log point to, and the next step. The log decides where ECS only knows that
// a container ended.
func likely(reported, log []string) (cause, next string) {
	for _, c := range clues {
		for _, words := range [][]string{reported, log} {
			for _, line := range words {
				if c.sign.MatchString(line) {
					return c.cause, c.next
				}
			}
		}
	}
	if len(reported)+len(log) == 0 {
		return "ECS started no task, or has forgotten it: it keeps stopped tasks for an hour",
			"run up again, and ask for the verdict while it is fresh"
	}
	return "", "read the reasons above; run up again when the cause is mended"
}
