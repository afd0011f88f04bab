package enrol

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A desk issues certificates as the API does, for whoever knows the token; e2e has the
// real one.
type desk struct {
	*httptest.Server
	ca  *pkitest.Authority
	pin string

	mu     sync.Mutex
	refuse bool // guarded by mu
	asked  int  // guarded by mu
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{ca: pkitest.New(t)}
	d.Server = httptest.NewUnstartedServer(d)
	cert, err := tls.LoadX509KeyPair(d.ca.Server("centre"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificates(d.ca.PEM())
	if err != nil {
		t.Fatal(err)
	}
	cert.Certificate = append(cert.Certificate, ca[0].Raw)
	d.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	d.StartTLS()
	t.Cleanup(d.Close)
	sum := sha256.Sum256(ca[0].Raw)
	d.pin = hex.EncodeToString(sum[:])
	return d
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	var e pki.Enrolment
	var n pki.Renewal
	name := "pi-7"
	var err error
	request := func() string { return e.Request }
	if strings.HasSuffix(r.URL.Path, "/renew") {
		err = json.NewDecoder(r.Body).Decode(&n)
		if _, old, bad := n.Check(); err == nil && bad == nil {
			name, request = old.Subject.CommonName, func() string { return n.Request }
		} else {
			err = errors.Join(err, bad)
		}
	} else if err = json.NewDecoder(r.Body).Decode(&e); err == nil && e.Token != "open sesame" {
		err = errors.New("the token is unknown")
	}
	if err != nil || d.refuse {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]string{"detail": "no entry"})
		return
	}
	req, err := pki.CheckRequest(request())
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	issued, err := d.ca.Issue(req, name, time.Now())
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(pki.Grant{Edge: name, Certificate: string(issued.PEM), Authority: string(d.ca.PEM()), NotAfter: issued.NotAfter})
}

func (d *desk) set(refuse bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = refuse
}

func (d *desk) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *desk) enrol(t *testing.T, dir string) *Identity {
	t.Helper()
	id, err := Enrol(t.Context(), Request{Centre: d.URL + "/", Token: " open sesame\n", Pin: d.pin, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEnrol(t *testing.T) {
	d, dir := openDesk(t), Dir(t.TempDir())
	if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	id := d.enrol(t, dir)
	if id.Edge() != "pi-7" || id.Centre() != d.URL || time.Until(id.RenewAt()) < 58*24*time.Hour || time.Until(id.RenewAt()) > 60*24*time.Hour {
		t.Errorf("%s from %s, renewed at %s", id.Edge(), id.Centre(), id.RenewAt())
	}
	again, err := Open(dir)
	if err != nil || again.Edge() != "pi-7" || !again.NotAfter().Equal(id.NotAfter()) {
		t.Fatalf("opened again: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
	// The pair logs in where our authority is asked for.
	cert, err := tls.LoadX509KeyPair(d.ca.Server("broker"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.TLS.PeerCertificates[0].Subject.CommonName))
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: d.ca.Pool()}
	srv.StartTLS()
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: again.TLS(nil), DisableKeepAlives: true}}
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if name, err := io.ReadAll(resp.Body); err != nil || string(name) != "pi-7" {
		t.Errorf("logged in as %q: %v", name, err)
	}
}

func TestEnrolmentsThatFail(t *testing.T) {
	d := openDesk(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	redirect := httptest.NewServer(http.RedirectHandler(d.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()
	other := strings.Repeat("ab", 32)
	for want, r := range map[string]Request{
		"want https":                   {Centre: "http://city.example", Token: "x"},
		`"city.example"`:               {Centre: "city.example", Token: "x"},
		"token: empty":                 {Centre: d.URL, Token: " "},
		`ca-pin: "abc"`:                {Centre: d.URL, Token: "x", Pin: "abc"},
		"none of the 2 certificates":   {Centre: d.URL, Token: "x", Pin: other},
		"certificate signed by":        {Centre: d.URL, Token: "x"},
		"refuses (403): no entry":      {Centre: d.URL, Token: "x", Pin: "SHA256:" + strings.ToUpper(d.pin[:2]) + ":" + d.pin[2:]},
		"(404): is this the URL":       {Centre: plain.URL, Token: "x"},
		"(307): is this the URL":       {Centre: redirect.URL, Token: "x"},
		"connection refused":           {Centre: "http://127.0.0.1:1", Token: "x"},
		"make folder of the identity:": {Centre: d.URL, Token: "x", Pin: d.pin, Dir: "/dev/null/x"},
	} {
		if r.Dir == "" {
			r.Dir = t.TempDir()
		}
		if _, err := Enrol(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", r, err, want)
		}
		if _, err := os.Stat(filepath.Join(r.Dir, pairFile)); err == nil {
			t.Error("a pair was written")
		}
	}
}

// A renewal is used by connections that are made after it, and survives a restart; one
// that fails leaves everything as it was.
func TestRenew(t *testing.T) {
	d, dir := openDesk(t), t.TempDir()
	id := d.enrol(t, dir)
	cfg := id.TLS(nil)
	serial := func() string {
		pair, err := cfg.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pki.Serial(pair.Leaf.SerialNumber)
	}
	first := serial()
	d.set(true)
	var refused *RefusedError
	if err := id.Renew(t.Context()); !errors.As(err, &refused) || refused.Status != 403 || serial() != first {
		t.Errorf("refused: %v", err)
	}
	d.set(false)
	if err := id.Renew(t.Context()); err != nil || serial() == first {
		t.Fatalf("renewed: %v", err)
	}
	again, err := Open(dir)
	if err != nil || again.Edge() != "pi-7" {
		t.Fatal(err)
	}
	if pair, _ := again.current(); pki.Serial(pair.Leaf.SerialNumber) != serial() {
		t.Error("the renewed pair is not on disk")
	}
	if err := again.Renew(t.Context()); err != nil { // the fresh key is the one that signs
		t.Error(err)
	}
}

// After two thirds of its life the certificate is renewed; while the centre refuses it is
// asked again and again, ever more seldom, and the state says why.
func TestKeeper(t *testing.T) {
	d := openDesk(t)
	id := d.enrol(t, t.TempDir())
	pair, _ := id.current()
	first := pair.Leaf
	k := NewKeeper(id, nil, prometheus.NewRegistry())
	k.checkEvery, k.minPause, k.maxPause = time.Millisecond, time.Millisecond, 4*time.Millisecond
	var mu sync.Mutex
	ahead := 59 * 24 * time.Hour
	k.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
	asked := d.times()
	d.set(true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	time.Sleep(20 * time.Millisecond)
	if n := d.times(); n != asked {
		t.Errorf("it was renewed too early, %d times", n-asked)
	}
	mu.Lock()
	ahead = 61 * 24 * time.Hour
	mu.Unlock()
	eventually(t, "three tries", func() bool { return d.times() >= asked+3 })
	eventually(t, "the reason", func() bool { _, err := k.State(); return err != nil && strings.Contains(err.Error(), "no entry") })
	d.set(false)
	eventually(t, "a renewal", func() bool {
		pair, _ := id.current()
		notAfter, err := k.State()
		return err == nil && !notAfter.Before(first.NotAfter) && pair.Leaf.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Whatever is in the file, opening it is an identity or an error, and the error says what
// to do.
func TestDamagedIdentity(t *testing.T) {
	d, dir := openDesk(t), t.TempDir()
	d.enrol(t, dir)
	path := filepath.Join(dir, pairFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, len(whole) / 3, len(whole) / 2, len(whole) - 200} {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "enrol this edge again") {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, centreFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a damaged note was taken")
	}
}

// A box that wakes in 1970 can still verify the broker.
func TestClockOfAnUnsetBox(t *testing.T) {
	d := openDesk(t)
	id := d.enrol(t, t.TempDir())
	if now := id.TLS(nil).Time(); time.Since(now).Abs() > time.Minute {
		t.Errorf("with a good clock it is %s", now)
	}
	pair, _ := id.current()
	leaf := *pair.Leaf
	leaf.NotBefore = time.Now().Add(50 * 365 * 24 * time.Hour) // our clock is far behind
	id.mu.Lock()
	id.pair.Leaf = &leaf
	id.mu.Unlock()
	if now := id.TLS(nil).Time(); !now.Equal(leaf.NotBefore) {
		t.Errorf("with an unset clock it is %s", now)
	}
}
