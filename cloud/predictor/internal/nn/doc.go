// Package nn is the small neural network of the mlp model: one row of inputs and one
// learned vector per road in, one row of outputs out, float32 throughout.
//
//	inputs ─┐
//	        ├─► linear, ReLU ─► h ─►( dropout, linear, ReLU )─► + ─► … ─► linear ─► outputs
//	vector ─┘                     └───────────────────────────┘
//	                                      Blocks times
//
// The products of matrices are gonum's (blas32); the rest is written out here, and its
// gradient is tested against finite differences.
//
// It promises that the same seed and the same batches give the same weights, bit for
// bit, on any number of cores: a batch is cut into a fixed number of lanes whose
// gradients are added in a fixed order.
//
// It knows no roads beyond their index, no time and no files; package model feeds it.
package nn
