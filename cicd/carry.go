package cicd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// AWSCarrier copies images between ECR registries, of any accounts and regions, with the credentials of whoever runs
// Pulumi. They need ecr:GetAuthorizationToken, the right to pull from where the release comes from (across accounts its
// repositories must allow it as well) and to push to this stack's repositories. Layers that the two repositories of one
// registry share are not sent again.
type AWSCarrier struct {
	Profile     string // of the shared configuration, for this stack; empty: the environment's
	FromProfile string // for where the release comes from; empty: the same
}

// Carry is a Carrier.
func (c AWSCarrier) Carry(ctx context.Context, from, to, tag string) error {
	target, err := name.NewDigest(to)
	if err != nil {
		return err
	}
	mine, err := signIn(ctx, target.RegistryStr(), c.Profile)
	if err != nil {
		return err
	}
	if from == "" {
		return look(ctx, target, mine)
	}
	source, err := name.NewDigest(from)
	if err != nil {
		return err
	}
	profile := c.FromProfile
	if profile == "" {
		profile = c.Profile
	}
	theirs, err := signIn(ctx, source.RegistryStr(), profile)
	if err != nil {
		return err
	}
	return copyImage(ctx, source, target, tag, theirs, mine)
}

var registryForm = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)

// signIn gets the token of a registry, which lasts twelve hours.
func signIn(ctx context.Context, registry, profile string) (authn.Authenticator, error) {
	m := registryForm.FindStringSubmatch(registry)
	if m == nil {
		return nil, fmt.Errorf("%s is not a registry of ECR", registry)
	}
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(m[1]), config.WithSharedConfigProfile(profile))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	given, err := ecr.NewFromConfig(settings).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, fmt.Errorf("signing in to %s: %w", registry, err)
	}
	if len(given.AuthorizationData) == 0 {
		return nil, fmt.Errorf("signing in to %s: it gave no token", registry)
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(given.AuthorizationData[0].AuthorizationToken))
	user, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok {
		return nil, fmt.Errorf("signing in to %s: its token has another form than user:password", registry)
	}
	return &authn.Basic{Username: user, Password: password}, nil
}

// look makes sure that an image is there.
func look(ctx context.Context, image name.Digest, auth authn.Authenticator, more ...remote.Option) error {
	_, err := remote.Head(image, options(ctx, auth, more)...)
	if absent(err) {
		return fmt.Errorf("%s is not in the repository (any more): promote the release again from a stack that has it", image)
	}
	return err
}

// copyImage copies an image, or an index of images for several processors, byte by byte.
func copyImage(ctx context.Context, from, to name.Digest, tag string, theirs, mine authn.Authenticator, more ...remote.Option) error {
	source, target := options(ctx, theirs, more), options(ctx, mine, more)
	named := to.Context().Tag(tag)
	there, err := remote.Head(named, target...)
	switch {
	case err == nil && there.Digest.String() == to.DigestStr():
		return nil
	case err == nil:
		return fmt.Errorf("%s is %s already, and tags are never moved; the release is %s", named, there.Digest, to.DigestStr())
	case !absent(err):
		return fmt.Errorf("looking for %s: %w", named, err)
	}
	found, err := remote.Get(from, source...)
	if absent(err) {
		return fmt.Errorf("%s is not in the repository (any more): deploy the release there again", from)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	if found.MediaType.IsIndex() {
		index, indexErr := found.ImageIndex()
		if err = indexErr; err == nil {
			err = remote.WriteIndex(named, index, target...)
		}
	} else {
		image, imageErr := found.Image()
		if err = imageErr; err == nil {
			err = remote.Write(named, image, target...)
		}
	}
	if err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, named, err)
	}
	return look(ctx, to, mine, more...)
}

func options(ctx context.Context, auth authn.Authenticator, more []remote.Option) []remote.Option {
	return append([]remote.Option{remote.WithContext(ctx), remote.WithAuth(auth)}, more...)
}

// absent says whether a registry answered that it does not have what was asked for.
func absent(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
