package pop3

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy"
)

// Options are what a POP3 listener works with. All of it is shared by its
// sessions and does not change.
type Options struct {
	Guard     *guard.Guard
	Releaser  Releaser
	Members   *member.Resolver
	Upstreams []*Upstream // the first that serves a login's domain is taken
	STLS      *tls.Config // nil: no STLS on this listener
	NeedsTLS  bool        // nobody logs in before STLS
	Now       func() time.Time
	Log       zerolog.Logger
	Limits    Limits
}

// Limits are the times that a session may take.
type Limits struct {
	Login     time.Duration // from the connection to the end of the login
	Handshake time.Duration // of STLS
	Idle      time.Duration // between two commands; at least ten minutes (RFC 1939, 3)
	LockWait  time.Duration // for a maildrop that somebody else has locked
}

// writeTimeout is how long a client may take to read what it asked for before
// it counts as gone.
const writeTimeout = time.Minute

// Releaser releases held messages in passing: in the session of a member of
// their mailbox.
type Releaser interface {
	// Due returns what may be released now, as far as one can tell beforehand.
	Due(ctx context.Context, mailbox member.Mailbox, flagsFresh bool) ([]message.Identity, error)
	// Claim claims what is due at this moment; only that may be removed.
	Claim(ctx context.Context, mailbox member.Mailbox, ids []message.ID, flagsFresh bool) ([]message.ID, error)
	// Withdraw gives back what was certainly not removed.
	Withdraw(ctx context.Context, ids []message.ID) error
}

// Handler serves POP3 on a listener. It implements proxy.Handler.
type Handler struct {
	Options

	sessions atomic.Uint64 // numbers them in the log
}

// NewHandler returns a handler.
func NewHandler(o Options) *Handler { return &Handler{Options: o} }

// ServeConn serves one client to the end of its session. The caller closes
// the connection.
func (h *Handler) ServeConn(ctx context.Context, c *proxy.Conn) error {
	started := h.Now()
	s := &session{
		Options: &h.Options,
		client:  c,
		log: h.Log.With().Str("session", fmt.Sprintf("pop3-%d", h.sessions.Add(1))).Str("protocol", "pop3").
			Str("client", c.RemoteAddr().Addr().String()).Logger(),
	}
	c.SetTimeouts(h.Limits.Login, writeTimeout)
	c.SetDeadline(started.Add(h.Limits.Login))
	err := s.serve(ctx)
	s.finish(ctx)
	e := s.log.Info()
	if err != nil && !proxy.IsDisconnect(err) {
		e = s.log.Warn().Err(err)
	}
	e.Dur("took", h.Now().Sub(started)).Int("retrieved", s.counts.retrieved).Int("deleted", s.counts.deleted).
		Int("released", s.counts.released).Bool("quit", s.counts.quit).Msg("session ended")
	return nil // the session has said it all
}
