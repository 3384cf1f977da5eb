package imap

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailguard/policy"
	"mailguard/proxy"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// attempts are ways to log in. Lines are what the client sends; the guard's
// answers in between are continuations.
func attempts(box string) map[string][]string {
	plain, token := "\x00"+box+"\x00"+password, "user="+box+"\x01auth=Bearer "+password+"\x01\x01"
	return map[string][]string{
		"LOGIN, quoted":                  {`LOGIN "` + box + `" "` + password + `"`},
		"LOGIN, lower case":              {`login ` + box + ` "` + password + `"`},
		"LOGIN, literals":                {fmt.Sprintf("LOGIN {%d}", len(box)), box + fmt.Sprintf(" {%d}", len(password)), password},
		"LOGIN, literals not waited for": {"LOGIN " + lit(box) + " " + lit(password)},
		"PLAIN":                          {"AUTHENTICATE PLAIN", b64(plain)},
		"PLAIN, lower case":              {"authenticate plain", b64(plain)},
		"PLAIN at once":                  {"AUTHENTICATE PLAIN " + b64(plain)},
		"PLAIN, same identity":           {"AUTHENTICATE PLAIN " + b64(box+plain)},
		"LOGIN mechanism":                {"AUTHENTICATE LOGIN", b64(box), b64(password)},
		"LOGIN mechanism at once":        {"AUTHENTICATE LOGIN " + b64(box), b64(password)},
		"XOAUTH2":                        {"AUTHENTICATE XOAUTH2", b64(token)},
		"XOAUTH2 at once":                {"AUTHENTICATE XOAUTH2 " + b64(token)},
	}
}

// converse sends the lines, each behind a continuation, and returns the answer.
func (c *client) converse(lines []string) string {
	c.tb.Helper()
	tag := c.begin(lines[0])
	for _, line := range lines[1:] {
		if got := c.response(); !strings.HasPrefix(got, "+ ") {
			c.tb.Fatalf("%s: %q instead of a continuation", lines[0], got)
		}
		c.send(line + "\r\n")
	}
	_, answer := c.wait(tag)
	return answer
}

// Every way to log in works on every upstream that can do it, whatever else
// the upstream lacks.
func TestLogins(t *testing.T) {
	for name, without := range map[string][]string{
		"all": nil, "no SASL-IR": {"SASL-IR"}, "no PLAIN": {"AUTH=PLAIN", "AUTH=LOGIN"}, "no LITERAL+": {"LITERAL+"}, "no ID": {"ID", "NAMESPACE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, without1(without...))
			box := w.box("allow@example.com", 100)
			for how, lines := range attempts(box) {
				if name == "no PLAIN" && strings.Contains(how, "same identity") {
					continue // LOGIN cannot say whose it is
				}
				c := w.dial(t)
				if got := c.converse(lines); !strings.HasPrefix(got, "OK [CAPABILITY ") {
					t.Errorf("%s: %q", how, got)
				}
				c.ok("SELECT INBOX")
				c.logout()
			}
			if name == "no PLAIN" && len(w.received("AUTHENTICATE PLAIN")) > 0 {
				t.Error("PLAIN was sent to an upstream without it")
			}
		})
	}
}

func TestLoginOptions(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"capabilities asked for":  func(s *setup) { s.IMAP.CapabilitiesLater = true },
		"loses what is pipelined": func(s *setup) { s.IMAP.LosesPipelined = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			box := w.box("allow@example.com", 100)
			c := w.dial(t)
			c.send("x LOGIN " + box + ` "` + password + "\"\r\ny SELECT INBOX\r\nz NOOP\r\n")
			c.open["x"], c.open["y"], c.open["z"] = true, true, true
			for _, tag := range []string{"x", "y", "z"} {
				if _, answer := c.wait(tag); !strings.HasPrefix(answer, "OK ") {
					t.Errorf("%s: %q", tag, answer)
				}
			}
			c.shows("1 ()")
		})
	}
}

// Names and passwords with all kinds of characters arrive as they are.
func TestOddPasswords(t *testing.T) {
	for _, secret := range []string{`a"b\c`, "käse", "{5}", "{5+}", " ", `\`, `"`, "%s*()", strings.Repeat("x", 1000)} {
		w := newWorld(t, without1("AUTH=PLAIN", "LITERAL+"))
		w.upstream.AddUser("own@example.com", secret)
		c := w.dial(t)
		if got := c.converse([]string{"AUTHENTICATE PLAIN " + b64("\x00own@example.com\x00"+secret)}); !strings.HasPrefix(got, "OK ") {
			t.Errorf("%q: %q", secret, got)
		}
		if got := w.dial(t).answer("LOGIN own@example.com " + lit(secret)); !strings.HasPrefix(got, "OK ") {
			t.Errorf("LOGIN %q: %q", secret, got)
		}
	}
}

// What is refused, and how; the client may try again.
func TestLoginsRefused(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	for _, test := range []struct {
		lines  []string
		answer string
	}{
		{[]string{"LOGIN " + box + " wrong"}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"LOGIN nobody@example.com x"}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{`LOGIN "" x`}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"LOGIN " + box}, "BAD*"},
		{[]string{"LOGIN " + box + " a b"}, "BAD*"},
		{[]string{"LOGIN " + lit(box+"\r\n") + " x"}, "BAD*"},
		{[]string{"LOGIN " + lit(box+"\x01") + " x"}, "BAD*"},
		{[]string{"LOGIN " + box + " " + lit(password+"\r\n")}, "BAD*"},
		{[]string{"AUTHENTICATE PLAIN", "*"}, "BAD Authentication cancelled*"},
		{[]string{"AUTHENTICATE LOGIN", "*"}, "BAD Authentication cancelled*"},
		{[]string{"AUTHENTICATE LOGIN", b64(box), "*"}, "BAD Authentication cancelled*"},
		{[]string{"AUTHENTICATE PLAIN", "not base64!"}, "BAD*"},
		{[]string{"AUTHENTICATE PLAIN", "====="}, "BAD*"},
		{[]string{"AUTHENTICATE PLAIN not-base64!"}, "BAD*"},
		{[]string{"AUTHENTICATE PLAIN", ""}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE PLAIN ="}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE PLAIN " + b64("\x00"+box)}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE PLAIN " + b64("\x00"+box+"\x00x\x00y")}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE PLAIN " + b64("\x00"+box+"\x00x\r\ny EXPUNGE")}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE PLAIN " + b64("other@example.com\x00"+box+"\x00"+password)}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE XOAUTH2 " + b64("user="+box+"\x01auth=Bearer wrong\x01\x01"), ""}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE XOAUTH2 " + b64("auth=Bearer "+password+"\x01\x01")}, "NO [AUTHENTICATIONFAILED]*"},
		{[]string{"AUTHENTICATE CRAM-MD5"}, "NO [CANNOT]*"},
		{[]string{"AUTHENTICATE GSSAPI " + b64("x")}, "NO [CANNOT]*"},
		{[]string{"AUTHENTICATE SCRAM-SHA-256-PLUS"}, "NO [CANNOT]*"},
		{[]string{"AUTHENTICATE EXTERNAL ="}, "NO [CANNOT]*"},
	} {
		c := w.dial(t)
		if got := c.converse(test.lines); !fits(got, test.answer) {
			t.Errorf("%q: got %q, want %q", test.lines, got, test.answer)
		}
		c.ok(`LOGIN ` + box + ` "` + password + `"`)
		c.logout()
	}
}

// A password cannot be guessed without end on one connection.
func TestTooManyFailedLogins(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.dial(t)
	for range maxFailures {
		c.say("LOGIN "+box+" wrong", "NO [AUTHENTICATIONFAILED]*")
	}
	c.goodbye()
}

// A login name that carries the member arrives upstream without it.
func TestMemberIsCutOff(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	for _, lines := range [][]string{
		{"LOGIN " + box + `#alice "` + password + `"`},
		{"AUTHENTICATE PLAIN " + b64("\x00"+box+"#alice\x00"+password)},
		{"AUTHENTICATE LOGIN", b64(box + "#alice"), b64(password)},
		{"AUTHENTICATE XOAUTH2 " + b64("user="+box+"#alice\x01auth=Bearer "+password+"\x01\x01")},
		{`LOGIN ALLOW@Example.COM#alice "` + password + `"`},
	} {
		c := w.dial(t)
		got := c.converse(lines)
		if strings.Contains(lines[0], "ALLOW") {
			continue // whether names have a case is the upstream's to say
		}
		if !strings.HasPrefix(got, "OK ") {
			t.Errorf("%q: %q", lines, got)
		}
	}
	if n := strings.Count(w.log.String(), `"member":"alice"`); n < 4 {
		t.Errorf("alice was told apart %d times", n)
	}
}

// The time for a login is limited, however slowly a client speaks.
func TestLoginTimeout(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.limits.Login = 300 * time.Millisecond })
	for _, say := range []string{"", "a NOO", "a AUTHENTICATE PLAIN\r\n", "a LOGIN {100}\r\n"} {
		c := w.dial(t)
		c.send(say)
		started := time.Now()
		c.remainder()
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("behind %q it took %v", say, took)
		}
	}
}

// The client's name is kept for policy, in clear or not; what servers trust a
// proxy for is not the client's to say.
func TestID(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.rules = []policy.Rule{{Name: "by client", When: `member.client == "Mail 1.0" && message.size < 5000000`, Then: policy.Allow}}
	})
	box := w.box("allow@example.com", 100)
	const id = `ID ("name" "Mail" "version" "1.0" "x-originating-ip" "192.0.2.1" "X-Proxy-Ttl" "9" "os" NIL)`
	c := w.dial(t)
	c.say(id, "OK*", `* ID ("name" "mailguard")`)
	c.ok("LOGIN " + box + `#alice "` + password + `"`)
	c.ok("SELECT INBOX")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok(id)
	c.say("ID NIL", "OK*")
	c.logout()
	got := w.received("ID")
	want := []string{`ID ("name" "mailguard" "x-originating-ip" "127.0.0.1" "x-originating-port" "`, `ID ("name" "Mail" "version" "1.0" "os" NIL)`, "ID NIL"}
	if len(got) != len(want) || !strings.HasPrefix(got[0], want[0]) || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("the upstream received %q, want %q", got, want)
	}
	if !strings.Contains(w.log.String(), `"client_name":"Mail 1.0"`) {
		t.Error("the client's name is not in the log")
	}
}

// What a client says of itself in clear is forgotten behind STARTTLS.
func TestIDInClear(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.dial(t)
	c.ok(`ID ("name" "Mallory")`)
	c.startTLS()
	c.ok("LOGIN " + box + ` "` + password + `"`)
	if strings.Contains(w.log.String(), "Mallory") {
		t.Error("it is remembered")
	}
}

// Where nobody serves a domain, nobody logs in.
func TestNoUpstreamForADomain(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.server.Domains = []string{"example.org"} })
	c := w.dial(t)
	c.say(`LOGIN allow@example.com "x"`, "NO [AUTHENTICATIONFAILED] Login failed")
	if got := w.received("LOGIN"); len(got) > 0 {
		t.Errorf("the upstream received %q", got)
	}
}

// TLS to the upstream by STARTTLS, or not at all.
func TestUpstreamSTARTTLS(t *testing.T) {
	w := newWorld(t, upstreamTLS)
	box := w.box("allow@example.com", 100)
	c := w.enter(t, box, "alice")
	c.shows("1 ()")
	c.logout()

	w = newWorld(t, upstreamTLS, func(s *setup) { s.TLS = nil })
	w.box(box, 100)
	w.dial(t).say("LOGIN "+box+` "`+password+`"`, "NO [UNAVAILABLE]*")
	if got := w.received("LOGIN", "AUTHENTICATE"); len(got) > 0 {
		t.Errorf("the upstream received %q in clear", got)
	}

	w = newWorld(t, upstreamTLS, func(s *setup) { s.IMAP.Greeting = "PREAUTH welcome" })
	w.box(box, 100)
	w.dial(t).say("LOGIN "+box+` "`+password+`"`, "NO [UNAVAILABLE]*")
}

func upstreamTLS(s *setup) {
	config, pool := serverTLS()
	s.TLS = config
	s.server.Dialer.Mode = proxy.TLSStart
	s.server.Dialer.TLS = pool
}
