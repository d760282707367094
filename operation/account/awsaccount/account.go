// Package awsaccount is a real AWS account, with the credentials of the caller.
package awsaccount

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/bootstrap"
	"slipway/cicd"
	"slipway/drift"
	"slipway/ecs"
	"slipway/engine"
	"slipway/internal/github"
	"slipway/operation/account"
	"slipway/verdict"
)

// Args say which account is wanted.
type Args struct {
	Stack     string
	Region    string
	Profile   string                  // of the shared AWS configuration; "" is the environment's
	Allowed   []string                // the accounts that the stack may be deployed to; none: any
	Forbidden []string                // the accounts that it may not be deployed to
	State     *engine.Backend         // where the state is; nil: there is none yet
	Mirrors   func(token string) bool // the types that show other resources among their outputs (see drift.Outdated)
}

// An Account is an AWS account.
type Account struct {
	args     Args
	aws      aws.Config
	identity account.Identity
	asked    string // the region that the credentials are configured for; "": none
}

// identifyTimeout is how long it may take to find out whose credentials these are.
const identifyTimeout = 30 * time.Second

// Open finds out whose credentials these are, and refuses them if they are for another account or another region than the
// stack's. Nothing else is called.
func Open(ctx context.Context, args Args) (*Account, error) {
	a, err := Caller(ctx, args)
	if err == nil && (!a.Admitted() || a.asked != "" && a.asked != a.identity.Region) {
		return nil, a.Foreign()
	}
	return a, err
}

// Caller finds out whose credentials these are.
func Caller(ctx context.Context, args Args) (*Account, error) {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	// The SDK's own warnings, such as that of the instance metadata, say less than the error that follows.
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(args.Profile), awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	a := &Account{args: args, asked: cfg.Region}
	cfg.Region = args.Region
	cfg.APIOptions = append(cfg.APIOptions, denials)
	a.aws = cfg
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		if unreachable(err) {
			return nil, fmt.Errorf("AWS cannot be reached for stack %s: %w\ncheck the network, DNS and HTTPS_PROXY of this machine; "+
				"aws sts get-caller-identity must work", args.Stack, err)
		}
		return nil, fmt.Errorf("no AWS credentials for stack %s: %w\nlog in, or set AWS_PROFILE; aws sts get-caller-identity must work",
			args.Stack, err)
	}
	a.identity = account.Identity{Account: aws.ToString(caller.Account), Region: args.Region, Caller: aws.ToString(caller.Arn)}
	if parts := strings.Split(a.identity.Caller, ":"); len(parts) > 1 {
		a.identity.Partition = parts[1]
	}
	return a, nil
}

// Admitted reports whether the stack may be deployed to this account.
func (a *Account) Admitted() bool {
	id := a.identity.Account
	return (len(a.args.Allowed) == 0 || slices.Contains(a.args.Allowed, id)) && !slices.Contains(a.args.Forbidden, id)
}

// Foreign says that the credentials are not for the stack.
func (a *Account) Foreign() error {
	wanted := "its account"
	if len(a.args.Allowed) > 0 {
		wanted = "account " + strings.Join(a.args.Allowed, " or ")
	} else if len(a.args.Forbidden) > 0 {
		wanted = "another account than " + strings.Join(a.args.Forbidden, " or ") + " (aws:forbiddenAccountIds)"
	}
	return fmt.Errorf("stack %s belongs to %s in %s, but the caller is %s of account %s in %s; nothing was done\n"+
		"take other credentials (AWS_PROFILE) or another region (AWS_REGION), or correct aws:allowedAccountIds or aws:region in Pulumi.%s.yaml",
		a.args.Stack, wanted, a.identity.Region, a.identity.Caller, a.identity.Account, cmp.Or(a.asked, "no region"), a.args.Stack)
}

// Identity implements account.Account.
func (a *Account) Identity() account.Identity { return a.identity }

// Engine implements account.Account: the official providers, the state in the stack's bucket, secrets that the engine
// decrypts.
func (a *Account) Engine(o *engine.Options) error {
	o.Env = engine.Surroundings()
	if a.args.Profile != "" { // which the engine needs for its secrets provider as well
		o.Env["AWS_PROFILE"] = a.args.Profile
	}
	var err error
	if o.Home, err = engine.PluginHome(); err != nil {
		return err
	}
	o.Backend = a.args.State
	o.ReadBack = func(before, after []apitype.ResourceV3) []string {
		return drift.Outdated(a.args.Mirrors, before, after)
	}
	o.GitHub.Own = engine.GitHubRunOf(os.Getenv)
	if client := github.FromEnvironment(os.Getenv); client.Token != "" {
		o.GitHub.RunStatus = func(ctx context.Context, run engine.GitHubRun) (status, conclusion string, err error) {
			return client.RunStatus(ctx, run.Repository, run.ID, run.Attempt)
		}
	}
	return nil
}

// Lock implements account.Account: the engine takes its own lock on the state.
func (a *Account) Lock() *engine.Lock { return nil }

// ECS implements account.Account.
func (a *Account) ECS() verdict.ECSScaler { return ECS(a.aws) }

// TaskDefinitions implements account.Account.
func (a *Account) TaskDefinitions() account.TaskDefinitions { return TaskDefinitions(a.aws) }

// Contents implements account.Account.
func (a *Account) Contents() account.Contents { return Contents(a.aws) }

// Bootstrap implements account.Account.
func (a *Account) Bootstrap() bootstrap.Account { return NewBootstrap(a.aws) }

// DataKey implements account.DataKeyMaker.
func (a *Account) DataKey(ctx context.Context, keyARN string) (string, error) {
	return NewBootstrap(a.aws).DataKey(ctx, keyARN)
}

// Runner implements account.Account.
func (a *Account) Runner() ecs.Runner {
	return ecs.AWSRunner{Region: a.args.Region, Profile: a.args.Profile}
}

// Carry implements account.Account.
func (a *Account) Carry(origin account.Origin) func(ctx context.Context, from, to, tag string) error {
	return cicd.AWSCarrier{Profile: a.args.Profile, FromProfile: origin.Profile}.Carry
}

// Find implements account.Account.
func (a *Account) Find(origin account.Origin) func(ctx context.Context, from, to string) error {
	return cicd.AWSCarrier{Profile: a.args.Profile, FromProfile: origin.Profile}.Find
}

// Mirror implements account.Account.
func (a *Account) Mirror() func(ctx context.Context, from, to string) error {
	return cicd.AWSCarrier{Profile: a.args.Profile}.Mirror
}

// Disown implements account.Account. A key that left the state belongs to no stack.
func (a *Account) Disown(context.Context, string) error { return nil }

// Leftovers implements account.Account. An account also holds resources of other owners, so the stack's cannot be listed.
func (a *Account) Leftovers([]engine.Import) map[string]int { return nil }

// Containers implements account.Account.
func (a *Account) Containers() account.Containers { return nil }

// Close implements account.Account.
func (a *Account) Close() error { return nil }
