package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Side names one end of a session.
type Side string

// The two sides of a session.
const (
	Client   Side = "client"
	Upstream Side = "upstream"
)

// What was being done when a connection broke: the values of [Error].Op.
const (
	OpRead      = "read"
	OpWrite     = "write"
	OpHandshake = "handshake"
	OpDial      = "dial"
	OpClose     = "close"
)

// Error marks which side of a session broke, and in which direction. Every
// error of a [Conn] and of a [Dialer] is one, the end of the stream (io.EOF)
// included: use errors.Is, never ==.
type Error struct {
	Side Side
	Op   string // one of the Op constants
	Err  error
}

// Error says side, direction and cause.
func (e *Error) Error() string {
	return string(e.Side) + " " + e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a deadline passed. A pause is none.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return !errors.Is(e.Err, ErrPaused) && errors.As(e.Err, &t) && t.Timeout()
}

// pausedError is a net.Error that passes: to crypto/tls, which gives a
// connection up after the first error that does not, and so would lose the part
// of a record that it has read.
type pausedError struct{}

func (pausedError) Error() string   { return "paused" }
func (pausedError) Timeout() bool   { return true }
func (pausedError) Temporary() bool { return true }

var (
	// ErrPlaintextBehindSTARTTLS says that bytes arrived in clear behind the
	// command (or the answer) that starts TLS. Whoever sent them, they must not
	// be taken for something said inside TLS.
	ErrPlaintextBehindSTARTTLS = errors.New("plain text behind STARTTLS")

	// ErrInterrupted is what reads return after [Conn.Interrupt].
	ErrInterrupted = errors.New("interrupted")

	// ErrPaused is what reads return after [Conn.Pause]: nothing is wrong with the
	// connection, and it is no disconnect.
	ErrPaused error = pausedError{}

	errParkedLate = errors.New("the session parked although its context had ended")
	errNoSocket   = errors.New("the system has no epoll, or a connection is not a socket")
	errNotDry     = errors.New("the last read of a connection was neither paused nor timed out")
	errAlreadyTLS = errors.New("TLS is already active")
	errNoTLS      = errors.New("no TLS configuration")
)

// IsDisconnect reports whether err is the ordinary end of a connection: the
// peer closed or reset it, a deadline passed, or we closed it ourselves. Only
// errors of a Conn count: an end of file or a timeout that comes from elsewhere
// (a database, say) is no disconnect, nor is a failed dial.
func IsDisconnect(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Op == OpDial {
		return false
	}
	if e.Timeout() {
		return true
	}
	for _, ordinary := range ordinaryEnds {
		if errors.Is(e.Err, ordinary) {
			return true
		}
	}
	return false
}

// ordinaryEnds are the causes that say no more than "the connection is gone".
var ordinaryEnds = []error{
	io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
	syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
	ErrInterrupted, context.Canceled,
}
