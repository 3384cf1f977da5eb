package pop3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailguard/proxy/credentials"
)

// capabilities are what the guard knows to use of an upstream's CAPA answer
// (RFC 2449). Everything else is not passed on: a capability that the guard
// does not know could remove messages.
type capabilities struct {
	UIDL       bool
	TOP        bool
	Pipelining bool
	UTF8       bool
	LANG       bool
	LoginDelay string   // the argument of LOGIN-DELAY, "" if there is none
	Expire     string   // the argument of EXPIRE; "0" deletes what was read
	SASL       []string // mechanisms, upper case
	None       bool     // the server does not know CAPA
}

// maxCapabilities bounds the lines of a CAPA answer. Servers have about ten.
const maxCapabilities = 200

// readCapabilities asks the upstream. A server without CAPA is taken for one
// of RFC 1939 with all its optional commands.
func (s *server) readCapabilities() (capabilities, error) {
	var c capabilities
	lines := 0
	reply, err := s.list("CAPA", func(line string) error {
		if lines++; lines > maxCapabilities {
			return fmt.Errorf("%w: CAPA does not end", errNonsense)
		}
		c.add(line)
		return nil
	})
	if err == nil && !reply.OK {
		c = capabilities{UIDL: true, TOP: true, None: true}
	}
	return c, err
}

func (c *capabilities) add(line string) {
	word, arguments, _ := strings.Cut(strings.ToUpper(line), " ")
	switch word {
	case "UIDL":
		c.UIDL = true
	case "TOP":
		c.TOP = true
	case "PIPELINING":
		c.Pipelining = true
	case "UTF8":
		c.UTF8 = true
	case "LANG":
		c.LANG = true
	case "LOGIN-DELAY":
		c.LoginDelay = clean(arguments, 20)
	case "EXPIRE":
		c.Expire = clean(arguments, 20)
	case "SASL":
		c.SASL = strings.Fields(arguments)
	}
}

// offers reports whether the upstream offers a SASL mechanism.
func (c capabilities) offers(mechanism string) bool {
	return slices.Contains(c.SASL, mechanism)
}

// mechanisms are the SASL mechanisms that a client may use: the guard reads
// the login name from each of them. Passwords can always be passed on, as
// PLAIN or as USER and PASS; a token only as it is. None of them binds to the
// TLS channel or adds a layer that the guard could not see through.
func (c capabilities) mechanisms() []string {
	offered := []string{credentials.Plain, credentials.Login}
	for _, m := range []string{credentials.XOAUTH2, credentials.OAuthBearer} {
		if c.offers(m) {
			offered = append(offered, m)
		}
	}
	return offered
}

// offer is the answer to CAPA.
func (s *session) offer(c capabilities) []string {
	lines := []string{"TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"}
	if !c.TOP {
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "TOP" })
	}
	if !c.UIDL {
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "UIDL" })
	}
	if c.LoginDelay != "" {
		lines = append(lines, "LOGIN-DELAY "+c.LoginDelay)
	}
	if c.UTF8 {
		lines = append(lines, "UTF8")
	}
	switch {
	case s.state == transaction && c.LANG:
		lines = append(lines, "LANG")
	case s.state == transaction:
	case s.needsTLS():
		lines = append(lines, "STLS")
	default:
		lines = append(lines, "USER", "SASL "+strings.Join(c.mechanisms(), " "))
	}
	return lines
}

// Traps asks the upstream what it does, and names what defeats or weakens a
// guard in front of it.
func (u *Upstream) Traps(ctx context.Context) ([]string, error) {
	c, err := u.capabilities(ctx)
	if err != nil {
		return nil, err
	}
	var traps []string
	if c.Expire == "0" || strings.HasPrefix(c.Expire, "0 ") {
		traps = append(traps, "EXPIRE 0: the server itself deletes what was read; turn that off")
	}
	if !c.UIDL {
		traps = append(traps, "it has no UIDL: nothing can be remembered, and every deletion is refused")
	}
	if !c.TOP {
		traps = append(traps, "it has no TOP: a message whose fingerprint is known is never released by POP3")
	}
	return traps, nil
}
