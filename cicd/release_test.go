package cicd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/image"
)

const parameterType = "aws:ssm/parameter:Parameter"

var someDigests = image.Pair{Django: "sha256:" + strings.Repeat("a", 64), Nginx: "sha256:" + strings.Repeat("b", 64)}

func TestABuiltStackHasNoReleaseMarker(t *testing.T) {
	if g, _ := recordImages(t, imagesOf(t)); len(g.Of(parameterType)) != 0 {
		t.Error("it has one")
	}
}

func TestTheMarkerRecordsTheRelease(t *testing.T) {
	args := imagesOf(t)
	args.Release = &image.Pinned{Digests: someDigests}
	g, _ := recordImages(t, args)
	marker := g.Named(parameterType, "images-marker")
	if got, want := marker.Input("insecureValue"), "django "+someDigests.Django+" nginx "+someDigests.Nginx; got != want {
		t.Errorf("it says %v, want %s", got, want)
	}
	if got := marker.Input("name"); got != "/slipway/dev/release/images" {
		t.Errorf("it is called %v", got)
	}
}

// Without waiting for the marker, a service could start a task whose image is not there yet.
func TestUsersOfAReleaseWaitForItsImages(t *testing.T) {
	args := imagesOf(t)
	args.Release = &image.Pinned{Digests: someDigests}
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		images, err := NewImages(ctx, "images", args)
		if err != nil {
			return err
		}
		definition := pulumi.JSONMarshal([]any{map[string]any{"image": images.Nginx}})
		for name, value := range map[string]pulumi.StringOutput{"user": pulumi.Sprintf("%s x", images.Django), "definition": definition} {
			var r pulumi.ResourceState
			if err := ctx.RegisterComponentResource("slipway:test:User", name, &r); err != nil {
				return err
			}
			if err := ctx.RegisterResource("aws:ssm/parameter:Parameter", name, pulumi.Map{"value": value}, &used{},
				pulumi.Parent(&r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"user", "definition"} {
		if waits := g.Named(parameterType, name).DependsOn; !slices.Contains(waits, "images-marker") {
			t.Errorf("%s waits for %v", name, waits)
		}
	}
}

type used struct{ pulumi.CustomResourceState }

func TestTheHookCarriesBothImages(t *testing.T) {
	args := &ImagesArgs{Release: &image.Pinned{ID: "1", Digests: someDigests,
		From: &image.Source{Repositories: image.Pair{Django: "r/dev/django", Nginx: "r/dev/nginx"}}}}
	planned := &atomic.Pointer[image.Pair]{}
	var got []string
	args.Carry = func(_ context.Context, from, to, tag string) error {
		got = append(got, from+" > "+to+" "+tag)
		return nil
	}
	if err := carry(t.Context(), args, planned)(nil); err == nil || len(got) > 0 {
		t.Errorf("before the repositories are known: %v, %v", err, got)
	}
	planned.Store(&image.Pair{Django: "r/prod/django", Nginx: "r/prod/nginx"})
	if err := carry(t.Context(), args, planned)(nil); err != nil {
		t.Error(err)
	}
	want := []string{
		fmt.Sprintf("r/dev/django@%[1]s > r/prod/django@%[1]s release-1", someDigests.Django),
		fmt.Sprintf("r/dev/nginx@%[1]s > r/prod/nginx@%[1]s release-1", someDigests.Nginx),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	got, args.Release.From = nil, nil
	if err := carry(t.Context(), args, planned)(nil); err != nil {
		t.Error(err)
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], " > r/prod/django@") {
		t.Errorf("without a source: %v", got)
	}

	args.Carry = func(context.Context, string, string, string) error { return errors.New("no such image") }
	if err := carry(t.Context(), args, planned)(nil); err == nil ||
		err.Error() != "images: no such image. The services were not changed" {
		t.Error(err)
	}
}
