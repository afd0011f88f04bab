package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func backend() storetest.Backend {
	return storetest.Backend{
		New: func(t testing.TB) string { return filepath.Join(t.TempDir(), "city #1?.db") },
		Open: func(ctx context.Context, address string) (store.Store, error) {
			return sqlite.Open(ctx, address, nil)
		},
	}
}

func TestStore(t *testing.T) { storetest.Test(t, backend()) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, backend()) }
