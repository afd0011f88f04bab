package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A backup is the database of one moment, taken while it is written to.
func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), filepath.Join(dir, "city.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(n int) error {
		var d store.Delivery
		for i := range 100 { // a hundred readings of one time, all or none
			d.Readings = append(d.Readings, traffic.Reading{
				At: time.Unix(int64(1_770_000_000+n), 0).UTC(), Sensor: traffic.SensorID(fmt.Sprint("S", i)), Road: "R", Speed: traffic.Some(30),
			})
		}
		_, err := s.Append(t.Context(), d)
		return err
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for n := 1; err == nil; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
				err = put(n)
			}
		}
		ended <- err
	}()
	path := filepath.Join(dir, "copy.db")
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("writing during the backup: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v; want one that only its owner may read", info, err)
	}
	if err := s.Backup(t.Context(), path); err == nil {
		t.Error("a second backup overwrote the first")
	}
	if _, err := s.read.ExecContext(t.Context(), "DELETE FROM traffic_raw"); err == nil {
		t.Error("after a backup, readers may write")
	}
	c, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	n := 0
	err = c.ScanReadings(t.Context(), time.Time{}, time.Time{}, func(rs []traffic.Reading) error { n += len(rs); return nil })
	if err != nil || n == 0 || n%100 != 0 {
		t.Errorf("%d readings in the copy, %v; want whole hundreds", n, err)
	}
}

// Check finds what a disk did to the file.
func TestCheckFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.db")
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var d store.Delivery
	for i := range 5000 {
		d.Readings = append(d.Readings, traffic.Reading{At: time.Unix(int64(1_770_000_000+i), 0).UTC(), Sensor: "S", Road: "R", Speed: traffic.Some(30)})
	}
	if _, err := s.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Check(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(file) / 2; i < len(file); i += 4096 {
		copy(file[i:], "\xff\xff\xff\xff\xff\xff\xff\xff")
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, nil); err != nil {
		return // found even earlier
	}
	defer s.Close()
	if err := s.Check(t.Context()); err == nil {
		t.Error("half of the file is overwritten and nothing was found")
	}
}
