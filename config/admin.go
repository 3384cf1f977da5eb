package config

import "time"

// longestSocket is the longest path that a Unix socket can have on Linux, in
// octets, its closing NUL not counted (unix(7)).
const longestSocket = 107

// admin checks how the administrator reaches the running server.
func (c *checker) admin() {
	keys, p := c.file.Admin, path{"admin"}
	c.cfg.Admin.Socket = absolute(c.cfg.State, choice(keys.Socket, "mailguard.sock"))
	if n := len(c.cfg.Admin.Socket); n > longestSocket {
		at := p.of("socket")
		if !c.written(at) {
			at = path{"state"}
		}
		c.wrong(at, "the path of the admin socket has %d octets, and a Unix socket's can have %d; name a shorter one in `admin`, `socket`", n, longestSocket)
	}
	if keys.Address != "" {
		c.laterKey(p.of("address"))
		c.cfg.Admin.Address = keys.Address
		if _, wrong := splitAddress(keys.Address); wrong != "" {
			c.wrong(p.of("address"), "`address` %s", wrong)
		}
	}
	if keys.TokenFile != "" {
		c.laterKey(p.of("token_file"))
		c.cfg.Admin.TokenFile = absolute(c.cfg.State, keys.TokenFile)
	}
}

// leastAudit is the shortest time for which the record is kept: what was decided
// yesterday can be asked for.
const leastAudit = 24 * time.Hour

// audit checks what is kept of the record, and how long.
func (c *checker) audit() {
	keys := c.file.Audit
	c.cfg.Audit = Audit{Keep: orDuration(keys.Keep, 365*24*time.Hour), Sender: keys.Headers.from, Subject: keys.Headers.subject}
	if c.cfg.Audit.Keep < leastAudit {
		c.wrong(path{"audit", "keep"}, "`keep` is at least %s", spell(leastAudit))
	}
}

// log checks how the server logs.
func (c *checker) log() {
	c.cfg.Log = Log{Level: choice(c.file.Log.Level, "info"), Format: choice(c.file.Log.Format, "json")}
}
