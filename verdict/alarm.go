package verdict

import (
	"regexp"
	"slices"
	"strings"
)

// alarmed matches what ECS says of a deployment that one of its CloudWatch alarms ended. The service's event is "(service S) (deployment
// ecs-svc/N) deployment failed: alarm detected." (recorded on AWS: JWanderer73/credit-card-fraud, docs/evidence.md). The ECS Developer
// Guide, "How CloudWatch alarms detect Amazon ECS deployment failures", quotes neither it nor rolloutStateReason: hence the variants.
var alarmed = regexp.MustCompile(`(?i)\balarms? (was |were )?(detected|triggered)`)

// Alarmed reports whether an alarm ended a deployment of a service.
func (s Service) Alarmed() bool {
	return slices.ContainsFunc(s.Deployments, func(d Deployed) bool { return alarmed.MatchString(d.Reason) }) ||
		slices.ContainsFunc(s.Events, func(e ServiceEvent) bool {
			return alarmed.MatchString(e.Message) && !e.At.Before(s.primary().Created)
		})
}

// because names the alarm that ended a deployment; "" if none did.
func (s Service) because() string {
	switch {
	case !s.Alarmed():
		return ""
	case len(s.Triggered) > 0:
		return " because of alarm " + strings.Join(s.Triggered, " and ")
	case len(s.Alarms) > 0:
		return " because of one of its alarms (" + strings.Join(s.Alarms, ", ") + ")"
	}
	return " because of an alarm"
}

// restarted says what is wrong with a service whose tasks were to be replaced by those of one deployment, and whether waiting may still
// change that; "" if that deployment is the one that runs.
func (s Service) restarted(deployment string) (wrong string, settled bool) {
	primary := s.primary()
	if deployment == "" || primary.ID == deployment {
		return "", true
	}
	i := slices.IndexFunc(s.Deployments, func(d Deployed) bool { return d.ID == deployment })
	if i >= 0 && s.Deployments[i].Rollout != "FAILED" {
		return "does not show its new tasks yet", false
	}
	wrong = "was rolled back" + s.because() + ": its new tasks failed, and the ones before run on"
	if i >= 0 {
		wrong += " (" + reason(s.Deployments[i]) + ")"
	}
	return wrong, true
}
