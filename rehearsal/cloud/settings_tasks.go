package cloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/rehearsal/contracts"
)

// Settings of tasks that ECS accepts, and that have no effect or the wrong one.

// behind judges a container and the target group that the balancer reaches it through.
func (s settings) behind(d deployed, lb Inputs) []Finding {
	group := find(s.a, "arn", lb.String("targetGroupArn"), targetGroupType)
	c := containerNamed(d.containers, lb.String("containerName"))
	if group == nil || c == nil {
		return nil
	}
	return slices.Concat(d.optional(c), s.zonesServed(d, group), mixedProtocols(group), s.spokenVersion(d, c, group))
}

// optional: the task goes on without a container that is not essential, but answers no request any longer.
func (d deployed) optional(c *containerSpec) []Finding {
	if c.Essential == nil || *c.Essential {
		return nil
	}
	return []Finding{d.finding("Target.FailedHealthChecks",
		fmt.Sprintf("the task keeps running when container %s ends, and answers no request",
			c.Name), "set essential of container "+c.Name+" to true", "ECS API Reference, ContainerDefinition, essential",
		fmt.Sprintf("the load balancer sends requests to container %s, which is not essential", c.Name),
		"ECS does not start it again: only the load balancer's health checks notice, after requests have failed")}
}

// zonesServed: targets in a zone that the load balancer does not have get no requests.
func (s settings) zonesServed(d deployed, group *Object) []Finding {
	zones := zonesOfSubnets(s.a, d.service.Strings("networkConfiguration.subnets"))
	var found []Finding
	for _, l := range listenersOf(s.a, group) {
		b := find(s.a, "arn", Inputs(l.Outputs).String("loadBalancerArn"), balancerType)
		if b == nil {
			continue
		}
		served := zonesOfSubnets(s.a, balancerSubnets(Inputs(b.Outputs)))
		missing := slices.DeleteFunc(slices.Clone(zones), func(z string) bool { return slices.Contains(served, z) })
		if len(missing) == 0 || len(served) == 0 {
			continue
		}
		found = append(found, d.finding("Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer",
			"add a subnet in "+strings.Join(missing, ", ")+" to the load balancer, or take it from the service",
			"ELB API Reference, TargetHealth", fmt.Sprintf("tasks may start in %s, and load balancer %s is in %s", strings.Join(missing, ", "),
				b.logical(), strings.Join(served, ", "))))
		break
	}
	return found
}

// mixedProtocols: one port speaks either HTTP or HTTPS.
func mixedProtocols(group *Object) []Finding {
	out := Inputs(group.Outputs)
	traffic, health := out.String("protocol"), orElse(out.String("healthCheck.protocol"), "HTTP")
	if orElse(out.String("healthCheck.port"), "traffic-port") != "traffic-port" || !strings.HasPrefix(traffic, "HTTP") || traffic == health {
		return nil
	}
	return []Finding{judged(group).finding("Target.FailedHealthChecks", "either requests or health checks fail",
		"set the health check's protocol to "+traffic,
		"Application Load Balancers guide, \"Health checks for Application Load Balancer target groups\"",
		fmt.Sprintf("requests speak %s and health checks %s to the same port", traffic, health))}
}

// http2 is how nginx is set to speak HTTP/2.
var http2 = regexp.MustCompile(`(?m)^\s*(http2\s+on|grpc_pass|listen\s[^;]*\bhttp2\b)`)

// spokenVersion: a target group of version HTTP2 or GRPC speaks it without negotiation.
func (s settings) spokenVersion(d deployed, c *containerSpec, group *Object) []Finding {
	version := Inputs(group.Outputs).String("protocolVersion")
	image := s.a.contractOf(c.Image)
	if version != "HTTP2" && version != "GRPC" || image == nil || speaksHTTP2(image) {
		return nil
	}
	return []Finding{d.finding("HTTPCode_ELB_502_Count", "502 Bad Gateway", "set protocolVersion of the target group to HTTP1",
		"Application Load Balancers guide, \"Target groups for your Application Load Balancers\", protocol version",
		fmt.Sprintf("target group %s sends %s, and nothing in the image of container %s is set up for HTTP/2",
			Inputs(group.Outputs).String("name"),
			version, c.Name))}
}

// speaksHTTP2 reports whether a configuration in an image mentions HTTP/2. Of an image without one nothing is known.
func speaksHTTP2(image *contracts.Image) bool {
	known := false
	for name, f := range image.Files {
		if f.Gone || f.Text == "" || !strings.Contains(name, ".conf") {
			continue
		}
		known = true
		if http2.MatchString(f.Text) {
			return true
		}
	}
	return !known
}

// agentVariables are those that the agent of ECS sets in each container. Source: ECS Developer Guide, "Amazon ECS task IAM role" and
// "Amazon ECS task metadata endpoint version 4 for tasks on Fargate".
var agentVariables = words("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI ECS_CONTAINER_METADATA_URI ECS_CONTAINER_METADATA_URI_V4 " +
	"ECS_AGENT_URI AWS_EXECUTION_ENV")

// foremostVariables are those by which an SDK takes other credentials than those of the task role. Source: AWS SDKs and Tools Reference
// Guide, "AWS SDKs and Tools standardized credential providers", credential provider chain.
var foremostVariables = words("AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_WEB_IDENTITY_TOKEN_FILE AWS_PROFILE " +
	"AWS_CONTAINER_CREDENTIALS_FULL_URI")

// replacedVariables: what the agent sets is not for a task definition to set, and credentials in variables replace the task role.
func (d deployed) replacedVariables(c containerSpec) []Finding {
	var names []string
	for _, e := range c.Environment {
		// To an SDK, credentials that are empty are none: botocore, credentials.py, EnvProvider.load.
		if e.Value != "" || !slices.Contains(foremostVariables, e.Name) {
			names = append(names, e.Name)
		}
	}
	for _, s := range c.Secrets {
		names = append(names, s.Name)
	}
	var found []Finding
	for _, name := range names {
		switch {
		case slices.Contains(agentVariables, name):
			found = append(found, d.finding("ReservedVariable", name+" is set by the ECS agent itself", "remove the variable "+name,
				"ECS Developer Guide, \"Amazon ECS task IAM role\" and \"Amazon ECS task metadata endpoint\"",
				fmt.Sprintf("container %s sets %s, by which the agent gives it its role or its metadata", c.Name, name)))
		case slices.Contains(foremostVariables, name) && d.definition.String("taskRoleArn") != "":
			found = append(found, d.finding("ReservedVariable", name+" takes the place of the task role", "remove the variable "+name,
				"AWS SDKs and Tools Reference Guide, \"AWS SDKs and Tools standardized credential providers\"",
				fmt.Sprintf("container %s sets %s, which SDKs prefer to the credentials of %s", c.Name, name,
					lastPart(d.definition.String("taskRoleArn"), "/"))))
		}
	}
	return found
}

// ignoredLimits: Fargate takes the limit for open files from a task definition, and no other.
func (d deployed) ignoredLimits(c containerSpec) []Finding {
	if !slices.Contains(d.definition.Strings("requiresCompatibilities"), "FARGATE") {
		return nil
	}
	var found []Finding
	for _, limit := range c.Ulimits {
		const most = 1 << 20 // reown-com/blockchain-api#1183
		if in := Inputs(limit); in.String("name") == "nofile" && in.Int("hardLimit") > most {
			found = append(found, d.finding("CannotStartContainerError", "error setting rlimits for ready process: operation not permitted",
				fmt.Sprintf("lower the ulimit nofile to %d", most), "https://github.com/reown-com/blockchain-api/pull/1183",
				fmt.Sprintf("container %s asks for %d open files, and Fargate admits %d", c.Name, in.Int("hardLimit"), most)))
		}
		if name := Inputs(limit).String("name"); name != "nofile" {
			found = append(found, d.finding("IgnoredLimit", "Fargate does not set the limit "+name, "remove the ulimit "+name,
				"ECS API Reference, Ulimit: tasks on Fargate have the operating system's limits, except nofile",
				fmt.Sprintf("container %s asks for the ulimit %s", c.Name, name)))
		}
	}
	return found
}

// failingCheck: a health check whose command always fails never makes the container healthy.
func (d deployed) failingCheck(c containerSpec) []Finding {
	if c.HealthCheck == nil || len(c.HealthCheck.Command) < 2 {
		return nil
	}
	command := c.HealthCheck.Command[1:]
	if c.HealthCheck.Command[0] == "CMD-SHELL" {
		command = append([]string{"/bin/sh", "-c"}, command...)
	}
	if !(containerSpec{Command: command}).alwaysFails() {
		return nil
	}
	return []Finding{d.finding("ContainerHealthCheck", "Task failed container health checks", "use a command that can end with 0",
		"ECS API Reference, HealthCheck", fmt.Sprintf("the health check of container %s, %q, never ends with 0", c.Name,
			strings.Join(c.HealthCheck.Command[1:], " ")))}
}

// bufferForm is a size as Docker reads it (github.com/docker/go-units, RAMInBytes).
var bufferForm = regexp.MustCompile(`(?i)^[0-9]+(\.[0-9]+)*( ?[kmgtp]?i?b?)$`)

func (d deployed) logBuffer(c containerSpec) []Finding {
	size := c.LogConfiguration.Options["max-buffer-size"]
	if size == "" || bufferForm.MatchString(size) {
		return nil
	}
	return []Finding{d.finding("CannotStartContainerError", fmt.Sprintf("error parsing max-buffer-size: invalid size: '%s'", size),
		"write a number and a unit, such as 25m", "ECS API Reference, LogConfiguration, max-buffer-size; docker/go-units, RAMInBytes",
		fmt.Sprintf("container %s logs with max-buffer-size %q", c.Name, size))}
}

// once are commands that end by themselves: of a shell, and of manage.py.
var once = regexp.MustCompile(`^(\S*/)?(true|false|echo|ls|date|env|printenv|sleep [0-9]+[smhd]?|` +
	`python3? (\S*/)?manage\.py (check|migrate|collectstatic|showmigrations|clearsessions|createsuperuser))( |$)`)

// ends: a service keeps its tasks running, so what ends by itself is started again and again.
func (d deployed) ends(c containerSpec) []Finding {
	command := strings.Join(slices.Concat(c.EntryPoint, c.Command), " ")
	if d.service == nil || c.Essential != nil && !*c.Essential || !once.MatchString(command) {
		return nil
	}
	return []Finding{d.finding("EssentialContainerExited", fmt.Sprintf("Essential container in task exited: container %s ends by itself",
		c.Name),
		"give container "+c.Name+" a command that keeps running, or run it as a job",
		"ECS Developer Guide, \"Amazon ECS services\"; ECS API Reference, ContainerDefinition, essential",
		fmt.Sprintf("the command of container %s is %q", c.Name, command))}
}

// temporary are the folders that Python looks for one to write to (Python's manual, tempfile.gettempdir), besides the working directory.
var temporary = words("/tmp /var/tmp /usr/tmp")

// unwritable: Django keeps uploads of more than 2.5 MB in temporary files (Django's manual, FILE_UPLOAD_MAX_MEMORY_SIZE).
func (s settings) unwritable(d deployed, c containerSpec) []Finding {
	image := s.a.contractOf(c.Image)
	if !c.ReadonlyRootFilesystem || d.service == nil || len(c.PortMappings) == 0 || image == nil || image.Has("python") != contracts.Yes {
		return nil
	}
	for _, m := range c.MountPoints {
		if !m.ReadOnly && (slices.Contains(temporary, m.ContainerPath) || slices.ContainsFunc(c.Environment, func(e namedValue) bool {
			return slices.Contains(words("TMPDIR TEMP TMP"), e.Name) && strings.HasPrefix(e.Value, m.ContainerPath)
		})) {
			return nil
		}
	}
	return []Finding{d.finding("FileNotFoundError", "No usable temporary directory found: uploads of more than 2.5 MB fail",
		"mount a volume at /tmp",
		"Python's manual, tempfile.gettempdir; Django's manual, FILE_UPLOAD_TEMP_DIR",
		fmt.Sprintf("readonlyRootFilesystem of container %s is true, and no volume is at %s", c.Name, strings.Join(temporary, ", ")))}
}

// expiring: an image that tasks use must not be deleted by its age, or no task can start any longer.
func (s settings) expiring(d deployed, c containerSpec) []Finding {
	host, repository, _ := splitImage(c.Image)
	o := find(s.a, "name", repository, repositoryType)
	if host != s.a.imageRegistry() || o == nil {
		return nil
	}
	for _, policy := range s.a.list("aws:ecr/lifecyclePolicy:LifecyclePolicy") {
		var document struct {
			Rules []struct {
				Selection struct {
					TagStatus, CountType          string
					CountNumber                   int
					TagPatternList, TagPrefixList []string
				}
			}
		}
		out := Inputs(policy.Outputs)
		if out.String("repository") != repository || json.Unmarshal([]byte(out.String("policy")), &document) != nil {
			continue
		}
		for _, rule := range document.Rules {
			chosen := rule.Selection
			if chosen.CountType == "sinceImagePushed" && (chosen.TagStatus == "any" || chosen.TagStatus == "tagged" &&
				slices.Contains(append(chosen.TagPatternList, chosen.TagPrefixList...), "*")) {
				return []Finding{d.finding("CannotPullContainerError", "image not found: it was expired by its age",
					"expire images by their number (imageCountMoreThan)", "ECR User Guide, \"Lifecycle policy properties in Amazon ECR\", countType",
					fmt.Sprintf("%s expires every image %d days after its push, also the one that container %s runs", policy.describe(),
						chosen.CountNumber, c.Name))}
			}
		}
	}
	return nil
}
