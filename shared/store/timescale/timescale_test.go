package timescale_test

import (
	"context"
	"testing"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/storetest"
	"github.com/2zrhun/city-flow/shared/store/timescale"
)

// backend is a server of its own; each test gets a database in it.
func backend(t testing.TB, o rig.PostgresOptions) storetest.Backend {
	var server *rig.PostgresServer
	return storetest.Backend{
		New: func(tt testing.TB) string {
			if server == nil {
				server = rig.StartPostgres(t, o)
			}
			return server.Database(tt)
		},
		Open: func(ctx context.Context, address string) (store.Store, error) {
			return timescale.Open(ctx, address, nil)
		},
	}
}

func TestPlainPostgreSQL(t *testing.T) {
	storetest.Test(t, backend(t, rig.PostgresOptions{Plain: true}))
}
