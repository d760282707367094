// Package datastore keeps what the site must not lose: the Postgres database and the media bucket.
package datastore

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

const storeType = "slipway:datastore:Store"

// Port is where Postgres listens. The firewall knows it before there is a database.
const Port = 5432

// The two database roles. The owner is the instance's master user: it owns the tables and runs migrations. The site
// role may read and write rows; the migration makes it and gives it its password. Neither is called postgres or admin,
// the names that are tried first.
const (
	OwnerName = "slipway_owner"
	SiteName  = "slipway_site"
)

// Args describe one database.
type Args struct {
	Site      wiring.Site
	Placement wiring.Placement // data subnets in two zones or more, and the firewall's group for data

	KeyARN    pulumi.StringInput // encrypts disk, backups and Performance Insights; changing it replaces the database
	LogKeyARN pulumi.StringInput // encrypts the log groups
	LogDays   int                // how long CloudWatch keeps the database's logs

	Version    string // "17": the newest minor, kept up to date by AWS; "17.2": that one until AWS retires it
	Class      string // "db.t4g.micro"; a change takes the database away for minutes (seconds with MultiZone)
	Storage    int    // GiB, at least 20; it can grow but never shrink
	MaxStorage int    // GiB up to which the disk grows by itself; the same as Storage: it does not grow
	MultiZone  bool   // a standby in another zone; doubles the price

	BackupDays                      int    // how long automatic backups are kept: 0 (none) to 35
	BackupWindow, MaintenanceWindow string // UTC: "03:00-04:00", "sun:04:30-sun:05:30"
	Database                        string // name inside the instance; changing it replaces the database
	Rotation                        int    // raising it makes new passwords
}

// A Store is the site's Postgres: one RDS instance in the data subnets, its parameters, its logs and the passwords of
// its two roles.
//
// A protected stack keeps it: neither Pulumi nor AWS deletes it, and a deletion that was unlocked leaves a final
// snapshot and the automatic backups. Elsewhere destroy deletes it with everything in it.
//
// Cost (us-east-1): about $14 a month for db.t4g.micro with 20 GiB; MultiZone doubles that. Performance Insights with
// its seven days is free; enhanced monitoring costs cents in CloudWatch Logs.
type Store struct {
	pulumi.ResourceState
	Binding wiring.Binding // DB_HOST, DB_PORT, DB_DATABASE, DB_SSLMODE

	Identifier pulumi.StringOutput // the instance's name in AWS, also the dimension of its metrics
	Address    pulumi.StringOutput // host name alone; RDS's "endpoint" would carry the port as well
	Parameters pulumi.StringOutput // name of its parameter group
	Port       int
	Database   string

	OwnerName, SiteName         string
	OwnerPassword, SitePassword pulumi.StringOutput // secret

	LogGroups []pulumi.StringOutput // names
}

// New makes a database.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Store, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	s := &Store{Port: Port, Database: args.Database, OwnerName: OwnerName, SiteName: SiteName}
	if err := ctx.RegisterComponentResource(storeType, name, s, opts...); err != nil {
		return nil, err
	}

	if err := s.passwords(ctx, name, args); err != nil {
		return nil, err
	}
	if err := s.identify(ctx, name, args); err != nil {
		return nil, err
	}
	first, err := s.surroundings(ctx, name, args)
	if err != nil {
		return nil, err
	}
	instance, err := s.instance(ctx, name, args, first)
	if err != nil {
		return nil, err
	}

	s.Address, s.Parameters = instance.Address, first.parameters.Name
	s.Identifier = instance.Identifier // the same name, known once there is such an instance
	s.Binding = wiring.Binding{Env: map[string]pulumi.StringInput{
		"DB_HOST":     s.Address,
		"DB_PORT":     pulumi.String(strconv.Itoa(Port)),
		"DB_DATABASE": pulumi.String(args.Database),
		"DB_SSLMODE":  pulumi.String("verify-full"),
	}}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{
		"identifier": s.Identifier, "address": s.Address, "port": pulumi.Int(Port), "database": pulumi.String(args.Database),
	})
}

// passwords makes one password for each role. Rotation is their keeper: when it rises both are made anew, and within
// the same update the instance, the parameters and the tasks that depend on them change.
func (s *Store) passwords(ctx *pulumi.Context, name string, args *Args) error {
	for _, role := range []struct {
		suffix string
		value  *pulumi.StringOutput
	}{{"-owner", &s.OwnerPassword}, {"-site", &s.SitePassword}} {
		password, err := random.NewRandomPassword(ctx, name+role.suffix, &random.RandomPasswordArgs{
			Length: pulumi.Int(40),
			// RDS refuses / @ " and space. These four need no quoting in a URL or a shell either.
			OverrideSpecial: pulumi.String("-_.~"),
			Keepers:         pulumi.StringMap{"rotation": pulumi.String(strconv.Itoa(args.Rotation))},
		}, pulumi.Parent(s))
		if err != nil {
			return err
		}
		*role.value = pulumi.ToSecret(password.Result).(pulumi.StringOutput)
	}
	return nil
}

// identify gives the instance a name that no earlier database of this stack had, because its final snapshot is named
// after it and snapshots outlive the stack. The keepers are the inputs that replace the instance: the new one needs a
// name before the old one is gone.
func (s *Store) identify(ctx *pulumi.Context, name string, args *Args) error {
	id, err := random.NewRandomId(ctx, name+"-id", &random.RandomIdArgs{
		ByteLength: pulumi.Int(4),
		Keepers:    pulumi.StringMap{"database": pulumi.String(args.Database), "key": args.KeyARN},
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	s.Identifier = pulumi.Sprintf("%s-%s", args.Site.Name("database"), id.Hex)
	return nil
}

func (s *Store) instance(ctx *pulumi.Context, name string, args *Args, first *surroundings) (*rds.Instance, error) {
	protect := args.Site.Protect
	lasting := protect || args.Site.Snapshot
	ceiling := pulumi.IntPtrInput(pulumi.Int(args.MaxStorage))
	if args.MaxStorage == args.Storage {
		ceiling = nil // RDS takes no ceiling that is not above the size
	}
	return rds.NewInstance(ctx, name, &rds.InstanceArgs{
		Identifier: s.Identifier,
		Engine:     pulumi.String("postgres"), EngineVersion: pulumi.String(args.Version),
		InstanceClass: pulumi.String(args.Class),
		StorageType:   pulumi.String("gp3"), AllocatedStorage: pulumi.Int(args.Storage), MaxAllocatedStorage: ceiling,
		StorageEncrypted: pulumi.Bool(true), KmsKeyId: args.KeyARN.ToStringOutput(),
		MultiAz: pulumi.Bool(args.MultiZone),

		DbName: pulumi.String(args.Database), Username: pulumi.String(OwnerName), Password: s.OwnerPassword,
		Port:                             pulumi.Int(Port),
		IamDatabaseAuthenticationEnabled: pulumi.Bool(true),
		CaCertIdentifier:                 pulumi.String("rds-ca-rsa2048-g1"),
		ParameterGroupName:               first.parameters.Name,

		DbSubnetGroupName:   first.subnets.Name,
		VpcSecurityGroupIds: args.Placement.SecurityGroups,
		PubliclyAccessible:  pulumi.Bool(false),

		EnabledCloudwatchLogsExports: pulumi.ToStringArray(exports),
		PerformanceInsightsEnabled:   pulumi.Bool(true), PerformanceInsightsKmsKeyId: args.KeyARN.ToStringOutput(),
		PerformanceInsightsRetentionPeriod: pulumi.Int(7),
		MonitoringInterval:                 pulumi.Int(60), MonitoringRoleArn: first.monitor.Arn,

		BackupRetentionPeriod: pulumi.Int(args.BackupDays),
		BackupWindow:          pulumi.String(args.BackupWindow), MaintenanceWindow: pulumi.String(args.MaintenanceWindow),
		CopyTagsToSnapshot:      pulumi.Bool(true),
		AutoMinorVersionUpgrade: pulumi.Bool(true),
		// The version in the configuration is the request, and the preview shows it; a second switch would only be a
		// second thing to forget.
		AllowMajorVersionUpgrade: pulumi.Bool(true),
		// Otherwise a change of class or size would be reported as done and wait for the maintenance window, while every
		// refresh finds the old value. Who wants it at night runs it at night.
		ApplyImmediately: pulumi.Bool(true),

		DeletionProtection:     pulumi.Bool(protect),
		SkipFinalSnapshot:      pulumi.Bool(!lasting),
		DeleteAutomatedBackups: pulumi.Bool(!lasting),
		// Told even where it is not used: a stack that is unprotected in order to be deleted deletes with the state it has.
		FinalSnapshotIdentifier: pulumi.Sprintf("%s-final", s.Identifier),
	}, pulumi.Parent(s), pulumi.Protect(protect), pulumi.DependsOn(first.before))
}
