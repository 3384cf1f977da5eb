package config

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"mailguard/member"
)

// identity checks how members are told apart.
func (c *checker) identity() {
	o := &c.cfg.Identity
	o.Order = c.order()
	o.Separator = c.separator()
	o.DefaultDomain = c.domain(path{"default_domain"}, c.file.DefaultDomain)
	o.LoginDomains = c.loginDomains()
	o.Networks = c.networks()
	by := slices.Index(o.Order, member.ByNetwork)
	switch {
	case by >= 0 && len(o.Networks) == 0 && c.trusted(nil) && c.trusted(path{"networks"}):
		c.wrong(path{"identity", by}, "`network` needs `networks:`; name them, as in `- {cidr: 192.0.2.0/24, member: reception}`")
	case by < 0 && len(o.Networks) > 0 && c.trusted(path{"identity"}):
		c.warn(path{"networks"}, "`networks` does nothing unless `identity` lists `network`")
	}
}

// order returns the identities in the order in which they are asked.
func (c *checker) order() []member.Proof {
	if !c.written(path{"identity"}) {
		return []member.Proof{member.ByLogin}
	}
	var order []member.Proof
	for i, word := range c.file.Identity {
		p, by := path{"identity", i}, member.Proof(word)
		if slices.Contains(order, by) {
			c.wrong(p, "`%s` is listed twice", word)
		}
		order = append(order, by)
		if by != member.ByLogin && by != member.ByNetwork {
			c.later(p, "`identity: "+word+"` is not available in this version; remove it from the list")
		}
	}
	return order
}

func (c *checker) separator() string {
	p, s := path{"login_separator"}, c.file.LoginSeparator
	switch {
	case !c.written(p):
		return "#"
	case s == "":
		c.wrong(p, "`login_separator` is empty; leave the key out for \"#\"")
	case strings.ContainsAny(s, `@*%/\.-_`):
		c.wrong(p, "`login_separator` cannot have one of `@ * %% / \\ . - _` in it: they have a meaning in login names")
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPunct(r) && !unicode.IsSymbol(r) }):
		c.wrong(p, "`login_separator` is made of signs that no name has, such as \"#\", not %s", quote(s))
	}
	return s
}

// domain checks a mail domain; "" is none.
func (c *checker) domain(p path, domain string) string {
	switch lower := strings.ToLower(domain); {
	case domain == "":
		if c.written(p) {
			c.wrong(p, "`%s` is empty; write a mail domain such as example.com", p[len(p)-1])
		}
	case lower != domain && isDomain(lower):
		c.wrong(p, "domains are written in lower case: %s", quote(lower))
	case !isDomain(domain):
		c.wrong(p, "`%s` is a mail domain such as example.com, not %s", p[len(p)-1], quote(domain))
	}
	return domain
}

// loginDomains returns the mail domains of short domains, which Windows writes
// in any case.
func (c *checker) loginDomains() map[string]string {
	found := make(map[string]string)
	lines := make(map[string]int)
	n, _ := c.src.node(path{"login_domains"})
	for i := 0; c.file.LoginDomains != nil && i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		p := path{"login_domains", key.Value}
		lower := strings.ToLower(key.Value)
		at := positionOf(key)
		if lower == "" || strings.ContainsAny(lower, `\/@*`) || strings.ContainsFunc(lower, unicode.IsSpace) || hasControl(lower) {
			c.report(at, "a short domain is one word, such as EXAMPLE in EXAMPLE\\alice, not "+quote(key.Value))
		} else if first, twice := lines[lower]; twice {
			c.report(at, quote(key.Value)+" is written twice, upper and lower case being the same; the first is in line "+decimal(first))
		}
		lines[lower] = at.line
		found[lower] = c.domain(p, c.file.LoginDomains[key.Value])
	}
	return found
}

// networks returns the networks whose every address is one member.
func (c *checker) networks() []member.Network {
	var found []member.Network
	for i, n := range c.file.Networks {
		p := path{"networks", i}
		if n.CIDR == "" {
			c.missing(p, "`cidr` is missing: a network such as 192.0.2.0/24, or one address")
		}
		if n.Member == "" {
			c.missing(p, "`member` is missing: who comes from this network")
		}
		prefix, ok := netip.Prefix{}, false
		if n.CIDR != "" {
			prefix, ok = c.network(p.of("cidr"), n.CIDR)
		}
		if ok {
			c.reachable(p, prefix, found)
		}
		found = append(found, member.Network{Prefix: prefix, Member: c.memberName(p.of("member"), n.Member)})
	}
	return found
}

// reachable reports a network that lies in an earlier one: nobody would ever
// be its member.
func (c *checker) reachable(p path, prefix netip.Prefix, earlier []member.Network) {
	for i, e := range earlier {
		if e.Prefix.IsValid() && e.Prefix.Bits() <= prefix.Bits() && e.Prefix.Contains(prefix.Addr()) {
			c.wrong(p.of("cidr"), "%s is never reached: %s in line %d comes first and has all of it; put the smaller network first",
				prefix, e.Prefix, c.line(path{"networks", i, "cidr"}))
			return
		}
	}
}

// network reads a network, or one address.
func (c *checker) network(p path, text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		c.wrong(p, "%s is not a network such as 192.0.2.0/24 or 2001:db8::/32, or one address", quote(text))
		return prefix, false
	case prefix.Addr().Is4In6():
		c.wrong(p, "an IPv4 network is written as such, as in 192.0.2.0/24, not %s", quote(text))
		return netip.Prefix{}, false
	case prefix != prefix.Masked():
		c.wrong(p, "%s is an address within a network; the network is %s, this one address is %s", text, prefix.Masked(), prefix.Addr())
		return netip.Prefix{}, false
	}
	return prefix, true
}

// memberName checks that a member's name is the one that logins lead to.
func (c *checker) memberName(p path, name string) member.Name {
	if name == "" {
		return ""
	}
	canonical, err := member.ParseName(name)
	switch {
	case err != nil:
		c.wrong(p, "this is no member's name: %s", strings.TrimPrefix(err.Error(), member.ErrLogin.Error()+": "))
	case string(canonical) != name:
		c.wrong(p, "this member's name is written %s", quote(string(canonical)))
	case strings.Contains(name, c.cfg.Identity.Separator) && c.cfg.Identity.Separator != "":
		c.wrong(p, "a member's name cannot have the separator %s in it: login names are divided there", quote(c.cfg.Identity.Separator))
	}
	return canonical
}
