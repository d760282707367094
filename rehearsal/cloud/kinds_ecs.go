package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Clusters, task definitions and services. containers.go checks the containers of a task definition.

const ecsName = `[A-Za-z0-9_-]+`

// ecsKinds are the resource types of ECS.
func ecsKinds() []Kind {
	return []Kind{
		clusterKind(), capacityProvidersKind(), taskDefinitionKind(), serviceKind(),
	}
}

func clusterKind() Kind {
	return Kind{
		Type: clusterType, CreateAction: "ecs:CreateCluster", UpdateAction: "ecs:UpdateCluster", DeleteAction: "ecs:DeleteCluster",
		Name:     Name{Input: "name", Max: 255, Form: ecsName, Taken: "InvalidParameterException"},
		NotFound: "ClusterNotFoundException", InUse: "ClusterContainsServicesException",
		Refs: []Ref{keyRef("configuration.executeCommandConfiguration.kmsKeyId"),
			soft("configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName", "id", logGroupType),
			soft("configuration.executeCommandConfiguration.logConfiguration.s3BucketName", "id", bucketType),
			maybe("serviceConnectDefaults.namespace", "arn", namespaceType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := tagProblems(in)
			for i, s := range in.Maps("settings") {
				for _, x := range allOf(oneOf(s, "name", "containerInsights"), oneOf(s, "value", "enabled", "enhanced", "disabled")) {
					x.Path = at("settings", i) + "." + x.Path
					p = append(p, x)
				}
			}
			const exec = "configuration.executeCommandConfiguration"
			p = append(p, oneOf(in, exec+".logging", "NONE", "DEFAULT", "OVERRIDE")...)
			logs := in.Has(exec+".logConfiguration") || unknown.Within(exec+".logConfiguration")
			if in.String(exec+".logging") == "OVERRIDE" != logs && in.Has(exec+".logging") {
				p = append(p, awsProblem(exec+".logging", "InvalidParameterException",
					"logging OVERRIDE needs a logConfiguration, and a logConfiguration needs OVERRIDE"))
			}
			return p
		},
		// CreateCluster creates the role if there is none, and tries it at once.
		CheckState: func(a *Account, o *Object) error {
			if o.ID == "" && a.delay.hiding && !a.seesLinkedRole("ecs.amazonaws.com") {
				return refuse("InvalidParameterException", "",
					"Unable to assume the service linked role. Please verify that the ECS service linked role exists.")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			name := Inputs(o.Outputs).String("name")
			o.ID = a.arn("ecs", "cluster/"+name)
			o.Outputs["arn"] = o.ID
			fill(o, "settings", []any{map[string]any{"name": "containerInsights", "value": "disabled"}})
			return nil
		},
	}
}

func capacityProvidersKind() Kind {
	return Kind{
		Type: providersType, CreateAction: "ecs:PutClusterCapacityProviders", UpdateAction: "ecs:PutClusterCapacityProviders",
		DeleteAction: "ecs:PutClusterCapacityProviders",
		NotFound:     "ClusterNotFoundException",
		Refs:         []Ref{soft("clusterName", "name,arn", clusterType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := providerProblems(in, "capacityProviders[]")
			p = append(p, strategyProblems(in, unknown, "defaultCapacityProviderStrategies")...)
			if unknown.Within("capacityProviders") {
				return p
			}
			have := in.Strings("capacityProviders")
			for i, s := range in.Maps("defaultCapacityProviderStrategies") {
				if name := s.String("capacityProvider"); !slices.Contains(have, name) {
					p = append(p, awsProblem(at("defaultCapacityProviderStrategies", i)+".capacityProvider", "InvalidParameterException",
						"%s is not among the cluster's capacity providers (%s)", name, strings.Join(have, ", ")))
				}
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			cluster := clusterNamed(a, Inputs(o.Inputs).String("clusterName"))
			have := Inputs(o.Inputs).Strings("capacityProviders")
			for _, service := range a.list(serviceType) {
				if cluster == nil || clusterNamed(a, Inputs(service.Inputs).String("cluster")) != cluster {
					continue
				}
				for _, s := range Inputs(service.Inputs).Maps("capacityProviderStrategies") {
					if name := s.String("capacityProvider"); !slices.Contains(have, name) {
						return refuse("ResourceInUseException", service.called()+" uses it",
							"The specified capacity provider is in use and cannot be removed.")
					}
				}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error { o.ID = Inputs(o.Inputs).String("clusterName"); return nil },
		CheckDelete: func(a *Account, o *Object) error {
			cluster := clusterNamed(a, o.ID)
			for _, service := range a.list(serviceType) {
				if cluster != nil && clusterNamed(a, Inputs(service.Inputs).String("cluster")) == cluster &&
					len(Inputs(service.Inputs).List("capacityProviderStrategies")) > 0 {
					return refuse("ResourceInUseException", service.called()+" uses them",
						"The specified capacity provider is in use and cannot be removed.")
				}
			}
			return nil
		},
	}
}

func taskDefinitionKind() Kind {
	return Kind{
		Type: taskType, CreateAction: "ecs:RegisterTaskDefinition", UpdateAction: "ecs:TagResource", DeleteAction: "ecs:DeregisterTaskDefinition",
		NotFound: "ClientException",
		Refs:     []Ref{roleRef("executionRoleArn"), roleRef("taskRoleArn")},
		Defaults: map[string]any{"skipDestroy": false, "trackLatest": false},
		Check:    checkTask,
		Compute: func(a *Account, o *Object) error {
			family := Inputs(o.Outputs).String("family")
			revision := kept(a, o, "revision", func() any { return nextRevision(a, family) })
			arn := a.arn("ecs", "task-definition/"+family)
			o.Outputs["revision"] = revision
			o.Outputs["arnWithoutRevision"] = arn
			o.Outputs["arn"] = fmt.Sprintf("%s:%v", arn, revision)
			// The provider's ID is the family; two revisions must be two objects.
			o.ID = fmt.Sprintf("%s:%v", family, revision)
			mode := "bridge"
			if slices.Contains(Inputs(o.Inputs).Strings("requiresCompatibilities"), "FARGATE") {
				mode = "awsvpc"
			}
			fill(o, "networkMode", mode)
			return nil
		},
		AfterDelete: (*Account).retire,
	}
}

func serviceKind() Kind {
	return Kind{
		Type: serviceType, CreateAction: "ecs:CreateService", UpdateAction: "ecs:UpdateService", DeleteAction: "ecs:DeleteService",
		Name:     Name{Input: "name", Max: 255, Form: ecsName, Scope: "cluster", Taken: "InvalidParameterException"},
		NotFound: "ServiceNotFoundException",
		Refs: []Ref{
			held("cluster", "arn,name", clusterType),
			soft("taskDefinition", "arn,arnWithoutRevision,family,id", taskType),
			soft("loadBalancers[].targetGroupArn", "arn", targetGroupType),
			held("networkConfiguration.subnets[]", "id", subnetType),
			held("networkConfiguration.securityGroups[]", "id", anyGroup...),
			held("serviceRegistries.registryArn", "arn", discoveryType),
			soft("alarms.alarmNames[]", "id", alarmType, compositeType),
			soft("serviceConnectConfiguration.namespace", "arn", namespaceType),
		},
		Defaults: map[string]any{
			"desiredCount": 0, "deploymentMaximumPercent": 200, "deploymentMinimumHealthyPercent": 100, "enableEcsManagedTags": false,
			"enableExecuteCommand": false, "schedulingStrategy": "REPLICA", "waitForSteadyState": false, "healthCheckGracePeriodSeconds": 0,
			"availabilityZoneRebalancing": "DISABLED", "deploymentController": map[string]any{"type": "ECS"},
			"deploymentCircuitBreaker": map[string]any{"enable": false, "rollback": false},
		},
		Check:      checkService,
		CheckState: checkServiceState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			cluster := "default"
			if c := clusterNamed(a, in.String("cluster")); c != nil {
				cluster = Inputs(c.Outputs).String("name")
			}
			o.ID = a.arn("ecs", "service/"+cluster+"/"+in.String("name"))
			o.Outputs["iamRole"] = a.globalARN("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
			fill(o, "platformVersion", "LATEST")
			fill(o, "triggers", map[string]any{})
			if len(in.List("capacityProviderStrategies")) == 0 {
				fill(o, "launchType", "EC2")
			} else {
				fill(o, "launchType", "")
			}
			return nil
		},
		AfterDelete:    (*Account).undeployed,
		ServiceManaged: []string{"taskDefinition"}, // ECS rolls it back when a deployment fails
	}
}

// clusterNamed finds a cluster by name or ARN; nil if there is none.
func clusterNamed(a *Account, name string) *Object {
	if c := find(a, "arn", name, clusterType); c != nil {
		return c
	}
	return find(a, "name", name, clusterType)
}

// nextRevision is the next revision of a family.
func nextRevision(a *Account, family string) int {
	last := 0
	for _, o := range a.list(taskType) {
		if out := Inputs(o.Outputs); out.String("family") == family {
			last = max(last, out.Int("revision"))
		}
	}
	return last + 1
}

func providerProblems(in Inputs, path string) []Problem {
	var p []Problem
	in.Each(path, func(path string, v any) {
		if s, _ := v.(string); s != "FARGATE" && s != "FARGATE_SPOT" {
			p = append(p, awsProblem(path, "InvalidParameterException",
				"The specified capacity provider '%s' was not found: the model knows FARGATE and FARGATE_SPOT", s))
		}
	})
	return p
}

// strategyProblems checks a capacity provider strategy: known providers, at most one base, at least one weight.
func strategyProblems(in Inputs, unknown Unknowns, path string) []Problem {
	if unknown.Within(path) {
		return nil
	}
	const code = "InvalidParameterException"
	p := providerProblems(in, path+"[].capacityProvider")
	bases, weight := 0, 0
	seen := map[string]bool{}
	for i, s := range in.Maps(path) {
		here := at(path, i)
		name := s.String("capacityProvider")
		if seen[name] {
			p = append(p, awsProblem(here+".capacityProvider", code, "%s appears twice", name))
		}
		seen[name] = true
		if b := s.Int("base"); b < 0 || b > 100000 {
			p = append(p, awsProblem(here+".base", code, "expected 0 to 100000, got %d", b))
		} else if b > 0 {
			bases++
		}
		if w := s.Int("weight"); w < 0 || w > 1000 {
			p = append(p, awsProblem(here+".weight", code, "expected 0 to 1000, got %d", w))
		} else {
			weight += w
		}
	}
	if bases > 1 {
		p = append(p, awsProblem(path, code, "only one capacity provider may have a base"))
	}
	if len(seen) > 0 && weight == 0 {
		p = append(p, awsProblem(path, code, "at least one capacity provider needs a weight greater than zero"))
	}
	return p
}

func checkService(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidParameterException"
	p := allOf(strategyProblems(in, unknown, "capacityProviderStrategies"), oneOf(in, "launchType", "EC2", "FARGATE", "EXTERNAL"),
		oneOf(in, "schedulingStrategy", "REPLICA", "DAEMON"),
		oneOf(in, "propagateTags", "SERVICE", "TASK_DEFINITION", "NONE"), oneOf(in, "availabilityZoneRebalancing", "ENABLED", "DISABLED"),
		oneOf(in, "deploymentController.type", "ECS", "CODE_DEPLOY", "EXTERNAL"), between(in, "healthCheckGracePeriodSeconds", 0, 2147483647),
		between(in, "deploymentMinimumHealthyPercent", 0, 100), between(in, "deploymentMaximumPercent", 100, 400),
		between(in, "desiredCount", 0, 5000), tagProblems(in))
	// ECS API Reference, CreateService, taskDefinition.
	if kind := in.String("deploymentController.type"); !in.Has("taskDefinition") && !unknown.Has("taskDefinition") &&
		(kind == "" || kind == "ECS") {
		p = append(p, awsProblem("taskDefinition", code, "TaskDefinition can not be blank."))
	}
	if in.Has("launchType") && len(in.List("capacityProviderStrategies")) > 0 {
		p = append(p, awsProblem("launchType", code, "a capacity provider strategy and a launch type cannot both be given"))
	}
	p = append(p, fargateServiceProblems(in)...)
	lower, upper := numberOr(in, "deploymentMinimumHealthyPercent", 100), numberOr(in, "deploymentMaximumPercent", 200)
	if lower >= 100 && upper <= 100 && !unknown.Has("deploymentMaximumPercent") && !unknown.Has("deploymentMinimumHealthyPercent") {
		p = append(p, awsProblem("deploymentMaximumPercent", code,
			"with at least %v and at most %v percent no task can be stopped or started: a deployment could never progress", lower, upper))
	}
	if in.String("availabilityZoneRebalancing") == "ENABLED" && upper <= 100 {
		p = append(p, awsProblem("availabilityZoneRebalancing", code, "rebalancing needs deploymentMaximumPercent above 100, got %v", upper))
	}
	if n := len(in.List("networkConfiguration.subnets")); n > 16 {
		p = append(p, awsProblem("networkConfiguration.subnets", code, "expected at most 16 subnets, got %d", n))
	}
	if n := len(in.List("networkConfiguration.securityGroups")); n > quotaGroupsPerENI {
		p = append(p, awsProblem("networkConfiguration.securityGroups", code,
			"expected at most %d security groups, got %d", quotaGroupsPerENI, n))
	}
	for i := range in.List("loadBalancers") {
		p = append(p, between(in, at("loadBalancers", i)+".containerPort", 0, 65536)...)
	}
	if n := len(in.List("loadBalancers")); n > 5 {
		p = append(p, awsProblem("loadBalancers", code, "expected at most 5 target groups, got %d", n))
	}
	if in.Has("healthCheckGracePeriodSeconds") && in.Int("healthCheckGracePeriodSeconds") > 0 && given(in, unknown, "loadBalancers") == 0 &&
		!unknown.Within("loadBalancers") {
		p = append(p, awsProblem("healthCheckGracePeriodSeconds", code,
			"Health check grace period is only valid for services configured to use load balancers"))
	}
	return p
}

// checkServiceState checks a service against its cluster, network and target groups, and that its tasks can start.
func checkServiceState(a *Account, o *Object) error {
	const code = "InvalidParameterException"
	in := Inputs(o.Inputs)
	definition := taskNamed(a, in.String("taskDefinition"))
	cluster := clusterNamed(a, orElse(in.String("cluster"), "default")) // ECS API Reference, CreateService, cluster
	if cluster == nil {
		return refuse("ClusterNotFoundException", "the account has no cluster default, which a service without one uses", "Cluster not found.")
	}
	if definition == nil {
		return nil
	}
	task := Inputs(definition.Outputs)

	fargate := in.String("launchType") == "FARGATE" || len(in.List("capacityProviderStrategies")) > 0
	if len(in.List("capacityProviderStrategies")) > 0 && cluster != nil {
		have := providersOf(a, cluster)
		for _, s := range in.Maps("capacityProviderStrategies") {
			if name := s.String("capacityProvider"); !slices.Contains(have, name) {
				return refuse(code, fmt.Sprintf("the cluster has %s; aws:ecs:ClusterCapacityProviders adds more", orNone(have)),
					"The specified capacity provider '%s' is not associated with the cluster.", name)
			}
		}
	}
	if fargate && !slices.Contains(task.Strings("requiresCompatibilities"), "FARGATE") {
		return refuse(code, "its requiresCompatibilities say "+orNone(task.Strings("requiresCompatibilities")),
			"Task definition does not support launch_type FARGATE.")
	}
	if have := task.Strings("requiresCompatibilities"); in.String("launchType") == "EC2" && len(have) > 0 && !slices.Contains(have, "EC2") {
		return refuse(code, "its requiresCompatibilities say "+orNone(have), "Task definition does not support launch_type EC2.")
	}
	if task.String("networkMode") == "awsvpc" && !in.Has("networkConfiguration") {
		return refuse(code, "", "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	vpc, err := oneNetwork(a, in.Strings("networkConfiguration.subnets"), in.Strings("networkConfiguration.securityGroups"))
	if err != nil {
		return refuse(code, err.Error(), "The provided subnets and security groups do not belong to the same VPC.")
	}

	if err := platformFits(in, task); err != nil && fargate {
		return err
	}
	containers, _ := containersOf(definition)
	if err := connectFits(in, Inputs(cluster.Outputs), containers); err != nil {
		return err
	}
	for _, lb := range in.Maps("loadBalancers") {
		if err := targetFits(a, lb, task, containers, vpc); err != nil {
			return err
		}
	}
	for _, r := range []Inputs{in.Map("serviceRegistries")} {
		if name := r.String("containerName"); name != "" && containerNamed(containers, name) == nil {
			return refuse(code, "", "The container %s does not exist in the task definition.", name)
		}
	}
	if in.Bool("enableExecuteCommand") && task.String("taskRoleArn") == "" {
		return refuse(code, "ECS Exec connects to Session Manager with the task role",
			"The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in your task definition "+
				"and try again.")
	}
	if numberOr(in, "desiredCount", 0) > 0 {
		return a.startable(definition)
	}
	return nil
}

// targetFits checks one target group of a service.
func targetFits(a *Account, lb, task Inputs, containers []containerSpec, vpc string) error {
	const code = "InvalidParameterException"
	group := find(a, "arn", lb.String("targetGroupArn"), targetGroupType)
	if group == nil {
		return nil
	}
	if len(listenersOf(a, group)) == 0 {
		return refuse(code, "no listener and no rule forwards to it",
			"The target group with targetGroupArn %s does not have an associated load balancer.", group.ID)
	}
	if t := Inputs(group.Outputs).String("targetType"); task.String("networkMode") == "awsvpc" && t != "ip" {
		return refuse(code, "", "The provided target group %s has target type %s, which is incompatible with the awsvpc network mode "+
			"specified in the task definition.", group.ID, t)
	}
	if v := Inputs(group.Outputs).String("vpcId"); vpc != "" && v != "" && v != vpc {
		return refuse(code, "the tasks are in "+vpc, "The target group %s is in a different VPC (%s) than the service's subnets.", group.ID, v)
	}
	name, port := lb.String("containerName"), lb.Int("containerPort")
	c := containerNamed(containers, name)
	if c == nil {
		return refuse(code, "its containers are "+strings.Join(containerNames(containers), ", "),
			"The container %s does not exist in the task definition.", name)
	}
	if !slices.ContainsFunc(c.PortMappings, func(p portMapping) bool { return p.ContainerPort == port }) {
		return refuse(code, "", "The container %s did not have a container port %d defined.", name, port)
	}
	return nil
}

// startable refuses a task definition whose tasks cannot start: ECS would accept the service, but its tasks would stop one after
// the other, and the deployment would never become stable. What the execution role may do is judged in uses_tasks.go.
func (a *Account) startable(definition *Object) error {
	var plain []container
	if json.Unmarshal([]byte(Inputs(definition.Outputs).String("containerDefinitions")), &plain) != nil {
		return nil
	}
	for _, c := range plain {
		if reason := a.stopped(c); reason != "" {
			return &Error{Code: "DeploymentFailed", Message: "tasks failed to start: " + reason, Why: "container " + c.Name + " of " +
				definition.ID + " cannot start"}
		}
	}
	return nil
}

// taskNamed finds a task definition by ARN, by family:revision, or by family for the newest revision.
func taskNamed(a *Account, name string) *Object {
	if name == "" {
		return nil
	}
	return a.definition(name)
}

// providersOf are the capacity providers of a cluster.
func providersOf(a *Account, cluster *Object) []string {
	for _, p := range a.list(providersType) {
		if clusterNamed(a, Inputs(p.Inputs).String("clusterName")) == cluster {
			return Inputs(p.Inputs).Strings("capacityProviders")
		}
	}
	return nil
}
