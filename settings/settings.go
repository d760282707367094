// Package settings stores the app's secrets: encrypted SSM parameters that reach the containers by ARN.
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

// SecretKey is the parameter of Django's SECRET_KEY, which the Store generates.
const SecretKey = "django/secret-key"

// limit is the maximum size of a standard parameter in bytes. Larger ones are advanced parameters, at $0.05 a month each.
const limit = 4096

// Args are the arguments of New.
type Args struct {
	Site   wiring.Site
	KeyARN pulumi.StringInput // encrypts every parameter

	// Secrets are the values by their path below /project/stack/, such as "db/password" or "app/STRIPE_KEY". Renaming one deletes
	// the old parameter.
	Secrets map[string]pulumi.StringInput

	// Rotation is raised to generate a new SECRET_KEY, which signs all users out.
	Rotation int
}

// A Store is a set of encrypted parameters under /project/stack/, including Django's SECRET_KEY.
//
// A changed value changes its parameter's version, which replaces the tasks that read it. Cost: standard parameters are free;
// requests to the key cost $0.03 per 10,000.
type Store struct {
	pulumi.ResourceState
	Secrets map[string]wiring.Secret // by the names of Args.Secrets, plus SecretKey
	Offer   wiring.Offer             // Django's SECRET_KEY
}

// New creates a Store.
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
		if s.Secrets[part], err = (param{s, name + "-" + part, args.Site.Path(part), args.KeyARN, values[part]}).make(ctx); err != nil {
			return nil, err
		}
	}
	held := s.Secrets[SecretKey]
	s.Offer = wiring.Offer{Values: map[string]wiring.Value{"key": {Text: key.Result, Secret: true, Parameter: &held}}}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

// A param is one encrypted parameter.
type param struct {
	parent pulumi.Resource
	name   string // logical
	path   string // physical
	keyARN pulumi.StringInput
	value  pulumi.StringInput
}

// make creates the parameter.
func (p param) make(ctx *pulumi.Context) (wiring.Secret, error) {
	checked := p.value.ToStringOutput().ApplyT(func(v string) (string, error) { return v, fits(p.path, v) })
	made, err := ssm.NewParameter(ctx, p.name, &ssm.ParameterArgs{
		Name:  pulumi.String(p.path),
		Type:  pulumi.String("SecureString"),
		Tier:  pulumi.String("Standard"),
		KeyId: p.keyARN.ToStringOutput(),
		Value: pulumi.ToSecret(checked).(pulumi.StringOutput),
	}, pulumi.Parent(p.parent))
	if err != nil {
		return wiring.Secret{}, err
	}
	return wiring.Secret{ARN: made.Arn, KeyARN: p.keyARN, Version: made.Version}, nil
}

// fits rejects values that Parameter Store would reject. Its error does not contain the value.
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
		wrong = append(wrong, errors.New("settings: a KMS key is required"))
	}
	if a.Rotation < 1 {
		wrong = append(wrong, fmt.Errorf("settings: rotation must be at least 1, got %d", a.Rotation))
	}
	for _, part := range slices.Sorted(maps.Keys(a.Secrets)) {
		switch {
		case part == SecretKey:
			wrong = append(wrong, fmt.Errorf("settings: %s is generated and cannot be set", part))
		case !partForm.MatchString(part):
			wrong = append(wrong, fmt.Errorf("settings: name %q must be letters, digits, _, . or -, in parts separated by /", part))
		case strings.Count(a.Site.Path(part), "/") > 15:
			wrong = append(wrong, fmt.Errorf("settings: name %q must have at most 13 parts", part))
		case a.Secrets[part] == nil:
			wrong = append(wrong, fmt.Errorf("settings: %s has no value", part))
		}
	}
	return errors.Join(wrong...)
}
