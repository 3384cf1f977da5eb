package main

import (
	"fmt"
	"time"

	"mailguard/config"
	"mailguard/proxy"
	"mailguard/proxy/imap"
	"mailguard/proxy/pop3"
	"mailguard/tlsconf"
)

// upstreams are the mail servers behind, by the protocols that they offer.
type upstreams struct {
	pop3 []*pop3.Upstream
	imap []*imap.Upstream
}

func newUpstreams(c *config.Config) (all upstreams, err error) {
	for _, u := range c.Upstreams {
		if u.POP3 != nil {
			up := &pop3.Upstream{
				Name: u.Name, Domains: u.Domains, NoIMAP: u.IMAP == nil,
				AuthorizationIdentity: u.AuthorizationIdentity, Timeout: c.Limits.Upstream,
			}
			if up.Dialer, err = newDialer(u, u.POP3, c.Limits.Upstream); err != nil {
				return all, err
			}
			all.pop3 = append(all.pop3, up)
		}
		if u.IMAP != nil {
			up := &imap.Upstream{
				Name: u.Name, Domains: u.Domains, AuthorizationIdentity: u.AuthorizationIdentity,
				FolderUses: u.FolderUses, Timeout: c.Limits.Upstream,
			}
			for _, n := range u.Namespaces {
				up.Namespaces = append(up.Namespaces, imap.Namespace(n))
			}
			if up.Dialer, err = newDialer(u, u.IMAP, c.Limits.Upstream); err != nil {
				return all, err
			}
			all.imap = append(all.imap, up)
		}
	}
	return all, nil
}

// newDialer dials an upstream by one protocol.
func newDialer(u config.Upstream, e *config.Endpoint, timeout time.Duration) (proxy.Dialer, error) {
	tls, err := tlsconf.Upstream(e.ServerName, u.CAFile)
	if err != nil {
		return proxy.Dialer{}, fmt.Errorf("upstream %s: %w", u.Name, err)
	}
	return proxy.Dialer{Address: e.Address, Mode: proxy.TLSMode(e.TLS), TLS: tls, Timeout: timeout}, nil
}
