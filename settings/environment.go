package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

const environmentType = "slipway:settings:Environment"

// EnvironmentArgs are the arguments of NewEnvironment.
type EnvironmentArgs struct {
	Site   wiring.Site
	KeyARN pulumi.StringInput // encrypts every parameter

	// Values are the values of variables that contain a secret, by database role and name, such as "site" and "DATABASE_URL".
	// Renaming one deletes the old parameter.
	Values map[string]map[string]pulumi.StringInput
}

// An Environment is the part of the app's environment that is put together from secrets: a database's URL with its password, for
// example. Each value is an encrypted parameter /project/stack/env/ROLE/NAME. There is one for each database role, so that a
// container never gets the password of a role that is not its own.
//
// Cost: as of a Store.
type Environment struct {
	pulumi.ResourceState
	Secrets map[string]map[string]wiring.Secret // by database role and name
}

// NewEnvironment creates the parameters.
func NewEnvironment(ctx *pulumi.Context, name string, args *EnvironmentArgs, opts ...pulumi.ResourceOption) (*Environment, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	e := &Environment{Secrets: map[string]map[string]wiring.Secret{}}
	if err := ctx.RegisterComponentResource(environmentType, name, e, opts...); err != nil {
		return nil, err
	}
	for _, role := range slices.Sorted(maps.Keys(args.Values)) {
		e.Secrets[role] = map[string]wiring.Secret{}
		for _, variable := range slices.Sorted(maps.Keys(args.Values[role])) {
			made, err := param{e, name + "-" + role + "/" + variable, args.Site.Path("env", role, variable), args.KeyARN,
				args.Values[role][variable]}.make(ctx)
			if err != nil {
				return nil, err
			}
			e.Secrets[role][variable] = made
		}
	}
	return e, ctx.RegisterResourceOutputs(e, pulumi.Map{})
}

func (a *EnvironmentArgs) check() error {
	var wrong []error
	if a.KeyARN == nil {
		wrong = append(wrong, errors.New("settings: a KMS key is required"))
	}
	for role, values := range a.Values {
		for name, value := range values {
			if part := role + "/" + name; !partForm.MatchString(part) || strings.Count(part, "/") != 1 || value == nil {
				wrong = append(wrong, fmt.Errorf("settings: variable %q must have a name of letters, digits, _, . or -, and a value", part))
			}
		}
	}
	return errors.Join(wrong...)
}
