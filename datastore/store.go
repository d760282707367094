// Package datastore makes the stores that the site must not lose: the Postgres database and the media bucket.
package datastore

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/image"
	"slipway/internal/wiring"
)

const storeType = "slipway:datastore:Store"

// Port is the port of Postgres. The firewall needs it before the database exists.
const Port = 5432

// The two database roles. The owner is the instance's master user: it owns the tables and runs migrations. The site role
// may read and write rows; the migration creates it and sets its password. Neither is called postgres or admin, the names
// that attackers try first.
const (
	OwnerName = "slipway_owner"
	SiteName  = "slipway_site"
)

// Args describe one database.
type Args struct {
	Site      wiring.Site
	Placement wiring.Placement // data subnets in at least two zones, and the firewall's group for data

	KeyARN    pulumi.StringInput // encrypts disk, backups and Performance Insights; changing it replaces the database
	LogKeyARN pulumi.StringInput // encrypts the log groups
	LogDays   int                // how long CloudWatch keeps the database's logs

	Version    string // "17": the latest minor version, kept up to date by AWS; "17.2": exactly that one
	Class      string // "db.t4g.micro"; changing it interrupts the database for minutes (seconds with MultiZone)
	Storage    int    // GiB, at least 20; it can grow but never shrink
	MaxStorage int    // GiB up to which storage autoscales; equal to Storage: no autoscaling
	MultiZone  bool   // a standby in another zone; doubles the cost

	BackupDays                      int    // retention of automatic backups: 0 (none) to 35
	BackupWindow, MaintenanceWindow string // UTC: "03:00-04:00", "sun:04:30-sun:05:30"
	Database                        string // name of the database; changing it replaces the instance
	Rotation                        int    // raising it generates new passwords
}

// A Store is the site's Postgres: one RDS instance in the data subnets, its parameters, its logs and the passwords of
// its two roles.
//
// In a protected stack neither Pulumi nor AWS deletes it, and an unlocked deletion leaves a final snapshot and the
// automatic backups. Any other stack deletes it on destroy, with all data. Changing KeyARN, Database or the name of the
// stack replaces it with an empty database.
//
// Cost (us-east-1): about $14 a month for db.t4g.micro with 20 GiB; MultiZone doubles that. Seven days of Performance
// Insights are free; enhanced monitoring costs cents in CloudWatch Logs.
type Store struct {
	pulumi.ResourceState
	Identifier pulumi.StringOutput // the instance's name in AWS, also the dimension of its metrics
	Address    pulumi.StringOutput // host name without the port, which RDS's "endpoint" includes
	Parameters pulumi.StringOutput // name of its parameter group
	Port       int
	Database   string

	OwnerName, SiteName         string
	OwnerPassword, SitePassword pulumi.StringOutput // secret

	LogGroups []pulumi.StringOutput // names

	capacity map[string]float64 // of which alarms' thresholds are parts
}

// Watch is the alarms of the database.
func (s *Store) Watch() catalog.Watch {
	if s == nil {
		return catalog.Watch{}
	}
	return catalog.Watch{
		Alarms:     alarms,
		Dimensions: map[string]pulumi.StringInput{"DBInstanceIdentifier": s.Identifier},
		Capacity:   s.capacity,
	}
}

// New creates a database.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Store, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	s := &Store{
		Port: Port, Database: args.Database, OwnerName: OwnerName, SiteName: SiteName,
		capacity: capacities(args.Class, args.Storage),
	}
	if err := ctx.RegisterComponentResource(storeType, name, s, opts...); err != nil {
		return nil, err
	}

	if err := s.passwords(ctx, name, args); err != nil {
		return nil, err
	}
	if err := s.identify(ctx, name, args); err != nil {
		return nil, err
	}
	first, err := s.prerequisites(ctx, name, args)
	if err != nil {
		return nil, err
	}
	instance, err := s.instance(ctx, name, args, first)
	if err != nil {
		return nil, err
	}

	s.Address, s.Parameters = instance.Address, first.parameters.Name
	s.Identifier = instance.Identifier // the same name, known when the instance exists
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{
		"identifier": s.Identifier, "address": s.Address, "port": pulumi.Int(Port), "database": pulumi.String(args.Database),
	})
}

// SSLMode and CABundle are how clients connect: they check the server's certificate and its name. The bundle is in every image.
const (
	SSLMode  = "verify-full"
	CABundle = image.CABundle
)

// Offer is the database as its owner or as the site's role sees it.
//
// db.url has no query: clients of libpq take TLS from PGSSLMODE and PGSSLROOTCERT, and some projects parse the URL themselves.
// db.json has the keys of RDS's own secrets (Secrets Manager guide, "JSON structure of AWS Secrets Manager secrets").
func (s *Store) Offer(owner bool) wiring.Offer {
	user, password := s.SiteName, s.SitePassword
	if owner {
		user, password = s.OwnerName, s.OwnerPassword
	}
	plain := func(text pulumi.StringInput) wiring.Value { return wiring.Value{Text: text} }
	secret := func(text pulumi.StringInput) wiring.Value { return wiring.Value{Text: text, Secret: true} }
	return wiring.Offer{Values: map[string]wiring.Value{
		"db.host": plain(s.Address), "db.port": plain(pulumi.String(strconv.Itoa(s.Port))), "db.name": plain(pulumi.String(s.Database)),
		"db.user": plain(pulumi.String(user)), "db.password": secret(password),
		"db.sslmode": plain(pulumi.String(SSLMode)), "db.sslrootcert": plain(pulumi.String(CABundle)),
		"db.url": secret(pulumi.Sprintf("postgres://%s:%s@%s:%d/%s", user, password, s.Address, s.Port, s.Database)),
		"db.json": secret(pulumi.JSONMarshal(map[string]any{
			"engine": "postgres", "host": s.Address, "port": s.Port, "username": user, "password": password, "dbname": s.Database,
		})),
	}}
}

// passwords generates one password for each role. Rotation is their keeper: raising it generates both anew, and the same
// update changes the instance, the parameters and the tasks that depend on them.
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

// identify chooses a name that no earlier database of this stack had, because the final snapshot is named after the
// instance and outlives the stack. The keepers are the inputs that replace the instance: the new instance needs its own
// name while the old one exists. It is protected like the instance, so that the engine refuses such a change here, before it
// has replaced anything.
func (s *Store) identify(ctx *pulumi.Context, name string, args *Args) error {
	id, err := random.NewRandomId(ctx, name+"-id", &random.RandomIdArgs{
		ByteLength: pulumi.Int(4),
		Keepers:    pulumi.StringMap{"database": pulumi.String(args.Database), "key": args.KeyARN},
	}, pulumi.Parent(s), pulumi.Protect(args.Site.Protect))
	if err != nil {
		return err
	}
	s.Identifier = pulumi.Sprintf("%s-%s", args.Site.Name("database"), id.Hex)
	return nil
}

func (s *Store) instance(ctx *pulumi.Context, name string, args *Args, first *prerequisites) (*rds.Instance, error) {
	protect := args.Site.Protect
	keep := protect || args.Site.Snapshot
	limit := pulumi.IntPtrInput(pulumi.Int(args.MaxStorage))
	if args.MaxStorage == args.Storage {
		limit = nil // RDS rejects a limit that is not above the size
	}
	return rds.NewInstance(ctx, name, &rds.InstanceArgs{
		Identifier: s.Identifier,
		Engine:     pulumi.String("postgres"), EngineVersion: pulumi.String(args.Version),
		InstanceClass: pulumi.String(args.Class),
		StorageType:   pulumi.String("gp3"), AllocatedStorage: pulumi.Int(args.Storage), MaxAllocatedStorage: limit,
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
		CopyTagsToSnapshot: pulumi.Bool(true),
		// After an automatic upgrade the next update would ask for the older minor version, which RDS refuses: a downgrade. So only a
		// major version gets them (RDS guide, "Automatic minor version upgrades for RDS for PostgreSQL").
		AutoMinorVersionUpgrade: pulumi.Bool(!strings.Contains(args.Version, ".")),
		// The configured version is the request, and the preview shows it; a second switch would only be one more to forget.
		AllowMajorVersionUpgrade: pulumi.Bool(true),
		// Otherwise a change of class or size would be reported as done but wait for the maintenance window, and every
		// refresh would find the old value. To make the change at night, deploy at night.
		ApplyImmediately: pulumi.Bool(true),

		DeletionProtection:     pulumi.Bool(protect),
		SkipFinalSnapshot:      pulumi.Bool(!keep),
		DeleteAutomatedBackups: pulumi.Bool(!keep),
		// Set even if it is not used: the provider deletes with the values in the state, also after protection was removed.
		FinalSnapshotIdentifier: pulumi.Sprintf("%s-final", s.Identifier),
	}, pulumi.Parent(s), pulumi.Protect(protect), pulumi.DependsOn(first.before))
}
