package config

import (
	"net/url"
	"strings"
)

// ledger checks where the durable record is kept.
func (c *checker) ledger() {
	p := path{"ledger"}
	c.cfg.LedgerReadonly = Readonly(choice(c.file.LedgerReadonly, string(ReadonlyRefuse)))
	where := choice(c.file.Ledger, "sqlite:ledger.db")
	scheme, rest, _ := strings.Cut(where, ":")
	switch {
	case scheme == "sqlite":
		c.sqlite(p, rest)
	case scheme == "postgres" || scheme == "postgresql":
		c.postgres(p, where)
	default:
		c.wrong(p, "`ledger` is sqlite:FILE or postgres://USER@HOST/DATABASE")
	}
}

func (c *checker) sqlite(p path, name string) {
	switch {
	case name == "" || strings.HasSuffix(name, "/"):
		c.wrong(p, "`ledger` names a file, as in sqlite:ledger.db or sqlite:/var/lib/mailguard/ledger.db")
	case strings.HasPrefix(name, "//"):
		c.wrong(p, "`ledger` is no URL: write sqlite:ledger.db, or sqlite:/var/lib/mailguard/ledger.db, without the two slashes")
	case strings.ContainsAny(name, "?#%") || hasControl(name):
		c.wrong(p, "`ledger` is a plain file name after sqlite:, without `?`, `#` or `%%`")
	}
	c.cfg.Ledger.Path = absolute(c.cfg.State, name)
}

// postgres checks the URL. It is not shown: there may be a password in it.
func (c *checker) postgres(p path, where string) {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		c.wrong(p, "`ledger` is postgres://USER@HOST/DATABASE; host or database is missing")
	}
	if err == nil {
		if _, inside := u.User.Password(); inside {
			c.warn(p, "there is a password in `ledger`: whoever may read this file has it")
		}
	}
	c.later(p, "`ledger`: PostgreSQL is not available in this version; write sqlite:ledger.db")
}
