// Package screen is what a terminal shows: a plan, the progress of an operation, tables. It gets plain values and knows
// neither the engine nor AWS.
package screen
