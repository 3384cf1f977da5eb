package pop3

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"mailguard/proxy"
	"mailguard/proxy/proxytest"
)

func needsTLS(s *setup) { s.needsTLS = true }

func TestSTLS(t *testing.T) {
	w := newWorld(t, needsTLS)
	box := w.box("pair@example.com", 100, 200)
	c := w.dial()
	c.say("USER "+box+"#alice", "-ERR*")
	c.say("AUTH PLAIN", "-ERR*")
	c.say("PASS "+password, "-ERR*")
	c.startTLS()
	c.say("STLS", "-ERR*")
	c.say("PASS "+password, "-ERR*")
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS "+password, "+OK*")
	c.say("STLS", "-ERR*")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u1", "u2")
}

// What is said in clear is forgotten.
func TestSTLSForgets(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	c := w.dial()
	c.say("USER "+box+"#alice", "+OK*")
	c.startTLS()
	c.say("PASS "+password, "-ERR*")
	if got := w.received("PASS", "AUTH"); len(got) > 0 {
		t.Errorf("upstream got %q", got)
	}
}

// A command in the packet of STLS is a stranger's: nothing of it is run.
func TestCommandsBehindSTLS(t *testing.T) {
	w := newWorld(t, needsTLS)
	box := w.box("pair@example.com", 100)
	for _, behind := range []string{"USER " + box + "\r\nPASS " + password + "\r\n", "CAPA\r\n", "x", "\r\n"} {
		c := w.dial()
		c.send("STLS\r\n" + behind)
		rest, _ := io.ReadAll(c.r)
		if got := string(rest); got != "" {
			t.Errorf("behind %q: %q", behind, got)
		}
	}
	if got := w.received(); len(got) > 0 {
		t.Errorf("upstream got %q", got)
	}
}

// A handshake that fails ends the session.
func TestSTLSWithoutHandshake(t *testing.T) {
	w := newWorld(t, needsTLS)
	c := w.dial()
	c.say("STLS", "+OK*")
	c.send("USER x\r\n")
	if got := c.remainder(); strings.Contains(got, "+OK") {
		t.Errorf("got %q", got)
	}
}

func TestWithoutSTLS(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.noSTLS = true })
	c := w.dial()
	capable(c, "without STLS", "USER SASL", "STLS")
	c.say("STLS", "-ERR*")
	c.quit()
}

// withUpstreamSTLS makes the guard speak STLS with its upstream.
func withUpstreamSTLS(tb testing.TB) func(*setup) {
	cert, pool := proxytest.Cert(tb)
	return func(s *setup) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		s.server.Dialer.Mode = proxy.TLSStart
		s.server.Dialer.TLS = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	}
}

func TestUpstreamSTLS(t *testing.T) {
	w := newWorld(t, withUpstreamSTLS(t), func(s *setup) { s.noTap = true })
	box := w.box("own@example.com", 100, 200)
	c := w.open(box, "")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u2")
}

// An upstream that will not do STLS, or says more than yes, is not talked to:
// no password goes over in clear.
func TestUpstreamSTLSFails(t *testing.T) {
	for name, a := range map[string]action{
		"refused":                {reply: "-ERR no"},
		"answers injected":       {reply: "+OK\r\n+OK logged in\r\n+OK"},
		"no handshake behind it": {reply: "+OK"},
		"lost":                   {close: closeBefore},
		"nonsense":               {reply: "220 go ahead"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withUpstreamSTLS(t), func(s *setup) { s.server.Timeout = patience / 10 })
			box := w.box("pair@example.com", 100)
			w.tap.raw = name == "no handshake behind it"
			w.hook("", once("STLS", a))
			c := w.dial()
			c.say("USER "+box, "+OK*")
			c.say("PASS "+password, "-ERR [SYS/TEMP]*")
			if got := w.received("USER", "PASS", "AUTH", "CAPA"); len(got) > 0 {
				t.Errorf("upstream got %q in clear", got)
			}
		})
	}
}
