package operation

import (
	"context"
	"fmt"
	"strings"

	"slipway/engine"
	"slipway/internal/image"
	"slipway/release"
)

// A pinned release is deployed again, or in another stack, instead of one that is built.
type pinned struct {
	release release.Release
	running release.Release // what runs now; zero: nothing
	from    string          // the stack that it comes from; "": this one had it before
	images  image.Pair      // where they are there
	profile string          // of the shared AWS configuration, to read them with
}

// program is the release as the program takes it.
func (p *pinned) program() *image.Pinned {
	r := &image.Pinned{ID: p.release.ID, Digests: p.release.Images.Digests()}
	if p.from != "" {
		r.From = &image.Source{Repositories: p.images.Repositories(), Profile: p.profile}
	}
	return r
}

// suits reports whether the release can run as the stack is configured. A nil release is one that is built.
func (p *pinned) suits(t Target, c *configuration) error {
	if p == nil || p.release.Processor == "" || p.release.Processor == c.stack.Web.Architecture {
		return nil
	}
	return fmt.Errorf(
		"release %s was built for %s, and stack %s runs on %s: web.architecture must be the same in both stacks; nothing was done",
		p.release.ID, p.release.Processor, t.Stack, c.stack.Web.Architecture)
}

// again pins a release that this stack had before; "" pins none.
func again(ctx context.Context, t Target, id string) (*pinned, error) {
	if id == "" {
		return nil, nil
	}
	h, err := Releases(ctx, t)
	if err != nil {
		return nil, err
	}
	return pin(h, id)
}

// pin pins a release of the history of the stack that runs it again.
func pin(h release.History, id string) (*pinned, error) {
	r, err := h.Find(id)
	if err != nil {
		return nil, err
	}
	running, _ := h.Running()
	return &pinned{release: r, running: running}, nil
}

// imagesExist refuses a release whose images are not where it is to run, or where they are to be copied from. A destroy
// deletes the images of a stack, and a repository keeps only the newest hundred.
func (s *session) imagesExist(ctx context.Context, state engine.Checkpoint) error {
	p := s.pinned
	if p == nil {
		return nil
	}
	var here image.Pair // the repositories of this stack
	for _, r := range state.Managed() {
		switch url := r.Text("repositoryUrl"); {
		case r.Type != typeRepository:
		case strings.HasSuffix(url, "/django"):
			here.Django = url
		case strings.HasSuffix(url, "/nginx"):
			here.Nginx = url
		}
	}
	digests := p.release.Images.Digests()
	refuse := func(why string) error {
		return fmt.Errorf("release %s cannot run in stack %s: %s; nothing was changed", p.release.ID, s.target.Stack, why)
	}
	var from, to image.Pair
	if p.from != "" {
		from = digests.At(p.images.Repositories())
	}
	switch {
	case here.Django != "" && here.Nginx != "":
		to = digests.At(here)
	case p.from == "":
		return refuse("its images are gone, because the stack was destroyed with its repositories. " +
			"Next: slipway up" + s.target.Flags() + " builds what is in the folder; or promote the release from a stack that has it")
	}
	find := s.account.Find(s.origin())
	for _, one := range []struct{ from, to string }{{from.Django, to.Django}, {from.Nginx, to.Nginx}} {
		if err := find(ctx, one.from, one.to); err != nil {
			return refuse(err.Error())
		}
	}
	return nil
}
