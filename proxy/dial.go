package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// TLSMode says how a connection is protected.
type TLSMode string

// The ways to protect a connection.
const (
	TLSNone     TLSMode = "none"
	TLSStart    TLSMode = "starttls" // in clear first; the protocol upgrades
	TLSImplicit TLSMode = "implicit"
)

// Dialer dials one upstream endpoint. It may be used by many sessions at once.
type Dialer struct {
	Address string        // host:port, or the path of a Unix socket, with its "/" in front
	Mode    TLSMode       // must be set: nothing is sent in clear by mistake
	TLS     *tls.Config   // for TLSImplicit; names the server
	Timeout time.Duration // for name look-up, connection and handshake together; zero: only ctx
}

// Dial connects to the upstream and, where TLS is implicit, shakes hands. STARTTLS
// is the protocol's business. ctx ends the dialing, not the connection.
func (d *Dialer) Dial(ctx context.Context) (*Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	if err := d.check(); err != nil {
		return nil, &Error{Side: Upstream, Op: OpDial, Err: err}
	}
	var nd net.Dialer
	nc, err := nd.DialContext(ctx, d.network(), d.Address)
	if err != nil {
		return nil, &Error{Side: Upstream, Op: OpDial, Err: err}
	}
	c := NewConn(nc, Upstream)
	if d.Mode != TLSImplicit {
		return c, nil
	}
	if err := c.StartTLSClient(ctx, d.TLS); err != nil {
		return nil, err
	}
	return c, nil
}

// check refuses what would otherwise fall back to clear text.
func (d *Dialer) check() error {
	switch d.Mode {
	case TLSNone, TLSStart:
		return nil
	case TLSImplicit:
		if d.TLS == nil {
			return errNoTLS
		}
		return nil
	}
	return fmt.Errorf("unknown TLS mode %q (none, starttls or implicit)", string(d.Mode))
}

func (d *Dialer) network() string {
	if strings.HasPrefix(d.Address, "/") {
		return "unix"
	}
	return "tcp"
}
