// Package site is the table of contents of a Slipway deployment: it reads the stack's configuration and wires the
// components. It is the only place that knows all of them.
package site

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"slipway/bastion"
	"slipway/cache"
	"slipway/cicd"
	"slipway/config"
	"slipway/datastore"
	"slipway/ecs"
	"slipway/internal/fargate"
	"slipway/internal/image"
	"slipway/internal/wiring"
	"slipway/keys"
	"slipway/logging"
	"slipway/network"
	"slipway/settings"
)

// logRouter is AWS for Fluent Bit, the sidecar of the firelens route. It is in AWS's public registry, so this image is
// pinned by version and not by digest.
const logRouter = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.4.16"

// The migration is a short task with Django alone; this size is enough, whatever the size of the web tasks.
const migrationCPU, migrationMemory = 256, 512

// Options are set by the caller of the program, not by the stack's configuration.
type Options struct {
	Root   string            // the folder of Pulumi.yaml, which holds the app; default: the engine's
	Runner ecs.Runner        // runs the migration; default: on AWS
	Say    func(text string) // hears that the migration still runs; default: the engine's log

	// Alone: no command judges the services after the program, so the program does. Judge does it; default: on AWS.
	Alone bool
	Judge ecs.Judge

	// Release is what runs instead of images that are built; nil: what the configuration says.
	Release *image.Pinned
	// Carry copies the images of a release (see cicd.Carrier); nil is AWS itself.
	Carry func(ctx context.Context, from, to, tag string) error
	// Mirror copies the image with psql (see cicd.Mirror); nil is AWS itself.
	Mirror func(ctx context.Context, from, to string) error

	// Unlock declares a protected stack without its protection, so that it can be destroyed: neither Pulumi nor AWS
	// protects a resource, and buckets and repositories are emptied. The database still leaves a final snapshot.
	Unlock bool

	// Unbuilt says that the engine's run builds no images, so that the helper for them need not be compiled: a rehearsal, or a
	// run that only lifts the protection. What runs as containers is built afterwards.
	Unbuilt bool

	// Declare omits the resource hooks, which need an engine, for a program that runs under Pulumi's mocks.
	Declare bool
}

// Deploy is the Pulumi program: everything that `pulumi up` does. It fails if ECS rolled a service back.
func Deploy(ctx *pulumi.Context) error { return New(Options{Alone: true}).Run(ctx) }

// A Program is one run of Deploy with options, and what became known in it.
type Program struct {
	options Options
	pushed  image.Pair
	images  atomic.Pointer[image.Pair]
}

// Reuse makes the program use images that the stack's repositories hold already, by digest; "" builds one.
func (p *Program) Reuse(pushed image.Pair) { p.pushed = pushed }

// New is a program that has not run yet.
func New(options Options) *Program { return &Program{options: options} }

// Images is the references of the images that run (repository@sha256:...). They are known before anything uses them; in a
// preview only if nothing is to be built.
func (p *Program) Images() (image.Pair, bool) {
	images := p.images.Load()
	if images == nil {
		return image.Pair{}, false
	}
	return *images, true
}

// Run declares everything.
func (p *Program) Run(ctx *pulumi.Context) error {
	options := p.options
	source, err := config.FromPulumi(ctx)
	if err != nil {
		return err
	}
	if options.Root != "" {
		source.Root = options.Root
	}
	stack, err := Load(source)
	if err != nil {
		return err
	}
	fixed := fixedOf(stack, stack.Protect)
	snapshot := stack.Protect || options.Unlock // whatever the file says by now
	stack.Protect = stack.Protect && !options.Unlock
	runner := options.Runner
	if runner == nil && !options.Declare {
		runner = ecs.AWSRunner{Region: stack.Region, Profile: stack.AWS.Profile,
			Warn: func(text string) { _ = ctx.Log.Warn("migration: "+text, nil) }}
	}
	judge := options.Judge
	if judge == nil && options.Alone {
		judge = ecs.AWSRunner{Region: stack.Region, Profile: stack.AWS.Profile}.Judge
	}
	release := options.Release
	if digests := (image.Pair{Django: stack.Images.Django, Nginx: stack.Images.Nginx}); release == nil && digests != (image.Pair{}) {
		release = &image.Pinned{Digests: digests}
	}
	say := options.Say
	if say == nil && !options.Declare {
		say = func(text string) { _ = ctx.Log.Info(text, nil) }
	}
	fromProfile := ""
	if release != nil && release.From != nil {
		fromProfile = release.From.Profile
	}
	carry := cicd.Carrier(options.Carry)
	if carry == nil && !options.Declare {
		carry = cicd.AWSCarrier{Profile: stack.AWS.Profile, FromProfile: fromProfile}.Carry
	}
	mirror := cicd.Mirror(options.Mirror)
	if mirror == nil && !options.Declare {
		mirror = cicd.AWSCarrier{Profile: stack.AWS.Profile}.Mirror
	}
	helper := Helper
	if options.Unbuilt || options.Declare {
		helper = nil
	}
	d := &deployment{helper: helper, ctx: ctx, stack: stack, snapshot: snapshot, root: source.Root, runner: runner, say: say, judge: judge,
		release: release,
		carry:   carry, mirror: mirror, pushed: p.pushed, known: &p.images, fixed: fixed, guarded: !options.Declare && !options.Unlock}
	return d.deploy()
}

// A deployment is one run of the program. Its steps set the fields from top to bottom; each uses those above it.
type deployment struct {
	ctx      *pulumi.Context
	stack    *config.Stack
	snapshot bool // of the database, if it is deleted
	root     string
	runner   ecs.Runner
	say      func(string)
	judge    ecs.Judge     // nil: the caller of the program judges
	release  *image.Pinned // nil: the images are built
	carry    cicd.Carrier
	mirror   cicd.Mirror
	helper   func(platform string) (path string, err error) // compiles it; nil: nothing is built
	pushed   image.Pair
	known    *atomic.Pointer[image.Pair] // the images, once they are known
	fixed    map[string]string           // see recordFixed
	guarded  bool                        // changes of the fixed settings are refused

	record pulumi.Resource // of the fixed settings

	opts   []pulumi.ResourceOption // of every component
	invoke pulumi.InvokeOption     // of every lookup
	site   wiring.Site

	withoutARM []string // zones of site.Zones

	keys    *keys.Ring
	network *network.Network

	archive  *logging.Archive
	stream   *logging.Stream   // what CloudWatch Logs forwards to
	direct   *logging.Stream   // the FireLens route; nil for subscription
	firehose *fargate.Firehose // of direct
	topic    *logging.Topic

	store    *datastore.Store
	media    *datastore.Media
	cache    *cache.Cache // nil: none
	settings *settings.Store
	images   *cicd.Images
	psql     *cicd.Psql // nil: none

	cluster  *ecs.Cluster
	balancer *ecs.Balancer
	roles    *fargate.Roles                      // of web, workers and jobs
	offers   map[string]wiring.Offer             // of all components, by database role
	composed map[string]map[string]wiring.Secret // variables that contain a secret, by database role and name
	alarms   *logging.Alarms
	web      *ecs.Web
	bastion  *bastion.Host
}

func (d *deployment) deploy() error {
	for _, step := range []func() error{
		d.recordFixed, d.place, d.bindRoles, d.makeKeys, d.makeNetwork, d.makeLogs, d.makeStores, d.makeCache, d.makeSettings, d.makeImages,
		d.makePsql, d.makeEdge, d.makeEnvironment, d.watch, d.runWeb, d.runWorkers, d.runJobs, d.makeBastion, d.admitGitHub, d.output,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// place looks up where the site is deployed.
func (d *deployment) place() error {
	provider, err := provider(d.ctx, d.stack, pulumi.DependsOn([]pulumi.Resource{d.record}))
	if err != nil {
		return err
	}
	d.opts = []pulumi.ResourceOption{pulumi.Providers(provider)}
	d.invoke = pulumi.Provider(provider)
	caller, err := aws.GetCallerIdentity(d.ctx, nil, d.invoke)
	if err != nil {
		return fmt.Errorf("cannot determine the caller's AWS account: %w", err)
	}
	partition, err := aws.GetPartition(d.ctx, nil, d.invoke)
	if err != nil {
		return err
	}
	zones, withoutARM, err := findZones(d.ctx, d.stack, d.invoke)
	if err != nil {
		return err
	}
	d.site = wiring.Site{
		Project: d.stack.Project, Stack: d.stack.Name,
		Partition: partition.Partition, Region: d.stack.Region, AccountID: caller.AccountId,
		Zones:   zones,
		Protect: d.stack.Protect, Snapshot: d.snapshot, TagPrefix: d.stack.TagPrefix(), Runbook: d.stack.Alarms.Runbook,
	}
	d.withoutARM = withoutARM
	return nil
}

// bindRoles sets the permissions boundary of all roles, without which the deploy role may not create them. A stack without a
// deploy role has no boundary.
func (d *deployment) bindRoles() error {
	github := d.stack.GitHub
	switch {
	case github.Boundary != "": // bootstrap made it, with the role
		d.site.Boundary = pulumi.String(github.Boundary)
	case github.Repository != "" && github.Role == "":
		boundary, err := cicd.NewBoundary(d.ctx, "boundary", &cicd.BoundaryArgs{Site: d.site, Facts: Catalog(d.site)}, d.opts...)
		if err != nil {
			return err
		}
		d.site.Boundary = boundary.ARN
	}
	return nil
}

func (d *deployment) makeKeys() (err error) {
	d.keys, err = keys.New(d.ctx, "keys", &keys.Args{Site: d.site, Shared: d.stack.Keys == "shared"}, d.opts...)
	return err
}

func (d *deployment) makeNetwork() error {
	cidr, err := netip.ParsePrefix(d.stack.Network.CIDR)
	if err != nil {
		return err
	}
	ports := network.Ports{Web: ecs.NginxPort(d.stack.App.Port), Data: datastore.Port}
	if d.stack.Cache.Enabled() {
		ports.Cache = cache.Port
	}
	d.network, err = network.New(d.ctx, "network", &network.Args{
		Site: d.site, CIDR: cidr, Zones: d.stack.Network.Zones, NAT: network.NAT(d.stack.Network.NAT),
		Bastion: d.stack.Bastion.Enabled, HTTPS: d.stack.Domain != "", Endpoints: d.stack.Network.Endpoints,
		Ports: ports, FlowLogDays: d.stack.Logs.Days, LogsKeyARN: d.keys.Logs,
		WithoutARM: d.withoutARM, ARMTasks: d.stack.Web.Architecture == "arm64",
	}, d.opts...)
	return err
}

func (d *deployment) makeLogs() (err error) {
	d.archive, err = logging.NewArchive(d.ctx, "archive", &logging.ArchiveArgs{
		Site: d.site, KeyARN: d.keys.Logs, ArchiveDays: d.stack.Logs.ArchiveDays,
	}, d.opts...)
	if err != nil {
		return err
	}
	if d.stream, err = d.newStream(logging.Subscription); err != nil {
		return err
	}
	if d.stack.Logs.Route == string(logging.FireLens) {
		if d.direct, err = d.newStream(logging.FireLens); err != nil {
			return err
		}
		d.firehose = &fargate.Firehose{Name: d.direct.Name, ARN: d.direct.ARN, KeyARN: d.direct.KeyARN,
			RouterImage: pulumi.String(logRouter)}
	}
	d.topic, err = logging.NewTopic(d.ctx, "alarms", &logging.TopicArgs{
		Site: d.site, KeyARN: d.keys.Alarms, Email: d.stack.Alarms.Email,
	}, d.opts...)
	return err
}

func (d *deployment) newStream(source logging.Source) (*logging.Stream, error) {
	return logging.NewStream(d.ctx, string(source), &logging.StreamArgs{
		Site: d.site, Source: source, KeyARN: d.keys.Logs, BucketARN: d.archive.Logs.ARN, Days: d.stack.Logs.Days,
	}, d.opts...)
}

// group creates the log group of one part of the site.
func (d *deployment) group(part string) (*logging.Group, error) {
	return logging.NewGroup(d.ctx, "logs-"+part, &logging.GroupArgs{
		Name: d.site.Path(part), KeyARN: d.keys.Logs, Days: d.stack.Logs.Days, Archive: d.stream,
	}, d.opts...)
}

func (d *deployment) makeStores() (err error) {
	db := d.stack.Database
	d.store, err = datastore.New(d.ctx, "database", &datastore.Args{
		Site: d.site,
		Placement: wiring.Placement{
			Subnets:        d.network.DataSubnetIDs,
			SecurityGroups: pulumi.StringArray{d.network.Groups[network.Data]},
		},
		KeyARN: d.keys.Data, LogKeyARN: d.keys.Logs, LogDays: d.stack.Logs.Days,
		Version: db.EngineVersion, Class: db.Class, Storage: db.Storage, MaxStorage: db.MaxStorage, MultiZone: db.MultiAZ,
		BackupDays: db.BackupDays, BackupWindow: db.BackupWindow, MaintenanceWindow: db.MaintenanceWindow,
		Database: db.Name, Rotation: db.Rotation,
	}, d.opts...)
	if err != nil {
		return err
	}
	d.media, err = datastore.NewMedia(d.ctx, "media", &datastore.MediaArgs{
		Site: d.site, KeyARN: d.keys.Data, AccessLogs: d.archive.Access,
	}, d.opts...)
	return err
}

func (d *deployment) makeCache() (err error) {
	c := d.stack.Cache
	if !c.Enabled() {
		return nil
	}
	d.cache, err = cache.New(d.ctx, "cache", &cache.Args{
		Site: d.site,
		Placement: wiring.Placement{
			Subnets:        d.network.DataSubnetIDs,
			SecurityGroups: pulumi.StringArray{d.network.Groups[network.Cache]},
		},
		KeyARN: d.keys.Data, Version: c.Version, Node: c.Node, Replicas: c.Replicas, SnapshotDays: c.SnapshotDays, Rotation: c.Rotation,
	}, d.opts...)
	return err
}

// Names of the passwords' parameters below /project/stack/.
const (
	ownerPassword = "db/owner-password"
	sitePassword  = "db/password"
)

func userSecret(name string) string { return "app/" + name }

func (d *deployment) makeSettings() (err error) {
	secrets := map[string]pulumi.StringInput{ownerPassword: d.store.OwnerPassword, sitePassword: d.store.SitePassword}
	for name, value := range d.stack.Secrets {
		secrets[userSecret(name)] = value
	}
	d.settings, err = settings.New(d.ctx, "settings", &settings.Args{
		Site: d.site, KeyARN: d.keys.Settings, Secrets: secrets, Rotation: d.stack.Web.SecretKeyRotation,
	}, d.opts...)
	return err
}

func (d *deployment) makeImages() (err error) {
	args := &cicd.ImagesArgs{Root: d.root, Architecture: d.stack.Web.Architecture, Stage: ".slipway/contexts", Helper: d.helper}
	if d.release == nil {
		if args.Builds, err = sources(d.stack, d.root); err != nil {
			return fmt.Errorf("images: %w", err)
		}
	}
	args.Site, args.KeyARN, args.Readers = d.site, d.keys.Images, d.stack.Promotion.To
	args.Release, args.Carry, args.Pushed = d.release, d.carry, d.pushed
	d.images, err = cicd.NewImages(d.ctx, "images", args, d.opts...)
	if err == nil {
		pulumix.Apply2(d.images.Django, d.images.Nginx, func(django, nginx string) any {
			d.known.Store(&image.Pair{Django: django, Nginx: nginx})
			return nil
		})
	}
	return err
}

func (d *deployment) makePsql() (err error) {
	db := d.stack.Database
	if db.PsqlImage == "" {
		return nil
	}
	d.psql, err = cicd.NewPsql(d.ctx, "psql", &cicd.PsqlArgs{
		Site: d.site, KeyARN: d.keys.Images, Version: db.EngineVersion, Source: db.PsqlImage, Mirror: d.mirror,
	}, d.opts...)
	return err
}

// makeEdge creates the cluster and the balancer.
func (d *deployment) makeEdge() error {
	exec, err := d.group("exec")
	if err != nil {
		return err
	}
	d.cluster, err = ecs.NewCluster(d.ctx, "cluster", &ecs.ClusterArgs{
		Site: d.site, ExecGroup: exec.Name, ExecKeyARN: d.keys.Logs, ExecBucket: d.archive.Logs.Name,
	}, d.opts...)
	if err != nil {
		return err
	}
	edge := &ecs.BalancerArgs{
		Site: d.site, VPCID: d.network.VpcID, Domain: d.stack.Domain, Port: ecs.NginxPort(d.stack.App.Port),
		Strict: d.stack.Web.HealthPath != "", IdleSeconds: d.proxy().IdleSeconds(),
		Placement: wiring.Placement{
			Subnets:        d.network.PublicSubnetIDs,
			SecurityGroups: pulumi.StringArray{d.network.Groups[network.Edge]},
		},
		AccessLogs: d.archive.Access,
	}
	if d.stack.Domain != "" {
		id, err := d.zoneID()
		if err != nil {
			return err
		}
		edge.ZoneID = pulumi.String(id)
	}
	if d.balancer, err = ecs.NewBalancer(d.ctx, "balancer", edge, d.opts...); err != nil {
		return err
	}
	return d.makeWAF()
}

// zoneID finds the hosted zone of the domain, by its ID if the stack names one.
func (d *deployment) zoneID() (string, error) {
	name, account := d.stack.Zone, d.site.AccountID
	args := &route53.LookupZoneArgs{Name: &name}
	if d.stack.ZoneID != "" {
		args = &route53.LookupZoneArgs{ZoneId: &d.stack.ZoneID}
	}
	zone, err := route53.LookupZone(d.ctx, args, d.invoke)
	switch {
	case err != nil && d.stack.ZoneID != "":
		return "", fmt.Errorf("zoneId: Route 53 has no hosted zone %s in account %s: %w", d.stack.ZoneID, account, err)
	case err != nil && strings.Contains(strings.ToLower(err.Error()), "multiple"):
		return "", fmt.Errorf("zone: account %s has several public hosted zones named %s. Set zoneId to the one whose name servers the "+
			"registrar "+
			"lists; this shows their IDs: aws route53 list-hosted-zones-by-name --dns-name %[2]s", account, name)
	case err != nil:
		return "", fmt.Errorf("zone: Route 53 has no public hosted zone %s in account %s: %w", name, account, err)
	}
	if found := strings.TrimSuffix(zone.Name, "."); d.stack.ZoneID != "" && (found != name || zone.PrivateZone != nil && *zone.PrivateZone) {
		return "", fmt.Errorf("zoneId: hosted zone %s is %s, and not the public zone %s", d.stack.ZoneID, found, name)
	}
	return zone.ZoneId, nil
}

// makeWAF creates the web application firewall. AWS prescribes the prefix of its log group's name.
func (d *deployment) makeWAF() error {
	if !d.stack.WAF.Enabled {
		return nil
	}
	name := ecs.WAFLogs + d.site.Name("web")
	logs, err := logging.NewGroup(d.ctx, "logs-waf", &logging.GroupArgs{
		Name: name, KeyARN: d.keys.Logs, Days: d.stack.Logs.Days, Archive: d.stream,
	}, d.opts...)
	if err != nil {
		return err
	}
	_, err = ecs.NewWAF(d.ctx, "waf", &ecs.WAFArgs{
		Site: d.site, LoadBalancerARN: d.balancer.LoadBalancerARN, RateLimit: d.stack.WAF.RateLimit,
		UploadPaths: d.stack.WAF.UploadPaths, LogGroup: name, LogGroupARN: logs.ARN,
	}, d.opts...)
	return err
}
