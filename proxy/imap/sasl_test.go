package imap

import (
	"strings"
	"testing"
	"time"

	"mailguard/proxy/proxytest"
)

// scripted is a world whose upstream plays scripts, the first for the question
// what it can do.
func scripted(t *testing.T, capabilities string, scripts ...proxytest.Script) *world {
	t.Helper()
	asked := proxytest.Script{"< * OK [CAPABILITY IMAP4rev1 " + capabilities + "] hello", "> l1 LOGOUT", "< * BYE bye", "close"}
	for i, s := range scripts {
		scripts[i] = append(proxytest.Script{"< * OK [CAPABILITY IMAP4rev1 " + capabilities + "] hello"}, s...)
	}
	return newWorld(t, func(s *setup) {
		s.server.Dialer.Address = proxytest.Listen(t, append([]proxytest.Script{asked}, scripts...)...)
		s.server.Timeout = 2 * time.Second
	})
}

// in is how a session begins and ends behind a login.
var in = []string{"< l1 OK [CAPABILITY IMAP4rev1 IDLE] in", "> g1 LOGOUT", "< * BYE bye", "< g1 OK bye", "eof"}

// then is a script with an end.
func then(steps ...string) proxytest.Script { return append(steps, in...) }

// SCRAM passes as it is, whatever each side says; the name is read from it.
func TestSCRAM(t *testing.T) {
	first, final := b64("n,,n=allow@example.com,r=abc"), b64("c=biws,r=abcdef,p=proof")
	challenge, verified := b64("r=abcdef,s=c2FsdA==,i=4096"), b64("v=verifier")
	for name, test := range map[string]struct {
		capabilities string
		script       proxytest.Script
	}{
		"with SASL-IR": {"SASL-IR AUTH=SCRAM-SHA-256", then("> l1 AUTHENTICATE SCRAM-SHA-256 "+first, "< + "+challenge, "> "+final, "< + "+verified, "> ")},
		"without":      {"AUTH=SCRAM-SHA-256", then("> l1 AUTHENTICATE SCRAM-SHA-256", "< + ", "> "+first, "< + "+challenge, "> "+final, "< + "+verified, "> ")},
	} {
		for _, initial := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				w := scripted(t, test.capabilities, test.script)
				c := w.dial(t)
				tag := c.begin("AUTHENTICATE SCRAM-SHA-256" + map[bool]string{true: " " + first}[initial])
				if !initial {
					c.next("+ ")
					c.send(first + "\r\n")
				}
				c.next("+ " + challenge)
				c.send(final + "\r\n")
				c.next("+ " + verified)
				c.send("\r\n")
				if _, answer := c.wait(tag); !strings.HasPrefix(answer, "OK ") {
					t.Errorf("%q", answer)
				}
				c.logout()
				if !strings.Contains(w.log.String(), `"mailbox":"allow@example.com"`) {
					t.Error("the mailbox was not read from it")
				}
			})
		}
	}
}

// next fails the test unless the next response is this.
func (c *client) next(want string) {
	c.tb.Helper()
	if got := c.response(); got != want {
		c.tb.Fatalf("got %q, want %q", got, want)
	}
}

// SCRAM is refused where it cannot pass: the proof covers the name, and the
// connection where that is bound.
func TestSCRAMRefused(t *testing.T) {
	for name, test := range map[string]struct{ capabilities, command, answer string }{
		"not there":             {"AUTH=PLAIN", "SCRAM-SHA-256 " + b64("n,,n=allow@example.com,r=a"), "NO [CANNOT]*"},
		"beside PLUS":           {"AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS", "SCRAM-SHA-256 " + b64("n,,n=allow@example.com,r=a"), "NO [CANNOT]*"},
		"beside the other PLUS": {"AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1-PLUS", "SCRAM-SHA-256 " + b64("n,,n=allow@example.com,r=a"), "NO [CANNOT]*"},
		"PLUS":                  {"AUTH=SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS " + b64("p=tls-unique,,n=allow@example.com,r=a"), "NO [CANNOT]*"},
		"a name with a member":  {"AUTH=SCRAM-SHA-256", "SCRAM-SHA-256 " + b64("n,,n=allow@example.com#alice,r=a"), "NO [AUTHENTICATIONFAILED]*"},
		"bound":                 {"AUTH=SCRAM-SHA-256", "SCRAM-SHA-256 " + b64("p=tls-unique,,n=allow@example.com,r=a"), "NO [AUTHENTICATIONFAILED]*"},
		"another identity":      {"AUTH=SCRAM-SHA-256", "SCRAM-SHA-256 " + b64("n,a=x@example.com,n=allow@example.com,r=a"), "NO [AUTHENTICATIONFAILED]*"},
		"nonsense":              {"AUTH=SCRAM-SHA-256", "SCRAM-SHA-256 " + b64("hello"), "NO [AUTHENTICATIONFAILED]*"},
	} {
		t.Run(name, func(t *testing.T) {
			w := scripted(t, test.capabilities)
			c := w.dial(t)
			c.say("AUTHENTICATE "+test.command, test.answer)
		})
	}
}

// The client gives up in the middle: so does the guard, and nobody is let in.
func TestSCRAMCancelled(t *testing.T) {
	first := b64("n,,n=allow@example.com,r=abc")
	w := scripted(t, "SASL-IR AUTH=SCRAM-SHA-1", proxytest.Script{"> l1 AUTHENTICATE SCRAM-SHA-1 " + first, "< + " + b64("r=abcdef,s=c2FsdA==,i=4096"), "eof"})
	c := w.dial(t)
	tag := c.begin("AUTHENTICATE SCRAM-SHA-1 " + first)
	c.response()
	c.send("*\r\n")
	if _, answer := c.wait(tag); !strings.HasPrefix(answer, "BAD ") {
		t.Errorf("%q", answer)
	}
	c.ok("NOOP")
}

// Tokens go as they are; why one was refused is for the client to hear.
func TestOAUTHBEARER(t *testing.T) {
	message, reason := b64("n,a=allow@example.com,\x01auth=Bearer token\x01\x01"), b64(`{"status":"invalid_token"}`)
	w := scripted(t, "SASL-IR AUTH=OAUTHBEARER", then("> l1 AUTHENTICATE OAUTHBEARER "+message))
	c := w.dial(t)
	c.ok("AUTHENTICATE OAUTHBEARER " + message)
	c.logout()

	w = scripted(t, "SASL-IR AUTH=OAUTHBEARER", proxytest.Script{
		"> l1 AUTHENTICATE OAUTHBEARER " + message, "< + " + reason, "> " + b64("\x01"), "< l1 NO [AUTHENTICATIONFAILED] no", "> l2 LOGOUT", "< l2 OK x", "eof",
	})
	c = w.dial(t)
	tag := c.begin("AUTHENTICATE OAUTHBEARER " + message)
	c.next("+ " + reason)
	c.send(b64("\x01") + "\r\n")
	if _, answer := c.wait(tag); answer != "NO [AUTHENTICATIONFAILED] no" {
		t.Errorf("%q", answer)
	}
}

// Where passwords can be sent in no way, none is sent.
func TestLOGINDISABLED(t *testing.T) {
	w := scripted(t, "LOGINDISABLED", proxytest.Script{"> l1 AUTHENTICATE PLAIN", "< l1 NO no", "> l2 LOGOUT", "< l2 OK x", "eof"})
	c := w.dial(t)
	c.say(`LOGIN allow@example.com "x"`, "NO*")
	c.ok("NOOP")
}

// A server that sends its clients to another one does not get through with it.
func TestReferrals(t *testing.T) {
	w := scripted(t, "AUTH=PLAIN", proxytest.Script{
		"> l1 AUTHENTICATE PLAIN", "< + ", "> " + b64("\x00allow@example.com\x00x"), "< l1 NO [REFERRAL imap://elsewhere/] go there", "> l2 LOGOUT", "< l2 OK x", "eof",
	})
	c := w.dial(t)
	c.say(`LOGIN allow@example.com "x"`, "NO [AUTHENTICATIONFAILED] Login failed")
}

// A "+" out of turn, or too many, is no reason to send a secret.
func TestContinuationsOutOfTurn(t *testing.T) {
	for name, s := range map[string]proxytest.Script{
		"in place of a greeting": {"< + go on", "eof"},
		"endless":                {"> l1 AUTHENTICATE PLAIN", "< + ", "> " + b64("\x00allow@example.com\x00x"), "< + ", "eof"},
		"before the answer":      {"> l1 AUTHENTICATE PLAIN", "< l1 OK [CAPABILITY IMAP4rev1] in", "< + go on", "eof"},
	} {
		t.Run(name, func(t *testing.T) {
			var w *world
			if name == "in place of a greeting" {
				w = newWorld(t, func(setup *setup) {
					setup.server.Dialer.Address, setup.server.Timeout = proxytest.Listen(t, s, s), time.Second
				})
			} else {
				w = scripted(t, "AUTH=PLAIN", s)
			}
			c := w.dial(t)
			tag := c.begin(`LOGIN allow@example.com "x"`)
			line := c.response()
			for strings.HasPrefix(line, "+ ") { // the guard passes a challenge on
				c.send("*\r\n")
				line = c.response()
			}
			if strings.HasPrefix(line, tag+" OK") {
				c.goodbye()
			} else if !strings.HasPrefix(line, tag+" ") {
				t.Errorf("%q", line)
			}
		})
	}
}
