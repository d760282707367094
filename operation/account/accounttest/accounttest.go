// Package accounttest is the test suite that every account.Account passes, whether it is AWS or a model of it.
package accounttest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/bootstrap"
	"slipway/internal/image"
	"slipway/logline"
	"slipway/operation/account"
)

// A World creates the resources that the suite reads, by whatever means the account has.
type World struct {
	Account account.Account

	// Service creates a service without tasks that runs an image, and returns the ARNs of its cluster and its task definition.
	// The task's log group is logGroup, with the stream prefix "web".
	Service func(t *testing.T, s Service) (clusterARN, taskDefinitionARN string)

	// Watched creates an alarm, a database and a certificate, and returns the certificate's ARN.
	Watched func(t *testing.T, w Watched) (certificateARN string)

	Bucket     func(t *testing.T, name string, keys ...string)
	Repository func(t *testing.T, name string, images int)
	Acted      func(t *testing.T) Acted // see testActs
	Parameter  func(t *testing.T, name string)
}

// A Service is what Service creates.
type Service struct{ Cluster, Name, Image, LogGroup string }

// Watched is what Watched creates: an alarm with a name and a description, a database of class db.t4g.micro with 20 GiB, backups for 7
// days and a name, and a certificate for a domain that is not issued yet.
type Watched struct{ Alarm, Description, Database, Domain string }

// Run runs the suite. open gives a new account each time.
func Run(t *testing.T, open func(t *testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"identity": testIdentity, "services": testServices, "contents": testContents, "bootstrap": testBootstrap, "disown": testDisown,
		"acts": testActs, "sessions": testSessions,
		"observe":   testObserve,
		"diagnosis": testDiagnosis,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testIdentity(t *testing.T, w World) {
	if i := w.Account.Identity(); len(i.Account) != 12 || i.Region != "us-east-1" || i.Partition != "aws" {
		t.Errorf("identity is %+v", i)
	}
	if w.Account.Runner() == nil || w.Account.Carry(account.Origin{}) == nil || w.Account.Mirror() == nil {
		t.Error("the program has nothing to migrate, or to copy images with")
	}
	if w.Account.Containers() != nil {
		t.Error("containers run that were not asked for")
	}
}

func testServices(t *testing.T, w World) {
	ctx, ecs := t.Context(), w.Account.ECS()
	cluster, definition := w.Service(t, Service{Cluster: "suite", Name: "web", Image: "public.ecr.aws/nginx/nginx:1.27",
		LogGroup: "/suite/web"})

	all, err := ecs.Services(ctx, cluster, []string{"web", "gone"})
	if err != nil || len(all) != 1 {
		t.Fatalf("services are %+v, %v: want web alone", all, err)
	}
	if s := all[0]; s.Name != "web" || s.Status != "ACTIVE" || s.Desired != 0 || s.Running != 0 || len(s.Deployments) != 1 {
		t.Errorf("the service is %+v", s)
	} else if d := s.Deployments[0]; d.Status != "PRIMARY" || d.TaskDefinition != definition || d.ID == "" {
		t.Errorf("its deployment is %+v, want the primary one of %s", d, definition)
	}
	if all, err := ecs.Services(ctx, strings.Replace(cluster, "suite", "elsewhere", 1), []string{"web"}); err != nil || len(all) != 0 {
		t.Errorf("a cluster that does not exist has %+v, %v", all, err)
	}

	d, err := ecs.Definition(ctx, definition)
	if err != nil || d.ARN != definition || len(d.Containers) != 1 {
		t.Fatalf("the task definition is %+v, %v", d, err)
	}
	if c := d.Containers[0]; c.Name != "app" || c.Image != "public.ecr.aws/nginx/nginx:1.27" || c.Group != "/suite/web" || c.Prefix != "web" {
		t.Errorf("its container is %+v", c)
	}
	if d, err := ecs.Definition(ctx, definition+"9"); err == nil {
		t.Errorf("a task definition that does not exist is %+v", d)
	}

	if tasks, err := ecs.Stopped(ctx, cluster, "web"); err != nil || len(tasks) != 0 {
		t.Errorf("stopped tasks are %+v, %v", tasks, err)
	}
	if lines, err := ecs.Tail(ctx, "/suite/web", "web/app/gone", 10); err != nil || len(lines) != 0 {
		t.Errorf("a stream that does not exist has the lines %q, %v", lines, err)
	}

	if err := ecs.Scale(ctx, cluster, "web", 3); err != nil {
		t.Fatal(err)
	}
	if all, err := ecs.Services(ctx, cluster, []string{"web"}); err != nil || len(all) != 1 || all[0].Desired != 3 {
		t.Errorf("after scaling to 3 the service is %+v, %v", all, err)
	}
	if err := ecs.Scale(ctx, cluster, "gone", 1); err == nil {
		t.Error("a service that does not exist was scaled")
	}
}

// testDiagnosis reads what doctor compares. Certificates, alarms, databases and targets of the two have their own tests.
func testDiagnosis(t *testing.T, w World) {
	ctx, d := t.Context(), w.Account.Diagnosis()
	_, definition := w.Service(t, Service{Cluster: "suite", Name: "web", Image: "public.ecr.aws/nginx/nginx:1.27", LogGroup: "/suite/web"})
	settings, err := d.Settings(ctx, definition)
	if err != nil || len(settings) != 1 {
		t.Fatalf("settings are %+v, %v", settings, err)
	}
	if c := settings[0]; c.Name != "app" || c.Image != "public.ecr.aws/nginx/nginx:1.27" || c.Group != "/suite/web" || c.Prefix != "web" ||
		c.Env == nil || c.Secrets == nil {
		t.Errorf("the container is %+v", c)
	}
	if _, err := d.Settings(ctx, definition+"9"); err == nil {
		t.Error("a task definition that does not exist has settings")
	}

	w.Repository(t, "suite/django", 1)
	digest, err := w.Account.Contents().Tagged(ctx, "suite/django", "0")
	if err != nil {
		t.Fatal(err)
	}
	i := w.Account.Identity()
	registry := i.Account + ".dkr.ecr." + i.Region + ".amazonaws.com/"
	there, gone := registry+"suite/django@"+digest, registry+"suite/django@sha256:"+strings.Repeat("9", 64)
	other, elsewhere := registry+"suite/gone@"+digest, "public.ecr.aws/nginx/nginx@"+digest
	missing, err := d.Missing(ctx, []string{there, gone, other, elsewhere})
	if err != nil || !slices.Equal(missing, []string{gone, other}) {
		t.Errorf("missing are %q, %v", missing, err)
	}

	w.Parameter(t, "/suite/password")
	versions, err := d.Parameters(ctx, []string{"/suite/password", "/suite/gone"})
	if err != nil || len(versions) != 1 || versions["/suite/password"] != 1 {
		t.Errorf("versions are %v, %v", versions, err)
	}
	o := w.Account.Observe()
	if all, err := o.Alarms(ctx, []string{"suite-gone"}); err != nil || len(all) != 0 {
		t.Errorf("alarms are %+v, %v", all, err)
	}
	if _, err := o.Database(ctx, "suite-gone"); !errors.Is(err, account.ErrGone) {
		t.Errorf("a database that does not exist gives %v", err)
	}
	arn := "arn:aws:acm:us-east-1:" + i.Account + ":certificate/12345678-1234-1234-1234-123456789012"
	if _, err := o.Certificate(ctx, arn); !errors.Is(err, account.ErrGone) {
		t.Errorf("a certificate that does not exist gives %v", err)
	}
}

func testContents(t *testing.T, w World) {
	ctx, contents := t.Context(), w.Account.Contents()
	w.Bucket(t, "suite-media", "cats.jpg", "dogs.jpg")
	w.Bucket(t, "suite-empty")
	w.Repository(t, "suite/django", 3)
	for bucket, want := range map[string]int{"suite-media": 2, "suite-empty": 0, "suite-gone": 0} {
		if n, more, err := contents.Objects(ctx, bucket); err != nil || n != want || more {
			t.Errorf("%s holds %d objects, want %d; more is %t, error %v", bucket, n, want, more, err)
		}
	}
	for repository, want := range map[string]int{"suite/django": 3, "suite/gone": 0} {
		if n, err := contents.Images(ctx, repository); err != nil || n != want {
			t.Errorf("%s holds %d images, want %d, error %v", repository, n, want, err)
		}
	}
	for tag, want := range map[string]bool{"suite/django:0": true, "suite/django:2": true, "suite/django:3": false, "suite/gone:0": false} {
		repository, name, _ := strings.Cut(tag, ":")
		digest, err := contents.Tagged(ctx, repository, name)
		if err != nil || image.Digest.MatchString(digest) != want || !want && digest != "" {
			t.Errorf("%s is %q, %v; it should be there: %t", tag, digest, err, want)
		}
	}
}

// testBootstrap applies a Spec: everything is created, then found; what differs from the Spec is set.
func testBootstrap(t *testing.T, w World) {
	ctx, here := t.Context(), w.Account.Identity()
	spec := &bootstrap.Spec{
		Stack: "suite-prod", Account: here.Account, Partition: here.Partition, Region: here.Region,
		Bucket: "suite-prod-state-" + here.Account, Alias: "alias/suite-prod-state",
		Owner:    "ann:/src/shop",
		Boundary: &bootstrap.Policy{Name: "suite-prod-boundary", Description: "the most", Document: document("s3:GetObject")},
		RolesFor: func(keyARN string) (deploy, read *bootstrap.Role, err error) {
			return role(here, "deploy", keyARN), role(here, "read", keyARN), nil
		},
	}
	var result bootstrap.Result
	apply := func(want string, further ...string) {
		t.Helper()
		var err error
		if result, err = spec.Apply(ctx, w.Account.Bootstrap()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range result.Outcomes {
			if o.Did != want {
				got = append(got, strings.TrimSuffix(o.Did+" "+o.What+": "+strings.Join(o.Mended, ", "), ": "))
			}
		}
		if !slices.Equal(got, further) {
			t.Errorf("apart from what was %s: %q, want %q", want, got, further)
		}
	}
	apply("made")
	if result.Key == "" || result.Bucket != spec.Bucket || result.Provider == "" || result.Role == "" || result.ReadRole == "" ||
		result.Boundary == "" {
		t.Errorf("the result is %+v", result)
	}
	first := result
	apply("found")
	if result.Key != first.Key || result.Role != first.Role {
		t.Errorf("found %+v, created %+v", result, first)
	}

	spec.Readers = []string{"222222222222"}
	spec.Boundary.Document = document("s3:*")
	apply("found", "mended the key: policy", "mended the bucket: policy", "mended the permissions boundary: policy suite-prod-boundary")
	apply("found")

	// Another project of the same name changes nothing, unless its file names the key and the roles.
	spec.Owner = "bob:/src/shop"
	var foreign *bootstrap.ForeignError
	if _, err := spec.Apply(ctx, w.Account.Bootstrap()); !errors.As(err, &foreign) || foreign.ID != first.Key ||
		foreign.Owner != "ann:/src/shop" {
		t.Errorf("another project: %v", err)
	}
	spec.KeyARN = first.Key
	if _, err := spec.Apply(ctx, w.Account.Bootstrap()); !errors.As(err, &foreign) || foreign.ID != first.Role {
		t.Errorf("another project that names the key: %v", err)
	}
	roles := spec.RolesFor
	spec.RolesFor = func(keyARN string) (deploy, read *bootstrap.Role, err error) {
		if deploy, read, err = roles(keyARN); err == nil {
			deploy.ARN, read.ARN = first.Role, first.ReadRole
		}
		return deploy, read, err
	}
	apply("found")
}

func role(here account.Identity, part, keyARN string) *bootstrap.Role {
	const issuer = "token.actions.githubusercontent.com"
	provider := "arn:aws:iam::" + here.Account + ":oidc-provider/" + issuer
	return &bootstrap.Role{
		What: "the " + part + " role", Name: "suite-prod-" + part, Description: part + " of the suite", SessionSeconds: 3600, Issuer: issuer,
		ProviderARN: provider,
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"` +
			provider + `"},` +
			`"Condition":{"StringEquals":{"` + issuer + `:aud":"sts.amazonaws.com","` + issuer +
			`:sub":"repo:acme/shop:environment:production"}}}]}`,
		Policies: []bootstrap.Policy{{Name: "suite-prod-" + part + "-state", Description: "its state",
			Document: `{"Version":"2012-10-17","Statement":[{"Sid":"State","Effect":"Allow","Action":"kms:Decrypt","Resource":"` + keyARN + `"}]}`}},
	}
}

func document(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"Most","Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
}

func testDisown(t *testing.T, w World) {
	if err := w.Account.Disown(t.Context(), "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"); err != nil {
		t.Errorf("a key that is not the stack's: %v", err)
	}
}

// testSessions asks what is answered without anything that runs.
func testSessions(t *testing.T, w World) {
	ctx, sessions := t.Context(), w.Account.Sessions()
	cluster, definition := w.Service(t, Service{Cluster: "suite", Name: "web", Image: "public.ecr.aws/nginx/nginx:1.27",
		LogGroup: "/suite/web"})
	nothing := account.OneOff{Cluster: cluster, TaskDefinition: definition + "9", Subnets: []string{"subnet-0"},
		SecurityGroups: []string{"sg-0"}, Container: "app", Started: func(arn string) { t.Errorf("task %s started", arn) }, Line: func(string) {}}
	if result, err := sessions.Run(ctx, nothing); err == nil {
		t.Errorf("a task of a definition that does not exist: %+v", result)
	}
	if value, err := sessions.Secret(ctx, "/suite/none"); err == nil || !strings.Contains(err.Error(), "ParameterNotFound") {
		t.Errorf("a secret that does not exist is %q, %v", value, err)
	}
	if images := sessions.PostgresImages("", "17"); len(images) != 1 || !strings.HasSuffix(images[0].Name, "postgres:17") {
		t.Errorf("psql 17 is in the images %+v", images)
	}
	if images := sessions.PostgresImages("registry/suite/psql", "17"); len(images) != 2 || images[0].Name != "registry/suite/psql:17" ||
		!images[0].Own || images[1].Own || !strings.HasSuffix(images[1].Name, "postgres:17") {
		t.Errorf("with a repository of its own, psql 17 is in the images %+v", images)
	}
}

// testObserve looks at things that exist, and at such that do not.
func testObserve(t *testing.T, w World) {
	ctx, o := t.Context(), w.Account.Observe()
	cluster, _ := w.Service(t, Service{Cluster: "suite", Name: "web", Image: "public.ecr.aws/nginx/nginx:1.27", LogGroup: "/suite/web"})
	arn := w.Watched(t, Watched{Alarm: "suite-cpu", Description: "too much", Database: "suite-database", Domain: "www.example.com"})

	if groups, err := o.LogGroups(ctx, "/suite/"); err != nil || len(groups) != 1 || groups[0].Name != "/suite/web" {
		t.Errorf("log groups are %+v, %v", groups, err)
	}
	if groups, err := o.LogGroups(ctx, "/elsewhere/"); err != nil || len(groups) != 0 {
		t.Errorf("log groups with another prefix are %+v, %v", groups, err)
	}
	for _, group := range []string{"/suite/web", "/suite/gone"} {
		streams, err := o.LogStreams(ctx, group, time.Time{})
		if err != nil || len(streams) != 0 {
			t.Errorf("the streams of %s are %+v, %v", group, streams, err)
		}
		err = o.Events(ctx, account.EventQuery{Group: group, From: time.Now().Add(-time.Hour)}, func(events []logline.Event) error {
			t.Errorf("%s has events: %+v", group, events)
			return nil
		})
		if err != nil {
			t.Errorf("the events of %s: %v", group, err)
		}
	}
	if keys, err := o.Archived(ctx, "suite-gone", "x/"); err != nil || len(keys) != 0 {
		t.Errorf("a bucket that does not exist holds %q, %v", keys, err)
	}
	for _, cluster := range []string{cluster, strings.Replace(cluster, "suite", "gone", 1)} { // without tasks, and without a cluster
		if tasks, err := o.Tasks(ctx, cluster); err != nil || len(tasks) != 0 {
			t.Errorf("%s has the tasks %+v, %v", cluster, tasks, err)
		}
	}
	if scaling, err := o.Scaling(ctx, cluster, []string{"web"}); err != nil || len(scaling) != 0 {
		t.Errorf("a service that does not scale has %+v, %v", scaling, err)
	}

	alarms, err := o.Alarms(ctx, []string{"suite-cpu", "suite-gone"})
	if err != nil || len(alarms) != 1 || alarms[0].Name != "suite-cpu" || alarms[0].State != "OK" || alarms[0].Description != "too much" {
		t.Errorf("alarms are %+v, %v", alarms, err)
	}
	d, err := o.Database(ctx, "suite-database")
	if err != nil || d.ID != "suite-database" || d.Class != "db.t4g.micro" || d.Status != "available" || d.Engine != "postgres" ||
		d.Storage != 20 ||
		d.BackupDays != 7 || d.MultiAZ {
		t.Errorf("the database is %+v, %v", d, err)
	}
	if all, err := o.Snapshots(ctx, "suite-gone"); err != nil || len(all) != 0 {
		t.Errorf("a database that does not exist has the snapshots %+v, %v", all, err)
	}
	if d, err := o.Database(ctx, "suite-gone"); err == nil {
		t.Errorf("a database that does not exist is %+v", d)
	}
	if c, err := o.Certificate(ctx, arn); err != nil || c.Domain != "www.example.com" || c.Status != "PENDING_VALIDATION" {
		t.Errorf("the certificate is %+v, %v", c, err)
	}
	if c, err := o.Certificate(ctx, strings.Replace(arn, "certificate/", "certificate/0", 1)); err == nil {
		t.Errorf("a certificate that does not exist is %+v", c)
	}
	if c, err := o.Cache(ctx, "suite-gone"); err == nil {
		t.Errorf("a cache that does not exist is %+v", c)
	}
	values, err := o.Metrics(ctx, []account.Metric{{Namespace: "AWS/RDS", Name: "FreeStorageSpace", Statistic: "Average",
		Dimensions: map[string]string{"DBInstanceIdentifier": "suite-database"}}})
	if err != nil && !errors.Is(err, account.ErrSimulated) || len(values) != 1 || values[0] != nil {
		t.Errorf("a metric without data is %v, %v", values, err)
	}
}
