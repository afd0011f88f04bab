package paris

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api behaves like the portal: two data sets, pages of 100, a window of 10,000,
// ETags. It is a handler for a real server, and a transport for bubbles of synctest,
// where no packet may leave the process.
type api struct {
	mu        sync.Mutex
	records   []map[string]any
	reference string // GeoJSON
	noExports bool
	asked     []*url.URL
	agents    map[string]bool
	// spoil may answer instead; true means that it did.
	spoil func(w http.ResponseWriter, r *http.Request, n int) bool
}

// hour adds a record for each arc, with q = arc + hour of day.
func (a *api) hour(end time.Time, arcs ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, arc := range arcs {
		a.records = append(a.records, map[string]any{
			"iu_ac": strconv.Itoa(arc), "t_1h": end.UTC().Format("2006-01-02T15:04:05+00:00"), "q": float64(arc + end.Hour()), "k": 2.5,
			"libelle": fmt.Sprint("street ", arc), "iu_nd_amont": "1", "iu_nd_aval": "2", "etat_barre": "Ouvert",
		})
	}
}

func arcs(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result(), nil
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.URL)
	if a.agents == nil {
		a.agents = map[string]bool{}
	}
	a.agents[r.UserAgent()] = true
	if a.spoil != nil && a.spoil(w, r, len(a.asked)) {
		return
	}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/comptages-routiers-permanents/records"):
		a.answerRecords(w, r)
	case strings.HasSuffix(path, "/comptages-routiers-permanents/exports/json") && !a.noExports:
		answer(w, r, a.selected(r))
	case strings.HasSuffix(path, "/referentiel-comptages-routiers/exports/geojson") && a.reference != "":
		answer(w, r, json.RawMessage(a.reference))
	default:
		http.Error(w, `{"error_code":"NotFound"}`, http.StatusNotFound)
	}
}

func (a *api) answerRecords(w http.ResponseWriter, r *http.Request) {
	limit, errL := strconv.Atoi(r.FormValue("limit"))
	offset, _ := strconv.Atoi(r.FormValue("offset"))
	if errL != nil || limit > 100 || limit < 1 || offset+limit > 10000 {
		http.Error(w, `{"error_code":"InvalidRESTParameterError"}`, http.StatusBadRequest)
		return
	}
	rows := a.selected(r)
	total := len(rows)
	rows = rows[min(offset, total):min(offset+limit, total)]
	answer(w, r, map[string]any{"total_count": total, "results": rows})
}

// selected applies where, order_by and select, as far as they are used.
func (a *api) selected(r *http.Request) []map[string]any {
	rows := slices.Clone(a.records)
	if m := regexp.MustCompile(`^t_1h (>|=) date'([^']+)'$`).FindStringSubmatch(r.FormValue("where")); m != nil {
		at, err := time.Parse(time.RFC3339, m[2])
		if err != nil {
			panic(err)
		}
		rows = slices.DeleteFunc(rows, func(row map[string]any) bool {
			t, _ := time.Parse(time.RFC3339, row["t_1h"].(string))
			return m[1] == "=" && !t.Equal(at) || m[1] == ">" && !t.After(at)
		})
	} else if w := r.FormValue("where"); w != "" && w != "t_1h is not null" {
		panic("where " + w)
	}
	if by, desc := strings.CutSuffix(r.FormValue("order_by"), " desc"); by != "" {
		slices.SortStableFunc(rows, func(x, y map[string]any) int {
			c := strings.Compare(x[by].(string), y[by].(string))
			if desc {
				return -c
			}
			return c
		})
	}
	fields := strings.Split(r.FormValue("select"), ",")
	for i, row := range rows {
		some := map[string]any{}
		for _, f := range fields {
			some[f] = row[f]
		}
		rows[i] = some
	}
	return rows
}

// answer sends JSON with an ETag and honours If-None-Match.
func answer(w http.ResponseWriter, r *http.Request, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	etag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(b))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// took returns how many questions were asked since the last call, by kind.
func (a *api) took() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var newest, exports, pages, reference int
	for _, u := range a.asked {
		switch {
		case strings.Contains(u.Path, "referentiel"):
			reference++
		case strings.Contains(u.Path, "exports"):
			exports++
		case u.Query().Get("limit") == "1":
			newest++
		default:
			pages++
		}
	}
	a.asked = nil
	return fmt.Sprintf("newest %d, exports %d, pages %d, reference %d", newest, exports, pages, reference)
}
