package incidents_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/engine/inprocess"
	"slipway/rehearsal/cloud"
)

// A setting is one value inside the inputs of a resource, at any depth.
type setting struct {
	kind, resource string
	path           []any // keys, and indexes of lists
	text           string
}

func (s setting) String() string { return s.kind + " " + s.resource + " " + s.text }

// settingsOf lists every value in v. It names the elements of a list by what tells them apart.
func settingsOf(kind, resource string, v any) []setting {
	var all []setting
	var walk func(v any, path []any, text string)
	walk = func(v any, path []any, text string) {
		if len(path) > 0 {
			all = append(all, setting{kind, resource, slices.Clone(path), text})
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], append(path, key), strings.TrimPrefix(text+"."+key, "."))
			}
		case []any:
			for i, element := range v {
				walk(element, append(path, i), fmt.Sprintf("%s[%s]", text, elementName(element, i)))
			}
		}
	}
	walk(v, nil, "")
	return all
}

func elementName(v any, i int) string {
	if m, ok := v.(map[string]any); ok {
		for _, key := range []string{"name", "containerPath", "containerName", "containerPort", "capacityProvider", "type"} {
			if m[key] != nil {
				return fmt.Sprint(m[key])
			}
		}
	}
	return fmt.Sprint(i)
}

// removedAt is v without what is at the path.
func removedAt(v any, path []any) any {
	switch key := path[0].(type) {
	case string:
		m := maps.Clone(v.(map[string]any))
		if len(path) == 1 {
			delete(m, key)
		} else {
			m[key] = removedAt(m[key], path[1:])
		}
		return m
	default:
		i, list := key.(int), slices.Clone(v.([]any))
		if len(path) == 1 {
			return slices.Delete(list, i, i+1)
		}
		list[i] = removedAt(list[i], path[1:])
		return list
	}
}

// withContainers are a resource's inputs with its JSON document of containers as a list.
func withContainers(t *testing.T, o *cloud.Object) map[string]any {
	t.Helper()
	inputs := maps.Clone(o.Inputs)
	for _, key := range slices.Collect(maps.Keys(inputs)) {
		if strings.HasPrefix(key, "tags") || strings.HasPrefix(key, "__") {
			delete(inputs, key)
		}
	}
	if text, ok := inputs["containerDefinitions"].(string); ok {
		var list []any
		must(t, json.Unmarshal([]byte(text), &list))
		inputs["containerDefinitions"] = list
	}
	return inputs
}

// says is what is wrong once the setting is gone: AWS refuses the resource or what uses it, or the judges find something.
func (s setting) says(t *testing.T, a *cloud.Account) string {
	t.Helper()
	o := named(t, a, s.kind, s.resource)
	inputs := removedAt(withContainers(t, o), s.path).(map[string]any)
	if list, ok := inputs["containerDefinitions"]; ok {
		text, err := json.Marshal(list)
		must(t, err)
		inputs["containerDefinitions"] = string(text)
	}
	for _, key := range slices.Collect(maps.Keys(o.Inputs)) {
		if _, ok := inputs[key]; !ok && !strings.HasPrefix(key, "tags") {
			inputs[key] = nil
		}
	}
	if said := refused(t, a, o, inputs); said != "" {
		return said
	}
	if s.kind != "Service" {
		for _, user := range a.Made() {
			if strings.HasSuffix(user.Type, ":Service") && strings.HasPrefix(user.Type, "aws:ecs/") {
				if said := refused(t, a, user, nil); said != "" {
					return said
				}
			}
		}
	}
	if found := a.Findings(); len(found) > 0 {
		return list(found)
	}
	return ""
}

// A reason says why nothing is wrong without settings.
type reason struct {
	settings *regexp.Regexp // of "Kind resource path"
	why      string
}

var optional = []reason{
	{regexp.MustCompile(` (availabilityZoneRebalancing|enable\w+|forceNewDeployment|platformVersion|propagateTags)$`),
		"AWS has a default, and nothing in the model depends on the setting"},
	{regexp.MustCompile(` (waitForSteadyState|skipDestroy)$`), "a setting of the provider, not of AWS"},
	{regexp.MustCompile(`Service \S+ (capacityProviderStrategies.*)$`),
		"the cluster's default strategy takes its place, or another provider of the strategy does"},
	{regexp.MustCompile(`Service \S+ deployment\w+$`), "it only matters when a deployment fails, or how fast one goes"},
	{regexp.MustCompile(`Service \S+ desiredCount$`),
		"a service may have no tasks: a paused worker; autoscaling sets the number of web tasks"},
	{regexp.MustCompile(`(Service|TargetGroup) \S+ name$`), "Pulumi gives it a name"},
	{regexp.MustCompile(`Service \S+ networkConfiguration\.assignPublicIp$`), "AWS defaults to DISABLED"},
	{regexp.MustCompile(`Service \S+ networkConfiguration\.subnets\[\d\]$`), "tasks run in the other zones"},
	{regexp.MustCompile(`TargetGroup \S+ (deregistrationDelay|loadBalancingAlgorithmType|healthCheck\.(\w+Threshold|interval|timeout))$`),
		"AWS has a default, and the value only matters under load or for how fast a deployment goes"},
	{regexp.MustCompile(`TargetGroup \S+ healthCheck\.(enabled|port|protocol)$`), "AWS defaults to the same value"},
	{regexp.MustCompile(`TargetGroup \S+ healthCheck\.matcher$`), "AWS's default is 200, which is what the sample answers"},
	{regexp.MustCompile(`TaskDefinition migration-task containerDefinitions\[django\]\.entryPoint\[0\]$`),
		"the base image may have a program called migrate; the built image shows that it has none"},
	{regexp.MustCompile(`TargetGroup \S+ healthCheck(\.path)?$`), "AWS defaults to /, and what the site answers there is its own"},
	{regexp.MustCompile(`\.(cpu|essential|systemControls|volumesFrom|environment|hostPort|protocol|readOnly)$`),
		"AWS defaults to the same value"},
	{regexp.MustCompile(`\[(log-router|django)\]\.(mountPoints|portMappings(\[8000\])?)$`),
		"it is empty, or only shared inside the task: containers share localhost, and Django needs /tmp for large uploads only"},
	{regexp.MustCompile(`\.environment\[`), "the settings of the site: it does not start without them, and its own tests say so"},
	{regexp.MustCompile(`\.secrets(\[\w+\](\.name)?)?$`),
		"secrets of the site: it does not start without them, and its own tests say so"},
	{regexp.MustCompile(`\.linuxParameters(\.initProcessEnabled)?$`),
		"an init process only matters for what sessions of ECS Exec leave behind"},
	{regexp.MustCompile(`\.(max-buffer-size|mode|retry_limit|log-driver-buffer-limit)$`), "it only matters under load"},
	{regexp.MustCompile(`\.firelensConfiguration\.options(\.enable-ecs-log-metadata)?$`), "AWS defaults to adding the metadata"},
	{regexp.MustCompile(`\.mountPoints\[/tmp\]$`), "Django only writes temporary files for large uploads, and gunicorn uses /dev/shm"},
	{regexp.MustCompile(`\.logConfiguration$`), "AWS runs a container without it, whose output is then lost"},
	{regexp.MustCompile(`\.readonlyRootFilesystem$`), "it takes something away, and nothing needs that"},
	{regexp.MustCompile(`\.ulimits(\[nofile\](\.softLimit)?)?$`), "Fargate's own limit is 65535 open files"},
	{regexp.MustCompile(`\.user$`), "the image's own user takes its place"},
	{regexp.MustCompile(`\.stopTimeout$`), "Fargate waits 30 s, and gunicorn and nginx end within 25 s"},
	{regexp.MustCompile(`\.command(\[\d\])?$`), "the image's own command or a shorter one runs; what a task should do is the project's"},
	{regexp.MustCompile(`TaskDefinition (job|worker)\S+ containerDefinitions\[django\]$`),
		"the log router remains, and is a valid task"},
	{regexp.MustCompile(`\[nginx\]\.(dependsOn(\[django\])?|healthCheck)$`),
		"the balancer sends no requests until Django answers its health check"},
	{regexp.MustCompile(`containerDefinitions\S+\.healthCheck\.(interval|retries|startPeriod|timeout)$`),
		"ECS has a default, and the value only matters for how fast a failure shows"},
	{regexp.MustCompile(`(job|migration)\S* requiresCompatibilities(\[0\])?$`),
		"whatever runs the task asks for Fargate, and ECS finds out itself that the definition fits"},
	{regexp.MustCompile(`runtimePlatform\.operatingSystemFamily$`), "AWS defaults to LINUX"},
}

// TestEverySettingOfWhatRunsIsNeeded removes each setting of the target groups, services, task definitions and containers, one at a
// time. The model must refuse the rest or find something, or the setting is in the table of those that are optional.
func TestEverySettingOfWhatRunsIsNeeded(t *testing.T) {
	used := make([]int, len(optional))
	total, red := 0, 0
	for _, f := range []form{
		{"prod", "perZone", "subscription", 3, true, true, "arm64"}, {"staging", "single", "firelens", 2, true, false, "arm64"},
		{"dev", "none", "subscription", 2, false, false, "arm64"},
	} {
		t.Run(f.String(), func(t *testing.T) {
			s, deployed, dir := f.open(t)
			must(t, s.Up(t.Context(), inprocess.Run{}))
			var all []setting
			for _, o := range deployed.Made() {
				_, kind, _ := strings.Cut(o.Type, ":")
				kind = kind[strings.LastIndex(kind, ":")+1:]
				name := o.URN[strings.LastIndex(o.URN, "::")+2:]
				if kind == "TargetGroup" || kind == "TaskDefinition" || kind == "Service" && strings.HasPrefix(o.Type, "aws:ecs/") {
					all = append(all, settingsOf(kind, name, withContainers(t, o))...)
				}
			}
			for _, s := range all {
				row := slices.IndexFunc(optional, func(r reason) bool { return r.settings.MatchString(s.String()) })
				first := row >= 0 && used[row] == 0
				if !deep && !first && crc32.ChecksumIEEE([]byte(f.stack+s.String()))%16 != 0 {
					continue
				}
				a := account(t, dir)
				said := s.says(t, a)
				must(t, a.Close())
				total++
				switch {
				case said == "" && row < 0:
					t.Errorf("nothing is wrong without %s", s)
				case said == "":
					used[row]++
				default: // a pattern may also cover settings that another task needs
					red++
				}
			}
		})
	}
	t.Logf("%d settings removed, one at a time: %d red, %d optional for %d reasons", total, red, total-red, len(optional))
	for i, r := range optional {
		if used[i] == 0 {
			t.Errorf("no setting is optional because %s (%s)", r.why, r.settings)
		}
	}
}
