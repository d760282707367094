package incidents_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/config"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/contracts"
	"slipway/site"
)

// in changes one container of a task definition.
func in(definition, container string, change func(c map[string]any)) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, "TaskDefinition", definition)
		var all []map[string]any
		must(t, json.Unmarshal([]byte(o.Outputs["containerDefinitions"].(string)), &all))
		at := slices.IndexFunc(all, func(c map[string]any) bool { return c["name"] == container })
		if at < 0 {
			t.Fatalf("%s has no container %s", definition, container)
		}
		change(all[at])
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		must(t, encoder.Encode(all))
		set("TaskDefinition", definition, "containerDefinitions", strings.TrimSpace(text.String()))(t, a)
	}
}

// put sets one property of a container.
func put(definition, container, property string, value any) plant {
	return in(definition, container, func(c map[string]any) { c[property] = value })
}

// unmounted removes a mount of a container.
func unmounted(definition, container, path string) plant {
	return in(definition, container, func(c map[string]any) {
		all := c["mountPoints"].([]any)
		c["mountPoints"] = slices.DeleteFunc(all, func(m any) bool { return m.(map[string]any)["containerPath"] == path })
	})
}

// The images of the site, and the files of Slipway's in the folder that Docker builds them from.
const (
	djangoImage, nginxImage = "django", "nginx"
	stagedDockerfile        = ".slipway/Dockerfile"
	stagedTemplate          = ".slipway/slipway.conf.template"
)

// staged is the folder that the images of a stack are built from, and the stage of each image.
func staged(t *testing.T, stack string) (folder string, stages map[string]string) {
	t.Helper()
	root := checkout(t, nil)
	source, err := config.FromProject(root, stack)
	must(t, err)
	loaded, err := site.Load(source)
	must(t, err)
	builds, err := site.Builds(loaded, root)
	must(t, err)
	context, err := builds[0].Read()
	must(t, err)
	folder = filepath.Join(t.TempDir(), "context")
	must(t, context.Stage(folder))
	second, err := builds[1].Read()
	must(t, err)
	both := filepath.Join(t.TempDir(), "nginx")
	must(t, second.Stage(both))
	must(t, filepath.WalkDir(both, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(both, path)
		to := filepath.Join(folder, name)
		if _, missing := os.Lstat(to); err != nil || d.IsDir() || missing == nil {
			return err
		}
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(to), 0o755))
		return os.WriteFile(to, data, 0o600)
	}))
	return folder, map[string]string{djangoImage: builds[0].Target, nginxImage: builds[1].Target}
}

// built reads an image of the site again, after a change of the files that it is built from: path, old text, new text.
func built(name string, changes ...string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		folder, stages := staged(t, "prod")
		for n := 0; n < len(changes); n += 3 {
			file := filepath.Join(folder, changes[n])
			data, err := os.ReadFile(file)
			must(t, err)
			if !strings.Contains(string(data), changes[n+1]) {
				t.Fatalf("%s does not contain %q", changes[n], changes[n+1])
			}
			must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(data), changes[n+1], changes[n+2])), 0o600))
		}
		text, err := os.ReadFile(filepath.Join(folder, stagedDockerfile))
		must(t, err)
		image, err := contracts.Read(contracts.Build{Dockerfile: text, Context: os.DirFS(folder), Target: stages[name],
			Platform: "linux/arm64"})
		must(t, err)
		described(t, a, name, func(i *contracts.Image) { *i = *image })
	}
}

// described changes what is known about an image.
func described(t *testing.T, a *cloud.Account, name string, change func(i *contracts.Image)) {
	t.Helper()
	for _, o := range a.Objects() {
		text, ok := o.Outputs["contract"].(string)
		if !ok || !strings.Contains(o.ID, "/"+name+"@") {
			continue
		}
		var image contracts.Image
		must(t, json.Unmarshal([]byte(text), &image))
		change(&image)
		must(t, a.Describe(o.Outputs["imageUri"].(string), &image))
		return
	}
	t.Fatalf("nothing is known about the image %s", name)
}

// variable changes a variable of a container; "" removes it.
func variable(definition, container, name, value string) plant {
	return in(definition, container, func(c map[string]any) {
		all := slices.DeleteFunc(c["environment"].([]any), func(v any) bool { return v.(map[string]any)["name"] == name })
		if value != "" {
			all = append(all, map[string]any{"name": name, "value": value})
		}
		c["environment"] = all
	})
}

// unsecret removes a secret of a container.
func unsecret(definition, container, name string) plant {
	return in(definition, container, func(c map[string]any) {
		c["secrets"] = slices.DeleteFunc(c["secrets"].([]any), func(v any) bool { return v.(map[string]any)["name"] == name })
	})
}

// health replaces the command of a container's health check.
func health(definition, container string, command ...string) plant {
	return in(definition, container, func(c map[string]any) { c["healthCheck"].(map[string]any)["command"] = command })
}

// TestContractsOfWhatRuns plants what AWS accepts and what does not work.
func TestContractsOfWhatRuns(t *testing.T) {
	dir := deployed(t, "prod", nil)
	a := account(t, dir)
	if found := a.Findings(); len(found) > 0 {
		t.Errorf("the program itself: %s", list(found))
	}
	t.Logf("%d questions about images have no answer: %q", len(a.Unjudged()), a.Unjudged())
	const web, task, migration, helper = "web", "web-task", "migration-task", "/opt/slipway/helper"
	for _, c := range []struct {
		id, source string
		plant      plant
		resource   string
		says       string
	}{
		{"E02", "aws/containers-roadmap#938", built(nginxImage, stagedDockerfile, `"/var/cache/nginx", "/managed`, `"/managed`), web,
			"mount /var/cache/nginx is no VOLUME"},
		{"E03", "docker-archive/compose-cli#2093", built(nginxImage, stagedTemplate, "pid /tmp/nginx.pid", "pid /var/run/nginx.pid"), web,
			"nginx writes /var/run/nginx.pid"},
		{"E03 the volume", "docker-archive/compose-cli#2093", unmounted(task, "nginx", "/tmp"), web, "nginx writes /tmp/nginx.pid"},
		{"E04", "parse-community/parse-server#5780", put(task, "nginx", "healthCheck", map[string]any{"command": []string{"CMD-SHELL",
			"curl -f http://localhost:8080/healthz/nginx || exit 1"}}), web, "runs curl, which its image does not have"},
		{"E09", "apache/druid#11278", both(built(nginxImage, stagedDockerfile, `"/tmp", `, `"/tmp", "/var/run", `), in(task, "nginx",
			mount("/var/run"))),
			web, "mount /var/run is a symbolic link to /run"},
		{"E10", "opencontainers/runc#4991", both(built(nginxImage, stagedDockerfile, "USER 101:101",
			"RUN ln -s /srv/data /srv/pictures\nUSER 101:101"),
			in(task, "nginx", mount("/srv/pictures/media"))), web, "crosses /srv/pictures, a symbolic link"},
		{"E16", "anomalyco/sst#3542", func(t *testing.T, a *cloud.Account) {
			described(t, a, djangoImage, func(i *contracts.Image) { i.Size = 22 << 30 })
		}, web, "22 GiB unpacked, most of them container django, and it has 20 GiB"},
		{"E17", "aws-containers/amazon-ecs-exec-checker#71", unmounted(task, "django", "/var/lib/amazon/ssm"), web,
			"no volume is at /var/lib/amazon/ssm"},
		{"E23", "aprin-labs/archimedes#1055", built(nginxImage, stagedTemplate, "server 127.0.0.1:", "server django:"), web,
			`host "django", which nothing in the VPC resolves`},
		{"E27", "aws/containers-roadmap#817", both(put(task, "django", "essential", false), both(put(task, "django", "command",
			[]string{"false"}),
			put(task, "nginx", "dependsOn", []any{map[string]any{"containerName": "django", "condition": "SUCCESS"}}))), web,
			"waits for the SUCCESS of django"},
		{"E32", "alphagov/notifications-api#3996", built(djangoImage, stagedDockerfile, `CMD ["gunicorn", "website.wsgi"]`,
			`CMD gunicorn website.wsgi`),
			web, "process 1 is a shell, /bin/sh -c"},
		{"two schedulers of Celery", "Celery documentation, \"Periodic Tasks\"", put("worker-feed-task", "django", "command",
			[]string{"celery", "-A", "site", "beat", "-s", "/tmp/beat"}), "worker-feed", "its service runs up to 2 tasks"},
		{"a scheduler that cannot write", "Celery documentation, celery beat -s", both(both(put("worker-feed-task", "django", "command",
			[]string{"celery", "-A", "site", "beat", "-s", "beat"}), set("Service", "worker-feed", "deploymentMaximumPercent", 100.0)),
			both(set("Service", "worker-feed", "deploymentMinimumHealthyPercent", 0.0), set("Service", "worker-feed", "availabilityZoneRebalancing",
				"DISABLED"))), "worker-feed", "celery beat writes "},
		{"TLS without a check of the certificate", "celery/celery#5371", both(put("worker-feed-task", "django", "command",
			[]string{"celery", "-A", "site", "worker"}), variable("worker-feed-task", "django", "REDIS_URL", "rediss://:x@cache.example:6379/0")),
			"worker-feed", "its variable REDIS_URL is a rediss:// URL without ssl_cert_reqs"},
		{"F02", "ministryofjustice/modernisation-platform-environments#17262", uncounted("SizeRestrictions_BODY"), "waf",
			"rule SizeRestrictions_BODY blocks bodies from 8 KB"},
		{"F03", "cds-snc/platform-forms-client#434", uncounted("CrossSiteScripting_BODY"), "waf",
			"rule CrossSiteScripting_BODY looks for attacks"},
		{"F04", "rocicorp/mono#3830", both(set("Service", web, "healthCheckGracePeriodSeconds", 0), in(task, "django", func(c map[string]any) {
			c["healthCheck"].(map[string]any)["startPeriod"] = 120
		})), web, "container django may take 120 s to start"},
		{"F05", "FINRAOS/aphelion#19", built(nginxImage, stagedTemplate, "listen ${SLIPWAY_PORT} default_server",
			"listen ${SLIPWAY_PORT} ssl default_server"), web,
			"speaks TLS only"},
		{"a health check on another port", "Elastic Load Balancing guide", func(t *testing.T, a *cloud.Account) {
			check := maps.Clone(named(t, a, "TargetGroup", "balancer-targets").Outputs["healthCheck"].(map[string]any))
			check["port"] = "8081"
			set("TargetGroup", "balancer-targets", "healthCheck", check)(t, a)
		}, web, "checks port 8081, which container nginx does not map"},
		{"G01", "mdn/mdn-http-observatory#386", both(set("Instance", "database", "instanceClass", "db.t4g.micro"),
			set("Target", "web-scaling", "maxCapacity", 40)), "database", "service web 40 tasks"},
		{"a listener without targets", "Elastic Load Balancing guide, HTTP 503", set("Service", web, "loadBalancers", []any{}),
			"balancer-targets", "no service registers its tasks there"},
		{"a job without a task role", "ECS Developer Guide", set("TaskDefinition", "job-clean-up-task", "taskRoleArn", ""),
			"job-clean-up-task", "its task has no taskRoleArn"},
		{"FireLens without a name", "ECS Developer Guide", put(task, "django", "logConfiguration", map[string]any{"logDriver": "awsfirelens",
			"options": map[string]any{"region": "us-east-1", "delivery_stream": "logs"}}), web, "whose options lack Name"},
		{"row 1", "aws/containers-roadmap#938", both(built(nginxImage, stagedDockerfile, `VOLUME ["/tmp", `, `VOLUME ["/tmp", "/var/run", `,
			stagedTemplate, "pid /tmp/nginx.pid", "pid /var/run/nginx.pid"), in(task, "nginx", mount("/var/run"))), web,
			"Fargate takes no owner from it"},
		{"row 20", "aws/amazon-ssm-agent#653", built(nginxImage, stagedDockerfile,
			"RUN command -v script >/dev/null || apk add --no-cache util-linux-misc",
			"RUN true"), web, "records them with script"},

		// The layer, the program in it, and nginx's template.
		{"a user by another name", "aws/amazon-ecs-agent, \"unable to find user\"", put(task, "django", "user", "site-web"), web,
			"the image has no user site-web"},
		{"a layer without its user", "aws/containers-roadmap#938", built(djangoImage, stagedDockerfile, `VOLUME ["/managed-agents","/tmp",`,
			`VOLUME ["/managed-agents",`), web, "mount /tmp is no VOLUME"},
		{"a health check of another port", "a survey of projects", health(task, "django", "CMD", helper, "health", "--port=9000",
			"--path=/healthz"), web, "asks port 9000, and gunicorn listens on 8000"},
		{"a health check without a port", "slipway", health(task, "nginx", "CMD", helper, "health"), web, "names no port"},
		{"the app on another port", "a survey of projects", variable(task, "django", "PORT", "5000"), web, "gunicorn listens on 5000"},
		{"the app on port 80", "aws/containers-roadmap#1721", variable(task, "django", "PORT", "80"), web,
			"listens on port 80, and its user 10001 is not root"},
		{"nginx asks another port than the app's", "a survey of projects", variable(task, "nginx", "SLIPWAY_APP_PORT", "5000"), web,
			"no other container of the task maps port 5000"},
		{"nginx on another port", "ECS Developer Guide", variable(task, "nginx", "SLIPWAY_PORT", "8090"), web, "nginx listens on 8090"},
		{"nginx without the site's host", "slipway", variable(task, "nginx", "SLIPWAY_HOST", ""), web, "names ${SLIPWAY_HOST}, which is not set"},
		{"nginx without a template", "slipway", built(nginxImage, stagedDockerfile, "COPY .slipway/slipway.conf.template ", "COPY "), web,
			"open /etc/nginx/slipway.conf.template: no such file"},
		{"nginx waits longer than the balancer", "Elastic Load Balancing guide, HTTP 504", variable(task, "nginx", "SLIPWAY_TIMEOUT", "300s"),
			web, "waits 300 s for an answer (proxy_read_timeout), the load balancer 60 s"},
		{"nginx closes connections first", "Elastic Load Balancing guide, HTTP 502", variable(task, "nginx", "SLIPWAY_KEEPALIVE", "30s"), web,
			"after 30 s (keepalive_timeout), the load balancer after 60 s"},
		{"a header that is another directive", "nginx.org", variable(task, "nginx", "SLIPWAY_HEADERS", "user root;"), web,
			"refuses its configuration"},
		{"the health check with the balancer's host", "djangoproject.com, ALLOWED_HOSTS", built(nginxImage, stagedTemplate,
			"proxy_set_header Host ${SLIPWAY_HOST};", "proxy_set_header Host $http_host;"), web, `with Host "$http_host" instead of`},
		{"nginx's own health path", "slipway", built(nginxImage, stagedTemplate, `return 200 "alive\n"`, "return 404"), web,
			"answers GET /.slipway/nginx with 404 itself"},
		{"a migration without the owner's password", "slipway", unsecret(migration, "django", "SLIPWAY_DB_OWNER_PASSWORD"), migration,
			"runs the migration without SLIPWAY_DB_OWNER_PASSWORD"},
		{"a migration without the role's password", "slipway", unsecret(migration, "django", "SLIPWAY_DB_ROLE_PASSWORD"), migration,
			"without SLIPWAY_DB_ROLE_PASSWORD"},
		{"a migration without a command", "slipway", variable(migration, "django", "SLIPWAY_MIGRATE", "[]"), migration, "SLIPWAY_MIGRATE=[]"},
		{"a migration with a program that is not there", "slipway", variable(migration, "django", "SLIPWAY_MANAGE", `["/opt/slipway/shopctl"]`),
			migration, "it runs /opt/slipway/shopctl, which the image of container django does not have"},
		{"a command that the program does not have", "slipway", put(migration, "django", "command", []string{"migrations"}), migration,
			`no command "migrations"`},
		{"an image without the program", "slipway", func(t *testing.T, a *cloud.Account) {
			described(t, a, djangoImage, func(i *contracts.Image) { delete(i.Files, helper) })
		}, migration, "has no /opt/slipway/helper"},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, dir)
			c.plant(t, a)
			found := a.Findings()
			at := slices.IndexFunc(found, func(f cloud.Finding) bool {
				return strings.HasSuffix(f.Resource, "::"+c.resource) && strings.Contains(strings.Join(f.Chain, "\n"), c.says)
			})
			if at < 0 {
				t.Errorf("%s: no finding at %s that says %q; %d findings:\n%s", c.source, c.resource, c.says, len(found), list(found))
			} else if f := found[at]; f.Code == "" || f.Message == "" || f.Fix == "" || f.Source == "" {
				t.Errorf("the finding is incomplete: %+v", f)
			}
		})
	}
}

func mount(path string) func(c map[string]any) {
	return func(c map[string]any) {
		c["mountPoints"] = append(c["mountPoints"].([]any), map[string]any{"sourceVolume": "nginx-tmp", "containerPath": path, "readOnly": false})
	}
}

// uncounted lets a managed rule block.
func uncounted(rule string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, "WebAcl", "waf")
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) {
			for _, r := range o.Outputs["rules"].([]any) {
				group, _ := r.(map[string]any)["statement"].(map[string]any)["managedRuleGroupStatement"].(map[string]any)
				if overrides, ok := group["ruleActionOverrides"].([]any); ok {
					group["ruleActionOverrides"] = slices.DeleteFunc(overrides, func(v any) bool { return v.(map[string]any)["name"] == rule })
				}
			}
		}))
	}
}

// A change is what a program asks of a resource that exists: its inputs, changed.
type change = map[string]any

// TestRefusals changes inputs of the program's own resources: AWS refuses to make or to change the resource.
func TestRefusals(t *testing.T) {
	dir := deployed(t, "prod", nil)
	firelens := deployed(t, "staging", nil)
	container := func(definition, name string, edit func(c map[string]any)) func(t *testing.T, a *cloud.Account) change {
		return func(t *testing.T, a *cloud.Account) change {
			t.Helper()
			in(definition, name, edit)(t, a)
			return change{"containerDefinitions": named(t, a, "TaskDefinition", definition).Outputs["containerDefinitions"]}
		}
	}
	to := func(c change) func(*testing.T, *cloud.Account) change {
		return func(*testing.T, *cloud.Account) change { return c }
	}
	const task, service, group = "TaskDefinition", "Service", "TargetGroup"
	property := func(name string, value any) func(c map[string]any) { return func(c map[string]any) { c[name] = value } }
	for _, c := range []struct {
		id, source, dir, kind, name string
		change                      func(t *testing.T, a *cloud.Account) change
		code, says                  string
	}{
		{"E06", "aws/containers-roadmap#339", dir, task, "web-task", container("web-task", "django", func(c map[string]any) {
			delete(c,
				"healthCheck")
		}),
			"ClientException", "waits until django is HEALTHY, but that has no health check"},
		{"a number as text", "ECS API reference, ContainerDefinition", dir, task, "web-task", container("web-task", "django",
			property("memory", "lots")), "ClientException", "memory: expected a number, got string"},
		{"E07", "aws/containers-roadmap#2224", dir, service, "web", nested, "DeploymentFailed", "did not contain json key db.password"},
		{"E11", "aws/containers-roadmap#966", firelens, task, "web-task", container("web-task", "log-router", property("essential", false)),
			"ClientException", "must be essential"},
		{"E14", "aws-samples/amazon-ecs-firelens-examples#35", firelens, task, "web-task", container("web-task", "log-router",
			func(c map[string]any) {
				c["firelensConfiguration"].(map[string]any)["options"] = map[string]any{"config-file-type": "s3",
					"config-file-value": "arn:aws:s3:::x/y"}
			}), "ClientException", "config-file-type s3 is not supported on Fargate"},
		{"E15", "anomalyco/sst#3542", dir, task, "web-task", to(change{"ephemeralStorage": change{"sizeInGib": 20}}), "", "expected 21 to 200"},
		{"E18", "awsdocs/amazon-ecs-developer-guide#149", dir, task, "web-task", container("web-task", "django", func(c map[string]any) {
			c["environment"] = append(c["environment"].([]any), map[string]any{"name": "LICENCE", "value": strings.Repeat("x", 65000)})
		}), "ClientException", "Max allowed length is '65536' bytes; the longest value is django's LICENCE"},
		{"E19", "boto/boto3#2436", dir, task, "web-task", container("web-task", "nginx", property("dependsOn",
			[]any{map[string]any{"containerName": "django", "condition": "SUCCESS"}})), "ClientException", "which is essential"},
		{"E21", "aws/amazon-ecs-agent#1276", dir, service, "web", balancers("containerName", "slipway-prod-web"), "InvalidParameterException",
			"The container slipway-prod-web does not exist in the task definition"},
		{"E22", "pulumi/pulumi-awsx#1172", dir, service, "web", balancers("containerPort", 80), "InvalidParameterException",
			"did not have a container port 80 defined"},
		{"E24", "virtual-kubelet/virtual-kubelet#193", dir, task, "migration-task", to(change{"executionRoleArn": nil}), "ClientException",
			"execution role ARN"},
		{"E25", "ryfeus/stepfunctions2processing#5", dir, service, "web", func(t *testing.T, a *cloud.Account) change {
			replaced(task, "web-task", "containerDefinitions", `"awslogs-group":"/slipway/prod/nginx"`,
				`"awslogs-group":"/slipway/prod/nginxx"`)(t, a)
			return nil
		}, "DeploymentFailed", "/slipway/prod/nginxx"},
		{"E26", "aws/amazon-ecs-agent#497", dir, service, "web", func(t *testing.T, a *cloud.Account) change {
			in("web-task", "nginx", property("name", "proxy"))(t, a)
			return nil
		}, "InvalidParameterException", "The container nginx does not exist"},
		{"E13", "aws-samples/amazon-ecs-firelens-examples#29", firelens, service, "web", func(t *testing.T, a *cloud.Account) change {
			in("web-task", "django", property("logConfiguration", map[string]any{"logDriver": "awsfirelens", "options": map[string]any{}}))(t, a)
			return nil
		}, "DeploymentFailed", "awsfirelens of container django has no options"},
		{"E30", "aws/containers-roadmap#1808", dir, task, "web-task", container("web-task", "django", property("stopTimeout", 40000)),
			"ClientException", "2 to 120 seconds"},
		{"F06", "hashicorp/terraform-provider-aws#11723", dir, service, "web", func(t *testing.T, a *cloud.Account) change {
			set(group, "balancer-targets", "targetType", "instance")(t, a)
			return nil
		}, "InvalidParameterException", "incompatible with the awsvpc network mode"},
		{"F09", "hashicorp/terraform-provider-aws#23934", dir, "WebAclLoggingConfiguration", "waf",
			to(change{"logDestinationConfigs": []any{"arn:aws:logs:us-east-1:123456789012:log-group:slipway-prod-waf"}}),
			"WAFInvalidParameterException", "begins with aws-waf-logs-"},
		{"F11", "pulumi/pulumi#15712", dir, "Listener", "balancer-https", to(change{"certificateArn": nil}), "ValidationError",
			"A certificate must be specified for HTTPS listeners"},
		{"F14", "terraform-aws-modules/terraform-aws-autoscaling#192", dir, "Policy", "web-scaling-requests", tracking, "ValidationException",
			"ALBRequestCountPerTarget needs the label"},
		{"F15", "zalando-incubator/kube-ingress-aws-controller#392", dir, group, "balancer-targets", func(t *testing.T, a *cloud.Account) change {
			check := maps.Clone(named(t, a, group, "balancer-targets").Inputs["healthCheck"].(map[string]any))
			check["interval"] = 5
			return change{"healthCheck": check}
		}, "ValidationError", "must be smaller than the interval"},
		{"G02", "aws-quickstart/quickstart-awx#47", dir, "Instance", "database", to(change{"instanceClass": "db.m4.large"}),
			"InvalidParameterCombination", "db.m4 ends with PostgreSQL 13"},
		{"G03", "sidpalas/devops-directive-terraform-course#8", dir, "Instance", "database", to(change{"engineVersion": "14.2"}),
			"InvalidParameterCombination", "Cannot find version 14.2 for postgres"},
		{"G04", "ministryofjustice/cloud-platform#1197", dir, "ParameterGroup", "database-parameters", to(change{"parameters": []any{
			change{"name": "track_activity_query_size", "value": "16384", "applyMethod": "immediate"}}}), "InvalidParameterCombination",
			"cannot use immediate apply method for static parameter"},
		{"G06", "hashicorp/terraform-provider-aws#17373", dir, "SubnetGroup", "database-subnets", func(t *testing.T, a *cloud.Account) change {
			return change{"subnetIds": []any{named(t, a, "Subnet", "network-data-a").ID}}
		}, "DBSubnetGroupDoesNotCoverEnoughAZs", "at least 2 zones"},
		{"G08", "PublicMapping/districtbuilder#478", dir, "Instance", "database", func(t *testing.T, a *cloud.Account) change {
			set("ParameterGroup", "database-parameters", "family", "postgres18")(t, a)
			return change{"engineVersion": "18", "allowMajorVersionUpgrade": false}
		}, "InvalidParameterCombination", "AllowMajorVersionUpgrade flag must be present"},
		{"G10", "hashicorp/terraform#5455", dir, "Instance", "database", to(change{"monitoringRoleArn": nil}), "InvalidParameterCombination",
			"A MonitoringRoleARN value is required"},
		{"G11", "tmobile/jazz-installer#525", dir, "Instance", "database", to(change{"availabilityZone": "us-east-1f", "multiAz": false}),
			"InvalidParameterValue", "us-east-1f"},
		{"G13", "widdix/aws-cf-templates#490", dir, "Instance", "database", to(change{"instanceClass": "db.t2.micro"}),
			"InvalidParameterCombination", "DBInstanceClass=db.t2.micro"},
		{"G14", "terraform-community-modules/tf_aws_rds#22", dir, "Instance", "database", to(change{"storageType": "io1", "iops": nil}),
			"InvalidParameterCombination", "needs iops"},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, c.dir)
			news := c.change(t, a)
			if said := refused(t, a, named(t, a, c.kind, c.name), news); !strings.Contains(said, c.says) || !strings.Contains(said, c.code) {
				t.Errorf("%s: %s %s is not refused with %s that says %q: %s", c.source, c.kind, c.name, c.code, c.says, said)
			}
		})
	}
}

func balancers(property string, value any) func(t *testing.T, a *cloud.Account) change {
	return func(t *testing.T, a *cloud.Account) change {
		t.Helper()
		first := maps.Clone(named(t, a, "Service", "web").Inputs["loadBalancers"].([]any)[0].(map[string]any))
		first[property] = value
		return change{"loadBalancers": []any{first}}
	}
}

// nested reads a password out of an object inside a secret.
func nested(t *testing.T, a *cloud.Account) change {
	t.Helper()
	id, _, err := a.Create(cloud.Change{Type: "aws:secretsmanager/secret:Secret", Inputs: map[string]any{"name": "site"}})
	must(t, err)
	_, _, err = a.Create(cloud.Change{Type: "aws:secretsmanager/secretVersion:SecretVersion", Inputs: map[string]any{"secretId": id,
		"secretString": `{"db":{"password":"correct horse"},"token":"x"}`}})
	must(t, err)
	added("RolePolicy", "site-roles-execution-policy", "policy", statement{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue",
		"Resource": "*"})(t, a)
	role := named(t, a, "Role", "site-roles-execution")
	must(t, a.Alter(role.Type, role.ID, func(o *cloud.Object) {
		delete(o.Inputs, "permissionsBoundary")
		delete(o.Outputs, "permissionsBoundary")
	}))
	reads := func(key string) plant {
		return put("web-task", "django", "secrets", []any{map[string]any{"name": "DB_PASSWORD", "valueFrom": id + ":" + key + "::"}})
	}
	reads("token")(t, a)
	if said := refused(t, a, named(t, a, "Service", "web"), nil); said != "" {
		t.Errorf("a key of the top level is refused: %s", said)
	}
	reads("db.password")(t, a)
	return nil
}

func tracking(t *testing.T, a *cloud.Account) change {
	t.Helper()
	const name = "targetTrackingScalingPolicyConfiguration"
	policy := maps.Clone(named(t, a, "Policy", "web-scaling-requests").Inputs[name].(map[string]any))
	policy["predefinedMetricSpecification"] = map[string]any{"predefinedMetricType": "ALBRequestCountPerTarget"}
	return change{name: policy}
}

// refused checks and makes a change of a resource as the provider does, and returns what AWS says; "" if it accepts.
func refused(t *testing.T, a *cloud.Account, o *cloud.Object, news change) string {
	t.Helper()
	inputs := maps.Clone(o.Inputs)
	for name, value := range news {
		if inputs[name] = value; value == nil {
			delete(inputs, name)
		}
	}
	checked, problems := a.Check(cloud.CheckRequest{Type: o.Type, URN: o.URN, News: inputs, Olds: o.Inputs})
	var said []string
	for _, p := range problems {
		said = append(said, p.Path+": "+p.Rule)
	}
	if len(said) > 0 {
		return strings.Join(said, "\n")
	}
	if _, err := a.Update(cloud.Change{Type: o.Type, URN: o.URN, ID: o.ID, Inputs: checked}, o.Outputs); err != nil {
		return err.Error()
	}
	return ""
}

// TestDeletionsAreRefused asks for the deletions that a replacement, a removal or a destroy in the wrong order would make.
func TestDeletionsAreRefused(t *testing.T) {
	dir := deployed(t, "prod", nil)
	for _, c := range []struct{ id, source, kind, name, code, says string }{
		{"H03", "pulumi/pulumi-aws#4220", "TargetGroup", "balancer-targets", "ResourceInUse", "balancer-https"},
		{"H05", "hashicorp/terraform-provider-aws#16165", "SecurityGroup", "network-bastion", "DependencyViolation", "network-bastion"},
		{"H06", "pahud/cdk-fargate-patterns#71", "ClusterCapacityProviders", "cluster-capacity", "ResourceInUseException", "web"},
		{"H08", "carina-rs/carina#1088", "InternetGateway", "network", "DependencyViolation", "nat-"},
		{"H09", "dfds/infrastructure-modules#5", "Certificate", "balancer-certificate", "ResourceInUseException", "balancer-https"},
		{"H12", "hashicorp/terraform-provider-aws#6448", "ParameterGroup", "database-parameters", "InvalidDBParameterGroupState", "database"},
		{"H14", "99designs/iamy#68", "Role", "bastion", "DeleteConflict", "bastion"},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, dir)
			o := named(t, a, c.kind, c.name)
			err := a.Delete(o.Type, o.ID)
			if err == nil || !strings.Contains(err.Error(), c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: the deletion of %s %s is not refused with %s because of %s: %v", c.source, c.kind, c.name, c.code, c.says, err)
			}
		})
	}
	t.Run("H04", func(t *testing.T) {
		a := account(t, dir)
		o := named(t, a, "TargetGroup", "balancer-targets")
		inputs := maps.Clone(o.Inputs)
		inputs["port"] = 8081
		if _, _, err := a.Create(cloud.Change{Type: o.Type, URN: o.URN, Inputs: inputs}); err == nil ||
			!strings.Contains(err.Error(), "DuplicateTargetGroupName") {
			t.Errorf("cloudposse/terraform-aws-alb#109: a second target group of the same name is not refused: %v", err)
		}
	})
	t.Run("H10", func(t *testing.T) {
		a := account(t, dir)
		database, group := named(t, a, "Instance", "database"), named(t, a, "LogGroup", "database-postgresql")
		for _, o := range []*cloud.Object{database, group} {
			_, err := a.Remove(o.Type, o.ID)
			must(t, err)
		}
		if _, _, err := a.Create(cloud.Change{Type: database.Type, URN: database.URN, Inputs: database.Inputs}); err != nil {
			t.Fatal(err)
		}
		_, _, err := a.Create(cloud.Change{Type: group.Type, URN: group.URN, Inputs: group.Inputs})
		if err == nil || !strings.Contains(err.Error(), "ResourceAlreadyExistsException") {
			t.Errorf("hashicorp/terraform-provider-aws#5348: RDS made the group, and its creation is not refused: %v", err)
		}
	})
	t.Run("H11", func(t *testing.T) {
		a := account(t, dir)
		group := named(t, a, "LogGroup", "database-postgresql")
		must(t, a.Delete(group.Type, group.ID))
		if o := a.Object(group.Type, group.ID); o == nil || o.URN != "" {
			t.Errorf("hashicorp/terraform-provider-aws#42858: RDS makes the deleted group again, and nothing owns it: %+v", o)
		}
	})
}

// TestNoContractAlarm: nothing is wrong with the program's stacks, in all the shapes that they have.
func TestNoContractAlarm(t *testing.T) {
	for _, c := range []struct {
		name, stack string
		values      map[string]string
	}{
		{"local", "local", nil}, {"dev", "dev", nil}, {"staging", "staging", nil},
		{"dev on amd64", "dev", map[string]string{"slipway:web": `{"cpu":256,"memory":512,"architecture":"amd64","min":1,"max":2}`}},
		{"dev with jobs and workers", "dev", map[string]string{
			"slipway:jobs":    `[{"name":"clean-up","schedule":"rate(12 hours)","command":["python","manage.py","clean_up"]}]`,
			"slipway:workers": `[{"name":"feed","command":["python","manage.py","run_worker"],"cpu":256,"memory":512,"count":1}]`}},
		{"staging on amd64, FireLens", "staging", map[string]string{
			"slipway:web": `{"cpu":512,"memory":1024,"architecture":"amd64","min":1,"max":4}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := account(t, deployed(t, c.stack, c.values))
			if found := a.Findings(); len(found) > 0 {
				t.Error(list(found))
			}
			for _, u := range a.Unjudged() {
				t.Log("unknown: " + u)
			}
		})
	}
}
