package pop3

import (
	"strings"
	"sync/atomic"
	"testing"

	"mailguard/message"
)

func messageID(n int) message.ID { return message.ID(n) }

// onlySecond is a hook for the second command that begins with prefix.
func onlySecond(prefix string, a action) hook {
	var seen atomic.Int32
	return func(command string) action {
		if strings.HasPrefix(command, prefix) && seen.Add(1) == 2 {
			return a
		}
		return action{}
	}
}

// What counts as fetched: the whole message written, and then a command read
// from the socket.
func TestFetched(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(c *client)
		want bool
	}{
		"RETR, QUIT":                  {func(c *client) { c.list("RETR 1"); c.quit() }, true},
		"RETR, NOOP, lost":            {func(c *client) { c.list("RETR 1"); c.say("NOOP", "+OK*"); c.drop() }, true},
		"RETR, bad command, lost":     {func(c *client) { c.list("RETR 1"); c.say("HELO", "-ERR*"); c.drop() }, true},
		"RETR, lost":                  {func(c *client) { c.list("RETR 1"); c.drop() }, false},
		"RETR, half a command, lost":  {func(c *client) { c.list("RETR 1"); c.send("NOO"); c.drop() }, false},
		"pipelined, lost":             {func(c *client) { pipeline(c, "RETR 1", "NOOP"); c.drop() }, false},
		"pipelined QUIT":              {func(c *client) { pipeline(c, "RETR 1", "QUIT") }, false},
		"pipelined, then NOOP":        {func(c *client) { pipeline(c, "RETR 1", "NOOP"); c.say("NOOP", "+OK*"); c.drop() }, true},
		"TOP for all":                 {func(c *client) { c.list("TOP 1 99999999"); c.quit() }, true},
		"TOP one line more":           {func(c *client) { c.list("TOP 1 5"); c.quit() }, true},
		"TOP exactly":                 {func(c *client) { c.list("TOP 1 4"); c.quit() }, false},
		"TOP 1":                       {func(c *client) { c.list("TOP 1 1"); c.quit() }, false},
		"TOP 0":                       {func(c *client) { c.list("TOP 1 0"); c.quit() }, false},
		"LIST, UIDL":                  {func(c *client) { c.list("LIST"); c.list("UIDL"); c.quit() }, false},
		"upstream breaks off":         {func(c *client) { c.send("RETR 2\r\n"); c.remainder() }, false},
		"upstream refuses":            {func(c *client) { c.say("RETR 3", "-ERR*"); c.quit() }, false},
		"DELE without RETR, and RSET": {func(c *client) { c.say("DELE 1", "+OK*"); c.say("RSET", "+OK*"); c.quit() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box := w.box("pair@example.com", 200, 200, 200)
			w.hook(box, func(command string) action {
				switch command {
				case "RETR 2":
					return action{close: closeDuring, octets: 150}
				case "RETR 3":
					return action{reply: "-ERR gone"}
				}
				return action{}
			})
			s := w.open(box, "alice")
			c.run(s)
			s.drop()
			w.settle()
			fetched := false
			for _, id := range []string{"u1", "u2", "u3"} {
				fetched = fetched || len(w.find(box, id).Fetches) > 0
			}
			if fetched != c.want {
				t.Errorf("on record as fetched: %v, want %v", fetched, c.want)
			}
		})
	}
}

// pipeline sends commands in one packet and reads all answers.
func pipeline(c *client, commands ...string) {
	c.send(strings.Join(commands, "\r\n") + "\r\n")
	for _, command := range commands {
		c.get(command, "+OK*")
		if strings.HasPrefix(command, "RETR") {
			c.rest()
		}
	}
}

// A header line that is too long for a fingerprint does not make a TOP whole.
func TestOverlongHeaderIsNoWholeMessage(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com")
	text := "Subject: " + strings.Repeat("x", 70_000) + "\r\n\r\n" + strings.Repeat("line\r\n", 50)
	w.upstream.Deliver(box, []byte(text))
	c := w.open(box, "alice")
	c.list("TOP 1 10")
	c.quit()
	if f := w.find(box, "u1").Fetches; len(f) > 0 {
		t.Errorf("ten lines of fifty are on record as fetched: %+v", f)
	}
	c = w.open(box, "alice")
	c.list("TOP 1 100")
	c.quit()
	if f := w.find(box, "u1").Fetches; len(f) != 1 {
		t.Errorf("all lines, and not on record as fetched: %+v", f)
	}
}

// A message cut by the upstream ends the session: no status line may become
// part of the text.
func TestCutMessageGetsNoStatusLine(t *testing.T) {
	for _, name := range []string{"pair@example.com", "own@example.com", "watch@example.com"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box(name, 1000)
			c := w.open(box, "alice")
			w.hook(box, once("RETR", action{close: closeDuring, octets: 500}))
			c.send("RETR 1\r\n")
			if got := c.remainder(); strings.Contains(got, "-ERR") || strings.HasSuffix(got, "\r\n.\r\n") {
				t.Errorf("the client got %q", got)
			}
		})
	}
}
