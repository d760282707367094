package datastore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket"
	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const (
	dataKey = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/data")
	logKey  = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/logs")
)

func good(protect bool) *Args {
	return &Args{
		Site: wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account,
			Protect: protect},
		Placement: wiring.Placement{
			Subnets:        pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
			SecurityGroups: pulumi.ToStringArray([]string{"sg-data"}),
		},
		KeyARN: dataKey, LogKeyARN: logKey, LogDays: 30,
		Version: "17", Class: "db.t4g.micro", Storage: 20, MaxStorage: 100, MultiZone: true,
		BackupDays: 7, BackupWindow: "03:00-04:00", MaintenanceWindow: "sun:04:30-sun:05:30",
		Database: "site", Rotation: 1,
	}
}

func record(t *testing.T, args *Args) (graph.Graph, *Store) {
	t.Helper()
	var store *Store
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) (err error) {
		store, err = New(ctx, "database", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, store
}

func instance(g graph.Graph) graph.Resource {
	return g.Named("aws:rds/instance:Instance", "database")
}

func TestDatabaseMeetsItsControls(t *testing.T) {
	g, _ := record(t, good(true))
	db := instance(g)
	for _, c := range []struct {
		control, input string
		want           any
	}{
		{"RDS.3", "storageEncrypted", true},
		{"RDS.3 key", "kmsKeyId", string(dataKey)},
		{"RDS.2", "publiclyAccessible", false},
		{"RDS.13", "autoMinorVersionUpgrade", true},
		{"RDS.5", "multiAz", true},
		{"RDS.8", "deletionProtection", true},
		{"RDS.8 snapshot", "skipFinalSnapshot", false},
		{"backups outlive it", "deleteAutomatedBackups", false},
		{"RDS.11", "backupRetentionPeriod", 7.0},
		{"RDS.10", "iamDatabaseAuthenticationEnabled", true},
		{"RDS.6", "monitoringInterval", 60.0},
		{"RDS.6 role", "monitoringRoleArn", "arn:aws:iam:us-east-1:123456789012:role/database-monitoring"},
		{"RDS.17", "copyTagsToSnapshot", true},
		{"Performance Insights", "performanceInsightsEnabled", true},
		{"Performance Insights key", "performanceInsightsKmsKeyId", string(dataKey)},
		{"CA", "caCertIdentifier", "rds-ca-rsa2048-g1"},
		{"RDS.25", "username", "slipway_owner"},
		{"disk", "storageType", "gp3"},
		{"disk grows", "maxAllocatedStorage", 100.0},
		{"changes are real when `up` ends", "applyImmediately", true},
		{"version", "engineVersion", "17"},
		{"port", "port", 5432.0},
	} {
		if got := db.Input(c.input); got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.control, c.input, got, c.want)
		}
	}
	if diff := cmp.Diff([]any{"postgresql", "upgrade"}, db.Input("enabledCloudwatchLogsExports")); diff != "" {
		t.Errorf("RDS.9 log exports (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"sg-data"}, db.Input("vpcSecurityGroupIds")); diff != "" {
		t.Errorf("security groups (-want +got):\n%s", diff)
	}
	if !db.Protect {
		t.Error("the instance of a protected stack is not protected")
	}
}

// RDS refuses to go back from the minor version of an automatic upgrade to the one that the configuration names.
func TestANamedMinorVersionIsKept(t *testing.T) {
	for version, upgrades := range map[string]bool{"17": true, "17.2": false} {
		args := good(true)
		args.Version = version
		g, _ := record(t, args)
		if got := instance(g).Input("autoMinorVersionUpgrade"); got != upgrades {
			t.Errorf("version %s: automatic minor upgrades are %v, want %v", version, got, upgrades)
		}
	}
}

func TestUnprotectedDatabaseCanBeDestroyed(t *testing.T) {
	g, _ := record(t, good(false))
	db := instance(g)
	for input, want := range map[string]any{"deletionProtection": false, "skipFinalSnapshot": true, "deleteAutomatedBackups": true} {
		if got := db.Input(input); got != want {
			t.Errorf("%s is %v, want %v", input, got, want)
		}
	}
	if db.Protect {
		t.Error("the instance is protected")
	}
}

// The final snapshot of an earlier database must not conflict with the next one's.
func TestFinalSnapshotIsNamedAfterThisDatabase(t *testing.T) {
	g, _ := record(t, good(true))
	db := instance(g)
	if got := db.Input("identifier"); got != "slipway-dev-database-0123456789abcdef" {
		t.Errorf("identifier is %v", got)
	}
	if got := db.Input("finalSnapshotIdentifier"); got != "slipway-dev-database-0123456789abcdef-final" {
		t.Errorf("final snapshot is %v", got)
	}
	keepers := g.Named("random:index/randomId:RandomId", "database-id").Input("keepers")
	if diff := cmp.Diff(map[string]any{"database": "site", "key": string(dataKey)}, keepers); diff != "" {
		t.Errorf("keepers are not what replaces the instance (-want +got):\n%s", diff)
	}
}

func TestParameters(t *testing.T) {
	g, _ := record(t, good(true))
	group := g.Named("aws:rds/parameterGroup:ParameterGroup", "database-parameters")
	if got := group.Input("family"); got != "postgres17" {
		t.Errorf("family is %v", got)
	}
	if got := group.Input("name"); got != "slipway-dev-postgres17" {
		t.Errorf("an upgrade would collide with the group's name %v", got)
	}
	set := map[string]string{}
	var names []string
	for _, p := range group.Input("parameters").([]any) {
		p := p.(map[string]any)
		names = append(names, fmt.Sprint(p["name"]))
		set[fmt.Sprint(p["name"])] = fmt.Sprintf("%v %v", p["value"], p["applyMethod"])
	}
	if !slices.IsSorted(names) {
		t.Errorf("parameters are not sorted: %v", names)
	}
	for name, want := range map[string]string{
		"rds.force_ssl": "1 immediate", "log_connections": "1 immediate", "log_disconnections": "1 immediate",
		"log_min_duration_statement": "1000 immediate", "log_statement": "none immediate",
		"track_activity_query_size": "4096 pending-reboot",
	} {
		if set[name] != want {
			t.Errorf("%s is %q, want %q", name, set[name], want)
		}
	}
}

// RDS creates a missing group itself: unencrypted and without retention.
func TestLogGroupsComeFirst(t *testing.T) {
	g, store := record(t, good(true))
	for _, export := range []string{"postgresql", "upgrade"} {
		group := g.Named("aws:cloudwatch/logGroup:LogGroup", "database-"+export)
		if got, want := group.Input("name"), "/aws/rds/instance/slipway-dev-database-0123456789abcdef/"+export; got != want {
			t.Errorf("name is %v, want %v", got, want)
		}
		if group.Input("retentionInDays") != 30.0 || group.Input("kmsKeyId") != string(logKey) {
			t.Errorf("%s: retention %v, key %v", export, group.Input("retentionInDays"), group.Input("kmsKeyId"))
		}
		if !slices.Contains(instance(g).DependsOn, "database-"+export) {
			t.Errorf("the instance does not wait for %s: %v", export, instance(g).DependsOn)
		}
	}
	if len(store.LogGroups) != 2 {
		t.Errorf("got %d log groups, want 2", len(store.LogGroups))
	}
}

func TestMonitoringRoleTrustsOnlyRDSOfThisAccount(t *testing.T) {
	g, _ := record(t, good(true))
	role := g.Named("aws:iam/role:Role", "database-monitoring")
	trust := fmt.Sprint(role.Input("assumeRolePolicy"))
	for _, want := range []string{`"Service":"monitoring.rds.amazonaws.com"`, `"aws:SourceAccount":"123456789012"`} {
		if !strings.Contains(trust, want) {
			t.Errorf("trust lacks %s: %s", want, trust)
		}
	}
	attached := g.Named("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "database-monitoring")
	if got := attached.Input("policyArn"); got != "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole" {
		t.Errorf("policy is %v", got)
	}
}

func TestPasswordsAreSecretAndRotate(t *testing.T) {
	for _, rotation := range []int{1, 2} {
		args := good(true)
		args.Rotation = rotation
		g, store := record(t, args)
		for _, role := range []string{"database-owner", "database-site"} {
			password := g.Named("random:index/randomPassword:RandomPassword", role)
			if got, want := password.Input("keepers.rotation"), fmt.Sprint(rotation); got != want {
				t.Errorf("%s: rotation keeper is %v, want %v", role, got, want)
			}
			if got := password.Input("length"); got != 40.0 {
				t.Errorf("%s: length is %v", role, got)
			}
			if special := fmt.Sprint(password.Input("overrideSpecial")); special == "<nil>" || strings.ContainsAny(special, `/@" `) {
				t.Errorf("%s: RDS refuses one of %q", role, special)
			}
		}
		if !pulumi.IsSecret(store.OwnerPassword) || !pulumi.IsSecret(store.SitePassword) {
			t.Error("a password is not secret")
		}
		if diff := cmp.Diff(map[string]any{"secret": "generated-database-owner"}, instance(g).Input("password")); diff != "" {
			t.Errorf("the instance has not the owner's password, secret (-want +got):\n%s", diff)
		}
		text, err := g.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "generated-"); n != 1 {
			t.Errorf("passwords appear in %d inputs, want 1 (the instance's)", n)
		}
	}
}

func TestTheOfferPointsToTheDatabase(t *testing.T) {
	const host = "database.c0123456789a.us-east-1.rds.amazonaws.com"
	_, store := record(t, good(true))
	for role, owner := range map[string]bool{"site": false, "owner": true} {
		user, got := "slipway_"+role, resolved(t, store.Offer(owner))
		password := got["db.password"]
		if !strings.HasPrefix(password, "generated-") || !strings.HasSuffix(password, role) {
			t.Errorf("the password of the role %s is %q", role, password)
		}
		want := map[string]string{
			"db.host": host, "db.port": "5432", "db.name": "site", "db.user": user, "db.password": password,
			"db.sslmode": "verify-full", "db.sslrootcert": "/etc/ssl/rds/global-bundle.pem",
			"db.url": "postgres://" + user + ":" + password + "@" + host + ":5432/site",
			"db.json": `{"dbname":"site","engine":"postgres","host":"` + host + `","password":"` + password + `","port":5432,"username":"` +
				user + `"}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("role %s (-want +got):\n%s", role, diff)
		}
	}
	for name, value := range store.Offer(false).Values {
		if secret := pulumi.IsSecret(value.Text.ToStringOutput()); value.Secret != secret {
			t.Errorf("%s: secret is %t, and the value's %t", name, value.Secret, secret)
		}
	}
}

// resolved are the values of an offer.
func resolved(t *testing.T, o wiring.Offer) map[string]string {
	t.Helper()
	got := map[string]string{}
	for name, input := range o.Values {
		value := make(chan string, 1)
		input.Text.ToStringOutput().ApplyT(func(v string) string { value <- v; return v })
		got[name] = <-value
	}
	return got
}

func TestWithoutAutoscalingThereIsNoStorageLimit(t *testing.T) {
	args := good(false)
	args.MaxStorage = args.Storage
	g, _ := record(t, args)
	if got := instance(g).Input("maxAllocatedStorage"); got != nil {
		t.Errorf("maxAllocatedStorage is %v; RDS refuses a ceiling that is not above the size", got)
	}
}

func TestEverythingBelongsToTheComponent(t *testing.T) {
	g, _ := record(t, good(true))
	for _, r := range g {
		if r.Custom() && (r.Parent != "database" || !strings.HasPrefix(r.Name, "database")) {
			t.Errorf("%s %s belongs to %q", r.Type, r.Name, r.Parent)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Args)
		want   string
	}{
		{"version of another engine", func(a *Args) { a.Version = "9.6" },
			`datastore: version must be a major or major.minor such as 17 or 17.2, got "9.6"`},
		{"no class", func(a *Args) { a.Class = "t4g.micro" },
			`datastore: class must be an instance class such as db.t4g.micro, got "t4g.micro"`},
		{"name begins with a digit", func(a *Args) { a.Database = "2db" },
			`datastore: database name must be a letter, then letters, digits or _, at most 63, got "2db"`},
		{"name with a dash", func(a *Args) { a.Database = "my-db" },
			`datastore: database name must be a letter, then letters, digits or _, at most 63, got "my-db"`},
		{"too small", func(a *Args) { a.Storage = 1 }, "datastore: storage must be 20 to 65536 GiB, got 1"},
		{"ceiling below size", func(a *Args) { a.MaxStorage = 10 },
			"datastore: maxStorage must equal storage (20 GiB: no growth) or be at least a tenth above it, got 10"},
		{"ceiling hardly above size", func(a *Args) { a.MaxStorage = 21 },
			"datastore: maxStorage must equal storage (20 GiB: no growth) or be at least a tenth above it, got 21"},
		{"backups for too long", func(a *Args) { a.BackupDays = 36 }, "datastore: backupDays must be 0 to 35, got 36"},
		{"no backups though protected", func(a *Args) { a.BackupDays = 0 },
			"datastore: backupDays must be at least 1 on a protected stack, got 0"},
		{"rotation from nought", func(a *Args) { a.Rotation = 0 }, "datastore: rotation must be at least 1, got 0"},
		{"logs without retention", func(a *Args) { a.LogDays = 0 }, "datastore: log days must be at least 1, got 0"},
		{"no key", func(a *Args) { a.KeyARN = nil }, "datastore: needs a key for its data and one for its logs"},
		{"no place", func(a *Args) { a.Placement = wiring.Placement{} }, "datastore: needs data subnets and a security group"},
		{"no windows", func(a *Args) { a.BackupWindow = "" }, "datastore: backupWindow and maintenanceWindow must both be set"},
		{"two at once", func(a *Args) { a.BackupDays, a.Version = -1, "" },
			"datastore: version must be a major or major.minor such as 17 or 17.2, got \"\"\n" +
				"datastore: backupDays must be 0 to 35, got -1\ndatastore: backupDays must be at least 1 on a protected stack, got -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := good(true)
			c.change(args)
			g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
				_, err := New(ctx, "database", args)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if len(g.Of(storeType)) > 0 {
				t.Error("something was registered before the mistake was found")
			}
		})
	}
}

func TestMedia(t *testing.T) {
	site := good(true).Site
	var media *Media
	var grants string
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) (err error) {
		access, err := bucket.New(ctx, "access", &bucket.Args{Site: site, Part: "access"})
		if err != nil {
			return err
		}
		media, err = NewMedia(ctx, "media", &MediaArgs{Site: site, KeyARN: dataKey, AccessLogs: access})
		if err != nil {
			return err
		}
		ctx.Export("grants", policy.Document(media.Offer.Grants...).ApplyT(func(v string) string { grants = v; return v }))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	bucket := g.Named("aws:s3/bucketV2:BucketV2", "media")
	if !bucket.Protect || bucket.Input("forceDestroy") != false {
		t.Error("a protected stack must keep its media")
	}
	const rule = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	if text := fmt.Sprint(g.Named(rule, "media-encryption").Inputs); !strings.Contains(text, string(dataKey)) {
		t.Errorf("S3.17 media is not encrypted with the key: %s", text)
	}
	if got := g.Named("aws:s3/bucketLoggingV2:BucketLoggingV2", "media-access").Input("targetBucket"); got != "access-bucket" {
		t.Errorf("S3.9 access log goes to %v", got)
	}
	if diff := cmp.Diff([]string{"bucket"}, slices.Sorted(maps.Keys(media.Offer.Values))); diff != "" {
		t.Errorf("offer (-want +got):\n%s", diff)
	}
	lifecycle := g.Named("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "media-lifecycle").Input("rules").([]any)
	static := map[string]any{"id": "static-files", "status": "Enabled", "filter": map[string]any{"prefix": "slipway/static/"},
		"expiration": map[string]any{"days": 100.0}, "noncurrentVersionExpiration": map[string]any{"noncurrentDays": 1.0}}
	if diff := cmp.Diff(any(static), lifecycle[len(lifecycle)-1]); diff != "" {
		t.Errorf("static files of releases (-want +got):\n%s", diff)
	}

	var document struct {
		Statement []struct {
			Sid       string
			Action    any
			Resource  string
			Condition map[string]map[string]string
		}
	}
	if err := json.Unmarshal([]byte(grants), &document); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:s3:us-east-1:123456789012:bucketV2/media"
	var got []string
	for _, s := range document.Statement {
		got = append(got, fmt.Sprintf("%s %v on %s when %v", s.Sid, s.Action, s.Resource, s.Condition["StringEquals"]))
	}
	want := []string{
		"ListMedia s3:ListBucket on " + arn + " when map[]",
		"KeepMedia [s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:PutObject] on " + arn + "/* when map[]",
		"EncryptMedia [kms:Decrypt kms:GenerateDataKey] on " + string(dataKey) + " when map[kms:EncryptionContext:aws:s3:arn:" + arn +
			" kms:ViaService:s3.us-east-1.amazonaws.com]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
}
