// Package auth knows who somebody is: it checks passwords, issues short-lived
// access tokens (JWT) and rotating refresh tokens, and exchanges one-time login codes.
//
// It promises that passwords are kept only as argon2id hashes and refresh tokens only
// as SHA-256 hashes; that a login takes as long for an unknown e-mail address as for
// a wrong password; that hashing never takes more than a few cores and their memory;
// that a refresh token offered twice ends its whole family; and that an access token
// is accepted only with our algorithm, issuer, audience and an expiry.
//
// It does not know HTTP, limits no rates (limit does) and keeps no sessions: a
// logged-out access token lives until it expires. rest and live call it.
package auth
