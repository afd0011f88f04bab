package system

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// StartTimeout bounds how long a binary may take to say where it listens. It is a
// guard against a hang, not a measurement.
const StartTimeout = 60 * time.Second

// A Process is one of CityFlow's binaries, running or ended.
type Process struct {
	// URL is where it serves HTTP, without a trailing slash.
	URL string
	// Code is the one-time login code of the printed link.
	Code string
	// MQTT is the broker's host:port.
	MQTT string
	// Started is when the child process was started, Printed when it said where it
	// listens.
	Started, Printed time.Time

	binary string
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // set before exited is closed
	mu     sync.Mutex
	log    bytes.Buffer // guarded by mu
	out    bytes.Buffer // guarded by mu
}

var (
	linkLine = regexp.MustCompile(`(http://[^\s/]+)/#code=(\S+)`)
	mqttLine = regexp.MustCompile(`mqtt://(\S+)`)
)

// Admin is the first account of every Process that Start starts.
const (
	AdminEmail    = "admin@example.org"
	AdminPassword = "correct horse battery"
)

// Start runs `binary up` with free ports, the data folder and the further arguments,
// and waits until it has said where it listens. The test's end kills it and prints its
// log when the test failed.
func Start(t testing.TB, binary, dataDir string, args ...string) *Process {
	t.Helper()
	p := Launch(t, binary, append([]string{
		"up", "--data-dir", dataDir, "--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0",
	}, args...)...)
	deadline := time.After(StartTimeout)
	for {
		out := p.Output()
		link, mqtt := linkLine.FindStringSubmatch(out), mqttLine.FindStringSubmatch(out)
		if link != nil && mqtt != nil {
			p.URL, p.Code, p.MQTT, p.Printed = link[1], link[2], mqtt[1], time.Now()
			return p
		}
		select {
		case <-p.exited:
			t.Fatalf("%s ended before it listened: %v\n%s", binary, p.err, p.Log())
		case <-deadline:
			t.Fatalf("%s did not say within %s where it listens\n%s", binary, StartTimeout, p.Log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Launch runs binary with args and does not wait for anything. The test's end kills
// it and prints its log when the test failed.
func Launch(t testing.TB, binary string, args ...string) *Process {
	t.Helper()
	p := &Process{binary: binary, args: args}
	p.launch(t)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("log of %s %v:\n%s", binary, args, p.Log())
		}
	})
	return p
}

// launch starts the child; an earlier one must have ended.
func (p *Process) launch(t testing.TB) {
	t.Helper()
	p.exited, p.Started = make(chan struct{}), time.Now()
	p.cmd = exec.Command(p.binary, p.args...)
	p.cmd.Env = append(os.Environ(), "CITYFLOW_ADMIN_EMAIL="+AdminEmail, "CITYFLOW_ADMIN_PASSWORD="+AdminPassword)
	p.cmd.SysProcAttr = childAttr()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.wait(stdout, stderr)
}

// wait reads both outputs to their end, as exec asks, before it reaps the child.
func (p *Process) wait(stdout, stderr io.Reader) {
	var readers sync.WaitGroup
	readers.Go(func() { p.copy(&p.out, stdout) })
	readers.Go(func() { p.copy(&p.log, stderr) })
	readers.Wait()
	p.err = p.cmd.Wait()
	close(p.exited)
}

func (p *Process) copy(dst *bytes.Buffer, src io.Reader) {
	lines := bufio.NewReader(src)
	for {
		line, err := lines.ReadBytes('\n')
		p.mu.Lock()
		dst.Write(line)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Output is what the process has printed to standard output so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Log is what the process has printed, standard output first.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String() + p.log.String()
}

// Kill ends the process at once, as a power cut would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // an error says that it is gone already
	<-p.exited
}

// Stop asks the process to end and fails the test when it does not end well.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(t); err != nil {
		t.Fatalf("stopped with %v\n%s", err, p.Log())
	}
}

// Wait returns how the process ended.
func (p *Process) Wait(t testing.TB) error {
	t.Helper()
	select {
	case <-p.exited:
		return p.err
	case <-time.After(StartTimeout):
		t.Fatalf("did not end within %s\n%s", StartTimeout, p.Log())
		return nil
	}
}

// ExitCode is how the process ended, -1 when a signal ended it.
func (p *Process) ExitCode(t testing.TB) int {
	t.Helper()
	var exit *exec.ExitError
	switch err := p.Wait(t); {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		t.Fatal(err)
		return -1
	}
}

// PeakRSS is the largest resident memory that the process has had, in bytes, as the
// kernel counted it.
func (p *Process) PeakRSS(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the kernel does not tell VmHWM")
	return 0
}
