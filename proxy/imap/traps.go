package imap

import (
	"context"
	"slices"

	"mailguard/proxy"
)

// Traps asks the upstream what it can do, and names what makes a guard useless
// or surprising, in sentences for the administrator. Nobody logs in for it. The
// error is that of an upstream that cannot be reached, or that does not greet as
// a guard needs it.
func (u *Upstream) Traps(ctx context.Context) ([]string, error) {
	s, err := u.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	var traps []string
	for _, t := range []string{s.caps.loginTrap(u.Dialer.Mode), s.caps.bindingTrap(), s.caps.removalTrap()} {
		if t != "" {
			traps = append(traps, t)
		}
	}
	return traps, nil
}

// loginTrap is a server to which no password can be given on this connection
// (RFC 9051, 6.2.3).
func (c capabilities) loginTrap(mode proxy.TLSMode) string {
	switch {
	case !c.has("LOGINDISABLED") || c.has("AUTH=PLAIN"):
		return ""
	case mode == proxy.TLSNone:
		return "LOGINDISABLED: it takes no password in clear, and nobody can log in; write `tls: starttls` or `tls: implicit`"
	}
	return "LOGINDISABLED: it takes no password, neither by LOGIN nor by AUTH=PLAIN"
}

// bindingTrap is a server that would bind SCRAM to its own TLS connection
// (RFC 5802, 6), which ends at the guard.
func (c capabilities) bindingTrap() string {
	if !c.bindsChannels() {
		return ""
	}
	return "it offers SCRAM with channel binding (-PLUS): no SCRAM is passed on, and clients log in with PLAIN or LOGIN"
}

// removalTrap is a server on which single messages cannot be removed (RFC 4315).
func (c capabilities) removalTrap() string {
	if c.has("UIDPLUS") || !c.tellsAll() {
		return ""
	}
	if c.has("MOVE") {
		return "it has no UIDPLUS: an EXPUNGE that policy allows is deferred; moving is possible"
	}
	return "it has no UIDPLUS: an EXPUNGE or a move that policy allows is deferred"
}

// ofMailboxes are capabilities that mean nothing before the login. Dovecot keeps
// them to itself until then; Cyrus, Courier and Exchange do not.
var ofMailboxes = []string{"NAMESPACE", "CHILDREN", "UNSELECT", "QUOTA", "SORT"}

// tellsAll reports whether the server announces before the login what it has
// after it.
func (c capabilities) tellsAll() bool {
	return slices.ContainsFunc(ofMailboxes, c.has)
}
