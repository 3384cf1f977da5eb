package imap

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mailguard/member"
	"mailguard/proxy"
	"mailguard/proxy/imap/wire"
)

// Upstream is one mail server's IMAP side. It is shared by all sessions.
type Upstream struct {
	Name    string
	Domains []string // of the logins that it serves; "*" fits all
	Dialer  proxy.Dialer

	// AuthorizationIdentity says that the server honours a SASL authorization
	// identity. Some ignore it and open the other mailbox (Courier): the guard
	// would then decide about the wrong one.
	AuthorizationIdentity bool

	Namespaces []Namespace       // whose mailbox a shared folder is
	FolderUses map[string]string // special use in lower case to canonical folder name, where the server does not say

	Timeout time.Duration // for each answer to the guard's own commands, and for the login

	mu    sync.Mutex
	caps  capabilities
	words []string  // the same, in the server's order
	asked time.Time // when caps was read, or could not be read; zero: never

	inside struct { // capabilities after the login, as the last session got them
		mu    sync.Mutex // its own: mu is held while the server is asked
		caps  capabilities
		words []string
	}
}

// Namespace says whose mailbox a folder below a prefix is.
type Namespace struct {
	Prefix  string // as the server spells it, with "{user}" for the owner: "shared/{user}/"
	Mailbox string // the owner's mailbox, made of {user}: "{user}@example.com"
}

// Capabilities of an upstream before the login are believed for a while, and a
// server that cannot be reached is not asked again by every client.
const (
	capabilitiesLast  = 5 * time.Minute
	unreachableLasts  = 10 * time.Second
	capabilitiesLimit = 5 * time.Second // for a greeting, that a client waits for
)

// capabilities returns what the upstream announces before the login, asking it
// if need be. It is nil where the server cannot be reached.
func (u *Upstream) capabilities(ctx context.Context) capabilities {
	u.mu.Lock()
	defer u.mu.Unlock() // one asks, the others wait for its answer
	lasts := capabilitiesLast
	if u.caps == nil {
		lasts = unreachableLasts
	}
	if !u.asked.IsZero() && time.Since(u.asked) < lasts {
		return u.caps
	}
	ctx, cancel := context.WithTimeout(ctx, capabilitiesLimit)
	defer cancel()
	u.caps, u.words, u.asked = nil, nil, time.Now()
	if s, err := u.connect(ctx); err == nil {
		u.caps, u.words = s.caps, s.words
		s.leave()
	}
	return u.caps
}

// lastCapabilities are those that were last seen.
func (u *Upstream) lastCapabilities() capabilities {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.caps
}

// lastWords are the same, as the server spells and orders them.
func (u *Upstream) lastWords() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.words
}

// share lets sessions that got the same capabilities after the login hold them
// once: the list is most of what a quiet session knows of its server.
func (u *Upstream) share(s *server) {
	in := &u.inside
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.caps == nil || !slices.Equal(in.words, s.words) {
		in.caps, in.words = s.caps, s.words
	}
	s.caps, s.words = in.caps, in.words
}

// connect dials the upstream and brings the connection to where somebody can
// log in.
func (u *Upstream) connect(ctx context.Context) (*server, error) {
	conn, err := u.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	conn.SetTimeouts(u.Timeout, u.Timeout)
	s := &server{conn: conn, timeout: u.Timeout}
	s.framer = wire.NewFramer(s)
	s.detach = conn.CloseWith(ctx)
	s.borrow()
	if err := s.greet(ctx, u); err != nil {
		s.close()
		return nil, fmt.Errorf("upstream %s: %w", u.Name, err)
	}
	return s, nil
}

// greet takes the greeting, turns TLS on and learns what the server can do.
func (s *server) greet(ctx context.Context, u *Upstream) error {
	seg, err := s.line()
	if err != nil {
		return err
	}
	head := wire.ParseHead(seg)
	switch {
	case head.Kind != wire.Status || head.Is("BAD"):
		return fmt.Errorf("%w: its greeting is %s", wire.ErrNonsense, clean(string(seg), 80))
	case head.Is("PREAUTH"): // RFC 9051, 11.1: whose session it is nobody knows, and STARTTLS cannot follow
		return fmt.Errorf("%w: it greets with PREAUTH", wire.ErrNonsense)
	case !head.Is("OK"):
		return fmt.Errorf("it refused the connection: %s", clean(string(seg), 200))
	}
	s.noteCode(seg[head.Rest:])
	if u.Dialer.Mode == proxy.TLSStart {
		if err := s.startTLS(ctx, u); err != nil {
			return err
		}
	}
	return s.needCapabilities()
}

// startTLS is RFC 9051, 6.2.1. What the server said before it is forgotten; one
// that does not do it is an error: the guard never falls back to clear text.
func (s *server) startTLS(ctx context.Context, u *Upstream) error {
	res, err := s.command("STARTTLS")
	if err != nil {
		return err
	}
	if !res.ok() {
		return fmt.Errorf("it does not do STARTTLS: %s", clean(res.text, 200))
	}
	if s.framer.Buffered() > 0 {
		return proxy.ErrPlaintextBehindSTARTTLS
	}
	s.caps = nil
	return s.conn.StartTLSClient(ctx, u.Dialer.TLS)
}

// tellClient gives the client's name for itself and its address to a server
// that has ID (RFC 2971). Dovecot believes the address if it trusts the guard:
// its limits and delays would otherwise hit everybody behind the guard at once.
func (s *server) tellClient(client netip.AddrPort) error {
	if !s.caps.has("ID") || !client.IsValid() {
		return nil
	}
	_, err := s.command(fmt.Sprintf(`ID ("name" "mailguard" "x-originating-ip" "%s" "x-originating-port" "%d")`,
		client.Addr().WithZone(""), client.Port()))
	return err
}

// serves reports whether the upstream serves the logins of a domain.
func (u *Upstream) serves(domain string) bool { return member.DomainFits(u.Domains, domain) }

// use returns the special use of a folder that the configuration names, or "".
func (u *Upstream) use(folder string) string {
	for use, name := range u.FolderUses {
		if name == folder {
			return use
		}
	}
	return ""
}
