package datastore

import (
	"errors"
	"fmt"
	"regexp"
)

var (
	versionForm  = regexp.MustCompile(`^[1-9][0-9](\.[0-9]{1,2})?$`)
	classForm    = regexp.MustCompile(`^db\.[a-z0-9-]+\.[a-z0-9]+$`)
	databaseForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
)

// check returns every mistake that RDS would report only after minutes, or not at all.
func (a *Args) check() error {
	var wrong []error
	must := func(ok bool, format string, values ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("datastore: "+format, values...))
		}
	}
	must(versionForm.MatchString(a.Version), `version must be a major or major.minor such as 17 or 17.2, got %q`, a.Version)
	must(classForm.MatchString(a.Class), `class must be an instance class such as db.t4g.micro, got %q`, a.Class)
	must(databaseForm.MatchString(a.Database), `database name must be a letter, then letters, digits or _, at most 63, got %q`, a.Database)
	must(a.Storage >= 20 && a.Storage <= 65536, "storage must be 20 to 65536 GiB, got %d", a.Storage)
	// RDS requires a limit at least 10% above the size.
	must(a.MaxStorage == a.Storage || 10*a.MaxStorage >= 11*a.Storage,
		"maxStorage must equal storage (%d GiB: no growth) or be at least a tenth above it, got %d", a.Storage, a.MaxStorage)
	must(a.MaxStorage <= 65536, "maxStorage must be at most 65536 GiB, got %d", a.MaxStorage)
	must(a.BackupDays >= 0 && a.BackupDays <= 35, "backupDays must be 0 to 35, got %d", a.BackupDays)
	must(a.BackupDays > 0 || !a.Site.Protect, "backupDays must be at least 1 on a protected stack, got %d", a.BackupDays)
	must(a.BackupWindow != "" && a.MaintenanceWindow != "", "backupWindow and maintenanceWindow must both be set")
	must(a.LogDays > 0, "log days must be at least 1, got %d", a.LogDays)
	must(a.Rotation > 0, "rotation must be at least 1, got %d", a.Rotation)
	must(a.KeyARN != nil && a.LogKeyARN != nil, "needs a key for its data and one for its logs")
	must(a.Placement.Subnets != nil && a.Placement.SecurityGroups != nil, "needs data subnets and a security group")
	return errors.Join(wrong...)
}
