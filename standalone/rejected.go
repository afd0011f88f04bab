package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// listRejected is `cityflow rejected list`. It may be used while the same folder's
// `cityflow up` runs.
func listRejected(ctx context.Context, cmd *cli.Command) error {
	return besideStore(ctx, cmd, func(st *sqlite.Store, _ *slog.Logger) error {
		list, _, err := st.Rejected(ctx, store.Page{Limit: cmd.Int("limit")})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			_, err = fmt.Fprintln(cmd.Root().Writer, "nothing was rejected")
			return err
		}
		w := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "REJECTED AT\tFROM\tREASON\tDETAIL\tBEGINS WITH")
		for _, r := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%q\n", r.At.UTC().Format(time.RFC3339), r.Origin, r.Reason, r.Detail, r.Payload)
		}
		return w.Flush()
	})
}

// replayPage is how many records are judged again in one transaction.
const replayPage = 500

// replayRejected is `cityflow rejected replay`. It may be used while the same folder's
// `cityflow up` runs.
func replayRejected(ctx context.Context, cmd *cli.Command) error {
	return besideStore(ctx, cmd, func(st *sqlite.Store, _ *slog.Logger) error {
		r := replayer{store: st, rereader: collector.NewRereader(), refused: map[string]int{}}
		err := r.run(ctx)
		return cmp.Or(err, r.report(cmd.Root().Writer))
	})
}

// A replayStore is what a replay works on.
type replayStore interface {
	store.RejectedReader
	store.ReadingWriter
}

// A replayer offers what was refused once more.
type replayer struct {
	store    replayStore
	rereader *collector.Rereader

	taken    int
	appended store.Appended
	refused  map[string]int // by why
}

// run judges all records, a page in a transaction: what is taken leaves the list in the
// transaction that stores it, and is stored once however often it is offered.
func (r *replayer) run(ctx context.Context) error {
	page := store.Page{Limit: replayPage}
	for {
		list, next, err := r.store.Rejected(ctx, page)
		if err != nil {
			return err
		}
		if err := r.offer(ctx, list); err != nil {
			return err
		}
		if page.After = next; next == "" {
			return nil
		}
	}
}

func (r *replayer) offer(ctx context.Context, list []traffic.Rejected) error {
	var all store.Delivery
	for i := range slices.Backward(list) { // oldest first
		d, err := r.rereader.Reread(&list[i])
		if err != nil {
			r.refused[err.Error()]++
			continue
		}
		r.taken++
		all.Readings = append(all.Readings, d.Readings...)
		all.Rejected = append(all.Rejected, d.Rejected...)
		all.Gaps = append(all.Gaps, d.Gaps...)
		all.Settled = append(all.Settled, d.Settled...)
	}
	if len(all.Settled) == 0 {
		return nil
	}
	a, err := r.store.Append(ctx, all)
	r.appended.New += a.New
	r.appended.Duplicate += a.Duplicate
	return err
}

// report says what was taken and why the others were not, the most frequent reason first.
func (r *replayer) report(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "messages taken: %d; readings stored: %d, there before: %d\n", r.taken, r.appended.New, r.appended.Duplicate)
	left := 0
	for _, n := range r.refused {
		left += n
	}
	fmt.Fprintf(&b, "still refused: %d\n", left)
	reasons := slices.SortedFunc(maps.Keys(r.refused), func(x, y string) int {
		return cmp.Or(cmp.Compare(r.refused[y], r.refused[x]), strings.Compare(x, y))
	})
	for _, why := range reasons {
		fmt.Fprintf(&b, "%8d  %s\n", r.refused[why], why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
