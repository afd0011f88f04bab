package timescale

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func queueBatches(b *pgx.Batch, ids []store.BatchID, now time.Time) {
	if len(ids) == 0 {
		return
	}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b store.BatchID) int {
		return cmp.Or(strings.Compare(string(a.Edge), string(b.Edge)), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq))
	})
	edges, epochs, seqs := batchColumns(ids)
	b.Queue(`INSERT INTO edge_batches (edge_id, epoch, seq, received_at)
		SELECT i.*, $4 FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS i ON CONFLICT DO NOTHING`,
		edges, epochs, seqs, now)
}

func batchColumns(ids []store.BatchID) (edges []string, epochs, seqs []int64) {
	return column(ids, func(id *store.BatchID) string { return row.Text(id.Edge) }),
		column(ids, func(id *store.BatchID) int64 { return int64(id.Epoch) }),
		column(ids, func(id *store.BatchID) int64 { return int64(id.Seq) })
}

// queueRejected keeps rejected messages, each once, and drops the oldest above the
// bound.
func queueRejected(b *pgx.Batch, rs []traffic.Rejected) {
	if len(rs) == 0 {
		return
	}
	type refusal = traffic.Rejected
	b.Queue(`INSERT INTO rejected (ts, edge_id, origin, payload, reason, detail, digest)
		SELECT ts, edge_id, origin, payload, reason, detail, digest
		FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::bytea[])
		WITH ORDINALITY AS i (ts, edge_id, origin, payload, reason, detail, digest, ord) ORDER BY ord ON CONFLICT DO NOTHING`,
		column(rs, func(r *refusal) time.Time { return row.Time(row.Micros(r.At)) }),
		column(rs, func(r *refusal) string { return row.Text(r.Edge) }),
		column(rs, func(r *refusal) string { return row.Text(r.Origin) }),
		column(rs, func(r *refusal) []byte {
			return append([]byte{}, r.Payload[:min(len(r.Payload), traffic.MaxRejectedPayload)]...)
		}),
		column(rs, func(r *refusal) string { return row.Text(r.Reason) }),
		column(rs, func(r *refusal) string { return row.Text(r.Detail) }),
		column(rs, row.Digest))
	b.Queue(`DELETE FROM rejected WHERE id <= (SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET $1)`, row.MaxRejected)
}

// queueSettled takes settled messages off the list.
func queueSettled(b *pgx.Batch, ids []string) {
	var numbers []int64
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil { // else none that was made here
			numbers = append(numbers, n)
		}
	}
	if len(numbers) > 0 {
		b.Queue(`DELETE FROM rejected WHERE id = ANY($1)`, numbers)
	}
}
