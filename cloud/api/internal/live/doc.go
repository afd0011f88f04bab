// Package live shows what is happening now: it keeps the newest state of every road,
// the newest forecasts and the advice in force in memory (the Picture), follows the
// bus and the store (the Hub), and tells clients what changed, by WebSocket or as
// server-sent events.
//
// How news travels:
//
//	bus ──event──▶ Hub ──apply──▶ Picture ◀──read──  rest
//	store ──resync─┘                │ every tick: seq+1, the changed rows
//	                                ▼
//	                     signal (capacity 1) to each client
//	                                ▼
//	        client writer: "what changed after the seq that I sent last?"
//
// Every row of the picture remembers the seq of its last change. So a client needs no
// queue: when it is ready to be written to, it gets the rows that changed since, each
// once, in its newest form. A slow client gets fewer, larger steps; a client that
// resumes is only a very slow one; and the memory is one row a road whatever happens.
// Rows are encoded once, and a client that follows everything shares even the bytes of
// the whole message.
//
// It promises that a picture never shows an older reading after a newer one, that a
// loss on the bus is mended from the store, and that every write has a deadline. It is
// not a history: rest asks the store for that. The bus is a hint, so without it the
// hub reads the store every few seconds and says "degraded".
package live
