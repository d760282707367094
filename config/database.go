package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	t  = "micro small medium large xlarge 2xlarge"
	g  = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
	x  = g + " 24xlarge"
	xx = x + " 32xlarge"
)

// classes lists the instance sizes that RDS for PostgreSQL offers, by family.
var classes = map[string]string{
	"t3": t, "t4g": t,
	"m5": x, "m5d": x, "m6g": g, "m6gd": g, "m6i": xx, "m6id": xx, "m6idn": xx, "m6in": xx, "m7g": g, "m7i": x + " 48xlarge",
	"m8g": x + " 48xlarge",
	"r5":  x, "r5b": x, "r5d": x, "r6g": g, "r6gd": g, "r6i": xx, "r6id": xx, "r6idn": xx, "r6in": xx, "r7g": g,
	"r7i": x + " 48xlarge", "r8g": x + " 48xlarge",
	"x2g": g, "x2idn": "16xlarge 24xlarge 32xlarge", "x2iedn": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge",
}

var (
	classForm    = regexp.MustCompile(`^db\.([a-z0-9]+)\.([a-z0-9]+)$`)
	versionForm  = regexp.MustCompile(`^(14|15|16|17)(\.([1-9][0-9]?))?$`)
	databaseForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// taken lists the names a database cannot have: those RDS reserves, and Postgres's reserved keywords.
var taken = strings.Fields(`postgres template0 template1 rdsadmin db admin
	all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
	current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
	distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral
	leading limit localtime localtimestamp not null offset on only or order placing primary references returning select
	session_user some symmetric table then to trailing true union unique user using variadic when where window with`)

func (d *decoder) database(db Database) {
	if !versionForm.MatchString(db.EngineVersion) {
		d.add("database.engineVersion", quoted(db.EngineVersion), "must be 14, 15, 16 or 17, or a minor version such as 17.2")
	}
	d.class(db.Class)
	if d.valid("database.storage", "database.maxStorage") && db.MaxStorage != db.Storage && db.MaxStorage*10 < db.Storage*11 {
		d.add("database.maxStorage", strconv.Itoa(db.MaxStorage), "must equal storage (%d, no autoscaling) or be from %d to 65536",
			db.Storage, (db.Storage*11+9)/10)
	}
	switch {
	case !d.valid("database.name"):
	case !databaseForm.MatchString(db.Name):
		d.add("database.name", quoted(db.Name),
			"must start with a lower-case letter and contain only lower-case letters, digits and _, at most 63")
	case slices.Contains(taken, db.Name):
		d.add("database.name", quoted(db.Name), "is reserved by Postgres or RDS")
	}
	d.windows(db.BackupWindow, db.MaintenanceWindow)
	if _, err := name.NewRepository(db.PsqlImage, name.StrictValidation); err != nil && db.PsqlImage != "" && d.valid("database.psqlImage") {
		d.add("database.psqlImage", quoted(db.PsqlImage),
			"must be a repository with its registry and without a tag, such as public.ecr.aws/docker/library/postgres")
	}
}

// connections checks that the tasks find enough connections at the worst time: all web tasks that scaling may start, each twice
// because a deployment starts the new ones before it stops the old ones; the same for workers that are not single; all jobs at once, and
// a migration with the connection of its lock.
func (d *decoder) connections(s *Stack) {
	if d.source.Connections == nil || !d.valid("database.class", "web.max", "web.connections", "workers", "jobs") {
		return
	}
	web, workers, rest := 2*s.Web.Max*s.Web.Connections, 0, len(s.Jobs)+2
	for _, w := range s.Workers {
		if w.Single {
			workers += w.Count * w.Connections
		} else {
			workers += 2 * w.Count * w.Connections
		}
	}
	needed, takes := web+workers+rest, d.source.Connections(s.Database.Class)
	if needed <= takes {
		return
	}
	d.add("database.class", quoted(s.Database.Class), "takes %d connections, and the tasks may need %d: web.max %d x web.connections %d "+
		"x 2 during a deployment = %d, workers %d, jobs and migration %d; choose a larger class, or lower web.max or web.connections",
		takes, needed, s.Web.Max, s.Web.Connections, web, workers, rest)
}

func (d *decoder) class(class string) {
	const key = "database.class"
	m := classForm.FindStringSubmatch(class)
	if m == nil {
		d.add(key, quoted(class), "must be an instance class such as db.t4g.micro")
		return
	}
	sizes, ok := classes[m[1]]
	if !ok {
		known := slices.Sorted(maps.Keys(classes))
		d.add(key, quoted(class), "RDS for PostgreSQL does not offer the family %s; it offers %s", m[1], either(known))
		return
	}
	if all := strings.Fields(sizes); !slices.Contains(all, m[2]) {
		d.add(key, quoted(class), "db.%s is available as %s", m[1], either(all))
	}
}

const (
	day  = 24 * 60
	week = 7 * day
)

var (
	days            = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	backupForm      = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)
	maintenanceForm = regexp.MustCompile(
		`^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):([0-5][0-9])-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):([0-5][0-9])$`)
)

// windows checks the format of both windows and that they do not overlap. The week wraps around.
func (d *decoder) windows(backup, maintenance string) {
	const backupKey, maintenanceKey = "database.backupWindow", "database.maintenanceWindow"
	b := backupForm.FindStringSubmatch(backup)
	m := maintenanceForm.FindStringSubmatch(maintenance)
	if b == nil {
		d.add(backupKey, quoted(backup), "must be hh:mm-hh:mm in UTC, such as 03:00-04:00")
	}
	if m == nil {
		d.add(maintenanceKey, quoted(maintenance), "must be ddd:hh:mm-ddd:hh:mm in UTC and lower case, such as sun:04:30-sun:05:30")
	}
	if !d.valid(backupKey, maintenanceKey) {
		return
	}
	start, length := minutes(b[1], b[2]), 0
	length = (minutes(b[3], b[4]) - start + day) % day
	if length < 30 {
		d.add(backupKey, quoted(backup), "must be at least 30 minutes long, but is %d", length)
	}
	from := slices.Index(days, m[1])*day + minutes(m[2], m[3])
	lasts := (slices.Index(days, m[4])*day + minutes(m[5], m[6]) - from + week) % week
	if lasts < 30 || lasts > day {
		d.add(maintenanceKey, quoted(maintenance), "must be from 30 minutes to 24 hours long, but is %s", hours(lasts))
	}
	if !d.valid(backupKey, maintenanceKey) {
		return
	}
	for i := range days {
		at := i*day + start
		if (from-at+week)%week < length || (at-from+week)%week < lasts {
			d.add(maintenanceKey, quoted(maintenance), "overlaps backupWindow %s", backup)
			return
		}
	}
}

func minutes(hh, mm string) int {
	h, _ := strconv.Atoi(hh)
	m, _ := strconv.Atoi(mm)
	return h*60 + m
}

func hours(m int) string { return fmt.Sprintf("%d:%02d hours", m/60, m%60) }
