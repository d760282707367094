package cicd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/image"
	"slipway/internal/wiring"
)

const (
	key          = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/images")
	imageToken   = "docker:index/image:Image"
	registryHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
)

func testSite(protect bool) wiring.Site {
	return wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account, Protect: protect}
}

func imagesOf(t *testing.T) *ImagesArgs {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "app"), map[string]string{
		"Dockerfile": "FROM python\nCOPY . .\n", "manage.py": "x",
	})
	if err := os.Mkdir(filepath.Join(root, "app", "site"), 0o755); err != nil {
		t.Fatal(err)
	}
	django := image.Build{Root: root, Context: "app", Dockerfile: "Dockerfile", Platform: "linux/arm64", Args: map[string]string{"A": "1"}}
	nginx := django
	nginx.Text, nginx.Target = "FROM nginx AS nginx\nCOPY .slipway/tool .slipway/note /\n", "nginx"
	nginx.Added = []image.Added{
		{Name: ".slipway/tool", Mode: 0o755, Sum: "made later"}, {Name: ".slipway/note", Mode: 0o644, Content: "note"},
	}
	return &ImagesArgs{
		Site: testSite(true), KeyARN: key, Architecture: "arm64", Root: root, Builds: image.Builds{Django: django, Nginx: nginx},
		Stage: ".slipway/contexts",
	}
}

func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// asks records the provider functions that a program calls.
type asks struct {
	tokens    []string
	resources int
}

func (a *asks) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	a.resources++
	return args.Name, args.Inputs, nil
}

func (a *asks) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	a.tokens = append(a.tokens, args.Token)
	return resource.PropertyMap{}, nil
}

func recordImages(t *testing.T, args *ImagesArgs) (graph.Graph, *Images) {
	t.Helper()
	var images *Images
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) (err error) {
		images, err = NewImages(ctx, "images", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, images
}

func text(output pulumi.StringOutput) string {
	value := make(chan string, 1)
	output.ApplyT(func(v string) string { value <- v; return v })
	return <-value
}

func TestRepositoriesMeetTheirControls(t *testing.T) {
	for _, protect := range []bool{true, false} {
		args := imagesOf(t)
		args.Site = testSite(protect)
		g, _ := recordImages(t, args)
		for _, part := range []string{"django", "nginx"} {
			r := g.Named("aws:ecr/repository:Repository", "images-"+part)
			want := map[string]any{
				"name": "slipway-dev/" + part, "imageTagMutability": "IMMUTABLE", "forceDelete": !protect,
				"imageScanningConfiguration": map[string]any{"scanOnPush": true},
				"encryptionConfigurations":   []any{map[string]any{"encryptionType": "KMS", "kmsKey": string(key)}},
			}
			if diff := cmp.Diff(want, r.Inputs); diff != "" {
				t.Errorf("%s, protect %v (-want +got):\n%s", part, protect, diff)
			}
			if r.Protect != protect {
				t.Errorf("%s: protected is %v, want %v", part, r.Protect, protect)
			}
			if got := g.Named("aws:ecr/lifecyclePolicy:LifecyclePolicy", "images-"+part).Input("policy"); got != lifecycle() {
				t.Errorf("%s: lifecycle is %v", part, got)
			}
		}
	}
}

func TestNamedAccountsMayPull(t *testing.T) {
	args := imagesOf(t)
	if g, _ := recordImages(t, args); len(g.Of("aws:ecr/repositoryPolicy:RepositoryPolicy")) > 0 {
		t.Error("no account is named, but the repositories have policies")
	}
	args.Readers = []string{"222222222222", "333333333333"}
	g, _ := recordImages(t, args)
	for _, part := range []string{"django", "nginx"} {
		p := g.Named("aws:ecr/repositoryPolicy:RepositoryPolicy", "images-"+part)
		if got := p.Input("repository"); got != "slipway-dev/"+part {
			t.Errorf("the policy of %s is of %v", part, got)
		}
		const want = `{"Statement":[{` +
			`"Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow",` +
			`"Principal":{"AWS":["arn:aws:iam::222222222222:root","arn:aws:iam::333333333333:root"]},"Sid":"Promotion"}],` +
			`"Version":"2012-10-17"}`
		if diff := cmp.Diff(want, p.Input("policy")); diff != "" {
			t.Errorf("the policy of %s (-want +got):\n%s", part, diff)
		}
	}
}

// A pushedImage is one in a repository; the time of its push is its place in a list.
type pushedImage struct {
	digest string
	tags   []string
}

// expired evaluates the lifecycle policy as ECR does (ECR guide, Automate the cleanup of images, Lifecycle policy evaluation rules):
// an image belongs to the first rule whose tagging requirements it matches, and no other rule can expire it; rules count by push.
func expired(t *testing.T, images []pushedImage) []string {
	t.Helper()
	type rule struct {
		RulePriority int
		Selection    struct {
			TagStatus, CountType string
			TagPatternList       []string
			CountNumber          int
		}
	}
	var policy struct{ Rules []rule }
	if err := json.Unmarshal([]byte(lifecycle()), &policy); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(policy.Rules, func(a, b rule) int { return a.RulePriority - b.RulePriority })
	var gone []string
	held := map[string]bool{}
	for _, rule := range policy.Rules {
		s, n := rule.Selection, 0
		for _, i := range slices.Backward(images) {
			matches := s.TagStatus == "untagged" && len(i.tags) == 0
			if s.TagStatus == "tagged" && len(i.tags) > 0 {
				matches = true
				for _, pattern := range s.TagPatternList {
					matches = matches && slices.ContainsFunc(i.tags, func(tag string) bool { ok, _ := path.Match(pattern, tag); return ok })
				}
			}
			if !matches {
				continue
			}
			if n++; s.CountType == "imageCountMoreThan" && n > s.CountNumber && !held[i.digest] {
				gone = append(gone, i.digest)
			}
			held[i.digest] = true
		}
	}
	return gone
}

func TestAnImageThatRunsDoesNotExpire(t *testing.T) {
	digest := func(n int) string { return fmt.Sprintf("sha256:%064d", n) }
	old := pushedImage{digest(0), []string{"first"}}
	images := []pushedImage{old}
	for n := 1; n <= 150; n++ {
		images = append(images, pushedImage{fmt.Sprintf("sha256:%020d%044d", n, n), []string{fmt.Sprint("build", n)}})
	}
	if gone := expired(t, images[:100]); len(gone) > 0 {
		t.Errorf("of the newest hundred %q expire", gone)
	}
	gone := expired(t, images)
	if len(gone) != 51 || !slices.Contains(gone, old.digest) {
		t.Errorf("%d images expire, want the 51 oldest", len(gone))
	}
	// It is deployed again: a revert, or a rollback.
	images[0].tags = append(images[0].tags, image.AgainTag(old.digest))
	if gone := expired(t, images); len(gone) != 50 || slices.Contains(gone, old.digest) {
		t.Errorf("%d images expire, the one that runs among them: %t", len(gone), slices.Contains(gone, old.digest))
	}
}

// A revert: the repositories hold the images of these sources.
func TestImagesOfTheSameSourcesAreUsedAgain(t *testing.T) {
	args := imagesOf(t)
	args.Pushed.Django = "sha256:" + strings.Repeat("a", 64)
	var carried []string
	args.Carry = func(_ context.Context, from, to, tag string) error {
		carried = append(carried, from+" "+to+" "+tag)
		return nil
	}
	g, images := recordImages(t, args)
	if built := g.Of(imageToken); len(built) != 1 || built[0].Name != "images-nginx" {
		t.Errorf("built %v, want nginx alone", built)
	}
	reference := registryHost + "/images-django@" + args.Pushed.Django
	if got := text(images.Django); got != reference {
		t.Errorf("got %s, want %s", got, reference)
	}
	if want := []string{" " + reference + " "}; !slices.Equal(carried, want) {
		t.Errorf("kept %q, want %q", carried, want)
	}
	args.Pushed.Django = "latest"
	if err := args.check(); err == nil || !strings.Contains(err.Error(), `needs its digest, sha256: and 64 hexadecimal digits, got "latest"`) {
		t.Errorf("got %v", err)
	}
}

func TestImagesAreBuiltForTheTaskAndPinned(t *testing.T) {
	args := imagesOf(t)
	g, images := recordImages(t, args)
	for part, of := range map[string]struct {
		build      image.Build
		dockerfile string
	}{"django": {args.Builds.Django, "Dockerfile"}, "nginx": {args.Builds.Nginx, ".slipway/Dockerfile"}} {
		read, err := of.build.Read()
		if err != nil {
			t.Fatal(err)
		}
		tag := read.Tag()
		build := map[string]any{
			"context": ".slipway/contexts/" + tag, "dockerfile": ".slipway/contexts/" + tag + "/" + of.dockerfile,
			"platform": "linux/arm64", "args": map[string]any{"A": "1"}, "builderVersion": "BuilderBuildKit",
		}
		if of.build.Target != "" {
			build["target"] = of.build.Target
		}
		want := map[string]any{
			"imageName": fmt.Sprintf("%s/images-%s:%s", registryHost, part, tag),
			"skipPush":  false, "buildOnPreview": false,
			"build": build,
			"registry": map[string]any{
				"server": "https://" + registryHost, "username": "AWS", "password": map[string]any{"secret": "token"},
			},
		}
		got := g.Named(imageToken, "images-"+part)
		if diff := cmp.Diff(want, got.Inputs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part, diff)
		}
	}
	for _, reference := range []pulumi.StringOutput{images.Django, images.Nginx} {
		if got := text(reference); !strings.Contains(got, "@sha256:") {
			t.Errorf("not pinned by digest: %s", got)
		}
		if pulumi.IsSecret(reference) {
			t.Error("a secret image reference would make the whole task definition secret")
		}
	}
}

// A Dockerfile beside the context is copied into the copy.
func TestDockerfileBesideTheContext(t *testing.T) {
	args := imagesOf(t)
	write(t, args.Root, map[string]string{"deploy/Dockerfile": "FROM scratch\n"})
	args.Builds.Django.Dockerfile = "../deploy/Dockerfile"
	g, _ := recordImages(t, args)
	in := g.Named(imageToken, "images-django").Input("build").(map[string]any)
	if in["dockerfile"] != in["context"].(string)+"/.slipway/Dockerfile" {
		t.Errorf("the Dockerfile is %v", in)
	}
	got, err := os.ReadFile(filepath.Join(args.Root, in["dockerfile"].(string)))
	if string(got) != "FROM scratch\n" {
		t.Errorf("it is %q, %v", got, err)
	}
}

// A rehearsal without containers stages no file that has to be compiled; a build that follows puts it in, under the same tag.
func TestLateFilesAreMadeOnlyForABuild(t *testing.T) {
	args := imagesOf(t)
	g, _ := recordImages(t, args)
	in := g.Named(imageToken, "images-nginx").Input("build").(map[string]any)
	folder := filepath.Join(args.Root, in["context"].(string), ".slipway")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("staged %v, %v; want the Dockerfile and the note", entries, err)
	}
	made := filepath.Join(t.TempDir(), "made")
	if err := os.WriteFile(made, []byte("tool"), 0o600); err != nil {
		t.Fatal(err)
	}
	var platforms []string
	args.Helper = func(platform string) (string, error) { platforms = append(platforms, platform); return made, nil }
	g, _ = recordImages(t, args)
	if again := g.Named(imageToken, "images-nginx").Input("build").(map[string]any); again["context"] != in["context"] {
		t.Errorf("the folder changed from %v to %v", in["context"], again["context"])
	}
	if got, err := os.ReadFile(filepath.Join(folder, "tool")); string(got) != "tool" {
		t.Errorf("the file is %q, %v", got, err)
	}
	if want := []string{"linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("made for %q, want %q: Django's build of this test needs none", platforms, want)
	}
	args.Helper = func(string) (string, error) { return "", errors.New("no compiler") }
	_, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := NewImages(ctx, "images", args)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "images: no compiler") {
		t.Errorf("got %v", err)
	}
}

func TestReleaseIsNotBuilt(t *testing.T) {
	django, nginx := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	args := imagesOf(t)
	args.Builds = image.Builds{} // a release needs no source
	args.Release = &image.Pinned{Digests: image.Pair{Django: django, Nginx: nginx}}
	g, images := recordImages(t, args)
	if built := g.Of(imageToken); len(built) != 0 {
		t.Errorf("built %d images", len(built))
	}
	if len(g.Of("aws:ecr/repository:Repository")) != 2 {
		t.Error("the repositories are gone")
	}
	if got, want := text(images.Django), registryHost+"/images-django@"+django; got != want {
		t.Errorf("django is %s, want %s", got, want)
	}
	if got, want := text(images.Nginx), registryHost+"/images-nginx@"+nginx; got != want {
		t.Errorf("nginx is %s, want %s", got, want)
	}

	asked := &asks{}
	if err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := NewImages(ctx, "images", args)
		return err
	}, pulumi.WithMocks("slipway", "dev", asked)); err != nil {
		t.Fatal(err)
	}
	if asked.resources == 0 || len(asked.tokens) != 0 {
		t.Errorf("%d resources; asked for %v, want nothing", asked.resources, asked.tokens)
	}
}

func TestPullIsLimitedToTheTwoRepositories(t *testing.T) {
	_, images := recordImages(t, imagesOf(t))
	for _, s := range images.Pull {
		limited := len(s.Resources) == 2
		if onlyToken := len(s.Actions) == 1 && s.Actions[0] == "ecr:GetAuthorizationToken"; onlyToken == limited {
			t.Errorf("%s: %v on %d resources", s.Sid, s.Actions, len(s.Resources))
		}
	}
}

func TestImageMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ImagesArgs)
		want   string
	}{
		{"another platform than the tasks'", func(a *ImagesArgs) { a.Builds.Nginx.Platform = "linux/amd64" },
			`images: an image for linux/arm64 is built for "linux/amd64"`},
		{"no folder for copies", func(a *ImagesArgs) { a.Stage = "" }, "images: needs a folder for copies of the build context"},
		{"architecture", func(a *ImagesArgs) { a.Architecture = "x86_64" }, `images: architecture must be arm64 or amd64, got "x86_64"`},
		{"no key", func(a *ImagesArgs) { a.KeyARN = nil }, "images: needs a key"},
		{"one digest of two", func(a *ImagesArgs) {
			a.Release = &image.Pinned{Digests: image.Pair{Django: "sha256:" + strings.Repeat("a", 64)}}
		},
			`images: a release needs two digests, sha256: and 64 hexadecimal digits, got ""`},
		{"a tag for a digest", func(a *ImagesArgs) {
			a.Release = &image.Pinned{Digests: image.Pair{Django: "latest", Nginx: "sha256:" + strings.Repeat("a", 64)}}
		}, `got "latest"`},
		{"two at once", func(a *ImagesArgs) { a.KeyARN, a.Stage = nil, "" }, "images: needs a key\nimages: needs a folder for copies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := imagesOf(t)
			c.change(args)
			g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
				_, err := NewImages(ctx, "images", args)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if len(g) > 0 {
				t.Error("something was registered before the mistake was found")
			}
		})
	}
}
