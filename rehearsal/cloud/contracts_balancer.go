package cloud

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// What works between a service, its target group and its web ACL only if the settings of both fit.

// balancerContracts judges target groups against the services behind them, and web ACLs against what the site accepts.
func (a *Account) balancerContracts() []Finding {
	found := a.smallSubnets()
	for _, d := range a.deployments() {
		for _, lb := range d.service.Maps("loadBalancers") {
			group := find(a, "arn", lb.String("targetGroupArn"), targetGroupType)
			if group == nil {
				continue
			}
			for _, f := range []*Finding{d.starts(Inputs(group.Outputs)), d.checkedPort(lb, Inputs(group.Outputs))} {
				if f != nil {
					found = append(found, *f)
				}
			}
			found = append(found, a.uploads(d, lb, group)...)
		}
	}
	return found
}

// smallSubnets: a load balancer starts in a subnet with eight free addresses, but has no room to grow in one that is smaller than /27.
func (a *Account) smallSubnets() []Finding {
	var found []Finding
	for _, o := range a.list(balancerType) {
		for _, id := range balancerSubnets(Inputs(o.Inputs)) {
			s := find(a, "id", id, subnetType)
			if s == nil {
				continue
			}
			block := Inputs(s.Outputs).String("cidrBlock")
			if p, err := netip.ParsePrefix(block); err != nil || p.Bits() <= 27 {
				continue
			}
			free, _ := freeAddresses(a, o, id)
			found = append(found, deployed{resource: o}.finding("InvalidSubnet", "Not enough IP space available in "+id,
				"give the subnet a block of at least /27", "Elastic Load Balancing guide, \"Subnets for your load balancer\"",
				fmt.Sprintf("subnet %s is %s, with %d free addresses: the load balancer needs a /27, and %d free addresses, to scale",
					s.describe(), block,
					free, balancerNeeds)))
		}
	}
	return found
}

// starts: the tasks must be healthy before ECS replaces them for failing the balancer's checks. The time that a container may take to
// start is its health check's startPeriod. A container that others wait for is healthy before the task has a target.
func (d deployed) starts(group Inputs) *Finding {
	const source = "ECS Developer Guide, service definition parameters, healthCheckGracePeriodSeconds"
	longest, name := 0, ""
	for _, c := range d.containers {
		if c.HealthCheck != nil && c.HealthCheck.StartPeriod != nil && *c.HealthCheck.StartPeriod > longest {
			longest, name = *c.HealthCheck.StartPeriod, c.Name
		}
	}
	threshold, interval := group.Int("healthCheck.unhealthyThreshold"), group.Int("healthCheck.interval")
	grace := d.service.Int("healthCheckGracePeriodSeconds")
	if grace+threshold*interval >= longest {
		return nil
	}
	f := d.finding("TaskFailedELBHealthChecks", fmt.Sprintf("Task failed ELB health checks in (target-group %s)", group.String("name")),
		fmt.Sprintf("raise healthCheckGracePeriodSeconds to at least %d", longest), source,
		fmt.Sprintf("container %s may take %d s to start, the target is unhealthy after %d x %d s, and the grace period is %d s: tasks "+
			"are replaced "+
			"before they are up", name, longest, threshold, interval, grace))
	return &f
}

// checkedPort: the balancer's health checks must go to a port that the container maps.
func (d deployed) checkedPort(lb, group Inputs) *Finding {
	c := containerNamed(d.containers, lb.String("containerName"))
	port, err := strconv.Atoi(group.String("healthCheck.port"))
	if c == nil || err != nil || slices.ContainsFunc(c.PortMappings, func(p portMapping) bool { return p.ContainerPort == port }) {
		return nil
	}
	f := d.finding("Target.Timeout", "Request timed out", "set the health check's port to traffic-port",
		"Elastic Load Balancing guide, \"Health checks for Application Load Balancer target groups\"",
		fmt.Sprintf("target group %s checks port %d, which container %s does not map", group.String("name"), port, c.Name))
	return &f
}

// bodyRules are the managed rules that look for attacks in bodies. Pictures and archives look like some.
// Source: AWS WAF Developer Guide, "Baseline rule groups" and "Use-case specific rule groups"; AWS re:Post, "WAF upload blocked files".
var bodyRules = map[string][]string{
	"AWSManagedRulesCommonRuleSet": words("SizeRestrictions_BODY CrossSiteScripting_BODY GenericLFI_BODY GenericRFI_BODY"),
	"AWSManagedRulesSQLiRuleSet":   words("SQLi_BODY"),
}

// inspected is how much of a body the rule SizeRestrictions_BODY admits.
const inspected = 8 << 10

// uploads: a site whose nginx is set up for large bodies must get them through its web ACL.
func (a *Account) uploads(d deployed, lb Inputs, group *Object) []Finding {
	c := containerNamed(d.containers, lb.String("containerName"))
	if c == nil {
		return nil
	}
	image := a.contractOf(c.Image)
	if image == nil {
		return nil
	}
	size := image.MaxBody(a.wants(d, *c))
	if size <= inspected {
		return nil
	}
	var found []Finding
	for _, acl := range a.guards(group) {
		for _, rule := range Inputs(acl.Outputs).Maps("rules") {
			const managed = "statement.managedRuleGroupStatement"
			wrong := bodyRules[rule.String(managed+".name")]
			if wrong == nil || rule.Has("overrideAction.count") || rule.Has(managed+".scopeDownStatement") {
				continue
			}
			counted := rule.Maps(managed + ".ruleActionOverrides")
			for _, name := range wrong {
				if slices.ContainsFunc(counted, func(o Inputs) bool { return o.String("name") == name && !o.Has("actionToUse.block") }) {
					continue
				}
				found = append(found, a.blocked(acl, d, name, size))
			}
		}
	}
	return found
}

func (a *Account) blocked(acl *Object, d deployed, rule string, size int) Finding {
	why := fmt.Sprintf("rule %s looks for attacks in bodies, and finds them in pictures and archives", rule)
	if rule == "SizeRestrictions_BODY" {
		why = fmt.Sprintf("rule %s blocks bodies from %d KB", rule, inspected>>10)
	}
	f := deployed{resource: acl}.finding("403", "Request blocked by "+rule,
		"let the rule count, and block what it labels on other paths than those that take uploads; or lower client_max_body_size "+
			"if the site takes none", "AWS WAF Developer Guide, \"Baseline rule groups\"; AWS re:Post, \"WAF upload blocked files\"",
		fmt.Sprintf("%s takes bodies up to %d KB (client_max_body_size)", d.resource.describe(), size>>10), why)
	return f
}

// guards are the web ACLs in front of a target group.
func (a *Account) guards(group *Object) []*Object {
	var all []*Object
	for _, guard := range a.list(webACLGuardType) {
		in := Inputs(guard.Inputs)
		acl := find(a, "arn", in.String("webAclArn"), webACLType)
		for _, l := range listenersOf(a, group) {
			if acl != nil && Inputs(l.Outputs).String("loadBalancerArn") == in.String("resourceArn") && !slices.Contains(all, acl) {
				all = append(all, acl)
			}
		}
	}
	return all
}

// databaseContracts: the tasks at full scale, also during a deployment, must find enough connections.
func (a *Account) databaseContracts() []Finding {
	var found []Finding
	deployments := a.deployments()
	for _, o := range a.list(databaseType) {
		out := Inputs(o.Outputs)
		limit, known := a.connections(out)
		if !known {
			continue
		}
		total := 0
		var parts []string
		for _, d := range deployments {
			for _, c := range d.containers {
				if !c.uses(out.String("address")) {
					continue
				}
				n, why := a.held(d, c)
				if total += n; n > 0 {
					parts = append(parts, why)
				}
			}
		}
		if total > limit {
			found = append(found, deployed{resource: o}.finding("53300",
				"FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute",
				"choose a larger instance class, fewer tasks at most, or fewer processes and threads",
				"Amazon RDS User Guide, \"Quotas and constraints for Amazon RDS\", maximum number of database connections",
				fmt.Sprintf("%s takes about %d connections, and the tasks may hold %d: %s", out.String("instanceClass"), limit, total,
					several(parts))))
		}
	}
	return found
}

// uses reports whether a container gets the host name of a database in a variable.
func (c containerSpec) uses(address string) bool {
	return address != "" && slices.ContainsFunc(c.Environment, func(e namedValue) bool { return strings.Contains(e.Value, address) })
}

// held is how many connections a container holds in all tasks, old and new ones during a deployment.
func (a *Account) held(d deployed, c containerSpec) (int, string) {
	each := 1
	if image := a.contractOf(c.Image); image != nil {
		n, known := image.Threads(a.wants(d, c))
		if !known {
			return 0, ""
		}
		each = n
	}
	name := d.resource.describe()
	if d.service == nil {
		return each, fmt.Sprintf("%s %d", name, each)
	}
	tasks, percent := a.tasksOf(d)
	return tasks * each * percent / 100, fmt.Sprintf("%s %d tasks x %d connections x %d %% during a deployment", name, tasks, each, percent)
}

// tasksOf is how many tasks a service runs at most, and how many percent of them during a deployment.
func (a *Account) tasksOf(d deployed) (tasks, percent int) {
	tasks = int(numberOr(d.service, "desiredCount", 0))
	for _, target := range a.list(scalingType) {
		if in := Inputs(target.Outputs); a.arn("ecs", in.String("resourceId")) == d.resource.ID {
			tasks = in.Int("maxCapacity")
		}
	}
	return tasks, int(numberOr(d.service, "deploymentMaximumPercent", 200))
}

// classMemory is the memory of instance sizes in GiB; families with twice as much begin with r, and with four times as much with x.
// Source: Amazon RDS User Guide, "Hardware specifications for DB instance classes".
var classMemory = map[string]int{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32, "4xlarge": 64,
	"8xlarge":  128,
	"12xlarge": 192, "16xlarge": 256, "24xlarge": 384, "32xlarge": 512, "48xlarge": 768}

// connections is how many connections a database has for the site: LEAST({DBInstanceClassMemory/9531392}, 5000), or what its parameter
// group says. DBInstanceClassMemory is about a tenth less than the class's memory, and five connections are reserved.
func (a *Account) connections(database Inputs) (int, bool) {
	const reserved = 5 // superuser_reserved_connections 3, rds.rds_superuser_reserved_connections 2
	if group := find(a, "id", database.String("parameterGroupName"), parametersType); group != nil {
		for _, p := range Inputs(group.Outputs).Maps("parameters") {
			if n, err := strconv.Atoi(p.String("value")); p.String("name") == "max_connections" && err == nil {
				return n - reserved, true
			}
		}
	}
	family, size, _ := strings.Cut(strings.TrimPrefix(database.String("instanceClass"), "db."), ".")
	memory := classMemory[size]
	switch {
	case memory == 0 || family == "" || database.String("engine") != "postgres":
		return 0, false
	case family[0] == 'r':
		memory *= 2
	case family[0] == 'x':
		memory *= 4
	}
	return min(memory<<30/9531392*9/10, 5000) - reserved, true
}
