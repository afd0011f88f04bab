package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/cloud/predictor"
	"github.com/2zrhun/city-flow/cloud/rerouter"
	"github.com/2zrhun/city-flow/dashboard"
	"github.com/2zrhun/city-flow/edge/agent"
	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/upkeep"
	"github.com/2zrhun/city-flow/simulator/publish"
)

// services are the parts that run.
type services struct {
	agent     *agent.Agent
	collector *collector.Collector
	predictor *predictor.Predictor
	rerouter  *rerouter.Rerouter
	api       *api.API
	publisher *publish.Publisher
	keeper    *upkeep.Keeper
	// authority signs the certificates of edges; edgeFiles are what the broker checks
	// them with.
	authority *pki.Authority
	edgeFiles api.EdgeFiles
	// checks are what /readyz asks beside the API's own.
	checks map[string]func(context.Context) error
	// adminPassword is the random password of the first admin, at the first start
	// without a password in the settings.
	adminPassword string
}

// commitInterval is how long readings wait for others before they are written to the
// buffer: on the disk of a town's server there is no SD card to spare.
const commitInterval = 20 * time.Millisecond

func (h *house) openServices() error {
	h.services.checks = make(map[string]func(context.Context) error)
	for _, open := range []func() error{
		h.openAuthority, h.openAgent, h.openCollector, h.openPredictor, h.openRerouter, h.openAPI, h.openPublisher, h.openKeeper,
	} {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) openAuthority() (err error) {
	h.services.authority, h.services.edgeFiles, err = api.EnsureEdgeAuthority(h.folder.path)
	return err
}

// forEdges is the encrypted port, at which edges deliver from elsewhere: this process is
// their centre. It is open to nobody else.
func (h *house) forEdges() broker.TLS {
	t := broker.Default().TLS
	t.Addr, t.CertFile, t.KeyFile = h.cmd.String("mqtt-tls-addr"), h.cmd.String("mqtt-tls-cert"), h.cmd.String("mqtt-tls-key")
	if t.Addr != "" {
		t.ClientCAFile, t.CRLFile = h.services.edgeFiles.Authority, h.services.edgeFiles.Revoked
		t.Required, t.Role = true, broker.RoleEdge
	}
	return t
}

func (h *house) openAgent() (err error) {
	cfg := agent.Default()
	cfg.Edge = traffic.EdgeID(h.cmd.String("edge-id"))
	cfg.Version = daemon.Version()
	cfg.Broker.Addr = h.cmd.String("mqtt-addr")
	cfg.Broker.TLS = h.forEdges()
	cfg.Buffer.Dir = h.folder.buffer()
	cfg.Buffer.CommitInterval = commitInterval
	// The centre is in this process: when it is not there, it soon will be.
	cfg.Uplink.MinPause, cfg.Uplink.MaxPause = 50*time.Millisecond, time.Second
	cfg.Uplink.ProbeTimeout = 50 * time.Millisecond
	user, password := h.cmd.String("mqtt-username"), h.cmd.String("mqtt-password")
	if (user == "") != (password == "") {
		return fmt.Errorf("mqtt-username and mqtt-password: only one is given: want both or neither")
	}
	if user != "" {
		cfg.Broker.Users = map[string]string{user: password}
	}
	h.services.agent, err = agent.New(cfg, h.log, h.proc.Metrics)
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("--mqtt-addr: %w", err)
	}
	if err != nil {
		return err
	}
	h.services.checks["buffer"] = h.services.agent.CheckBuffer
	h.services.checks["uplink"] = h.services.agent.CheckUplink
	return nil
}

func (h *house) openCollector() (err error) {
	cfg := collector.Default()
	cfg.BrokerURL = h.services.agent.LocalURL()
	cfg.Instance = h.cmd.String("edge-id")
	cfg.DirectTopics = false // the edge in this process takes them
	cfg.MaxDelay = 20 * time.Millisecond
	if h.services.collector, err = collector.New(cfg, h.store, h.bus, h.log, h.proc.Metrics); err != nil {
		return err
	}
	h.services.checks["collector"] = h.services.collector.BrokerReady
	h.services.checks["collector's store"] = h.services.collector.StoreReady
	return nil
}

func (h *house) openPredictor() (err error) {
	cfg := predictor.Default()
	cfg.Zone = h.cmd.String("tz")
	cfg.Holidays, cfg.Models = h.cmd.String("holidays"), h.cmd.StringSlice("models")
	cfg.Training.Off, cfg.Training.Dir = !h.cmd.Bool("train"), h.folder.models()
	h.services.predictor, err = predictor.New(cfg, predictor.Deps{Store: h.store, News: h.bus}, h.log, h.proc.Metrics)
	if err != nil {
		return err
	}
	h.services.checks["predictor"] = h.services.predictor.Ready
	return nil
}

func (h *house) openRerouter() (err error) {
	cfg := rerouter.Default()
	if cfg.Zone, err = time.LoadLocation(h.cmd.String("tz")); err != nil {
		return err
	}
	// A city without a network is complete without advice, so this is no check.
	h.services.rerouter, err = rerouter.New(cfg, h.store, h.bus, h.log, h.proc.Metrics)
	return err
}

func (h *house) openPublisher() (err error) {
	cfg := publish.DefaultConfig()
	cfg.BrokerURL = h.services.agent.LocalURL()
	h.services.publisher, err = publish.New(cfg, h.log, h.proc.Metrics)
	return err
}

func (h *house) openKeeper() error {
	how, err := upkeep.Configure(h.cmd)
	if err != nil {
		return err
	}
	h.services.keeper, err = upkeep.New(h.store, how, h.log, h.proc.Metrics)
	return err
}

func (h *house) openAPI() error {
	key, err := h.folder.secret()
	if err != nil {
		return err
	}
	cfg := api.Default()
	cfg.TokenKey = key
	cfg.AdminEmail, cfg.AdminPassword = h.cmd.String("admin-email"), h.cmd.String("admin-password")
	cfg.Registration = h.cmd.Bool("registration")
	h.services.api, err = api.New(cfg, api.Parts{
		Store: h.store, Bus: h.bus, Dashboard: dashboard.Files(), Metrics: h.proc.Metrics,
		Checks:   h.services.checks,
		EdgeCA:   h.services.authority,
		Announce: func(_, password string) { h.services.adminPassword = password },
	}, h.log, h.proc.Metrics)
	return err
}
