package cloud

import (
	"slices"
	"strings"
	"time"
)

// EventBridge Scheduler.

const schedulerCode = "ValidationException"

// schedulerKinds are the resource types of EventBridge Scheduler.
func schedulerKinds() []Kind {
	return []Kind{
		scheduleGroupKind(), scheduleKind(),
	}
}

func scheduleGroupKind() Kind {
	return prefixed(Kind{
		Type: scheduleGroupType, CreateAction: "scheduler:CreateScheduleGroup", UpdateAction: "scheduler:TagResource",
		DeleteAction: "scheduler:DeleteScheduleGroup",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 64, Form: `[0-9A-Za-z_.-]+`, Taken: "ConflictException"},
		NotFound:     "ResourceNotFoundException",
		Defaults:     map[string]any{"namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := tagProblems(in)
			if in.String("name") == "default" {
				p = append(p, awsProblem("name", "ConflictException", "the group default exists already"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("scheduler", "schedule-group/"+o.ID)
			o.Outputs["state"] = "ACTIVE"
			o.Outputs["creationDate"] = kept(a, o, "creationDate", func() any { return stamp(a) })
			o.Outputs["lastModificationDate"] = stamp(a)
			return nil
		},
	})
}

func scheduleKind() Kind {
	return prefixed(Kind{
		Type: scheduleType, CreateAction: "scheduler:CreateSchedule", UpdateAction: "scheduler:UpdateSchedule",
		DeleteAction: "scheduler:DeleteSchedule",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 64, Form: `[0-9A-Za-z_.-]+`, Taken: "ConflictException", Scope: "groupName"},
		NotFound:     "ResourceNotFoundException",
		Refs: []Ref{roleRef("target.roleArn"), maybe("target.arn", "arn", clusterType, queueType, topicType, firehoseType, streamType),
			maybe("target.deadLetterConfig.arn", "arn", queueType),
			soft("target.ecsParameters.taskDefinitionArn", "arn,arnWithoutRevision", taskType),
			soft("target.ecsParameters.networkConfiguration.subnets[]", "id", subnetType),
			soft("target.ecsParameters.networkConfiguration.securityGroups[]", "id", anyGroup...), keyRef("kmsKeyArn")},
		Defaults:   map[string]any{"groupName": "default", "state": "ENABLED", "scheduleExpressionTimezone": "UTC", "namePrefix": ""},
		Check:      checkSchedule,
		CheckState: checkScheduleState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("groupName") + "/" + in.String("name")
			o.Outputs["arn"] = a.arn("scheduler", "schedule/"+o.ID)
			fill(o, "target.retryPolicy.maximumEventAgeInSeconds", 86400)
			fill(o, "target.retryPolicy.maximumRetryAttempts", 185)
			return nil
		},
	})
}

func checkSchedule(in Inputs, unknown Unknowns) []Problem {
	p := allOf(scheduleProblems(in, "scheduleExpression", schedulerCode, "at", "rate", "cron"), oneOf(in, "state", "ENABLED", "DISABLED"),
		longest(in, "description", 512),
		oneOf(in, "flexibleTimeWindow.mode", "OFF", "FLEXIBLE"), between(in, "flexibleTimeWindow.maximumWindowInMinutes", 1, 1440),
		between(in, "target.retryPolicy.maximumEventAgeInSeconds", 60, 86400), between(in, "target.retryPolicy.maximumRetryAttempts", 0, 185))
	if z := in.String("scheduleExpressionTimezone"); in.Has("scheduleExpressionTimezone") {
		if f := zoneFault(z); f != "" {
			p = append(p, awsProblem("scheduleExpressionTimezone", schedulerCode, "%s", f))
		}
	}
	flexible := in.String("flexibleTimeWindow.mode") == "FLEXIBLE"
	if has := given(in, unknown, "flexibleTimeWindow.maximumWindowInMinutes") > 0; in.Has("flexibleTimeWindow.mode") && has != flexible {
		p = append(p, awsProblem("flexibleTimeWindow.maximumWindowInMinutes", schedulerCode,
			"a window of mode FLEXIBLE, and no other, says its minutes"))
	}
	var dates [2]time.Time
	for i, name := range []string{"startDate", "endDate"} {
		if text := in.String(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				p = append(p, awsProblem(name, schedulerCode, "expected a time such as 2030-01-01T01:00:00Z, got %q", text))
			}
			dates[i] = t
		}
	}
	if !dates[0].IsZero() && !dates[1].IsZero() && !dates[1].After(dates[0]) {
		p = append(p, awsProblem("endDate", schedulerCode, "the schedule ends before it starts"))
	}
	const ecs = "target.ecsParameters"
	toECS := strings.Contains(in.String("target.arn"), ":ecs:")
	if toECS && given(in, unknown, ecs) == 0 && !unknown.Within(ecs) {
		p = append(p, awsProblem(ecs, schedulerCode, "a target that is a cluster needs them"))
	}
	if !in.Has(ecs) {
		return p
	}
	p = append(p, allOf(between(in, ecs+".taskCount", 1, 10), oneOf(in, ecs+".launchType", "EC2", "FARGATE", "EXTERNAL"),
		oneOf(in, ecs+".propagateTags", "TASK_DEFINITION"),
		strategyProblems(in, unknown, ecs+".capacityProviderStrategies"))...)
	if in.Has(ecs+".launchType") && len(in.List(ecs+".capacityProviderStrategies")) > 0 {
		p = append(p, awsProblem(ecs+".launchType", schedulerCode, "a launch type and a capacity provider strategy cannot both be given"))
	}
	fargate := in.String(ecs+".launchType") == "FARGATE" || len(in.List(ecs+".capacityProviderStrategies")) > 0
	if fargate && given(in, unknown, ecs+".networkConfiguration") == 0 && !unknown.Within(ecs+".networkConfiguration") {
		p = append(p, awsProblem(ecs+".networkConfiguration", schedulerCode, "a task on Fargate needs its network"))
	}
	if text := in.String("target.input"); toECS && text != "" {
		if _, err := strictObject(text); err != nil {
			p = append(p, awsProblem("target.input", schedulerCode, "the overrides are not valid JSON: %v", err))
		}
	}
	return p
}

// checkScheduleState checks the schedule group, the network, and the containers that the input overrides.
func checkScheduleState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	if g := in.String("groupName"); g != "" && g != "default" && find(a, "id", g, scheduleGroupType) == nil {
		return &Error{Code: "ResourceNotFoundException", Status: 404, Message: "Schedule group " + g + " does not exist."}
	}
	definition := taskNamed(a, in.String("target.ecsParameters.taskDefinitionArn"))
	if definition == nil {
		return nil
	}
	if _, err := oneNetwork(a, in.Strings("target.ecsParameters.networkConfiguration.subnets"),
		in.Strings("target.ecsParameters.networkConfiguration.securityGroups")); err != nil {
		return refuse(schedulerCode, err.Error(), "The provided subnets and security groups do not belong to the same VPC.")
	}
	m, err := strictObject(in.String("target.input"))
	if err != nil {
		return nil
	}
	containers, _ := containersOf(definition)
	for _, override := range Inputs(m).Maps("containerOverrides") {
		if name := override.String("name"); !slices.Contains(containerNames(containers), name) {
			return refuse(schedulerCode, "each run would fail; its containers are "+orNone(containerNames(containers)),
				"Override for container named %s is not a container in the TaskDefinition.", name)
		}
	}
	return nil
}
