// Package drift says how the resources of a stack differ from what its last operation left, and how bad each difference is.
//
// It compares values: the steps of a refresh, and the resources of two checkpoints. The caller's
// Rules say what is dangerous, and what AWS changes automatically.
package drift
