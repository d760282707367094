package image

import "regexp"

// digest is how a registry names an image by its content.
const digest = `sha256:[0-9a-f]{64}`

// Digest is the form of a digest; Reference is that of repository@digest.
var (
	Digest    = regexp.MustCompile(`^` + digest + `$`)
	Reference = regexp.MustCompile(`^[a-z0-9][a-z0-9.:/_-]*@` + digest + `$`)
)
