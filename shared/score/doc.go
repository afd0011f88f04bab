// Package score turns what a detector measured into one number, the congestion
// score: 0 is free flow, 1 is standstill.
//
// V1 is the formula of the first CityFlow, kept bit for bit because the
// ewma-lr-v2 forecast and its history are defined on it. V2 is the score that
// people see: it measures speed against the road's own free flow and occupancy
// against the operator's bands. A Scorer fills it in for a stream of readings and
// learns each road's free flow and capacity on the way, in constant memory per
// road.
//
// The functions are deterministic: the same readings in the same order give the
// same scores, on amd64 and on arm64. Products that feed a sum are rounded
// explicitly, because Go may otherwise fuse them on one machine and not on another.
//
// The package keeps nothing on disk, and does not average over time (store
// buckets do) or look ahead (cloud/predictor does). Edge agents score readings
// before they are buffered; collectors score what reached them unscored.
package score
