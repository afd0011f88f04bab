package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store"
)

// greet prints where everything is, for the person who started it.
func (h *house) greet(ctx context.Context, w io.Writer) error {
	page := fmt.Sprintf("http://%s/", reachable(h.web.Addr()))
	code, err := h.services.api.LoginCode(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		page += "  (no one-time link: nobody has the address of --admin-email)"
	case err != nil:
		return fmt.Errorf("make the login link: %w", err)
	default:
		page += fmt.Sprintf("#code=%s\n             (logs you in once, within ten minutes)", code)
	}
	if p := h.services.adminPassword; p != "" {
		page += fmt.Sprintf("\n  login      %s  password %s  (shown only now)", h.cmd.String("admin-email"), p)
	}
	dir, err := filepath.Abs(h.folder.path)
	if err != nil {
		dir = h.folder.path
	}
	_, err = fmt.Fprintf(w, `CityFlow %s
  dashboard  %s
  MQTT       mqtt://%s  topic cityflow/traffic/{sensor_id}
  readings   %s
  data       %s
`, daemon.Version(), page, reachable(addr(h.services.agent.Addr())), h.source.says, dir)
	return err
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

// reachable is an address that a browser on this machine can open.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
