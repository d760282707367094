package config

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// A Stack is the whole configuration of one stack. Each field below is one key of Pulumi.<stack>.yaml in the project's
// namespace (slipway:network, slipway:database ...). The reference in docs/configuration.md is made from this file: the
// tag says the key, its default and what is allowed; the comment says what it means.
//
// Tags: key is the name in YAML; default is the value when the key is left out (none means optional and empty, unless
// required is set); allowed is either a range (2..3) or alternatives (arm64|amd64) and is enforced; rule describes in
// words what Load enforces beyond that.
type Stack struct {
	Project string // the project's name, from Pulumi.yaml
	Name    string // the stack's name: dev, staging, prod
	Region  string // the region, from aws:region

	// The host name of the site. Leave it out (or empty) for plain HTTP on the balancer's own name.
	Domain string `key:"domain" rule:"a host name, such as www.example.com"`
	// The Route 53 hosted zone that holds the domain. It must exist in the account. Left out: the registrable domain
	// (example.com of www.example.com).
	Zone string `key:"zone" rule:"the domain itself or a parent of it"`
	// Serve plain HTTP although the stack is protected and has no domain.
	PlainHTTP bool `key:"plainHTTP" default:"false"`
	// Guard what cannot be made again: the database, buckets and keys refuse to be deleted, and a final snapshot is kept.
	// The stacks prod and production must say true.
	Protect bool `key:"protect" default:"false"`
	// KMS keys: one per purpose ($1 a month each, six of them), or one shared by all.
	Keys string `key:"keys" default:"perPurpose" allowed:"perPurpose|shared"`

	// The private network.
	Network Network `key:"network"`
	// The Postgres database.
	Database Database `key:"database"`
	// The web service: nginx and Django behind the balancer.
	Web Web `key:"web"`
	// Long-running processes beside the web service, such as a queue's consumer.
	Workers []Worker `key:"workers" rule:"unique names"`
	// Commands that run on a schedule.
	Jobs []Job `key:"jobs" rule:"unique names"`
	// Plain settings for the app, by name. Everything that Slipway tells the app itself (DB_*, ALLOWED_HOSTS ...) is
	// reserved.
	Env map[string]string `key:"env" rule:"NAME: text; nothing that looks like a secret"`
	// Secret settings for the app, by name: pulumi config set --path --secret slipway:secrets.NAME. They become SSM
	// parameters and reach the containers by ARN. A changed secret makes new tasks.
	Secrets map[string]pulumi.StringOutput `key:"secrets" rule:"NAME: encrypted text of at most 4096 bytes"`
	// Where the container images come from.
	Images Images `key:"images"`
	// How long logs are kept, and how they travel to the archive.
	Logs Logs `key:"logs"`
	// Who hears of trouble.
	Alarms Alarms `key:"alarms"`
	// Which GitHub repository may deploy, and which of its runs may only look. Left out: no role is made.
	GitHub GitHub `key:"github"`
	// Where the state of a stack that is deployed for real is kept. Slipway bootstrap writes it.
	Backend Backend `key:"backend"`
	// Which other AWS accounts take part when releases are promoted. Between stacks of one account nothing is needed.
	Promotion Promotion `key:"promotion"`
	// A firewall of requests before the balancer.
	WAF WAF `key:"waf"`
	// The operation server.
	Bastion Bastion `key:"bastion"`
	// Tags of every resource, besides Slipway's own.
	Tags map[string]string `key:"tags" rule:"at most 40; names of at most 128 characters without the prefix aws:, texts of at most 256"`

	// SecretNames are the names of Secrets, sorted. They are known even where the values are not: a Stack that was read
	// from a file has names but no values.
	SecretNames []string
}

// A Network is a VPC with public, private and data subnets in each zone.
type Network struct {
	// The VPC's addresses. Changing them replaces the network and everything in it, the database included.
	CIDR string `key:"cidr" default:"10.0.0.0/16" rule:"a private IPv4 block from /16 to /24 without host bits, outside 172.17.0.0/16"`
	// In how many availability zones the site lives.
	Zones int `key:"zones" default:"2" allowed:"2..3"`
	// The way out: a NAT gateway in each zone (about $33 a month each), a single one, or none. With none, AWS's own
	// services are reached through interface endpoints (about $7 a month for each service and zone) and nothing else is.
	NAT string `key:"nat" default:"single" allowed:"perZone|single|none"`
}

// A Database is one RDS Postgres instance.
type Database struct {
	// Postgres's version: a major (17), whose newest minor is taken, or an exact one (17.2). A change to another major
	// is an upgrade with downtime; there is no way back but a snapshot.
	EngineVersion string `key:"engineVersion" default:"17" rule:"14 to 17, or a minor of these"`
	// The instance class. db.t4g.micro costs about $12 a month; a change takes the database away for minutes.
	Class string `key:"class" default:"db.t4g.micro" rule:"an instance class of RDS for Postgres"`
	// Disk, in GiB ($0.115 a GiB and month). It can grow, never shrink.
	Storage int `key:"storage" default:"20" allowed:"20..65536"`
	// How far the disk may grow by itself, in GiB. Equal to storage: it does not grow.
	MaxStorage int `key:"maxStorage" default:"100" allowed:"20..65536" rule:"not below storage; to grow at all, at least a tenth above it"`
	// A standby in another zone, which takes over by itself. Doubles the price.
	MultiZone bool `key:"multiZone" default:"false"`
	// For how many days automatic backups are kept. 0 makes none, and is refused on a protected stack.
	BackupDays int `key:"backupDays" default:"7" allowed:"0..35"`
	// When the daily backup is made, in UTC.
	BackupWindow string `key:"backupWindow" default:"03:00-04:00" rule:"hh:mm-hh:mm, at least 30 minutes, apart from maintenanceWindow"`
	// When AWS may patch the database, in UTC.
	MaintenanceWindow string `key:"maintenanceWindow" default:"sun:04:30-sun:05:30" rule:"ddd:hh:mm-ddd:hh:mm, 30 minutes to a day"`
	// The name of the database inside the instance. Changing it replaces the instance: its data would be lost.
	Name string `key:"name" default:"site" rule:"a letter, then letters, digits or _, at most 63, not reserved by Postgres"`
	// Which round of passwords is in use. Raising it makes new passwords, in the database and in the running tasks.
	Rotation int `key:"rotation" default:"1" allowed:"1..1000000"`
}

// A Web is the service that answers requests.
type Web struct {
	// CPU of one task, in AWS's units: 1024 are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of one task, in MiB. 256 units and 512 MiB on arm64 cost about $7 a month.
	Memory int `key:"memory" default:"512" rule:"what Fargate offers for the cpu"`
	// The processor of all tasks and images. arm64 is a fifth cheaper.
	Architecture string `key:"architecture" default:"arm64" allowed:"arm64|amd64"`
	// The fewest tasks.
	Min int `key:"min" default:"1" allowed:"1..1000"`
	// The most tasks that scaling may start.
	Max int `key:"max" default:"4" allowed:"1..1000" rule:"not below min"`
	// The share of tasks on Fargate Spot, in percent. Spot is up to 70 % cheaper and is taken away at two minutes' notice. Below
	// 100 the first task stays on demand; at 100 every task is on Spot, and a shortage of Spot takes the site down.
	Spot int `key:"spot" default:"0" allowed:"0..100"`
	// The path that the balancer asks. It must answer 200 without asking the database.
	HealthPath string `key:"healthPath" default:"/healthz" rule:"begins with /, at most 1024 characters, no spaces"`
	// Scale so that each task answers about this many requests a minute.
	RequestsPerTarget int `key:"requestsPerTarget" default:"1000" allowed:"1..1000000"`
	// Scale so that the tasks' CPU is about this busy, in percent.
	CPUTarget int `key:"cpuTarget" default:"60" allowed:"10..90"`
	// Which round of Django's SECRET_KEY is in use. Raising it makes a new key and signs everybody out.
	SecretKeyRotation int `key:"secretKeyRotation" default:"1" allowed:"1..1000000"`
}

// A Worker is a further service without a way in.
type Worker struct {
	// Its name, part of the names of its resources. Changing it replaces the worker.
	Name string `key:"name" required:"true" rule:"lower-case letters, digits and -, at most 20"`
	// What it runs, as a list: the program and its arguments. No shell reads it.
	Command []string `key:"command" required:"true" rule:"a list of one or more texts"`
	// CPU of one task, in AWS's units: 1024 are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of one task, in MiB.
	Memory int `key:"memory" default:"512" rule:"what Fargate offers for the cpu"`
	// How many tasks. 0 pauses the worker.
	Count int `key:"count" default:"1" allowed:"0..1000"`
}

// A Job is a command that EventBridge Scheduler starts.
type Job struct {
	// Its name, part of the names of its resources. Changing it replaces the job.
	Name string `key:"name" required:"true" rule:"lower-case letters, digits and -, at most 20"`
	// When: cron(minute hour day-of-month month day-of-week year), rate(2 hours) or at(2030-01-31T03:00:00).
	Schedule string `key:"schedule" required:"true" rule:"the grammar of EventBridge Scheduler"`
	// The time zone in which the schedule is read. Jobs in a zone with summer time shift with it.
	TimeZone string `key:"timeZone" default:"UTC" rule:"an IANA name, such as Europe/Paris"`
	// What it runs, as a list: the program and its arguments. No shell reads it.
	Command []string `key:"command" required:"true" rule:"a list of one or more texts"`
	// CPU of the task, in AWS's units: 1024 are one vCPU.
	CPU int `key:"cpu" default:"256" allowed:"256|512|1024|2048|4096|8192|16384"`
	// Memory of the task, in MiB.
	Memory int `key:"memory" default:"512" rule:"what Fargate offers for the cpu"`
}

// Images say where the two images come from: built in the same run, or those of a release.
type Images struct {
	// The folder of the Django project, from the folder of Pulumi.yaml. It is the build's context.
	App string `key:"app" default:"./app" rule:"a folder inside the project"`
	// The Dockerfile of the Django image, from the app's folder.
	Dockerfile string `key:"dockerfile" default:"Dockerfile" rule:"a file inside the app's folder"`
	// The Dockerfile of the nginx image, from the app's folder.
	NginxDockerfile string `key:"nginxDockerfile" default:"Dockerfile.nginx" rule:"a file inside the app's folder"`
	// Arguments of both builds. They stay readable in the image: never a secret.
	BuildArgs map[string]string `key:"buildArgs" rule:"NAME: text; nothing that looks like a secret"`
	// The digest of a released Django image. With it, and nginx's, nothing is built.
	Django string `key:"django" rule:"sha256: and 64 hexadecimal digits; together with nginx"`
	// The digest of a released nginx image.
	Nginx string `key:"nginx" rule:"sha256: and 64 hexadecimal digits; together with django"`
}

// Released says that the images of a release are used and nothing is built.
func (i Images) Released() bool { return i.Django != "" }

// Logs travel from the containers to CloudWatch and to an archive in S3.
type Logs struct {
	// For how many days CloudWatch keeps them, where they can be searched at once.
	Days int `key:"days" default:"30" allowed:"1|3|5|7|14|30|60|90|120|150|180|365|400|545|731|1096|1827|2192|2557|2922|3288|3653"`
	// For how many days the archive in S3 keeps them.
	ArchiveDays int `key:"archiveDays" default:"365" allowed:"1..3653" rule:"not below days"`
	// How the app's logs reach the archive: subscription (CloudWatch first, then Firehose: searchable, $0.50 a GB) or
	// firelens (a log router in the task writes to Firehose: about a twentieth of the price, not in CloudWatch).
	Route string `key:"route" default:"subscription" allowed:"subscription|firelens" rule:"firelens needs a NAT"`
}

// Alarms are CloudWatch alarms on an SNS topic.
type Alarms struct {
	// Who is told. AWS sends a message that must be confirmed once. Required on a protected stack.
	Email string `key:"email" rule:"one e-mail address"`
}

// A GitHub names the repository whose workflows may assume the deploy role or the read role.
type GitHub struct {
	// The repository: owner/name.
	Repository string `key:"repository" rule:"owner/name, no wildcard; required if another key of github is given"`
	// GitHub's number of the repository's owner. GitHub's tokens of a repository that is new since July 2026, was renamed since,
	// or has opted in, hold both numbers; without them here its workflows cannot sign in. docs/ci.md says how to ask for them.
	OwnerID int `key:"ownerId" allowed:"1..999999999999" rule:"together with repositoryId"`
	// GitHub's number of the repository, which never changes and is never used again.
	RepositoryID int `key:"repositoryId" allowed:"1..999999999999" rule:"together with ownerId"`
	// The branches that may deploy.
	Branches []string `key:"branches" rule:"exact names, no wildcard; a repository needs a branch or an environment"`
	// The GitHub environments that may deploy.
	Environments []string `key:"environments" rule:"exact names, no wildcard"`
	// The ARN of the account's OIDC provider for GitHub, if it has one already: an account can only have one.
	Provider string `key:"provider" rule:"arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com"`
	// The ARN of a deploy role that exists already, as slipway bootstrap makes it. With it the stack makes none.
	Role string `key:"role" rule:"arn:aws:iam::<account>:role/<name>; together with provider"`
	// The ARN of the permissions boundary of all roles of the stack, as slipway bootstrap makes it: what they may do at most,
	// whatever a deployment gives them. Without role the stack makes one; with role and without this there is none.
	Boundary string `key:"boundary" rule:"arn:aws:iam::<account>:policy/<name>; together with role"`
	// The branches that may look: they get a role that reads everything the stack is made of, secrets included, and changes
	// nothing. The nightly look for drift then needs no approval. Left out, with readPullRequests: no read role is made.
	ReadBranches []string `key:"readBranches" rule:"exact names, no wildcard"`
	// Pull requests may look too, and whoever may push to the repository can open one and run code with these rights, which
	// read the stack's secrets. Pull requests from forks get no identity from GitHub.
	ReadPullRequests bool `key:"readPullRequests" default:"false"`
	// The ARN of a read role that exists already, as slipway bootstrap makes it. With it the stack makes none.
	ReadRole string `key:"readRole" rule:"arn:aws:iam::<account>:role/<name>; together with provider, and with readBranches or readPullRequests"`
}

// Reads says that somebody may only look, and so that there is a read role.
func (g GitHub) Reads() bool { return len(g.ReadBranches) > 0 || g.ReadPullRequests }

// A Backend is a bucket for Pulumi's state, and the key that encrypts the secrets in it.
type Backend struct {
	// The bucket, in the region of the stack.
	Bucket string `key:"bucket" rule:"the name of a bucket; together with key"`
	// The ARN of the KMS key that encrypts the secrets in the state and in the configuration.
	Key string `key:"key" rule:"arn:aws:kms:<region>:<account>:key/<id>; together with bucket"`
}

// A Promotion lets releases cross from one account to another. Both sides must say so: the stack that a release comes from
// whom it admits, the stack that it goes to where its deploy role may read.
type Promotion struct {
	// The accounts to which releases of this stack may go. Whoever their own IAM lets may read its images and the record of
	// its releases, and nothing else of it: neither its state nor its secrets.
	To []string `key:"to" rule:"account numbers of 12 digits, other than the stack's own"`
	// The accounts from which releases may come. The deploy role of this stack may read the images and the records of this
	// project's stacks there, as far as these admit this account.
	From []string `key:"from" rule:"account numbers of 12 digits, other than the stack's own"`
}

// A WAF is an AWS WAF web ACL before the balancer: AWS's managed rules against common attacks, and a limit of requests
// for each address.
type WAF struct {
	// Whether there is one. It costs about $10 a month and $0.60 per million requests.
	Enabled bool `key:"enabled" default:"false"`
	// How many requests one address may make in five minutes; the next ones get 429.
	RateLimit int `key:"rateLimit" default:"2000" allowed:"10..2000000000"`
}

// A Bastion is a small server in a private subnet that is reached through Session Manager only.
type Bastion struct {
	// Whether there is one.
	Enabled bool `key:"enabled" default:"true"`
	// The instance type. t4g.nano costs about $3 a month. Changing it stops the server for a minute.
	Type string `key:"type" default:"t4g.nano" rule:"an arm64 type up to large, such as t4g.micro"`
}
