package ecs_test

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/ecs"
	"slipway/internal/fargate"
	"slipway/internal/graph"
	"slipway/internal/wiring"
)

// A worker that consumes a queue. The program runs under mocks here, as in a test.
func ExampleNewWorker() {
	site := wiring.Site{Project: "shop", Stack: "prod", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}
	g, err := graph.Record("prod", nil, func(ctx *pulumi.Context) error {
		cluster, err := ecs.NewCluster(ctx, "cluster", &ecs.ClusterArgs{
			Site: site, ExecGroup: pulumi.String("/shop/prod/exec"),
			ExecKeyARN: pulumi.String("arn:aws:kms:us-east-1:123456789012:key/logs"),
		})
		if err != nil {
			return err
		}
		binding := wiring.Binding{Env: map[string]pulumi.StringInput{"QUEUE": pulumi.String("mail")}}
		roles, err := fargate.NewRoles(ctx, "roles", &fargate.RolesArgs{Site: site, Part: "site", Binding: binding, Exec: cluster.Exec})
		if err != nil {
			return err
		}
		_, err = ecs.NewWorker(ctx, "worker-mail", &ecs.WorkerArgs{
			Site: site, Name: "mail", Command: []string{"python", "manage.py", "send_mail"},
			Cluster: cluster, Roles: roles, Binding: binding,
			Placement: wiring.Placement{
				Subnets: pulumi.ToStringArray([]string{"subnet-a"}), SecurityGroups: pulumi.ToStringArray([]string{"sg-work"}),
			},
			Program: fargate.Program{Image: pulumi.String("registry/django@sha256:0123")}, Group: pulumi.String("/shop/prod/worker-mail"),
			CPU: 256, Memory: 512, Architecture: "arm64", Count: 1,
		})
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var containers []struct {
		Name, User             string
		Command                []string
		ReadonlyRootFilesystem bool
		StopTimeout            int
	}
	definition := g.Named("aws:ecs/taskDefinition:TaskDefinition", "worker-mail-task").Input("containerDefinitions")
	if err := json.Unmarshal([]byte(fmt.Sprint(definition)), &containers); err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range containers {
		fmt.Println(c.Name, c.Command, "as", c.User)
		fmt.Println("read-only:", c.ReadonlyRootFilesystem, "seconds to stop:", c.StopTimeout)
	}
	fmt.Println(g.Named("aws:ecs/service:Service", "worker-mail").Input("name"))
	// Output:
	// django [python manage.py send_mail] as slipway
	// read-only: true seconds to stop: 120
	// shop-prod-worker-mail
}
