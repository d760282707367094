package cloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/rehearsal/reach"
)

// Settings of a database that RDS accepts, and what the environment of tasks says about it.

func (s settings) database(o *Object) []Finding {
	return slices.Concat(s.publicDatabase(o), s.bufferedDatabase(o))
}

// publicDatabase: RDS gives the instance a public address. A site whose tasks alone use the database needs none; clients outside need
// a rule for them as well, and a route.
func (s settings) publicDatabase(o *Object) []Finding {
	out := Inputs(o.Outputs)
	if !out.Bool("publiclyAccessible") || s.admitsOutside(out.Strings("vpcSecurityGroupIds")) {
		return nil
	}
	return []Finding{judged(o).finding("PubliclyAccessible", "the database has a public address", "set publiclyAccessible to false",
		"RDS API Reference, ModifyDBInstance, PubliclyAccessible; AWS Security Hub, control RDS.2",
		"outside of its VPC, its name resolves to a public address", "no rule of its security groups admits an address outside of the network: "+
			"nothing uses it, and one rule would open it")}
}

// admitsOutside reports whether security groups admit an address outside of the networks.
func (s settings) admitsOutside(groups []string) bool {
	judge, _ := s.a.judges[Paths].(*paths)
	n := judge.networks()
	inside := func(block netip.Prefix) bool {
		for _, vpc := range n.VPCs {
			if slices.ContainsFunc(vpc.CIDRs, func(own netip.Prefix) bool { return own.Overlaps(block) }) {
				return true
			}
		}
		return false
	}
	for _, id := range groups {
		if g := n.Groups[id]; g != nil && slices.ContainsFunc(g.In, func(r reach.Rule) bool { return r.CIDR.IsValid() && !inside(r.CIDR) }) {
			return true
		}
	}
	return false
}

// bufferedDatabase: Postgres allocates shared_buffers when it starts.
func (s settings) bufferedDatabase(o *Object) []Finding {
	out := Inputs(o.Outputs)
	group := find(s.a, "id", out.String("parameterGroupName"), parametersType)
	memory := classGiB(out.String("instanceClass"))
	if group == nil || memory == 0 || out.String("engine") != "postgres" {
		return nil
	}
	for _, p := range Inputs(group.Outputs).Maps("parameters") {
		pages, err := strconv.Atoi(p.String("value"))
		if p.String("name") != "shared_buffers" || err != nil || pages*8>>20 < memory {
			continue
		}
		return []Finding{judged(o).finding("incompatible-parameters", "the database does not start: its parameters need more memory than it has",
			"lower shared_buffers, which counts pages of 8 KB", "RDS User Guide, \"Diagnosing and resolving incompatible parameters status for "+
				"a memory limit\"",
			fmt.Sprintf("shared_buffers of %s is %d pages, %d GiB, and %s has %d GiB", group.describe(), pages, pages*8>>20,
				out.String("instanceClass"), memory))}
	}
	return nil
}

// classGiB is the memory of an instance class; 0 if it is not known.
func classGiB(class string) int {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	switch memory := classMemory[size]; {
	case family == "":
		return 0
	case family[0] == 'r':
		return 2 * memory
	case family[0] == 'x':
		return 4 * memory
	default:
		return memory
	}
}

// The variables by which Postgres's clients, images and Django projects name the parts of a connection.
var (
	portVariable     = regexp.MustCompile(`^(PGPORT|DB_PORT|DATABASE_PORT|POSTGRES_PORT)$`)
	databaseVariable = regexp.MustCompile(`^(PGDATABASE|DB_NAME|DB_DATABASE|DATABASE_NAME|POSTGRES_DB)$`)
	modeVariable     = regexp.MustCompile(`SSL_?MODE$`)
)

// databaseVariables: what a container's environment says about a database must be true.
func (a *Account) databaseVariables(d deployed, c containerSpec) []Finding {
	const page = "RDS User Guide, \"Connecting to a DB instance running the PostgreSQL database engine\""
	var found []Finding
	for _, o := range a.list(databaseType) {
		out := Inputs(o.Outputs)
		if out.String("engine") != "postgres" || !slices.ContainsFunc(c.Environment,
			func(e namedValue) bool { return e.Value == out.String("address") }) {
			continue
		}
		say := func(e namedValue, message, fix, source, why string) {
			found = append(found, d.finding("OperationalError", message, fix, source,
				fmt.Sprintf("container %s connects to %s with %s=%s", c.Name, o.describe(), e.Name, e.Value), why))
		}
		for _, e := range c.Environment {
			switch port := strconv.Itoa(out.Int("port")); {
			case portVariable.MatchString(e.Name) && e.Value != port:
				say(e, fmt.Sprintf("connection to server at %q, port %s failed", out.String("address"), e.Value), "set "+e.Name+" to "+port, page,
					"the database listens on port "+port)
			case databaseVariable.MatchString(e.Name) && e.Value != out.String("dbName") && e.Value != "postgres":
				say(e, fmt.Sprintf("FATAL: database %q does not exist", e.Value), "set "+e.Name+" to "+out.String("dbName"), page,
					"RDS creates the database "+out.String("dbName"))
			case modeVariable.MatchString(e.Name) && e.Value == "disable" && a.forcesTLS(out):
				say(e, "FATAL: no pg_hba.conf entry for host, no encryption", "set "+e.Name+" to verify-full",
					"RDS User Guide, \"Using SSL with a PostgreSQL DB instance\", rds.force_ssl", "rds.force_ssl is 1: it takes TLS only")
			}
		}
	}
	return found
}

// forcesTLS: rds.force_ssl is 1 by default since PostgreSQL 15.
func (a *Account) forcesTLS(database Inputs) bool {
	if group := find(a, "id", database.String("parameterGroupName"), parametersType); group != nil {
		for _, p := range Inputs(group.Outputs).Maps("parameters") {
			if p.String("name") == "rds.force_ssl" {
				return p.String("value") == "1" || p.String("value") == "on"
			}
		}
	}
	return atoi(majorOf(database.String("engineVersionActual"))) >= 15
}

// bucketVariable is how Django projects and libraries name a bucket.
var bucketVariable = regexp.MustCompile(`BUCKET(_NAME)?$`)

// foreignBuckets: a bucket that a variable names and that would be one of the stack's own must exist, or the task role must be allowed
// to read it. Another name may be a bucket whose own policy admits the role, which the model does not know.
func (a *Account) foreignBuckets(d deployed, c containerSpec) []Finding {
	role := find(a, "arn", d.definition.String("taskRoleArn"), roleType)
	var found []Finding
	for _, e := range c.Environment {
		if role == nil || e.Value == "" || !bucketVariable.MatchString(e.Name) || find(a, "id", e.Value, bucketType) != nil ||
			!strings.HasPrefix(e.Value, a.bucketPrefix()) {
			continue
		}
		resource := "arn:" + a.Partition + ":s3:::" + e.Value + "/x"
		if a.authorize(Caller{Role: role.ID}, Call{Action: "s3:GetObject", Resource: resource}) == nil {
			continue
		}
		found = append(found, d.finding("AccessDenied", "the site cannot read bucket "+e.Value,
			"correct "+e.Name+", or allow the task role to use it",
			"ECS Developer Guide, \"Amazon ECS task IAM role\"",
			fmt.Sprintf("container %s has %s=%s, which is no bucket of this account, and role %s "+
				"may not s3:GetObject there", c.Name, e.Name, e.Value, role.logical())))
	}
	return found
}

// bucketPrefix is what the names of all buckets of the account have in common.
func (a *Account) bucketPrefix() string {
	var common *string
	for _, b := range a.all() {
		if b.Type != bucketType {
			continue
		}
		if common == nil {
			common = &b.ID
			continue
		}
		n := 0
		for n < min(len(*common), len(b.ID)) && (*common)[n] == b.ID[n] {
			n++
		}
		shorter := (*common)[:n]
		common = &shorter
	}
	if common == nil || len(*common) < 4 { // unrelated names
		return "\x00"
	}
	return *common
}
