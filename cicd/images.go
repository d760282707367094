// Package cicd makes what a release needs: the images with their repositories, and the role that lets GitHub deploy.
package cicd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/image"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const imagesType = "slipway:cicd:Images"

// How long images are kept.
//
// A lifecycle policy counts by the date of the first push, which a new tag does not change (containers-roadmap#2746). An image
// that is deployed again, by a rollback or a revert, would run and still be among the next to expire. So it gets a tag of its
// own, and a rule of higher priority: "an image that matches the tagging requirements of a rule cannot be expired by a rule with
// a lower priority" (ECR guide, Automate the cleanup of images, Lifecycle policy evaluation rules). Every other image that runs
// is the one that was pushed last. A tag is never lost, because tags are immutable, so the rule for untagged images does not
// apply to it.
const (
	keepBuilds   = 100  // newest tagged images of each repository
	keepAgain    = 1000 // newest images that were deployed again
	untaggedDays = 7    // leftovers of interrupted pushes
)

// ImagesArgs say what to build, or which release to run.
type ImagesArgs struct {
	Site         wiring.Site
	KeyARN       pulumi.StringInput // encrypts the repositories; changing it replaces them and their images
	Architecture string             // "arm64" or "amd64"

	Root   string       // the project's folder, from the working directory; "" is the working directory itself
	Builds image.Builds // what the images are built from
	// Helper makes the file that the builds add late (see image.Added), for a platform. Nil: nothing is really built, so nothing is made.
	Helper func(platform string) (path string, err error)

	// Stage is the folder, relative to Root, for copies of what enters a build, so that two machines build the same image
	// whatever their umask. It must be in a folder that no build context includes: see image.Context.
	Stage string

	// Readers are the accounts that may pull the images, so that a release can be promoted to them. The IAM policies of
	// each account decide which of its principals may.
	Readers []string

	// Pushed are the digests of images that the repositories hold already under the tags of these sources. They are used again:
	// tags are immutable, and a second build of the same sources has another digest as a rule, which ECR would refuse. "" builds.
	Pushed image.Pair

	// Release is what runs. With it nothing is built and Docker is not called. Nil: the images are built.
	Release *image.Pinned
	// Carry brings the images of a release. Nil declares the release's marker without its hook, for a program that is
	// looked at and never run: Pulumi's mocks know no hooks.
	Carry Carrier
}

// Images are the Django and the nginx image, each in its repository, pinned by digest.
//
// Tags are immutable and derived from the source: an unchanged tree has the same tag, and nothing is built or pushed. A
// release's images are copied by digest, and every resource that uses them waits for the copy. A protected stack keeps its
// repositories. Another KeyARN replaces the repositories with their images. Cost: $0.10 per GB-month.
type Images struct {
	pulumi.ResourceState
	Django, Nginx pulumi.StringOutput   // repository@sha256:...
	Repositories  []pulumi.StringOutput // ARNs
	Pull          []policy.Statement    // for the execution role of tasks that run the images
}

// NewImages creates the repositories, and the images unless a release is given.
func NewImages(ctx *pulumi.Context, name string, args *ImagesArgs, opts ...pulumi.ResourceOption) (*Images, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	i := &Images{}
	if err := ctx.RegisterComponentResource(imagesType, name, i, opts...); err != nil {
		return nil, err
	}

	var urls []pulumi.StringOutput
	for _, part := range []struct {
		name      string
		build     image.Build
		pushed    string
		reference *pulumi.StringOutput
	}{
		{"django", args.Builds.Django, args.Pushed.Django, &i.Django},
		{"nginx", args.Builds.Nginx, args.Pushed.Nginx, &i.Nginx},
	} {
		repository, err := i.repository(ctx, name, args, part.name)
		if err != nil {
			return nil, err
		}
		i.Repositories, urls = append(i.Repositories, repository.Arn), append(urls, repository.RepositoryUrl)
		if args.Release != nil {
			continue
		}
		if part.pushed != "" {
			*part.reference = again(ctx, args.Carry, repository, part.pushed)
			continue
		}
		if *part.reference, err = i.build(ctx, name+"-"+part.name, args, part.build, repository); err != nil {
			return nil, err
		}
	}
	if args.Release != nil {
		if err := i.release(ctx, name, args, urls); err != nil {
			return nil, err
		}
	}

	i.Pull = pull(i.Repositories)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"django": i.Django, "nginx": i.Nginx})
}

func (i *Images) repository(ctx *pulumi.Context, name string, args *ImagesArgs, part string) (*ecr.Repository, error) {
	repository, err := newRepository(ctx, name+"-"+part, repositoryArgs{
		name: repositoryName(args.Site, part), keyARN: args.KeyARN, keep: args.Site.Protect,
	}, pulumi.Parent(i))
	if err != nil || len(args.Readers) == 0 {
		return repository, err
	}
	// The key's policy need not mention them: ECR decrypts with the repository's own grant for every reader.
	_, err = ecr.NewRepositoryPolicy(ctx, name+"-"+part, &ecr.RepositoryPolicyArgs{
		Repository: repository.Name,
		Policy: policy.Document(policy.Statement{
			Sid: "Promotion", Principals: policy.AccountRoots(args.Site.Partition, args.Readers...), Actions: pulls,
		}),
	}, pulumi.Parent(i))
	return repository, err
}

// repositoryArgs describe a repository.
type repositoryArgs struct {
	name   string
	keyARN pulumi.StringInput
	keep   bool // it is not deleted with the images in it
}

// newRepository creates a repository with immutable tags, a scan of each image, encryption with a key, and a lifecycle policy.
func newRepository(ctx *pulumi.Context, name string, args repositoryArgs, parent pulumi.ResourceOption) (*ecr.Repository, error) {
	repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
		Name:                       pulumi.String(args.name),
		ImageTagMutability:         pulumi.String("IMMUTABLE"),
		ImageScanningConfiguration: &ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{&ecr.RepositoryEncryptionConfigurationArgs{
			EncryptionType: pulumi.String("KMS"), KmsKey: args.keyARN.ToStringOutput(),
		}},
		ForceDelete: pulumi.Bool(!args.keep),
	}, parent, pulumi.Protect(args.keep))
	if err != nil {
		return nil, err
	}
	_, err = ecr.NewLifecyclePolicy(ctx, name, &ecr.LifecyclePolicyArgs{
		Repository: repository.Name, Policy: pulumi.String(lifecycle()),
		// Another policy replaces the resource, and a repository has one policy: the old one's deletion must come first.
	}, parent, pulumi.DeleteBeforeReplace(true))
	return repository, err
}

// pulls are the actions of a pull, apart from signing in.
var pulls = []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}

// stage makes the copy of what an image is built from, and returns its folder, relative to the project.
func (a *ImagesArgs) stage(build image.Build) (read *image.Context, staged string, err error) {
	if read, err = build.Read(); err != nil {
		return nil, "", fmt.Errorf("images: %w", err)
	}
	// The provider compares these paths too, so they stay relative to the project.
	staged = filepath.Join(a.Stage, read.Tag())
	at := filepath.Join(a.Root, staged)
	if err := read.Stage(at); err != nil {
		return nil, "", fmt.Errorf("images: %s cannot be copied: %w", build.Context, err)
	}
	if a.Helper == nil {
		return read, staged, nil
	}
	for _, name := range read.Late() {
		made, err := a.Helper(build.Platform)
		if err == nil {
			err = read.Supply(at, name, made)
		}
		if err != nil {
			return nil, "", fmt.Errorf("images: %w", err)
		}
	}
	return read, staged, nil
}

// build builds and pushes one image and returns its reference by digest.
func (i *Images) build(
	ctx *pulumi.Context, name string, args *ImagesArgs, build image.Build, repository *ecr.Repository,
) (pulumi.StringOutput, error) {
	read, staged, err := args.stage(build)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	var target pulumi.StringPtrInput
	if build.Target != "" {
		target = pulumi.String(build.Target)
	}
	// The token is valid for twelve hours and different each time; the provider compares only the server.
	token := ecr.GetAuthorizationTokenOutput(ctx, ecr.GetAuthorizationTokenOutputArgs{
		RegistryId: repository.RegistryId,
	}, pulumi.Parent(i))
	built, err := docker.NewImage(ctx, name, &docker.ImageArgs{
		ImageName: pulumi.Sprintf("%s:%s", repository.RepositoryUrl, read.Tag()),
		Build: &docker.DockerBuildArgs{
			Context:        pulumi.String(filepath.ToSlash(staged)),
			Dockerfile:     pulumi.String(filepath.ToSlash(read.Dockerfile(staged))),
			Platform:       pulumi.String("linux/" + args.Architecture),
			Args:           pulumi.ToStringMap(build.Args),
			Target:         target,
			BuilderVersion: docker.BuilderVersionBuilderBuildKit,
		},
		Registry: &docker.RegistryArgs{
			Server:   token.ProxyEndpoint(),
			Username: token.UserName(),
			Password: pulumi.ToSecret(token.Password()).(pulumi.StringOutput),
		},
	}, pulumi.Parent(i))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return built.RepoDigest, nil
}

// again is the reference of an image that the repository holds already. Before anything uses it in an up, the carrier makes sure
// that it is there and stays.
func again(ctx *pulumi.Context, carry Carrier, repository *ecr.Repository, digest string) pulumi.StringOutput {
	return repository.RepositoryUrl.ApplyT(func(url string) (string, error) {
		reference := url + "@" + digest
		if ctx.DryRun() || carry == nil {
			return reference, nil
		}
		limited, cancel := context.WithTimeout(ctx.Context(), carryWait)
		defer cancel()
		return reference, carry(limited, "", reference, "")
	}).(pulumi.StringOutput)
}

func repositoryName(site wiring.Site, part string) string {
	return RepositoryName(site.Project, site.Stack, part)
}

// RepositoryName is the name of the repository of an image, "django" or "nginx".
func RepositoryName(project, stack, part string) string {
	return fmt.Sprintf("%s-%s/%s", project, stack, part)
}

// pull are the permissions to pull the images. The token is for the registry, so that action has no resource.
func pull(repositories []pulumi.StringOutput) []policy.Statement {
	var arns []any
	for _, arn := range repositories {
		arns = append(arns, arn)
	}
	return []policy.Statement{
		{Sid: "SignInToRegistry", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []any{"*"}},
		{
			Sid:       "PullImages",
			Actions:   pulls,
			Resources: arns,
		},
	}
}

// lifecycle is the repositories' lifecycle policy in JSON. The images of an index have no tags, and stay as long as the index does: ECR
// expires no image that "is referenced by a manifest list" (ECR guide, Lifecycle policy evaluation rules).
func lifecycle() string {
	rule := func(priority int, description string, selection map[string]any) map[string]any {
		return map[string]any{
			"rulePriority": priority, "description": description,
			"selection": selection, "action": map[string]any{"type": "expire"},
		}
	}
	text, err := json.Marshal(map[string]any{"rules": []any{
		rule(1, "What an interrupted push left behind", map[string]any{
			"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": untaggedDays,
		}),
		rule(2, "Images that were deployed again: their push was long ago", map[string]any{
			"tagStatus": "tagged", "tagPatternList": []any{image.AgainTags}, "countType": "imageCountMoreThan", "countNumber": keepAgain,
		}),
		rule(3, "Builds older than the newest", map[string]any{
			"tagStatus": "tagged", "tagPatternList": []any{"*"}, "countType": "imageCountMoreThan", "countNumber": keepBuilds,
		}),
	}})
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	return string(text)
}

var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

func (a *ImagesArgs) check() error {
	var wrong []error
	add := func(format string, values ...any) { wrong = append(wrong, fmt.Errorf("images: "+format, values...)) }
	if a.KeyARN == nil {
		add("needs a key")
	}
	if a.Architecture != "arm64" && a.Architecture != "amd64" {
		add("architecture must be arm64 or amd64, got %q", a.Architecture)
	}
	if r := a.Release; r != nil {
		for _, digest := range []string{r.Digests.Django, r.Digests.Nginx} {
			if !image.Digest.MatchString(digest) {
				add("a release needs two digests, sha256: and 64 hexadecimal digits, got %q", digest)
			}
		}
		if from := r.From; from != nil && (from.Repositories.Django == "" || from.Repositories.Nginx == "" || !tagForm.MatchString(r.Tag())) {
			add("a release that is copied needs two repositories to copy from and a tag, got %q, %q and %q",
				from.Repositories.Django, from.Repositories.Nginx, r.Tag())
		}
		return errors.Join(wrong...)
	}
	for _, digest := range []string{a.Pushed.Django, a.Pushed.Nginx} {
		if digest != "" && !image.Digest.MatchString(digest) {
			add("an image that is used again needs its digest, sha256: and 64 hexadecimal digits, got %q", digest)
		}
	}
	if a.Stage == "" {
		add("needs a folder for copies of the build context")
	}
	for _, build := range []image.Build{a.Builds.Django, a.Builds.Nginx} {
		if platform := "linux/" + a.Architecture; build.Platform != platform {
			add("an image for %s is built for %q", platform, build.Platform)
		}
	}
	return errors.Join(wrong...)
}
