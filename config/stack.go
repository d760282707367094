package config

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A Stack is the whole configuration of one stack. Each field below is one key of Pulumi.<stack>.yaml in the project's
// namespace (slipway:network, slipway:database ...). The reference in docs/configuration.md is generated from this file: the
// key, its default and what is allowed from the tags, the description from the comment.
//
// Tags: key is the name in YAML. default is the value if the key is left out; without it the key is optional and empty, unless
// required is set. allowed is a range (2..3) or a list of alternatives (arm64|amd64) and is enforced. rule describes what Load
// enforces beyond that.
type Stack struct {
	Project string // the project's name, from Pulumi.yaml
	Name    string // the stack's name: dev, staging, prod
	Region  string // the region, from aws:region
	AWS     AWS    // the keys of the AWS provider

	// The version of slipway that the stack was set up with. An older slipway refuses the stack and names this version. A newer one
	// works, and says so until you raise it. Leave it out, and any slipway works on the stack.
	Version string `key:"version" rule:"a version of slipway, such as 0.4.0"`
	// The host name of the site. Leave it out (or empty) for plain HTTP on the load balancer's own name.
	Domain string `key:"domain" rule:"a host name, such as www.example.com"`
	// The Route 53 hosted zone that contains the domain. It must exist in the account. Defaults to the registrable domain
	// (example.com for www.example.com).
	Zone string `key:"zone" rule:"the domain itself or a parent of it"`
	// The ID of the zone. Only needed if the account has several public zones of the same name.
	ZoneID string `key:"zoneId" rule:"Z and capital letters or digits; together with domain"`
	// Allow plain HTTP on a protected stack without a domain.
	PlainHTTP bool `key:"plainHTTP" default:"false"`
	// Protect data that cannot be recreated: the database, buckets and keys cannot be deleted, and a final snapshot is kept.
	// Must be true on the stacks prod and production.
	Protect bool `key:"protect" default:"false"`
	// KMS keys: one per purpose ($1 a month each, six of them), or one shared by all.
	Keys string `key:"keys" default:"perPurpose" allowed:"perPurpose|shared"`

	// The Django project. It may also stand in Pulumi.yaml, for all stacks; a stack's own is merged into that, key by key.
	App App `key:"app"`
	// The private network.
	Network Network `key:"network"`
	// The Postgres database.
	Database Database `key:"database"`
	// A Valkey cache, for Django's cache, sessions and Celery. There is none unless node is set.
	Cache Cache `key:"cache"`
	// The web service: nginx and Django behind the load balancer.
	Web Web `key:"web"`
	// Long-running processes beside the web service, such as a queue consumer.
	Workers []Worker `key:"workers" rule:"unique names"`
	// Commands that run on a schedule.
	Jobs []Job `key:"jobs" rule:"unique names"`
	// Secret environment variables for the app, by name: slipway secret set NAME. They become SSM parameters
	// and reach the containers by ARN. Changing a secret replaces the running tasks.
	Secrets map[string]pulumi.StringOutput `key:"secrets" rule:"NAME: encrypted string of at most 4096 bytes"`
	// The release that runs instead of images that are built.
	Images Images `key:"images"`
	// How long logs are kept, and how they reach the archive.
	Logs Logs `key:"logs"`
	// Who is notified of alarms.
	Alarms Alarms `key:"alarms"`
	// Which GitHub repository may deploy, and which of its workflow runs may only read. Without it no role is created.
	GitHub GitHub `key:"github"`
	// Where the state of a live stack is kept. Slipway bootstrap writes it.
	Backend Backend `key:"backend"`
	// Which other AWS accounts releases are promoted to and from. Not needed between stacks of one account.
	Promotion Promotion `key:"promotion"`
	// A web application firewall in front of the load balancer.
	WAF WAF `key:"waf"`
	// The bastion host.
	Bastion Bastion `key:"bastion"`
	// Tags for every resource, in addition to Slipway's own. Those are project, stack and managed-by. If you give one of these
	// names a value of your own, Slipway's are called slipway:project, slipway:stack and slipway:managed-by.
	Tags map[string]string `key:"tags" rule:"at most 40; keys of at most 128 characters without the prefix aws:, values of at most 256"`

	// SecretNames are the sorted names of Secrets. They are known even if the values are not: a Stack that was read from a file
	// has names but no values.
	SecretNames []string
}

// ownTags is the prefix of tags that are Slipway's own in any case.
const ownTags = "slipway:"

// TagPrefix is what the tags project, stack and managed-by begin with, by which the resources belong to this stack: nothing,
// or slipway: if tags has one of these names for a value of the company's own. IAM does not distinguish upper and lower case
// in tag keys (IAM guide, "Tags for IAM resources"), so a resource cannot have both Project and project.
func (s *Stack) TagPrefix() string {
	for name := range s.Tags {
		switch strings.ToLower(name) {
		case "project", "stack", "managed-by":
			return ownTags
		}
	}
	return ""
}

// A Network is a VPC with public, private and data subnets in each availability zone.
type Network struct {
	// The VPC's CIDR block. It cannot change while the stack exists.
	CIDR string `key:"cidr" default:"10.0.0.0/16" rule:"a private IPv4 CIDR block from /16 to /24 without host bits, outside 172.17.0.0/16"`
	// The number of availability zones.
	Zones int `key:"zones" default:"2" allowed:"2..3"`
	// Outbound internet access: a NAT gateway in each zone (about $33 a month each), a single one, or none. With none, tasks reach
	// only AWS services, through interface endpoints (about $7 a month for each service and zone).
	NAT string `key:"nat" default:"single" allowed:"perZone|single|none"`
	// AWS services that your app calls, if nat is none: the last part of an endpoint's name, such as sqs or email-smtp. The services
	// that Slipway itself needs are there already.
	Endpoints []string `key:"endpoints" rule:"names of interface endpoints without com.amazonaws.<region>; only with nat: none"`
}

// A Database is one RDS Postgres instance.
type Database struct {
	// The Postgres version: a major version (17), whose newest minor version AWS installs in the maintenance window, or an exact
	// one (17.2), which stays until you change it. Changing the major version is an upgrade with downtime; only a snapshot gets
	// you back.
	EngineVersion string `key:"engineVersion" default:"17" rule:"14 to 17, or a minor version of these"`
	// The instance class. db.t4g.micro costs about $12 a month. Changing it makes the database unavailable for minutes.
	Class string `key:"class" default:"db.t4g.micro" rule:"an instance class of RDS for Postgres"`
	// Storage in GiB ($0.115 per GiB and month). It can grow but never shrink.
	Storage int `key:"storage" default:"20" allowed:"20..65536"`
	// The limit of storage autoscaling, in GiB. If equal to storage, autoscaling is off.
	MaxStorage int `key:"maxStorage" default:"100" allowed:"20..65536" rule:"equal to storage, or at least 10 % more"`
	// A standby in another availability zone, with automatic failover. Doubles the price.
	MultiAZ bool `key:"multiAz" default:"false"`
	// How many days automatic backups are kept. 0 turns them off, which a protected stack does not allow.
	BackupDays int `key:"backupDays" default:"7" allowed:"0..35"`
	// When the daily backup runs, in UTC.
	BackupWindow string `key:"backupWindow" default:"03:00-04:00" rule:"hh:mm-hh:mm, at least 30 minutes, no overlap with maintenanceWindow"`
	// When AWS may patch the database, in UTC.
	MaintenanceWindow string `key:"maintenanceWindow" default:"sun:04:30-sun:05:30" rule:"ddd:hh:mm-ddd:hh:mm, 30 minutes to a day"`
	// The name of the database in the instance. Changing it replaces the instance, and its data is lost.
	Name string `key:"name" default:"site" rule:"a letter, then letters, digits or _, lower case, up to 63; not reserved by Postgres or RDS"`
	// The generation of passwords in use. Raise it to rotate the passwords, in the database and in the running tasks.
	Rotation int `key:"rotation" default:"1" allowed:"1..1000000"`
	// The database role of the app: lesser (it reads and writes rows), or owner, for programs that make tables as they run.
	Role string `key:"role" default:"lesser" allowed:"lesser|owner"`
	// The repository that an image with psql is copied from, such as public.ecr.aws/docker/library/postgres. The stack then has the image
	// in its own registry, under the major version as its tag, and slipway db psql takes psql from there on machines that have none (about
	// $0.03 a month). Leave it out, and the stack has no such image.
	PsqlImage string `key:"psqlImage" rule:"a repository with its registry, without a tag, with the official image for amd64 and arm64"`
}

// A Cache is an ElastiCache replication group that runs Valkey, the open-source successor of Redis.
type Cache struct {
	// The node type; setting it gives the stack a cache. cache.t4g.micro has 0.5 GiB. Changing it keeps the data and interrupts
	// the cache for a moment.
	Node string `key:"node" rule:"a node type of ElastiCache for Valkey, such as cache.t4g.micro"`
	// The version of Valkey. AWS installs its patches. A newer one is an upgrade in place; ElastiCache cannot go back to an older one.
	Version string `key:"version" default:"8.0" rule:"7.2, 8.0, 8.1, 8.2 or 9.0"`
	// Replicas, each in another availability zone where possible and at the price of another node. With at least one, a replica takes
	// over when the primary fails.
	Replicas int `key:"replicas" default:"0" allowed:"0..5" rule:"needs node"`
	// How many days daily snapshots are kept. Omit it for 7 days on a protected stack and no snapshots on others. A protected stack
	// also keeps a final snapshot when the cache is deleted.
	SnapshotDays int `key:"snapshotDays" allowed:"1..35" rule:"needs node"`
	// The generation of the password in use. Raise it to rotate the password. The previous one stays valid until the next rotation,
	// so that running tasks keep their access; after a leak raise it twice, with a deployment each.
	Rotation int `key:"rotation" default:"1" allowed:"1..1000000"`
}

// Enabled reports whether the stack has a cache.
func (c Cache) Enabled() bool { return c.Node != "" }

// A Web is the service that serves requests.
type Web struct {
	// CPU units of one task; 1024 units are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of one task, in MiB. 256 CPU units and 512 MiB on arm64 cost about $7 a month.
	Memory int `key:"memory" default:"512" rule:"a size that Fargate offers for the cpu"`
	// The CPU architecture of all tasks and images. arm64 is 20 % cheaper.
	Architecture string `key:"architecture" default:"arm64" allowed:"arm64|amd64"`
	// The minimum number of tasks.
	Min int `key:"min" default:"1" allowed:"1..1000"`
	// The maximum number of tasks that autoscaling may start.
	Max int `key:"max" default:"4" allowed:"1..1000" rule:"at least min"`
	// The most connections that one task opens to the database. Each thread of the server holds one as a rule, so it is the number
	// of requests that a task answers at the same time. Pass it to the server as {connections} in app.env.
	Connections int `key:"connections" default:"6" allowed:"1..1000" rule:"all tasks together fit the database's class, also while deploying"`
	// The percentage of tasks on Fargate Spot. Spot is up to 70 % cheaper and can be interrupted with two minutes' notice. Below
	// 100 the first task stays on demand. At 100 every task is on Spot, and a Spot shortage takes the site down.
	Spot int `key:"spot" default:"0" allowed:"0..100"`
	// The path of the health check, which must not query the database. Responses with 2xx and 3xx are healthy. Without it / is
	// asked, and anything below 500 is healthy.
	HealthPath string `key:"healthPath" rule:"starts with /, at most 1024 characters, as in a URL: a query is allowed"`
	// The page that up requests before it calls a deployment good. No answer, 400 and 5xx are failures; 404 and a redirect to a
	// log-in page are noted.
	CheckPath string `key:"checkPath" default:"/" rule:"starts with /, at most 1024 characters, no spaces"`
	// Autoscaling target: requests per task and minute.
	RequestsPerTarget int `key:"requestsPerTarget" default:"1000" allowed:"1..1000000"`
	// Autoscaling target: average CPU utilization of the tasks, in percent.
	CPUTarget int `key:"cpuTarget" default:"60" allowed:"10..90"`
	// The generation of Django's SECRET_KEY in use. Raise it to generate a new key, which signs all users out.
	SecretKeyRotation int `key:"secretKeyRotation" default:"1" allowed:"1..1000000"`
}

// A Worker is a service that accepts no connections.
type Worker struct {
	// The worker's name, which its resource names contain. Changing it replaces the worker.
	Name string `key:"name" required:"true" rule:"lower-case letters, digits and -, at most 20"`
	// The command, as a list of the program and its arguments. It does not run in a shell.
	Command []string `key:"command" required:"true" rule:"a list of one or more strings"`
	// CPU units of one task; 1024 units are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of one task, in MiB.
	Memory int `key:"memory" default:"512" rule:"a size that Fargate offers for the cpu"`
	// The number of tasks. 0 pauses the worker.
	Count int `key:"count" default:"1" allowed:"0..1000"`
	// Never run two tasks at once, as Celery's beat needs: a deployment stops the old task before it starts the new one. The task has 10
	// seconds to stop instead of 120.
	Single bool `key:"single" default:"false" rule:"true needs count 0 or 1"`
	// The most connections that one task opens to the database: one for each thread and process that uses it. Only the rule of
	// web.connections counts it; nothing limits the worker.
	Connections int `key:"connections" default:"1" allowed:"1..1000"`
}

// A Job is a command that EventBridge Scheduler starts.
type Job struct {
	// The job's name, which its resource names contain. Changing it replaces the job.
	Name string `key:"name" required:"true" rule:"lower-case letters, digits and -, at most 20"`
	// When it runs: cron(minute hour day-of-month month day-of-week year), rate(2 hours) or at(2030-01-31T03:00:00).
	Schedule string `key:"schedule" required:"true" rule:"an EventBridge Scheduler expression"`
	// The time zone of the schedule. Jobs follow its daylight saving time.
	TimeZone string `key:"timeZone" default:"UTC" rule:"an IANA name, such as Europe/Paris"`
	// The command, as a list of the program and its arguments. It does not run in a shell.
	Command []string `key:"command" required:"true" rule:"a list of one or more strings"`
	// CPU units of the task; 1024 units are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of the task, in MiB.
	Memory int `key:"memory" default:"512" rule:"a size that Fargate offers for the cpu"`
}

// Images are those of a release. Without them both are built, as app says.
type Images struct {
	// The digest of the Django image of a release. If both digests are set, nothing is built.
	Django string `key:"django" rule:"sha256: and 64 hexadecimal digits; together with nginx"`
	// The digest of the nginx image of a release.
	Nginx string `key:"nginx" rule:"sha256: and 64 hexadecimal digits; together with django"`
}

// Released reports whether the images come from a release, so that nothing is built.
func (i Images) Released() bool { return i.Django != "" }

// Logs go from the containers to CloudWatch and to an archive in S3.
type Logs struct {
	// How many days logs are kept in CloudWatch, where you can search them.
	Days int `key:"days" default:"30" allowed:"@retentions"`
	// How many days logs are kept in the archive in S3. S3 deletes them a week after that, so that a deletion can be undone.
	ArchiveDays int `key:"archiveDays" default:"365" allowed:"1..3653" rule:"at least days"`
	// How the app's logs reach the archive: subscription (CloudWatch, then Firehose: searchable, $0.50 per GB) or firelens (a log
	// router in the task writes to Firehose: about 5 % of the price, not in CloudWatch).
	Route string `key:"route" default:"subscription" allowed:"subscription|firelens" rule:"firelens needs a NAT gateway"`
}

// Alarms are CloudWatch alarms on an SNS topic.
type Alarms struct {
	// Who receives alarms. AWS sends a confirmation message first. Required on a protected stack.
	Email string `key:"email" rule:"one e-mail address"`
	// Where docs/runbook.md is published. The description of each alarm, and so the e-mail, links to its entry there. Without it, the
	// description links to the page of this version on GitHub.
	Runbook string `key:"runbook" rule:"a URL that begins with https://"`
}

// A GitHub names the repository whose workflows may assume the deploy role or the read role.
type GitHub struct {
	// The repository: owner/name.
	Repository string `key:"repository" rule:"owner/name, no wildcard; required when any other github key is set"`
	// GitHub's numeric ID of the repository's owner. OIDC tokens contain both IDs if the repository was created, renamed or
	// transferred after 15 July 2026 or has opted in; its workflows then cannot sign in without them. docs/ci.md shows how to look
	// them up.
	OwnerID int `key:"ownerId" allowed:"1..999999999999" rule:"together with repositoryId"`
	// GitHub's numeric ID of the repository, which never changes and is never reused.
	RepositoryID int `key:"repositoryId" allowed:"1..999999999999" rule:"together with ownerId"`
	// The branches that may deploy.
	Branches []string `key:"branches" rule:"exact names, no wildcard; a repository needs a branch or an environment"`
	// The GitHub environments that may deploy.
	Environments []string `key:"environments" rule:"exact names, no wildcard"`
	// The ARN of the account's OIDC provider for GitHub, if it already has one: an account can only have one.
	Provider string `key:"provider" rule:"arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com"`
	// The ARN of an existing deploy role, such as slipway bootstrap creates. With it the stack creates none.
	Role string `key:"role" rule:"arn:aws:iam::<account>:role/<name>; together with provider"`
	// The ARN of the permissions boundary of all the stack's roles, such as slipway bootstrap creates. It limits them whatever
	// policies a deployment gives them. Without role the stack creates one; with role but without boundary there is none.
	Boundary string `key:"boundary" rule:"arn:aws:iam::<account>:policy/<name>; together with role"`
	// The branches that get the read role, which can read everything in the stack, including secrets, and change nothing. The
	// nightly drift check then needs no approval. Without this and readPullRequests there is no read role.
	ReadBranches []string `key:"readBranches" rule:"exact names, no wildcard"`
	// Give pull requests the read role. Anyone who can push to the repository can then open one and run code that reads the
	// stack's secrets. Pull requests from forks get no OIDC token from GitHub.
	ReadPullRequests bool `key:"readPullRequests" default:"false"`
	// The ARN of an existing read role, such as slipway bootstrap creates. With it the stack creates none.
	ReadRole string `key:"readRole" rule:"arn:aws:iam::<account>:role/<name>; together with provider and readBranches or readPullRequests"`
}

// Reads reports whether there is a read role.
func (g GitHub) Reads() bool { return len(g.ReadBranches) > 0 || g.ReadPullRequests }

// A Backend is the bucket of Pulumi's state and the key that encrypts the secrets in it.
type Backend struct {
	// The state bucket, in the stack's region.
	Bucket string `key:"bucket" rule:"a bucket name; together with key"`
	// The ARN of the KMS key that encrypts the secrets in the state and in the configuration.
	Key string `key:"key" rule:"arn:aws:kms:<region>:<account>:key/<id>; together with bucket"`
}

// A Promotion allows promotion between accounts. Both sides must allow it: the source stack lists the accounts that may read its
// releases, the target stack lists the accounts that its deploy role may read from.
type Promotion struct {
	// The accounts that releases of this stack may be promoted to. Principals that these accounts authorize can read the stack's
	// images and ledger, and nothing else: neither its state nor its secrets.
	To []string `key:"to" rule:"12-digit account IDs, other than the stack's own"`
	// The accounts that releases may be promoted from. This stack's deploy role may read the images and ledgers of the project's
	// stacks there, if those stacks list this account.
	From []string `key:"from" rule:"12-digit account IDs, other than the stack's own"`
}

// A WAF is an AWS WAF web ACL in front of the load balancer: AWS's managed rules against common attacks, and a rate limit for
// each IP address.
type WAF struct {
	// Whether the stack has a web ACL. It costs about $10 a month and $0.60 per million requests. Name the paths that take uploads
	// in uploadPaths, or some uploads get 403.
	Enabled bool `key:"enabled" default:"false"`
	// How many requests an IP address may send in five minutes; further ones get 429.
	RateLimit int `key:"rateLimit" default:"2000" allowed:"10..2000000000"`
	// The paths that take file uploads: exactly one (/upload/), or all below one (/admin/*). AWS's rules find attacks in pictures
	// and archives too, and such an upload gets 403. On these paths their findings in bodies are only counted; all other rules
	// stay. With a path the web ACL costs $1 a month more.
	UploadPaths []string `key:"uploadPaths" rule:"at most 10; each starts with /, at most 200 characters, no query; * only at the end"`
}

// A Bastion is a small instance in a private subnet. It can only be reached through Session Manager.
type Bastion struct {
	// Whether the stack has a bastion.
	Enabled bool `key:"enabled" default:"true"`
	// The instance type. t4g.nano costs about $3 a month. Changing it stops the instance for a minute.
	Type string `key:"type" default:"t4g.nano" rule:"an arm64 type up to large, such as t4g.micro"`
}
