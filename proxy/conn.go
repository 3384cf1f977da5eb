package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// closeNotifyTimeout bounds TLS's goodbye. It fits into the socket's buffer
// unless the peer has stopped reading, and then it is not worth waiting for.
const closeNotifyTimeout = time.Second

// Conn is one connection of a session: buffered, with a deadline for every read
// and write, side-marked errors and the TLS upgrade. One goroutine owns it, or
// one for each direction. Close, Interrupt, CloseWith, SetTimeouts, SetDeadline,
// Reads and RemoteAddr may be called from any goroutine.
type Conn struct {
	side Side
	sock socket
	tls  atomic.Pointer[tls.Conn] // nil while in clear
	r    *bufio.Reader
	w    *bufio.Writer

	closeOnce sync.Once
	closeErr  error

	life lifecycle
}

// NewConn wraps nc, which belongs to the Conn from now on. It has no deadlines
// until they are set.
func NewConn(nc net.Conn, side Side) *Conn {
	c := &Conn{side: side, sock: socket{Conn: nc}}
	rsize, wsize := clientReadBuffer, clientWriteBuffer
	if side == Upstream {
		rsize, wsize = upstreamReadBuffer, upstreamWriteBuffer
	}
	c.r = bufio.NewReaderSize(reads{c}, rsize)
	c.w = bufio.NewWriterSize(writes{c}, wsize)
	return c
}

// Reader returns the buffered reader. It stays the same object over the life of
// the connection, also across a TLS upgrade. Its errors are of type *Error.
func (c *Conn) Reader() *bufio.Reader { return c.r }

// Writer returns the buffered writer. It stays the same object over the life of
// the connection, also across a TLS upgrade. Its errors are of type *Error, and
// the first one stays.
func (c *Conn) Writer() *bufio.Writer { return c.w }

// Flush sends what the writer holds.
func (c *Conn) Flush() error { return c.w.Flush() }

// SetTimeouts gives every single read and write of the socket its own deadline;
// zero: none. It applies at once, also to a read that waits.
func (c *Conn) SetTimeouts(read, write time.Duration) {
	c.sock.set(func() { c.sock.readTimeout, c.sock.writeTimeout = read, write })
}

// SetDeadline sets an upper bound for a phase of the session, such as the whole
// login: a peer that sends one byte before each timeout is cut by it. Reads and
// writes end at their own timeout or at t, whichever comes first. Zero: none. It
// applies at once, also to a read that waits.
func (c *Conn) SetDeadline(t time.Time) {
	c.sock.set(func() { c.sock.phase = t })
}

// Reads counts the reads of the socket begun so far. If it did not change while
// a command was read, the command already lay in the buffer.
func (c *Conn) Reads() uint64 { return c.sock.reads.Load() }

// TLS returns the state of TLS, and false while the connection is in clear.
func (c *Conn) TLS() (tls.ConnectionState, bool) {
	if t := c.tls.Load(); t != nil {
		return t.ConnectionState(), true
	}
	return tls.ConnectionState{}, false
}

// RemoteAddr returns the peer's address, an IPv4 address always as such, also
// where an IPv6 socket took it. It is the zero value if the peer has none.
func (c *Conn) RemoteAddr() netip.AddrPort {
	var a netip.AddrPort
	switch addr := c.sock.RemoteAddr().(type) {
	case nil:
	case *net.TCPAddr:
		a = addr.AddrPort()
	default:
		a, _ = netip.ParseAddrPort(addr.String()) // a pipe or a Unix socket: none
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Interrupt makes the read of the socket that waits, and all later ones, fail with
// ErrInterrupted, and ends the context of the session. What lies in a buffer
// already can still be read. Writes still work, so the owner can say goodbye. It
// cannot be undone.
func (c *Conn) Interrupt() {
	c.sock.interrupt()
	c.life.end()
}

// CloseWith closes the connection when ctx ends, so that a session which waits
// for its upstream ends with its context. The stop function releases it, as in
// context.AfterFunc.
func (c *Conn) CloseWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Close() })
}

// Close closes the connection, after TLS's goodbye if TLS is active. What the
// writer still holds is lost. It is idempotent.
func (c *Conn) Close() error {
	c.closeOnce.Do(func() {
		if err := c.close(); !errors.Is(err, net.ErrClosed) {
			c.closeErr = c.mark(OpClose, err)
		}
	})
	return c.closeErr
}

func (c *Conn) close() error {
	t := c.tls.Load()
	if t == nil {
		return c.sock.Close()
	}
	c.sock.set(func() { c.sock.writeUntil = time.Now().Add(closeNotifyTimeout) })
	// Close, not CloseWrite: it does not wait for a write that is stuck. Its
	// error is of the goodbye, and the peer may be gone.
	_ = t.Close()
	return nil
}

// abort closes the socket without a goodbye, and so without waiting.
func (c *Conn) abort() { _ = c.sock.Close() }

// stream is what carries the protocol now: the socket, or TLS on it.
func (c *Conn) stream() net.Conn {
	if t := c.tls.Load(); t != nil {
		return t
	}
	return &c.sock
}

// mark says on which side err happened.
func (c *Conn) mark(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Side: c.side, Op: op, Err: err}
}

// reads and writes are the ends of the two buffers.
type (
	reads  struct{ c *Conn }
	writes struct{ c *Conn }
)

func (r reads) Read(p []byte) (int, error) {
	n, err := r.c.stream().Read(p)
	return n, r.c.mark(OpRead, err)
}

func (w writes) Write(p []byte) (int, error) {
	n, err := w.c.stream().Write(p)
	return n, w.c.mark(OpWrite, err)
}
