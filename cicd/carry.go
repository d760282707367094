package cicd

import (
	"cmp"
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

	"slipway/internal/image"
)

// AWSCarrier copies images between ECR registries of any account and region, with the credentials that run Pulumi. They
// need ecr:GetAuthorizationToken, pull access to the source repositories (across accounts the repositories' policies must
// allow it as well) and push access to this stack's repositories. Layers that two repositories of one registry share are
// not uploaded again.
type AWSCarrier struct {
	Profile     string // of the shared AWS configuration, for this stack; default: the environment's
	FromProfile string // for the source of the release; default: Profile
}

// Carry implements Carrier.
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
		return keep(ctx, target, mine)
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
	return imageCopy{from: source, to: target, tag: tag, read: theirs, write: mine}.run(ctx)
}

// Find returns an error unless the image is at to, or at from if it is to be copied. It copies nothing; see Carry.
func (c AWSCarrier) Find(ctx context.Context, from, to string) error {
	if to != "" {
		if err := c.Carry(ctx, "", to, ""); err == nil || from == "" {
			return err
		}
	}
	source, err := name.NewDigest(from)
	if err != nil {
		return err
	}
	theirs, err := signIn(ctx, source.RegistryStr(), cmp.Or(c.FromProfile, c.Profile))
	if err != nil {
		return err
	}
	_, err = remote.Head(source, options(ctx, theirs, nil)...)
	if absent(err) {
		return fmt.Errorf("%s is not in the repository: deploy the release there again", source)
	}
	return err
}

var registryForm = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)

// signIn gets the token of a registry, which lasts twelve hours.
func signIn(ctx context.Context, registry, profile string) (authn.Authenticator, error) {
	m := registryForm.FindStringSubmatch(registry)
	if m == nil {
		return nil, fmt.Errorf("%s is not an ECR registry", registry)
	}
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(m[1]), config.WithSharedConfigProfile(profile))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	out, err := ecr.NewFromConfig(settings).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, fmt.Errorf("signing in to %s: %w", registry, err)
	}
	user, password, err := Login(out)
	if err != nil {
		return nil, fmt.Errorf("signing in to %s: %w", registry, err)
	}
	return &authn.Basic{Username: user, Password: password}, nil
}

// Login is the name and the password in ECR's token.
func Login(out *ecr.GetAuthorizationTokenOutput) (user, password string, err error) {
	if len(out.AuthorizationData) == 0 {
		return "", "", errors.New("ECR returned no token")
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	user, password, ok := strings.Cut(string(token), ":")
	if err != nil || !ok {
		return "", "", errors.New("the token does not have the form user:password")
	}
	return user, password, nil
}

// keep returns an error unless the registry has the image, and gives it the tag that keeps it: its first push may be long ago.
func keep(ctx context.Context, held name.Digest, auth authn.Authenticator, more ...remote.Option) error {
	target := options(ctx, auth, more)
	found, err := remote.Get(held, target...)
	if absent(err) {
		return fmt.Errorf("%s is not in the repository: promote the release again from a stack that has it", held)
	}
	if err != nil {
		return fmt.Errorf("looking for %s: %w", held, err)
	}
	tag := held.Context().Tag(image.AgainTag(held.DigestStr()))
	switch there, err := remote.Head(tag, target...); {
	case err == nil && there.Digest.String() == held.DigestStr():
		return nil
	case err != nil && !absent(err):
		return fmt.Errorf("looking for %s: %w", tag, err)
	}
	if err := remote.Tag(tag, found, target...); err != nil {
		return fmt.Errorf("keeping %s by the tag %s: %w", held, tag.TagStr(), err)
	}
	return nil
}

// An imageCopy copies an image, or an index of images for several architectures, byte by byte.
type imageCopy struct {
	from, to    name.Digest
	tag         string
	read, write authn.Authenticator
}

func (c imageCopy) run(ctx context.Context, more ...remote.Option) error {
	source, target := options(ctx, c.read, more), options(ctx, c.write, more)
	named := c.to.Context().Tag(c.tag)
	there, err := remote.Head(named, target...)
	switch {
	case err == nil && there.Digest.String() == c.to.DigestStr():
		return keep(ctx, c.to, c.write, more...)
	case err == nil:
		return fmt.Errorf("%s is already %s, and tags are immutable; the release is %s", named, there.Digest, c.to.DigestStr())
	case !absent(err):
		return fmt.Errorf("looking for %s: %w", named, err)
	}
	_, err = remote.Head(c.to, target...)
	if err != nil && !absent(err) {
		return fmt.Errorf("looking for %s: %w", c.to, err)
	}
	held := err == nil // by another tag
	found, err := remote.Get(c.from, source...)
	if absent(err) {
		return fmt.Errorf("%s is not in the repository: deploy the release there again", c.from)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.from, err)
	}
	if err := push(found, named, target); err != nil {
		return fmt.Errorf("copying %s to %s: %w", c.from, named, err)
	}
	if held {
		return keep(ctx, c.to, c.write, more...)
	}
	if _, err = remote.Head(c.to, target...); err != nil {
		return fmt.Errorf("%s was copied and cannot be found: %w", c.to, err)
	}
	return nil
}

// push writes an image, or an index with all of its images, under a tag.
func push(found *remote.Descriptor, tag name.Tag, target []remote.Option) error {
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return err
		}
		return remote.WriteIndex(tag, index, target...)
	}
	image, err := found.Image()
	if err != nil {
		return err
	}
	return remote.Write(tag, image, target...)
}

func options(ctx context.Context, auth authn.Authenticator, more []remote.Option) []remote.Option {
	return append([]remote.Option{remote.WithContext(ctx), remote.WithAuth(auth)}, more...)
}

// absent reports whether a registry answered 404.
func absent(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}
