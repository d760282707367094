package operation

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/verdict"
)

// A layout is what a stack consists of, by the names that AWS gives it: what an observer is asked about, and what a session gets into.
// It comes from the state, so reading it takes neither the engine nor a lock.
type layout struct {
	prefix   string // of physical names: project-stack-
	path     string // of log groups: /project/stack/
	url      string
	cluster  string // ARN
	parts    []part
	groups   []string // log groups
	alarms   []string
	archives []archive
	database string // identifier; "": none
	cache    string // ID of the replication group; "": none

	cacheEngine  string // with its version
	certificates []string

	oneOff             string // ARN of the definition of one-off tasks; "": an earlier version deployed the stack
	instance, document string // of the bastion; "": there is none
	postgres           string // the database's version
	psql               string // URL of the repository that has psql; "": there is none
}

// A part is what runs tasks: the web service, a worker, the migration or a job.
type part struct {
	Name       string // web, worker-mail, migration, job-clean-up
	Family     string // of its task definition
	Definition string // ARN
	Service    string // name; "": it is no service
	Desired    int    // declared
	Min, Max   int    // the range of scaling; 0: it does not scale
	Targets    string // ARN of its target group; "": none
	Schedule   string // of a job
	Containers []container

	CPU, Memory     int      // units and MiB
	Subnets, Groups []string // where tasks run that are no service's; Groups are security groups
}

// A container is one of a part, without the log router.
type container struct {
	Name   string
	Group  string // log group; "": its lines go to the archive alone
	Prefix string // of its log streams
	Check  bool   // it has a health check

	Environment map[string]string
	Secrets     map[string]string // ARNs of parameters
}

// An archive is where a delivery stream writes.
type archive struct {
	bucket, prefix string // prefix up to the time
	grouped        bool   // its lines are those of log groups too
}

// The types of resources that a layout is read from.
const (
	typeStack       = "pulumi:pulumi:Stack"
	typeDefinition  = "aws:ecs/taskDefinition:TaskDefinition"
	typeCluster     = "aws:ecs/cluster:Cluster"
	typeScaling     = "aws:appautoscaling/target:Target"
	typeSchedule    = "aws:scheduler/schedule:Schedule"
	typeGroup       = "aws:cloudwatch/logGroup:LogGroup"
	typeAlarm       = "aws:cloudwatch/metricAlarm:MetricAlarm"
	typeDelivery    = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
	typeCache       = "aws:elasticache/replicationGroup:ReplicationGroup"
	typeCertificate = "aws:acm/certificate:Certificate"
	typeOneOff      = "slipway:batch:Task"
	typeBastion     = "slipway:bastion:Host"
	typePsql        = "slipway:cicd:Psql"
)

// layoutOf reads a state.
func layoutOf(project, stack string, resources []apitype.ResourceV3) *layout {
	l := &layout{prefix: project + "-" + stack + "-", path: "/" + project + "/" + stack + "/"}
	for _, r := range resources {
		if r.Delete {
			continue
		}
		out := outputs(r.Outputs)
		switch string(r.Type) {
		case typeStack:
			l.url = out.text("url")
		case typeCluster:
			l.cluster = out.text("arn")
		case typeDefinition:
			l.define(out)
		case typeGroup:
			if name := out.text("name"); name != "" {
				l.groups = append(l.groups, name)
			}
		case typeAlarm:
			l.alarms = append(l.alarms, out.text("name"))
		case typeDelivery:
			l.archive(out)
		case typeInstance:
			l.database, l.postgres = out.text("identifier"), cmp.Or(out.text("engineVersionActual"), out.text("engineVersion"))
		case typeCache:
			l.cache = out.text("replicationGroupId")
			l.cacheEngine = strings.TrimSpace(out.text("engine") + " " + out.text("engineVersion"))
		case typeCertificate:
			l.certificates = append(l.certificates, out.text("arn"))
		case typePsql:
			l.psql = out.text("repository")
		case typeBastion:
			l.instance, l.document = out.text("instanceId"), out.text("sessionDocument")
		}
	}
	for _, r := range resources {
		if r.Delete {
			continue
		}
		out := outputs(r.Outputs)
		switch string(r.Type) {
		case verdict.TypeService:
			l.serve(out)
		case typeSchedule:
			task := out.object("target").object("ecsParameters")
			if p := l.runs(out.text("name"), task.text("taskDefinitionArn")); p != nil {
				p.Schedule, p.Definition = out.text("scheduleExpression"), task.text("taskDefinitionArn")
				p.in(task.object("networkConfiguration"))
			}
		case typeOneOff:
			if p := l.of(out.text("taskDefinition")); p != nil {
				l.oneOff = p.Definition
				p.in(out)
			}
		}
	}
	for _, r := range resources {
		if out := outputs(r.Outputs); string(r.Type) == typeScaling && !r.Delete {
			for i := range l.parts {
				if p := &l.parts[i]; p.Service != "" && strings.HasSuffix(out.text("resourceId"), "/"+p.Service) {
					p.Min, p.Max = out.number("minCapacity"), out.number("maxCapacity")
				}
			}
		}
	}
	slices.Sort(l.groups)
	slices.Sort(l.alarms)
	slices.SortFunc(l.parts, func(a, b part) int { return strings.Compare(order(a.Name), order(b.Name)) })
	return l
}

// order sorts parts as people look for them: web, workers, jobs, the rest.
func order(name string) string {
	switch {
	case name == "web":
		return "0"
	case strings.HasPrefix(name, "worker-"):
		return "1" + name
	case strings.HasPrefix(name, "job-"):
		return "2" + name
	}
	return "3" + name
}

// define adds the part of a task definition.
func (l *layout) define(out outputs) {
	p := part{Family: out.text("family"), Definition: out.text("arn")}
	p.Name = strings.TrimPrefix(p.Family, l.prefix)
	p.CPU, _ = strconv.Atoi(out.text("cpu"))
	p.Memory, _ = strconv.Atoi(out.text("memory"))
	var containers []struct {
		Name                  string
		Environment           []struct{ Name, Value string }
		Secrets               []struct{ Name, ValueFrom string }
		FirelensConfiguration any
		HealthCheck           any
		LogConfiguration      struct {
			LogDriver string
			Options   map[string]string
		}
	}
	_ = json.Unmarshal([]byte(out.text("containerDefinitions")), &containers) // text that is encrypted names no container
	for _, c := range containers {
		if c.FirelensConfiguration != nil {
			continue
		}
		one := container{Name: c.Name, Check: c.HealthCheck != nil, Environment: map[string]string{}, Secrets: map[string]string{}}
		for _, v := range c.Environment {
			one.Environment[v.Name] = v.Value
		}
		for _, s := range c.Secrets {
			one.Secrets[s.Name] = s.ValueFrom
		}
		if c.LogConfiguration.LogDriver == "awslogs" {
			one.Group, one.Prefix = c.LogConfiguration.Options["awslogs-group"], c.LogConfiguration.Options["awslogs-stream-prefix"]
		}
		p.Containers = append(p.Containers, one)
	}
	l.parts = append(l.parts, p)
}

// in notes where the tasks of a part run.
func (p *part) in(network outputs) {
	p.Subnets, p.Groups = network.texts("subnets"), network.texts("securityGroups")
}

// container is one of a part, by its name; without values if there is none.
func (p *part) container(name string) container {
	for _, c := range p.Containers {
		if c.Name == name {
			return c
		}
	}
	return container{}
}

// serve notes that a service runs a part.
func (l *layout) serve(out outputs) {
	l.cluster = cmp.Or(l.cluster, out.text("cluster"))
	p := l.runs(out.text("name"), out.text("taskDefinition"))
	if p == nil {
		return
	}
	p.Service, p.Desired = out.text("name"), out.number("desiredCount")
	for _, balancer := range out.objects("loadBalancers") {
		p.Targets = balancer.text("targetGroupArn")
	}
}

// of is the part of a task definition, by its ARN; nil if there is none.
func (l *layout) of(definition string) *part {
	for i := range l.parts {
		if l.parts[i].Definition == definition {
			return &l.parts[i]
		}
	}
	return nil
}

// runs is the part that a service or a schedule runs. After an up that failed it may run a definition that the state no longer has: the
// part is then the one of the same name.
func (l *layout) runs(name, definition string) *part {
	if p := l.of(definition); p != nil {
		return p
	}
	return l.part(strings.TrimPrefix(name, l.prefix))
}

// part is the part with a name; nil if there is none.
func (l *layout) part(name string) *part {
	for i := range l.parts {
		if l.parts[i].Name == name {
			return &l.parts[i]
		}
	}
	return nil
}

// archive notes where a delivery stream writes. One that decompresses gets what CloudWatch Logs sends.
func (l *layout) archive(out outputs) {
	to := out.object("extendedS3Configuration")
	_, bucket, _ := strings.Cut(to.text("bucketArn"), ":::")
	prefix, _, dated := strings.Cut(to.text("prefix"), "!{timestamp:yyyy/MM/dd/HH}")
	if bucket == "" || !dated {
		return
	}
	grouped := slices.ContainsFunc(to.object("processingConfiguration").objects("processors"), func(step outputs) bool {
		return step.text("type") == "Decompression"
	})
	l.archives = append(l.archives, archive{bucket: bucket, prefix: prefix, grouped: grouped})
}

// names are the parts, as people call them: a worker and a job also without what they are.
func (l *layout) names() []string {
	var all []string
	for _, p := range l.parts {
		all = append(all, p.Name)
	}
	return all
}

// services are the names of the services.
func (l *layout) services() []string {
	var all []string
	for _, p := range l.parts {
		if p.Service != "" {
			all = append(all, p.Service)
		}
	}
	return all
}

// named is the part that a user names: web, worker-mail or mail, job-clean-up or clean-up, or the name of the service. Nil: none is.
func (l *layout) named(name string) *part {
	for _, form := range []string{name, "worker-" + name, "job-" + name} {
		for i := range l.parts {
			if p := &l.parts[i]; p.Name == form || p.Service == name || p.Family == name {
				return p
			}
		}
	}
	return nil
}

// service finds a service by its name, which a worker has also without "worker-".
func (l *layout) service(name string) (*part, error) {
	var names []string
	for _, form := range []string{name, "worker-" + name} {
		if p := l.part(form); p != nil && p.Service != "" {
			return p, nil
		}
	}
	for _, p := range l.parts {
		if p.Service != "" {
			names = append(names, strings.TrimPrefix(p.Name, "worker-"))
		}
	}
	return nil, noService(name, names)
}

// noService says that no service has a name. The names are those of the stack's file: web, and a worker's without "worker-".
func noService(name string, names []string) error {
	slices.Sort(names)
	if near := Near(name, names); near != "" {
		return UsageError{fmt.Errorf("there is no service %q: did you mean %s?", name, near)}
	}
	return UsageError{fmt.Errorf("there is no service %q; the services are %s", name, strings.Join(names, ", "))}
}

// outputs are those of a resource.
type outputs map[string]any

func (o outputs) text(key string) string { s, _ := o[key].(string); return s }

func (o outputs) number(key string) int { n, _ := o[key].(float64); return int(n) }

func (o outputs) object(key string) outputs { m, _ := o[key].(map[string]any); return m }

func (o outputs) texts(key string) []string {
	list, _ := o[key].([]any)
	var all []string
	for _, one := range list {
		text, _ := one.(string)
		all = append(all, text)
	}
	return all
}

func (o outputs) objects(key string) []outputs {
	list, _ := o[key].([]any)
	var all []outputs
	for _, one := range list {
		if m, ok := one.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
