// Package release holds the record of what was deployed: releases, deployments and their verdicts, in an append-only ledger
// in the bucket of the stack's state, and the rules about what may be promoted.
//
// A release of this project is two container images, Django's and nginx's, and the Git commit and migrations they were
// built from.
package release
