package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// contract is the output of an image that holds what is known about it, as JSON.
const contract = "contract"

// Push adds an image to the repository in name ("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1"), as a registry does at the
// end of a push. It ignores names in registries other than ECR.
func (a *Account) Push(name, digest string) error {
	host, repository, tag := splitImage(name)
	if !strings.Contains(host, ".dkr.ecr.") {
		return nil
	}
	if err := a.permitted(creates, &Object{Type: imageType, Outputs: map[string]any{"repository": repository}}, nil); err != nil {
		return err
	}
	a.mu.Lock()
	err := a.push(host, repository, tag, digest)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.flush()
}

func (a *Account) push(host, repository, tag, digest string) error {
	const action = "ecr:PutImage"
	if want := a.imageRegistry(); host != want {
		return &Error{Code: "RepositoryNotFoundException", Action: action,
			Message: fmt.Sprintf("The repository with name '%s' does not exist in the registry '%s'", repository, host),
			Why:     "the registry of this account and region is " + want}
	}
	r := a.find("name", repository, repositoryType)
	if r == nil {
		return &Error{Code: "RepositoryNotFoundException", Action: action,
			Message: fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", repository, a.AccountID),
			Why:     "no aws:ecr/repository:Repository of this stack has that name"}
	}
	id := repository + "@" + digest
	tags := []string{tag}
	outputs := map[string]any{"repositoryName": repository, "imageDigest": digest, "imageUri": host + "/" + id}
	for _, o := range a.list(imageType) {
		// The same digest is the same image, also in another repository.
		if text := o.Outputs[contract]; text != nil && o.Outputs["imageDigest"] == digest {
			outputs[contract] = text
		}
	}
	for _, o := range a.images(r) {
		held := Inputs(o.Outputs).Strings("imageTags")
		if o.ID == id {
			if slices.Contains(held, tag) {
				return nil
			}
			tags = append(held, tag)
			continue
		}
		if !slices.Contains(held, tag) {
			continue
		}
		if Inputs(r.Outputs).String("imageTagMutability") == "IMMUTABLE" {
			return &Error{Code: "ImageTagAlreadyExistsException", Action: action,
				Message: fmt.Sprintf("The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.",
					tag, repository), Why: "the tag names " + o.ID + "; the image to push is " + digest}
		}
		untagged := o.copy()
		untagged.Outputs["imageTags"] = clone(slices.DeleteFunc(held, func(t string) bool { return t == tag }))
		if err := a.put(untagged); err != nil {
			return err
		}
	}
	outputs["imageTags"] = tags
	return a.own(r, &Object{Type: imageType, ID: id, Outputs: outputs})
}

// Holds reports whether a repository of the account has an image (registry/repository@digest).
func (a *Account) Holds(reference string) bool {
	host, id, _ := strings.Cut(reference, "/")
	return host == a.imageRegistry() && a.Object(imageType, id) != nil
}

// InRegistry says whether an image is one of the account's own registry.
func (a *Account) InRegistry(reference string) bool {
	host, _, _ := strings.Cut(reference, "/")
	return host == a.imageRegistry()
}

// images are the images in a repository.
func (a *Account) images(repository *Object) []*Object {
	own := Key(repository.Type, repository.ID)
	return slices.DeleteFunc(a.list(imageType), func(o *Object) bool { return o.Owner != own })
}

// imageRegistry is the host name of the account's container registry.
func (a *Account) imageRegistry() string {
	return a.AccountID + ".dkr.ecr." + a.Region + "." + regions[a.Region].dnsSuffix()
}

// splitImage splits an image's name into registry host, repository, and tag (default latest) or digest.
func splitImage(name string) (host, repository, tag string) {
	rest := name
	if first, after, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		host, rest = first, after
	}
	if r, digest, ok := strings.Cut(rest, "@"); ok {
		return host, r, digest
	}
	if r, tag, ok := strings.Cut(rest, ":"); ok {
		return host, r, tag
	}
	return host, rest, "latest"
}
