package wiring_test

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

// A workload that uses a database and a bucket gets one Binding. Two stores cannot set the same variable.
func ExampleJoin() {
	database := wiring.Binding{Env: map[string]pulumi.StringInput{"DB_HOST": pulumi.String("db.internal")}}
	media := wiring.Binding{Env: map[string]pulumi.StringInput{"MEDIA_BUCKET": pulumi.String("shop-prod-media")}}
	both, err := wiring.Join(database, media)
	fmt.Println(len(both.Env), err)

	_, err = wiring.Join(database, database)
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// wiring: DB_HOST is set twice
}

func ExampleSite() {
	site := wiring.Site{Project: "shop", Stack: "prod", Partition: "aws", Region: "eu-west-1", AccountID: "123456789012"}
	fmt.Println(site.Name("web"))
	fmt.Println(site.Path("db", "password"))
	fmt.Println(site.ARN("logs", "log-group:"+site.Path("django")))
	// Output:
	// shop-prod-web
	// /shop/prod/db/password
	// arn:aws:logs:eu-west-1:123456789012:log-group:/shop/prod/django
}
