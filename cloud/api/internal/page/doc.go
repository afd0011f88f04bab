// Package page serves the dashboard's files to browsers: hashed assets for ever, the
// index never without asking, compressed forms where the build made them, and the
// index for every address that is the page's own to understand.
//
// It promises that a missing dashboard is said plainly instead of a blank page. It
// knows nothing of traffic and needs no login: the page asks for one.
package page
