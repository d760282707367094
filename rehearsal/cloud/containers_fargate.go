package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Rules for containers about the log router, resource limits and size, and for the secrets that they are started with.

// mostDefinition is how many bytes a task definition may have.
const mostDefinition = 65536

// limits are the names of resource limits.
var limits = words(`core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`)

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
