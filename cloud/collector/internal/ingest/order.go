package ingest

// inOrder hands pieces on in the order of their tickets, without the void ones. No ticket
// may be missing; of those that wait for an earlier one there are fewer than decoders.
func inOrder(in <-chan piece, out chan<- piece) {
	early := make(map[uint64]piece, maxDecoders)
	next := uint64(1)
	for p := range in {
		early[p.ticket] = p
		for {
			p, ok := early[next]
			if !ok {
				break
			}
			delete(early, next)
			next++
			if !p.void {
				out <- p
			}
		}
	}
}
