// Package problem is how the API says that something went wrong: RFC 9457 problem
// details, one per kind of failure, written as application/problem+json.
//
// It promises that every problem names its kind, carries the request id and never
// shows an internal error text. It knows HTTP, but neither routes nor stores; rest
// and page call it.
package problem
