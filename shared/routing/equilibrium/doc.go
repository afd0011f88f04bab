// Package equilibrium says how drivers spread over a road network when each takes the way
// that is fastest for him: the user equilibrium of Wardrop, in which no used way between
// two places takes longer than another. It is what closing a road or adding demand leads
// to once everybody has found his way.
//
// Travel times rise with flow v: t = t0 (1 + B (v/c)^power). The equilibrium is the
// minimum of Beckmann's function; it is found by the bi-conjugate Frank-Wolfe method
// (Mitradjieva and Lindberg 2013), whose steps send all drivers over the ways that are
// fastest now, found with package cch.
//
// It promises that flows carry the whole demand that can be carried and name the rest;
// that Result.Gap is what was reached, also when it is not what was wanted; that zones
// which may not be passed through are not; and the same answer on any number of
// processors. It is static: it knows no time of day and no queues that spill back. The
// what-if of the API is what it is for.
package equilibrium
