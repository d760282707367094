// Package keys makes the customer-managed KMS keys of a site: one for each purpose, or one for all of them.
package keys

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Type is the type token of a Ring.
const Type = "slipway:keys:Ring"

// A Ring holds the ARN of the key for each purpose. With Args.Shared all of them are the same ARN.
//
// Every key rotates once a year. A deleted key can be restored for 30 days; until then, and forever after that, the data
// encrypted with it is unreadable. A stack with Site.Protect refuses to delete its keys.
//
// Cost: $1 a month for each key ($6, or $1 when shared), and $1 more for each of its first two rotations; $0.03 for
// 10,000 requests. No argument replaces a key; changing Shared makes others.
type Ring struct {
	pulumi.ResourceState

	Data     pulumi.StringOutput // the database, the media bucket and the cache
	Logs     pulumi.StringOutput // log groups, the log stream, log buckets, and shell sessions (ECS Exec, bastion)
	Settings pulumi.StringOutput // SSM parameters
	Images   pulumi.StringOutput // ECR repositories
	Alarms   pulumi.StringOutput // the SNS topic, the dead-letter queue, the schedules
	Disk     pulumi.StringOutput // the disk of the bastion
}

// Args describe a Ring.
type Args struct {
	Site wiring.Site

	// Shared creates one key for all purposes, to save money in a small stack. Its policy allows everything that any of the
	// six would allow. Changing it later gives every resource another key, which replaces the database.
	Shared bool
}

// New creates the keys, each under the alias alias/<project>-<stack>-<purpose> ("all" for the shared one).
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Ring, error) {
	if err := args.check(); err != nil {
		return nil, err
	}

	ring := &Ring{}
	if err := ctx.RegisterComponentResource(Type, name, ring, opts...); err != nil {
		return nil, err
	}
	arns := map[Purpose]pulumi.StringOutput{}
	if args.Shared {
		arn, err := ring.add(ctx, name, args.Site, "all", Purposes...)
		if err != nil {
			return nil, err
		}
		for _, p := range Purposes {
			arns[p] = arn
		}
	} else {
		for _, p := range Purposes {
			arn, err := ring.add(ctx, name, args.Site, string(p), p)
			if err != nil {
				return nil, err
			}
			arns[p] = arn
		}
	}

	ring.Data, ring.Logs, ring.Settings = arns[Data], arns[Logs], arns[Settings]
	ring.Images, ring.Alarms, ring.Disk = arns[Images], arns[Alarms], arns[Disk]
	return ring, ctx.RegisterResourceOutputs(ring, pulumi.Map{
		"data": ring.Data, "logs": ring.Logs, "settings": ring.Settings,
		"images": ring.Images, "alarms": ring.Alarms, "disk": ring.Disk,
	})
}

// add creates one key with its alias. The alias is for people: programs use the key's ARN, because an alias can be moved
// to another key.
func (r *Ring) add(ctx *pulumi.Context, name string, site wiring.Site, label string, purposes ...Purpose) (pulumi.StringOutput, error) {
	key, err := kms.NewKey(ctx, name+"-"+label, &kms.KeyArgs{
		Description:          pulumi.Sprintf("%s: %s", site.Name(label), describe(purposes)),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(30),
		Policy:               policy.Document(Statements(site, purposes...)...),
	}, pulumi.Parent(r), pulumi.Protect(site.Protect))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	_, err = kms.NewAlias(ctx, name+"-"+label, &kms.AliasArgs{
		Name:        pulumi.String("alias/" + site.Name(label)),
		TargetKeyId: key.ID(),
	}, pulumi.Parent(r))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return key.Arn, nil
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// check refuses a site whose key policies would lock the account out or allow strangers.
func (a *Args) check() error {
	var errs []error
	if !accountForm.MatchString(a.Site.AccountID) {
		errs = append(errs, fmt.Errorf("keys: account must be 12 digits, got %q", a.Site.AccountID))
	}
	for _, part := range []struct{ what, value string }{
		{"project", a.Site.Project}, {"stack", a.Site.Stack}, {"partition", a.Site.Partition}, {"region", a.Site.Region},
	} {
		if part.value == "" {
			errs = append(errs, fmt.Errorf("keys: %s must be given", part.what))
		}
	}
	return errors.Join(errs...)
}
