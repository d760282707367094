package diagnosis

import "slipway/internal/version"

// A Kind is what sort of thing a finding is about.
type Kind string

// The kinds, in the order of rules. The helper in the images reports those of its checks by the same names.
const (
	Paused              Kind = "paused"
	ImageMissing        Kind = "image-missing"
	ImageDenied         Kind = "image-denied"
	RegistryUnreachable Kind = "registry-unreachable"
	ImageProcessor      Kind = "image-processor"
	SecretMissing       Kind = "secret-missing"
	SecretDenied        Kind = "secret-denied"
	SecretsUnreachable  Kind = "secrets-unreachable"
	LogGroup            Kind = "log-group"
	DatabaseDown        Kind = "database-down"
	Environment         Kind = "environment"
	WrongHost           Kind = "wrong-host"
	NoRoute             Kind = "no-route"
	PortRefused         Kind = "port-refused"
	TLS                 Kind = "tls"
	Password            Kind = "password"
	NoDatabase          Kind = "no-database"
	Role                Kind = "role"
	Connections         Kind = "connections"
	LogIn               Kind = "log-in"
	Tables              Kind = "tables"
	Migrations          Kind = "migrations"
	Settings            Kind = "settings"
	AppDatabase         Kind = "app-database"
	Cache               Kind = "cache"
	HealthPath          Kind = "health-path"
	Memory              Kind = "memory"
	Crash               Kind = "crash"
	NotStarted          Kind = "not-started"
	Unhealthy           Kind = "unhealthy"
	CertificateExpired  Kind = "certificate-expired"
	CertificateInvalid  Kind = "certificate-invalid"
	Stopped             Kind = "stopped"
	WrongRelease        Kind = "wrong-release"
	StaleLock           Kind = "stale-lock"
	Incomplete          Kind = "incomplete"
	OldSecret           Kind = "old-secret"
	SiteAlarm           Kind = "site-alarm"
	OtherAlarm          Kind = "other-alarm"
	CertificateExpiring Kind = "certificate-expiring"
	Drift               Kind = "drift"
	Deploying           Kind = "deploying"
)

// A rule is what is known about a kind. The order of the rules is the order of causes: what keeps a task from starting is nearer to
// the root than what a started task fails at, and that is nearer than what a visitor or an alarm sees.
type rule struct {
	kind     Kind
	notice   bool   // worth knowing, but nothing is wrong with the site
	because  string // why findings of this kind come about, and what follows from it
	next     string // the next command or step; {flags} are the stack's
	explains []Kind
}

// Kinds that follow from a cause.
var (
	// visible is what shows of a task that does not work.
	visible = []Kind{Crash, NotStarted, Unhealthy, Stopped, WrongRelease, SiteAlarm}

	// inDatabase is what shows of a database that cannot be used. What a check inside finds out after the first failure is not tried,
	// but a log or an older task may have it.
	afterLogIn = append([]Kind{AppDatabase, Tables, Migrations, HealthPath}, visible...)
	inDatabase = append([]Kind{Connections, LogIn}, afterLogIn...)

	// onTheWay is what shows of a wrong server or a server that does not answer.
	onTheWay = append([]Kind{NoRoute, PortRefused, TLS, Password, NoDatabase, Role}, inDatabase...)
)

var rules = []rule{
	{kind: Paused, explains: append([]Kind{DatabaseDown, OtherAlarm}, onTheWay...),
		because: "the stack is paused: its tasks, its schedules and its database are stopped",
		next:    "slipway resume{flags}, which starts them again"},
	{kind: ImageMissing, explains: visible,
		because: "the registry does not have the image any more, so no new task starts; tasks that run already go on until they stop",
		next:    "slipway rollback{flags}, or slipway up{flags}, which builds and pushes it"},
	{kind: ImageDenied, explains: visible,
		because: "the execution role may not pull the image, so no new task starts",
		next:    "slipway drift{flags}, which shows a changed role, repository policy or key"},
	{kind: RegistryUnreachable, explains: append([]Kind{SecretsUnreachable}, visible...),
		because: "tasks cannot reach ECR: their subnets have no route to the NAT gateway or the endpoints, or their group may not go out on 443",
		next:    "slipway drift{flags}, which shows a route or a rule that was changed by hand"},
	{kind: ImageProcessor, explains: visible,
		because: "the image is built for another processor than the task's",
		next:    "set web.architecture to what the image is built for, then slipway up{flags}"},
	{kind: SecretMissing, explains: append([]Kind{Environment}, visible...),
		because: "a task definition names a parameter that does not exist, so no new task starts",
		next:    "slipway up{flags}, which creates the parameters that the stack declares"},
	{kind: SecretDenied, explains: append([]Kind{Environment}, visible...),
		because: "the execution role may not read or decrypt a parameter, so no new task starts",
		next:    "slipway drift{flags}, which shows a changed role, policy or key"},
	{kind: SecretsUnreachable, explains: visible,
		because: "tasks cannot reach SSM: their subnets have no route to the NAT gateway or the endpoint, or their group may not go out on 443",
		next:    "slipway drift{flags}, which shows a route or a rule that was changed by hand"},
	{kind: LogGroup, explains: visible,
		because: "a task does not start without the log group that its definition names",
		next:    "slipway up{flags}, which creates the log groups that the stack declares"},
	{kind: DatabaseDown, explains: onTheWay,
		because: "nothing can log in to an instance that is not available",
		next:    "aws rds describe-events --source-type db-instance shows why; a stopped instance starts with aws rds start-db-instance"},
	{kind: Environment, explains: inDatabase,
		because: "a variable that the app needs is not set, so it does not know its database",
		next:    "correct app.env, then slipway up{flags}"},
	{kind: WrongHost, explains: onTheWay,
		because: "the app asks another host than the stack's database, or one that does not exist",
		next:    "correct app.env ({db.host} is the right name), then slipway up{flags}"},
	{kind: NoRoute, explains: append([]Kind{PortRefused}, inDatabase...),
		because: "packets to the database are dropped: a security group, a network ACL or a route table is in the way",
		next:    "slipway drift{flags}, which shows a rule or a route that was changed by hand; slipway up{flags} restores it"},
	{kind: PortRefused, explains: inDatabase,
		because: "the host answers, and nothing listens on the port: a wrong port, or a database that is still starting",
		next:    "compare the port in app.env with {db.port}"},
	{kind: TLS, explains: inDatabase,
		because: "server and app do not agree on TLS, or the app does not trust the server's certificate",
		next:    "build the image again, with the current certificate bundle: slipway up{flags}"},
	{kind: Password, explains: inDatabase,
		because: "the password in the parameter and the role's password in the database differ",
		next:    "raise database.rotation by one, then slipway up{flags}: it sets a new password in both places"},
	{kind: NoDatabase, explains: inDatabase,
		because: "the server has no database of this name",
		next:    "compare the name in app.env with {db.name}; after a restore, create the database"},
	{kind: Role, explains: inDatabase,
		because: "the role does not exist or lacks a right; the migration makes it and grants it",
		next:    "slipway up{flags}, which migrates again if the release or the password changed"},
	{kind: Connections, explains: []Kind{LogIn, AppDatabase, HealthPath, Crash, Unhealthy, SiteAlarm, OtherAlarm},
		because: "max_connections is reached, so the database refuses further ones",
		next:    "lower web.connections or web.max, or choose a larger database.class, then slipway up{flags}"},
	{kind: LogIn, explains: afterLogIn,
		because: "the server answers, and refuses or does not finish the log-in",
		next:    "read the server's own words above; Performance Insights shows what keeps it busy"},
	{kind: Tables, explains: append([]Kind{Migrations, HealthPath}, visible...),
		because: "the migrations are recorded as applied, and a table of theirs is not there: dropped by hand, or not in the backup",
		next:    "restore the table from a backup, or apply its migration again: " + version.Page("docs/operations.md#restore-the-database")},
	{kind: Migrations, explains: append([]Kind{HealthPath}, visible...),
		because: "the database is behind the release: its migration did not run or failed",
		next:    "slipway up{flags}: it runs the migration and shows its log"},
	{kind: Settings, explains: append([]Kind{AppDatabase, HealthPath}, visible...),
		because: "Django cannot load its settings, so no process of the app starts",
		next:    "the exception names what is missing: plain settings belong under app.env, secret ones under secrets"},
	{kind: AppDatabase, explains: append([]Kind{HealthPath}, visible...),
		because: "the database answers, and Django's own DATABASES does not get in",
		next:    "compare DATABASES in the settings with app.env"},
	{kind: Cache, explains: append([]Kind{HealthPath}, visible...),
		because: "the app's cache does not answer under its URL",
		next:    "slipway drift{flags}; compare the URL in app.env with {redis.url}"},
	{kind: HealthPath, explains: visible,
		because: "the app answers the health check with a status that is not healthy, so the load balancer takes its tasks out",
		next:    "set web.healthPath to a path that answers 200, then slipway up{flags}"},
	{kind: Memory, explains: visible,
		because: "a container that uses more memory than it has is killed",
		next:    "raise web.memory (or the worker's), or run fewer gunicorn workers a task, then slipway up{flags}"},
	{kind: Crash, explains: []Kind{Unhealthy, Stopped, WrongRelease, SiteAlarm},
		because: "a task whose essential container stops is stopped as well",
		next:    "slipway rollback{flags}"},
	{kind: NotStarted, explains: []Kind{Unhealthy, Stopped, WrongRelease, SiteAlarm},
		because: "ECS did not start a task of the running release",
		next:    "read ECS's words above"},
	{kind: Unhealthy, explains: []Kind{Stopped, WrongRelease, SiteAlarm},
		because: "a load balancer sends nothing to a target that fails its health check",
		next:    "slipway rollback{flags}, or read the logs of the service"},
	{kind: CertificateExpired,
		because: "browsers refuse an expired certificate",
		next:    "slipway drift{flags}: ACM renews a certificate only while its validation records are in DNS; slipway up{flags} restores them"},
	{kind: CertificateInvalid,
		because: "browsers refuse a site whose certificate is not issued, or not for its domain",
		next:    "see the validation records of the certificate, then slipway up{flags}"},
	{kind: Stopped, explains: []Kind{SiteAlarm},
		because: "the service has fewer running tasks than it should have",
		next:    "slipway up{flags}, which gives each service its tasks"},
	{kind: WrongRelease,
		because: "ECS rolled the last deployment back, or another deployment has replaced it",
		next:    "slipway releases{flags} shows what ran when; slipway up{flags} deploys again"},
	{kind: StaleLock, explains: []Kind{Incomplete, Drift},
		because: "a run that ended without cleaning up keeps the stack: no other run can change it, and its work may be half done",
		next:    "slipway unlock{flags}"},
	{kind: Incomplete,
		because: "what runs tasks is created last, so an up that ended early leaves none",
		next:    "slipway up{flags}, which continues where it stopped"},
	{kind: OldSecret,
		because: "a task reads its secrets when it starts, so running tasks keep the version from before",
		next:    "slipway up{flags}, which replaces the tasks"},
	{kind: SiteAlarm,
		because: "an alarm of the load balancer fires, and no check shows why",
		next:    "slipway releases{flags}: compare the alarm's time with the last deployment; slipway rollback{flags} goes back"},
	{kind: OtherAlarm,
		because: "an alarm of the stack fires",
		next:    "the alarm's description says what to do first"},
	{kind: CertificateExpiring,
		because: "ACM renews a certificate 60 days before it expires, and has not renewed this one",
		next:    "see that its validation records are in DNS: slipway drift{flags}"},
	{kind: Drift, notice: true,
		because: "the last drift check found resources that were changed outside Slipway",
		next:    "slipway drift{flags}"},
	{kind: Deploying, notice: true,
		because: "a deployment is in progress, so tasks come and go",
		next:    "wait, then slipway doctor{flags}"},
}
