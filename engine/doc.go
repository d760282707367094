// Package engine drives the real Pulumi engine through the Automation API.
//
// A local stack is one directory and nothing outside of it: the engine's file backend, the passphrase that encrypts the
// secrets in its state, the workspace with the configuration that the engine sees, and the engine's home. Deleting the
// directory forgets the stack. Of the caller's environment the engine sees only PATH, the locale and where temporary files
// go, so neither a cloud credential nor a Pulumi login can reach it. A stack with a [Backend] has its state in S3 and its
// secrets encrypted with KMS, and its engine gets the caller's environment without Pulumi's own variables.
//
// The package finds (or builds) the Pulumi CLI, lets one operation at a time change a stack, repairs what a killed
// operation left behind, and reports what was done as data. It knows neither the program that it runs nor where the
// resources live: the caller supplies both. It imports no other package of this module.
package engine
