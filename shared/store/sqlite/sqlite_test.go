package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend gives each test a copy of a file that was migrated once: to migrate one takes
// longer than most tests. Files that begin with nothing have tests of their own.
func backend() storetest.Backend {
	template := sync.OnceValues(func() ([]byte, error) {
		folder, err := os.MkdirTemp("", "city")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(folder)
		path := filepath.Join(folder, "city.db")
		s, err := sqlite.Open(context.Background(), path, nil)
		if err != nil {
			return nil, err
		}
		if err := s.Close(); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	})
	return storetest.Backend{
		New: func(t testing.TB) string {
			path := filepath.Join(t.TempDir(), "city #1?.db")
			file, err := template()
			if err == nil {
				err = os.WriteFile(path, file, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			return path
		},
		Open: func(ctx context.Context, address string) (store.Store, error) {
			return sqlite.Open(ctx, address, nil)
		},
	}
}

func TestStore(t *testing.T) { storetest.Test(t, backend()) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, backend()) }
