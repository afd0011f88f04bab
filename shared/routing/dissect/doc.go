// Package dissect finds the order in which a contraction hierarchy should take the
// nodes of a road network: by nested dissection. A few nodes, the separator, whose
// removal leaves two halves of similar size come last in the order; each half is
// ordered in the same way before them. The smaller the separators, the faster is
// everything that package cch does.
//
// How: nodes with one or two neighbours go first, a round of independent ones at a time,
// since they add nothing or one edge. What is left is cut by inertial flow (Schild and
// Sommer 2015): nodes are sorted along a direction, the first and the last quarter become
// source and sink, and the least cut between them is a maximum flow; the best of several
// directions is taken, and the smallest set of nodes that covers the cut is the
// separator. The two halves run in parallel. Pieces of up to eight nodes are ordered by
// least degree.
//
// It promises the same order for the same graph, positions and seed, on any number of
// processors; that every graph has an order, also one in pieces, with nodes at the same
// place, or without positions: then distances from a few far nodes, counted in edges,
// stand in for them. It does not look at weights or directions of edges, so one order
// serves every metric. cch.New is what the order is for.
package dissect
