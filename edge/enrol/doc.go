// Package enrol gives an edge its identity: it exchanges an admin's one-time token for
// a certificate, keeps key and certificate on disk, and renews them in time.
//
// It promises that the key is made here and never leaves the box; that key and
// certificate are one file, readable by their owner only and replaced whole, so that a
// power cut leaves the old pair or the new one; that nothing is sent to a centre that
// is not the one it was told; and that a connection made after a renewal uses the new
// certificate, without a restart.
//
// It does not decide who may enrol (cloud/api does) and speaks no MQTT: edge/uplink takes
// the tls.Config. The command cmd/edge calls it.
package enrol
