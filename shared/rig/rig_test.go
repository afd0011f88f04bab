package rig_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
)

// envOrphan makes the test binary start a server, name it, and wait to be killed.
const envOrphan = "CITYFLOW_RIG_ORPHAN"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, dsn string, use func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(ctx)
	if err := use(ctx, conn); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	connect(t, dsn, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

func query(t *testing.T, dsn, sql string) string {
	t.Helper()
	var s string
	connect(t, dsn, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(&s)
	})
	return s
}

func TestPostgres(t *testing.T) {
	server := rig.StartPostgres(t, rig.PostgresOptions{Child: true})
	a, b := server.Database(t), server.Database(t)
	if a == b {
		t.Fatalf("two databases share the DSN %s", a)
	}
	execute(t, a, "CREATE TABLE x AS SELECT 'kept'::text AS v")
	if got := query(t, a, "SELECT v FROM x"); got != "kept" {
		t.Fatalf("got %q", got)
	}
	if got := query(t, server.Clone(t, a), "SELECT v FROM x"); got != "kept" {
		t.Fatalf("in a copy: got %q", got)
	}
	if got := query(t, b, "SELECT count(*)::text FROM pg_tables WHERE tablename = 'x'"); got != "0" {
		t.Errorf("the second database sees %s tables of the first", got)
	}
	if got := query(t, a, "SELECT ('b' > 'A' AND 'a' < 'B')::text"); got != "true" {
		t.Errorf("text sorts by byte, want the order of a language")
	}
	server.Kill(t)
	server.Start(t)
	if got := query(t, a, "SELECT v FROM x"); got != "kept" {
		t.Errorf("after a restart: got %q", got)
	}
}

func TestRedis(t *testing.T) {
	server := rig.StartRedis(t)
	opt, err := redis.ParseURL("redis://" + server.Addr() + "/0")
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opt)
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("ping: %v", err)
	}
	server.Stop(t)
	if c, err := net.Dial("tcp", server.Addr()); err == nil {
		c.Close()
		t.Error("a stopped server takes connections")
	}
	server.Start(t)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("ping after a restart: %v", err)
	}
}

func TestMosquittoAnswersConnect(t *testing.T) {
	conn, err := net.Dial("tcp", rig.Mosquitto(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	// CONNECT, MQTT 3.1.1, clean session, keep alive 60 s, client id "r".
	if _, err := conn.Write([]byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01r")); err != nil {
		t.Fatal(err)
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(conn, ack); err != nil || string(ack) != "\x20\x02\x00\x00" {
		t.Errorf("CONNACK = %x, %v", ack, err)
	}
}

// A test process that is killed must not leave its servers behind.
func TestServersDieWithTheTestProcess(t *testing.T) {
	if os.Getenv(envOrphan) != "" {
		os.Stdout.WriteString("ADDR " + rig.StartRedis(t).Addr() + "\n")
		time.Sleep(time.Minute)
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheTestProcess$")
	// Nobody is left to remove the server's folder but this test; the server's
	// user must be able to enter it.
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	c.Env = append(os.Environ(), envOrphan+"=1", "TMPDIR="+folder)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	addr := readAddr(out)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // "killed" is what we want
	if addr == "" {
		t.Fatal("the child named no server")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the server on %s outlived its test by 10 s", addr)
		}
	}
}

func readAddr(r io.Reader) string {
	var got []byte
	buf := make([]byte, 256)
	for {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if _, rest, ok := strings.Cut(string(got), "ADDR "); ok {
			if addr, _, ok := strings.Cut(rest, "\n"); ok {
				return addr
			}
		}
		if err != nil {
			return ""
		}
	}
}

// What a limited relay has passed on after a while is what its rate allows, give or take
// what may be on its way.
func TestRelayLimits(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r := rig.StartRelay(t, server.Addr().String())
	const rate, size = 1 << 20, 3 << 19 // 1.5 s
	r.Limit(rate)
	in, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	began := time.Now()
	go func() {
		_, _ = in.Write(make([]byte, size))
		in.Close()
	}()
	n, err := io.Copy(io.Discard, out)
	if least := time.Second * size / rate * 9 / 10; err != nil || n != size || time.Since(began) < least {
		t.Errorf("%d bytes, %v after %v; want %d and not before %v", n, err, time.Since(began), size, least)
	}
}
