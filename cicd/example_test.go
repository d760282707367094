package cicd_test

import (
	"fmt"

	"slipway/cicd"
	"slipway/internal/policy"
	"slipway/internal/wiring"
	"slipway/site"
)

// The deploy role of a stack as plain documents, for an account that is bootstrapped before the program runs.
func ExampleDeployerArgs_RoleSpecs() {
	prod := wiring.Site{Project: "shop", Stack: "prod", Partition: "aws", Region: "eu-west-1", AccountID: "123456789012"}
	args := &cicd.DeployerArgs{
		Site:         prod,
		Facts:        site.Catalog(prod),
		Repository:   "acme/shop",
		Environments: []string{"production"},
		ReadBranches: []string{"main"},
	}
	deployer, reader, err := args.RoleSpecs()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, role := range []*cicd.RoleSpec{deployer, reader} {
		trust, err := policy.Parse(role.Trust)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(role.Name, "trusts", trust[0].Condition["StringEquals"]["token.actions.githubusercontent.com:sub"])
	}
	// Output:
	// shop-prod-deploy trusts [repo:acme/shop:environment:production]
	// shop-prod-read trusts [repo:acme/shop:ref:refs/heads/main]
}
