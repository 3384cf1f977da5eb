package pop3

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
)

// An upstream whose certificate is not right gets no password: neither within
// this TLS nor, after it failed, in clear.
func TestUpstreamCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*tls.Config)
		ok     bool
	}{
		"its CA":       {func(*tls.Config) {}, true},
		"by address":   {func(c *tls.Config) { c.ServerName = "127.0.0.1" }, true},
		"another name": {func(c *tls.Config) { c.ServerName = "mail.example.com" }, false},
		"another CA":   {func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, false},
		"the system's": {func(c *tls.Config) { c.RootCAs = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withUpstreamSTLS(t), func(s *setup) { s.noTap = true; c.change(s.server.Dialer.TLS) })
			box := w.box("pair@example.com", 100)
			s := w.dial()
			s.say("USER "+box+"#alice", "+OK*")
			if got := s.ask("PASS " + password); strings.HasPrefix(got, "+OK") != c.ok {
				t.Errorf("got %q", got)
			}
			s.drop()
			w.settle()
			got := w.upstream.Received()
			if c.ok && !slices.Contains(got, "PASS") {
				t.Errorf("upstream got %q: no login", got)
			}
			if !c.ok && !slices.Equal(got, []string{"STLS"}) {
				t.Errorf("upstream got %q, want STLS and nothing else", got)
			}
		})
	}
}

// The client's address and the login go over once TLS is there, not before.
func TestUpstreamSTLSComesFirst(t *testing.T) {
	w := newWorld(t, withUpstreamSTLS(t), func(s *setup) { s.noTap = true })
	w.upstream.Greeting = "[XCLIENT] ready"
	c := w.open(w.box("pair@example.com", 100), "alice")
	c.quit()
	w.settle()
	got := w.upstream.Received()
	if len(got) < 3 || got[0] != "STLS" || !strings.HasPrefix(got[1], "XCLIENT ADDR=127.0.0.1 PORT=") {
		t.Errorf("upstream got %q, want STLS, then XCLIENT", got)
	}
}

// The upstream's STLS is between it and the guard: a client is offered the
// guard's own, and only as long as it can be had.
func TestSTLSOffered(t *testing.T) {
	w := newWorld(t, needsTLS, withUpstreamSTLS(t), func(s *setup) { s.noTap = true })
	box := w.box("pair@example.com", 100)
	c := w.dial()
	capable(c, "in clear", "STLS", "USER SASL")
	c.say("USER "+box, "-ERR [AUTH]*")
	c.startTLS()
	capable(c, "behind STLS", "USER SASL", "STLS")
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS "+password, "+OK*")
	capable(c, "behind the login", "UIDL", "USER SASL STLS")
	c.quit()
}
