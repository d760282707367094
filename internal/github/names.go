// Package github calls GitHub's API, and has the forms of the names of repositories, branches and environments that roles
// may trust. No form admits a wildcard, a policy variable (${) or a colon, which divides the parts of a token's subject.
package github

import "regexp"

// Issuer signs the tokens that GitHub gives to workflow runs.
const Issuer = "token.actions.githubusercontent.com"

// The forms of names.
var (
	Repository  = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}$`) // owner/name
	Branch      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+@#=-]*(/[A-Za-z0-9_][A-Za-z0-9._+@#=-]*)*$`)
	Environment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}$`)
	// Provider is the ARN of an account's OIDC provider for GitHub.
	Provider = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:oidc-provider/` + regexp.QuoteMeta(Issuer) + `$`)
)
