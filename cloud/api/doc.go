// Package api is the face of CityFlow for browsers and programs: REST, the live
// stream, accounts, the OpenAPI document and the dashboard's files, on one address.
//
// It promises what openapi.yaml says, to everybody the same. It reads the store, follows
// the bus, and keeps in memory only what is true now: the newest state of each road, the
// newest forecasts and the network. When the bus is gone it reads the store every few
// seconds and says so; when the store is gone it shows what it has and answers 503 for
// the rest.
//
// It computes no traffic: scores, forecasts and advice come from their own services.
// It does not know which store or bus it has. The composition roots call it: cmd/api
// and the standalone binary.
package api
