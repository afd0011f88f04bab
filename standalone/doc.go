// Command cityflow is all of CityFlow in one process with one data folder: sources of
// readings, edge agent, broker, collector, SQLite store, predictor, rerouter, API and
// dashboard. It needs no server beside it.
//
// It is a composition root and nothing more: the same packages run as separate
// services in a cluster, and a reading passes the same stages here as there. The
// broker of the edge is also the central one; uplink and collector meet on it over
// loopback.
package main
