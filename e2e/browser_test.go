package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// TestControlRoomInChromium lets a real browser log in to a running city, see coloured
// roads change, open one, and save screenshots to e2e/artifacts.
func TestControlRoomInChromium(t *testing.T) {
	root := system.Root(t)
	if _, err := os.Stat(filepath.Join(root, "dashboard", "dist", "index.html")); err != nil {
		t.Fatalf("the page is not built: run `make dashboard` first: %v", err)
	}
	shots := filepath.Join(root, "e2e", "artifacts")
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	p := system.Start(t, binary, t.TempDir(), "--source", "city", "--city-interval", "30s", "--city-demand", "1.3")
	system.Eventually(t, "the first roads are stored", func() bool {
		return p.Metric(t, "cityflow_collector_messages_stored_total") > 0
	})
	cmd := exec.CommandContext(t.Context(), "npm", "run", "--silent", "e2e")
	cmd.Dir = filepath.Join(root, "dashboard")
	cmd.Env = append(os.Environ(), "CITYFLOW_URL="+p.URL, "CITYFLOW_EMAIL="+system.AdminEmail,
		"CITYFLOW_PASSWORD="+system.AdminPassword, "CITYFLOW_SCREENSHOTS="+shots)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("browser tests: %v\n%s", err, out)
	}
	for _, name := range []string{"login.png", "map-light.png"} {
		if info, err := os.Stat(filepath.Join(shots, name)); err != nil || info.Size() < 10_000 {
			t.Errorf("screenshot %s: %v, %v", name, info, err)
		}
	}
}
