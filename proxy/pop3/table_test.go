package pop3

import (
	"strings"
	"testing"
)

// The command table in a guarded mailbox: three messages of 100, 200 and 300
// octets, of which alice has deleted the second in an earlier session.
func TestCommandsInView(t *testing.T) {
	w := newWorld(t)
	box := w.box("trio@example.com", 100, 200, 300)
	c := w.open(box, "alice")
	c.say("DELE 2", "+OK*")
	c.quit()

	c = w.open(box, "alice")
	for _, step := range []struct {
		command string
		want    []string
	}{
		{"STAT", []string{"+OK 2 400"}},
		{"LIST", []string{"+OK 2 messages (400 octets)", "1 100", "2 300", "."}},
		{"LIST 2", []string{"+OK 2 300"}},
		{"LIST 3", []string{"-ERR*"}},
		{"UIDL", []string{"+OK*", "1 u1", "2 u3", "."}},
		{"UIDL 2", []string{"+OK 2 u3"}},
		{"UIDL 3", []string{"-ERR*"}},
		{"TOP 2 0", []string{"+OK*", "From: customer@example.net", "Subject: message 3", "", "."}},
		{"TOP 2 1", []string{"+OK*", "From: customer@example.net", "Subject: message 3", "", "A line*", "."}},
		{"TOP 3 0", []string{"-ERR*"}},
		{"RETR 3", []string{"-ERR*"}},
		{"RETR 0", []string{"-ERR*"}},
		{"DELE 3", []string{"-ERR*"}},
		{"NOOP", []string{"+OK*"}},
		{"LAST", []string{"-ERR*"}},
		{"XTND XMIT", []string{"-ERR*"}},
		{"DELE 1", []string{"+OK*"}},
		{"DELE 1", []string{"-ERR*"}},
		{"RETR 1", []string{"-ERR*"}},
		{"TOP 1 0", []string{"-ERR*"}},
		{"LIST 1", []string{"-ERR*"}},
		{"UIDL 1", []string{"-ERR*"}},
		{"STAT", []string{"+OK 1 300"}},
		{"LIST", []string{"+OK 1 messages (300 octets)", "2 300", "."}},
		{"UIDL", []string{"+OK*", "2 u3", "."}},
		{"RSET", []string{"+OK*"}},
		{"STAT", []string{"+OK 2 400"}},
		{"list", []string{"+OK*", "1 100", "2 300", "."}},
		{"USER x", []string{"-ERR*"}},
		{"STLS", []string{"-ERR*"}},
		{"AUTH PLAIN", []string{"-ERR*"}},
	} {
		c.say(step.command, step.want...)
	}
	for command, want := range map[string]string{
		"RETR 1": string(mail(1, 100)), "RETR 2": string(mail(3, 300)), "TOP 2 99999999": string(mail(3, 300)),
	} {
		if got := c.message(command); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
	c.quit()
	w.has(box, "u1", "u2", "u3")
}

func TestHiddenForTheDeleterOnly(t *testing.T) {
	w := newWorld(t)
	box := w.box("trio@example.com", 100, 200, 300)
	c := w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.say("DELE 3", "+OK*")
	c.quit()
	for who, want := range map[string]string{"alice": "u2", "bob": "u1 u2 u3", "carol": "u1 u2 u3"} {
		c := w.open(box, who)
		if got := c.ids(); got != want {
			t.Errorf("%s sees %q, want %q", who, got, want)
		}
		c.quit()
	}
	w.upstream.Deliver(box, mail(4, 150))
	c = w.open(box, "alice")
	c.say("LIST", "+OK 2 messages (350 octets)", "1 200", "2 150", ".")
	c.quit()
	w.has(box, "u1", "u2", "u3", "u4")
}

func TestWithoutQuitNothingIsHidden(t *testing.T) {
	for name, end := range map[string]func(c *client){
		"lost":                  func(c *client) { c.drop() },
		"half a QUIT":           func(c *client) { c.send("QUIT"); c.drop() },
		"QUIT without LF":       func(c *client) { c.send("QUIT\r"); c.drop() },
		"QUIT with an argument": func(c *client) { c.say("QUIT now", "-ERR*"); c.drop() },
		"QUIT with a blank":     func(c *client) { c.say("QUIT ", "-ERR*"); c.drop() },
		"QUIT and bare LF":      func(c *client) { c.send("QUIT\n"); c.get("QUIT", "-ERR*"); c.drop() },
		"RSET":                  func(c *client) { c.say("RSET", "+OK*"); c.quit() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("pair@example.com", 100, 200)
			c := w.open(box, "alice")
			c.say("DELE 1", "+OK*")
			end(c)
			w.settle()
			c = w.open(box, "alice")
			c.say("STAT", "+OK 2 300")
			c.quit()
			w.has(box, "u1", "u2")
			if sent := w.received("DELE"); len(sent) > 0 {
				t.Errorf("upstream received %q", sent)
			}
		})
	}
}

// Of n messages that POP3 cannot tell apart, k deletions hide k.
func TestTwins(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.equalIDs = true })
	box := w.box("pair@example.com")
	for range 3 {
		w.upstream.Deliver(box, mail(1, 100))
	}
	c := w.open(box, "alice")
	c.say("DELE 2", "+OK*")
	c.say("STAT", "+OK 2 200")
	c.say("DELE 3", "+OK*")
	c.quit()
	for who, want := range map[string]string{"alice": "+OK 1 100", "bob": "+OK 3 300"} {
		c := w.open(box, who)
		c.say("STAT", want)
		c.quit()
	}
	c = w.open(box, "bob")
	c.say("DELE 3", "+OK*")
	c.quit()
	if n := len(w.upstream.UniqueIDs(box)); n != 2 {
		t.Errorf("both have deleted one: upstream has %d, want 2", n)
	}
	c = w.open(box, "alice")
	c.say("STAT", "+OK 1 100")
	c.quit()
	c = w.open(box, "bob")
	c.say("STAT", "+OK 2 200")
	c.quit()
}

// What clients are known to send (fetchmail, getmail, mpop, Thunderbird).
func TestClientSequences(t *testing.T) {
	for name, run := range map[string]func(c *client){
		"fetchmail": func(c *client) {
			c.list("CAPA")
			c.say("STAT", "+OK 2 300")
			c.say("LAST", "-ERR*")
			c.ids()
			for _, n := range []string{"1", "2"} {
				c.say("LIST "+n, "+OK "+n+" *")
				c.list("TOP " + n + " 99999999")
				c.say("DELE "+n, "+OK*")
			}
			c.quit()
		},
		"getmail": func(c *client) {
			for range 2 {
				c.list("UIDL")
				c.list("LIST")
			}
			for _, n := range []string{"1", "2"} {
				c.list("RETR " + n)
				c.say("DELE "+n, "+OK*")
			}
			c.quit()
		},
		"mpop, pipelined": func(c *client) {
			c.send("RETR 1\r\nRETR 2\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n")
			for range 2 {
				c.get("RETR", "+OK*")
				c.rest()
			}
			c.get("DELE", "+OK*", "+OK*", "+OK*")
			c.ended()
		},
		"Thunderbird, late and in bulk": func(c *client) {
			c.say("STAT", "+OK 2 300")
			c.list("LIST")
			c.list("UIDL")
			c.say("DELE 1", "+OK*")
			c.say("DELE 2", "+OK*")
			c.quit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("pair@example.com", 100, 200)
			run(w.open(box, "alice"))
			c := w.open(box, "alice")
			c.say("STAT", "+OK 0 0")
			c.say("UIDL", "+OK*", ".")
			c.say("LIST", "+OK*", ".")
			c.quit()
			w.has(box, "u1", "u2")
			run(w.open(box, "bob"))
			w.has(box)
		})
	}
}

func TestCapabilities(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.needsTLS = true
		s.Capabilities = []string{"EXPIRE 0", "XEVIL", "LOGIN-DELAY 10", "COMPRESS", "SASL SCRAM-SHA-256-PLUS", "UTF8"}
	})
	box := w.box("pair@example.com", 100)
	c := w.dial()
	capable(c, "before STLS", "STLS UTF8", "USER SASL EXPIRE XEVIL COMPRESS")
	c.startTLS()
	capable(c, "behind STLS", "USER SASL UTF8 RESP-CODES AUTH-RESP-CODE", "STLS EXPIRE XEVIL COMPRESS")
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS "+password, "+OK*")
	capable(c, "behind the login", "TOP UIDL PIPELINING LOGIN-DELAY", "STLS SASL USER EXPIRE XEVIL COMPRESS")
	c.quit()
}

func capable(c *client, when, wanted, unwanted string) {
	c.tb.Helper()
	offered := make(map[string]bool)
	for _, line := range c.list("CAPA") {
		word, rest, _ := strings.Cut(line, " ")
		offered[word] = true
		if strings.Contains(rest, "PLUS") {
			c.tb.Errorf("%s: offers %q", when, line)
		}
	}
	for _, word := range strings.Fields(wanted) {
		if !offered[word] {
			c.tb.Errorf("%s: %s is missing", when, word)
		}
	}
	for _, word := range strings.Fields(unwanted) {
		if offered[word] {
			c.tb.Errorf("%s: %s is offered", when, word)
		}
	}
}

func TestUpstreamWithoutUIDL(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.NoUIDL = true })
	box := w.box("pair@example.com", 100, 100)
	c := w.open(box, "alice")
	c.say("UIDL", "-ERR*")
	c.say("STAT", "+OK 2 200")
	if got := c.message("RETR 2"); got != string(mail(2, 100)) {
		t.Errorf("got %q", got)
	}
	c.say("DELE 1", "-ERR [SYS/TEMP]*")
	c.say("STAT", "+OK 2 200")
	c.quit()
	w.has(box, "u1", "u2")
}
