//go:build unix

// Package sandbox deploys a throwaway copy of the project to a real AWS account and removes it again: the acceptance test
// of an account, and of Slipway. It runs the slipway command as a user does, checks each step through the command's JSON
// and AWS's own APIs, records every AWS call, and always cleans up.
package sandbox
