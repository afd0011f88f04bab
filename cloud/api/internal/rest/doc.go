// Package rest answers the HTTP requests of the API as openapi.yaml says: it checks
// who asks, how often and for what, asks the picture, the network or the store, and
// writes JSON or a problem.
//
// It promises that every route is in the document and the other way round, that every
// error is a problem and shows no internals, that no parameter is ignored, and that
// every request has a deadline, a bounded body and a request id. It decides nothing
// about traffic. The package api builds it.
package rest
