// Package drift says how the resources of a stack differ from what its last operation left, and how bad each difference is.
//
// It compares values: the steps of a refresh, and the resources of two checkpoints. What is dangerous, and what AWS changes
// by itself, is a table of data (danger.go).
package drift
