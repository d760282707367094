package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/reach"
)

// Which connections a resource needs, worked out from what it is: a task pulls its images, reads its secrets and writes its logs before
// its first container starts; a balancer checks its targets; an agent talks to Systems Manager. Each need has AWS's page.

// A need is a connection that a resource must be able to open.
type need struct {
	at     *Object // where it shows if it cannot
	from   reach.Node
	to     reach.To
	port   uint16
	what   string // what for
	source string
	// failure is how AWS reports that it cannot. starts: then no task of a service starts, or none becomes healthy.
	code, failure string
	starts        bool
}

// needs collects the connections of one resource.
type needs struct {
	a   *Account
	n   *networks
	o   *Object
	all []need
}

// connected are the kinds of resource that open connections, or that others must be able to connect to.
var connected = map[string]func(*needs, Inputs){
	serviceType:  (*needs).service,
	scheduleType: (*needs).schedule,
	instanceType: (*needs).instance,
	balancerType: (*needs).visitors,
	natType:      (*needs).translation,
	taskType:     (*needs).ran,
}

func (p *paths) needsOf(o *Object, n *networks) []need {
	collect := connected[o.Type]
	if collect == nil {
		return nil
	}
	w := &needs{a: p.a, n: n, o: o}
	collect(w, Inputs(o.Outputs))
	return w.all
}

// targetCode is the reason of Elastic Load Balancing for a target that does not answer.
const targetCode = "Target.Timeout"

const (
	fargatePage    = "ECS Developer Guide, \"Amazon ECS interface VPC endpoints\" and \"Amazon ECS task networking options for Fargate\""
	registryPage   = "ECR User Guide, \"Amazon ECR interface VPC endpoints (AWS PrivateLink)\""
	awslogsPage    = "ECS Developer Guide, \"Amazon ECS interface VPC endpoints\", considerations for awslogs; aws/containers-roadmap#1695"
	firelensPage   = "Firehose Developer Guide, \"Using Amazon Data Firehose with AWS PrivateLink\""
	execPage       = "ECS Developer Guide, \"Monitor Amazon ECS containers with ECS Exec\" and \"Amazon ECS interface VPC endpoints\""
	agentPage      = "Systems Manager User Guide, \"Reference: ec2messages, ssmmessages, and other API operations\""
	targetsPage    = "Elastic Load Balancing, \"Security groups for your Application Load Balancer\", recommended rules"
	visitorsPage   = "Elastic Load Balancing, \"Troubleshoot your Application Load Balancers\", clients cannot connect"
	natPage        = "VPC User Guide, \"NAT gateway basics\""
	databasePage   = "RDS User Guide, \"Can't connect to Amazon RDS DB instance\""
	cacheReachPage = "ElastiCache User Guide, \"Troubleshooting connections\", security groups"
	s3PathPage     = "VPC PrivateLink Guide, \"Gateway endpoints for Amazon S3\""
)

// service: its tasks start, and the balancer reaches them.
func (w *needs) service(in Inputs) {
	definition := w.a.definition(in.String("taskDefinition"))
	if definition == nil {
		return
	}
	node := w.tasks(in.Strings("networkConfiguration.subnets"), in.Strings("networkConfiguration.securityGroups"),
		in.Bool("networkConfiguration.assignPublicIp"))
	w.definition(definition, node)
	if in.Bool("enableExecuteCommand") {
		w.exec(node, clusterNamed(w.a, in.String("cluster")))
	}
	for _, lb := range in.Maps("loadBalancers") {
		w.targets(node, lb)
	}
}

// tasks are the tasks in subnets as a node.
func (w *needs) tasks(subnets, groups []string, public bool) reach.Node {
	vpc := ""
	for _, id := range subnets {
		if s := w.n.Subnets[id]; s != nil {
			vpc = s.VPC
		}
	}
	return reach.Node{ID: w.o.ID, Label: label(w.o), Kind: reach.Task, VPC: vpc, Places: placesOf(subnets), Groups: w.a.groupsOr(groups, vpc),
		Public: public}
}

func (w *needs) schedule(in Inputs) {
	const network = "target.ecsParameters.networkConfiguration."
	if definition := taskNamed(w.a, in.String("target.ecsParameters.taskDefinitionArn")); definition != nil {
		w.definition(definition, w.tasks(in.Strings(network+"subnets"), in.Strings(network+"securityGroups"), in.Bool(network+"assignPublicIp")))
	}
}

// ran: the program runs some tasks itself, such as the migration, and will run them again where it ran them last. The model lets such a
// run succeed nevertheless: then one rehearsal also shows what stops the services, which AWS would not get to.
func (w *needs) ran(in Inputs) {
	for _, record := range slices.Backward(w.a.tasks) {
		if record.Run.TaskDefinition != in.String("arn") {
			continue
		}
		for _, id := range record.Run.Subnets {
			if w.n.Subnets[id] == nil {
				return // the network was replaced since then
			}
		}
		for _, id := range record.Run.SecurityGroups {
			if w.n.Groups[id] == nil {
				return
			}
		}
		w.definition(w.o, w.tasks(record.Run.Subnets, record.Run.SecurityGroups, false))
		return
	}
}

// aws adds a connection to a service of AWS.
func (w *needs) aws(from reach.Node, service, name string, as need) {
	as.from, as.port = from, 443
	as.to = reach.To{Name: regions[w.a.Region].hostOf(service, name), Service: regions[w.a.Region].service(service)}
	if service == "ssmmessages" || as.at == nil {
		as.at = w.o
	}
	w.all = append(w.all, as)
}

const (
	noAuth = "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: " +
		"There is a connection issue between the task and Amazon ECR. Check your task network configuration."
	noSecrets = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to " +
		"retrieve secrets from %s: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context " +
		"deadline exceeded. Please check your task network configuration."
	noPull = "CannotPullContainerError: failed to resolve ref %s: net/http: request canceled while waiting for connection " +
		"(Client.Timeout exceeded)"
	noLayers = "CannotPullContainerError: failed to copy: httpReadSeeker: failed open: dial tcp: i/o timeout"
	noLogs   = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: RequestCanceled: " +
		"request context canceled caused by: context deadline exceeded : signal: killed"
)

// definition adds what the tasks of a definition connect to.
func (w *needs) definition(definition *Object, node reach.Node) {
	containers, err := containersOf(definition)
	if err != nil {
		return
	}
	for _, c := range containers {
		w.image(node, c.Image)
		for _, s := range append(c.Secrets, c.LogConfiguration.SecretOptions...) {
			w.secret(node, s)
		}
		w.logs(node, c.LogConfiguration)
		for _, e := range c.Environment {
			w.value(node, e.Name, e.Value)
		}
	}
}

// image: registry login, the manifest, and the layers, which ECR keeps in S3. Without a host it is Docker Hub's.
func (w *needs) image(node reach.Node, image string) {
	host, repository, _ := splitImage(image)
	if host != w.a.imageRegistry() {
		if host == "" {
			host = "registry-1.docker.io"
		}
		w.all = append(w.all, need{at: w.o, from: node, to: reach.To{Name: host, Service: regions[w.a.Region].serviceAt(host)}, port: 443,
			what:   "image " + repository,
			source: fargatePage, code: "CannotPullContainerError", failure: fmt.Sprintf(noPull, image), starts: true})
		return
	}
	w.aws(node, "ecr.api", "", need{what: "registry login", source: registryPage, code: "ResourceInitializationError", failure: noAuth,
		starts: true})
	registry, _, _ := strings.Cut(host, ".")
	w.aws(node, "ecr.dkr", registry, need{what: "image " + repository, source: registryPage, code: "CannotPullContainerError",
		failure: fmt.Sprintf(noPull, image), starts: true})
	w.aws(node, "s3", "prod-"+w.a.Region+"-starport-layer-bucket", need{what: "image layers, which ECR keeps in S3", source: registryPage,
		code: "CannotPullContainerError", failure: noLayers, starts: true})
}

// secret: the value may name another host, which the container then connects to.
func (w *needs) secret(node reach.Node, s secretValue) {
	service, name := "ssm", "ssm"
	if strings.Contains(s.ValueFrom, ":secretsmanager:") {
		service, name = "secretsmanager", "asm"
	}
	w.aws(node, service, "", need{what: "secret " + s.Name, source: fargatePage, code: "ResourceInitializationError",
		failure: fmt.Sprintf(noSecrets, name), starts: true})
	if p := find(w.a, "arn", s.ValueFrom, parameterType); p != nil {
		w.value(node, s.Name, Inputs(p.Outputs).String("value"))
	}
}

func (w *needs) logs(node reach.Node, log containerLog) {
	switch log.LogDriver {
	case "awslogs":
		if region := log.Options["awslogs-region"]; region != "" && region != w.a.Region {
			return
		}
		w.aws(node, "logs", "", need{what: "log stream " + log.Options["awslogs-group"], source: awslogsPage, code: "ResourceInitializationError",
			failure: noLogs, starts: true})
	case "awsfirelens":
		output := strings.ToLower(log.Options["Name"])
		switch {
		case log.Options["delivery_stream"] != "" || strings.Contains(output, "firehose"):
			w.aws(node, "kinesis-firehose", "", need{what: "delivery stream " + log.Options["delivery_stream"], source: firelensPage,
				code: "Timeout", failure: "the log router cannot reach Firehose: lines are lost when its buffer is full"})
		case strings.Contains(output, "cloudwatch"):
			w.aws(node, "logs", "", need{what: "log group " + log.Options["log_group_name"], source: awslogsPage,
				code: "Timeout", failure: "the log router cannot reach CloudWatch Logs: lines are lost when its buffer is full"})
		}
	}
}

// value: a container that is given the address of a database or a cache connects to it, and one that is given a bucket or a queue uses
// it.
func (w *needs) value(node reach.Node, name, value string) {
	low := strings.ToLower(value)
	for _, host := range sortedKeys(w.n.Nodes) {
		target := w.n.Nodes[host]
		if target.Kind != reach.Database || !strings.Contains(low, host) {
			continue
		}
		source, failure := databasePage, "connection to server at %q, port %d failed: Connection timed out"
		if w.a.get(cacheType, target.ID) != nil {
			source, failure = cacheReachPage, "Timeout connecting to server %q, port %d"
		}
		for _, port := range target.Listens {
			w.all = append(w.all, need{at: w.o, from: node, to: reach.To{Name: host}, port: port, what: "its variable " + name + " names it",
				source: source, code: "Timeout", failure: fmt.Sprintf(failure, host, port)})
		}
	}
	switch {
	case find(w.a, "id", value, bucketType) != nil:
		w.aws(node, "s3", value, need{what: "its variable " + name + " names the bucket", source: s3PathPage, code: "Timeout",
			failure: "connect timeout on endpoint URL: https://" + regions[w.a.Region].hostOf("s3", value)})
	case find(w.a, "id", value, queueType) != nil:
		w.aws(node, "sqs", "", need{what: "its variable " + name + " names the queue", source: fargatePage, code: "Timeout",
			failure: "connect timeout on endpoint URL: " + value})
	case find(w.a, "arn", value, topicType) != nil:
		w.aws(node, "sns", "", need{what: "its variable " + name + " names the topic", source: fargatePage, code: "Timeout",
			failure: "connect timeout on endpoint URL: https://" + regions[w.a.Region].hostOf("sns", "")})
	}
}

const notConnected = "TargetNotConnected: %s is not connected."

// exec: the agent in a task opens a channel to Session Manager, and records the session as the cluster asks.
func (w *needs) exec(node reach.Node, cluster *Object) {
	as := need{source: execPage, code: "TargetNotConnected", failure: fmt.Sprintf(notConnected, "the task")}
	as.what = "ECS Exec"
	w.aws(node, "ssmmessages", "", as)
	if cluster == nil {
		return
	}
	c := Inputs(cluster.Outputs).Map("configuration.executeCommandConfiguration")
	w.session(node, as, c.String("kmsKeyId"), c.String("logConfiguration.cloudWatchLogGroupName"), c.String("logConfiguration.s3BucketName"))
}

// session is what an agent needs for encrypting and recording sessions.
func (w *needs) session(node reach.Node, as need, key, group, bucket string) {
	if key != "" {
		as.what = "the key of the session"
		w.aws(node, "kms", "", as)
	}
	if group != "" {
		as.what = "the session's log group " + group
		w.aws(node, "logs", "", as)
	}
	if bucket != "" {
		as.what = "the session's bucket " + bucket
		w.aws(node, "s3", lastPart(bucket, ":"), as)
	}
}

// instance: a machine with a role for Systems Manager registers with it, and installs packages if its user data says so. The agent has
// not needed ec2messages since version 3.3.40.
func (w *needs) instance(in Inputs) {
	if find(w.a, "id", in.String("iamInstanceProfile"), profileType) == nil {
		return
	}
	node := w.tasks([]string{in.String("subnetId")}, in.Strings("vpcSecurityGroupIds"), in.String("publicIp") != "")
	node.Kind = reach.Host
	as := need{source: agentPage, code: "TargetNotConnected", failure: fmt.Sprintf(notConnected, w.o.ID)}
	as.what = "the agent registers"
	w.aws(node, "ssm", "", as)
	as.what = "sessions"
	w.aws(node, "ssmmessages", "", as)
	for _, document := range w.a.list("aws:ssm/document:Document") {
		var content struct{ Inputs map[string]any }
		if Inputs(document.Outputs).String("documentType") != "Session" ||
			json.Unmarshal([]byte(Inputs(document.Outputs).String("content")), &content) != nil {
			continue
		}
		s := Inputs(content.Inputs)
		w.session(node, as, s.String("kmsKeyId"), s.String("cloudWatchLogGroupName"), s.String("s3BucketName"))
	}
	data := Inputs(w.o.Inputs).String("userData")
	if strings.Contains(data, "psql") {
		w.databases(node)
	}
	if strings.Contains(data, "dnf ") || strings.Contains(data, "yum ") {
		w.aws(node, "s3", "al2023-repos-"+w.a.Region+"-de612dc2", need{what: "packages of Amazon Linux",
			source: "Amazon Linux 2023 guide, \"Updating AL2023\"", code: "Timeout",
			failure: "Curl error (28): Timeout was reached for https://al2023-repos-" + w.a.Region + "-de612dc2.s3.dualstack." + w.a.Region + "." +
				w.a.domain()})
	}
}

// databases: a machine with psql is there to reach the databases of its network.
func (w *needs) databases(node reach.Node) {
	for _, host := range sortedKeys(w.n.Nodes) {
		target := w.n.Nodes[host]
		if target.Kind != reach.Database || target.VPC != node.VPC || w.a.get(databaseType, target.ID) == nil {
			continue
		}
		for _, port := range target.Listens {
			w.all = append(w.all, need{at: w.o, from: node, to: reach.To{Name: host}, port: port, what: "psql", source: databasePage,
				code:    "Timeout",
				failure: fmt.Sprintf("connection to server at %q, port %d failed: Connection timed out", host, port)})
		}
	}
}

// targets: the balancer reaches the tasks on the port of the container and on that of the health check.
func (w *needs) targets(node reach.Node, lb Inputs) {
	group := find(w.a, "arn", lb.String("targetGroupArn"), targetGroupType)
	if group == nil {
		return
	}
	out := Inputs(group.Outputs)
	traffic := port(lb.Int("containerPort"))
	health := traffic
	if text := out.String("healthCheck.port"); text != "" && text != "traffic-port" {
		health = port(atoi(text))
	}
	unhealthy := fmt.Sprintf("(service %s) (port %d) is unhealthy in (target-group %s) due to (reason Request timed out)", label(w.o), traffic,
		group.ID)
	for _, balancer := range w.balancers(group) {
		as := need{at: w.o, from: *balancer, to: reach.To{Node: &node}, port: traffic, what: "requests and health checks", source: targetsPage,
			code: targetCode, failure: unhealthy, starts: true}
		w.all = append(w.all, as)
		if health != traffic && health != 0 {
			as.at, as.port, as.what = group, health, "health checks of "+label(group)
			w.all = append(w.all, as)
		}
	}
}

// balancers are those that forward to a target group.
func (w *needs) balancers(group *Object) []*reach.Node {
	var all []*reach.Node
	seen := map[string]bool{}
	for _, l := range listenersOf(w.a, group) {
		listener := l
		if l.Type == ruleType {
			listener = find(w.a, "arn", Inputs(l.Outputs).String("listenerArn"), listenerType)
		}
		if listener == nil {
			continue
		}
		balancer := find(w.a, "arn", Inputs(listener.Outputs).String("loadBalancerArn"), balancerType)
		if balancer == nil || seen[balancer.ID] {
			continue
		}
		seen[balancer.ID] = true
		if node := w.n.Nodes[strings.ToLower(Inputs(balancer.Outputs).String("dnsName"))]; node != nil {
			all = append(all, node)
		}
	}
	return all
}

// visitors reach an internet-facing balancer on the ports of its listeners.
func (w *needs) visitors(in Inputs) {
	host := strings.ToLower(in.String("dnsName"))
	node := w.n.Nodes[host]
	if node == nil || in.Bool("internal") {
		return
	}
	for _, port := range node.Listens {
		w.all = append(w.all, need{at: w.o, from: reach.Node{Kind: reach.Internet}, to: reach.To{Name: host}, port: port, what: "visitors",
			source: visitorsPage, code: "Timeout", failure: fmt.Sprintf("%s: the request timed out on port %d", host, port)})
	}
}

// translation: a public NAT gateway reaches the internet from its own subnet.
func (w *needs) translation(in Inputs) {
	subnet := w.n.Subnets[in.String("subnetId")]
	if in.String("connectivityType") == "private" || subnet == nil {
		return
	}
	from := reach.Node{ID: w.o.ID, Label: label(w.o), Kind: reach.Host, VPC: subnet.VPC, Places: placesOf([]string{subnet.ID}),
		Ungrouped: true,
		Public:    true}
	w.all = append(w.all, need{at: w.o, from: from, to: reach.To{Address: outsideAddress}, port: 443, what: "what it translates",
		source: natPage,
		code:   "Timeout", failure: "the NAT gateway does not reach the internet"})
}
