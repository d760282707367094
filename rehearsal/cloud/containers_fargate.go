package cloud

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Rules for containers about the log router, resource limits and size, and for the secrets that they are started with.

// mostDefinition is how many bytes a task definition may have.
const mostDefinition = 65536

// limits are the names of resource limits.
var limits = words(`core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`)

// capabilities are those of Linux that ECS knows. Source: ECS API Reference, KernelCapabilities.
var capabilities = words(`ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER
	KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID
	SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG
	WAKE_ALARM`)

var portNameForm = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,63}$`)

// awslogsOptions are those of the log driver. Sources: ECS API Reference, LogConfiguration; Docker's manual, "Amazon CloudWatch Logs
// logging driver", which ends the container with "unknown log opt" for any other.
var awslogsOptions = words(`awslogs-create-group awslogs-region awslogs-group awslogs-stream-prefix awslogs-stream awslogs-datetime-format
	awslogs-multiline-pattern awslogs-endpoint awslogs-format awslogs-credentials-endpoint awslogs-force-flush-interval-seconds
	awslogs-max-buffered-events mode max-buffer-size tag`)

var unitForm = regexp.MustCompile(`(?i)^([0-9]*\.?[0-9]+) ?(vcpu|gb)$`)

// taskUnits is the task's cpu in units or its memory in MiB. ECS also reads "1 vCPU" and "2 GB" (API Reference, RegisterTaskDefinition).
func taskUnits(in Inputs, name string) (float64, bool) {
	want := map[string]string{"cpu": "vcpu", "memory": "gb"}[name]
	if m := unitForm.FindStringSubmatch(in.String(name)); m != nil && strings.ToLower(m[2]) == want {
		n, ok := asNumber(m[1])
		return n * 1024, ok
	}
	return asNumber(in.Get(name))
}

var systems = words(`LINUX WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2019_CORE WINDOWS_SERVER_2022_FULL WINDOWS_SERVER_2022_CORE
	WINDOWS_SERVER_2025_FULL WINDOWS_SERVER_2025_CORE`)

// fargateProblems checks the task-level parameters that are not valid on Fargate. Source: ECS Developer Guide, "Amazon ECS task definition
// differences for Fargate"; "Windows containers on Fargate considerations".
func fargateProblems(in Inputs) []Problem {
	p := oneOf(in, "runtimePlatform.operatingSystemFamily", systems...)
	if len(in.List("placementConstraints")) > 0 {
		p = append(p, awsProblem("placementConstraints", taskCode, "Fargate does not support placement constraints in a task definition"))
	}
	if in.String("pidMode") == "host" {
		p = append(p, awsProblem("pidMode", taskCode, "Fargate supports the pidMode task only, got host"))
	}
	if in.Has("ipcMode") {
		p = append(p, awsProblem("ipcMode", taskCode, "Fargate does not support ipcMode"))
	}
	if strings.HasPrefix(in.String("runtimePlatform.operatingSystemFamily"), "WINDOWS") {
		if in.String("runtimePlatform.cpuArchitecture") == "ARM64" {
			p = append(p, awsProblem("runtimePlatform", taskCode, "Windows containers need the cpuArchitecture X86_64"))
		}
		if n, ok := taskUnits(in, "cpu"); ok && n < 1024 {
			p = append(p, awsProblem("cpu", taskCode, "Windows containers on Fargate need at least 1024 units"))
		}
	}
	return p
}

// files checks what else a container reads from its definition. Source: ECS API Reference, EnvironmentFile and ContainerDefinition.
func (t *taskCheck) files(c containerSpec, here string) {
	if c.WorkingDirectory != "" && !path.IsAbs(c.WorkingDirectory) {
		t.say(here+".workingDirectory", "the working directory %q is invalid, it needs to be an absolute path", c.WorkingDirectory)
	}
	if n := Inputs(c.RestartPolicy).Int("restartAttemptPeriod"); n != 0 && (n < 60 || n > 1800) {
		// ECS API Reference, ContainerRestartPolicy
		t.say(here+".restartPolicy.restartAttemptPeriod", "expected 60 to 1800 seconds, got %d", n)
	}
	if len(c.EnvironmentFiles) > 10 {
		t.say(here+".environmentFiles", "expected at most 10 files, got %d", len(c.EnvironmentFiles))
	}
	for i, f := range c.EnvironmentFiles {
		in, at := Inputs(f), at(here+".environmentFiles", i)
		if kind := in.String("type"); kind != "s3" {
			t.say(at+".type", "expected s3, got %q", kind)
		}
		if arn := in.String("value"); !strings.Contains(arn, ":s3:::") || !strings.HasSuffix(arn, ".env") {
			t.say(at+".value", "expected the ARN of an S3 object whose name ends in .env, got %q", arn)
		}
	}
}

// router checks a container with a FireLens configuration. Source: ECS API Reference, FirelensConfiguration.
func (t *taskCheck) router(c containerSpec, here string) {
	if c.Firelens == nil {
		return
	}
	in := Inputs(*c.Firelens)
	if kind := in.String("type"); kind != "fluentbit" && kind != "fluentd" {
		t.say(here+".firelensConfiguration.type", "expected fluentbit or fluentd, got %q", kind)
	}
	if c.Essential != nil && !*c.Essential {
		t.say(here+".essential", "firelens container %s must be essential", c.Name)
	}
	if kind := in.String("options.config-file-type"); t.fargate && kind != "" && kind != "file" {
		t.say(here+".firelensConfiguration.options.config-file-type", "config-file-type %s is not supported on Fargate: it supports file only",
			kind)
	}
}

// ulimits checks resource limits.
func (t *taskCheck) ulimits(c containerSpec, here string) {
	for i, limit := range c.Ulimits {
		in, at := Inputs(limit), at(here+".ulimits", i)
		if name := in.String("name"); !slices.Contains(limits, name) {
			t.say(at+".name", "expected %s, got %q", alternatives(limits), name)
		}
		if in.Int("softLimit") > in.Int("hardLimit") && in.Int("hardLimit") >= 0 {
			t.say(at+".softLimit", "the soft limit %d is above the hard limit %d", in.Int("softLimit"), in.Int("hardLimit"))
		}
	}
}

// size checks the size of the whole definition, most of which is environment. Source: ECS Developer Guide, "Service quotas".
func (t *taskCheck) size(text string) {
	if len(text) <= mostDefinition {
		return
	}
	largest, most := "", 0
	for _, c := range t.containers {
		for _, e := range c.Environment {
			if len(e.Value) > most {
				largest, most = c.Name+"'s "+e.Name, len(e.Value)
			}
		}
	}
	t.say(containersPath, "Actual length: '%d'. Max allowed length is '%d' bytes; the longest value is %s with %d", len(text), mostDefinition,
		largest, most)
}

// missingSecret is why ECS cannot read a container's secret, in ECS's wording; "" if it can.
func (a *Account) missingSecret(name, from, container string) string {
	const unable = "ResourceInitializationError: unable to pull secrets or registry auth: "
	if !a.holdsSecret(from) {
		return fmt.Sprintf(unable+"unable to retrieve secret %s of container %s: %s does not exist", name, container, from)
	}
	parts := strings.Split(from, ":")
	if !strings.Contains(from, ":secretsmanager:") || len(parts) < 8 || parts[7] == "" {
		return ""
	}
	for _, o := range a.list("aws:secretsmanager/secretVersion:SecretVersion") {
		if out := Inputs(o.Outputs); out.String("arn") == strings.Join(parts[:7], ":") && out.Has("secretString") {
			var value map[string]any
			if json.Unmarshal([]byte(out.String("secretString")), &value) != nil || value[parts[7]] == nil {
				return fmt.Sprintf(unable+"retrieved secret from Secrets Manager did not contain json key %s: ECS reads top-level keys only "+
					"(container %s)", parts[7], container)
			}
		}
	}
	return ""
}
