// Package verdict says whether the services of a stack run what its program declares, and if not, why.
//
// What should run is read from a checkpoint. What runs is read through an ECSReader, which is an AWS account or a model of
// one.
package verdict
