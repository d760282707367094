package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Task definitions and their containers. The JSON is read as ECS reads it, and everything that ECS refuses is reported at once.

// A containerSpec is one container of a task definition: the fields that the model checks.
type containerSpec struct {
	Name                   string            `json:"name"`
	Image                  string            `json:"image"`
	CPU                    int               `json:"cpu"`
	Memory                 *int              `json:"memory"`
	MemoryReservation      *int              `json:"memoryReservation"`
	Essential              *bool             `json:"essential"`
	Command                []string          `json:"command"`
	EntryPoint             []string          `json:"entryPoint"`
	User                   string            `json:"user"`
	Privileged             bool              `json:"privileged"`
	ReadonlyRootFilesystem bool              `json:"readonlyRootFilesystem"`
	StopTimeout            *int              `json:"stopTimeout"`
	StartTimeout           *int              `json:"startTimeout"`
	PortMappings           []portMapping     `json:"portMappings"`
	Environment            []namedValue      `json:"environment"`
	Secrets                []secretValue     `json:"secrets"`
	DependsOn              []dependency      `json:"dependsOn"`
	MountPoints            []mountPoint      `json:"mountPoints"`
	HealthCheck            *containerHealth  `json:"healthCheck"`
	LogConfiguration       containerLog      `json:"logConfiguration"`
	LinuxParameters        *linuxParameters  `json:"linuxParameters"`
	Firelens               *map[string]any   `json:"firelensConfiguration"`
	Ulimits                []map[string]any  `json:"ulimits"`
	RepositoryCredentials  map[string]string `json:"repositoryCredentials"`
	VolumesFrom            []map[string]any  `json:"volumesFrom"`
	DockerLabels           map[string]string `json:"dockerLabels"`
	EnvironmentFiles       []map[string]any  `json:"environmentFiles"`
	ResourceRequirements   []map[string]any  `json:"resourceRequirements"`
	SystemControls         []map[string]any  `json:"systemControls"`
	RestartPolicy          map[string]any    `json:"restartPolicy"`
	WorkingDirectory       string            `json:"workingDirectory"`
	Hostname               string            `json:"hostname"`
	Interactive            bool              `json:"interactive"`
	PseudoTerminal         bool              `json:"pseudoTerminal"`
	DisableNetworking      bool              `json:"disableNetworking"`
	Links                  []string          `json:"links"`
	DNSServers             []string          `json:"dnsServers"`
	DNSSearchDomains       []string          `json:"dnsSearchDomains"`
	DockerSecurityOptions  []string          `json:"dockerSecurityOptions"`
	ExtraHosts             []map[string]any  `json:"extraHosts"`
	CredentialSpecs        []string          `json:"credentialSpecs"`
	VersionConsistency     string            `json:"versionConsistency"`
}

type portMapping struct {
	ContainerPort      int    `json:"containerPort"`
	HostPort           *int   `json:"hostPort"`
	Protocol           string `json:"protocol"`
	Name               string `json:"name"`
	AppProtocol        string `json:"appProtocol"`
	ContainerPortRange string `json:"containerPortRange"`
}

type namedValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type secretValue struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

type dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"`
}

type mountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly"`
}

type containerHealth struct {
	Command     []string `json:"command"`
	Interval    *int     `json:"interval"`
	Timeout     *int     `json:"timeout"`
	Retries     *int     `json:"retries"`
	StartPeriod *int     `json:"startPeriod"`
}

type containerLog struct {
	LogDriver     string            `json:"logDriver"`
	Options       map[string]string `json:"options"`
	SecretOptions []secretValue     `json:"secretOptions"`
}

type linuxParameters struct {
	InitProcessEnabled bool `json:"initProcessEnabled"`
	Capabilities       struct {
		Add  []string `json:"add"`
		Drop []string `json:"drop"`
	} `json:"capabilities"`
	SharedMemorySize int              `json:"sharedMemorySize"`
	MaxSwap          int              `json:"maxSwap"`
	Swappiness       int              `json:"swappiness"`
	Tmpfs            []map[string]any `json:"tmpfs"`
	Devices          []map[string]any `json:"devices"`
}

// fargateSizes are Fargate's memory sizes in MiB for each number of CPU units: minimum, maximum and step. 256 units have 512,
// 1024 and 2048.
var fargateSizes = []struct{ cpu, least, most, step int }{
	{256, 512, 2048, 0}, {512, 1024, 4096, 1024}, {1024, 2048, 8192, 1024}, {2048, 4096, 16384, 1024},
	{4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192},
}

// fargateMemories lists the memory sizes for a number of CPU units; nil if Fargate does not offer it.
func fargateMemories(cpu int) []string {
	for _, s := range fargateSizes {
		if s.cpu != cpu {
			continue
		}
		var all []string
		for m := s.least; m <= s.most; m += max(s.step, 1) {
			all = append(all, strconv.Itoa(m))
			if s.step == 0 {
				m = 2*m - 1
			}
		}
		return all
	}
	return nil
}

// containersOf reads the containers of a task definition.
func containersOf(definition *Object) ([]containerSpec, error) {
	var all []containerSpec
	err := json.Unmarshal([]byte(Inputs(definition.Outputs).String("containerDefinitions")), &all)
	return all, err
}

// jsonProblem is an error of JSON without the names of Go's types.
func jsonProblem(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	want := map[reflect.Kind]string{reflect.Slice: "a list", reflect.Struct: "an object", reflect.Map: "an object", reflect.String: "a string",
		reflect.Bool: "true or false"}[wrong.Type.Kind()]
	if want == "" {
		want = "a number"
	}
	if wrong.Field != "" {
		want = wrong.Field + ": expected " + want
	} else {
		want = "expected " + want
	}
	return want + ", got " + wrong.Value
}

func containerNamed(all []containerSpec, name string) *containerSpec {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

func containerNames(all []containerSpec) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	return names
}

var (
	familyForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
	envForm      = regexp.MustCompile(`^[^=\x00]+$`)
	imageRefForm = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})` +
		`?(@sha256:[0-9a-f]{64})?$`)
)

const taskCode = "ClientException"

func checkTask(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "networkMode", "awsvpc", "bridge", "host", "none"), oneOf(in, "pidMode", "host", "task"),
		oneOf(in, "ipcMode", "host", "task", "none"),
		oneOf(in, "runtimePlatform.cpuArchitecture", "X86_64", "ARM64"), between(in, "ephemeralStorage.sizeInGib", 21, 200), tagProblems(in))
	if f := in.String("family"); in.Has("family") && !familyForm.MatchString(f) {
		p = append(p, awsProblem("family", taskCode, "a family has letters, digits, hyphens and underscores, at most 255, got %q", f))
	}
	fargate := slices.Contains(in.Strings("requiresCompatibilities"), "FARGATE")
	if fargate {
		if m := in.String("networkMode"); m != "awsvpc" && !unknown.Has("networkMode") {
			p = append(p, awsProblem("networkMode", taskCode, "Fargate only supports network mode 'awsvpc', got %q", m))
		}
		p = append(p, sizeProblems(in, unknown)...)
		p = append(p, fargateProblems(in)...)
	}
	seen := map[string]bool{}
	for i, v := range in.Maps("volumes") {
		name := v.String("name")
		if seen[name] {
			p = append(p, awsProblem(at("volumes", i)+".name", taskCode, "the volume %q appears twice", name))
		}
		seen[name] = true
		if fargate && v.Has("dockerVolumeConfiguration") {
			p = append(p, awsProblem(at("volumes", i), taskCode, "Fargate does not support Docker volumes"))
		}
		if fargate && v.String("hostPath") != "" {
			p = append(p, awsProblem(at("volumes", i)+".hostPath", taskCode, "Fargate does not support a host path"))
		}
	}
	if text := in.String("containerDefinitions"); text != "" {
		p = append(p, containersProblems(text, in, unknown, fargate)...)
	}
	return p
}

func sizeProblems(in Inputs, unknown Unknowns) []Problem {
	var p []Problem
	for _, name := range []string{"cpu", "memory"} {
		if !in.Has(name) && !unknown.Has(name) {
			p = append(p, awsProblem(name, taskCode, "Fargate requires that '%s' be defined at the task level", name))
		}
	}
	cpu, isCPU := taskUnits(in, "cpu")
	if !in.Has("cpu") {
		return p
	}
	memories := fargateMemories(int(cpu))
	if !isCPU || memories == nil {
		var known []string
		for _, s := range fargateSizes {
			known = append(known, strconv.Itoa(s.cpu))
		}
		return append(p, awsProblem("cpu", taskCode, "expected %s, got %q", alternatives(known), in.String("cpu")))
	}
	m := in.String("memory")
	if n, ok := taskUnits(in, "memory"); ok {
		m = plainNumber(n)
	}
	if in.Has("memory") && !slices.Contains(memories, m) {
		p = append(p, awsProblem("memory", taskCode,
			"No Fargate configuration exists for given values: %v CPU, %s memory; for that cpu the memory may be %s", cpu,
			m, alternatives(memories)))
	}
	return p
}

// containersProblems checks the containers' JSON. Its paths continue into the document: "containerDefinitions[0].image".
func containersProblems(text string, in Inputs, unknown Unknowns, fargate bool) []Problem {
	t := taskCheck{in: in, unknown: unknown, fargate: fargate, names: map[string]bool{}, ports: map[string]string{}}
	if !t.decode(text) {
		return t.problems
	}
	for i, c := range t.containers {
		here := at(containersPath, i)
		t.identity(c, here)
		t.memory(c, here)
		t.portMappings(c, here)
		t.problems = append(t.problems, environmentProblems(c, here)...)
		t.mountPoints(c, here)
		t.ulimits(c, here)
		t.router(c, here)
		t.files(c, here)
		t.problems = append(t.problems, healthProblems(c.HealthCheck, here+".healthCheck")...)
		t.problems = append(t.problems, logProblems(c, here+".logConfiguration", fargate, t.hasLogRouter())...)
		if fargate {
			t.fargateLimits(c, here)
			t.executionRole(c, here)
		}
	}
	t.problems = append(t.problems, dependencyProblems(t.containers)...)
	if name := in.String("proxyConfiguration.containerName"); name != "" && containerNamed(t.containers, name) == nil {
		t.say("proxyConfiguration.containerName", "The container %s does not exist in the task definition", name)
	}
	t.totals()
	t.size(text)
	return t.problems
}

const containersPath = "containerDefinitions"

// A taskCheck checks the containers of one task definition.
type taskCheck struct {
	in         Inputs
	unknown    Unknowns
	fargate    bool
	containers []containerSpec
	names      map[string]bool
	ports      map[string]string // "8080/tcp" -> the container that listens there
	problems   []Problem
}

func (t *taskCheck) say(path, format string, args ...any) {
	t.problems = append(t.problems, awsProblem(path, taskCode, format, args...))
}

// decode parses the document. It reports whether there are containers to check.
func (t *taskCheck) decode(text string) bool {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&t.containers); err != nil {
		t.say(containersPath, "container definitions are not valid: %s", jsonProblem(err))
		return false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.say(containersPath, "container definitions are not valid: unexpected text after the list")
		return false
	}
	if len(t.containers) == 0 {
		t.say(containersPath, "Container list cannot be empty")
		return false
	}
	if len(t.containers) > 10 {
		t.say(containersPath, "a task has at most 10 containers, got %d", len(t.containers))
	}
	return true
}

func (t *taskCheck) hasLogRouter() bool {
	return slices.ContainsFunc(t.containers, func(c containerSpec) bool { return c.Firelens != nil })
}

func (t *taskCheck) identity(c containerSpec, here string) {
	if !familyForm.MatchString(c.Name) {
		t.say(here+".name", "a container's name has letters, digits, hyphens and underscores, got %q", c.Name)
	} else if t.names[c.Name] {
		t.say(here+".name", "two containers have the name %q", c.Name)
	}
	t.names[c.Name] = true
	switch {
	case c.Image == "":
		t.say(here+".image", "Container.image should not be null or empty")
	case !imageRefForm.MatchString(c.Image):
		t.say(here+".image", "%q is not an image: expected registry/repository@sha256:... or registry/repository:tag", c.Image)
	}
}

func (t *taskCheck) memory(c containerSpec, here string) {
	if c.Memory == nil {
		return
	}
	if *c.Memory < 6 {
		t.say(here+".memory", "a container needs at least 6 MiB, got %d", *c.Memory)
	}
	if c.MemoryReservation != nil && *c.MemoryReservation > *c.Memory {
		t.say(here+".memoryReservation", "the reservation (%d MiB) is above the limit (%d MiB)", *c.MemoryReservation, *c.Memory)
	}
}

func (t *taskCheck) portMappings(c containerSpec, here string) {
	awsvpc := t.in.String("networkMode") == "awsvpc"
	for i, m := range c.PortMappings {
		path := at(here+".portMappings", i)
		if m.ContainerPort < 1 || m.ContainerPort > 65535 {
			t.say(path+".containerPort", "expected a port from 1 to 65535, got %d", m.ContainerPort)
		}
		if m.HostPort != nil && *m.HostPort != m.ContainerPort && awsvpc {
			t.say(path+".hostPort", "When networkMode=awsvpc, the host ports and container ports in port mappings must match, got %d and %d",
				*m.HostPort, m.ContainerPort)
		}
		protocol := orElse(m.Protocol, "tcp")
		if protocol != "tcp" && protocol != "udp" {
			t.say(path+".protocol", "expected tcp or udp, got %q", protocol)
		}
		key := fmt.Sprintf("%d/%s", m.ContainerPort, protocol)
		if by := t.ports[key]; by != "" && awsvpc {
			t.say(path+".containerPort", "containers %s and %s both listen on port %d, and share the task's network interface",
				by, c.Name, m.ContainerPort)
		}
		t.ports[key] = c.Name
		if m.Name != "" && !portNameForm.MatchString(m.Name) {
			t.say(path+".name", "a port's name has lower-case letters, digits, _ and -, at most 64, and does not begin with -, got %q", m.Name)
		}
		if m.AppProtocol != "" && !slices.Contains(words("http http2 grpc"), m.AppProtocol) {
			t.say(path+".appProtocol", "expected http, http2 or grpc, got %q", m.AppProtocol)
		}
	}
}

func (t *taskCheck) mountPoints(c containerSpec, here string) {
	var volumes []string
	for _, v := range t.in.Maps("volumes") {
		volumes = append(volumes, v.String("name"))
	}
	seen := map[string]bool{}
	for i, m := range c.MountPoints {
		path := at(here+".mountPoints", i)
		if seen[m.ContainerPath] { // Docker: "Duplicate mount point"
			t.say(path+".containerPath", "Duplicate mount point: %s", m.ContainerPath)
		}
		seen[m.ContainerPath] = true
		if m.SourceVolume == "" { // blinkist/terraform-aws-airship-ecs-service#46
			t.say(path+".sourceVolume", "Unknown volume 'null'.")
		} else if !slices.Contains(volumes, m.SourceVolume) && !t.unknown.Within("volumes") {
			t.say(path+".sourceVolume", "Unknown volume '%s': the task has %s", m.SourceVolume, orNone(volumes))
		}
		if !strings.HasPrefix(m.ContainerPath, "/") {
			t.say(path+".containerPath", "expected an absolute path, got %q", m.ContainerPath)
		}
	}
}

// fargateLimits checks what Fargate does not offer, or only within limits.
func (t *taskCheck) fargateLimits(c containerSpec, here string) {
	if c.StopTimeout != nil && (*c.StopTimeout < 2 || *c.StopTimeout > 120) {
		t.say(here+".stopTimeout", "Fargate waits 2 to 120 seconds for a container to stop, got %d", *c.StopTimeout)
	}
	if c.StartTimeout != nil && (*c.StartTimeout < 2 || *c.StartTimeout > 120) { // ECS API Reference, ContainerDefinition
		t.say(here+".startTimeout", "Fargate waits 2 to 120 seconds for a dependency, got %d", *c.StartTimeout)
	}
	if c.Privileged {
		t.say(here+".privileged", "Fargate does not support privileged containers")
	}
	if l := c.LinuxParameters; l != nil {
		for _, add := range l.Capabilities.Add {
			if add != "SYS_PTRACE" {
				t.say(here+".linuxParameters.capabilities.add", "Fargate adds SYS_PTRACE only, got %q", add)
			}
		}
		for _, drop := range l.Capabilities.Drop {
			if !slices.Contains(capabilities, drop) {
				t.say(here+".linuxParameters.capabilities.drop", "%q is not a capability%s", drop, suggest(drop, capabilities))
			}
		}
		if l.MaxSwap != 0 || l.Swappiness != 0 {
			t.say(here+".linuxParameters", "Fargate does not support maxSwap and swappiness")
		}
		if len(l.Devices) > 0 || len(l.Tmpfs) > 0 || l.SharedMemorySize > 0 {
			t.say(here+".linuxParameters", "Fargate does not support devices, sharedMemorySize or tmpfs")
		}
	}
	if c.DisableNetworking || len(c.DockerSecurityOptions) > 0 {
		t.say(here, "Fargate does not support disableNetworking and dockerSecurityOptions")
	}
	for i, r := range c.ResourceRequirements {
		if Inputs(r).String("type") == "GPU" {
			t.say(at(here+".resourceRequirements", i), "Fargate does not support GPUs")
		}
	}
	if len(c.Links) > 0 || len(c.DNSServers) > 0 || len(c.DNSSearchDomains) > 0 || len(c.ExtraHosts) > 0 || c.Hostname != "" {
		t.say(here, "network mode awsvpc does not support links, hostname, dnsServers, dnsSearchDomains or extraHosts")
	}
}

// executionRole checks what ECS does on the task's behalf before a container starts, for which it needs a role.
func (t *taskCheck) executionRole(c containerSpec, here string) {
	if t.in.Has("executionRoleArn") || t.unknown.Has("executionRoleArn") {
		return
	}
	if len(c.Secrets) > 0 {
		t.say(here+".secrets", "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'")
	}
	if c.LogConfiguration.LogDriver == "awslogs" {
		t.say(here+".logConfiguration", "Fargate requires task definition to have execution role ARN to support log driver awslogs")
	}
	if len(c.EnvironmentFiles) > 0 {
		t.say(here+".environmentFiles", "environmentFiles need an executionRoleArn")
	}
	if c.RepositoryCredentials["credentialsParameter"] != "" {
		t.say(here+".repositoryCredentials", "repositoryCredentials need an executionRoleArn")
	}
	if strings.Contains(c.Image, ".dkr.ecr.") {
		t.say(here+".image", "Fargate requires task definition to have execution role ARN to support ECR images")
	}
}

// totals checks the containers against the task.
func (t *taskCheck) totals() {
	essential, cpu, memory := 0, 0, 0
	for _, c := range t.containers {
		if c.Essential == nil || *c.Essential {
			essential++
		}
		cpu += c.CPU
		switch { // the reserved memory; ECS API Reference, ContainerDefinition, memory
		case c.MemoryReservation != nil:
			memory += *c.MemoryReservation
		case c.Memory != nil:
			memory += *c.Memory
		}
	}
	if essential == 0 {
		t.say(containersPath, "at least one container must be essential")
	}
	if total, ok := taskUnits(t.in, "cpu"); ok && float64(cpu) > total {
		t.say(containersPath, "the containers' cpu adds up to %d units, and the task has %v", cpu, total)
	}
	total, ok := taskUnits(t.in, "memory")
	if ok && float64(memory) > total {
		t.say(containersPath, "the containers' memory adds up to %d MiB, and the task has %v", memory, total)
	}
	if ok || t.fargate || t.unknown.Has("memory") {
		return
	}
	for i, c := range t.containers {
		if c.Memory == nil && c.MemoryReservation == nil {
			t.say(at(containersPath, i), "Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified",
				c.Name)
		}
	}
}

func environmentProblems(c containerSpec, here string) []Problem {
	var p []Problem
	have := map[string]bool{}
	for i, e := range c.Environment {
		path := at(here+".environment", i) + ".name"
		if !envForm.MatchString(e.Name) {
			p = append(p, awsProblem(path, taskCode, "%q is not a valid name for an environment variable", e.Name))
		}
		if have[e.Name] {
			p = append(p, awsProblem(path, taskCode, "the environment variable %s appears twice", e.Name))
		}
		have[e.Name] = true
	}
	secret := map[string]bool{}
	for i, s := range c.Secrets {
		path := at(here+".secrets", i)
		if have[s.Name] || secret[s.Name] {
			p = append(p, awsProblem(path+".name", taskCode,
				"The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'",
				s.Name))
		}
		secret[s.Name] = true
		if s.ValueFrom == "" {
			p = append(p, awsProblem(path+".valueFrom", taskCode, "the secret %s needs valueFrom", s.Name))
		} else if strings.HasPrefix(s.ValueFrom, "arn:") && !strings.Contains(s.ValueFrom, ":ssm:") &&
			!strings.Contains(s.ValueFrom, ":secretsmanager:") {
			p = append(p, awsProblem(path+".valueFrom", taskCode, "expected an SSM parameter or a Secrets Manager secret, got %q", s.ValueFrom))
		}
	}
	return p
}

func healthProblems(h *containerHealth, here string) []Problem {
	if h == nil {
		return nil
	}
	var p []Problem
	if len(h.Command) < 2 || h.Command[0] != "CMD" && h.Command[0] != "CMD-SHELL" {
		p = append(p, awsProblem(here+".command", taskCode, "expected CMD or CMD-SHELL and a command, got %q", h.Command))
	}
	for _, x := range []struct {
		name      string
		value     *int
		low, high int
	}{{"interval", h.Interval, 5, 300}, {"timeout", h.Timeout, 2, 60}, {"retries", h.Retries, 1, 10}, {"startPeriod", h.StartPeriod, 0, 300}} {
		if x.value != nil && (*x.value < x.low || *x.value > x.high) {
			p = append(p, awsProblem(here+"."+x.name, taskCode, "expected %d to %d, got %d", x.low, x.high, *x.value))
		}
	}
	return p
}

func logProblems(c containerSpec, here string, fargate, firelens bool) []Problem {
	var p []Problem
	l := c.LogConfiguration
	if l.LogDriver == "" {
		if len(l.Options) > 0 {
			p = append(p, awsProblem(here+".logDriver", taskCode, "log options need a logDriver"))
		}
		return p
	}
	if fargate && !slices.Contains(words("awslogs splunk awsfirelens"), l.LogDriver) {
		p = append(p, awsProblem(here+".logDriver", taskCode, "Fargate supports the log drivers awslogs, splunk and awsfirelens, got %q",
			l.LogDriver))
	}
	if size := l.Options["max-buffer-size"]; size != "" && l.Options["mode"] == "blocking" {
		// Docker: "max-buffer-size" is only an option of mode non-blocking, which is the default of ECS since June 2025.
		p = append(p, awsProblem(here+".options.max-buffer-size", taskCode, "max-buffer-size needs mode non-blocking"))
	}
	if m := l.Options["mode"]; m != "" && m != "blocking" && m != "non-blocking" {
		p = append(p, awsProblem(here+".options.mode", taskCode, "expected blocking or non-blocking, got %q", m))
	}
	switch l.LogDriver {
	case "awslogs":
		wants := words("awslogs-group awslogs-region")
		if fargate {
			wants = append(wants, "awslogs-stream-prefix")
		}
		for _, option := range wants {
			if l.Options[option] == "" {
				p = append(p, awsProblem(here+".options", taskCode, "Log driver awslogs requires options: %s", strings.Join(wants, ", ")))
				break
			}
		}
		if l.Options["awslogs-datetime-format"] != "" && l.Options["awslogs-multiline-pattern"] != "" {
			p = append(p, awsProblem(here+".options", taskCode,
				"awslogs-datetime-format and awslogs-multiline-pattern cannot be given at the same time"))
		}
		for _, option := range sortedKeys(l.Options) {
			if !slices.Contains(awslogsOptions, option) {
				p = append(p, awsProblem(join(here+".options", option), taskCode, "awslogs has no option %q", option))
			}
		}
	case "awsfirelens":
		if !firelens {
			p = append(p, awsProblem(here+".logDriver", taskCode,
				"When a firelens log driver is used, a container with a firelensConfiguration must be specified"))
		}
	}
	return p
}

// dependencyProblems checks dependsOn: it must name other containers, the condition must be possible, and there must be no cycle.
func dependencyProblems(all []containerSpec) []Problem {
	var p []Problem
	waits := map[string][]string{}
	for i, c := range all {
		for j, d := range c.DependsOn {
			here := at(at("containerDefinitions", i)+".dependsOn", j)
			on := containerNamed(all, d.ContainerName)
			switch {
			case d.ContainerName == c.Name:
				p = append(p, awsProblem(here+".containerName", taskCode, "container %s depends on itself", c.Name))
			case on == nil:
				p = append(p, awsProblem(here+".containerName", taskCode, "The container dependency '%s' does not exist in the task definition",
					d.ContainerName))
			case !slices.Contains(words("START COMPLETE SUCCESS HEALTHY"), d.Condition):
				p = append(p, awsProblem(here+".condition", taskCode, "expected START, COMPLETE, SUCCESS or HEALTHY, got %q", d.Condition))
			case d.Condition == "HEALTHY" && on.HealthCheck == nil:
				p = append(p, awsProblem(here+".condition", taskCode, "container %s waits until %s is HEALTHY, but that has no health check", c.Name,
					on.Name))
			case (d.Condition == "COMPLETE" || d.Condition == "SUCCESS") && (on.Essential == nil || *on.Essential):
				p = append(p, awsProblem(here+".condition", taskCode,
					"container %s waits for the end of %s, which is essential: its end would stop the task", c.Name, on.Name))
			}
			waits[c.Name] = append(waits[c.Name], d.ContainerName)
		}
	}
	if len(p) > 0 {
		return p
	}
	var circle func(name string, path []string) bool
	circle = func(name string, path []string) bool {
		if slices.Contains(path, name) {
			return true
		}
		return slices.ContainsFunc(waits[name], func(next string) bool { return circle(next, append(slices.Clone(path), name)) })
	}
	for i, c := range all {
		if len(c.DependsOn) > 0 && circle(c.Name, nil) {
			p = append(p, awsProblem(at("containerDefinitions", i)+".dependsOn", taskCode, "container %s is part of a dependency cycle", c.Name))
			break
		}
	}
	return p
}
