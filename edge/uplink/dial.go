package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// dial connects to the broker within ConnectTimeout.
func dial(ctx context.Context, cfg *Config) (net.Conn, error) {
	addr, secure, err := cfg.address()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	if !secure {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	return dialTLS(ctx, cfg, addr)
}

// maxChain is how many certificates of one chain may tell that it must be later.
const maxChain = 4

// dialTLS verifies the broker's certificates at the time that the clock knows. A clock that
// knows no more than that it must be later than some moment, as on a box without a battery
// that was off for long, believes a certificate that begins to be valid after that moment:
// all of it is verified again as of its beginning.
func dialTLS(ctx context.Context, cfg *Config, addr string) (net.Conn, error) {
	own := cfg.TLS.Clone()
	if own == nil {
		own = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	at, known := cfg.now()
	own.Time = func() time.Time { return at }
	for tries := 1; ; tries++ {
		conn, err := (&tls.Dialer{Config: own}).DialContext(ctx, "tcp", addr)
		var invalid x509.CertificateInvalidError
		if err == nil {
			return conn, nil
		}
		early := errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotBefore.After(at)
		if known || !early || tries == maxChain {
			return nil, err
		}
		at = invalid.Cert.NotBefore
	}
}
