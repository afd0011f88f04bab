package broker

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// A User is an entry of the file of users, which maps names to them.
type User struct {
	Role Role `yaml:"role"`
	// Hash is the bcrypt hash of the password. Without one the user logs in with
	// a certificate only.
	Hash string `yaml:"password,omitempty"`
	// Publish and Subscribe are topic filters beyond those of the role.
	Publish   []string `yaml:"publish,omitempty"`
	Subscribe []string `yaml:"subscribe,omitempty"`
}

// The limits of a password; bcrypt reads no more than the upper one.
const (
	minPasswordBytes = 8
	maxPasswordBytes = 72
)

// bcryptCost makes a guess cost a Raspberry Pi a quarter of a second. Argon2 would be the
// choice on a server; the memory that makes it strong is what a small box has not.
const bcryptCost = 10

// dearest is the highest cost of the hashes of users, so that a name that nobody has takes
// as long to refuse as a wrong password.
func dearest(users map[string]User) int {
	cost := 0
	for _, u := range users {
		if c, err := bcrypt.Cost([]byte(u.Hash)); err == nil {
			cost = max(cost, c)
		}
	}
	return cmp.Or(cost, bcryptCost)
}

// AddUser adds a user to a file of users, or replaces the one of that name. The file is
// made where it is missing, readable by its owner only.
func AddUser(path, name, password string, u User) error {
	if name == "" || strings.ContainsAny(name, "+#/\x00") || len(name) > 128 {
		return fmt.Errorf("name of a user: %q is not allowed: want 1 to 128 bytes without +, # and /", name)
	}
	if password != "" && (len(password) < minPasswordBytes || len(password) > maxPasswordBytes) {
		return fmt.Errorf("password: %d bytes are not allowed: want %d to %d, or none for a user with a certificate",
			len(password), minPasswordBytes, maxPasswordBytes)
	}
	if err := u.check(name); err != nil {
		return err
	}
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcryptCost)
		if err != nil {
			return fmt.Errorf("hash password: %w", err)
		}
		u.Hash = string(hash)
	}
	users, err := readUsers(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if users == nil {
		users = map[string]User{}
	}
	users[name] = u
	return writeUsers(path, users)
}

func (u *User) check(name string) error {
	if err := u.Role.check("role of " + name); err != nil {
		return err
	}
	for _, f := range append(append([]string{}, u.Publish...), u.Subscribe...) {
		if !validFilter(f) {
			return fmt.Errorf("topic filter of %s: %q is not allowed: want levels between /, + and # alone in theirs, # only at the end", name, f)
		}
	}
	if _, err := bcrypt.Cost([]byte(u.Hash)); u.Hash != "" && err != nil {
		return fmt.Errorf("password of %s: want a bcrypt hash, as user add writes it: %w", name, err)
	}
	return nil
}

func validFilter(f string) bool {
	levels := strings.Split(f, "/")
	for i, l := range levels {
		if strings.ContainsAny(l, "+#\x00") && l != "+" && (l != "#" || i < len(levels)-1) {
			return false
		}
	}
	return f != ""
}

func readUsers(path string) (map[string]User, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	var users map[string]User
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&users); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return nil, fmt.Errorf("read users %s: %w", path, err)
	}
	for name, u := range users {
		if err := u.check(name); err != nil {
			return nil, fmt.Errorf("read users %s: %w", path, err)
		}
	}
	return users, nil
}

func writeUsers(path string, users map[string]User) (err error) {
	text, err := yaml.Marshal(users)
	if err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error says what matters
		return fmt.Errorf("write users: %w", err)
	}
	return nil
}
