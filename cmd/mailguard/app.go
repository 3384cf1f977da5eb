package main

import (
	"context"
	"errors"
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
	"mailguard/release"
)

// app is a running server: everything that a configuration asks for, wired.
type app struct {
	config    *config.Config
	log       zerolog.Logger
	ledger    *ledger.Ledger
	guard     *guard.Guard
	releaser  *release.Releaser
	service   *release.Service // nil: there is no service account
	upstreams upstreams
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
	if a.service, err = newService(c, a.guard, a.releaser, a.log); err != nil {
		return err
	}
	if err := a.listen(); err != nil {
		return err
	}
	if a.socket, err = admin.Listen(c.Admin.Socket); err != nil {
		return err
	}
	backend := newBackend(c, a.ledger, a.guard, a.releaser)
	backend.AsCopy = asCopy(a.service, a.ledger)
	a.admin = &http.Server{Handler: admin.Handler(backend), ReadHeaderTimeout: adminTimeout}
	return nil
}

const adminTimeout = 10 * time.Second

// newGuard returns the parts that decide, over a ledger.
func newGuard(c *config.Config, l *ledger.Ledger, log zerolog.Logger) (*guard.Guard, *release.Releaser) {
	g := guard.New(guard.Options{
		Ledger: l, Policy: c.Policy, Mode: c.Mode, Mailboxes: guard.NewDirectory(c.Mailboxes), LearnFor: c.LearnFor, AuditKeep: c.Audit.Keep,
		ReadOn: c.LedgerReadonly == config.ReadonlyRead, Now: time.Now, Log: log,
	})
	return g, release.New(release.Options{Ledger: l, Policy: c.Policy, Mailbox: g.MailboxFacts, Gone: g.Gone, Now: time.Now, Log: log})
}

func newBackend(c *config.Config, l *ledger.Ledger, g *guard.Guard, r *release.Releaser) *admin.Backend {
	explain := func(ctx context.Context, h *ledger.Held) (ledger.Ruling, error) {
		return r.Explain(ctx, h, withoutFlags(c, h.Mailbox))
	}
	return &admin.Backend{Ledger: l, Explain: explain, Facts: g.MailboxFacts, Returned: g.Returned, Now: time.Now}
}

// withoutFlags reports whether a mailbox's upstream has no IMAP side, and so
// no flags that a release would have to read.
func withoutFlags(c *config.Config, m member.Mailbox) bool {
	for _, u := range c.Upstreams {
		if member.DomainFits(u.Domains, m.Domain()) {
			return u.IMAP == nil
		}
	}
	return false
}

// logStart says what is served, and whether verdicts are carried out.
func (a *app) logStart() {
	e := a.log.Info().Str("config", a.config.Path).Str("ledger", a.config.Ledger.Path).
		Str("mode", string(a.config.Mode)).Int("upstreams", len(a.config.Upstreams))
	if a.config.Mode == guard.Observe {
		e.Msg("serving: deletions pass and are recorded (mode: observe)")
		return
	}
	e.Msg("serving")
}
