package wiring_test

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

// The app may use what all components offer. Two of them cannot offer a value of the same name.
func ExampleOffers() {
	database := wiring.Offer{Values: map[string]wiring.Value{"db.host": {Text: pulumi.String("db.internal")}}}
	media := wiring.Offer{Values: map[string]wiring.Value{"bucket": {Text: pulumi.String("shop-prod-media")}}}
	both, err := wiring.Offers(database, media)
	fmt.Println(len(both.Values), err)

	_, err = wiring.Offers(database, database)
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// wiring: two components offer {db.host}
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
