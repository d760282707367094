package awstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Docker stands in for the docker command as the provider's plugin calls it: build, login, push and inspect. An image is one
// layer that holds the image's tag, which is the hash of the build context. work is a folder that all calls of a test share.
// build is called for each build, with the tag and the folder of the context.
func Docker(work string, args []string, build func(tag, folder string) error) error {
	last := args[len(args)-1]
	switch args[0] {
	case "build":
		return build(args[slices.Index(args, "-t")+1], last)
	case "login":
		password, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		// The plugin logs in and pushes for both images at once: a push must not read half a password.
		file, err := os.CreateTemp(work, "")
		if err != nil {
			return err
		}
		_, err = file.Write(bytes.TrimSpace(password))
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		return os.Rename(file.Name(), filepath.Join(work, "login-"+strings.TrimPrefix(last, "https://")))
	case "push":
		tag, image, err := builtImage(args[1])
		if err != nil {
			return err
		}
		password, err := os.ReadFile(filepath.Join(work, "login-"+tag.RegistryStr()))
		if err != nil {
			return err
		}
		return remote.Write(tag, image, remote.WithAuth(&authn.Basic{Username: "AWS", Password: string(password)}))
	case "inspect":
		tag, image, err := builtImage(last)
		if err != nil {
			return err
		}
		digest, err := image.Digest()
		if err == nil {
			fmt.Println(tag.Context().Digest(digest.String()))
		}
		return err
	}
	return fmt.Errorf("docker %s: the stand-in cannot do that", args[0])
}

func builtImage(reference string) (name.Tag, v1.Image, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return tag, nil, err
	}
	_, part, _ := strings.Cut(tag.RepositoryStr(), "/")
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(part+" "+tag.TagStr()), types.DockerLayer))
	return tag, image, err
}

var manifestPath = regexp.MustCompile(`^/v2/(.+)/manifests/(.+)$`)

// RecordPush reports a manifest that a request pushes to a registry to moto's ECR. It refuses one without a repository there,
// and a tag that would move. The request can still be served.
func RecordPush(ctx context.Context, settings aws.Config, r *http.Request) error {
	m := manifestPath.FindStringSubmatch(r.URL.Path)
	if r.Method != http.MethodPut || m == nil {
		return nil
	}
	manifest, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(manifest))
	_, err = ecr.NewFromConfig(settings).PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &m[1], ImageTag: &m[2], ImageManifest: aws.String(string(manifest)),
		ImageManifestMediaType: aws.String(r.Header.Get("Content-Type")),
		ImageDigest:            aws.String(fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))), // moto's own is of the layers
	})
	var there *ecrtypes.ImageAlreadyExistsException
	if errors.As(err, &there) {
		return nil
	}
	return err
}
