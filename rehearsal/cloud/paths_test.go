package cloud

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// blockedAt are the findings about connections at a resource, as texts. Those about permissions are left out.
func blockedAt(w *world, name string) []string {
	var all []string
	for _, f := range w.a.Findings() {
		if strings.HasSuffix(f.Resource, "::"+name) && !strings.HasPrefix(f.Code, "AccessDenied") {
			all = append(all, f.String())
		}
	}
	return all
}

// drops removes an object without checks.
func (w *world) drops(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if _, err := w.a.Remove(w.made[name].Type, w.id(name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// isolate takes the NAT gateway away: what remains are the endpoints for S3 and SSM.
func isolate(w *world) {
	w.t.Helper()
	if err := w.update("private-routes", properties{"routes": []any{}}); err != nil {
		w.t.Fatal(err)
	}
}

// A container is changed, and the service with it.
func withTask(w *world, change func(app, proxy properties)) error {
	w.t.Helper()
	w.create(taskType, "other-task", changed(w.inputs["task"], properties{"containerDefinitions": containerText(w, change)}))
	return w.update("service", properties{"taskDefinition": w.arn("other-task")})
}

func TestAServiceWithoutAPathIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(w *world) error
		says   []string // in the refusal; none: it is accepted
	}{
		{"everything is there", func(w *world) error { return w.update("service", properties{"desiredCount": 3}) }, nil},
		{"no way out", func(w *world) error { isolate(w); return w.update("service", properties{"desiredCount": 3}) }, []string{
			"DeploymentFailed: tasks failed to start: ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull",
			"service -> api.ecr.us-east-1.amazonaws.com:443 (registry login)",
			"fix: route table private-routes: add the route 0.0.0.0/0 -> NAT gateway nat"}},
		{"a service without tasks", func(w *world) error { isolate(w); return w.update("service", properties{"desiredCount": 0}) }, nil},
		{"the group of the endpoint admits no one", func(w *world) error {
			w.drops("web-to-endpoint")
			return w.update("service", properties{"desiredCount": 3})
		}, []string{"unable to retrieve secrets from ssm", "security group web: no ingress rule for tcp 443 from service"}},
		{"an image of Docker Hub", func(w *world) error {
			w.drops("web-out")
			w.create(egressType, "to-s3", properties{"securityGroupId": w.id("web"), "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
				"cidrIpv4": "10.0.0.0/8"})
			return withTask(w, func(_, proxy properties) { proxy["image"] = "nginx:1.29" })
		}, []string{"service -> registry-1.docker.io:443 (image nginx)"}},
		{"a secret of Secrets Manager", func(w *world) error {
			isolate(w)
			if err := w.update("execution-policy", properties{"policy": policyText(allow("*", "*"))}); err != nil {
				return err
			}
			return withTask(w, func(app, _ properties) {
				app["secrets"] = []any{properties{"name": "API", "valueFrom": w.arn("secret")}}
			})
		}, []string{"service -> secretsmanager.us-east-1.amazonaws.com:443 (secret API)"}},
		{"targets in other groups", func(w *world) error {
			return w.update("service", properties{"networkConfiguration.securityGroups": []any{w.id("closed")}})
		}, []string{"balancer -> service:8080 (requests and health checks)", "security group closed: no ingress rule for tcp 8080",
			"security group closed: no egress rule for tcp 443"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := siteWorld(t)
			err := c.change(w)
			if len(c.says) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || len(e.Chain) == 0 || e.Fix == "" || e.Source == "" {
				t.Fatalf("expected a refusal with chain, fix and source, got %v", err)
			}
			for _, text := range c.says {
				if !strings.Contains(e.Error(), text) {
					t.Errorf("the refusal does not say %q:\n%s", text, e)
				}
			}
		})
	}
}

func TestWhatFailsLater(t *testing.T) {
	env := func(name, value string) func(w *world) error {
		return func(w *world) error {
			return withTask(w, func(app, _ properties) { app["environment"] = []any{properties{"name": name, "value": value}} })
		}
	}
	both := func(all ...func(w *world) error) func(w *world) error {
		return func(w *world) error {
			for _, do := range all {
				if err := do(w); err != nil {
					return err
				}
			}
			return nil
		}
	}
	quiet := func(w *world) error { return w.update("service", properties{"enableExecuteCommand": false}) }
	for _, c := range []struct {
		name   string
		change func(w *world) error
		at     string
		says   string // none: nothing is blocked there
	}{
		{"a database", func(w *world) error { return env("DB_HOST", w.out("database", "address").(string))(w) }, "service", ""},
		{"a database that does not admit the tasks", func(w *world) error {
			w.drops("data-from-web")
			return env("DATABASE_URL", "postgres://site@"+strings.ToUpper(w.out("database", "address").(string))+"/site")(w)
		}, "service", "security group data: no ingress rule for tcp 5432 from service"},
		{"a cache whose group has no rule", func(w *world) error {
			return env("CACHE_URL", "rediss://"+w.out("cache", "primaryEndpointAddress").(string)+":6379")(w)
		}, "service", "security group data: no ingress rule for tcp 6379 from service"},
		{"a bucket", env("MEDIA", "site-media-1"), "service", ""},
		{"a machine without a route", both(quiet, func(w *world) error {
			w.drops("private-a-routes")
			return nil
		}), "bastion", "bastion -> ssmmessages.us-east-1.amazonaws.com:443 (sessions)"},
		{"a NAT gateway in a private subnet", func(w *world) error {
			return w.a.Alter(natType, w.id("nat"), func(o *Object) { o.Outputs["subnetId"] = w.id("private-a") })
		}, "nat", "leads to itself, not to an internet gateway"},
		{"a balancer in private subnets", func(w *world) error {
			return w.a.Alter(balancerType, w.id("balancer"), func(o *Object) {
				o.Outputs["subnets"], o.Outputs["subnetMappings"] = []any{w.id("private-a"), w.id("private-b")}, []any{}
			})
		}, "balancer", "no route 0.0.0.0/0 to an internet gateway"},
		{"a listener on a closed port", func(w *world) error {
			w.create(listenerType, "plain", properties{"loadBalancerArn": w.arn("balancer"), "port": 8000, "protocol": "HTTP",
				"defaultActions": []any{properties{"type": "forward", "targetGroupArn": w.arn("targets")}}})
			return nil
		}, "balancer", "security group edge: no ingress rule for tcp 8000 from the internet"},
		{"a public database", func(w *world) error {
			w.create(ingressType, "everyone", properties{"securityGroupId": w.id("data"), "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432,
				"cidrIpv4": "0.0.0.0/0"})
			if err := w.a.Alter(databaseSubnetType, "site", func(o *Object) { o.Outputs["subnetIds"] = []any{w.id("public-a")} }); err != nil {
				return err
			}
			return w.a.Alter(databaseType, w.id("database"), func(o *Object) { o.Outputs["publiclyAccessible"] = true })
		}, "database", "the internet reaches database on port 5432"},
		{"a public database for known clients", func(w *world) error {
			w.create(ingressType, "office", properties{"securityGroupId": w.id("data"), "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432,
				"cidrIpv4": "203.0.113.0/24"})
			return w.a.Alter(databaseType, w.id("database"), func(o *Object) { o.Outputs["publiclyAccessible"] = true })
		}, "database", ""},
		{"public tasks behind a closed group", func(w *world) error {
			return w.update("service", properties{"networkConfiguration.subnets": []any{w.id("public-a")},
				"networkConfiguration.assignPublicIp": true})
		}, "service", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := siteWorld(t)
			// The site's listener is on a port that its group does not admit; that is not what these cases are about.
			w.create(ingressType, "edge-http", properties{"securityGroupId": w.id("edge"), "ipProtocol": "tcp", "fromPort": 80, "toPort": 80,
				"cidrIpv4": "0.0.0.0/0"})
			if found := blockedAt(w, c.at); len(found) > 0 {
				t.Fatalf("the site itself: %s", found)
			}
			if err := c.change(w); err != nil {
				t.Fatal(err)
			}
			found := blockedAt(w, c.at)
			if c.says == "" && len(found) > 0 || c.says != "" && !slices.ContainsFunc(found, func(f string) bool {
				return strings.Contains(f,
					c.says)
			}) {
				t.Errorf("expected %q, got %s", c.says, strings.Join(found, "\n"))
			}
		})
	}
}

// TestEndpointNamesOfPartitions: in China some services have names of their own, and only those (aws/aws-cdk#9864).
func TestEndpointNamesOfPartitions(t *testing.T) {
	for _, c := range []struct{ region, name, code string }{
		{"us-east-1", "com.amazonaws.us-east-1.ecr.api", ""},
		{"us-gov-west-1", "com.amazonaws.us-gov-west-1.ecr.api", ""},
		{"cn-north-1", "com.amazonaws.cn-north-1.ecr.api", "InvalidServiceName"},
		{"cn-north-1", "cn.com.amazonaws.cn-north-1.ecr.api", ""},
		{"cn-north-1", "com.amazonaws.cn-north-1.logs", ""},
		{"cn-north-1", "cn.com.amazonaws.cn-north-1.logs", "InvalidServiceName"},
		{"us-east-1", "cn.com.amazonaws.us-east-1.ecr.api", "InvalidServiceName"},
		{"us-east-1", "com.amazonaws.us-west-2.ecr.api", "InvalidServiceName"},
	} {
		a, err := Open(filepath.Join(t.TempDir(), "model.json"), Options{Region: c.region})
		if err != nil {
			t.Fatal(err)
		}
		vpc := create(t, a, vpcType, "vpc", map[string]any{"cidrBlock": "10.0.0.0/16"})
		_, _, err = a.Create(Change{Type: endpointType, URN: "urn:pulumi:test::site::" + endpointType + "::e", Inputs: map[string]any{
			"vpcId": vpc.ID, "serviceName": c.name, "vpcEndpointType": "Interface"}})
		if got := ""; c.code != "" {
			got = code(t, err)
			if got != c.code {
				t.Errorf("%s in %s: expected %s, got %s", c.name, c.region, c.code, got)
			}
		} else if err != nil {
			t.Errorf("%s in %s: %v", c.name, c.region, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if host := regions["cn-north-1"].hostOf("ecr.api", ""); host != "api.ecr.cn-north-1.amazonaws.com.cn" {
		t.Error(host)
	}
	if host := regions["eu-west-1"].hostOf("kinesis-firehose", ""); host != "firehose.eu-west-1.amazonaws.com" {
		t.Error(host)
	}
}

// TestEveryServiceHasItsHosts: a host name leads back to its service.
func TestEveryServiceHasItsHosts(t *testing.T) {
	r := regions["eu-west-1"]
	for _, name := range endpointServices {
		if name == "ecs-agent" || name == "ecs-telemetry" { // names with numbers that AWS chooses
			continue
		}
		host := strings.Replace(r.service(name).Hosts[0], "*", "x", 1)
		if got := r.serviceAt(host).Name; got != name {
			t.Errorf("%s: its host %s leads to %q", name, host, got)
		}
	}
	for _, host := range words("bucket.s3.eu-west-1.amazonaws.com s3.eu-west-1.amazonaws.com al2023.s3.dualstack.eu-west-1.amazonaws.com") {
		if r.serviceAt(host).Name != "s3" {
			t.Error(host)
		}
	}
	for _, host := range words("s3.us-east-1.amazonaws.com example.com nothing.eu-west-1.amazonaws.com") {
		if got := r.serviceAt(host).Name; got != "" {
			t.Errorf("%s leads to %s", host, got)
		}
	}
}

// BenchmarkPaths is the part of paths in the findings of a site after a change of its network.
func BenchmarkPaths(b *testing.B) {
	w := siteWorld(b)
	p := w.a.judges[Paths].(*paths)
	b.ReportAllocs()
	for b.Loop() {
		p.changed(&Object{Type: vpcType})
		p.findings()
	}
}
