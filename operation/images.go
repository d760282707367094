package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/cicd"
	"slipway/engine"
	"slipway/internal/image"
	"slipway/site"
)

// contexts reads what the images are built from, Django's first. There is nothing if the configuration names their digests.
func (c *configuration) contexts() ([]*image.Context, error) {
	if c.stack.Images.Released() {
		return nil, nil
	}
	var all []*image.Context
	builds, err := site.Builds(c.stack, c.root)
	if err != nil {
		return nil, fmt.Errorf("images: %w; nothing was done", err)
	}
	for _, b := range builds {
		read, err := b.Read()
		if err != nil {
			return nil, fmt.Errorf("images: %w; nothing was done", err)
		}
		all = append(all, read)
	}
	return all, nil
}

// reuse finds the images that the repositories hold already under the tags of these sources, although the state does not know
// them as built from these: the sources went back to what they were (a revert), or a run was killed after the push. They run
// again. A build would push another digest under the same tag, which ECR refuses (ImageTagAlreadyExistsException).
func (s *session) reuse(ctx context.Context) error {
	if len(s.contexts) == 0 {
		return nil
	}
	state, err := s.stack.Checkpoint(ctx)
	if errors.Is(err, engine.ErrNoStack) {
		return nil
	}
	if err != nil {
		return err
	}
	var pushed image.Pair
	for i, part := range []struct {
		name   string
		digest *string
	}{{"django", &pushed.Django}, {"nginx", &pushed.Nginx}} {
		repository, tag := cicd.RepositoryName(s.config.stack.Project, s.target.Stack, part.name), s.contexts[i].Tag()
		if builds(state, repository+":"+tag) {
			continue
		}
		if *part.digest, err = s.account.Contents().Tagged(ctx, repository, tag); err != nil {
			return fmt.Errorf("looking for the image %s:%s: %w", repository, tag, err)
		}
		if *part.digest != "" {
			s.target.Progress.Logf("The %s image of these sources was built before: it is used again.", part.name)
		}
	}
	s.program.Reuse(pushed)
	return nil
}

// builds reports whether an image was built under a name by the program that the state is of.
func builds(state engine.Checkpoint, name string) bool {
	for _, r := range state.Resources {
		if image, _ := r.Inputs["imageName"].(string); string(r.Type) == "docker:index/image:Image" && strings.HasSuffix(image, "/"+name) {
			return true
		}
	}
	return false
}
