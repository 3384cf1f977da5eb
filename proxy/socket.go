package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// longAgo is a deadline that has passed: it wakes a read that waits.
var longAgo = time.Unix(1, 0)

// socket is the connection below TLS. It gives every single read and write its
// own deadline, which crypto/tls cannot do from above: one TLS read may take
// many reads of the socket.
type socket struct {
	net.Conn
	reads atomic.Uint64

	mu           sync.Mutex // guards what follows, and the order of deadlines set
	readTimeout  time.Duration
	writeTimeout time.Duration
	phase        time.Time // upper bound for the phase; zero: none
	writeUntil   time.Time // upper bound for the last writes while closing
	interrupted  bool
}

// Read waits for bytes until the deadline of this read.
func (s *socket) Read(p []byte) (int, error) {
	if !s.arm(true) {
		return 0, ErrInterrupted
	}
	s.reads.Add(1)
	n, err := s.Conn.Read(p)
	if err != nil && s.isInterrupted() {
		return n, ErrInterrupted
	}
	return n, err
}

// Write sends p until the deadline of this write.
func (s *socket) Write(p []byte) (int, error) {
	s.arm(false)
	return s.Conn.Write(p)
}

// arm sets the deadline of the next read or write. It reports false if reads
// are interrupted. The lock keeps it from undoing an interrupt that happens at
// the same time.
func (s *socket) arm(read bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !read {
		_ = s.Conn.SetWriteDeadline(s.writeDeadline()) // fails on a closed socket: so will the write
		return true
	}
	if s.interrupted {
		return false
	}
	_ = s.Conn.SetReadDeadline(soonest(s.readTimeout, s.phase))
	return true
}

// set changes the limits. It applies at once, also to a read or write that
// waits already: the reader of a session waits while another goroutine decides
// that the login is over.
func (s *socket) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	_ = s.Conn.SetWriteDeadline(s.writeDeadline())
	if !s.interrupted {
		_ = s.Conn.SetReadDeadline(soonest(s.readTimeout, s.phase))
	}
}

// interrupt ends the read that waits and all later ones.
func (s *socket) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupted = true
	_ = s.Conn.SetReadDeadline(longAgo)
}

func (s *socket) isInterrupted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.interrupted
}

// writeDeadline is the deadline of a write that starts now. The bound for
// closing replaces the phase's: a goodbye may be said after the phase is over.
func (s *socket) writeDeadline() time.Time {
	if !s.writeUntil.IsZero() {
		return s.writeUntil
	}
	return soonest(s.writeTimeout, s.phase)
}

// soonest is the earlier of now+timeout and bound, where zero is no limit.
func soonest(timeout time.Duration, bound time.Time) time.Time {
	if timeout <= 0 {
		return bound
	}
	t := time.Now().Add(timeout)
	if !bound.IsZero() && bound.Before(t) {
		return bound
	}
	return t
}
