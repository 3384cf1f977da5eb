package imap

import (
	"testing"
)

// Before TLS nobody logs in on a listener that wants it.
func TestNeedsTLS(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.needsTLS = true })
	box := w.box("allow@example.com", 100)
	c := w.dial(t)
	offers(t, "in clear", c.capabilities(), []string{"STARTTLS", "LOGINDISABLED"}, []string{"AUTH=PLAIN"})
	c.say("LOGIN "+box+` "`+password+`"`, "NO [PRIVACYREQUIRED]*")
	c.say("AUTHENTICATE PLAIN "+b64("\x00"+box+"\x00"+password), "NO [PRIVACYREQUIRED]*")
	c.startTLS()
	offers(t, "behind STARTTLS", c.capabilities(), []string{"AUTH=PLAIN"}, []string{"STARTTLS", "LOGINDISABLED"})
	c.say("STARTTLS", "BAD*")
	c.ok("LOGIN " + box + ` "` + password + `"`)
	c.ok("SELECT INBOX")
	c.logout()
	if got := w.received("LOGIN", "AUTHENTICATE"); len(got) != 1 {
		t.Errorf("the upstream received %q", got)
	}
}

func TestNoSTARTTLS(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.noSTARTTLS = true })
	c := w.dial(t)
	offers(t, "greeting", c.capabilities(), []string{"AUTH=PLAIN"}, []string{"STARTTLS"})
	c.say("STARTTLS", "BAD*")
}

// Whatever lies behind STARTTLS was put there by a stranger.
func TestSTARTTLSInjection(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	for _, behind := range []string{"b LOGIN " + box + " \"" + password + "\"\r\n", "x", "\r\n"} {
		c := w.dial(t)
		c.send("a STARTTLS\r\n" + behind)
		if got := c.remainder(); got != "" {
			t.Errorf("behind %q: %q", behind, got)
		}
	}
	if got := w.received("LOGIN"); len(got) > 0 {
		t.Errorf("the upstream received %q", got)
	}
}
