// Package limit bounds how often each client may ask: one token bucket a key, such as
// an address or a user, for a bounded number of keys.
//
// It promises constant memory: the key that was quiet longest is forgotten first, and
// then begins with a full bucket. It does not know HTTP; rest turns verdicts into
// 429 and RateLimit headers.
package limit
