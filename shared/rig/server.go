package rig

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	// startAttempts covers a port that was taken between its choice and its use,
	// and the remains of a killed server that are still going.
	startAttempts = 10
	// logTail is how many bytes of a server's output are kept for a failed test.
	logTail = 8 << 10
)

// account is the user that a child process runs as.
type account struct{ uid, gid uint32 }

// command is how to run one kind of server.
type command struct {
	name  string
	path  string
	ready string // what the server writes once it takes connections
	stop  syscall.Signal
	// arguments makes the command line; it may write into the folder.
	arguments func(folder, port string) ([]string, error)
}

// A Server is a real server in a child process. Its methods are called from the
// test's own goroutine.
type Server struct {
	cmd    command
	owner  *account
	folder string
	port   string
	child  *child // nil while it is stopped
}

// Addr is the host:port that the server listens on; it stays the same over Stop,
// Kill and Start.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// start makes the folder, starts the server in it and stops it when t ends.
func start(t testing.TB, cmd command) *Server {
	t.Helper()
	owner, err := unprivileged()
	if err != nil {
		t.Fatalf("start %s: %v", cmd.name, err)
	}
	s := &Server{cmd: cmd, owner: owner}
	if err := s.makeFolder(); err != nil {
		t.Fatalf("start %s: %v", cmd.name, err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if err := os.RemoveAll(s.folder); err != nil {
			t.Errorf("remove folder of %s: %v", cmd.name, err)
		}
	})
	s.Start(t)
	return s
}

// makeFolder does not use t.TempDir, whose parents another user may not enter.
func (s *Server) makeFolder() error {
	folder, err := os.MkdirTemp("", "cityflow-"+s.cmd.name+"-")
	if err != nil {
		return err
	}
	s.folder = folder
	return s.own(folder)
}

// own gives a file or folder to the server's user.
func (s *Server) own(path string) error {
	if s.owner == nil {
		return nil
	}
	return os.Chown(path, int(s.owner.uid), int(s.owner.gid))
}

// Start starts a server that was stopped or killed, on the same port and folder,
// and waits until it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if s.child != nil {
		t.Fatalf("start %s: it is running", s.cmd.name)
	}
	fixed := s.port != ""
	var err error
	for range startAttempts {
		if !fixed {
			if s.port, err = freePort(); err != nil {
				break
			}
		}
		if err = s.launch(); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("start %s: %v", s.cmd.name, err)
}

func (s *Server) launch() error {
	args, err := s.cmd.arguments(s.folder, s.port)
	if err != nil {
		return err
	}
	c := exec.Command(s.cmd.path, args...)
	c.Dir = s.folder
	c.SysProcAttr = processAttr(s.owner, s.cmd.stop)
	ch := &child{cmd: c, out: &output{marker: []byte(s.cmd.ready), seen: make(chan struct{})}, ended: make(chan struct{})}
	c.Stdout, c.Stderr = ch.out, ch.out
	if err := ch.run(); err != nil {
		return err
	}
	select {
	case <-ch.out.seen:
		s.child = ch
		return nil
	case <-ch.ended:
		return fmt.Errorf("it ended at once (%s); it wrote:\n%s", ch.cmd.ProcessState, ch.out.tail())
	case <-time.After(startTimeout):
		ch.end(syscall.SIGKILL)
		return fmt.Errorf("not ready after %s; it wrote:\n%s", startTimeout, ch.out.tail())
	}
}

// Stop ends the server in an orderly way and waits for it. Stopping a stopped
// server does nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.finish(t, s.cmd.stop)
}

// Kill ends the server with SIGKILL, as a crash would, and waits for it.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.finish(t, syscall.SIGKILL)
}

// Reload sends SIGHUP, on which servers read their files again. It does not wait for
// that.
func (s *Server) Reload(t testing.TB) {
	t.Helper()
	if s.child == nil {
		t.Fatalf("reload %s: it is not running", s.cmd.name)
	}
	if err := s.child.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatalf("reload %s: %v", s.cmd.name, err)
	}
}

func (s *Server) finish(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.child == nil {
		return
	}
	ch := s.child
	s.child = nil
	if !ch.end(sig) {
		t.Errorf("%s did not stop within %s and was killed", s.cmd.name, stopTimeout)
	}
	if t.Failed() {
		t.Logf("last lines of %s:\n%s", s.cmd.name, ch.out.tail())
	}
}

// child is one run of a server.
type child struct {
	cmd   *exec.Cmd
	out   *output
	ended chan struct{}
}

// run starts the process on a thread of its own: the kernel's death signal is
// tied to the thread that started the child, so that thread stays until the end.
func (c *child) run() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = c.cmd.Wait() // the state of the process says more
		close(c.ended)
	}()
	return <-started
}

// end reports whether the signal was enough.
func (c *child) end(sig syscall.Signal) bool {
	// The process may have ended by itself; waiting says so.
	_ = c.cmd.Process.Signal(sig)
	select {
	case <-c.ended:
		return true
	case <-time.After(stopTimeout):
		_ = c.cmd.Process.Kill()
		<-c.ended
		return false
	}
}

// output keeps the tail of what a server writes and notices the line that says
// that it is ready. A port alone would not do: a stranger may have taken it.
type output struct {
	marker []byte
	seen   chan struct{}

	mu    sync.Mutex // guards everything declared below
	buf   []byte
	ready bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, p...)
	if !o.ready && bytes.Contains(o.buf, o.marker) {
		o.ready = true
		close(o.seen)
	}
	if len(o.buf) > 2*logTail {
		o.buf = append(o.buf[:0], o.buf[len(o.buf)-logTail:]...)
	}
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf[max(0, len(o.buf)-logTail):])
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// program finds an installed program in the folders given as patterns, later
// matches first, or in PATH; it fails the test when there is none.
func program(t testing.TB, name, pkg string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		// The patterns are constants, so Glob's only error cannot happen.
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed (looked in %s and PATH): apt-get install %s", name, strings.Join(patterns, ", "), pkg)
	}
	return path
}
