package config

import (
	"fmt"
	"maps"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that time zones are known on every machine
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"slipway/internal/fargate/size"
	"slipway/internal/github"
	"slipway/internal/image"
)

// rules checks what the tags cannot express: formats of strings and relations between keys.
func (d *decoder) rules(s *Stack) {
	d.names(s)
	d.version(s.Version)
	d.site(s)
	d.network(s)
	d.database(s.Database)
	d.cache(s)
	d.web(s.Web)
	d.uploads(s.WAF)
	d.workloads(s)
	d.connections(s)
	d.app(s)
	d.settings(s)
	d.images(s.Images)
	d.logs(s)
	d.github(s.GitHub)
	d.backend(s)
	d.promotion(s)
	d.tags(s.Tags)
	d.protected(s)
	d.partitions(s)
	if r := s.Alarms.Runbook; r != "" && !page(r) {
		d.add("alarms.runbook", quoted(r), "must be the URL of a page, such as https://wiki.example.com/runbook, without # and "+
			"at most 300 characters")
	}
	if s.Alarms.Email != "" && !email(s.Alarms.Email) {
		d.add("alarms.email", quoted(s.Alarms.Email), "must be one e-mail address, such as ops@example.com")
	}
	if !bastionType.MatchString(s.Bastion.Type) {
		d.add("bastion.type", quoted(s.Bastion.Type), "must be an arm64 instance type up to large, such as t4g.nano or t4g.micro")
	}
}

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	bastionType = regexp.MustCompile(`^(t4g\.(nano|micro|small|medium|large)|(m6g|m7g|c6g|c7g|r6g|r7g)\.(medium|large))$`)
)

// names checks the two names that every physical name starts with: project-stack-part.
func (d *decoder) names(s *Stack) {
	for _, n := range []struct{ key, value string }{{"project", s.Project}, {"stack", s.Name}} {
		if !nameForm.MatchString(n.value) {
			d.add(n.key, quoted(n.value), "the name must start with a letter and contain only lower-case letters, digits and single hyphens")
		}
	}
	if slices.Contains(Namespaces, s.Project) {
		d.add("project", quoted(s.Project), "the name is reserved for the configuration of Pulumi and its providers, as in aws:region: "+
			"choose another one, such as %s-site", s.Project)
	}
	if balancer := s.Project + "-" + s.Name + "-web"; d.valid("project", "stack") && len(balancer) > 32 {
		d.add("stack", quoted(s.Name), "the name is too long: the load balancer would be named %s, which has %d characters; AWS allows 32",
			balancer, len(balancer))
	}
}

var labelForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// host returns why a string is not a valid host name for a site, or "".
func host(name string) string {
	bare := strings.ToLower(name)
	switch {
	case strings.Contains(name, "://"), strings.ContainsAny(name, "/:@ "):
		return "must be a host name such as www.example.com, without scheme, port or path"
	case strings.HasSuffix(name, "."):
		return "must not end with a dot"
	case strings.Contains(name, "*"):
		return "must be a single host name, without a wildcard"
	case strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }):
		if puny, err := idna.Lookup.ToASCII(name); err == nil {
			return "must be written in its ASCII form: " + puny
		}
		return "must be a host name in ASCII"
	case bare != name:
		return "must be in lower case: " + bare
	case len(name) > 64:
		return "must be at most 64 characters, the limit for a certificate's name"
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if !labelForm.MatchString(label) {
			return "must be a host name, such as www.example.com"
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "must be a host name, not an address"
	}
	if len(labels) < 2 {
		return "must be a full host name, such as www.example.com"
	}
	return ""
}

var zoneForm = regexp.MustCompile(`^Z[A-Z0-9]{1,31}$`)

func (d *decoder) site(s *Stack) {
	if s.Domain == "" {
		if s.Zone != "" {
			d.add("zone", quoted(s.Zone), "requires domain")
		}
		if s.ZoneID != "" {
			d.add("zoneId", quoted(s.ZoneID), "requires domain")
		}
		return
	}
	if s.ZoneID != "" && !zoneForm.MatchString(s.ZoneID) {
		d.add("zoneId", quoted(s.ZoneID), "must be the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/")
	}
	if strings.ContainsAny(s.Domain, ",[ ") {
		d.add("domain", quoted(s.Domain), "%s", oneName)
		return
	}
	if rule := host(s.Domain); rule != "" {
		d.add("domain", quoted(s.Domain), "%s", rule)
		return
	}
	if s.Zone == "" && d.valid("zone") {
		registrable, err := publicsuffix.EffectiveTLDPlusOne(s.Domain)
		if err != nil {
			d.add("domain", quoted(s.Domain), "is a public suffix: use a domain below it")
			return
		}
		s.Zone = registrable
	}
	if rule := host(s.Zone); s.Zone != "" && rule != "" {
		d.add("zone", quoted(s.Zone), "%s", rule)
	}
	if d.valid("zone") && s.Domain != s.Zone && !strings.HasSuffix(s.Domain, "."+s.Zone) {
		d.add("zone", quoted(s.Zone), "must be the domain %s or a parent of it", s.Domain)
	}
	if s.PlainHTTP {
		d.add("plainHTTP", "true", "cannot be combined with domain: the site uses HTTPS")
	}
}

var (
	private = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}
	docker = netip.MustParsePrefix("172.17.0.0/16")
)

func (d *decoder) network(s *Stack) {
	const key = "network.cidr"
	cidr, shown := s.Network.CIDR, quoted(s.Network.CIDR)
	p, err := netip.ParsePrefix(cidr)
	switch {
	case !d.valid(key):
	case err != nil:
		d.add(key, shown, "must be an IPv4 CIDR block such as 10.0.0.0/16")
	case !p.Addr().Is4():
		d.add(key, shown, "must be an IPv4 CIDR block, not IPv6")
	case p.Masked() != p || p.String() != cidr:
		d.add(key, shown, "must be %s: the address has host bits set", p.Masked())
	case p.Bits() < 16 || p.Bits() > 28:
		d.add(key, shown, "AWS allows /16 to /28")
	case p.Bits() > 24:
		d.add(key, shown, "is too small: public, private and data subnets in three zones need /24 or larger (AWS allows /16 to /28)")
	case p.Overlaps(docker):
		d.add(key, shown, "overlaps 172.17.0.0/16, which some AWS services use internally for Docker")
	case !slices.ContainsFunc(private, func(block netip.Prefix) bool { return block.Contains(p.Addr()) }):
		d.add(key, shown, "must be in a private range: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10")
	}
	for i, name := range s.Network.Endpoints {
		path := fmt.Sprintf("network.endpoints[%d]", i)
		switch {
		case s.Network.NAT != "none" && d.valid("network.nat"):
			d.add(path, quoted(name), "requires nat: none; with a NAT gateway the app reaches every service without an endpoint")
		case name == "s3" || name == "dynamodb":
			d.add(path, quoted(name), "is reached through a gateway endpoint: Slipway makes the one of S3, and none of DynamoDB")
		case !endpointForm.MatchString(name):
			d.add(path, quoted(name), "must be the last part of an endpoint's name, such as sqs for com.amazonaws.%s.sqs", s.Region)
		case slices.Index(s.Network.Endpoints, name) != i:
			d.add(path, quoted(name), "is listed twice")
		}
	}
	if s.Region == "us-west-1" && s.Network.Zones > 2 {
		d.add("network.zones", strconv.Itoa(s.Network.Zones), "must be 2: us-west-1 has only two availability zones")
	}
}

// endpointForm is the last part of an endpoint's name: sqs, ecr.api, email-smtp.
var endpointForm = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)

// uploads checks the paths that take uploads. WAF compares them with the path alone, decoded and normalized.
func (d *decoder) uploads(w WAF) {
	if n := len(w.UploadPaths); n > 10 {
		d.add("waf.uploadPaths", strconv.Itoa(n)+" paths", "must be at most 10")
	}
	for i, path := range w.UploadPaths {
		at := fmt.Sprintf("waf.uploadPaths[%d]", i)
		switch {
		case path == "/*":
			d.add(at, quoted(path), "is every path: name those that take uploads, such as /admin/*")
		case !uploadPath.MatchString(path) || len(path) > 200 || strings.Contains(path, "..") || strings.Contains(path, "//"):
			d.add(at, quoted(path), "must be a path such as /upload/, or all below one such as /admin/*, of at most 200 characters")
		}
	}
}

var uploadPath = regexp.MustCompile(`^/([A-Za-z0-9\-._~!$&'()+,;=:@/]*|[A-Za-z0-9\-._~!$&'()+,;=:@/]*/\*)$`)

func (d *decoder) web(w Web) {
	d.fargate("web", w.CPU, w.Memory)
	if d.valid("web.min", "web.max") && w.Min > w.Max {
		d.add("web.max", strconv.Itoa(w.Max), "must be at least min (%d)", w.Min)
	}
	path := w.HealthPath
	if path != "" && d.valid("web.healthPath") && (len(path) > 1024 || !healthPath.MatchString(path)) {
		d.add("web.healthPath", quoted(path), "must be a path that starts with /, with an optional query (/ht/?format=json), of at most 1024 "+
			"characters: percent-encode what a URL cannot contain")
	}
	if path := w.CheckPath; d.valid("web.checkPath") && (len(path) > 1024 || !checkPath.MatchString(path)) {
		d.add("web.checkPath", quoted(path), "must start with one / and contain no spaces and no #, at most 1024 characters")
	}
}

// checkPath is a path and a query. Two slashes at the beginning would name another host.
var checkPath = regexp.MustCompile(`^/([!"$-.0-\[\]-~][!"$-\[\]-~]*)?$`)

// healthPath is /path?query of RFC 3986, which the target group takes: Application Load Balancer guide, "Health checks for
// your target groups", HealthCheckPath.
var healthPath = regexp.MustCompile(`^/([A-Za-z0-9\-._~/!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*` +
	`(\?([A-Za-z0-9\-._~/!$&'()*+,;=:@?]|%[0-9A-Fa-f]{2})*)?$`)

// fargate checks a task's memory for its cpu. The tag of cpu has checked the cpu itself.
func (d *decoder) fargate(path string, cpu, memory int) {
	offered := size.Memories(cpu)
	if offered == nil || slices.Contains(offered, memory) || !d.valid(path+".cpu", path+".memory") {
		return
	}
	words := make([]string, len(offered))
	for i, m := range offered {
		words[i] = strconv.Itoa(m)
	}
	allowed := either(words)
	if n := len(offered); n > 4 {
		allowed = fmt.Sprintf("from %d to %d in steps of %d", offered[0], offered[n-1], offered[1]-offered[0])
	}
	d.add(path+".memory", strconv.Itoa(memory), "must be %s for cpu %d", allowed, cpu)
}

// reservedNames are parts of physical names that Slipway uses itself.
var reservedNames = []string{"web", "django", "nginx", "migration", "migrate", "bastion", "jobs", "workers"}

func (d *decoder) workloads(s *Stack) {
	seen := map[string]string{}
	name := func(path, name string) {
		path += ".name"
		switch {
		case !d.valid(path):
		case !nameForm.MatchString(name) || len(name) > 20:
			d.add(path, quoted(name), "must start with a letter and contain only lower-case letters, digits and single hyphens, at most 20")
		case slices.Contains(reservedNames, name):
			d.add(path, quoted(name), "is reserved by Slipway")
		case seen[name] != "":
			d.add(path, quoted(name), "is already the name of %s", seen[name])
		default:
			seen[name] = strings.TrimSuffix(path, ".name")
		}
	}
	for i, w := range s.Workers {
		path := fmt.Sprintf("workers[%d]", i)
		name(path, w.Name)
		d.command(path+".command", w.Command)
		d.fargate(path, w.CPU, w.Memory)
		if w.Single && w.Count > 1 && d.valid(path+".count") {
			d.add(path+".count", strconv.Itoa(w.Count), "must be 0 or 1, because %s.single is true", path)
		}
	}
	for i, j := range s.Jobs {
		path := fmt.Sprintf("jobs[%d]", i)
		name(path, j.Name)
		d.command(path+".command", j.Command)
		d.fargate(path, j.CPU, j.Memory)
		if rule := schedule(j.Schedule); rule != "" && d.valid(path+".schedule") {
			d.add(path+".schedule", quoted(j.Schedule), "%s", rule)
		}
		if _, err := time.LoadLocation(j.TimeZone); err != nil || j.TimeZone == "Local" {
			d.add(path+".timeZone", quoted(j.TimeZone), "must be an IANA time zone, such as UTC or Europe/Paris")
		}
	}
}

// command checks a list of arguments. It does not run in a shell, so shell syntax is a mistake unless the program is a shell.
func (d *decoder) command(path string, args []string) {
	if len(args) == 0 || !d.valid(path) {
		return
	}
	if slices.Contains([]string{"sh", "bash", "dash"}, filepath.Base(args[0])) {
		return
	}
	if strings.ContainsAny(args[0], " \t|&;<>$`'\"") {
		d.add(path+"[0]", quoted(args[0]), "must be the program only: list each argument separately; the command does not run in a shell")
		return
	}
	for i, arg := range args {
		if slices.Contains([]string{"|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"}, arg) || strings.Contains(arg, "$(") ||
			strings.Contains(arg, "`") {
			d.add(fmt.Sprintf("%s[%d]", path, i), quoted(arg), "is shell syntax, and the command does not run in a shell")
		}
	}
}

var envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// awsNames are variables that would change which credentials, which configuration or which region the AWS SDKs in a task use:
// AWS SDKs and Tools Reference Guide, "Environment variables list"; ECS developer guide, "IAM roles for your tasks". Other names
// with AWS_ are the app's own: django-storages reads AWS_STORAGE_BUCKET_NAME.
var awsNames = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EXECUTION_ENV",
}

// accessKeys may be empty: settings that demand them pass the empty string on to boto3, which then asks for the task's role.
var accessKeys = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}

// settingName returns why a name cannot be an environment variable of the app, or "".
func settingName(name string, reserved []string) string {
	switch {
	case !envForm.MatchString(name):
		return "must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters"
	case slices.Contains(awsNames, name):
		return "is reserved by AWS: the SDK would use it instead of the task's role and region"
	case strings.HasPrefix(name, "ECS_"):
		return "is reserved by AWS: the container agent sets variables that start with ECS_"
	case name == "DJANGO_SETTINGS_MODULE":
		return "is set by Slipway: name the module in app.settings"
	case slices.Contains(reserved, name):
		return "is set by Slipway and cannot be overridden"
	case strings.HasPrefix(name, "SLIPWAY_"):
		return "is reserved by Slipway: it sets variables that start with SLIPWAY_"
	}
	return ""
}

func (d *decoder) settings(s *Stack) {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(s.App.Env)) {
		path, value := step("app.env", name), s.App.Env[name]
		if value == "" && slices.Contains(accessKeys, name) {
			continue
		}
		size += len(name) + len(value)
		if rule := settingName(name, d.source.Reserved); rule != "" {
			d.add(path, "", "%s", rule)
		} else {
			d.template(s, path, name, value)
		}
		if name == "DEBUG" && s.Protect && slices.Contains([]string{"1", "on", "t", "true", "y", "yes"}, strings.ToLower(value)) {
			d.add(path, quoted(value), "must not be on for a protected stack")
		}
		if strings.HasSuffix(name, "ALLOWED_HOSTS") && s.Protect && value == "*" {
			d.add(path, quoted(value), `must not allow every host on a protected stack: write "{hosts}"`)
		}
	}
	if size > 32<<10 {
		d.add("app.env", "", "must be at most 32768 bytes in total, but is %d: ECS limits the size of a task definition", size)
	}
	for _, name := range s.SecretNames {
		path := step("secrets", name)
		if rule := settingName(name, d.source.Reserved); rule != "" {
			d.add(path, "", "%s", rule)
		}
		if _, both := s.App.Env[name]; both {
			d.add(path, "", "is also in app.env: set it in only one of them")
		}
	}
}

func (d *decoder) images(i Images) {
	for _, one := range []struct{ key, value, other string }{{"images.django", i.Django, i.Nginx}, {"images.nginx", i.Nginx, i.Django}} {
		switch {
		case one.value != "" && !image.Digest.MatchString(one.value):
			d.add(one.key, quoted(one.value), "must be a digest, sha256: and 64 hexadecimal digits; a tag could move to another image")
		case one.value == "" && one.other != "":
			d.add(one.key, "", "is required: a release has two digests")
		}
	}
}

func (d *decoder) logs(s *Stack) {
	if d.valid("logs.days", "logs.archiveDays") && s.Logs.ArchiveDays < s.Logs.Days {
		d.add("logs.archiveDays", strconv.Itoa(s.Logs.ArchiveDays), "must be at least days (%d)", s.Logs.Days)
	}
	if s.Logs.Route == "firelens" && s.Network.NAT == "none" {
		d.add("logs.route", quoted(s.Logs.Route),
			"needs a NAT gateway: the log router's image comes from a public registry, and network.nat is none")
	}
}

func (d *decoder) github(g GitHub) {
	const key = "github.repository"
	given := len(g.Branches)+len(g.Environments) > 0 || g.Provider != "" || g.Role != "" || g.Boundary != "" || g.Reads() ||
		g.ReadRole != "" || g.OwnerID != 0 || g.RepositoryID != 0
	switch {
	case !d.valid(key):
	case g.Repository == "" && given:
		d.add(key, "", "is required when any other github key is set")
	case g.Repository == "":
	case strings.Contains(g.Repository, "*"):
		d.add(key, quoted(g.Repository), "must be a single repository, owner/name: a wildcard would let others deploy")
	case !github.Repository.MatchString(g.Repository):
		d.add(key, quoted(g.Repository), "must be owner/name")
	case len(g.Branches)+len(g.Environments) == 0 && d.valid("github.branches", "github.environments"):
		d.add("github", "", "must name the branches or environments that may deploy")
	}
	d.githubIDs(g)
	d.githubNames("github.branches", g.Branches, github.Branch, "deploy")
	d.githubNames("github.environments", g.Environments, github.Environment, "deploy")
	d.githubNames("github.readBranches", g.ReadBranches, github.Branch, "read the stack")
	d.githubRoles(g)
}

// githubIDs checks the numbers of the owner and the repository, which come together.
func (d *decoder) githubIDs(g GitHub) {
	for _, pair := range []struct {
		key, other string
		id, needs  int
	}{
		{"github.ownerId", "github.repositoryId", g.OwnerID, g.RepositoryID},
		{"github.repositoryId", "github.ownerId", g.RepositoryID, g.OwnerID},
	} {
		if pair.id != 0 && pair.needs == 0 && d.valid(pair.other) {
			d.add(pair.key, strconv.Itoa(pair.id), "also needs %s: GitHub's tokens contain both", pair.other)
		}
	}
}

// githubNames checks the branches or environments that may do something.
func (d *decoder) githubNames(key string, names []string, form *regexp.Regexp, may string) {
	seen := map[string]bool{}
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case strings.ContainsAny(name, "*?"):
			d.add(at, quoted(name), "must be an exact name: a wildcard would let others %s", may)
		case name != "" && (!form.MatchString(name) || strings.Contains(name, "..")):
			d.add(at, quoted(name), "must be a plain GitHub name, without refs/ or special characters")
		case strings.HasPrefix(name, "refs/"):
			d.add(at, quoted(name), "must be a plain GitHub name, without refs/ or special characters")
		case seen[name]:
			d.add(at, quoted(name), "is listed twice")
		}
		seen[name] = true
	}
}

// githubRoles checks what exists already in the account, and what of it needs something else.
func (d *decoder) githubRoles(g GitHub) {
	if g.Provider != "" && !github.Provider.MatchString(g.Provider) {
		d.add("github.provider", quoted(g.Provider), "must be arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com")
	}
	exists := func(key, role string) {
		switch {
		case role != "" && !roleForm.MatchString(role):
			d.add(key, quoted(role), "must be arn:aws:iam::<account>:role/<name>")
		case role != "" && g.Provider == "" && d.valid("github.provider"):
			d.add(key, quoted(role), "also needs github.provider: the OIDC provider that the role trusts")
		}
	}
	exists("github.role", g.Role)
	exists("github.readRole", g.ReadRole)
	switch {
	case g.Boundary != "" && !boundaryForm.MatchString(g.Boundary):
		d.add("github.boundary", quoted(g.Boundary), "must be arn:aws:iam::<account>:policy/<name>")
	case g.Boundary != "" && g.Role == "" && d.valid("github.role"):
		d.add("github.boundary", quoted(g.Boundary), "also needs github.role: without it the stack creates both the role and the boundary")
	}
	if g.ReadRole != "" && !g.Reads() && d.valid("github.readBranches", "github.readPullRequests") {
		d.add("github.readRole", quoted(g.ReadRole), "needs github.readBranches or github.readPullRequests: they define who may use the role")
	}
	if g.ReadRole != "" && g.ReadRole == g.Role {
		d.add("github.readRole", quoted(g.ReadRole), "must differ from github.role: otherwise read-only jobs could deploy")
	}
}

var (
	roleForm     = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@/_-]{1,512}$`)
	boundaryForm = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@/_-]{1,512}$`)
	bucketForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	keyForm      = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]{1,64}$`)
)

func (d *decoder) backend(s *Stack) {
	b := s.Backend
	if (b.Bucket == "") != (b.Key == "") && d.valid("backend.bucket", "backend.key") {
		d.add("backend", "", "must set both bucket and key, or neither")
	}
	if b.Bucket != "" && !bucketForm.MatchString(b.Bucket) {
		d.add("backend.bucket", quoted(b.Bucket), "must be a bucket name: 3 to 63 lower-case letters, digits and hyphens")
	}
	if b.Key == "" {
		return
	}
	switch parts := keyForm.FindStringSubmatch(b.Key); {
	case parts == nil:
		d.add("backend.key", quoted(b.Key), "must be arn:aws:kms:<region>:<account>:key/<id>")
	case d.valid("aws:region") && parts[2] != s.Region:
		d.add("backend.key", quoted(b.Key), "must be in the stack's region, %s", s.Region)
	}
}

func (d *decoder) promotion(s *Stack) {
	own := ""
	if parts := strings.Split(s.Backend.Key, ":"); len(parts) > 4 {
		own = parts[4]
	}
	for _, list := range []struct {
		key      string
		accounts []string
	}{{"promotion.to", s.Promotion.To}, {"promotion.from", s.Promotion.From}} {
		for i, id := range list.accounts {
			at := fmt.Sprintf("%s[%d]", list.key, i)
			switch {
			case !d.valid(at):
			case !accountForm.MatchString(id):
				d.add(at, quoted(id), "must be a 12-digit AWS account ID, in quotes")
			case id == own:
				d.add(at, quoted(id), "is this stack's own account, which needs no entry")
			case slices.Contains(list.accounts[:i], id):
				d.add(at, quoted(id), "is listed twice")
			}
		}
	}
}

func (d *decoder) tags(tags map[string]string) {
	allowed := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _.:/=+-@", r)
	}
	foreign := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return !allowed(r) })
	}
	if len(tags) > 40 {
		d.add("tags", strconv.Itoa(len(tags)), "must be at most 40: AWS allows 50 per resource, and Slipway adds its own")
	}
	lower := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		path, value := step("tags", name), tags[name]
		other, twice := lower[strings.ToLower(name)]
		switch {
		case name == "" || len([]rune(name)) > 128:
			d.add(path, "", "a tag key must be 1 to 128 characters")
		case strings.HasPrefix(strings.ToLower(name), "aws:"):
			d.add(path, "", "tag keys that start with aws: are reserved by AWS")
		case strings.EqualFold(name, "name"):
			d.add(path, "", "is set by Slipway: each resource has a name of its own")
		case strings.HasPrefix(strings.ToLower(name), ownTags):
			d.add(path, "", "tag keys that start with %s are reserved by Slipway", ownTags)
		case foreign(name):
			d.add(path, "", "a tag key must contain only letters, digits, spaces and _.:/=+-@")
		case len([]rune(value)) > 256:
			d.add(path, quoted(value), "must be at most 256 characters")
		case foreign(value):
			d.add(path, quoted(value), "must contain only letters, digits, spaces and _.:/=+-@")
		case twice:
			d.add(path, "", "differs from %s only in case, and IAM treats both as the same key", other)
		}
		lower[strings.ToLower(name)] = name
	}
}

// partitions checks that the ARNs are in the partition of the stack's region.
func (d *decoder) partitions(s *Stack) {
	if !d.valid("aws:region") {
		return
	}
	for _, one := range []struct{ key, arn string }{
		{"github.provider", s.GitHub.Provider}, {"github.role", s.GitHub.Role}, {"github.readRole", s.GitHub.ReadRole},
		{"github.boundary", s.GitHub.Boundary}, {"backend.key", s.Backend.Key},
	} {
		if want := "arn:" + Partition(s.Region) + ":"; one.arn != "" && d.valid(one.key) && !strings.HasPrefix(one.arn, want) {
			d.add(one.key, quoted(one.arn), "must begin with %s, as the stack is in %s", want, s.Region)
		}
	}
}

// protected checks what a protected stack requires.
func (d *decoder) protected(s *Stack) {
	if !s.Protect {
		if s.Name == "prod" || s.Name == "production" {
			d.add("protect", "false", "must be true on the stack %s", s.Name)
		}
		return
	}
	if s.Database.BackupDays == 0 {
		d.add("database.backupDays", "0", "must be from 1 to 35 on a protected stack")
	}
	if s.Domain == "" && !s.PlainHTTP {
		d.add("domain", "", "is required on a protected stack unless plainHTTP is true")
	}
	if s.Alarms.Email == "" {
		d.add("alarms.email", "", "is required on a protected stack, so that alarms reach someone")
	}
}

func email(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return host(domain) == "" && !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// page reports whether a text is the URL of a page. CloudWatch takes 1,024 characters for the description that it is in.
func page(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.Fragment == "" && u.User == nil && len(s) <= 300 &&
		!strings.ContainsFunc(s, unicode.IsSpace)
}
