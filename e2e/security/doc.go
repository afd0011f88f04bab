// Package security proves with the real programs and a real Mosquitto who gets in and who
// does not: an edge enrols and delivers over TLS, may publish below its own topic only,
// and is shut out when it was revoked. The broker's configuration is the one that
// docs/security.md shows.
package security
