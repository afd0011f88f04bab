package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/daemon"
)

// brokerFlags are about who may connect to the edge's own broker, and how much of it one
// client may take.
func brokerFlags(set *daemon.Settings) []cli.Flag {
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	number := func(name string, value int, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	def := edgeBroker()
	return []cli.Flag{
		text("mqtt-addr", def.Addr, "`ADDRESS` that sensors publish to; one that other machines reach needs a way to log in"),
		text("mqtt-username", "", "`NAME` that any sensor or sign may log in with"),
		text("mqtt-password", "", "`PASSWORD` that goes with it"),
		text("mqtt-users", "", "`FILE` with users, their hashed passwords and rights; see the command user"),
		text("mqtt-tls-addr", "", "second `ADDRESS`, encrypted, such as :8883; needs a certificate"),
		text("mqtt-tls-cert", "", "`FILE` with the broker's certificate (PEM)"),
		text("mqtt-tls-key", "", "`FILE` with its key (PEM)"),
		text("mqtt-client-ca", "", "`FILE` with the authorities (PEM) whose certificates clients may log in with; the common name is the user"),
		&cli.BoolFlag{
			Name: "mqtt-client-required", Sources: set.Sources("mqtt-client-required"),
			Usage: "refuse clients of the encrypted address that have no certificate",
		},
		text("mqtt-client-crl", "", "`FILE` with the revocation list of these authorities, DER or PEM"),
		text("mqtt-client-role", string(def.TLS.Role), fmt.Sprintf("what clients with a certificate may: `ROLE`, one of %v", broker.Roles())),
		number("mqtt-max-clients", def.MaxClients, "`NUMBER` of clients, connected or remembered"),
		number("mqtt-max-packet-kib", int(def.MaxPacketBytes>>10), "`KiB` of the largest packet that is taken"),
		number("mqtt-max-waiting", int(def.MaxWaiting), "`NUMBER` of messages of one client that may wait for their acknowledgement"),
		number("mqtt-max-unacked", int(def.MaxUnacked), "`NUMBER` of messages on their way to one subscriber, or kept while it is away"),
		number("mqtt-max-outbound", def.MaxOutbound, "`NUMBER` of messages queued for one slow subscriber; each takes memory for every client, idle or not"),
		&cli.DurationFlag{
			Name: "mqtt-session-expiry", Value: def.SessionExpiry, Sources: set.Sources("mqtt-session-expiry"),
			Usage: "how long the session of a client that went away is kept",
		},
		&cli.DurationFlag{
			Name: "mqtt-connect-timeout", Value: def.ConnectTimeout, Sources: set.Sources("mqtt-connect-timeout"),
			Usage: "how long a new connection may take to say who it is",
		},
	}
}

// edgeBroker are the defaults of a broker near sensors.
func edgeBroker() broker.Config {
	cfg := broker.Default()
	// Each client's queue takes memory from the start; an edge has about 1,000 scores
	// to tell a subscriber at once, a whole city's broker has more.
	cfg.MaxOutbound = 1024
	cfg.UserRole = broker.RoleGateway
	return cfg
}

// brokerConfig reads the flags; what the broker checks itself is not checked here.
func brokerConfig(cmd *cli.Command) (broker.Config, error) {
	cfg := edgeBroker()
	cfg.Addr, cfg.UsersFile = cmd.String("mqtt-addr"), cmd.String("mqtt-users")
	user, password := cmd.String("mqtt-username"), cmd.String("mqtt-password")
	if (user == "") != (password == "") {
		return cfg, errors.New("mqtt-username and mqtt-password: only one is given: want both or neither")
	}
	if user != "" {
		cfg.Users = map[string]string{user: password}
	}
	cfg.TLS.Addr, cfg.TLS.CertFile, cfg.TLS.KeyFile = cmd.String("mqtt-tls-addr"), cmd.String("mqtt-tls-cert"), cmd.String("mqtt-tls-key")
	cfg.TLS.ClientCAFile, cfg.TLS.CRLFile = cmd.String("mqtt-client-ca"), cmd.String("mqtt-client-crl")
	cfg.TLS.Required, cfg.TLS.Role = cmd.Bool("mqtt-client-required"), broker.Role(cmd.String("mqtt-client-role"))
	cfg.MaxClients, cfg.MaxOutbound = cmd.Int("mqtt-max-clients"), cmd.Int("mqtt-max-outbound")
	cfg.SessionExpiry, cfg.ConnectTimeout = cmd.Duration("mqtt-session-expiry"), cmd.Duration("mqtt-connect-timeout")
	for name, into := range map[string]*uint16{"mqtt-max-waiting": &cfg.MaxWaiting, "mqtt-max-unacked": &cfg.MaxUnacked} {
		n := cmd.Int(name)
		if n < 1 || n > 1<<16-1 {
			return cfg, fmt.Errorf("%s: %d is not allowed: want 1 to 65535", name, n)
		}
		*into = uint16(n)
	}
	kib := cmd.Int("mqtt-max-packet-kib")
	if kib < 1 || kib > 256<<10 {
		return cfg, fmt.Errorf("mqtt-max-packet-kib: %d is not allowed: want 1 to 262144, the most that MQTT has", kib)
	}
	cfg.MaxPacketBytes = uint32(kib) << 10
	cfg.MaxWaitingBytes = max(cfg.MaxWaitingBytes, int64(cfg.MaxPacketBytes))
	return cfg, checkLogins(&cfg)
}

// checkLogins refuses an address that other machines reach when nobody on them could log
// in.
func checkLogins(cfg *broker.Config) error {
	if len(cfg.Users) > 0 || cfg.UsersFile != "" {
		return nil
	}
	for name, addr := range map[string]string{"mqtt-addr": cfg.Addr, "mqtt-tls-addr": cfg.TLS.Addr} {
		byCertificate := name == "mqtt-tls-addr" && cfg.TLS.ClientCAFile != ""
		if addr != "" && !byCertificate && !loopback(addr) {
			return fmt.Errorf("%s: %q is not allowed: other machines reach it, and nobody on them could log in: "+
				"give mqtt-users, or mqtt-username and mqtt-password, or an address of this machine only, such as 127.0.0.1:1883", name, addr)
		}
	}
	return nil
}

// loopback reports whether only this machine reaches an address; one that is wrong is left
// to whoever listens.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err != nil || host == "localhost" || (ip != nil && ip.IsLoopback())
}

// warnOfPlainPasswords tells an operator what everybody on the network can read.
func warnOfPlainPasswords(log *slog.Logger, cfg *broker.Config) {
	if !loopback(cfg.Addr) {
		log.Warn("passwords and readings on this address can be read on the way: use mqtt-tls-addr where that matters", "mqtt_addr", cfg.Addr)
	}
}

// userCommand manages the file of users.
func userCommand(set *daemon.Settings) *cli.Command {
	roles := fmt.Sprintf("what it may: `ROLE`, one of %v", broker.Roles())
	add := &cli.Command{
		Name: "add", Usage: "add a user, or replace it; the password is read from standard input", ArgsUsage: "NAME",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", Value: string(broker.RoleSensor), Usage: roles},
			&cli.StringSliceFlag{Name: "publish", Usage: "topic `FILTER` that it may publish to beyond its role's"},
			&cli.StringSliceFlag{Name: "subscribe", Usage: "topic `FILTER` that it may subscribe to beyond its role's"},
			&cli.BoolFlag{Name: "no-password", Usage: "for a user that logs in with a certificate"},
		},
		Action: addUser,
	}
	return &cli.Command{
		Name: "user", Usage: "manage the users of the edge's broker in the file that --mqtt-users names, or users.yaml in the data folder",
		Commands: []*cli.Command{add},
	}
}

func addUser(_ context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() != 1 {
		return errors.New("user add: want one name")
	}
	path := cmd.String("mqtt-users")
	if path == "" {
		path = filepath.Join(cmd.String("data-dir"), "users.yaml")
	}
	password := ""
	if !cmd.Bool("no-password") {
		in := io.Reader(os.Stdin)
		if cmd.Root().Reader != nil {
			in = cmd.Root().Reader
		}
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read password: %w", err)
		}
		if password = strings.TrimRight(line, "\r\n"); password == "" {
			return errors.New("password: empty: want it on standard input, or --no-password for a user with a certificate")
		}
	}
	name := cmd.Args().First()
	err := broker.AddUser(path, name, password, broker.User{
		Role: broker.Role(cmd.String("role")), Publish: cmd.StringSlice("publish"), Subscribe: cmd.StringSlice("subscribe"),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.Root().Writer, "%s is in %s; start the edge with --mqtt-users %s\n", name, path, path)
	return err
}
