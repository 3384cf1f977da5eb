package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Accepting pauses after an error, twice as long each time: enough not to spin
// while there are no file descriptors, short enough to be back when there are.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Handler serves the sessions of one protocol.
type Handler interface {
	// ServeConn runs one session and returns when it is over. The server closes c
	// afterwards; everything else that the session started has ended by then. ctx
	// ends when the session must go. The error is logged, quietly if it is an
	// ordinary disconnect. If it is a *Parked, the session is not over, but waits
	// without a goroutine.
	ServeConn(ctx context.Context, c *Conn) error
}

// ServerOptions say what a Server serves and within which limits.
type ServerOptions struct {
	Listener         net.Listener
	TLS              *tls.Config // for Implicit; where TLS starts later, the handler has its own
	Implicit         bool        // shake hands before the handler is called
	Handler          Handler
	Slots            *Slots        // sessions at once, may be shared with other servers; nil: no limit
	HandshakeTimeout time.Duration // for the implicit handshake; zero: none
	Log              zerolog.Logger
}

// Server serves one listener. Its methods may be called from any goroutine.
type Server struct {
	o ServerOptions

	panics atomic.Uint64
	poller poller
	cannot sync.Once // the log says once why sessions cannot be parked

	stopping chan struct{} // closed when the server stops accepting
	drained  chan struct{} // closed when, after that, the last session has ended
	mu       sync.Mutex
	sessions map[*session]struct{}
	stopped  bool
}

// session is one connection being served.
type session struct {
	conn     *Conn
	upstream *Conn // of a session that was parked; nil otherwise
	cancel   context.CancelFunc
}

// NewServer returns a server that owns o.Listener.
func NewServer(o ServerOptions) *Server {
	return &Server{
		o:        o,
		stopping: make(chan struct{}),
		drained:  make(chan struct{}),
		sessions: make(map[*session]struct{}),
	}
}

// Serve accepts connections until Shutdown or Close, and returns nil then. It
// returns an error only if somebody else closed the listener.
func (s *Server) Serve() error {
	var pause time.Duration
	for s.takeSlot() {
		nc, err := s.o.Listener.Accept()
		if err == nil {
			pause = 0
			s.start(nc)
			continue
		}
		s.freeSlot()
		if s.isStopped() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
		s.o.Log.Warn().Err(err).Dur("pause", pause).Msg("cannot accept a connection, trying again")
		s.wait(pause)
	}
	return nil
}

// takeSlot waits for room before anything is accepted, so that a full server
// holds no connection that it does not serve. It reports false when the server
// stops.
func (s *Server) takeSlot() bool {
	if s.o.Slots == nil {
		return !s.isStopped()
	}
	return s.o.Slots.take(s.stopping)
}

func (s *Server) freeSlot() {
	if s.o.Slots != nil {
		s.o.Slots.free()
	}
}

func (s *Server) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stopping:
	}
}

// start gives the connection its goroutine.
func (s *Server) start(nc net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := NewConn(nc, Client)
	c.life.cancel = cancel
	ses := &session{conn: c, cancel: cancel}
	if !s.add(ses) {
		cancel()
		c.abort()
		s.freeSlot()
		return
	}
	go s.run(ctx, ses, func(ctx context.Context) error {
		if err := s.shakeHands(ctx, c); err != nil {
			return err
		}
		return s.o.Handler.ServeConn(ctx, c)
	})
}

// run is one stretch of a session, from its start or its resumption until it is
// over or parked.
func (s *Server) run(ctx context.Context, ses *session, stretch func(context.Context) error) {
	over := true
	defer func() {
		if over {
			s.end(ses)
		}
	}()
	wasTold := ctx.Err() != nil
	err := s.stretch(ctx, ses, stretch)
	var parked *Parked
	if !errors.As(err, &parked) {
		s.logEnd(ses, err)
		return
	}
	if wasTold { // it would be resumed again and again
		s.logEnd(ses, errParkedLate)
		return
	}
	over = false
	s.park(ctx, ses, parked)
}

// stretch keeps a panic within its session.
func (s *Server) stretch(ctx context.Context, ses *session, f func(context.Context) error) error {
	defer s.recoverSession(ses)
	return f(ctx)
}

// end is the end of a session.
func (s *Server) end(ses *session) {
	defer s.remove(ses)
	defer ses.cancel()
	if ses.upstream != nil {
		_ = ses.upstream.Close()
	}
	_ = ses.conn.Close()
}

func (s *Server) shakeHands(ctx context.Context, c *Conn) error {
	if !s.o.Implicit {
		return nil
	}
	if s.o.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.o.HandshakeTimeout)
		defer cancel()
	}
	return c.StartTLSServer(ctx, s.o.TLS)
}

// recoverSession keeps a panic within its session. It is the only recover on a
// session's goroutine; nothing that the session had in hand is carried out.
func (s *Server) recoverSession(ses *session) {
	p := recover()
	if p == nil {
		return
	}
	s.panics.Add(1)
	s.o.Log.Error().Str("panic", fmt.Sprint(p)).Str("stack", string(debug.Stack())).
		Stringer("client", ses.conn.RemoteAddr()).Msg("session ended by a bug")
}

func (s *Server) logEnd(ses *session, err error) {
	if err == nil {
		return
	}
	e := s.o.Log.Warn()
	if IsDisconnect(err) {
		e = s.o.Log.Debug()
	}
	e.Err(err).Stringer("client", ses.conn.RemoteAddr()).Msg("session ended")
}

// Panics counts the sessions that a bug ended.
func (s *Server) Panics() uint64 { return s.panics.Load() }
