// Package pkitest makes certificates for tests: an authority, servers and clients with
// their files. Tests of the broker, of enrolment and of the whole system call it.
package pkitest
