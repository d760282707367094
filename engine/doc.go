// Package release runs the program with the real Pulumi engine, through the Automation API.
//
// A stack is one directory and nothing outside of it: the engine's own file backend, the passphrase that encrypts the
// secrets in its state, the workspace with the configuration that the engine sees, the engine's home. Deleting the
// directory forgets the stack. The engine is told nothing of the caller's environment except where its temporary files
// go, so neither a cloud credential nor a Pulumi login can reach it.
//
// The package finds (or makes) the Pulumi CLI, lets one operation at a time touch a stack, repairs what a killed
// operation left behind, and reports what was done as data. It knows nothing of the program it runs, nor of where the
// resources live: the caller says both.
package release
