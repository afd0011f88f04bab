// Package routing answers which way through a road network costs least, exactly.
//
// A Graph is directed and compact; an edge is known by its number, which is the place
// the caller gave it, and so is a weight. Weights are unsigned integers in a unit that
// the caller chooses (CityFlow drives in milliseconds): they add up to the same sum in
// every order, so that every algorithm here gives the same answer to the last digit.
//
//	Graph ──dissect.Order──► order ──cch.New──► Hierarchy ──Customize──► Metric ──► answers
//	 once a network          seconds, kept       once a start  each minute           microseconds
//	                         in a file
//
// This package holds the graph, weights, and a search by Dijkstra's algorithm with
// optional lower bounds (A*): the plain truth that the fast way, package cch, is tested
// against, and the right tool where a search stays small or carries conditions that no
// hierarchy knows. dissect finds the order, cch is the customizable contraction
// hierarchy, turns makes a graph whose nodes are roads, for forbidden and slow turns.
//
// It promises: no answer when there is no way, rather than a panic or a large number;
// parallel edges, self-loops, weights of zero and graphs in pieces are all allowed; a
// closed road is one of weight Infinity. It knows no roads, speeds or positions on
// Earth: callers translate. They are the rerouter and the API.
package routing
