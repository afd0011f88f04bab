// Package enrolment decides which edges get a certificate: an admin's invitation is
// exchanged for one, once; a certificate is exchanged for its successor; an edge that
// was revoked gets neither, and stands on the revocation list.
//
// It promises that an invitation's secret is kept only as a hash, compared in constant
// time, and used up in the transaction that stores the certificate; that the name in a
// certificate is the one that the admin gave; and that the list is signed anew when
// something was revoked, and every hour.
//
// It does not know HTTP and limits no rates; the cryptography is shared/pki's. rest
// calls it.
package enrolment
