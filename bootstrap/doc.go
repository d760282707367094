// Package bootstrap lists what an AWS account needs before a stack can be deployed to it, and applies that list.
//
// It calls no API itself: an Account, real or modelled, says how each resource is found, created and set.
package bootstrap
