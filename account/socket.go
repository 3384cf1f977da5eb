package account

import (
	"net"
	"sync"
	"time"

	"mailguard/proxy"
)

// socket is a connection as the IMAP client takes it. The client has time
// limits of its own, which are not those of the configuration, and of which
// some are for a whole message: they are left out, and those of the proxy.Conn
// hold. The client also forgets what its connection died of.
type socket struct {
	*proxy.Conn

	mu  sync.Mutex
	err error // the first one
}

// cause is what the connection died of, or nil.
func (s *socket) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *socket) note(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return err
}

// Read reads what has arrived.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.note(err)
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.note(err)
}

// LocalAddr is part of net.Conn; nobody asks.
func (s *socket) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is the server's address.
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.Conn.RemoteAddr()) }

// SetDeadline does nothing.
func (s *socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (s *socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
