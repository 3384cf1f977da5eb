package config

import (
	"mailguard/member"
)

// listeners checks where clients connect.
func (c *checker) listeners() {
	top := path{"listeners"}
	if len(c.file.Listeners) == 0 {
		c.missingTop("listeners", "`listeners` is missing: it says where clients connect, as in "+
			"`- {protocol: pop3, address: \":995\", tls: implicit}`")
	}
	for i, l := range c.file.Listeners {
		p := top.of(i)
		c.listener(p, l)
		c.cfg.Listeners = append(c.cfg.Listeners, Listener{member.Protocol(l.Protocol), l.Address, TLSMode(l.TLS)})
		for j, other := range c.file.Listeners[:i] {
			if c.collide(l.Address, other.Address) {
				c.wrong(p.of("address"), "`address` is already taken by `listeners[%d]` in line %d (%s)",
					j, c.line(top.of(j, "address")), other.Address)
				break
			}
		}
	}
}

// missingTop reports that a section is missing or empty.
func (c *checker) missingTop(key, text string) {
	if c.written(path{key}) {
		c.missing(path{key}, "%s", text)
	} else {
		c.missing(nil, "%s", text)
	}
}

func (c *checker) listener(p path, l listenerKeys) {
	if l.Protocol == "" {
		c.missing(p, "`protocol` is missing; it is pop3 or imap")
	}
	address, wrong := splitAddress(l.Address)
	switch {
	case l.Address == "":
		c.missing(p, "`address` is missing; it is HOST:PORT or :PORT")
	case wrong != "":
		c.wrong(p.of("address"), "`address` %s", wrong)
	case l.TLS == string(TLSNone) && !address.loopback():
		c.wrong(p.of("tls"), "`tls: none` is for loopback addresses only (127.0.0.1, [::1]): passwords would cross the network in clear; write starttls or implicit")
	}
	if l.TLS == "" {
		c.missing(p, "`tls` is missing; it is none, starttls or implicit")
	}
	for i, network := range l.ProxyProtocol {
		c.network(p.of("proxy_protocol", i), network)
	}
	if len(l.ProxyProtocol) > 0 {
		c.laterKey(p.of("proxy_protocol"))
	}
}

func (c *checker) collide(one, other string) bool {
	a, wrong := splitAddress(one)
	b, alsoWrong := splitAddress(other)
	return wrong == "" && alsoWrong == "" && a.collides(b)
}

// served checks that listeners and upstreams fit each other: what is listened
// for is served by one of them, and none of them is the guard itself.
func (c *checker) served() {
	pop3, imap := c.offered()
	for i, l := range c.file.Listeners {
		if l.Protocol == string(member.POP3) && !pop3 || l.Protocol == string(member.IMAP) && !imap {
			c.wrong(path{"listeners", i, "protocol"}, "no upstream has `%s:`; add it to one of them, or remove this listener", l.Protocol)
		}
	}
}

// offered tells which protocols some upstream has. Where a mistake hides what
// there is, all of them.
func (c *checker) offered() (pop3, imap bool) {
	unsure := !c.trusted(path{"upstreams"}) || len(c.file.Upstreams) == 0
	pop3, imap = unsure, unsure
	for i, u := range c.file.Upstreams {
		unsure := !c.trusted(path{"upstreams", i}) || u.POP3 == nil && u.IMAP == nil
		pop3, imap = pop3 || unsure || u.POP3 != nil, imap || unsure || u.IMAP != nil
	}
	return pop3, imap
}
