package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// project creates a folder with Pulumi.yaml, an app and one stack's file, and returns the path of that file.
func project(t testing.TB, stack, content string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"Pulumi.yaml": "name: slipway\nruntime: go\n", "Pulumi." + stack + ".yaml": content,
		"app/Dockerfile": "FROM scratch\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "Pulumi."+stack+".yaml")
}

// written returns the mistakes of a stack's file as lines, without file and line number.
func written(t testing.TB, stack, content string) []string {
	t.Helper()
	source, err := FromFile(project(t, stack, content))
	if err == nil {
		_, err = load(source)
	}
	return lines(t, err, false)
}

func lines(t testing.TB, err error, where bool) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var mistakes Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("the error is not a Mistakes: %v", err)
	}
	var all []string
	for _, m := range mistakes {
		if !where {
			m.File, m.Line = "", 0
		}
		all = append(all, m.String())
	}
	return all
}

// in formats lines as the configuration of a stack in us-east-1.
func in(config ...string) string {
	return "config:\n  aws:region: us-east-1\n  " + strings.ReplaceAll(strings.Join(config, "\n"), "\n", "\n  ") + "\n"
}

func many(n int, form string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

// Each incident is a configuration error that has caused trouble in practice, with its one-line message.
func TestEveryIncidentHasItsOneLine(t *testing.T) {
	for _, c := range []struct {
		name, stack, config string
		want                string // lines; empty if accepted
	}{
		{"1 region empty", "dev", "config:\n  aws:region: \"\"\n", `aws:region: must not be empty; omit the key to use its default, got ""`},
		{"1 region left out", "dev", "config: {}\n", `aws:region: is required: pulumi config set aws:region us-east-1`},
		{"1 region that does not exist", "dev", "config:\n  aws:region: eu-west-9\n",
			`aws:region: must be an AWS region, did you mean eu-west-1?, got "eu-west-9"`},
		{"1 region in capitals", "dev", "config:\n  aws:region: EU-WEST-1\n",
			`aws:region: must be an AWS region, did you mean eu-west-1?, got "EU-WEST-1"`},
		{"2 account number too short", "dev", in(`aws:allowedAccountIds: ["12345"]`),
			`aws:allowedAccountIds[0]: must be a 12-digit account ID, in quotes, got "12345"`},
		{"2 account number as a number", "dev", in(`aws:allowedAccountIds: [123456789012]`),
			`aws:allowedAccountIds[0]: must be a string, but YAML reads 123456789012 as a number: write "123456789012"`},
		{"2 account number", "dev", in(`aws:allowedAccountIds: ["123456789012"]`), ""},
		{"3 stack with a capital", "Dev", in(),
			`stack: the name must start with a letter and contain only lower-case letters, digits and single hyphens, got "Dev"`},
		{"3 stack with a space", "my dev", in(),
			`stack: the name must start with a letter and contain only lower-case letters, digits and single hyphens, got "my dev"`},
		{"3 stack too long for a balancer", "review-of-branch-fix-login", in(),
			`stack: the name is too long: the load balancer would be named slipway-review-of-branch-fix-login-web, which has 38 characters; AWS ` +
				`allows 32, got "review-of-branch-fix-login"`},
		{"3 stack just short enough", "abcdefghijklmnopqrst", in(), ""},
		{"4 invalid CIDR", "dev", in("slipway:network:", "  cidr: 10.0.0.0/33"),
			`network.cidr: must be an IPv4 CIDR block such as 10.0.0.0/16, got "10.0.0.0/33"`},
		{"4 CIDR with host bits", "dev", in("slipway:network:", "  cidr: 10.0.0.1/16"),
			`network.cidr: must be 10.0.0.0/16: the address has host bits set, got "10.0.0.1/16"`},
		{"4 CIDR too large for a VPC", "dev", in("slipway:network:", "  cidr: 10.0.0.0/8"),
			`network.cidr: AWS allows /16 to /28, got "10.0.0.0/8"`},
		{"4 CIDR too small for a VPC", "dev", in("slipway:network:", "  cidr: 10.0.0.0/29"),
			`network.cidr: AWS allows /16 to /28, got "10.0.0.0/29"`},
		{"5 CIDR too small for the subnets", "dev", in("slipway:network:", "  cidr: 10.0.0.0/25"),
			`network.cidr: is too small: public, private and data subnets in three zones need /24 or larger (AWS allows /16 to /28), got ` +
				`"10.0.0.0/25"`},
		{"5 smallest CIDR", "dev", in("slipway:network:", "  cidr: 10.0.0.0/24"), ""},
		{"6 CIDR used by Docker", "dev", in("slipway:network:", "  cidr: 172.17.0.0/18"),
			`network.cidr: overlaps 172.17.0.0/16, which some AWS services use internally for Docker, got "172.17.0.0/18"`},
		{"6 public CIDR", "dev", in("slipway:network:", "  cidr: 8.8.0.0/16"),
			`network.cidr: must be in a private range: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, got "8.8.0.0/16"`},
		{"29 IPv6 in an IPv4 key", "dev", in("slipway:network:", "  cidr: fd00::/16"),
			`network.cidr: must be an IPv4 CIDR block, not IPv6, got "fd00::/16"`},
		{"an endpoint beside a NAT gateway", "dev", in("slipway:network: {endpoints: [sqs]}"),
			`network.endpoints[0]: requires nat: none; with a NAT gateway the app reaches every service without an endpoint, got "sqs"`},
		{"an endpoint by its whole name", "dev", in("slipway:network: {nat: none, endpoints: [com.amazonaws.us-east-1.SQS]}"),
			`network.endpoints[0]: must be the last part of an endpoint's name, such as sqs for com.amazonaws.us-east-1.sqs, got ` +
				`"com.amazonaws.us-east-1.SQS"`},
		{"an endpoint twice", "dev", in("slipway:network: {nat: none, endpoints: [sqs, email-smtp, sqs]}"),
			`network.endpoints[2]: is listed twice, got "sqs"`},
		{"endpoints of the app", "dev", in("slipway:network: {nat: none, endpoints: [sqs, email-smtp, ecr.api]}"), ""},
		{"uploads everywhere", "dev", in("slipway:waf: {uploadPaths: [/*]}"),
			`waf.uploadPaths[0]: is every path: name those that take uploads, such as /admin/*, got "/*"`},
		{"an upload path without a slash", "dev", in("slipway:waf: {uploadPaths: [admin/*]}"),
			`waf.uploadPaths[0]: must be a path such as /upload/, or all below one such as /admin/*, of at most 200 characters, got "admin/*"`},
		{"an upload path with a wildcard inside", "dev", in("slipway:waf: {uploadPaths: [/a/*/b]}"),
			`waf.uploadPaths[0]: must be a path such as /upload/, or all below one such as /admin/*, of at most 200 characters, got "/a/*/b"`},
		{"an upload path that normalizes to another", "dev", in("slipway:waf: {uploadPaths: [/a/../b]}"),
			`waf.uploadPaths[0]: must be a path such as /upload/, or all below one such as /admin/*, of at most 200 characters, got "/a/../b"`},
		{"upload paths", "dev", in("slipway:waf: {uploadPaths: [/, /admin/*, /files/new]}"), ""},
		{"7 no zones", "dev", in("slipway:network:", "  zones: 0"), `network.zones: must be 2 or 3, got 0`},
		{"7 one zone", "dev", in("slipway:network:", "  zones: 1"), `network.zones: must be 2 or 3, got 1`},
		{"7 too many zones", "dev", in("slipway:network:", "  zones: 99"), `network.zones: must be 2 or 3, got 99`},
		{"7 zones as a word", "dev", in("slipway:network:", "  zones: two"), `network.zones: must be a number, without quotes, got "two"`},
		{"7 three zones in a region with two", "dev", "config:\n  aws:region: us-west-1\n  slipway:network: {zones: 3}\n",
			`network.zones: must be 2: us-west-1 has only two availability zones, got 3`},
		{"8 domain with one label", "dev", in("slipway:domain: example"),
			`domain: must be a full host name, such as www.example.com, got "example"`},
		{"8 domain with a scheme", "dev", in("slipway:domain: http://x.example.com"),
			`domain: must be a host name such as www.example.com, without scheme, port or path, got "http://x.example.com"`},
		{"8 domain with a wildcard", "dev", in(`slipway:domain: "*.example.com"`),
			`domain: must be a single host name, without a wildcard, got "*.example.com"`},
		{"8 domain with a path", "dev", in("slipway:domain: x.example.com/"),
			`domain: must be a host name such as www.example.com, without scheme, port or path, got "x.example.com/"`},
		{"8 domain in Unicode", "dev", in("slipway:domain: bücher.example"),
			`domain: must be written in its ASCII form: xn--bcher-kva.example, got "bücher.example"`},
		{"8 domain with a trailing dot", "dev", in("slipway:domain: www.example.com."),
			`domain: must not end with a dot, got "www.example.com."`},
		{"8 domain in capitals", "dev", in("slipway:domain: WWW.example.com"),
			`domain: must be in lower case: www.example.com, got "WWW.example.com"`},
		{"8 domain that is an address", "dev", in("slipway:domain: 10.0.0.1"), `domain: must be a host name, not an address, got "10.0.0.1"`},
		{"8 domain with an underscore", "dev", in("slipway:domain: my_site.example.com"),
			`domain: must be a host name, such as www.example.com, got "my_site.example.com"`},
		{"8 domain too long for a certificate", "dev", in("slipway:domain: " + strings.Repeat("a", 60) + ".example.com"),
			`domain: must be at most 64 characters, the limit for a certificate's name, got "` + strings.Repeat("a", 60) + `.example.com"`},
		{"8 domain that is a public suffix", "dev", in("slipway:domain: co.uk"),
			`domain: is a public suffix: use a domain below it, got "co.uk"`},
		{"9 zone that is not a parent", "dev", in("slipway:domain: www.example.com", "slipway:zone: example.org"),
			`zone: must be the domain www.example.com or a parent of it, got "example.org"`},
		{"9 zone with the same suffix only", "dev", in("slipway:domain: badexample.com", "slipway:zone: example.com"),
			`zone: must be the domain badexample.com or a parent of it, got "example.com"`},
		{"9 zone without a domain", "dev", in("slipway:zone: example.org"), `zone: requires domain, got "example.org"`},
		{"11 memory too large for the cpu", "dev", in("slipway:web:", "  cpu: 256", "  memory: 4096"),
			`web.memory: must be 512, 1024 or 2048 for cpu 256, got 4096`},
		{"11 cpu that Fargate does not have", "dev", in("slipway:web:", "  cpu: 300", "  memory: 512"),
			`web.cpu: must be 256, 512, 1024, 2048, 4096, 8192 or 16384, got 300`},
		{"11 cpu as a phrase", "dev", in("slipway:web:", "  cpu: 1 vCPU"), `web.cpu: must be a number, without quotes, got "1 vCPU"`},
		{"11 memory between two steps", "dev", in("slipway:web:", "  cpu: 8192", "  memory: 17408"),
			`web.memory: must be from 16384 to 61440 in steps of 4096 for cpu 8192, got 17408`},
		{"11 default memory below a larger cpu", "dev", in("slipway:web:", "  cpu: 1024"),
			`web.memory: must be from 2048 to 8192 in steps of 1024 for cpu 1024, got 512`},
		{"11 memory of a worker", "dev", in("slipway:workers:", "- {name: feed, command: [x], cpu: 512, memory: 512}"),
			`workers[0].memory: must be 1024, 2048, 3072 or 4096 for cpu 512, got 512`},
		{"13 no tasks", "dev", in("slipway:web:", "  min: 0"), `web.min: must be from 1 to 1000, got 0`},
		{"13 negative tasks", "dev", in("slipway:web:", "  min: -1"), `web.min: must be from 1 to 1000, got -1`},
		{"13 one and a half tasks", "dev", in("slipway:web:", "  min: 1.5"), `web.min: must be a whole number, got 1.5`},
		{"13 min above max", "dev", in("slipway:web:", "  min: 5", "  max: 3"), `web.max: must be at least min (5), got 3`},
		{"13 min above the default of max", "dev", in("slipway:web:", "  min: 5"), `web.max: must be at least min (5), got 4`},
		{"13 desired count", "dev", in("slipway:web:", "  desiredCount: 3"),
			`web.desiredCount: unknown key: set min and max; autoscaling chooses between them`},
		{"15 container port", "dev", in("slipway:web:", "  port: 0"), `web.port: unknown key: app.port is the port of the app's server`},
		{"16 health path without a slash", "dev", in("slipway:web:", "  healthPath: healthz"),
			`web.healthPath: must be a path that starts with /, with an optional query (/ht/?format=json), of at most 1024 characters: ` +
				`percent-encode what a URL cannot contain, got "healthz"`},
		{"16 health path empty", "dev", in("slipway:web:", `  healthPath: ""`),
			`web.healthPath: must not be empty; omit the key to use its default, got ""`},
		{"16 health path with a space", "dev", in("slipway:web:", "  healthPath: /health z"),
			`web.healthPath: must be a path that starts with /, with an optional query (/ht/?format=json), of at most 1024 characters: ` +
				`percent-encode what a URL cannot contain, got "/health z"`},
		{"17 image tag instead of a digest", "dev", in("slipway:images:", "  django: app:latest", "  nginx: sha256:"+strings.Repeat("0", 64)),
			`images.django: must be a digest, sha256: and 64 hexadecimal digits; a tag could move to another image, got "app:latest"`},
		{"17 digest of the wrong length", "dev", in("slipway:images:", "  django: sha256:abc", "  nginx: sha256:"+strings.Repeat("0", 64)),
			`images.django: must be a digest, sha256: and 64 hexadecimal digits; a tag could move to another image, got "sha256:abc"`},
		{"17 one digest without the other", "dev", in("slipway:images:", "  django: sha256:"+strings.Repeat("0", 64)),
			`images.nginx: is required: a release has two digests`},
		{"18 Dockerfile missing", "dev", in("slipway:app:", "  dockerfile: Dockerfile.prod"),
			`app.dockerfile: no such file in ./app, got "Dockerfile.prod"`},
		{"18 Dockerfile outside", "dev", in("slipway:app:", "  dockerfile: ../../Dockerfile"),
			`app.dockerfile: must be a path inside the Git repository, relative to the build context, ./app, got "../../Dockerfile"`},
		{"18 Dockerfile beside the app, missing", "dev", in("slipway:app:", "  dockerfile: ../deploy/Dockerfile"),
			`app.dockerfile: no such file in ./app, got "../deploy/Dockerfile"`},
		{"18 Dockerfile as an absolute path", "dev", in("slipway:app:", "  dockerfile: /srv/Dockerfile"),
			`app.dockerfile: must be a path relative to the build context, ./app, got "/srv/Dockerfile"`},
		{"16 check path without a slash", "dev", in("slipway:web:", "  checkPath: shop/"),
			`web.checkPath: must start with one / and contain no spaces and no #, at most 1024 characters, got "shop/"`},
		{"16 check path of another host", "dev", in("slipway:web:", "  checkPath: //elsewhere/"),
			`web.checkPath: must start with one / and contain no spaces and no #, at most 1024 characters, got "//elsewhere/"`},
		{"16 check path with a space", "dev", in("slipway:web:", "  checkPath: /a b"),
			`web.checkPath: must start with one / and contain no spaces and no #, at most 1024 characters, got "/a b"`},
		{"16 check path with a fragment", "dev", in("slipway:web:", "  checkPath: /a#b"),
			`web.checkPath: must start with one / and contain no spaces and no #, at most 1024 characters, got "/a#b"`},
		{"18 app outside", "dev", in("slipway:app:", "  path: /srv/app"),
			`app.path: must be a path relative to Pulumi.yaml, got "/srv/app"`},
		{"18 app missing", "dev", in("slipway:app:", "  path: ./ap"), `app.path: no such folder, got "./ap"`},
		{"19 class that does not exist", "dev", in("slipway:database:", "  class: db.t4g.huge"),
			`database.class: db.t4g is available as micro, small, medium, large, xlarge or 2xlarge, got "db.t4g.huge"`},
		{"19 class without its prefix", "dev", in("slipway:database:", "  class: t4g.micro"),
			`database.class: must be an instance class such as db.t4g.micro, got "t4g.micro"`},
		{"19 unsupported old version", "dev", in("slipway:database:", `  engineVersion: "9.6"`),
			`database.engineVersion: must be 14, 15, 16 or 17, or a minor version such as 17.2, got "9.6"`},
		{"19 future version", "dev", in("slipway:database:", `  engineVersion: "99"`),
			`database.engineVersion: must be 14, 15, 16 or 17, or a minor version such as 17.2, got "99"`},
		{"19 version as a number", "dev", in("slipway:database:", `  engineVersion: 16.10`),
			`database.engineVersion: must be a string, but YAML reads 16.10 as a number: write "16.10"`},
		{"19 storage of 1 GiB", "dev", in("slipway:database:", "  storage: 1"), `database.storage: must be from 20 to 65536, got 1`},
		{"19 maxStorage below storage", "dev", in("slipway:database:", "  storage: 200", "  maxStorage: 100"),
			`database.maxStorage: must equal storage (200, no autoscaling) or be from 220 to 65536, got 100`},
		{"19 maxStorage too close to storage", "dev", in("slipway:database:", "  storage: 100", "  maxStorage: 105"),
			`database.maxStorage: must equal storage (100, no autoscaling) or be from 110 to 65536, got 105`},
		{"20 database name with a digit first", "dev", in("slipway:database:", "  name: 2db"),
			`database.name: must start with a lower-case letter and contain only lower-case letters, digits and _, at most 63, got "2db"`},
		{"20 database name with a hyphen", "dev", in("slipway:database:", "  name: my-db"),
			`database.name: must start with a lower-case letter and contain only lower-case letters, digits and _, at most 63, got "my-db"`},
		{"20 reserved database name", "dev", in("slipway:database:", "  name: postgres"),
			`database.name: is reserved by Postgres or RDS, got "postgres"`},
		{"20 database user", "dev", in("slipway:database:", "  username: rdsadmin"),
			`database.username: unknown key: Slipway creates both roles and passes them to the app`},
		{"21 database password", "dev", in("slipway:database:", "  password: hunter2"),
			`database.password: unknown key: Slipway generates the password; raise rotation to get a new one`},
		{"22 backup retention too long", "dev", in("slipway:database:", "  backupDays: 36"), `database.backupDays: must be from 0 to 35, got 36`},
		{"22 negative backup retention", "dev", in("slipway:database:", "  backupDays: -1"), `database.backupDays: must be from 0 to 35, got -1`},
		{"22 no backups on a protected stack", "prod",
			in("slipway:protect: true", "slipway:domain: example.com", "slipway:alarms: {email: a@example.com}", "slipway:database:",
				"  backupDays: 0"), `database.backupDays: must be from 1 to 35 on a protected stack, got 0`},
		{"22 window at an invalid hour", "dev", in("slipway:database:", "  backupWindow: 25:00-26:00"),
			`database.backupWindow: must be hh:mm-hh:mm in UTC, such as 03:00-04:00, got "25:00-26:00"`},
		{"22 windows that overlap", "dev", in("slipway:database:", "  backupWindow: 04:15-05:00"),
			`database.maintenanceWindow: overlaps backupWindow 04:15-05:00, got "sun:04:30-sun:05:30"`},
		{"22 windows that overlap across midnight and the week", "dev",
			in("slipway:database:", "  backupWindow: 23:30-00:30", "  maintenanceWindow: mon:00:15-mon:00:45"),
			`database.maintenanceWindow: overlaps backupWindow 23:30-00:30, got "mon:00:15-mon:00:45"`},
		{"22 adjacent windows", "dev", in("slipway:database:", "  backupWindow: 03:30-04:30"), ""},
		{"22 window of 15 minutes", "dev", in("slipway:database:", "  backupWindow: 03:00-03:15"),
			`database.backupWindow: must be at least 30 minutes long, but is 15, got "03:00-03:15"`},
		{"22 maintenance window of two days", "dev", in("slipway:database:", "  maintenanceWindow: sun:05:00-tue:05:00"),
			`database.maintenanceWindow: must be from 30 minutes to 24 hours long, but is 48:00 hours, got "sun:05:00-tue:05:00"`},
		{"22 maintenance window in capitals", "dev", in("slipway:database:", "  maintenanceWindow: Sun:05:00-Sun:06:00"),
			`database.maintenanceWindow: must be ddd:hh:mm-ddd:hh:mm in UTC and lower case, such as sun:04:30-sun:05:30, got "Sun:05:00-Sun:06:00"`},
		{"23 retention that CloudWatch does not have", "dev", in("slipway:logs:", "  days: 42"),
			`logs.days: must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653, got 42`},
		{"23 archive retention shorter than CloudWatch", "dev", in("slipway:logs:", "  archiveDays: 20"),
			`logs.archiveDays: must be at least days (30), got 20`},
		{"24 Unix cron", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: "* * * * *"}`),
			`jobs[0].schedule: must be cron(...) with six fields: minute hour day-of-month month day-of-week year, got "* * * * *"`},
		{"24 cron with five fields", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: "cron(0 3 * * ?)"}`),
			`jobs[0].schedule: must have six fields: minute hour day-of-month month day-of-week year; it has 5, got "cron(0 3 * * ?)"`},
		{"24 plural with 1", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: rate(1 days)}`),
			`jobs[0].schedule: must be rate(1 day): use the singular for 1, got "rate(1 days)"`},
		{"24 rate of zero", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: rate(0 minutes)}`),
			`jobs[0].schedule: must have a rate of 1 or more, got "rate(0 minutes)"`},
		{"24 invalid time zone", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: rate(1 day), timeZone: Europe/Pari}`),
			`jobs[0].timeZone: must be an IANA time zone, such as UTC or Europe/Paris, got "Europe/Pari"`},
		{"24 local time zone", "dev", in("slipway:jobs:", `- {name: tidy, command: [x], schedule: rate(1 day), timeZone: Local}`),
			`jobs[0].timeZone: must be an IANA time zone, such as UTC or Europe/Paris, got "Local"`},
		{"25 command empty", "dev", in("slipway:jobs:", `- {name: tidy, command: [], schedule: rate(1 day)}`),
			`jobs[0].command: must not be empty: a list of one or more strings`},
		{"25 command left out", "dev", in("slipway:jobs:", `- {name: tidy, schedule: rate(1 day)}`),
			`jobs[0].command: is required: a list of one or more strings`},
		{"25 command as one string", "dev", in("slipway:jobs:", `- {name: tidy, command: python manage.py tidy, schedule: rate(1 day)}`),
			`jobs[0].command: must be a list, got "python manage.py tidy"`},
		{"25 command as one item", "dev", in("slipway:jobs:", `- {name: tidy, command: [python manage.py tidy], schedule: rate(1 day)}`),
			`jobs[0].command[0]: must be the program only: list each argument separately; the command does not run in a shell, got "python ` +
				`manage.py tidy"`},
		{"25 command with shell syntax", "dev", in("slipway:workers:", `- {name: feed, command: [python, a.py, "&&", python, b.py]}`),
			`workers[0].command[2]: is shell syntax, and the command does not run in a shell, got "&&"`},
		{"25 command that starts a shell", "dev", in("slipway:workers:", `- {name: feed, command: [sh, -c, "a && b"]}`), ""},
		{"26 repository without an owner", "dev", in("slipway:github: {repository: site, branches: [main]}"),
			`github.repository: must be owner/name, got "site"`},
		{"26 repository with a wildcard", "dev", in(`slipway:github: {repository: "org/*", branches: [main]}`),
			`github.repository: must be a single repository, owner/name: a wildcard would let others deploy, got "org/*"`},
		{"26 repository with a ref", "dev", in(`slipway:github: {repository: "org/site:ref", branches: [main]}`),
			`github.repository: must be owner/name, got "org/site:ref"`},
		{"26 any branch", "dev", in(`slipway:github: {repository: org/site, branches: ["*"]}`),
			`github.branches[0]: must be an exact name: a wildcard would let others deploy, got "*"`},
		{"26 any environment", "dev", in(`slipway:github: {repository: org/site, environments: ["prod*"]}`),
			`github.environments[0]: must be an exact name: a wildcard would let others deploy, got "prod*"`},
		{"26 no branch or environment", "dev", in(`slipway:github: {repository: org/site}`),
			`github: must name the branches or environments that may deploy`},
		{"26 branches without a repository", "dev", in(`slipway:github: {branches: [main]}`),
			`github.repository: is required when any other github key is set`},
		{"27 account ID as a number", "dev", in(`slipway:promotion: {to: [222222222222]}`),
			`promotion.to[0]: must be a string, but YAML reads 222222222222 as a number: write "222222222222"`},
		{"27 account alias", "dev", in(`slipway:promotion: {to: [acme-prod], from: ["22222222222"]}`),
			"promotion.from[0]: must be a 12-digit AWS account ID, in quotes, got \"22222222222\"\n" +
				`promotion.to[0]: must be a 12-digit AWS account ID, in quotes, got "acme-prod"`},
		{"27 duplicate account", "dev", in(`slipway:promotion: {from: ["222222222222", "222222222222"]}`),
			`promotion.from[1]: is listed twice, got "222222222222"`},
		{"27 the stack's own account", "dev",
			in("slipway:backend: {bucket: state, key: \"arn:aws:kms:us-east-1:111111111111:key/1\"}\nslipway:promotion: {to: [\"111111111111\"]}"),
			`promotion.to[0]: is this stack's own account, which needs no entry, got "111111111111"`},
		{"27 two other accounts", "dev", in(`slipway:promotion: {to: ["222222222222"], from: ["333333333333"]}`), ``},
		{"26 owner ID without repository ID", "dev", in(`slipway:github: {repository: org/site, branches: [main], ownerId: 583231}`),
			`github.ownerId: also needs github.repositoryId: GitHub's tokens contain both, got 583231`},
		{"26 repository ID without owner ID", "dev", in(`slipway:github: {repository: org/site, branches: [main], repositoryId: 1296269}`),
			`github.repositoryId: also needs github.ownerId: GitHub's tokens contain both, got 1296269`},
		{"26 IDs without a repository", "dev", in(`slipway:github: {ownerId: 1, repositoryId: 2}`),
			`github.repository: is required when any other github key is set`},
		{"26 owner name as ID", "dev", in(`slipway:github: {repository: org/site, branches: [main], ownerId: org, repositoryId: 2}`),
			`github.ownerId: must be a number, without quotes, got "org"`},
		{"26 ID with a wildcard", "dev", in(`slipway:github: {repository: org/site, branches: [main], ownerId: "1*", repositoryId: 2}`),
			`github.ownerId: must be a number, without quotes, got "1*"`},
		{"26 ID as a fraction", "dev", in(`slipway:github: {repository: org/site, branches: [main], ownerId: 1.5, repositoryId: 2}`),
			`github.ownerId: must be a whole number, got 1.5`},
		{"26 negative ID", "dev", in(`slipway:github: {repository: org/site, branches: [main], ownerId: -1, repositoryId: 2}`),
			`github.ownerId: must be from 1 to 999999999999, got -1`},
		{"26 read access for any branch", "dev", in(`slipway:github: {repository: org/site, branches: [main], readBranches: ["feature/*"]}`),
			`github.readBranches[0]: must be an exact name: a wildcard would let others read the stack, got "feature/*"`},
		{"26 read access for a ref", "dev", in(`slipway:github: {repository: org/site, branches: [main], readBranches: [refs/heads/main]}`),
			`github.readBranches[0]: must be a plain GitHub name, without refs/ or special characters, got "refs/heads/main"`},
		{"26 duplicate read branch", "dev", in(`slipway:github: {repository: org/site, branches: [main], readBranches: [main, main]}`),
			`github.readBranches[1]: is listed twice, got "main"`},
		{"26 pull requests without a repository", "dev", in(`slipway:github: {readPullRequests: true}`),
			`github.repository: is required when any other github key is set`},
		{"26 read branches without deploy branches", "dev", in(`slipway:github: {repository: org/site, readBranches: [main]}`),
			`github: must name the branches or environments that may deploy`},
		{"26 readPullRequests as a string", "dev", in(`slipway:github: {repository: org/site, branches: [main], readPullRequests: "yes"}`),
			`github.readPullRequests: must be a boolean (true or false), without quotes, got "yes"`},
		{"26 invalid read role ARN", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], readBranches: [main], readRole: reader}`),
			`github.readRole: must be arn:aws:iam::<account>:role/<name>, got "reader"`},
		{"26 read role without provider", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], readBranches: [main], readRole: "arn:aws:iam::123456789012:role/r"}`),
			`github.readRole: also needs github.provider: the OIDC provider that the role trusts, got "arn:aws:iam::123456789012:role/r"`},
		{"26 read role without branches", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], provider: ` +
				`"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", readRole: "arn:aws:iam::123456789012:role/r"}`),
			`github.readRole: needs github.readBranches or github.readPullRequests: they define who may use the role, got ` +
				`"arn:aws:iam::123456789012:role/r"`},
		{"26 invalid boundary ARN", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], provider: ` +
				`"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", role: "arn:aws:iam::123456789012:role/r", boundary: ` +
				`"arn:aws:iam::123456789012:role/b"}`),
			`github.boundary: must be arn:aws:iam::<account>:policy/<name>, got "arn:aws:iam::123456789012:role/b"`},
		{"26 boundary without role", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], boundary: "arn:aws:iam::123456789012:policy/b"}`),
			`github.boundary: also needs github.role: without it the stack creates both the role and the boundary, got ` +
				`"arn:aws:iam::123456789012:policy/b"`},
		{"26 read role equal to deploy role", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], readBranches: [main], provider: ` +
				`"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", role: "arn:aws:iam::123456789012:role/r", readRole: ` +
				`"arn:aws:iam::123456789012:role/r"}`),
			`github.readRole: must differ from github.role: otherwise read-only jobs could deploy, got "arn:aws:iam::123456789012:role/r"`},
		{"26 provider for something else", "dev",
			in(`slipway:github: {repository: org/site, branches: [main], provider: "arn:aws:iam::1:oidc-provider/x"}`),
			`github.provider: must be arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com, ` +
				`got "arn:aws:iam::1:oidc-provider/x"`},
		{"30 variable that starts with a digit", "dev", in("slipway:app: {env: {1A: x}}"),
			`app.env.1A: must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters`},
		{"30 variable with =", "dev", in("slipway:app: {env: {A=B: x}}"),
			`app.env.A=B: must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters`},
		{"30 variable reserved by AWS", "dev", in("slipway:app: {env: {AWS_REGION: x}}"),
			`app.env.AWS_REGION: is reserved by AWS: the SDK would use it instead of the task's role and region`},
		{"30 variable reserved by Slipway", "dev", in("slipway:app: {env: {PGSSLMODE: x}}"),
			`app.env.PGSSLMODE: is set by Slipway and cannot be overridden`},
		{"30 variable in env and secrets", "dev", in("slipway:app: {env: {MAILER: x}}", "slipway:secrets: {MAILER: {secure: AAABBB}}"),
			`secrets.MAILER: is also in app.env: set it in only one of them`},
		{"31 access key", "dev", in("slipway:app: {env: {UPLOADER: AKIAIOSFODNN7EXAMPLE}}"),
			`app.env.UPLOADER: looks like an AWS access key: put it under slipway:secrets, got [secret]`},
		{"31 private key", "dev", in(`slipway:app: {env: {CERT: "-----BEGIN RSA PRIVATE KEY----- MIIE"}}`),
			`app.env.CERT: looks like a private key: put it under slipway:secrets, got [secret]`},
		{"31 password recognized by name", "dev", in("slipway:app: {env: {SMTP_PASSWORD: hunter2}}"),
			`app.env.SMTP_PASSWORD: has the name of a secret: slipway secret set SMTP_PASSWORD --stack dev, got [secret]`},
		{"31 key recognized by name", "dev", in("slipway:app: {env: {API_KEY: hunter2}}"),
			`app.env.API_KEY: has the name of a secret: slipway secret set API_KEY --stack dev, got [secret]`},
		{"31 token recognized by name", "dev", in("slipway:app: {env: {SLACK_TOKEN: hunter2}}"),
			`app.env.SLACK_TOKEN: has the name of a secret: slipway secret set SLACK_TOKEN --stack dev, got [secret]`},
		{"31 password in a URL", "dev", in("slipway:app: {env: {BROKER: \"redis://u:hunter2@h:6379\"}}"),
			`app.env.BROKER: looks like a URL with a password: put it under slipway:secrets, got [secret]`},
		{"31 public key", "dev", in("slipway:app: {env: {STRIPE_PUBLISHABLE_KEY: pk_1}}"), ""},
		{"31 secret build argument", "dev", in("slipway:app: {args: {NPM_TOKEN: hunter2}}"),
			`app.args.NPM_TOKEN: has the name of a secret, and build arguments stay readable in the image, got [secret]`},
		{"31 secret in plain text", "dev", in("slipway:secrets: {API_KEY: hunter2}"),
			`secrets.API_KEY: must be secret: slipway secret set API_KEY --stack dev, got [secret]`},
		{"31 encrypted value outside secrets", "dev", in("slipway:app: {env: {MAILER: {secure: AAABBB}}}"),
			`app.env.MAILER: must not be secret: put secret values under slipway:secrets, got [secret]`},
		{"31 encrypted object", "dev", in("slipway:network: {secure: AAABBB}"),
			`network: must not be secret: put secret values under slipway:secrets, got [secret]`},
		{"33 every host on a protected stack", "prod",
			in("slipway:protect: true", "slipway:domain: example.com", "slipway:alarms: {email: a@example.com}",
				`slipway:app: {env: {DJANGO_ALLOWED_HOSTS: "*"}}`),
			`app.env.DJANGO_ALLOWED_HOSTS: must not allow every host on a protected stack: write "{hosts}", got "*"`},
		{"33 every host on an unprotected stack", "dev", in(`slipway:app: {env: {ALLOWED_HOSTS: "*"}}`), ""},
		{"33 DEBUG on a protected stack", "prod",
			in("slipway:protect: true", "slipway:domain: example.com", "slipway:alarms: {email: a@example.com}",
				`slipway:app: {env: {DEBUG: "True"}}`),
			`app.env.DEBUG: must not be on for a protected stack, got "True"`},
		{"33 DEBUG on an unprotected stack", "dev", in(`slipway:app: {env: {DEBUG: "true"}}`), ""},
		{"33 custom PORT", "dev", in("slipway:secrets: {PORT: {secure: AAABBB}}"),
			`secrets.PORT: is set by Slipway and cannot be overridden`},
		{"33 key generated by startproject", "dev", in("slipway:app: {env: {SIGNING: django-insecure-abc}}"),
			`app.env.SIGNING: looks like a generated Django key: put it under slipway:secrets, got [secret]`},
		{"34 tag reserved by AWS", "dev", in("slipway:tags: {\"aws:team\": x}"),
			`tags.aws:team: tag keys that start with aws: are reserved by AWS`},
		{"34 tag too long", "dev", in("slipway:tags: {team: " + strings.Repeat("x", 257) + "}"),
			`tags.team: must be at most 256 characters, got "` + strings.Repeat("x", 80) + `"... (257 bytes)`},
		{"34 tag as a number", "dev", in("slipway:tags: {cost: 12}"), `tags.cost: must be a string, but YAML reads 12 as a number: write "12"`},
		{"34 tag with an invalid character", "dev", in("slipway:tags: {team: a&b}"),
			`tags.team: must contain only letters, digits, spaces and _.:/=+-@, got "a&b"`},
		{"34 tags that differ in case", "dev", in("slipway:tags: {Team: a, team: b}"),
			`tags.team: differs from Team only in case, and IAM treats both as the same key`},
		{"34 tag set by Slipway", "dev", in("slipway:tags: {Name: x}"),
			`tags.Name: is set by Slipway: each resource has a name of its own`},
		{"34 too many tags", "dev", in("slipway:tags: {x: a" + many(40, ", t%d: v") + "}"),
			`tags: must be at most 40: AWS allows 50 per resource, and Slipway adds its own, got 41`},
		{"35 top-level key misspelt", "dev", in("slipway:netwrok: {zones: 2}"), `slipway:netwrok: unknown key, did you mean network?`},
		{"35 key misspelt", "dev", in("slipway:network: {zone: 2}"), `network.zone: unknown key, did you mean zones?`},
		{"35 unknown key", "dev", in("slipway:network: {bandwidth: 2}"),
			`network.bandwidth: unknown key; valid keys are cidr, zones, nat, endpoints`},
		{"35 path without --path", "dev", in("slipway:network.zones: 3"),
			`slipway:network.zones: unknown key: write it nested, as slipway:network: {zones: 3}, or run ` +
				`pulumi config set --path slipway:network.zones 3`},
		{"35 wrong namespace", "dev", in("slpway:domain: example.com"), `slpway:domain: unknown namespace, did you mean slipway:domain?`},
		{"35 no namespace", "dev", in("domain: example.com"), `domain: has no namespace: use slipway:domain`},
		{"35 null", "dev", in("slipway:network: {zones: null}"), `network.zones: must be a number; omit the key to use its default, got null`},
		{"35 null object", "dev", in("slipway:network:"), `network: must be an object; omit the key to use its default, got null`},
		{"35 key by its former name", "dev", in(`slipway:database: {multiZone: true}`), `database.multiZone: is now database.multiAz`},
		{"35 bool with a space", "dev", in(`slipway:database: {multiAz: "true "}`),
			`database.multiAz: must be a boolean (true or false), without quotes, got "true "`},
		{"35 bool of YAML 1.1", "dev", in(`slipway:database: {multiAz: yes}`),
			`database.multiAz: must be a boolean (true or false), without quotes, got "yes"`},
		{"35 top-level bool with a space", "dev", in(`slipway:protect: "true "`),
			`protect: must be a boolean (true or false), without quotes, got "true "`},
		{"35 top-level bool as pulumi config set writes it", "dev", in(`slipway:protect: "false"`), ""},
		{"35 exponent notation", "dev", in("slipway:web: {requestsPerTarget: 1e3}"), `web.requestsPerTarget: must be a whole number, got 1e3`},
		{"35 number in quotes", "dev", in(`slipway:web: {min: "2"}`), `web.min: must be a number, without quotes, got "2"`},
		{"35 number with a leading zero", "dev", in(`slipway:web: {min: 02}`), `web.min: must be a whole number, got 02`},
		{"35 list instead of an object", "dev", in(`slipway:web: [1]`), `web: must be an object, got a list`},
		{"36 duplicate key", "dev", in("slipway:network:", "  zones: 2", "  zones: 3"), `network.zones: duplicate key`},
		{"36 duplicate top-level key", "dev", in("slipway:domain: a.example.com", "slipway:domain: b.example.com"),
			`slipway:domain: duplicate key`},
		{"38 e-mail without a host", "dev", in("slipway:alarms: {email: ops}"),
			`alarms.email: must be one e-mail address, such as ops@example.com, got "ops"`},
		{"38 e-mail with a name", "dev", in(`slipway:alarms: {email: "Ops <ops@example.com>"}`),
			`alarms.email: must be one e-mail address, such as ops@example.com, got "Ops <ops@example.com>"`},
		{"38 protected stack without alarm e-mail", "prod", in("slipway:protect: true", "slipway:domain: example.com"),
			`alarms.email: is required on a protected stack, so that alarms reach someone`},
		{"39 prod without protection", "prod", in("slipway:protect: false"), `protect: must be true on the stack prod, got false`},
		{"39 deletion protection set directly", "dev", in("slipway:database: {deletionProtection: false}"),
			`database.deletionProtection: unknown key: protect controls it`},
		{"39 final snapshot set directly", "dev", in("slipway:database: {skipFinalSnapshot: true}"),
			`database.skipFinalSnapshot: unknown key: protect controls it`},
		{"40 line break in a variable", "dev", in(`slipway:app: {env: {MOTTO: "a\nb"}}`),
			`app.env.MOTTO: must be printable text on one line, got "a\nb"`},
		{"40 line break in a name", "dev", in(`slipway:app: {env: {"a\nb": x}}`),
			`app.env["a\nb"]: must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters`},
		{"40 quotes, braces and dollars", "dev", in(`slipway:app: {env: {MOTTO: '"${{HOME}}" {{}} <&> é'}}`), ""},
		{"40 variable too long", "dev", in(`slipway:app: {env: {MOTTO: ` + strings.Repeat("x", 4097) + `}}`),
			`app.env.MOTTO: must be at most 4096 bytes, got "` + strings.Repeat("x", 80) + `"... (4097 bytes)`},

		{"plain HTTP on a protected stack", "live", in("slipway:protect: true", "slipway:alarms: {email: a@example.com}"),
			`domain: is required on a protected stack unless plainHTTP is true`},
		{"plain HTTP allowed explicitly", "live",
			in("slipway:protect: true", "slipway:plainHTTP: true", "slipway:alarms: {email: a@example.com}"), ""},
		{"plain HTTP with a domain", "dev", in("slipway:plainHTTP: true", "slipway:domain: example.com"),
			`plainHTTP: cannot be combined with domain: the site uses HTTPS, got true`},
		{"firelens without NAT", "dev", in("slipway:network: {nat: none}", "slipway:logs: {route: firelens}"),
			`logs.route: needs a NAT gateway: the log router's image comes from a public registry, and network.nat is none, got "firelens"`},
		{"invalid nat", "dev", in("slipway:network: {nat: instance}"), `network.nat: must be perZone, single or none, got "instance"`},
		{"architecture as uname prints it", "dev", in("slipway:web: {architecture: x86_64}"),
			`web.architecture: must be arm64 or amd64, got "x86_64"`},
		{"more than 100 % Spot", "dev", in("slipway:web: {spot: 101}"), `web.spot: must be from 0 to 100, got 101`},
		{"two workers with the same name", "dev", in("slipway:workers:", "- {name: feed, command: [x]}", "- {name: feed, command: [y]}"),
			`workers[1].name: is already the name of workers[0], got "feed"`},
		{"job with the name of a worker", "dev", in("slipway:workers:", "- {name: feed, command: [x]}", "slipway:jobs:",
			"- {name: feed, command: [y], schedule: rate(1 day)}"), `jobs[0].name: is already the name of workers[0], got "feed"`},
		{"two tasks of a single worker", "dev", in("slipway:workers:", "- {name: beat, command: [x], single: true, count: 2}"),
			`workers[0].count: must be 0 or 1, because workers[0].single is true, got 2`},
		{"a single worker that is paused", "dev", in("slipway:workers:", "- {name: beat, command: [x], single: true, count: 0}"), ""},
		{"single that is no boolean", "dev", in("slipway:workers:", "- {name: beat, command: [x], single: 1}"),
			`workers[0].single: must be a boolean (true or false), got 1`},
		{"worker named web", "dev", in("slipway:workers:", "- {name: web, command: [x]}"), `workers[0].name: is reserved by Slipway, got "web"`},
		{"worker with an underscore", "dev", in("slipway:workers:", "- {name: my_feed, command: [x]}"),
			`workers[0].name: must start with a letter and contain only lower-case letters, digits and single hyphens, at most 20, got "my_feed"`},
		{"bastion type with another architecture", "dev", in("slipway:bastion: {type: t3.nano}"),
			`bastion.type: must be an arm64 instance type up to large, such as t4g.nano or t4g.micro, got "t3.nano"`},
		{"empty configuration", "dev", in(), ""},
		{"engine's defaults for omitted keys", "dev",
			in(`slipway:domain: ""`, `slipway:zone: ""`, "slipway:network: {}", "slipway:jobs: []", "slipway:secrets: {}"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, strings.Join(written(t, c.stack, c.config), "\n")); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllMistakesAtOnceWithTheirLines(t *testing.T) {
	source, err := FromFile(project(t, "dev", `config:
  aws:region: us-east-1
  slipway:netwrok:
    zones: 2
  slipway:web:
    memory: 999
    min: "2"
  slipway:logs:
    days: 42
  slipway:workers:
    - name: feed
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = load(source)
	want := []string{
		`Pulumi.dev.yaml:9: logs.days: must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, ` +
			`3288 or 3653, got 42`,
		`Pulumi.dev.yaml:3: slipway:netwrok: unknown key, did you mean network?`,
		`Pulumi.dev.yaml:6: web.memory: must be 512, 1024 or 2048 for cpu 256, got 999`,
		`Pulumi.dev.yaml:7: web.min: must be a number, without quotes, got "2"`,
		`Pulumi.dev.yaml:11: workers[0].command: is required: a list of one or more strings`,
	}
	if diff := cmp.Diff(want, lines(t, err, true)); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatCannotBeRead(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"36 tab", "config:\n  aws:region: us-east-1\n\tslipway:protect: true\n",
			"Pulumi.dev.yaml:3: is indented with a tab: YAML allows only spaces"},
		{"36 BOM", "\xEF\xBB\xBFconfig: {}\n", "Pulumi.dev.yaml:1: starts with a byte order mark: save it as UTF-8 without one"},
		{"36 UTF-16", "\xFF\xFEc\x00", "Pulumi.dev.yaml:1: starts with a byte order mark: save it as UTF-8 without one"},
		{"36 ten megabytes", strings.Repeat("# nothing\n", 1<<20), "Pulumi.dev.yaml:1: is larger than 1048576 bytes"},
		{"not YAML", "config: [\n", "Pulumi.dev.yaml:1: is not valid YAML: did not find expected node content"},
		{"a list", "- config\n", "Pulumi.dev.yaml:1: must be an object of keys and values"},
		{"two documents", "config: {}\n---\nconfig: {}\n", "Pulumi.dev.yaml:2: is a second YAML document: a stack file has one"},
		{"an alias", "config:\n  slipway:web: &a {min: 1}\n  slipway:logs: *a\n",
			"Pulumi.dev.yaml:3: uses an alias (*a): repeat the value instead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FromFile(project(t, "dev", c.content))
			if diff := cmp.Diff([]string{c.want}, lines(t, err, true)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("36 missing", func(t *testing.T) {
		path := project(t, "dev", "config: {}\n")
		_, err := FromFile(filepath.Join(filepath.Dir(path), "Pulumi.production.yaml"))
		if diff := cmp.Diff([]string{"Pulumi.production.yaml: no such file; the stacks are dev"}, lines(t, err, true)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("no project", func(t *testing.T) {
		path := project(t, "dev", "config: {}\n")
		if err := os.Remove(filepath.Join(filepath.Dir(path), "Pulumi.yaml")); err != nil {
			t.Fatal(err)
		}
		_, err := FromFile(path)
		if diff := cmp.Diff([]string{"Pulumi.yaml: cannot be read: no such file or directory"}, lines(t, err, true)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("wrong file name", func(t *testing.T) {
		_, err := FromFile("stack.yaml")
		if diff := cmp.Diff([]string{"stack.yaml: must be named Pulumi.<stack>.yaml"}, lines(t, err, true)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEmptyAndUnknownPartsOfAFile(t *testing.T) {
	want := []string{`aws:region: is required: pulumi config set aws:region us-east-1`}
	for _, content := range []string{"", "# nothing yet\n", "config:\n", "encryptionsalt: v1:x\nconfig: {}\n"} {
		if diff := cmp.Diff(want, written(t, "dev", content)); diff != "" {
			t.Errorf("%q: %s", content, diff)
		}
	}
	if diff := cmp.Diff([]string{`confg: unknown key; put configuration under config`}, written(t, "dev", in()+"confg: {}\n")); diff != "" {
		t.Error(diff)
	}
}

func TestDefaults(t *testing.T) {
	source, err := FromFile(project(t, "dev", in("slipway:domain: shop.example.co.uk")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := load(source)
	if err != nil {
		t.Fatal(err)
	}
	want := &Stack{
		Project: "slipway", Name: "dev", Region: "us-east-1", AWS: AWS{Region: "us-east-1", Given: []string{"region"}},
		Domain: "shop.example.co.uk", Zone: "example.co.uk", Keys: "perPurpose",
		Network: Network{CIDR: "10.0.0.0/16", Zones: 2, NAT: "single"},
		Database: Database{EngineVersion: "17", Class: "db.t4g.micro", Storage: 20, MaxStorage: 100, BackupDays: 7,
			BackupWindow: "03:00-04:00", MaintenanceWindow: "sun:04:30-sun:05:30", Name: "site", Rotation: 1, Role: "lesser"},
		Cache: Cache{Version: "8.0", Rotation: 1},
		Web: Web{CPU: 256, Memory: 512, Architecture: "arm64", Min: 1, Max: 4, Connections: 6, CheckPath: "/",
			RequestsPerTarget: 1000, CPUTarget: 60, SecretKeyRotation: 1},
		App: App{Path: "./app", Context: "./app", Manage: []string{"python", "manage.py"}, Port: 8000, Start: 60, Health: "http",
			Static:  Static{Serve: "nginx", URL: "/static/", Commands: [][]string{{"collectstatic", "--noinput"}}},
			Migrate: Migrate{Commands: [][]string{{"migrate", "--noinput"}}, Limit: 15},
			Nginx:   Nginx{MaxBody: 25, Timeout: 60, Base: "nginx:1.28.0-alpine-slim"}},
		Logs:    Logs{Days: 30, ArchiveDays: 365, Route: "subscription"},
		WAF:     WAF{RateLimit: 2000},
		Bastion: Bastion{Enabled: true, Type: "t4g.nano"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStacksOfThisRepository(t *testing.T) {
	files, err := filepath.Glob("../Pulumi.*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("stacks: %v, %v", files, err)
	}
	for _, file := range files {
		source, err := FromFile(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if _, err := load(source); err != nil {
			t.Errorf("%s:\n%v", file, err)
		}
	}
}
