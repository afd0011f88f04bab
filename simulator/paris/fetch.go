package paris

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// The limits of the records endpoint.
const (
	pageSize  = 100
	maxWindow = 10000
	// pagePause is the time between two pages, for the server's sake.
	pagePause = 200 * time.Millisecond
	// firstPaged is how many hours a first poll reads where only paging works: each
	// takes some 34 requests.
	firstPaged = 3 * time.Hour
)

// fields is what is asked for: the geometry comes with the reference, once.
const fields = "iu_ac,t_1h,q,k,libelle,iu_nd_amont,iu_nd_aval"

// A newest says where the feed has come to.
type newest struct {
	// Stamp is the newest t_1h, the end of an hour, and Total the number of records
	// of the data set: when both are as before, nothing was added.
	Stamp time.Time `json:"stamp"`
	Total int64     `json:"total"`
	ETag  string    `json:"etag"`
}

// newest asks how far the feed is; fresh is false when it is as far as before.
func (c *client) newest(ctx context.Context, before newest) (now newest, fresh bool, err error) {
	q := newestQuestion(c.cfg, &now)
	q.etag = before.ETag
	etag, fresh, err := c.ask(ctx, q)
	if err != nil || !fresh {
		return before, false, err
	}
	now.ETag = etag
	return now, !now.Stamp.Equal(before.Stamp) || now.Total != before.Total, nil
}

func newestQuestion(cfg Config, into *newest) question {
	return question{
		path:  cfg.Dataset + "/records",
		query: url.Values{"select": {"t_1h"}, "where": {"t_1h is not null"}, "order_by": {"t_1h desc"}, "limit": {"1"}},
		read:  func(body io.Reader) error { return readNewest(body, into) },
	}
}

func readNewest(body io.Reader, n *newest) error {
	var answer struct {
		Total   *int64 `json:"total_count"`
		Results []struct {
			Stamp time.Time `json:"t_1h"`
		} `json:"results"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return fmt.Errorf("want JSON of the Explore API: %w", err)
	}
	if answer.Total == nil || len(answer.Results) == 0 || answer.Results[0].Stamp.IsZero() {
		return errors.New("the answer has no newest hour: want total_count and results[0].t_1h")
	}
	n.Stamp, n.Total = answer.Results[0].Stamp.UTC(), *answer.Total
	return nil
}

// counts reads the records with after < t_1h <= upTo, sorted by time and arc. It asks
// for one export, and pages through the records where the portal has no exports.
func (c *client) counts(ctx context.Context, after, upTo time.Time, first bool) ([]parisfeed.Record, error) {
	recs, err := c.export(ctx, after)
	if err != nil {
		if ctx.Err() != nil || toldToStop(err) {
			return nil, err
		}
		c.log.Debug("the export does not work, paging through the records", "error", err)
		if first && upTo.Sub(after) > firstPaged {
			after = upTo.Add(-firstPaged)
		}
		var pageErr error
		if recs, pageErr = c.pages(ctx, after, upTo); pageErr != nil {
			return nil, errors.Join(err, pageErr)
		}
	}
	slices.SortStableFunc(recs, func(a, b parisfeed.Record) int {
		return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.Arc, b.Arc))
	})
	return recs, nil
}

// toldToStop reports an error that means "ask less", so paging would be wrong.
func toldToStop(err error) bool {
	var busy *busyError
	var status *statusError
	return errors.As(err, &busy) || errors.As(err, &status) && status.code == http.StatusTooManyRequests
}

// export asks for everything in one request: exports know no window.
func (c *client) export(ctx context.Context, after time.Time) ([]parisfeed.Record, error) {
	var recs []parisfeed.Record
	_, _, err := c.ask(ctx, question{
		path:  c.cfg.Dataset + "/exports/json",
		query: url.Values{"select": {fields}, "where": {"t_1h > " + dateLiteral(after)}, "timezone": {"UTC"}},
		read: func(body io.Reader) (err error) {
			recs, _, err = readRecords(body)
			return err
		},
	})
	return recs, err
}

// pages reads hour by hour, because a query may reach 10,000 records at most.
func (c *client) pages(ctx context.Context, after, upTo time.Time) ([]parisfeed.Record, error) {
	var all []parisfeed.Record
	for stamp := after.Add(time.Hour); !stamp.After(upTo); stamp = stamp.Add(time.Hour) {
		for offset, total := 0, 1; offset < total; offset += pageSize {
			if offset+pageSize > maxWindow {
				return nil, fmt.Errorf("%d records of the hour %s: the API pages through %d at most", total, stamp, maxWindow)
			}
			page, n, err := c.page(ctx, stamp, offset)
			if err != nil {
				return nil, err
			}
			all, total = append(all, page...), n
			if len(page) == 0 {
				break
			}
			if err := sleep(ctx, pagePause); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (c *client) page(ctx context.Context, stamp time.Time, offset int) (recs []parisfeed.Record, total int, err error) {
	_, _, err = c.ask(ctx, question{
		path: c.cfg.Dataset + "/records",
		query: url.Values{
			"select": {fields}, "where": {"t_1h = " + dateLiteral(stamp)}, "order_by": {"iu_ac"}, "timezone": {"UTC"},
			"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)},
		},
		read: func(body io.Reader) (err error) {
			recs, total, err = readRecords(body)
			return err
		},
	})
	return recs, total, err
}

// readRecords reads a whole answer. Records that can't be read are kept as empty
// ones: they have no arc, and are rejected with the others that can't be used.
func readRecords(body io.Reader) ([]parisfeed.Record, int, error) {
	var recs []parisfeed.Record
	r := parisfeed.NewJSONReader(body)
	for {
		rec, err := r.Next()
		var bad *parisfeed.RecordError
		switch {
		case errors.Is(err, io.EOF):
			return recs, r.Total(), nil
		case err != nil && !errors.As(err, &bad):
			return nil, 0, err
		}
		recs = append(recs, rec)
	}
}

// dateLiteral writes a time for the API's query language.
func dateLiteral(t time.Time) string { return "date'" + t.UTC().Format(time.RFC3339) + "'" }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
