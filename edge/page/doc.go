// Package page is what the person who stands at the box sees in a browser: the last
// values of the sensors, the buffer, the link and why it is down, the clock, the
// certificate.
//
// It promises to change nothing, to need no script and nothing from another host, and to
// say how old each value is. It reloads itself every five seconds.
//
// It keeps nothing: it asks the agent at each request. cmd/edge serves it beside health
// and metrics.
package page
