package broker

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// addUser hashes as cheaply as can be: under the race detector a real hash takes a second.
func addUser(t *testing.T, path, name, password string, u User) {
	t.Helper()
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		u.Hash = string(hash)
	}
	if err := AddUser(path, name, "", u); err != nil {
		t.Fatal(err)
	}
}

func TestAddUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	addUser(t, path, "loop-7", "correct horse", User{Role: RoleSensor})
	if err := AddUser(path, "sign-1", "battery staple", User{Role: RoleSign}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "staple") || !strings.Contains(string(text), "$2a$10$") {
		t.Errorf("the file: %v\n%s", err, text)
	}
	users, err := readUsers(path)
	if err != nil || len(users) != 2 || users["sign-1"].Role != RoleSign {
		t.Fatalf("%+v %v", users, err)
	}
	if bcrypt.CompareHashAndPassword([]byte(users["sign-1"].Hash), []byte("battery staple")) != nil {
		t.Error("the hash is of another password")
	}
	if got := dearest(users); got != bcryptCost {
		t.Errorf("a decoy costs %d, want %d", got, bcryptCost)
	}
}

func TestUsersFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	addUser(t, path, "loop-7", "correct horse", User{Role: RoleSensor})
	addUser(t, path, "sign-1", "battery staple", User{Role: RoleSign, Publish: []string{"cityflow/traffic/sign-1"}})
	addUser(t, path, "by-cert", "", User{Role: RoleGateway})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	cfg := Default()
	cfg.UsersFile, cfg.Users, cfg.UserRole = path, map[string]string{"plain": "secret"}, RoleGateway
	g, err := newGuard(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		may            string
	}{
		{"loop-7", "correct horse", "cityflow/traffic/loop-7"},
		{"loop-7", "correct horse", "cityflow/traffic/loop-7"}, // remembered
		{"loop-7", "wrong", ""},
		{"loop-7", "", ""},
		{"sign-1", "battery staple", "cityflow/traffic/sign-1"},
		{"sign-1", "correct horse", ""},
		{"plain", "secret", "cityflow/traffic/any"},
		{"plain", "correct horse", ""},
		{"by-cert", "", ""},
		{"nobody", "correct horse", ""},
	} {
		who, why := g.admit(login{local: true, name: c.name, password: []byte(c.password)})
		if (why == "") != (c.may != "") {
			t.Errorf("%s with %q: %q", c.name, c.password, why)
		}
		if c.may != "" && (!who.mayPublish(c.may) || who.mayPublish("cityflow/score/x") || who.name != c.name) {
			t.Errorf("%s may do something else", c.name)
		}
	}

	// A changed file counts without a restart; one that is wrong does not.
	addUser(t, path, "loop-7", "another one", User{Role: RoleSensor})
	waitUntil(t, "the new password", func() bool {
		_, why := g.admit(login{name: "loop-7", password: []byte("another one")})
		return why == ""
	})
	if _, why := g.admit(login{name: "loop-7", password: []byte("correct horse")}); why == "" {
		t.Error("the old password is still good")
	}
	if err := os.WriteFile(path, []byte("loop-7: {role: king}"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(watchUsers + 10*time.Millisecond)
	if _, why := g.admit(login{name: "loop-7", password: []byte("another one")}); why != "" {
		t.Errorf("a wrong file locks everybody out: %s", why)
	}
	if _, err := newGuard(&cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `"king"`) {
		t.Errorf("a start with a wrong file: %v", err)
	}
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestUsersThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	for want, c := range map[string]struct {
		name, password string
		user           User
	}{
		`"a/b"`:        {"a/b", "long enough", User{Role: RoleSensor}},
		`""`:           {"", "long enough", User{Role: RoleSensor}},
		"3 bytes":      {"a", "abc", User{Role: RoleSensor}},
		"73 bytes":     {"a", strings.Repeat("x", 73), User{Role: RoleSensor}},
		`"emperor"`:    {"a", "long enough", User{Role: "emperor"}},
		`"a/#/b"`:      {"a", "long enough", User{Role: RoleSensor, Publish: []string{"a/#/b"}}},
		`"loop+"`:      {"a", "long enough", User{Role: RoleSensor, Subscribe: []string{"loop+"}}},
		"bcrypt hash,": {"a", "", User{Role: RoleSensor, Hash: "plain"}},
	} {
		if err := AddUser(path, c.name, c.password, c.user); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s in it", c, err, want)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written")
	}
	if err := os.WriteFile(path, []byte("a: {role: sensor, colour: red}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := AddUser(path, "b", "long enough", User{Role: RoleSensor}); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("an unknown key: %v", err)
	}
}
