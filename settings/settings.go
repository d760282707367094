// Package settings keeps what the app is told in secret: encrypted SSM parameters that reach the containers by ARN.
package settings

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

const storeType = "slipway:settings:Store"

// SecretKey is the parameter that holds Django's SECRET_KEY, which the Store makes itself.
const SecretKey = "django/secret-key"

// limit is the size of a standard parameter in bytes. Larger ones would be advanced: $0.05 a month each.
const limit = 4096

// Args say what to keep.
type Args struct {
	Site   wiring.Site
	KeyARN pulumi.StringInput // encrypts every parameter

	// Secrets are the values by the part of their path below /project/stack/: "db/password", "app/STRIPE_KEY".
	// Renaming one deletes the old parameter.
	Secrets map[string]pulumi.StringInput

	// Rotation counts up to make a new SECRET_KEY. Everybody is then signed out.
	Rotation int
}

// A Store is a set of encrypted parameters under /project/stack/, Django's SECRET_KEY among them.
//
// A changed value changes its parameter's version, and with it the tasks that read it. Cost: standard parameters are
// free; the key's requests cost $0.03 per 10,000.
type Store struct {
	pulumi.ResourceState
	Secrets map[string]wiring.Secret // by the same names as Args.Secrets, and SecretKey
}

// New keeps secrets.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Store, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	s := &Store{Secrets: map[string]wiring.Secret{}}
	if err := ctx.RegisterComponentResource(storeType, name, s, opts...); err != nil {
		return nil, err
	}

	key, err := random.NewRandomPassword(ctx, name+"-secret-key", &random.RandomPasswordArgs{
		Length:          pulumi.Int(64), // Django warns below 50
		OverrideSpecial: pulumi.String("-_.~"),
		Keepers:         pulumi.StringMap{"rotation": pulumi.String(strconv.Itoa(args.Rotation))},
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	values := maps.Clone(args.Secrets)
	if values == nil {
		values = map[string]pulumi.StringInput{}
	}
	values[SecretKey] = key.Result
	for _, part := range slices.Sorted(maps.Keys(values)) {
		if s.Secrets[part], err = s.keep(ctx, name, args, part, values[part]); err != nil {
			return nil, err
		}
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

func (s *Store) keep(ctx *pulumi.Context, name string, args *Args, part string, value pulumi.StringInput) (wiring.Secret, error) {
	path := args.Site.Path(part)
	parameter, err := ssm.NewParameter(ctx, name+"-"+part, &ssm.ParameterArgs{
		Name:  pulumi.String(path),
		Type:  pulumi.String("SecureString"),
		Tier:  pulumi.String("Standard"),
		KeyId: args.KeyARN.ToStringOutput(),
		Value: pulumi.ToSecret(value.ToStringOutput().ApplyT(func(v string) (string, error) { return v, fits(path, v) })).(pulumi.StringOutput),
	}, pulumi.Parent(s))
	if err != nil {
		return wiring.Secret{}, err
	}
	return wiring.Secret{ARN: parameter.Arn, KeyARN: args.KeyARN, Version: parameter.Version}, nil
}

// fits refuses what Parameter Store would refuse, without telling the value.
func fits(path, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("settings: %s must not be empty", path)
	case len(value) > limit:
		return fmt.Errorf("settings: %s must be at most %d bytes, got %d", path, limit, len(value))
	}
	return nil
}

var partForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)

func (a *Args) check() error {
	var wrong []error
	if a.KeyARN == nil {
		wrong = append(wrong, errors.New("settings: needs a key"))
	}
	if a.Rotation < 1 {
		wrong = append(wrong, fmt.Errorf("settings: rotation must be at least 1, got %d", a.Rotation))
	}
	for _, part := range slices.Sorted(maps.Keys(a.Secrets)) {
		switch {
		case part == SecretKey:
			wrong = append(wrong, fmt.Errorf("settings: %s is made here and cannot be given", part))
		case !partForm.MatchString(part):
			wrong = append(wrong, fmt.Errorf("settings: name %q must be letters, digits, _ . or -, in parts divided by /", part))
		case strings.Count(a.Site.Path(part), "/") > 15:
			wrong = append(wrong, fmt.Errorf("settings: name %q must have at most 13 parts", part))
		case a.Secrets[part] == nil:
			wrong = append(wrong, fmt.Errorf("settings: %s has no value", part))
		}
	}
	return errors.Join(wrong...)
}
