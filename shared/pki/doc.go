// Package pki is the identity of edges: the authority that signs their certificates,
// what an edge and the centre tell each other to get one, and the list of those that
// must no longer be taken.
//
// It promises that a certificate is issued only for a P-256 key whose owner signed the
// request, for the name that the caller decided on (never one that the request asks
// for), and for nothing but logging in as a client; that a renewal is signed by the
// key of the certificate it replaces; and that a revocation list is believed only
// with the signature of its authority.
//
// It keeps nothing and asks nobody: who may have a certificate is decided by cloud/api
// with the store's tables, edges keep theirs with edge/enrol, and edge/broker asks the
// revocation list at each connection.
package pki
