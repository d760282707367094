package cloud

import (
	"strings"
)

// Application Auto Scaling: scales the number of tasks of a service.

var scalable = map[string][]string{
	"ecs": {"ecs:service:DesiredCount"}, "rds": {"rds:cluster:ReadReplicaCount"},
	"dynamodb": {"dynamodb:table:ReadCapacityUnits", "dynamodb:table:WriteCapacityUnits", "dynamodb:index:ReadCapacityUnits",
		"dynamodb:index:WriteCapacityUnits"},
	"ec2": {"ec2:spot-fleet-request:TargetCapacity"}, "elasticache": {"elasticache:replication-group:NodeGroups",
		"elasticache:replication-group:Replicas"},
}

// autoscalingKinds are the resource types of Application Auto Scaling.
func autoscalingKinds() []Kind {
	return []Kind{
		scalableTargetKind(), scalingPolicyKind(), scheduledScalingKind(),
	}
}

func scalableTargetKind() Kind {
	return Kind{
		Type: scalingType, CreateAction: "application-autoscaling:RegisterScalableTarget",
		UpdateAction: "application-autoscaling:RegisterScalableTarget", DeleteAction: "application-autoscaling:DeregisterScalableTarget",
		NotFound: "ObjectNotFoundException",
		Refs:     []Ref{maybe("roleArn", "arn", roleType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(scalableProblems(in), between(in, "minCapacity", 0, 2147483647), between(in, "maxCapacity", 0, 2147483647), tagProblems(in))
			if in.Has("minCapacity") && in.Has("maxCapacity") && in.Int("minCapacity") > in.Int("maxCapacity") {
				p = append(p, awsProblem("minCapacity", "ValidationException", "Maximum capacity cannot be less than minimum capacity: got %d and %d",
					in.Int("maxCapacity"), in.Int("minCapacity")))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			if in.String("serviceNamespace") != "ecs" {
				return nil
			}
			parts := strings.Split(in.String("resourceId"), "/")
			if len(parts) != 3 || find(a, "id", a.arn("ecs", in.String("resourceId")), serviceType) == nil {
				return refuse("ValidationException", "", "ECS service doesn't exist: %s", in.String("resourceId"))
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("resourceId")
			o.Outputs["arn"] = a.arn("application-autoscaling", "scalable-target/"+draw(36, in.String("resourceId"), in.String("scalableDimension")))
			fill(o, "roleArn", a.globalARN("iam", "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"+
				"AWSServiceRoleForApplicationAutoScaling_ECSService"))
			for _, name := range words("dynamicScalingInSuspended dynamicScalingOutSuspended scheduledScalingSuspended") {
				fill(o, "suspendedState."+name, false)
			}
			return nil
		},
	}
}

func scalingPolicyKind() Kind {
	return Kind{
		Type: scalingPolicyType, CreateAction: "application-autoscaling:PutScalingPolicy",
		UpdateAction: "application-autoscaling:PutScalingPolicy", DeleteAction: "application-autoscaling:DeleteScalingPolicy",
		Name:       Name{Input: "name", Max: 255, Scope: "resourceId"},
		NotFound:   "ObjectNotFoundException",
		Defaults:   map[string]any{"policyType": "StepScaling"},
		Check:      checkScalingPolicy,
		CheckState: checkScalingPolicyState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name")
			o.Outputs["arn"] = a.arn("autoscaling", "scalingPolicy:"+drawUUID(in.String("resourceId"), o.ID)+":resource/"+
				in.String("serviceNamespace")+"/"+in.String("resourceId")+":policyName/"+o.ID)
			var alarms []any
			if in.Has("targetTrackingScalingPolicyConfiguration") {
				for _, end := range []string{"High", "Low"} {
					alarms = append(alarms, a.arn("cloudwatch", "alarm:TargetTracking-"+in.String("resourceId")+"-Alarm"+end+"-"+drawUUID(o.ID, end)))
				}
			}
			o.Outputs["alarmArns"] = alarms
			return nil
		},
	}
}

func checkScalingPolicy(in Inputs, unknown Unknowns) []Problem {
	const tracking = "targetTrackingScalingPolicyConfiguration"
	p := allOf(scalableProblems(in), oneOf(in, "policyType", "StepScaling", "TargetTrackingScaling"))
	kind := orElse(in.String("policyType"), "StepScaling")
	if kind == "TargetTrackingScaling" && given(in, unknown, tracking) == 0 {
		p = append(p, awsProblem(tracking, "ValidationException", "required for a policy of type TargetTrackingScaling"))
	}
	if kind == "StepScaling" && given(in, unknown, "stepScalingPolicyConfiguration") == 0 && !unknown.Has("policyType") {
		p = append(p, awsProblem("stepScalingPolicyConfiguration", "ValidationException",
			"required for a policy of type StepScaling (the default)"))
	}
	if !in.Has(tracking) {
		return p
	}
	if n := given(in, unknown, tracking+".predefinedMetricSpecification", tracking+".customizedMetricSpecification"); n != 1 {
		p = append(p, awsProblem(tracking, "ValidationException",
			"exactly one of predefinedMetricSpecification and customizedMetricSpecification must be given, got %d", n))
	}
	if in.String("serviceNamespace") == "ecs" {
		p = append(p, oneOf(in, tracking+".predefinedMetricSpecification.predefinedMetricType", "ECSServiceAverageCPUUtilization",
			"ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget")...)
	}
	metric, label := in.String(tracking+".predefinedMetricSpecification.predefinedMetricType"),
		tracking+".predefinedMetricSpecification.resourceLabel"
	if requests := metric == "ALBRequestCountPerTarget"; metric != "" && !unknown.Has(label) {
		if requests != in.Has(label) {
			p = append(p, awsProblem(label, "ValidationException",
				"ALBRequestCountPerTarget needs the label app/<balancer>/<id>/targetgroup/<group>/<id>, and other metrics take none"))
		} else if l := in.String(label); requests && (!strings.HasPrefix(l, "app/") || !strings.Contains(l, "/targetgroup/")) {
			p = append(p, awsProblem(label, "ValidationException", "expected app/<balancer>/<id>/targetgroup/<group>/<id>, got %q", l))
		}
	}
	if in.Has(tracking+".targetValue") && in.Float(tracking+".targetValue") <= 0 {
		p = append(p, awsProblem(tracking+".targetValue", "ValidationException", "expected more than 0, got %v",
			in.Float(tracking+".targetValue")))
	}
	return p
}

func checkScalingPolicyState(a *Account, o *Object) error {
	if err := checkScalingState(a, o); err != nil {
		return err
	}
	label := Inputs(o.Inputs).String("targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.resourceLabel")
	balancer, group, ok := strings.Cut(label, "/targetgroup/")
	if !ok {
		return nil
	}
	g := find(a, "arnSuffix", "targetgroup/"+group, targetGroupType)
	if find(a, "arnSuffix", balancer, balancerType) == nil || g == nil || len(listenersOf(a, g)) == 0 {
		return refuse("ValidationException", "the load balancer must exist and forward to the target group",
			"Unable to retrieve capacity for resource: %s: the resource label %s does not refer to an attached target group",
			Inputs(o.Inputs).String("resourceId"), label)
	}
	return nil
}

func scheduledScalingKind() Kind {
	return Kind{
		Type: "aws:appautoscaling/scheduledAction:ScheduledAction", CreateAction: "application-autoscaling:PutScheduledAction",
		UpdateAction: "application-autoscaling:PutScheduledAction", DeleteAction: "application-autoscaling:DeleteScheduledAction",
		Name:     Name{Input: "name", Max: 256, Scope: "resourceId"},
		NotFound: "ObjectNotFoundException",
		Defaults: map[string]any{"timezone": "UTC"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(scalableProblems(in), scheduleProblems(in, "schedule", "ValidationException", "at", "rate", "cron"))
			if z := in.String("timezone"); z != "" {
				if f := zoneFault(z); f != "" {
					p = append(p, awsProblem("timezone", "ValidationException", "%s", f))
				}
			}
			const to = "scalableTargetAction"
			if in.Has(to+".minCapacity") && in.Has(to+".maxCapacity") && in.Int(to+".minCapacity") > in.Int(to+".maxCapacity") {
				p = append(p, awsProblem(to+".minCapacity", "ValidationException", "Maximum capacity cannot be less than minimum capacity"))
			}
			return p
		},
		CheckState: checkScalingState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("name") + "-" + in.String("serviceNamespace") + "-" + in.String("resourceId")
			o.Outputs["arn"] = a.arn("autoscaling", "scheduledAction:"+drawUUID(o.ID)+":resource/"+in.String("serviceNamespace")+"/"+
				in.String("resourceId")+":scheduledActionName/"+in.String("name"))
			return nil
		},
	}
}

func scalableProblems(in Inputs) []Problem {
	p := oneOf(in, "serviceNamespace", sortedKeys(scalable)...)
	if dimensions := scalable[in.String("serviceNamespace")]; dimensions != nil {
		p = append(p, oneOf(in, "scalableDimension", dimensions...)...)
	}
	if r := in.String("resourceId"); in.String("serviceNamespace") == "ecs" && in.Has("resourceId") && (!strings.HasPrefix(r, "service/") ||
		strings.Count(r, "/") != 2) {
		p = append(p, awsProblem("resourceId", "ValidationException", "expected service/<cluster>/<service>, got %q", r))
	}
	return p
}

// checkScalingState refuses a policy or an action for something that is not registered as a scalable target.
func checkScalingState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	for _, t := range a.list(scalingType) {
		if t.Inputs["resourceId"] == in.String("resourceId") && t.Inputs["scalableDimension"] == in.String("scalableDimension") {
			return nil
		}
	}
	return refuse("ObjectNotFoundException", "", "No scalable target found for service namespace: %s, resource ID: %s, scalable dimension: %s",
		in.String("serviceNamespace"), in.String("resourceId"), in.String("scalableDimension"))
}
