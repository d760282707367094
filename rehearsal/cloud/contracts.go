package cloud

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"slipway/rehearsal/contracts"
)

// Whether images keep what the tasks that run them rely on. ECS accepts every task definition whose JSON is valid; what is wrong with
// the image shows when tasks start, so these are findings.

// broken judges what does not work between images, tasks, the balancer and the database.
type broken struct{ a *Account }

func (broken) changed(*Object) {}

func (broken) check(*Object) error { return nil }

func (b broken) findings() []Finding {
	found, _ := b.a.imageContracts()
	return slices.Concat(found, b.a.diskContracts(), b.a.orderContracts(), b.a.balancerContracts(), b.a.databaseContracts(),
		b.a.emptyGroups(), b.a.runContracts())
}

// Describe stores what is known about an image in a repository of the account (registry/repository@digest).
func (a *Account) Describe(reference string, image *contracts.Image) error {
	text, err := json.Marshal(image)
	if err != nil {
		return err
	}
	_, id, _ := strings.Cut(reference, "/")
	if a.Object(imageType, id) == nil {
		return nil // in another registry
	}
	return a.Alter(imageType, id, func(o *Object) { o.Outputs[contract] = string(text) })
}

// A deployed is a task definition and what starts its tasks.
type deployed struct {
	resource   *Object // that a finding names
	definition Inputs
	containers []containerSpec
	service    Inputs // nil for a task that ends
}

// deployments are the services of the account, and the task definitions that no service runs.
func (a *Account) deployments() []deployed {
	var all []deployed
	run := map[string]bool{}
	for _, o := range a.list(serviceType) {
		in := Inputs(o.Outputs)
		definition := a.definition(in.String("taskDefinition"))
		if definition == nil {
			continue
		}
		run[definition.ID] = true
		if containers, err := containersOf(definition); err == nil {
			all = append(all, deployed{o, Inputs(definition.Outputs), containers, in})
		}
	}
	for _, o := range a.list(taskType) {
		if run[o.ID] || o.URN == "" {
			continue
		}
		if containers, err := containersOf(o); err == nil {
			all = append(all, deployed{o, Inputs(o.Outputs), containers, nil})
		}
	}
	return all
}

// imageContracts judges the images of all tasks. unknown are the questions that have no answer.
func (a *Account) imageContracts() (found []Finding, unknown []string) {
	for _, d := range a.deployments() {
		for _, c := range d.containers {
			image := a.contractOf(c.Image)
			if image == nil {
				unknown = append(unknown, d.resource.describe()+": the image of container "+c.Name)
				continue
			}
			v := contracts.Judge(image, a.wants(d, c))
			for _, p := range v.Problems {
				found = append(found, d.finding(p.Code, p.Message, p.Fix, p.Source, append([]string{"container " + c.Name + " of image " +
					imageName(c.Image)}, p.Why...)...))
			}
			for _, u := range v.Unknown {
				unknown = append(unknown, d.resource.describe()+": "+u)
			}
		}
	}
	return found, unknown
}

// Unjudged are the questions about images that have no answer: what a task needs is neither there for certain nor missing.
func (a *Account) Unjudged() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, unknown := a.imageContracts()
	return unknown
}

// finding is a finding about the tasks.
func (d deployed) finding(code, message, fix, source string, why ...string) Finding {
	f := Finding{Resource: d.resource.URN, Code: code, Message: message, Fix: fix, Source: source, Chain: why}
	if f.Resource == "" {
		f.Resource = Key(d.resource.Type, d.resource.ID)
	}
	return f
}

// imageName is an image without its registry and with a short digest.
func imageName(reference string) string {
	if _, rest, ok := strings.Cut(reference, "/"); ok && strings.Contains(reference, ".dkr.ecr.") {
		reference = rest
	}
	name, digest, _ := strings.Cut(reference, "@sha256:")
	if len(digest) > 12 {
		return name + "@" + digest[:12]
	}
	return reference
}

// contractOf is what is known about an image; nil if nothing is.
func (a *Account) contractOf(reference string) *contracts.Image {
	host, repository, tag := splitImage(reference)
	if host != a.imageRegistry() {
		return contracts.Known(reference)
	}
	o := a.get(imageType, repository+"@"+tag)
	if r := a.find("name", repository, repositoryType); o == nil && r != nil {
		for _, image := range a.images(r) {
			if slices.Contains(Inputs(image.Outputs).Strings("imageTags"), tag) {
				o = image
			}
		}
	}
	if o == nil {
		return nil
	}
	text := Inputs(o.Outputs).String(contract)
	if read, ok := a.contracts.Load(text); ok {
		return read.(*contracts.Image)
	}
	var image contracts.Image
	if text == "" || json.Unmarshal([]byte(text), &image) != nil {
		return nil
	}
	a.contracts.Store(text, &image)
	return &image
}

// wants is what the task asks of a container's image.
func (a *Account) wants(d deployed, c containerSpec) contracts.Container {
	asked := contracts.Container{Name: c.Name, User: c.User, Entrypoint: c.EntryPoint, Command: c.Command, ReadOnly: c.ReadonlyRootFilesystem,
		Env: map[string]string{}, TLS: a.secureCaches(c), Neighbours: map[int]string{},
		Architecture: orElse(d.definition.String("runtimePlatform.cpuArchitecture"),
			"X86_64"),
		System: d.definition.String("runtimePlatform.operatingSystemFamily"), Serves: d.service != nil}
	for _, e := range c.Environment {
		asked.Env[e.Name] = e.Value
	}
	for _, s := range c.Secrets {
		asked.Secrets = append(asked.Secrets, s.Name)
	}
	for _, m := range c.MountPoints {
		asked.Mounts = append(asked.Mounts, contracts.Mount{Path: m.ContainerPath, ReadOnly: m.ReadOnly})
	}
	if c.HealthCheck != nil {
		asked.Health = c.HealthCheck.Command
	}
	if c.StopTimeout != nil {
		asked.StopTimeout = *c.StopTimeout
	}
	for _, other := range d.containers {
		for _, p := range other.PortMappings {
			if other.Name == c.Name {
				asked.Ports = append(asked.Ports, p.ContainerPort)
			} else {
				asked.Neighbours[p.ContainerPort] = other.Name
			}
		}
	}
	if d.service == nil {
		return asked
	}
	asked.Tasks, asked.Percent = a.tasksOf(d)
	asked.Exec = d.service.Bool("enableExecuteCommand")
	if cluster := clusterNamed(a, d.service.String("cluster")); cluster != nil {
		asked.Recorded = Inputs(cluster.Outputs).String("configuration.executeCommandConfiguration.logging") == "OVERRIDE"
	}
	for _, lb := range d.service.Maps("loadBalancers") {
		group := find(a, "arn", lb.String("targetGroupArn"), targetGroupType)
		if lb.String("containerName") != c.Name || group == nil {
			continue
		}
		out := Inputs(group.Outputs)
		asked.Target = &contracts.Target{Port: lb.Int("containerPort"), Protocol: orElse(out.String("healthCheck.protocol"), "HTTP"),
			Speaks: out.String("protocol"), Idle: idleTimeout(a, group), Group: out.String("name"),
			Path: orElse(out.String("healthCheck.path"), "/"), Codes: orElse(out.String("healthCheck.matcher"), "200")}
	}
	return asked
}

// idleTimeout is how long the load balancer of a target group keeps an unused connection open; 0 if none forwards to the group.
func idleTimeout(a *Account, group *Object) float64 {
	for _, l := range listenersOf(a, group) {
		if b := find(a, "arn", Inputs(l.Inputs).String("loadBalancerArn"), balancerType); b != nil {
			return numberOr(Inputs(b.Outputs), "idleTimeout", 60)
		}
	}
	return 0
}

// diskContracts: the images of a task and its layers fit on its disk.
func (a *Account) diskContracts() []Finding {
	var found []Finding
	for _, d := range a.deployments() {
		have := numberOr(d.definition, "ephemeralStorage.sizeInGib", 20)
		total, largest := 0.0, ""
		most := 0.0
		for _, c := range d.containers {
			image := a.contractOf(c.Image)
			if image == nil {
				continue
			}
			size := float64(image.Size) / (1 << 30)
			if total += size; size > most {
				most, largest = size, c.Name
			}
		}
		if total > have {
			found = append(found, d.finding("CannotPullContainerError", "failed to extract layer: no space left on device",
				"raise ephemeralStorage, or make the image smaller", "ECS Developer Guide, \"Fargate task ephemeral storage for Amazon ECS\"",
				fmt.Sprintf("the task's images need %.0f GiB unpacked, most of them container %s, and it has %v GiB of ephemeral storage", total,
					largest, have)))
		}
	}
	return found
}

// alwaysFails reports whether a container's own command ends with another exit code than 0, as far as the definition shows it.
func (c containerSpec) alwaysFails() bool {
	argv := slices.Concat(c.EntryPoint, c.Command)
	if len(argv) == 0 {
		return false
	}
	if path.Base(argv[0]) == "false" {
		return true
	}
	line := strings.Fields(argv[len(argv)-1])
	n := len(line)
	shell := len(argv) > 2 && argv[len(argv)-2] == "-c"
	return shell && (n == 1 && line[0] == "false" || n >= 2 && line[n-2] == "exit" && line[n-1] != "0" && !strings.Contains(line[n-1], "$") &&
		!strings.ContainsAny(argv[len(argv)-1], "|&"))
}

// orderContracts: a container that others wait for must be able to end as they wait for it.
func (a *Account) orderContracts() []Finding {
	var found []Finding
	for _, d := range a.deployments() {
		for _, c := range d.containers {
			for _, on := range c.DependsOn {
				first := containerNamed(d.containers, on.ContainerName)
				if on.Condition != "SUCCESS" || first == nil || !first.alwaysFails() {
					continue
				}
				found = append(found, d.finding("TaskFailedToStart", fmt.Sprintf("the task stays PENDING: container %s never starts", c.Name),
					"correct the command of container "+first.Name+", or wait for COMPLETE",
					"ECS Developer Guide, task definition parameters, container dependency",
					fmt.Sprintf("container %s waits for the SUCCESS of %s, whose command %q never ends with 0", c.Name, first.Name,
						strings.Join(slices.Concat(first.EntryPoint, first.Command), " "))))
			}
		}
	}
	return found
}
