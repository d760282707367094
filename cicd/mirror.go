package cicd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// machines are the processors that people's machines have. Docker Desktop runs Linux too.
var machines = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// Mirror is a Mirror from any registry to one of ECR. It signs in to the source as the docker command of this machine does, or not at all.
func (c AWSCarrier) Mirror(ctx context.Context, from, to string) error {
	source, err := name.NewTag(from)
	if err != nil {
		return err
	}
	target, err := name.NewTag(to)
	if err != nil {
		return err
	}
	mine, err := signIn(ctx, target.RegistryStr(), c.Profile)
	if err != nil {
		return err
	}
	write := options(ctx, mine, nil)
	switch _, err := remote.Head(target, write...); {
	case err == nil:
		return nil
	case !absent(err):
		return fmt.Errorf("looking for %s: %w", target, err)
	}
	theirs, err := authn.Resolve(ctx, authn.DefaultKeychain, source)
	if err != nil {
		return fmt.Errorf("signing in to %s: %w", source.RegistryStr(), err)
	}
	found, err := remote.Get(source, options(ctx, theirs, nil)...)
	if err != nil {
		return err
	}
	if !found.MediaType.IsIndex() {
		return errors.New("it is for one processor only, and people's machines have amd64 and arm64: copy all of the official image there")
	}
	all, err := found.ImageIndex()
	if err != nil {
		return err
	}
	index, err := forMachines(all)
	if err != nil {
		return err
	}
	return remote.WriteIndex(target, index, write...)
}

// forMachines is an index without the images for other processors, and without attestations, whose platform is unknown.
func forMachines(all v1.ImageIndex) (v1.ImageIndex, error) {
	manifest, err := all.IndexManifest()
	if err != nil {
		return nil, err
	}
	fits := func(d v1.Descriptor, m v1.Platform) bool { return d.Platform != nil && d.Platform.Satisfies(m) }
	for _, m := range machines {
		if !slices.ContainsFunc(manifest.Manifests, func(d v1.Descriptor) bool { return fits(d, m) }) {
			return nil, fmt.Errorf("it has no image for %s: copy all of the official image there", m)
		}
	}
	return mutate.RemoveManifests(all, func(d v1.Descriptor) bool {
		return !slices.ContainsFunc(machines, func(m v1.Platform) bool { return fits(d, m) })
	}), nil
}
