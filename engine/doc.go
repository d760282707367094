// Package engine runs operations of the real Pulumi engine.
//
// A stack without a [Backend] is one directory and nothing outside of it: the state in the layout of Pulumi's file backend, the
// passphrase that encrypts the secrets in it, and the lock. Deleting the directory forgets the stack. Its engine runs in this
// process (package inprocess) and calls [Options.Providers]; it needs no CLI. Pulumi's own variables are removed from this
// process, so that no login, backend or passphrase of the caller reaches the stack.
//
// A stack with a [Backend] has its state in S3 and its secrets encrypted with KMS. Its engine is the Pulumi CLI, through the
// Automation API, with the caller's environment less Pulumi's own variables. The package finds, downloads or builds the CLI.
//
// The package lets one operation at a time change a stack, repairs what a killed operation left behind, and reports what was
// done as data. It knows neither the program that it runs nor where the resources live: the caller supplies both. It imports no
// other package of this module but inprocess.
package engine
