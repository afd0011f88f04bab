// Package document turns the OpenAPI document into what is served: JSON for programs
// and one HTML page for people, which needs nothing from elsewhere and no script.
//
// It promises that both say what openapi.yaml says. It does not check requests; the
// tests of the api do.
package document
