package ecs

import (
	"cmp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// metricArgs shortens the longest name of the provider's SDK.
type metricArgs = appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs

// Cooldowns in seconds: scale out fast and in slowly, because a missing task hurts more than a spare one.
const scaleOut, scaleIn = 60, 300

// scale scales the service between Min and Max by CPU and by requests, whichever needs more tasks.
func scale(ctx *pulumi.Context, name string, args *WebArgs, service pulumi.StringOutput, parent pulumi.ResourceOption) error {
	target, err := appautoscaling.NewTarget(ctx, name+"-scaling", &appautoscaling.TargetArgs{
		ServiceNamespace:  pulumi.String("ecs"),
		ScalableDimension: pulumi.String("ecs:service:DesiredCount"),
		ResourceId:        pulumi.Sprintf("service/%s/%s", args.Cluster.Name, service),
		MinCapacity:       pulumi.Int(args.Min),
		MaxCapacity:       pulumi.Int(args.Max),
	}, parent)
	if err != nil {
		return err
	}
	for _, metric := range []struct {
		name, kind string
		target     int
		label      pulumi.StringPtrInput
	}{
		{"cpu", "ECSServiceAverageCPUUtilization", cmp.Or(args.CPUTarget, 60), nil},
		{"requests", "ALBRequestCountPerTarget", cmp.Or(args.RequestsPerTarget, 1000),
			pulumi.Sprintf("%s/%s", args.Balancer.LoadBalancerSuffix, args.Balancer.TargetGroupSuffix)},
	} {
		if _, err := appautoscaling.NewPolicy(ctx, name+"-scaling-"+metric.name, &appautoscaling.PolicyArgs{
			Name:              pulumi.String(metric.name),
			PolicyType:        pulumi.String("TargetTrackingScaling"),
			ServiceNamespace:  target.ServiceNamespace,
			ScalableDimension: target.ScalableDimension,
			ResourceId:        target.ResourceId,
			TargetTrackingScalingPolicyConfiguration: &appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs{
				TargetValue:      pulumi.Float64(float64(metric.target)),
				ScaleOutCooldown: pulumi.Int(scaleOut),
				ScaleInCooldown:  pulumi.Int(scaleIn),
				PredefinedMetricSpecification: &metricArgs{
					PredefinedMetricType: pulumi.String(metric.kind),
					ResourceLabel:        metric.label,
				},
			},
		}, parent); err != nil {
			return err
		}
	}
	return nil
}
