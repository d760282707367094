package logging

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

const dashboardType = "slipway:logging:Dashboard"

// DashboardArgs describe a Dashboard.
type DashboardArgs struct {
	Site    wiring.Site
	Watched Watched
}

// A Dashboard has one graph for each alarm, with the alarm's threshold as a line.
//
// Cost: three dashboards per account are free, each further one $3 a month (from memory). Renaming the stack replaces it.
type Dashboard struct {
	pulumi.ResourceState
	URL string // in the AWS console
}

// NewDashboard creates the dashboard.
func NewDashboard(ctx *pulumi.Context, name string, args *DashboardArgs, opts ...pulumi.ResourceOption) (*Dashboard, error) {
	rows, err := table(args.Watched)
	if err != nil {
		return nil, err
	}
	d := &Dashboard{}
	if err := ctx.RegisterComponentResource(dashboardType, name, d, opts...); err != nil {
		return nil, err
	}
	title := args.Site.Name("site")
	d.URL = fmt.Sprintf("https://%[1]s.console.aws.amazon.com/cloudwatch/home?region=%[1]s#dashboards/dashboard/%[2]s",
		args.Site.Region, title)
	if _, err := cloudwatch.NewDashboard(ctx, name, &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(title),
		DashboardBody: pulumi.JSONMarshal(map[string]any{"widgets": widgets(args.Site, rows)}),
	}, pulumi.Parent(d)); err != nil {
		return nil, err
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"url": pulumi.String(d.URL)})
}

// widgets places three graphs in a row on CloudWatch's grid of 24 columns.
func widgets(site wiring.Site, table []row) []any {
	const columns, width, height = 3, 8, 6
	all := make([]any, 0, len(table))
	for i, row := range table {
		metric := []any{row.Namespace, row.Metric}
		for _, dimension := range slices.Sorted(maps.Keys(row.dimensions)) {
			metric = append(metric, dimension, row.dimensions[dimension])
		}
		all = append(all, map[string]any{
			"type": "metric", "x": i % columns * width, "y": i / columns * height, "width": width, "height": height,
			"properties": map[string]any{
				"title": row.Name, "region": site.Region, "view": "timeSeries", "stacked": false,
				"period": row.Period, "stat": row.Statistic, "metrics": []any{metric},
				"annotations": map[string]any{"horizontal": []any{map[string]any{"label": "alarm", "value": row.threshold}}},
			},
		})
	}
	return all
}
