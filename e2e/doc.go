// Package e2e tests and measures CityFlow as its users meet it: the real binaries as
// child processes, real files replayed through the whole path, a real browser on the
// page. It is the one module beside standalone that may import several parts.
//
// The short tests run with `make test`, the long ones with `make e2e`, and the
// benchmark with `make bench-pipeline`.
package e2e
