package main

import (
	"crypto/tls"
	"net"
	"time"

	"mailguard/config"
	"mailguard/member"
	"mailguard/proxy"
	"mailguard/proxy/imap"
	"mailguard/proxy/pop3"
	"mailguard/tlsconf"
)

// listen opens the listeners.
func (a *app) listen() error {
	slots := proxy.NewSlots(a.config.Limits.Connections)
	for _, l := range a.config.Listeners {
		server, err := a.listenOne(l, slots)
		if err != nil {
			return err
		}
		a.servers = append(a.servers, server)
	}
	return nil
}

func (a *app) listenOne(l config.Listener, slots *proxy.Slots) (*proxy.Server, error) {
	c := a.config
	server := proxy.ServerOptions{
		Implicit: l.TLS == config.TLSImplicit, Slots: slots, HandshakeTimeout: c.Limits.Handshake, Log: a.log,
	}
	var err error
	if l.TLS != config.TLSNone {
		if server.TLS, err = tlsconf.Server(certificates(c), string(l.Protocol)); err != nil { // RFC 7301: imap and pop3 are their names there, too
			return nil, err
		}
	}
	server.Handler = a.handler(l, server.TLS)
	if server.Listener, err = net.Listen("tcp", l.Address); err != nil {
		return nil, err
	}
	a.log.Info().Str("protocol", string(l.Protocol)).Str("address", server.Listener.Addr().String()).
		Str("tls", string(l.TLS)).Msg("listening")
	return proxy.NewServer(server), nil
}

func (a *app) handler(l config.Listener, tls *tls.Config) proxy.Handler {
	if l.Protocol == member.IMAP {
		return a.imapHandler(l, tls)
	}
	return a.pop3Handler(l, tls)
}

func (a *app) pop3Handler(l config.Listener, tls *tls.Config) *pop3.Handler {
	limits := a.config.Limits
	return pop3.NewHandler(pop3.Options{
		Guard: a.guard, Releaser: a.releaser, Members: member.NewResolver(a.config.Identity), Upstreams: a.upstreams.pop3,
		STLS: tls, NeedsTLS: l.TLS == config.TLSStart, Now: time.Now, Log: a.log,
		Limits: pop3.Limits{
			Login: limits.LoginTime, Handshake: limits.Handshake, Idle: limits.Idle, LockWait: limits.POP3LockWait,
		},
	})
}

// quietFor is how long an IMAP session keeps its goroutines and buffers while
// nothing is said: longer than a client takes between two commands, shorter
// than anybody would notice in memory.
const quietFor = time.Second

func (a *app) imapHandler(l config.Listener, tls *tls.Config) *imap.Handler {
	limits := a.config.Limits
	return imap.NewHandler(imap.Options{
		Guard: a.guard, Release: inPassing(a.releaser), Members: member.NewResolver(a.config.Identity), Upstreams: a.upstreams.imap,
		STARTTLS: tls, NeedsTLS: l.TLS == config.TLSStart, Now: time.Now, Log: a.log,
		Limits: imap.Limits{
			Login: limits.LoginTime, Handshake: limits.Handshake, Idle: limits.IMAPIdle,
			Command: limits.Command, Answer: limits.Answer, Quiet: quietFor,
		},
	})
}

func certificates(c *config.Config) []tlsconf.Certificate {
	var all []tlsconf.Certificate
	for _, cert := range c.Certificates {
		all = append(all, tlsconf.Certificate{CertFile: cert.CertFile, KeyFile: cert.KeyFile})
	}
	return all
}
