package edge

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
)

// slowLink is what a mobile network leaves in a bad place: 64 kbit/s.
const slowLink = 64_000 / 8 // bytes per second

// TestSlowLink lets an edge catch up over a slow link with a backlog of some hundred
// readings while its sensors go on.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	c := startCentre(t)
	relay := rig.StartRelay(t, c.broker.Addr())
	relay.Limit(slowLink)
	relay.Freeze(true)
	agent := startEdge(t, programs+"edge", "tcp://"+relay.Addr(), t.TempDir())
	sensors, stop := startSensors(t, agent.MQTT, 50, 100*time.Millisecond)
	system.Eventually(t, "there is a backlog", func() bool { return acknowledged(sensors) >= 1000 })
	relay.Freeze(false)
	system.Within(t, 3*time.Minute, "batches are acknowledged", func() bool {
		return agent.Metric(t, "cityflow_edge_uplink_acked_batches_total") > 10
	})
	stop()
	c.wantStored(t, agent, sensors)
}

// inNamespace is set in the process that has a network of its own.
const inNamespace = "CITYFLOW_E2E_NAMESPACE"

// TestSlowLossyLink is the long form: 64 kbit/s, every fifth packet lost in either
// direction, made by the kernel in a network namespace in which the whole test runs
// again. It needs root.
func TestSlowLossyLink(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		if long() {
			runInNamespace(t)
		}
		return
	}
	c := startCentre(t)
	_, port, err := net.SplitHostPort(c.broker.Addr())
	if err != nil {
		t.Fatal(err)
	}
	// The collector shares the broker's port with the edge, so it is slow as well:
	// what arrives has crossed the bad link twice.
	for _, direction := range []string{"dport", "sport"} {
		command(t, "tc", "filter", "add", "dev", "lo", "parent", "1:", "protocol", "ip", "u32", "match", "ip", direction, port, "0xffff", "flowid", "1:10")
		command(t, "iptables", "-A", "INPUT", "-p", "tcp", "--"+direction, port, "-m", "statistic", "--mode", "random", "--probability", "0.2", "-j", "DROP")
	}
	agent := startEdge(t, programs+"edge", c.url(), t.TempDir())
	sensors, stop := startSensors(t, agent.MQTT, 20, time.Second)
	time.Sleep(2 * time.Minute)
	stop()
	c.wantStored(t, agent, sensors)
	t.Logf("%g connections, %g batches sent again", agent.Metric(t, "cityflow_edge_uplink_connects_total"),
		agent.Metric(t, "cityflow_edge_uplink_resent_batches_total"))
}

func runInNamespace(t *testing.T) {
	name := fmt.Sprintf("cityflow-%d", os.Getpid())
	command(t, "ip", "netns", "add", name)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	within := func(args ...string) []string { return append([]string{"ip", "netns", "exec", name}, args...) }
	command(t, within("ip", "link", "set", "lo", "up")...)
	command(t, within("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb", "default", "20")...)
	command(t, within("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", "1:20", "htb", "rate", "10gbit")...)
	command(t, within("tc", "class", "add", "dev", "lo", "parent", "1:", "classid", "1:10", "htb", "rate", "64kbit", "burst", "3k")...)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := within(self, "-test.run", "^TestSlowLossyLink$", "-test.v", "-test.timeout", "20m")
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("in the namespace:\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
