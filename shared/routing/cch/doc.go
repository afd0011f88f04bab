// Package cch is a customizable contraction hierarchy (Dibbelt, Strasser, Wagner 2014):
// shortest ways on a large road network in well under a millisecond, exactly, while
// weights change every minute.
//
// Three things, each built on the one before:
//
//   - A Hierarchy depends on the graph and an order of its nodes alone. It holds the
//     arcs that contracting the nodes in this order would leave, and never changes.
//     Save and Load keep the order, which is what takes long to find.
//   - A Metric is a hierarchy with weights: what each arc costs, made by Customize from
//     the triangles below it, or by Update from another metric of which few weights
//     changed. It never changes either, and has a version.
//   - A Router holds the newest metric, swaps it at once, and answers: every answer
//     names the version that it comes from.
//
// A query climbs from both ends to the root of the elimination tree; there is no
// priority queue. It costs the same wherever the ends lie, less when Ask.Limit is low.
//
// It promises the cost that Dijkstra's algorithm finds, to the last unit, and a way of
// the caller's edges that adds up to it; that Update gives the same metric as Customize
// with the same weights; Infinity and no way where there is none. Metric and Router may
// be used by many goroutines; a Query belongs to one.
//
// It does not know turns: package turns makes a graph in which roads are nodes. It does
// not know time: a metric is one moment. The rerouter and the API are the callers.
package cch
