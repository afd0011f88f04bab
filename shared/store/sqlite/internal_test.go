package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func openTemp(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "city.db")
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

func batch(n int) []traffic.Reading {
	out := make([]traffic.Reading, n)
	for i := range out {
		id := fmt.Sprintf("s%d", i%50)
		out[i] = traffic.Reading{
			At: time.Unix(1_700_000_000+int64(i/50)*60, 0), Sensor: traffic.SensorID(id), Road: traffic.RoadID("r" + id), Speed: traffic.Some(float64(i)),
		}
	}
	return out
}

// outside is a connection of some other program.
func outside(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	s, path := openTemp(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := outside(t, path).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, nil)
	if !errors.Is(err, store.ErrNewerSchema) {
		t.Fatalf("open: %v, want ErrNewerSchema", err)
	}
	for _, part := range []string{path, "version 99", fmt.Sprintf("up to %d", newestVersion(t))} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
}

// newestVersion is the number of the last migration.
func newestVersion(t *testing.T) (n int) {
	t.Helper()
	files, err := fs.Glob(migrations, "migration/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if _, err := fmt.Sscanf(path.Base(files[len(files)-1]), "%d_", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{text, "not a CityFlow database"},
		{filepath.Join(dir, "missing", "city.db"), "no such file or directory"},
		{dir, "is a directory"},
	} {
		s, err := Open(t.Context(), tt.path, nil)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("open %s: %v, want the path and %q", tt.path, err, tt.want)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	s, path := openTemp(t)
	if _, err := s.Append(t.Context(), store.Delivery{Readings: batch(10)}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if perm := info.Mode().Perm(); perm != 0o600 {
			t.Errorf("%s has mode %o, want 600", path+suffix, perm)
		}
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	s, path := openTemp(t)
	other := outside(t, path)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Append(t.Context(), store.Delivery{Readings: batch(10)})
	if err == nil || !strings.Contains(err.Error(), "locked by another process") {
		t.Fatalf("append to a locked file: %v", err)
	}
	// Reading goes on, and a caller need not wait that long.
	if _, err := s.Watermark(t.Context(), time.Now()); err != nil {
		t.Errorf("read from a locked file: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Append(ctx, store.Delivery{Readings: batch(10)}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 3*time.Second {
		t.Errorf("append with a deadline: %v after %s", err, time.Since(began))
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Append(t.Context(), store.Delivery{Readings: batch(10)}); err != nil || got.New != 10 {
		t.Errorf("append after the lock was gone: %+v, %v", got, err)
	}
}

// The write-ahead log is emptied even when there is always some reader in it, and a
// reader that does not end costs time but no data.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	s, path := openTemp(t)
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	add := func() {
		t.Helper()
		if _, err := s.Append(t.Context(), store.Delivery{Readings: batch(500)}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	reader := outside(t, path)
	if _, err := reader.Exec("BEGIN; SELECT count(*) FROM roads"); err != nil {
		t.Fatal(err)
	}
	s.writer.logLimit = 1
	add()
	if size() == 0 || s.writer.logLimit < maxLog/2 {
		t.Fatalf("log of %d bytes with a reader in it, next tried at %d", size(), s.writer.logLimit)
	}
	if _, err := reader.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.writer.logLimit = 1
	add()
	if size() != 0 || s.writer.logLimit != maxLog {
		t.Errorf("log of %d bytes, next tried at %d", size(), s.writer.logLimit)
	}
}

// A full disk is an error that changes nothing, and is over when there is room.
func TestFullDisk(t *testing.T) {
	s, _ := openTemp(t)
	limit := func(pages int) {
		err := s.write(t.Context(), "limit", func(ctx context.Context, w *writer) error {
			var n int
			return w.row(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil, &n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	_, err := s.Append(t.Context(), store.Delivery{Readings: batch(8_000)})
	if err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("append to a full disk: %v", err)
	}
	if at, err := s.Watermark(t.Context(), time.Now()); err != nil || !at.IsZero() {
		t.Errorf("after a failed append: newest reading at %s, %v", at, err)
	}
	limit(1 << 30)
	if got, err := s.Append(t.Context(), store.Delivery{Readings: batch(8_000)}); err != nil || got.New != 8_000 || len(got.Latest) != 50 {
		t.Errorf("append after room was made: %d new, %d states, %v", got.New, len(got.Latest), err)
	}
}

// No statement that readers use may walk through a table that grows for ever.
func TestPlansDoNotScanHistory(t *testing.T) {
	s, _ := openTemp(t)
	ask(t, s)
	scan := regexp.MustCompile(`^SCAN (r|p|c|t|x|traffic_raw|predictions|reroutes|traffic_slots)\b`)
	growing := regexp.MustCompile(`\b(traffic_raw|predictions|prediction_cycles|reroutes|traffic_slots)\b`)
	for text := range s.stmts {
		if !growing.MatchString(text) {
			continue
		}
		for _, step := range plan(t, s, text) {
			if scan.MatchString(step) || (step == "USE TEMP B-TREE FOR ORDER BY" && !strings.Contains(text, "r.status IN")) {
				t.Errorf("plan says %q for\n%s", step, text)
			}
		}
	}
}

func plan(t *testing.T, s *Store, text string) (steps []string) {
	t.Helper()
	st, err := s.read.Prepare("EXPLAIN QUERY PLAN " + text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer st.Close()
	err = each(t.Context(), st, make([]any, strings.Count(text, "?")), func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		steps = append(steps, detail)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return steps
}

// ask asks every kind of question, so that every statement is prepared.
func ask(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	now := time.Now()
	some := []traffic.RoadID{"r"}
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	for _, after := range []store.Cursor{"", cursor(t, now.UnixMicro(), "s")} {
		_, _, err := s.Readings(ctx, store.ReadingQuery{Road: "r", Page: store.Page{After: after}})
		note(err)
	}
	for _, roads := range [][]traffic.RoadID{nil, some, make([]traffic.RoadID, manyRoads)} {
		_, err := s.Buckets(ctx, store.BucketQuery{Roads: roads, From: now.Add(-time.Hour), To: now, Width: time.Minute})
		note(err)
	}
	for _, roads := range [][]traffic.RoadID{nil, some} {
		for _, model := range []string{"", "m"} {
			for _, to := range []time.Time{{}, now} {
				q := store.PredictionQuery{Roads: roads, Model: model, To: to}
				_, _, err := s.Predictions(ctx, q)
				note(err)
				_, _, err = s.LatestPredictions(ctx, q)
				note(err)
				q.Page.After = cursor(t, now.UnixMicro(), "r", 5, "m")
				_, _, err = s.Predictions(ctx, q)
				note(err)
			}
		}
	}
	_, err := s.Watermark(ctx, now)
	note(err)
	_, err = s.FirstSince(ctx, now)
	note(err)
	_, err = s.LastCycle(ctx, "m")
	note(err)
	_, _, err = s.Reroutes(ctx, store.RerouteQuery{Statuses: []traffic.RerouteStatus{traffic.RerouteProposed}})
	note(err)
	_, _, err = s.Reroutes(ctx, store.RerouteQuery{Route: "r"})
	note(err)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func cursor(t *testing.T, key ...any) store.Cursor {
	t.Helper()
	c, err := store.MakeCursor(key...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A file that was not closed is checked when it is opened, and one that is damaged is
// refused instead of answering wrongly.
func TestUncleanFileIsChecked(t *testing.T) {
	s, path := openTemp(t)
	if _, err := s.Append(t.Context(), store.Delivery{Readings: batch(5000)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path + ".copy")
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(data []byte, log string) error {
		t.Helper()
		copied := filepath.Join(t.TempDir(), "city.db")
		for name, content := range map[string][]byte{copied: data, copied + "-wal": []byte(log)} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		again, err := Open(t.Context(), copied, nil)
		if err == nil {
			again.Close()
		}
		return err
	}
	if err := reopen(data, "left over"); err != nil {
		t.Errorf("open a file in order: %v", err)
	}
	for i := len(data) / 2; i < len(data)*3/4; i++ {
		data[i] ^= 0x55
	}
	if err := reopen(data, "left over"); err == nil {
		t.Error("a damaged file was opened")
	}
	if err := reopen(data, ""); err != nil {
		t.Errorf("a file that was closed was checked: %v", err)
	}
}

// A file of the first version is brought up to date and answers as before.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.db")
	text, err := os.ReadFile("migration/00001_initial.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := outside(t, path)
	at := time.Date(2024, 5, 6, 8, 0, 1, 0, time.UTC)
	for _, sql := range []string{
		`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')))`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1)`,
		string(text),
		fmt.Sprintf(`INSERT INTO traffic_raw VALUES (%d, 's', %d, 'r', 50, NULL, 0.5, NULL, 0, 'e')`, slot(at.UnixMicro()), at.UnixMicro()),
		fmt.Sprintf(`INSERT INTO traffic_slots VALUES (%d, %d, %d)`, slot(at.UnixMicro()), at.UnixMicro(), at.UnixMicro()),
		`INSERT INTO road_sensors VALUES ('r', 's')`,
	} {
		if _, err := db.Exec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	db.Close()
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rs := []traffic.Reading{
		{At: at, Sensor: "s", Road: "r", Speed: traffic.Some(99)},
		{At: at.Add(time.Minute), Sensor: "s", Road: "r", Speed: traffic.Some(70)},
	}
	if got, err := s.Append(t.Context(), store.Delivery{Readings: rs}); err != nil || got.New != 1 {
		t.Fatalf("append to an upgraded file: %+v, %v", got, err)
	}
	for range 2 { // before and after averages were made
		bs, err := s.Buckets(t.Context(), store.BucketQuery{From: at.Truncate(time.Hour), To: at.Add(time.Hour), Width: 5 * time.Minute})
		if err != nil || len(bs) != 1 || bs[0].Samples != 2 || bs[0].Speed != traffic.Some(60) {
			t.Errorf("averages %+v: %v", bs, err)
		}
		if _, err := s.Maintain(t.Context(), time.Now(), store.Upkeep{}); err != nil {
			t.Fatal(err)
		}
	}
}
