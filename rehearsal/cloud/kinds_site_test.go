package cloud

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A world is an account in which the tests build a whole site by hand, resource by resource, and then do what people do
// wrong.
type world struct {
	t      testing.TB
	a      *Account
	path   string
	made   map[string]*Object        // by the name that the test gives
	inputs map[string]map[string]any // what each was made of
	order  []string
}

type properties = map[string]any

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "model.json"), made: map[string]*Object{}, inputs: map[string]map[string]any{}}
	w.open()
	t.Cleanup(func() { w.a.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	a, err := Open(w.path, Options{Zones: []HostedZone{{Name: "example.com"}}, Now: func() time.Time {
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.a = a
}

// try checks and creates, and returns what was said: the problems' rules or AWS's error.
func (w *world) try(token, name string, in properties) (*Object, error) {
	urn := "urn:pulumi:test::site::" + token + "::" + name
	news, problems := w.a.Check(CheckRequest{Type: token, URN: urn, News: in, RandomSeed: []byte(name)})
	if len(problems) > 0 {
		return nil, refusals(problems)
	}
	id, _, err := w.a.Create(Change{Type: token, URN: urn, Inputs: news})
	if err != nil {
		return nil, err
	}
	return w.a.Object(token, id), nil
}

// refusals are the problems of a Check as one error.
type refusals []Problem

func (r refusals) Error() string {
	var all []string
	for _, p := range r {
		all = append(all, p.Path+": "+p.Rule)
	}
	return strings.Join(all, "\n")
}

// create creates a resource and must succeed.
func (w *world) create(token, name string, in properties) *Object {
	w.t.Helper()
	o, err := w.try(token, name, in)
	if err != nil {
		w.t.Fatalf("create %s (%s): %v", name, token, err)
	}
	w.made[name], w.inputs[name] = o, cloneMap(in)
	w.order = append(w.order, name)
	return o
}

// update changes inputs of an existing resource.
func (w *world) update(name string, change properties) error {
	o := w.made[name]
	in := changed(w.inputs[name], change)
	urn := "urn:pulumi:test::site::" + o.Type + "::" + name
	news, problems := w.a.Check(CheckRequest{Type: o.Type, URN: urn, News: in, Olds: w.inputs[name], RandomSeed: []byte(name)})
	if len(problems) > 0 {
		return refusals(problems)
	}
	if _, err := w.a.Update(Change{Type: o.Type, URN: urn, ID: o.ID, Inputs: news}, o.Inputs); err != nil {
		return err
	}
	w.made[name], w.inputs[name] = w.a.Object(o.Type, o.ID), in
	return nil
}

func (w *world) delete(name string) error { return w.a.Delete(w.made[name].Type, w.made[name].ID) }

func (w *world) id(name string) string {
	w.t.Helper()
	if w.made[name] == nil {
		w.t.Fatalf("the site has no %s", name)
	}
	return w.made[name].ID
}

func (w *world) out(name, path string) any {
	w.t.Helper()
	v := Inputs(w.made[name].Outputs).Get(path)
	if v == nil {
		w.t.Fatalf("%s has no output %s: %v", name, path, w.made[name].Outputs)
	}
	return v
}

func (w *world) arn(name string) string { return w.out(name, "arn").(string) }

// changed is in with some of its values replaced, by path; nil removes one.
func changed(in, change properties) properties {
	out := cloneMap(in)
	for path, v := range change {
		segments := parsePath(path)
		var at any = out
		for _, s := range segments[:len(segments)-1] {
			next := s.step(at)
			if next == nil {
				next = map[string]any{}
				at.(map[string]any)[s.key] = next
			}
			at = next
		}
		last := segments[len(segments)-1]
		switch at := at.(type) {
		case map[string]any:
			if v == nil {
				delete(at, last.key)
			} else {
				at[last.key] = clone(v)
			}
		case []any:
			at[last.index] = clone(v)
		}
	}
	return out
}

// An incident is an action of a user, and AWS's answer.
type incident struct {
	name   string
	before func(w *world)
	like   string // the one of the site's resources that is made once more, with changes
	change properties
	update bool   // like is changed instead
	delete bool   // like is deleted instead
	code   string // AWS's error code, or the words of the provider's refusal
	path   string // the input that the refusal names, when it comes before anything is done
}

// offer prepares a resource that the site lacks, for an incident to create.
func offer(name, token string, in func(w *world) properties) func(w *world) {
	return func(w *world) {
		w.made[name] = &Object{Type: token}
		w.inputs[name] = in(w)
	}
}

// elsewhere creates a second network with an internet gateway, two subnets and a group: "other", "other-a", "other-b" and
// "stranger".
func elsewhere(w *world) {
	w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
	w.create(gatewayType, "other-igw", properties{"vpcId": w.id("other")})
	for i, zone := range []string{"a", "b"} {
		w.create(subnetType, "other-"+zone, properties{"vpcId": w.id("other"), "cidrBlock": fmt.Sprintf("10.9.%d.0/24", i),
			"availabilityZone": "us-east-1" + zone})
	}
	w.create(groupType, "stranger", properties{"vpcId": w.id("other"), "name": "stranger", "description": "elsewhere"})
}

// and changes the inputs of one of the site's resources before it is created again.
func and(prepare func(w *world), name string, change func(w *world) properties) func(w *world) {
	return func(w *world) {
		if prepare != nil {
			prepare(w)
		}
		w.inputs[name] = changed(w.inputs[name], change(w))
	}
}

// many is a list of n values.
func many(n int, each func(i int) any) []any {
	var all []any
	for i := range n {
		all = append(all, each(i))
	}
	return all
}

// refuses goes through incidents. Those that prepare something have a site of their own; a refusal leaves the others'
// site as it was.
func refuses(t *testing.T, incidents []incident) {
	t.Helper()
	shared := siteWorld(t)
	for _, c := range incidents {
		t.Run(c.name, func(t *testing.T) {
			w := shared
			w.t = t
			if c.before != nil {
				w = siteWorld(t)
				c.before(w)
			}
			var err error
			switch {
			case c.update:
				err = w.update(c.like, c.change)
			case c.delete:
				err = w.delete(c.like)
			default:
				o := w.made[c.like]
				if o == nil {
					t.Fatalf("the site has no %s", c.like)
				}
				in := w.inputs[c.like]
				if name := awsRegistry().kinds[o.Type].Name.Input; name != "" && in[name] != nil {
					if _, said := c.change[name]; !said && awsRegistry().kinds[o.Type].Name.Taken != "" {
						in = changed(in, properties{name: in[name].(string) + "2"})
					}
				}
				_, err = w.try(o.Type, c.like+"-again", changed(in, c.change))
			}
			if err == nil {
				t.Fatalf("AWS refuses this with %s, the model takes it", c.code)
			}
			var problems refusals
			var refusal *Error
			switch {
			case errors.As(err, &refusal):
				if refusal.Code != c.code {
					t.Errorf("expected AWS's code %s, got %s: %s (%s)", c.code, refusal.Code, refusal.Message, refusal.Why)
				}
				if c.path != "" {
					t.Errorf("expected the refusal at %s before anything is done, got %v", c.path, err)
				}
			case errors.As(err, &problems):
				if len(problems) != 1 || !strings.Contains(problems[0].Rule, c.code) || problems[0].Path != c.path {
					t.Errorf("expected one problem at %s with %q, got:\n%v", c.path, c.code, err)
				}
			default:
				t.Errorf("expected a refusal with a code, got %v", err)
			}
		})
	}
}

// policyText is a policy document of statements.
func policyText(statements ...properties) string {
	return jsonText(properties{"Version": "2012-10-17", "Statement": statements})
}

func allow(actions, resources any, more ...properties) properties {
	s := properties{"Effect": "Allow", "Action": actions, "Resource": resources}
	for _, m := range more {
		for k, v := range m {
			s[k] = v
		}
	}
	return s
}

func trust(services ...string) string {
	return policyText(properties{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": properties{"Service": services}})
}

// containerText are the container definitions of the site's task; change alters the application's container.
func containerText(w *world, change func(app, proxy properties)) string {
	app := properties{
		"name": "django", "image": w.a.imageRegistry() + "/site/django@" + digest, "essential": true, "cpu": 192,
		"memory": 384, "user": "10001:10001",
		"portMappings": []any{properties{"containerPort": 8000}}, "environment": []any{properties{"name": "LOG_LEVEL", "value": "info"}},
		"secrets":     []any{properties{"name": "SECRET_KEY", "valueFrom": w.arn("secret-key")}},
		"healthCheck": properties{"command": []any{"CMD", "healthcheck"}, "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 30},
		"mountPoints": []any{properties{"sourceVolume": "tmp", "containerPath": "/tmp"}},
		"logConfiguration": properties{"logDriver": "awslogs", "options": properties{"awslogs-group": "/site/web", "awslogs-region": "us-east-1",
			"awslogs-stream-prefix": "web"}},
		"linuxParameters": properties{"initProcessEnabled": true}, "stopTimeout": 40,
	}
	proxy := properties{
		"name": "nginx", "image": w.a.imageRegistry() + "/site/django@" + digest, "essential": true, "cpu": 64, "memory": 128,
		"portMappings": []any{properties{"containerPort": 8080}},
		"dependsOn":    []any{properties{"containerName": "django", "condition": "HEALTHY"}},
	}
	if change != nil {
		change(app, proxy)
	}
	return jsonText([]any{app, proxy})
}

// siteWorld is a Fargate site with everything that the incidents need. It is built once and copied.
func siteWorld(t testing.TB) *world {
	t.Helper()
	template.Do(func() { template.build(t) })
	if template.model == nil {
		t.Fatal("the site could not be built")
	}
	w := &world{t: t, path: filepath.Join(t.TempDir(), "model.json"), made: map[string]*Object{}, inputs: map[string]map[string]any{},
		order: slices.Clone(template.order)}
	for suffix, data := range map[string][]byte{"": template.model, ".key": template.key} {
		if err := os.WriteFile(w.path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	t.Cleanup(func() { w.a.Close() })
	for name, o := range template.made {
		w.made[name] = o.copy()
	}
	for name, in := range template.inputs {
		w.inputs[name] = cloneMap(in)
	}
	return w
}

// template is the site as it is on disk.
var template siteTemplate

type siteTemplate struct {
	sync.Once
	world
	model, key []byte
}

func (s *siteTemplate) build(t testing.TB) {
	t.Helper()
	w := newWorld(t)
	buildSite(w)
	if err := w.a.Close(); err != nil {
		t.Fatal(err)
	}
	model, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if s.key, err = os.ReadFile(w.path + ".key"); err != nil {
		t.Fatal(err)
	}
	s.world, s.model = *w, model
}

func buildSite(w *world) {
	t := w.t
	t.Helper()
	root := "arn:aws:iam::" + DefaultAccountID + ":root"

	w.create(keyType, "key", properties{"enableKeyRotation": true, "deletionWindowInDays": 30, "policy": policyText(
		properties{"Sid": "Account", "Effect": "Allow", "Principal": properties{"AWS": root}, "Action": "kms:*", "Resource": "*"},
		properties{"Sid": "Logs", "Effect": "Allow", "Principal": properties{"Service": "logs.us-east-1.amazonaws.com"},
			"Action": []any{"kms:Encrypt*", "kms:Decrypt*", "kms:GenerateDataKey*"}, "Resource": "*"},
	)})
	w.create(aliasType, "alias", properties{"name": "alias/site", "targetKeyId": w.id("key")})

	w.create(vpcType, "vpc", properties{"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": true})
	w.create(gatewayType, "igw", properties{"vpcId": w.id("vpc")})
	for i, zone := range []string{"a", "b"} {
		w.create(subnetType, "public-"+zone, properties{"vpcId": w.id("vpc"), "cidrBlock": fmt.Sprintf("10.0.%d.0/24", i),
			"availabilityZone": "us-east-1" + zone})
		w.create(subnetType, "private-"+zone, properties{"vpcId": w.id("vpc"), "cidrBlock": fmt.Sprintf("10.0.%d.0/24", 10+i),
			"availabilityZone": "us-east-1" + zone})
	}
	w.create(eipType, "eip", properties{"domain": "vpc"})
	w.create(natType, "nat", properties{"subnetId": w.id("public-a"), "allocationId": w.id("eip")})
	w.create(routeTableType, "public-routes", properties{"vpcId": w.id("vpc")})
	w.create(routeType, "public-default", properties{"routeTableId": w.id("public-routes"), "destinationCidrBlock": "0.0.0.0/0",
		"gatewayId": w.id("igw")})
	w.create(routeTableType, "private-routes", properties{"vpcId": w.id("vpc"),
		"routes": []any{properties{"cidrBlock": "0.0.0.0/0", "natGatewayId": w.id("nat")}}})
	for _, subnet := range []string{"public-a", "public-b", "private-a", "private-b"} {
		part, _, _ := strings.Cut(subnet, "-")
		w.create(tableLinkType, subnet+"-routes", properties{"subnetId": w.id(subnet), "routeTableId": w.id(part + "-routes")})
	}
	w.create(defaultGroupType, "closed", properties{"vpcId": w.id("vpc")})
	for _, name := range []string{"edge", "web", "data"} {
		w.create(groupType, name, properties{"vpcId": w.id("vpc"), "name": "site-" + name, "description": name})
	}
	w.create(ingressType, "edge-https", properties{"securityGroupId": w.id("edge"), "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
		"cidrIpv4": "0.0.0.0/0"})
	w.create(ingressType, "web-from-edge", properties{"securityGroupId": w.id("web"), "ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080,
		"referencedSecurityGroupId": w.id("edge")})
	w.create(egressType, "edge-to-web", properties{"securityGroupId": w.id("edge"), "ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080,
		"referencedSecurityGroupId": w.id("web")})
	w.create(ingressType, "web-to-endpoint", properties{"securityGroupId": w.id("web"), "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
		"referencedSecurityGroupId": w.id("web")})
	w.create(egressType, "web-out", properties{"securityGroupId": w.id("web"), "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"})
	w.create(groupRuleType, "data-from-web", properties{"securityGroupId": w.id("data"), "type": "ingress", "protocol": "tcp",
		"fromPort": 5432, "toPort": 5432, "sourceSecurityGroupId": w.id("web")})
	w.create(endpointType, "s3-endpoint", properties{"vpcId": w.id("vpc"), "serviceName": "com.amazonaws.us-east-1.s3",
		"routeTableIds": []any{w.id("private-routes")}})
	w.create(endpointType, "ssm-endpoint", properties{"vpcId": w.id("vpc"), "serviceName": "com.amazonaws.us-east-1.ssm",
		"vpcEndpointType": "Interface", "privateDnsEnabled": true,
		"subnetIds": []any{w.id("private-a")}, "securityGroupIds": []any{w.id("web")}})

	w.create(logGroupType, "logs", properties{"name": "/site/web", "retentionInDays": 30, "kmsKeyId": w.arn("key")})
	w.create(roleType, "flow-role", properties{"name": "flow", "assumeRolePolicy": trust("vpc-flow-logs.amazonaws.com")})
	w.create("aws:ec2/flowLog:FlowLog", "flow", properties{"vpcId": w.id("vpc"), "trafficType": "ALL", "iamRoleArn": w.arn("flow-role"),
		"logDestination": w.arn("logs")})

	w.create(parameterType, "secret-key", properties{"name": "/site/secret-key", "type": "SecureString",
		"value": "correct horse battery", "keyId": w.arn("key")})
	w.create(repositoryType, "repository", properties{"name": "site/django", "imageTagMutability": "IMMUTABLE",
		"encryptionConfigurations": []any{properties{"encryptionType": "KMS", "kmsKey": w.arn("key")}}})
	w.create("aws:ecr/lifecyclePolicy:LifecyclePolicy", "lifecycle", properties{"repository": w.id("repository"),
		"policy": `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days",` +
			`"countNumber":14},"action":{"type":"expire"}}]}`})
	if err := w.a.Push(w.a.imageRegistry()+"/site/django:1", digest); err != nil {
		t.Fatal(err)
	}
	w.create(roleType, "execution", properties{"name": "execution", "assumeRolePolicy": trust("ecs-tasks.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "execution-policy", properties{"role": w.id("execution"),
		"name": "execution", "policy": policyText(
			allow([]any{"ecr:GetAuthorizationToken"}, "*"), allow([]any{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
				"ecr:GetDownloadUrlForLayer"}, w.arn("repository")),
			allow("ssm:GetParameters", w.arn("secret-key")), allow("kms:Decrypt", w.arn("key")),
			allow([]any{"logs:CreateLogStream", "logs:PutLogEvents"}, w.arn("logs")+":*"),
		)})
	w.create(policyType, "reads", properties{"name": "reads", "policy": policyText(allow("s3:GetObject", "arn:aws:s3:::site-media-1/*"))})
	w.create(roleType, "task-role", properties{"name": "task", "assumeRolePolicy": trust("ecs-tasks.amazonaws.com")})
	w.create("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "task-reads", properties{"role": w.id("task-role"),
		"policyArn": w.arn("reads")})

	w.create(clusterType, "cluster", properties{"name": "site",
		"settings": []any{properties{"name": "containerInsights", "value": "enabled"}}})
	w.create(providersType, "providers", properties{"clusterName": "site", "capacityProviders": []any{"FARGATE", "FARGATE_SPOT"}})
	w.create(taskType, "task", properties{"family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc",
		"requiresCompatibilities": []any{"FARGATE"},
		"executionRoleArn":        w.arn("execution"), "taskRoleArn": w.arn("task-role"), "volumes": []any{properties{"name": "tmp"}},
		"runtimePlatform":      properties{"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
		"containerDefinitions": containerText(w, nil)})

	w.create(bucketType, "log-bucket", properties{"bucket": "site-logs-1"})
	w.create(publicType, "log-bucket-private", properties{"bucket": "site-logs-1", "blockPublicAcls": true, "blockPublicPolicy": true,
		"ignorePublicAcls": true, "restrictPublicBuckets": true})
	w.create("aws:s3/bucketPolicy:BucketPolicy", "log-bucket-policy", properties{"bucket": "site-logs-1", "policy": policyText(
		allow("s3:PutObject", "arn:aws:s3:::site-logs-1/alb/AWSLogs/"+DefaultAccountID+"/*",
			properties{"Principal": properties{"Service": logDelivery}}))})
	w.create("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", "log-bucket-lifecycle",
		properties{"bucket": "site-logs-1", "rules": []any{
			properties{"id": "cold", "status": "Enabled", "transitions": []any{properties{"days": 30, "storageClass": "STANDARD_IA"},
				properties{"days": 90, "storageClass": "GLACIER"}}, "expiration": properties{"days": 365}}}})
	w.create(bucketType, "media", properties{"bucket": "site-media-1"})
	w.create(objectType, "media-object", properties{"bucket": "site-media-1", "key": "hello.txt", "content": "hello"})

	w.create(balancerType, "balancer", properties{"name": "site", "subnets": []any{w.id("public-a"), w.id("public-b")},
		"securityGroups": []any{w.id("edge")},
		"accessLogs":     properties{"bucket": "site-logs-1", "prefix": "alb", "enabled": true}})
	w.create(targetGroupType, "targets", properties{"name": "site-web", "port": 8080, "protocol": "HTTP", "vpcId": w.id("vpc"),
		"targetType": "ip", "healthCheck": properties{"path": "/healthz", "interval": 15, "timeout": 5, "matcher": "200"}})
	w.create(listenerType, "listener", properties{"loadBalancerArn": w.arn("balancer"), "port": 80, "protocol": "HTTP",
		"defaultActions": []any{properties{"type": "forward", "targetGroupArn": w.arn("targets")}}})
	w.create(serviceType, "service", properties{"name": "web", "cluster": w.arn("cluster"), "taskDefinition": w.arn("task"), "desiredCount": 2,
		"capacityProviderStrategies": []any{properties{"capacityProvider": "FARGATE", "base": 1, "weight": 1}},
		"networkConfiguration":       properties{"subnets": []any{w.id("private-a"), w.id("private-b")}, "securityGroups": []any{w.id("web")}},
		"loadBalancers":              []any{properties{"targetGroupArn": w.arn("targets"), "containerName": "nginx", "containerPort": 8080}},
		"enableExecuteCommand":       true})
	w.create(scalingType, "scaling", properties{"serviceNamespace": "ecs", "scalableDimension": "ecs:service:DesiredCount",
		"resourceId": "service/site/web", "minCapacity": 1, "maxCapacity": 4})
	w.create("aws:appautoscaling/policy:Policy", "scaling-cpu", properties{"name": "cpu", "policyType": "TargetTrackingScaling",
		"serviceNamespace": "ecs", "scalableDimension": "ecs:service:DesiredCount", "resourceId": "service/site/web",
		"targetTrackingScalingPolicyConfiguration": properties{"targetValue": 60,
			"predefinedMetricSpecification": properties{"predefinedMetricType": "ECSServiceAverageCPUUtilization"}}})

	w.create(databaseSubnetType, "db-subnets", properties{"name": "site", "subnetIds": []any{w.id("private-a"), w.id("private-b")}})
	w.create(parametersType, "db-parameters", properties{"name": "site", "family": "postgres16",
		"parameters": []any{properties{"name": "rds.force_ssl", "value": "1"}}})
	w.create(databaseType, "database", properties{"identifier": "site", "engine": "postgres", "engineVersion": "16.4",
		"instanceClass": "db.t4g.micro", "allocatedStorage": 20, "maxAllocatedStorage": 100, "storageType": "gp3",
		"dbName": "site", "username": "owner", "password": "correct-horse-battery", "dbSubnetGroupName": "site", "parameterGroupName": "site",
		"vpcSecurityGroupIds": []any{w.id("data")},
		"storageEncrypted":    true, "kmsKeyId": w.arn("key"), "backupRetentionPeriod": 7, "backupWindow": "03:00-04:00",
		"maintenanceWindow":            "sun:05:00-sun:06:00",
		"enabledCloudwatchLogsExports": []any{"postgresql"}, "finalSnapshotIdentifier": "site-last"})

	w.create(topicType, "topic", properties{"name": "alarms", "kmsMasterKeyId": w.arn("key")})
	w.create("aws:sns/topicSubscription:TopicSubscription", "mail", properties{"topic": w.arn("topic"), "protocol": "email",
		"endpoint": "ops@example.com"})
	w.create(queueType, "dead", properties{"name": "dead"})
	w.create(queueType, "queue", properties{"name": "work",
		"redrivePolicy": jsonText(properties{"deadLetterTargetArn": w.arn("dead"), "maxReceiveCount": 5})})
	w.create(alarmType, "alarm", properties{"name": "cpu", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 3,
		"metricName": "CPUUtilization", "namespace": "AWS/ECS", "period": 60, "statistic": "Average", "threshold": 80,
		"alarmActions": []any{w.arn("topic")}})
	w.create("aws:cloudwatch/dashboard:Dashboard", "dashboard", properties{"dashboardName": "site",
		"dashboardBody": `{"widgets":[{"type":"metric","x":0,"y":0,"width":12,"height":6,"properties":{"metrics":[["AWS/ECS",` +
			`"CPUUtilization"]],"region":"us-east-1"}}]}`})
	visible := properties{"cloudwatchMetricsEnabled": true, "sampledRequestsEnabled": true, "metricName": "site"}
	w.create(webACLType, "waf", properties{"name": "site", "scope": "REGIONAL", "defaultAction": properties{"allow": properties{}},
		"visibilityConfig": visible, "rules": []any{
			properties{"name": "common", "priority": 1, "overrideAction": properties{"none": properties{}}, "visibilityConfig": visible,
				"statement": properties{"managedRuleGroupStatement": properties{"vendorName": "AWS", "name": "AWSManagedRulesCommonRuleSet"}}},
			properties{"name": "rate", "priority": 2, "action": properties{"block": properties{}}, "visibilityConfig": visible,
				"statement": properties{"rateBasedStatement": properties{"limit": 2000, "aggregateKeyType": "IP"}}}}})
	w.create(webACLGuardType, "waf-guard", properties{"webAclArn": w.arn("waf"), "resourceArn": w.arn("balancer")})
	w.create(logGroupType, "waf-logs", properties{"name": "aws-waf-logs-site"})
	w.create(webACLLogsType, "waf-logging", properties{"resourceArn": w.arn("waf"), "logDestinationConfigs": []any{w.arn("waf-logs")}})
	w.create("aws:cloudwatch/logMetricFilter:LogMetricFilter", "errors", properties{"name": "errors", "logGroupName": "/site/web",
		"pattern": "ERROR", "metricTransformation": properties{"name": "Errors", "namespace": "Site", "value": "1"}})
	w.create(eventRuleType, "failed", properties{"name": "failed", "eventPattern": `{"source":["aws.ecs"]}`})

	w.create(roleType, "firehose-role", properties{"name": "firehose", "assumeRolePolicy": trust("firehose.amazonaws.com")})
	w.create(firehoseType, "firehose", properties{"name": "site-logs", "destination": "extended_s3",
		"extendedS3Configuration": properties{"bucketArn": w.arn("media"), "roleArn": w.arn("firehose-role"),
			"prefix": "logs/!{timestamp:yyyy}/", "errorOutputPrefix": "failed/!{firehose:error-output-type}/", "bufferingSize": 5,
			"bufferingInterval": 300, "compressionFormat": "GZIP", "kmsKeyArn": w.arn("key")}})
	w.create(roleType, "subscription-role", properties{"name": "subscription", "assumeRolePolicy": trust("logs.us-east-1.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "subscription-policy", properties{"role": "subscription", "name": "put",
		"policy": policyText(allow([]any{"firehose:PutRecord", "firehose:PutRecordBatch"}, w.arn("firehose")))})
	w.create(subscriptionType, "subscription", properties{"name": "archive", "logGroup": "/site/web", "filterPattern": "",
		"destinationArn": w.arn("firehose"), "roleArn": w.arn("subscription-role")})

	w.create(roleType, "scheduler-role", properties{"name": "scheduler", "assumeRolePolicy": trust("scheduler.amazonaws.com")})
	w.create("aws:scheduler/schedule:Schedule", "job", properties{"name": "clean", "scheduleExpression": "cron(0 3 * * ? *)",
		"scheduleExpressionTimezone": "Europe/Berlin", "flexibleTimeWindow": properties{"mode": "OFF"},
		"target": properties{"arn": w.arn("cluster"), "roleArn": w.arn("scheduler-role"), "deadLetterConfig": properties{"arn": w.arn("dead")},
			"input": `{"containerOverrides":[{"name":"django","command":["python","manage.py","clearsessions"]}]}`,
			"ecsParameters": properties{"taskDefinitionArn": w.arn("task"), "taskCount": 1, "launchType": "FARGATE",
				"networkConfiguration": properties{"subnets": []any{w.id("private-a")}, "securityGroups": []any{w.id("web")}}}}})

	zone := w.a.list(zoneType)[0]
	w.made["zone"] = zone
	w.create(certificateType, "certificate", properties{"domainName": "www.example.com", "validationMethod": "DNS"})
	w.create(recordType, "proof", properties{"zoneId": zone.ID, "name": w.out("certificate", "domainValidationOptions[0].resourceRecordName"),
		"type": "CNAME", "ttl": 60, "records": []any{w.out("certificate", "domainValidationOptions[0].resourceRecordValue")}})
	w.create("aws:acm/certificateValidation:CertificateValidation", "valid", properties{"certificateArn": w.arn("certificate"),
		"validationRecordFqdns": []any{w.out("proof", "fqdn")}})
	w.create(recordType, "www", properties{"zoneId": zone.ID, "name": "www.example.com", "type": "A",
		"aliases": []any{properties{"name": w.out("balancer", "dnsName"), "zoneId": w.out("balancer", "zoneId"), "evaluateTargetHealth": true}}})
	w.create(listenerType, "secure", properties{"loadBalancerArn": w.arn("balancer"), "port": 443, "protocol": "HTTPS",
		"certificateArn": w.arn("certificate"), "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
		"defaultActions": []any{properties{"type": "forward", "targetGroupArn": w.arn("targets")}}})

	w.create(roleType, "bastion-role", properties{"name": "bastion", "assumeRolePolicy": trust("ec2.amazonaws.com")})
	w.create("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "bastion-ssm",
		properties{"role": "bastion", "policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"})
	w.create(profileType, "profile", properties{"name": "bastion", "role": "bastion"})
	ami, ok := w.a.publicParameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64")
	if !ok {
		t.Fatal("the model has no image of Amazon Linux")
	}
	w.create(instanceType, "bastion", properties{"ami": ami, "instanceType": "t4g.nano", "subnetId": w.id("private-a"),
		"vpcSecurityGroupIds": []any{w.id("web")}, "iamInstanceProfile": "bastion",
		"metadataOptions": properties{"httpTokens": "required", "httpPutResponseHopLimit": 1},
		"rootBlockDevice": properties{"encrypted": true, "volumeSize": 8}})

	w.create(secretType, "secret", properties{"name": "site/api", "kmsKeyId": w.arn("key")})
	w.create(vaultType, "vault", properties{"name": "site"})
	w.create(planType, "plan", properties{"name": "site", "rules": []any{properties{"ruleName": "daily", "targetVaultName": "site",
		"schedule": "cron(0 5 * * ? *)", "lifecycle": properties{"deleteAfter": 35}}}})
	w.create(namespaceType, "namespace", properties{"name": "site.internal", "vpc": w.id("vpc")})
	w.create(cacheSubnetType, "cache-subnets", properties{"name": "site", "subnetIds": []any{w.id("private-a"), w.id("private-b")}})
	w.create("aws:elasticache/replicationGroup:ReplicationGroup", "cache", properties{"replicationGroupId": "site", "description": "cache",
		"nodeType": "cache.t4g.micro", "subnetGroupName": "site", "securityGroupIds": []any{w.id("data")}})
	w.create("aws:ssm/document:Document", "session", properties{"name": "site-session", "documentType": "Session",
		"content": `{"schemaVersion":"1.0","sessionType":"Standard_Stream","inputs":{"cloudWatchLogGroupName":"/site/web",` +
			`"idleSessionTimeout":"20"}}`})
}

// A whole site is created in the order of its references and deleted in reverse; nothing is left.
func TestASiteGoesUpAndDown(t *testing.T) {
	w := siteWorld(t)
	if err := w.update("repository", properties{"forceDelete": true}); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(w.order)
	for _, name := range w.order {
		if err := w.delete(name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if !w.a.Empty() {
		t.Errorf("the account still has %v", w.a.Summary())
	}
}
