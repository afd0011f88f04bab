package upkeep

import (
	"context"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store"
)

func configured(t *testing.T, args ...string) (u store.Upkeep, err error) {
	t.Helper()
	var set daemon.Settings
	cmd := &cli.Command{Flags: Flags(&set), Action: func(_ context.Context, cmd *cli.Command) error {
		u, err = Configure(cmd)
		return nil
	}}
	if err := cmd.Run(t.Context(), append([]string{"x"}, args...)); err != nil {
		t.Fatal(err)
	}
	return u, err
}

func TestFlags(t *testing.T) {
	if u, err := configured(t); err != nil || u != store.DefaultUpkeep() {
		t.Errorf("without flags %+v, %v; want the default", u, err)
	}
	u, err := configured(t, "--keep-readings-days", "90", "--keep-averages-days", "730", "--keep-forecasts-days", "7", "--compress-after-days", "0")
	if want := (store.Upkeep{Raw: 90 * store.Day, FiveMinutes: 730 * store.Day, Forecasts: 7 * store.Day, Records: 90 * store.Day}); err != nil || u != want {
		t.Errorf("%+v, %v; want %+v", u, err, want)
	}
	for _, c := range []struct{ args, says string }{
		{"--keep-readings-days=-1", "keep-readings-days: -1 is not allowed"},
		{"--keep-readings-days=90 --keep-averages-days=30", "keep-averages-days: 30 is not allowed: want 0 or at least keep-readings-days, 90"},
		{"--keep-averages-days=730", "keep-averages-days: 730 is not allowed: want 0"},
		{"--keep-readings-days=90 --keep-averages-days=730 --keep-hourly-days=400", "keep-hourly-days: 400 is not allowed: want 0 or at least keep-averages-days, 730"},
	} {
		if _, err := configured(t, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", c.args, err, c.says)
		}
	}
}
