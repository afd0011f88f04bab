// Package doctor examines a box and what it depends on, for the person who stands at it:
// disk, clock, ports, certificates, the way to the centre and back.
//
// It promises to change nothing but a few bytes in the data folder, which it removes, to
// disturb no agent that runs beside it, and to end within a minute. Each finding says
// what is so, and what to do where it is not well.
//
// It does not look into the buffer, and does not say whether sensors are sane: the status
// and the metrics of the agent do. The command cmd/edge calls it.
package doctor
