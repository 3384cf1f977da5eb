package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime/debug"
)

// StartTLSServer upgrades the connection of a client, after its STARTTLS or
// STLS. The caller has written the answer; it is sent here, and only if nothing
// lies behind the command. A client must wait there (RFC 9051, 6.2.1; RFC 2595, 4),
// so it was put there by a stranger, and must not be taken for a command inside
// TLS. The handshake ends with ctx, with the deadline of the phase or with the
// read timeout, whichever comes first; give it at least one of them. After any
// error the connection is closed.
//
// Who reads without the buffer of Reader looks into his own first: only he can
// know what lies behind the command.
//
// The caller forgets what it learned in clear (RFC 9051, 6.2.1).
func (c *Conn) StartTLSServer(ctx context.Context, cfg *tls.Config) error {
	return c.startTLS(ctx, cfg, tls.Server)
}

// StartTLSClient upgrades the connection to an upstream, after it agreed. Nothing
// may lie behind its answer: what a stranger put there in clear must not be
// taken for an answer inside TLS. Limits and errors are those of StartTLSServer.
func (c *Conn) StartTLSClient(ctx context.Context, cfg *tls.Config) error {
	return c.startTLS(ctx, cfg, tls.Client)
}

func (c *Conn) startTLS(ctx context.Context, cfg *tls.Config, end func(net.Conn, *tls.Config) *tls.Conn) error {
	if err := c.readyForTLS(cfg); err != nil {
		_, _ = c.Reader().Discard(c.Reader().Buffered()) // nobody reads it by mistake
		_ = c.Close()
		return c.mark(OpHandshake, err)
	}
	if err := c.Flush(); err != nil {
		_ = c.Close()
		return err
	}
	// What arrives in clear from here on is not in our buffer: it reaches the
	// handshake, which it breaks.
	t := end(&c.sock, cfg)
	if err := handshake(ctx, t); err != nil {
		_ = c.Close()
		return c.mark(OpHandshake, err)
	}
	c.tls.Store(t)
	return nil
}

func (c *Conn) readyForTLS(cfg *tls.Config) error {
	switch {
	case cfg == nil:
		return errNoTLS
	case c.tls.Load() != nil:
		return errAlreadyTLS
	case c.r != nil && c.r.Buffered() > 0:
		return ErrPlaintextBehindSTARTTLS
	}
	return nil
}

// handshake runs in a goroutine of its own, which ends: the stack that it grows
// goes with it instead of staying with the session. A panic is handed over.
func handshake(ctx context.Context, t *tls.Conn) error {
	done := make(chan error, 1)
	panicked := make(chan string, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				panicked <- fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
		}()
		done <- t.HandshakeContext(ctx)
	}()
	select {
	case err := <-done:
		return err
	case p := <-panicked:
		panic("in the handshake: " + p)
	}
}
