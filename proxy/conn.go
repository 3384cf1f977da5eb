package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// closeNotifyTimeout bounds TLS's goodbye. It fits into the socket's buffer
// unless the peer has stopped reading, and then it is not worth waiting for.
const closeNotifyTimeout = time.Second

// Conn is one connection of a session, with a deadline for every read and
// write, side-marked errors and the TLS upgrade. One goroutine owns it, or one for
// each direction. Close, Interrupt, Pause, Unpause, Wake, CloseWith, SetTimeouts,
// SetDeadline, Reads and RemoteAddr may be called from any goroutine.
//
// It is used in one of two ways: through the buffers of Reader and Writer, or
// without any, by Read and Write. TakeBuffered leads from the first to the second.
type Conn struct {
	side Side
	sock socket
	tls  atomic.Pointer[tls.Conn] // nil while in clear
	r    *bufio.Reader            // nil until it is asked for; so is w
	w    *bufio.Writer
	dry  atomic.Bool // the last read found nothing

	closeOnce sync.Once
	closeErr  error

	life  lifecycle
	waker waker
}

// NewConn wraps nc, which belongs to the Conn from now on. It has no deadlines
// until they are set.
func NewConn(nc net.Conn, side Side) *Conn {
	return &Conn{side: side, sock: socket{Conn: nc}}
}

// Reader returns the buffered reader, which is made at the first call. It stays
// the same object until TakeBuffered, also across a TLS upgrade. Its errors are of
// type *Error. Only the goroutine that reads may call it.
func (c *Conn) Reader() *bufio.Reader {
	if c.r == nil {
		size := clientReadBuffer
		if c.side == Upstream {
			size = upstreamReadBuffer
		}
		c.r = bufio.NewReaderSize(c, size)
	}
	return c.r
}

// Writer returns the buffered writer, which is made at the first call. It stays
// the same object until TakeBuffered, also across a TLS upgrade. Its errors are of
// type *Error, and the first one stays. Only the goroutine that writes may call it.
func (c *Conn) Writer() *bufio.Writer {
	if c.w == nil {
		size := clientWriteBuffer
		if c.side == Upstream {
			size = upstreamWriteBuffer
		}
		c.w = bufio.NewWriterSize(c, size)
	}
	return c.w
}

// Flush sends what the writer holds.
func (c *Conn) Flush() error {
	if c.w == nil {
		return nil
	}
	return c.w.Flush()
}

// Read reads from the stream, past the buffer of Reader: use either. It returns
// what has arrived, or waits. Its errors are of type *Error. After ErrPaused or a
// timeout the connection can still be read, also in TLS, where half a record may
// have arrived. One goroutine at a time may call it.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.stream().Read(p)
	if n > 0 && errors.Is(err, ErrPaused) {
		err = nil // the bytes first; the next read will tell
	}
	c.dry.Store(n == 0 && (errors.Is(err, ErrPaused) || errors.Is(err, os.ErrDeadlineExceeded)))
	return n, c.mark(OpRead, err)
}

// Write writes all of p to the stream, past the buffer of Writer: use either. Its
// errors are of type *Error, and the connection cannot be written after one.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.stream().Write(p)
	return n, c.mark(OpWrite, err)
}

// TakeBuffered hands over what the reader's buffer still holds, which belongs to
// the caller, and drops both buffers: from now on only Read and Write are used.
// Flush first, what the writer holds is lost.
func (c *Conn) TakeBuffered() []byte {
	var rest []byte
	if c.r != nil && c.r.Buffered() > 0 {
		held, _ := c.r.Peek(c.r.Buffered()) // no error: it is no more than there is
		rest = bytes.Clone(held)
	}
	c.r, c.w = nil, nil
	return rest
}

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
	c.Wake()
}

// Pause makes the read of the socket that waits, and later ones, fail with
// ErrPaused until Unpause. Nothing that has arrived is lost. The timeout of a read
// begins anew after it; the bound of SetDeadline does not move. The read that was
// waiting may tell of the pause when it is over already. It must not meet a TLS handshake, which
// does not survive it.
func (c *Conn) Pause() { c.sock.pause() }

// Unpause ends a pause.
func (c *Conn) Unpause() { c.sock.unpause() }

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
		c.Wake()
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
func (c *Conn) abort() {
	_ = c.sock.Close()
	c.Wake()
}

// hides reports whether bytes may lie where the system does not see them: in
// TLS, which reads ahead. A read that found nothing has emptied it.
func (c *Conn) hides() bool { return c.tls.Load() != nil && !c.dry.Load() }

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
