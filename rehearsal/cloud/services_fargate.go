package cloud

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Settings of services that Fargate, awsvpc or a deployment controller rule out.

const serviceCode = "InvalidParameterException"

// fargateServiceProblems checks combinations that CreateService refuses. Sources: ECS API Reference, CreateService; ECS Developer Guide,
// "Amazon ECS service definition parameters".
func fargateServiceProblems(in Inputs) []Problem {
	var p []Problem
	say := func(path, format string, args ...any) { p = append(p, awsProblem(path, serviceCode, format, args...)) }
	if in.String("launchType") == "FARGATE" || len(in.List("capacityProviderStrategies")) > 0 {
		if in.String("schedulingStrategy") == "DAEMON" {
			say("schedulingStrategy", "The daemon scheduling strategy is not supported by Fargate")
		}
		for _, name := range []string{"orderedPlacementStrategies", "placementConstraints"} {
			if len(in.List(name)) > 0 {
				say(name, "Placement strategies and constraints are not supported by Fargate, which spreads tasks over the zones itself")
			}
		}
	}
	if in.String("iamRole") != "" && in.Has("networkConfiguration") {
		say("iamRole", "You cannot specify an IAM role for services that require a service linked role")
	}
	if kind := in.String("deploymentController.type"); kind == "CODE_DEPLOY" || kind == "EXTERNAL" {
		if in.Bool("deploymentCircuitBreaker.enable") {
			say("deploymentCircuitBreaker", "the deployment circuit breaker needs the deployment controller ECS, got %s", kind)
		}
		if in.Bool("alarms.enable") {
			say("alarms", "deployment alarms need the deployment controller ECS, got %s", kind)
		}
	}
	return append(p, stuckProblems(in)...)
}

// stuckProblems: a rolling deployment needs room to stop or to start one task. ECS rounds the lower limit up and the upper limit down (ECS
// API Reference, DeploymentConfiguration). CreateService accepts the numbers; the first deployment after it never ends.
func stuckProblems(in Inputs) []Problem {
	n := float64(in.Int("desiredCount"))
	lower, upper := numberOr(in, "deploymentMinimumHealthyPercent", 100), numberOr(in, "deploymentMaximumPercent", 200)
	least, most := math.Ceil(n*lower/100), math.Floor(n*upper/100)
	if kind := orElse(in.String("deploymentController.type"), "ECS"); kind != "ECS" || n < 1 || lower >= 100 && upper <= 100 ||
		least < n || most > n {
		return nil
	}
	return []Problem{awsProblem("deploymentMaximumPercent", "DeploymentFailed",
		"of %v tasks at least %v must run (%v percent, rounded up) and at most %v may (%v percent, rounded down): no task can be stopped or "+
			"started, so a deployment could never progress", n, least, lower, most, upper)}
}

// platformFits checks the platform version. Source: ECS Developer Guide, "Fargate Linux platform version change log".
func platformFits(in, task Inputs) error {
	version := in.String("platformVersion")
	if version == "" || version == "LATEST" || version == "1.4.0" {
		return nil
	}
	if strings.HasPrefix(task.String("runtimePlatform.operatingSystemFamily"), "WINDOWS") && version == "1.0.0" {
		return nil
	}
	if version != "1.3.0" {
		return refuse("PlatformUnknownException", "the versions for Linux are LATEST, 1.4.0 and 1.3.0", "The specified platform does not exist.")
	}
	var why []string
	if task.String("runtimePlatform.cpuArchitecture") == "ARM64" {
		why = append(why, "cpuArchitecture ARM64")
	}
	if task.Has("ephemeralStorage") {
		why = append(why, "ephemeralStorage")
	}
	for _, v := range task.Maps("volumes") {
		if v.Has("efsVolumeConfiguration") {
			why = append(why, "EFS volumes")
		}
	}
	if in.Bool("enableExecuteCommand") {
		why = append(why, "ECS Exec")
	}
	if len(why) == 0 {
		return nil
	}
	return refuse("PlatformTaskDefinitionIncompatibilityException", strings.Join(why, ", ")+" needs platform version 1.4.0",
		"The specified platform version does not satisfy the task definition's required capabilities.")
}

// connectFits checks that Service Connect finds its ports. Source: ECS API Reference, ServiceConnectService.
func connectFits(in, cluster Inputs, containers []containerSpec) error {
	const connect = "serviceConnectConfiguration"
	if !in.Bool(connect + ".enabled") {
		return nil
	}
	var names []string
	for _, c := range containers {
		for _, m := range c.PortMappings {
			if m.Name != "" {
				names = append(names, m.Name)
			}
		}
	}
	for _, s := range in.Maps("serviceConnectConfiguration.services") {
		if name := s.String("portName"); !slices.Contains(names, name) {
			return refuse(serviceCode, fmt.Sprintf("the task names the ports %s", orNone(names)),
				"portName(%s) does not refer to any named PortMapping in the task definition.", name)
		}
	}
	if in.String(connect+".namespace") == "" && cluster.String("serviceConnectDefaults.namespace") == "" {
		return refuse(serviceCode, "neither the service nor the cluster names one", "The service connect configuration needs a namespace.")
	}
	return nil
}
