package proxy

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// parkRetry is after how long a session is resumed whose sockets cannot be
// waited for (there is no memory, the system has no epoll, something may lie in
// TLS's buffers): often enough for a client to notice little, seldom enough to cost
// little.
const parkRetry = time.Second

// Parked is what a [Handler], or a Resume, returns as its error when its session
// has nothing to do: the session stays, but its goroutine ends. It is resumed on a
// new goroutine when
//
//   - either connection has something to read, or is closed by anybody,
//   - somebody calls Wake for either connection,
//   - the session must go: its context has ended, or it was interrupted,
//   - Until has passed, a second or two ago.
//
// It may be resumed without any of these, and has to look what there is.
//
// Whoever parks has made sure that the last read of each connection returned
// ErrPaused or a timeout, and nothing with it. Only then nothing is left in the
// buffers of TLS, which the system cannot see; where this is not so, the session is
// resumed after a second. Nothing waits to be sent, and no goroutine uses the
// connections until Resume is called. It does not lift a pause.
//
// A session whose context had already ended when its stretch began must not park:
// it is closed.
type Parked struct {
	Upstream *Conn     // also waited for; nil: only the client. The server closes it at the end
	Until    time.Time // zero: no limit

	// Resume goes on as ServeConn would, with the same context, and may return a
	// Parked again.
	Resume func(ctx context.Context) error
}

// Error says that it is none.
func (p *Parked) Error() string { return "the session is parked" }

// CanPark reports whether sessions of these connections wait without a goroutine:
// the system has epoll, and they are sockets. A session that parks all the same
// is resumed every second.
func CanPark(conns ...*Conn) bool {
	for _, c := range conns {
		if _, ok := c.sock.Conn.(syscall.Conn); !ok {
			return false
		}
	}
	return hasEpoll
}

// park leaves the session to the poller. It may be resumed already when park
// returns.
func (s *Server) park(ctx context.Context, ses *session, parked *Parked) {
	ses.upstream = parked.Upstream
	p := &parking{
		poller:   &s.poller,
		until:    parked.Until,
		client:   ses.conn,
		upstream: parked.Upstream,
		resume:   func() { go s.run(ctx, ses, parked.Resume) },
	}
	p.begin(func(err error) {
		s.cannot.Do(func() {
			s.o.Log.Warn().Err(err).Msg("sessions cannot wait without a goroutine: quiet ones look every second")
		})
	})
}

// parking is one stay of a session in the poller. It begins once and ends once.
type parking struct {
	poller   *poller
	token    uint64 // guarded by the poller
	until    time.Time
	client   *Conn
	upstream *Conn // may be nil
	resume   func()

	mu    sync.Mutex
	begun bool // the sockets are registered: whoever ends it resumes the session
	ended bool
}

// both returns the connections that there are.
func (p *parking) both() []*Conn {
	if p.upstream == nil {
		return []*Conn{p.client}
	}
	return []*Conn{p.client, p.upstream}
}

// begin registers the session. What happens meanwhile is not lost: it ends the
// parking, and the session is resumed when everything is registered, not before,
// since it might be back here then.
func (p *parking) begin(complain func(error)) {
	for _, c := range p.both() {
		c.waker.attach(p)
	}
	if err := p.poller.add(p); err != nil {
		complain(err)
		time.AfterFunc(parkRetry, p.end)
	}
	p.mu.Lock()
	p.begun = true
	ended := p.ended
	p.mu.Unlock()
	if ended {
		p.leave()
	}
}

// end resumes the session, if nobody else did.
func (p *parking) end() {
	p.mu.Lock()
	leaves := p.begun && !p.ended
	p.ended = true
	p.mu.Unlock()
	if leaves {
		p.leave()
	}
}

func (p *parking) leave() {
	p.poller.remove(p)
	for _, c := range p.both() {
		c.waker.detach()
	}
	p.resume()
}
