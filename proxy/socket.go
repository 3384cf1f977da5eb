package proxy

import (
	"errors"
	"net"
	"os"
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
	paused       bool
	pauses       uint64 // how often reads were paused
}

// Read waits for bytes until the deadline of this read.
func (s *socket) Read(p []byte) (int, error) {
	pauses, err := s.armRead()
	if err != nil {
		return 0, err
	}
	s.reads.Add(1)
	n, err := s.Conn.Read(p)
	if err != nil {
		err = s.cause(err, pauses)
	}
	return n, err
}

// Write sends p until the deadline of this write.
func (s *socket) Write(p []byte) (int, error) {
	s.armWrite()
	return s.Conn.Write(p)
}

// armRead sets the deadline of the next read, unless reads are interrupted or
// paused. The lock keeps it from undoing what happens at the same time. It
// returns how often reads were paused before this one.
func (s *socket) armRead() (pauses uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.interrupted:
		return 0, ErrInterrupted
	case s.paused:
		return 0, ErrPaused
	}
	_ = s.Conn.SetReadDeadline(soonest(s.readTimeout, s.phase)) // fails on a closed socket: so will the read
	return s.pauses, nil
}

func (s *socket) armWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.Conn.SetWriteDeadline(s.writeDeadline())
}

// cause says why a read ended that began after so many pauses. A pause ends it
// by its deadline; it may be over again before the read has looked.
func (s *socket) cause(err error, pauses uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.interrupted:
		return ErrInterrupted
	case s.pauses != pauses && errors.Is(err, os.ErrDeadlineExceeded):
		return ErrPaused
	}
	return err
}

// set changes the limits. It applies at once, also to a read or write that
// waits already: the reader of a session waits while another goroutine decides
// that the login is over.
func (s *socket) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	_ = s.Conn.SetWriteDeadline(s.writeDeadline())
	if !s.interrupted && !s.paused {
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

// pause ends the read that waits, and later ones until unpause.
func (s *socket) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = true
	s.pauses++
	_ = s.Conn.SetReadDeadline(longAgo)
}

// unpause lets reads wait again. The next one sets its deadline; the one that was
// paused is to end, although it may not have seen so yet.
func (s *socket) unpause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
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
