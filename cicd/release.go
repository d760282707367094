package cicd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"slipway/internal/image"
)

// A Carrier makes sure that an image of a release is in the repository it will run from. to is repository@sha256:digest.
// With from, in the same form, it copies the image under the tag, unless it is there already. With from "" the image must
// be there.
type Carrier func(ctx context.Context, from, to, tag string) error

// carryWait is the time limit for copying both images.
const carryWait = 20 * time.Minute

// release copies the images of a release and sets their references.
//
// The marker, the parameter /project/stack/release/images, records which release the repositories hold. Before it is
// created or changed a resource hook copies the images. If the hook fails the step fails, and the migration and the
// services, whose references depend on the marker, are not changed. The references themselves are known in a preview,
// which shows the digests that would run.
func (i *Images) release(ctx *pulumi.Context, name string, args *ImagesArgs, urls []pulumi.StringOutput) error {
	// The hook is shown the inputs of the marker and nothing else, so what it needs of the repositories comes to it this
	// way: the marker depends on an output that resolves only after the plan is stored.
	planned := &atomic.Pointer[image.Pair]{}
	known := pulumi.ToOutput(pulumix.Apply2(urls[0], urls[1], func(django, nginx string) []pulumi.Resource {
		planned.Store(&image.Pair{Django: django, Nginx: nginx})
		return nil
	})).(pulumi.ResourceArrayOutput)

	hooks := pulumi.ResourceHooks(nil)
	if args.Carry != nil {
		var err error
		if hooks, err = before(ctx, name+"-carry", carry(ctx.Context(), args, planned)); err != nil {
			return err
		}
	}
	marker, err := ssm.NewParameter(ctx, name+"-marker", &ssm.ParameterArgs{
		Name:        pulumi.String(args.Site.Path("release", "images")),
		Description: pulumi.String("The release whose images the repositories of this stack hold. Editing it has no effect on the stack."),
		Type:        pulumi.String("String"),
		// Not value, which the SDK marks as secret: a preview shows from which release to which.
		InsecureValue: pulumi.String("django " + args.Release.Digests.Django + " nginx " + args.Release.Digests.Nginx),
	}, pulumi.Parent(i), pulumi.DependsOnInputs(known), hooks)
	if err != nil {
		return err
	}
	reference := func(url pulumi.StringOutput, digest string) pulumi.StringOutput {
		return pulumi.OutputWithDependencies(ctx.Context(), pulumi.Sprintf("%s@%s", url, digest), marker).(pulumi.StringOutput)
	}
	i.Django, i.Nginx = reference(urls[0], args.Release.Digests.Django), reference(urls[1], args.Release.Digests.Nginx)
	return nil
}

// before has a hook called before a resource is created or updated.
func before(ctx *pulumi.Context, name string, do pulumi.ResourceHookFunction) (pulumi.ResourceOption, error) {
	hook, err := ctx.RegisterResourceHook(name, do, nil)
	if err != nil {
		return nil, err
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{
		BeforeCreate: []*pulumi.ResourceHook{hook}, BeforeUpdate: []*pulumi.ResourceHook{hook},
	}), nil
}

// carry is the hook: it has both images carried, in at most carryWait.
func carry(ctx context.Context, args *ImagesArgs, planned *atomic.Pointer[image.Pair]) pulumi.ResourceHookFunction {
	return func(*pulumi.ResourceHookArgs) error {
		r, repositories := args.Release, planned.Load()
		if repositories == nil {
			return errors.New("images: the repositories are not known yet, although the marker depends on them: this is a mistake in slipway")
		}
		ctx, cancel := context.WithTimeout(ctx, carryWait)
		defer cancel()
		to, from := r.Digests.At(*repositories), image.Pair{}
		if r.From != nil {
			from = r.Digests.At(r.From.Repositories)
		}
		for _, one := range []struct{ from, to string }{
			{from.Django, to.Django}, {from.Nginx, to.Nginx},
		} {
			if err := args.Carry(ctx, one.from, one.to, r.Tag()); err != nil {
				return fmt.Errorf("images: %w. The services were not changed", err)
			}
		}
		return nil
	}
}
