package logging_test

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/logging"
)

// CloudWatch Logs accepts certain retention periods only. A mistake is reported before anything is declared.
func ExampleNewGroup() {
	g, err := graph.Record("prod", nil, func(ctx *pulumi.Context) error {
		_, err := logging.NewGroup(ctx, "logs-django", &logging.GroupArgs{
			Name: "/shop/prod/django", KeyARN: pulumi.String("arn:aws:kms:us-east-1:123456789012:key/logs"), Days: 30,
		})
		return err
	})
	fmt.Println(g.Named("aws:cloudwatch/logGroup:LogGroup", "logs-django").Input("retentionInDays"), err)

	g, err = graph.Record("prod", nil, func(ctx *pulumi.Context) error {
		_, err := logging.NewGroup(ctx, "logs-django", &logging.GroupArgs{Name: "/shop/prod/django", Days: 31})
		return err
	})
	fmt.Println(len(g.Of("aws:cloudwatch/logGroup:LogGroup")), err != nil)
	// Output:
	// 30 <nil>
	// 0 true
}
