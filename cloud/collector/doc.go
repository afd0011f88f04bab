// Package collector receives what edges and sensors publish on the central MQTT
// broker and brings it into the store, each reading exactly once.
//
// It promises:
//
//   - A batch is acknowledged to its edge, and a message to the broker, only after
//     the transaction with its readings was committed.
//   - A message that can't be read is kept as a rejection and acknowledged: it stops
//     nobody. Readings that may not be stored are rejected one by one.
//   - A broker, store or bus that is gone ends nothing: the collector waits for it,
//     takes no more than a bounded number of messages meanwhile, and goes on.
//   - Any number of collectors share the load, each with its own Instance.
//
// It is not the judge of duplicates (the store is), keeps nothing on disk, and
// knows neither which store nor which bus it was given. cmd/collector runs it as a
// service, the standalone binary beside everything else.
package collector
