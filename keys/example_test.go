package keys_test

import (
	"fmt"

	"slipway/internal/wiring"
	"slipway/keys"
)

// The key of SSM parameters is used through SSM only: no principal of the account can decrypt with it directly.
func ExampleStatements() {
	site := wiring.Site{Project: "shop", Stack: "prod", Partition: "aws", Region: "eu-west-1", AccountID: "123456789012"}
	for _, s := range keys.Statements(site, keys.Settings) {
		fmt.Println(s.Sid, s.Conditions["StringEquals"])
	}
	// Output:
	// AccountAdministers map[]
	// AccountUsesThroughServices map[kms:ViaService:ssm.eu-west-1.amazonaws.com]
}
