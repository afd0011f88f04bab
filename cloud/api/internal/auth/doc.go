// Package auth knows who somebody is: it checks passwords, issues short-lived
// access tokens (JWT) and rotating refresh tokens, exchanges one-time login codes, and takes
// API keys and tickets for streams.
//
// It promises that passwords are kept only as argon2id hashes and refresh tokens only
// as SHA-256 hashes; that a login takes as long for an unknown e-mail address as for
// a wrong password; that hashing never takes more than a few cores and their memory;
// that a refresh token offered twice ends its whole family; and that an access token
// is accepted only with our algorithm, issuer, audience and an expiry.
//
// While somebody calls Look every LookEvery, who was shut out or demoted is so everywhere
// within that time, without a question to the store for each request; when the store does
// not answer, what was known before holds.
//
// It does not know HTTP, limits no rates (limit does) and keeps no sessions: a
// logged-out access token lives until it expires. rest and live call it.
package auth
