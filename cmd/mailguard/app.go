package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"mailguard/admin"
	"mailguard/config"
	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/member"
	"mailguard/proxy"
	"mailguard/proxy/pop3"
	"mailguard/release"
	"mailguard/tlsconf"
)

// app is a running server: everything that a configuration asks for, wired.
type app struct {
	config    *config.Config
	log       zerolog.Logger
	ledger    *ledger.Ledger
	guard     *guard.Guard
	releaser  *release.Releaser
	upstreams []*pop3.Upstream
	servers   []*proxy.Server
	admin     *http.Server
	socket    net.Listener
}

// newApp builds a server and opens its listeners. Nothing is served yet.
func newApp(ctx context.Context, c *config.Config, log zerolog.Logger) (*app, error) {
	a := &app{config: c, log: log}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) build(ctx context.Context) (err error) {
	c := a.config
	if a.ledger, err = ledger.Open(ctx, ledger.Options{Path: c.Ledger.Path, Now: time.Now, Log: a.log}); err != nil {
		return err
	}
	a.guard, a.releaser = newGuard(c, a.ledger, a.log)
	if a.upstreams, err = newUpstreams(c); err != nil {
		return err
	}
	if err := a.listen(); err != nil {
		return err
	}
	if a.socket, err = admin.Listen(c.Admin.Socket); err != nil {
		return err
	}
	a.admin = &http.Server{Handler: admin.Handler(newReader(c, a.ledger, a.guard, a.releaser)), ReadHeaderTimeout: adminTimeout}
	return nil
}

const adminTimeout = 10 * time.Second

// newGuard returns the parts that decide, over a ledger.
func newGuard(c *config.Config, l *ledger.Ledger, log zerolog.Logger) (*guard.Guard, *release.Releaser) {
	g := guard.New(guard.Options{
		Ledger: l, Policy: c.Policy, Mode: c.Mode, Mailboxes: guard.NewDirectory(c.Mailboxes), LearnFor: c.LearnFor,
		ReadOn: c.LedgerReadonly == config.ReadonlyRead, Now: time.Now, Log: log,
	})
	return g, release.New(release.Options{Ledger: l, Policy: c.Policy, Mailbox: g.MailboxFacts, Now: time.Now})
}

func newReader(c *config.Config, l *ledger.Ledger, g *guard.Guard, r *release.Releaser) *admin.Reader {
	explain := func(ctx context.Context, h *ledger.Held) (ledger.Ruling, error) {
		return r.Explain(ctx, h, withoutFlags(c, h.Mailbox))
	}
	return &admin.Reader{Ledger: l, Explain: explain, Facts: g.MailboxFacts, Now: time.Now}
}

// withoutFlags reports whether a mailbox's upstream has no IMAP side, and so
// no flags that a release would have to read.
func withoutFlags(c *config.Config, m member.Mailbox) bool {
	for _, u := range c.Upstreams {
		if pop3.Fits(u.Domains, m.Domain()) {
			return u.IMAP == nil
		}
	}
	return false
}

// newUpstreams returns the upstreams that have a POP3 side.
func newUpstreams(c *config.Config) ([]*pop3.Upstream, error) {
	var all []*pop3.Upstream
	for _, u := range c.Upstreams {
		if u.POP3 == nil {
			continue
		}
		tls, err := tlsconf.Upstream(u.POP3.ServerName, u.CAFile)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
		}
		all = append(all, &pop3.Upstream{
			Name: u.Name, Domains: u.Domains, NoIMAP: u.IMAP == nil,
			AuthorizationIdentity: u.AuthorizationIdentity, Timeout: c.Limits.Upstream,
			Dialer: proxy.Dialer{
				Address: u.POP3.Address, Mode: proxy.TLSMode(u.POP3.TLS), TLS: tls, Timeout: c.Limits.Upstream,
			},
		})
	}
	return all, nil
}

// listen opens the listeners.
func (a *app) listen() error {
	slots := proxy.NewSlots(a.config.Limits.Connections)
	for _, l := range a.config.Listeners {
		server, err := a.listenPOP3(l, slots)
		if err != nil {
			return err
		}
		a.servers = append(a.servers, server)
	}
	return nil
}

func (a *app) listenPOP3(l config.Listener, slots *proxy.Slots) (*proxy.Server, error) {
	c := a.config
	options := pop3.Options{
		Guard: a.guard, Releaser: a.releaser, Members: member.NewResolver(c.Identity), Upstreams: a.upstreams,
		NeedsTLS: l.TLS == config.TLSStart, Now: time.Now, Log: a.log,
		Limits: pop3.Limits{
			Login: c.Limits.LoginTime, Handshake: c.Limits.Handshake, Idle: c.Limits.Idle, LockWait: c.Limits.POP3LockWait,
		},
	}
	server := proxy.ServerOptions{
		Implicit: l.TLS == config.TLSImplicit, Slots: slots, HandshakeTimeout: c.Limits.Handshake, Log: a.log,
	}
	if l.TLS != config.TLSNone {
		tls, err := tlsconf.Server(certificates(c), "pop3")
		if err != nil {
			return nil, err
		}
		server.TLS, options.STLS = tls, tls
	}
	server.Handler = pop3.NewHandler(options)
	var err error
	if server.Listener, err = net.Listen("tcp", l.Address); err != nil {
		return nil, err
	}
	a.log.Info().Str("protocol", string(l.Protocol)).Str("address", server.Listener.Addr().String()).
		Str("tls", string(l.TLS)).Msg("listening")
	return proxy.NewServer(server), nil
}

func certificates(c *config.Config) []tlsconf.Certificate {
	var all []tlsconf.Certificate
	for _, cert := range c.Certificates {
		all = append(all, tlsconf.Certificate{CertFile: cert.CertFile, KeyFile: cert.KeyFile})
	}
	return all
}

// logStart says what is served, and whether verdicts are carried out.
func (a *app) logStart() {
	e := a.log.Info().Str("config", a.config.Path).Str("ledger", a.config.Ledger.Path).
		Str("mode", string(a.config.Mode)).Int("upstreams", len(a.upstreams))
	if a.config.Mode == guard.Observe {
		e.Msg("serving: deletions pass and are recorded (mode: observe)")
		return
	}
	e.Msg("serving")
}
