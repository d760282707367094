// Package image names the two container images of a release, and reads what they are built from.
package image

import "strings"

// A Pair is one string for each of the two images: references (repository@sha256:...), repositories or digests.
type Pair struct {
	Django string `json:"django"`
	Nginx  string `json:"nginx"`
}

// Digests is the references without their repositories: what stays the same when a release goes from stack to stack.
func (p Pair) Digests() Pair { return Pair{digestOf(p.Django), digestOf(p.Nginx)} }

// Repositories is the references without their digests.
func (p Pair) Repositories() Pair { return Pair{repositoryOf(p.Django), repositoryOf(p.Nginx)} }

// At is the references of these digests in repositories.
func (p Pair) At(repositories Pair) Pair {
	return Pair{repositories.Django + "@" + p.Django, repositories.Nginx + "@" + p.Nginx}
}

func digestOf(reference string) string { _, digest, _ := strings.Cut(reference, "@"); return digest }
func repositoryOf(reference string) string {
	before, _, _ := strings.Cut(reference, "@")
	return before
}

// A Pinned release runs images that exist already. Nothing is built.
type Pinned struct {
	ID      string // in the ledger; "" if the digests come from the stack's configuration
	Digests Pair
	From    *Source // where the images are copied from; nil: the stack's own repositories hold them already
}

// A Source is where the images of a release are before they are copied.
type Source struct {
	Repositories Pair   // with their registry
	Profile      string // of the shared AWS configuration, to read them with; "" is the stack's own
}

// Tag is the tag of a copied image. It keeps the image out of reach of the lifecycle rule for untagged images.
func (p *Pinned) Tag() string { return "release-" + p.ID }

// AgainTag is the tag of an image that is deployed again. It keeps the image, whose first push may be long ago.
func AgainTag(digest string) string { return "again-" + strings.TrimPrefix(digest, "sha256:")[:20] }

// AgainTags matches every AgainTag in a lifecycle policy.
const AgainTags = "again-*"
