package pop3

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mailguard/proxy"
)

// Upstream is one mail server's POP3 side. It is shared by all sessions.
type Upstream struct {
	Name    string
	Domains []string // of the logins that it serves; "*" fits all
	Dialer  proxy.Dialer
	NoIMAP  bool // it has no IMAP side: messages have no flags

	// AuthorizationIdentity says that the server honours a SASL authorization
	// identity. Some ignore it and open the other mailbox (Courier): the guard
	// would then decide about the wrong one.
	AuthorizationIdentity bool

	Timeout time.Duration // for each answer

	mu    sync.Mutex
	caps  capabilities
	asked time.Time // when caps was read; zero: never
}

// capabilitiesLast is how long an upstream's capabilities are believed.
const capabilitiesLast = 5 * time.Minute

// known returns the capabilities that were last seen, and false if they are
// too old.
func (u *Upstream) known() (capabilities, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.caps, !u.asked.IsZero() && time.Since(u.asked) < capabilitiesLast
}

func (u *Upstream) learn(c capabilities) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.caps, u.asked = c, time.Now()
}

// capabilities returns what the upstream can do, asking it if need be.
func (u *Upstream) capabilities(ctx context.Context) (capabilities, error) {
	if c, ok := u.known(); ok {
		return c, nil
	}
	s, err := u.connect(ctx, netip.AddrPort{})
	if err != nil {
		return capabilities{}, err
	}
	defer s.leave()
	return s.caps, nil
}

// connect dials the upstream and brings the connection to where somebody can
// log in. client is the client's address, which an upstream that trusts the
// guard is told; the zero value tells nothing.
func (u *Upstream) connect(ctx context.Context, client netip.AddrPort) (*server, error) {
	conn, err := u.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn.SetTimeouts(u.Timeout, u.Timeout)
	s := &server{conn: conn, detach: conn.CloseWith(ctx)}
	if err := s.greet(ctx, u, client); err != nil {
		s.close()
		return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
	}
	return s, nil
}

// server is one connection to an upstream. The session owns it.
type server struct {
	conn   *proxy.Conn
	caps   capabilities
	detach func() bool // from then on the connection outlives the session's context

	// err is the first error. Nothing is said behind it: the answer to one
	// command could be taken for that to another.
	err error
}

// note keeps the first error.
func (s *server) note(err error) error {
	if s.err == nil {
		s.err = err
	}
	return err
}

// readLine reads one line.
func (s *server) readLine() (string, error) {
	line, err := readUpstreamLine(s.conn.Reader())
	return line, s.note(err)
}

// readReply reads a status line.
func (s *server) readReply() (Reply, error) {
	reply, err := readReply(s.conn.Reader())
	return reply, s.note(err)
}

// close ends the connection. Without QUIT nothing is removed (RFC 1939, 6).
func (s *server) close() {
	s.detach()
	_ = s.conn.Close()
}

// greet takes the greeting, turns TLS on, tells the client's address and
// learns what the server can do.
func (s *server) greet(ctx context.Context, u *Upstream, client netip.AddrPort) error {
	greeting, err := s.greeting()
	if err != nil {
		return err
	}
	if u.Dialer.Mode == proxy.TLSStart {
		if err := s.startTLS(ctx, u); err != nil {
			return err
		}
	}
	if strings.Contains(greeting, "[XCLIENT]") && client.IsValid() {
		if err := s.tellClient(client); err != nil {
			return err
		}
	}
	var ok bool
	if s.caps, ok = u.known(); ok {
		return nil
	}
	if s.caps, err = s.readCapabilities(); err != nil {
		return err
	}
	u.learn(s.caps)
	return nil
}

func (s *server) greeting() (string, error) {
	line, err := s.readLine()
	if err != nil {
		return "", err
	}
	reply, err := parseReply(line)
	if err != nil {
		return "", err
	}
	if !reply.OK {
		return "", fmt.Errorf("refused the connection: %w", reply)
	}
	return line, nil
}

// startTLS is RFC 2595, 4. An upstream that does not do it is an error: the
// guard never falls back to clear text.
func (s *server) startTLS(ctx context.Context, u *Upstream) error {
	reply, err := s.command("STLS")
	if err != nil {
		return err
	}
	if !reply.OK {
		return fmt.Errorf("does not do STLS: %w", reply)
	}
	return s.conn.StartTLSClient(ctx, u.Dialer.TLS)
}

// tellClient gives the client's address to a server that trusts the guard
// (Dovecot's XCLIENT): its limits and delays would otherwise hit everybody
// behind the guard at once.
func (s *server) tellClient(client netip.AddrPort) error {
	reply, err := s.command(fmt.Sprintf("XCLIENT ADDR=%s PORT=%d", client.Addr().WithZone(""), client.Port()))
	if err != nil {
		return err
	}
	if !reply.OK {
		return fmt.Errorf("did not take the client's address: %w", reply)
	}
	return nil
}

// errUnasked is the error of an upstream that says something nobody asked
// for: what it says next could be taken for an answer that it is not.
var errUnasked = fmt.Errorf("%w: it spoke without being asked", errNonsense)

// ready returns nil if what comes next from the upstream is the answer to what
// is sent next.
func (s *server) ready() error {
	if s.err == nil && s.conn.Reader().Buffered() > 0 {
		return s.note(errUnasked)
	}
	return s.err
}

// send writes lines, each a command of its own.
func (s *server) send(lines ...string) error {
	if err := s.ready(); err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := s.conn.Writer().WriteString(line + "\r\n"); err != nil {
			return s.note(err)
		}
	}
	return s.note(s.conn.Flush())
}

// command sends one command and reads its status line.
func (s *server) command(line string) (Reply, error) {
	if err := s.send(line); err != nil {
		return Reply{}, err
	}
	return s.readReply()
}

// list sends a command with a multi-line answer and calls f for each line.
// It is for short lines; messages are streamed.
func (s *server) list(line string, f func(line string) error) (Reply, error) {
	reply, err := s.command(line)
	if err != nil || !reply.OK {
		return reply, err
	}
	for {
		line, err := s.readLine()
		if err != nil {
			return reply, err
		}
		if line == "." {
			return reply, nil
		}
		if err := f(strings.TrimPrefix(line, ".")); err != nil {
			return reply, s.note(err)
		}
	}
}

// readMessage reads a message for the guard's own use.
func (s *server) readMessage(cmd Command, seen *observer) (Reply, error) {
	reply, err := s.command(cmd.String())
	if err != nil || !reply.OK {
		return reply, err
	}
	return reply, s.copyLines(io.Discard, seen)
}

// copyLines copies a multi-line answer, octet by octet as it comes. seen looks
// at it; nil looks at nothing.
func (s *server) copyLines(to io.Writer, seen *observer) error {
	return s.note(s.copyUntilEnd(to, seen))
}

func (s *server) copyUntilEnd(to io.Writer, seen *observer) error {
	buffer := proxy.GetBuffer()
	defer proxy.PutBuffer(buffer)
	var end terminator
	for {
		// With nothing buffered this reads into the large buffer at once.
		n, err := s.conn.Reader().Read(*buffer)
		if err != nil {
			return fmt.Errorf("in the middle of an answer: %w", err)
		}
		size, done := end.scan((*buffer)[:n])
		if seen != nil {
			seen.write((*buffer)[:size])
		}
		if _, err := to.Write((*buffer)[:size]); err != nil {
			return err
		}
		switch {
		case done && size < n:
			return errUnasked
		case done:
			return nil
		}
	}
}

// leave ends a session in which nothing was deleted.
func (s *server) leave() {
	_, _ = s.command("QUIT") // a goodbye: whatever it answers, the connection ends
	s.close()
}
