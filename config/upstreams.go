package config

import (
	"maps"
	"strings"
)

// upstreams checks the mail servers behind the guard.
func (c *checker) upstreams() {
	top := path{"upstreams"}
	if len(c.file.Upstreams) == 0 {
		c.missingTop("upstreams", "`upstreams` is missing: it names the mail server behind, as in "+
			"`- {name: main, domains: [\"*\"], pop3: {address: \"mail.example.com:995\", tls: implicit}}`")
	}
	names := make(map[string]int)
	for i, u := range c.file.Upstreams {
		p := top.of(i)
		c.upstreamName(p, u.Name)
		if j, taken := names[u.Name]; taken && u.Name != "" {
			c.wrong(p.of("name"), "`name` is already taken by `upstreams[%d]` in line %d", j, c.line(top.of(j, "name")))
		} else {
			names[u.Name] = i
		}
		c.domains(p, u.Domains)
		c.cfg.Upstreams = append(c.cfg.Upstreams, c.upstream(p, u))
		c.upstreamLater(p, u)
	}
}

func (c *checker) upstream(p path, u upstreamKeys) Upstream {
	found := Upstream{Name: u.Name, Domains: u.Domains, AuthorizationIdentity: u.AuthorizationIdentity}
	if u.IMAP == nil && u.POP3 == nil {
		c.missing(p, "the upstream has neither `imap` nor `pop3`; name one, as in `pop3: {address: \"mail.example.com:995\", tls: implicit}`")
	}
	found.IMAP = c.endpoint(p.of("imap"), u.IMAP)
	found.POP3 = c.endpoint(p.of("pop3"), u.POP3)
	found.Namespaces = c.namespaces(p, u.Namespaces)
	found.FolderUses = u.FolderUses.names()
	found.ServiceAccount = c.serviceAccount(p, u)
	if u.CA != "" {
		found.CAFile = c.authorities(p.of("ca"), u.CA)
	}
	return found
}

func (c *checker) upstreamName(p path, name string) {
	switch {
	case name == "":
		c.missing(p, "`name` is missing: what logs and metrics call this server")
	case hasControl(name) || strings.TrimSpace(name) != name:
		c.wrong(p.of("name"), "`name` is a word for logs and metrics, without blanks around it and control characters")
	}
}

func (c *checker) domains(p path, domains []string) {
	if len(domains) == 0 {
		c.missing(p, "`domains` is missing: which logins come here; [\"*\"] takes all of them")
	}
	for i, pattern := range domains {
		at := p.of("domains", i)
		switch lower := strings.ToLower(pattern); {
		case pattern == "":
			c.wrong(at, "`domains[%d]` is empty; write a domain, or \"*\" for every one", i)
		case lower != pattern:
			c.wrong(at, "domains are written in lower case: %s", quote(lower))
		case strings.Contains(pattern, "@"):
			c.wrong(at, "a domain has no `@`: write what is behind it, %s", quote(pattern[strings.LastIndex(pattern, "@")+1:]))
		case !isDomain(strings.ReplaceAll(pattern, "*", "x")):
			c.wrong(at, "%s is not a domain such as example.com or *.example.com", quote(pattern))
		}
	}
}

// endpoint checks how an upstream is reached by one protocol; nil says that it
// is not.
func (c *checker) endpoint(p path, keys *endpointKeys) *Endpoint {
	if keys == nil {
		return nil
	}
	address, wrong := splitAddress(keys.Address)
	switch {
	case keys.Address == "":
		c.missing(p, "`address` is missing; it is HOST:PORT")
		return nil
	case wrong != "":
		c.wrong(p.of("address"), "`address` %s", wrong)
	case address.host == "" || address.everywhere():
		c.wrong(p.of("address"), "`address` names the server to connect to, as in mail.example.com:995; its host is missing")
	case address.port == 0:
		c.wrong(p.of("address"), "`address` ends in a port number from 1 to 65535, not \"0\"")
	default:
		c.notItself(p.of("address"), address)
	}
	c.endpointTLS(p, keys, address)
	name := strings.ToLower(choice(keys.ServerName, address.host))
	if keys.ServerName != "" && !isHost(keys.ServerName) {
		c.wrong(p.of("server_name"), "`server_name` is the name that the server's certificate bears, such as mail.example.com, not %s", quote(keys.ServerName))
	}
	return &Endpoint{Address: keys.Address, TLS: TLSMode(keys.TLS), ServerName: name}
}

func (c *checker) endpointTLS(p path, keys *endpointKeys, address hostPort) {
	switch {
	case keys.TLS == "":
		c.missing(p, "`tls` is missing; it is none, starttls or implicit")
	case keys.TLS == string(TLSNone) && address.host != "" && !address.private():
		c.warn(p.of("tls"), "`tls: none` to %s: passwords and mail cross the network in clear; write starttls or implicit unless nobody else can listen there", address.host)
	}
}

// notItself reports an upstream that is one of the guard's own listeners:
// every login would come back until all connections are used up.
func (c *checker) notItself(p path, address hostPort) {
	for i, l := range c.file.Listeners {
		if own, wrong := splitAddress(l.Address); wrong == "" && l.Address != "" && address.reaches(own) {
			c.wrong(p, "`address` is the guard's own `listeners[%d]` in line %d: it would connect to itself; write where the mail server listens",
				i, c.line(path{"listeners", i, "address"}))
			return
		}
	}
}

// upstreamLater checks the parts that this version does not have yet.
func (c *checker) upstreamLater(p path, u upstreamKeys) {
	if u.ExpungeWithoutUIDPlus {
		c.laterKey(p.of("expunge_without_uidplus"))
	}
}

// namespaces checks whose mailbox a shared folder is.
func (c *checker) namespaces(p path, keys []namespaceKeys) []Namespace {
	var all []Namespace
	for i, n := range keys {
		at := p.of("namespaces", i)
		switch {
		case n.Prefix == "" || n.Mailbox == "":
			c.missing(at, "a namespace has a `prefix` and a `mailbox`, as in {prefix: \"shared/{user}/\", mailbox: \"{user}@example.com\"}")
		case strings.Count(n.Prefix, "{user}") != 1:
			c.wrong(at.of("prefix"), "`prefix` has one {user} in it, which stands for the owner, as in shared/{user}/")
		case strings.HasPrefix(n.Prefix, "{user}"):
			c.wrong(at.of("prefix"), "`prefix` has something before {user}: every folder would be somebody else's")
		case strings.Count(n.Mailbox, "{user}") != 1:
			c.wrong(at.of("mailbox"), "`mailbox` is made of the owner's {user}, as in {user}@example.com")
		}
		all = append(all, Namespace(n))
	}
	return all
}

// names are the folders by their use.
func (k *folderUseKeys) names() map[string]string {
	if k == nil {
		return nil
	}
	uses := map[string]string{"trash": k.Trash, "junk": k.Junk, "drafts": k.Drafts, "sent": k.Sent, "archive": k.Archive}
	maps.DeleteFunc(uses, func(_, name string) bool { return name == "" })
	return uses
}
