package imapconn

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// defaultTimeout is long for a loaded machine with two cores and short for a
// person who waits for a test that hangs.
const defaultTimeout = 20 * time.Second

// Conn is one connection to an IMAP server. It belongs to one goroutine; Close
// alone may be called by another.
type Conn struct {
	// Greeting is the server's first response, without its line end.
	Greeting string
	// Strict makes every response that breaks a rule an error of the call that
	// read it, a *Violation. It may be set at any time: the rules are followed
	// from the greeting on.
	Strict bool
	// Timeout bounds each single read and write.
	Timeout time.Duration

	conn       net.Conn
	r          *bufio.Reader
	commands   int // how many tags were made
	checker    checker
	transcript transcript
}

// Dial connects and reads the greeting, be it a BYE. Without a TLS
// configuration it speaks in clear. The context bounds the dialling, not the
// connection. The caller closes it.
func Dial(ctx context.Context, address string, config *tls.Config) (*Conn, error) {
	d := net.Dialer{Timeout: defaultTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &Conn{Timeout: defaultTimeout, conn: conn, r: bufio.NewReader(conn)}
	if config != nil {
		err = c.handshake(ctx, config)
	}
	if err == nil {
		c.Greeting, err = c.Response()
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return c, nil
}

// StartTLS is the command and the handshake. What the server sent behind its
// OK in clear is an error.
func (c *Conn) StartTLS(config *tls.Config) error {
	_, tagged, err := c.Do("STARTTLS")
	if err != nil {
		return err
	}
	if !isOK(tagged) {
		return fmt.Errorf("STARTTLS: %s", tagged)
	}
	if n := c.r.Buffered(); n > 0 { // RFC 9051, 6.2.1
		return fmt.Errorf("STARTTLS: %d octets came in clear behind the OK", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	c.checker.restart()
	return c.handshake(ctx, config)
}

func (c *Conn) handshake(ctx context.Context, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	encrypted := tls.Client(c.conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	c.conn = encrypted
	c.r = bufio.NewReader(encrypted)
	c.transcript.note("TLS")
	return nil
}

// Send writes these bytes and nothing else.
func (c *Conn) Send(raw string) error { return c.send(raw, raw) }

// send writes raw; the transcript gets what may be shown of it.
func (c *Conn) send(raw, shown string) error {
	c.transcript.sent(shown)
	c.checker.sent(raw)
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.Timeout)); err != nil {
		return err
	}
	_, err := c.conn.Write([]byte(raw))
	return err
}

// Quiet reports whether nothing arrives within d. What does arrive is left for
// Response. The error is that of a connection that ended.
func (c *Conn) Quiet(d time.Duration) (bool, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false, err
	}
	_, err := c.r.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true, nil
	}
	return false, err
}

// CloseWrite ends what this side sends; the server may still answer. Over TLS
// it sends the alert that announces the end.
func (c *Conn) CloseWrite() error {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("a %T has no half to close", c.conn)
	}
	c.transcript.note("end of what the client sends")
	return half.CloseWrite()
}

// Close ends the connection without LOGOUT.
func (c *Conn) Close() error { return c.conn.Close() }

// Transcript is what passed both ways, in order: "C: " and "S: " before each
// line. Long literals and long sessions are abridged, passwords left out.
func (c *Conn) Transcript() string { return c.transcript.String() }
