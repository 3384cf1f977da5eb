package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"mailguard/guard"
	"mailguard/member"
	"mailguard/proxy"
)

// Options are what an IMAP listener works with. All of it is shared by its
// sessions and does not change.
type Options struct {
	Guard     *guard.Guard
	Members   *member.Resolver
	Upstreams []*Upstream // the first that serves a login's domain is taken
	Release   Release     // nil: nothing is released in passing
	STARTTLS  *tls.Config // nil: no STARTTLS on this listener
	NeedsTLS  bool        // nobody logs in before STARTTLS
	Now       func() time.Time
	Log       zerolog.Logger
	Limits    Limits

	slack *slack // NewHandler's
}

// Limits are the times that a session may take.
type Limits struct {
	Login     time.Duration // from the connection to the end of the login
	Handshake time.Duration // of STARTTLS
	Idle      time.Duration // between two commands; at least thirty minutes (RFC 9051, 5.4)
	Command   time.Duration // for a client to send one command, or the next piece of a message
	Answer    time.Duration // for an upstream to say something while a client's command is in flight
	Quiet     time.Duration // after which a session that does nothing is parked
}

// writeTimeout is how long a client may take to read what it asked for before
// it counts as gone.
const writeTimeout = time.Minute

// Handler serves IMAP on a listener. It implements proxy.Handler.
type Handler struct {
	Options

	sessions atomic.Uint64 // numbers them in the log
}

// NewHandler returns a handler.
func NewHandler(o Options) *Handler {
	o.slack = &slack{}
	return &Handler{Options: o}
}

// ServeConn serves one client until its session is over or quiet; a quiet one
// is returned as a *proxy.Parked. The caller closes the connection.
func (h *Handler) ServeConn(ctx context.Context, c *proxy.Conn) error {
	s := newSession(&h.Options, c, fmt.Sprintf("imap-%d", h.sessions.Add(1)))
	c.SetTimeouts(h.Limits.Login, writeTimeout)
	c.SetDeadline(s.started.Add(h.Limits.Login))
	defer s.dropOnPanic()
	s.wake()
	err := s.greet(ctx)
	if err == nil {
		err = s.commands(ctx)
	}
	return s.stop(ctx, err)
}

// stop ends the session, or parks it.
func (s *session) stop(ctx context.Context, err error) error {
	var parked *proxy.Parked
	if errors.As(err, &parked) {
		s.slack.noteParked()
		return parked
	}
	s.finish(ctx)
	e := s.log.Info()
	if err != nil && !errors.Is(err, errEnd) && !proxy.IsDisconnect(err) {
		e = s.log.Warn().Err(err)
	}
	e.Dur("took", s.Now().Sub(s.started)).Int("commands", s.counts.commands).Int("deleted", s.counts.deleted).
		Int("kept", s.counts.kept).Bool("logout", s.counts.logout).Msg("session ended")
	return nil // the session has said it all
}
