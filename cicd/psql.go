package cicd

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

const (
	psqlType = "slipway:cicd:Psql"
	psqlPart = "psql" // of the repository's name
)

// A Mirror copies the image from, for the processors of people's machines, to the repository that the image to is in. Both are
// repository:tag. If to exists it does nothing, and does not ask for from.
type Mirror func(ctx context.Context, from, to string) error

// PsqlArgs say which psql.
type PsqlArgs struct {
	Site    wiring.Site
	KeyARN  pulumi.StringInput // encrypts the repository; changing it replaces the repository and its images
	Version string             // of the database: 17, or 17.2
	Source  string             // repository of the official image of Postgres, or of a copy of it, without a tag
	// Mirror copies the image. Nil declares the marker without its hook, for a program that is looked at and never run.
	Mirror Mirror
}

// Psql is the image of Postgres in a repository of the stack, where slipway db psql takes psql from on machines that have none.
//
// Its tag is the major version of the database. It is copied from Source in the first up, and in the up that changes the major version.
// No other up copies anything, although the tag of Source moves to each minor version: tags are immutable here, and psql 17.0 talks to
// every server 17. To copy a newer one, see docs/operations.md.
//
// The repository is not protected, also in a protected stack, and is deleted with its images: what it holds can be copied again, and a
// protected repository could never be turned off. Cost: $0.10 per GB-month, about $0.03 for each major version.
type Psql struct {
	pulumi.ResourceState
	Repository pulumi.StringOutput // its URL, once the image is there
}

// NewPsql creates the repository, and copies the image into it.
func NewPsql(ctx *pulumi.Context, name string, args *PsqlArgs, opts ...pulumi.ResourceOption) (*Psql, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	p := &Psql{}
	if err := ctx.RegisterComponentResource(psqlType, name, p, opts...); err != nil {
		return nil, err
	}
	repository, err := newRepository(ctx, name, repositoryArgs{
		name: repositoryName(args.Site, psqlPart), keyARN: args.KeyARN,
	}, pulumi.Parent(p))
	if err != nil {
		return nil, err
	}
	// As for a release, the hook of the marker gets what it needs of the repository through an output that the marker waits for.
	planned := &atomic.Pointer[string]{}
	known := repository.RepositoryUrl.ApplyT(func(url string) []pulumi.Resource {
		planned.Store(&url)
		return nil
	}).(pulumi.ResourceArrayOutput)
	hooks := pulumi.ResourceHooks(nil)
	if args.Mirror != nil {
		if hooks, err = before(ctx, name+"-copy", copyPsql(ctx.Context(), args, planned)); err != nil {
			return nil, err
		}
	}
	marker, err := ssm.NewParameter(ctx, name+"-marker", &ssm.ParameterArgs{
		Name: pulumi.String(args.Site.Path(psqlPart, "image")),
		Description: pulumi.String("The tag of the image in the repository psql. If it is deleted, the next up looks whether " +
			"the image is there."),
		Type: pulumi.String("String"),
		// The source is not in it: another one is used for the next major version, and this image would still be from the first.
		InsecureValue: pulumi.String(major(args.Version)),
	}, pulumi.Parent(p), pulumi.DependsOnInputs(known), hooks)
	if err != nil {
		return nil, err
	}
	p.Repository = pulumi.OutputWithDependencies(ctx.Context(), repository.RepositoryUrl, marker).(pulumi.StringOutput)
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{"repository": p.Repository})
}

// copyPsql is the hook: it has the image copied, in at most carryWait.
func copyPsql(ctx context.Context, args *PsqlArgs, planned *atomic.Pointer[string]) pulumi.ResourceHookFunction {
	return func(*pulumi.ResourceHookArgs) error {
		repository := planned.Load()
		if repository == nil {
			return errors.New("psql: the repository is not known yet, although the marker depends on it: this is a mistake in slipway")
		}
		ctx, cancel := context.WithTimeout(ctx, carryWait)
		defer cancel()
		from, to := args.Source+":"+major(args.Version), *repository+":"+major(args.Version)
		if err := args.Mirror(ctx, from, to); err != nil {
			return fmt.Errorf("psql: the image %s cannot be copied to the stack's own registry: %w. The services were not changed. "+
				"Run up again; or set database.psqlImage to a repository that this machine can read; or remove it, "+
				"and slipway db psql does without the image", from, err)
		}
		return nil
	}
}

var psqlVersion = regexp.MustCompile(`^([0-9]+)(\.[0-9]+)?$`)

// major is the major version of Postgres.
func major(version string) string { return psqlVersion.FindStringSubmatch(version)[1] }

func (a *PsqlArgs) check() error {
	var wrong []error
	if a.KeyARN == nil {
		wrong = append(wrong, errors.New("psql: needs a key"))
	}
	if !psqlVersion.MatchString(a.Version) {
		wrong = append(wrong, fmt.Errorf("psql: version must be that of Postgres, such as 17 or 17.2, got %q", a.Version))
	}
	if _, err := name.NewRepository(a.Source, name.StrictValidation); err != nil {
		wrong = append(wrong, fmt.Errorf("psql: the source must be a repository without a tag: %w", err))
	}
	return errors.Join(wrong...)
}
