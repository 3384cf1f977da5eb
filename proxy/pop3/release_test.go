package pop3

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
)

// takeAll is a client that fetches and deletes everything.
func (w *world) takeAll(box, who string) {
	w.tb.Helper()
	c := w.open(box, who)
	for _, line := range c.list("LIST") {
		n, _, _ := strings.Cut(line, " ")
		c.list("RETR " + n)
		c.say("DELE "+n, "+OK*")
	}
	c.quit()
}

// look is a session of a client that finds nothing to do.
func (w *world) look(box, who string) {
	w.tb.Helper()
	c := w.open(box, who)
	c.list("UIDL")
	c.quit()
}

// find returns a message as the ledger has it.
func (w *world) find(box, uniqueID string) *ledger.Held {
	w.tb.Helper()
	for id := range 50 {
		h, err := w.ledger.Find(w.tb.Context(), messageID(id+1))
		if err != nil {
			w.tb.Fatal(err)
		}
		if h != nil && h.Mailbox == member.Mailbox(box) && string(h.Message.UniqueID) == uniqueID {
			return h
		}
	}
	w.tb.Fatalf("the ledger has no %s of %s", uniqueID, box)
	return nil
}

func TestTheLastMemberReleases(t *testing.T) {
	w := newWorld(t)
	box := w.box("trio@example.com", 100, 200)
	w.takeAll(box, "alice")
	w.takeAll(box, "bob")
	w.has(box, "u1", "u2")
	w.upstream.Deliver(box, mail(3, 100))
	w.takeAll(box, "carol")
	w.has(box, "u3")
	if sent := w.received("DELE"); !slices.Equal(sent, []string{"DELE 1", "DELE 2"}) {
		t.Errorf("upstream received %q", sent)
	}
	w.look(box, "alice")
	if how := w.find(box, "u1").Message.GoneHow; how != "released" {
		t.Errorf("it left as %q, want released", how)
	}
}

// An anonymous visitor is nobody knows how many people.
func TestNotReleasedWhileAnonymousUse(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	w.look(box, "")
	w.takeAll(box, "alice")
	w.takeAll(box, "bob")
	w.has(box, "u1")
	w.pass(31 * 24 * time.Hour)
	w.look(box, "alice")
	w.look(box, "bob")
	w.has(box)
}

// What the last QUIT could not do is done in a later session.
func TestReleasedLater(t *testing.T) {
	for name, hook := range map[string]hook{
		"DELE refused":       once("DELE", action{reply: "-ERR not now"}),
		"DELE lost":          once("DELE", action{close: closeBefore}),
		"QUIT lost":          once("QUIT", action{close: closeBefore}),
		"QUIT not answered":  once("QUIT", action{close: closeDuring}),
		"QUIT refused":       once("QUIT", action{reply: "-ERR some deleted messages not removed"}),
		"TOP refused":        once("TOP", action{reply: "-ERR not now"}),
		"TOP lost":           once("TOP", action{close: closeBefore}),
		"TOP breaks off":     once("TOP", action{close: closeDuring, octets: 40}),
		"TOP is nonsense":    once("TOP", action{reply: "What?\r\n+OK\r\n+OK"}),
		"DELE and more":      once("DELE", action{behind: "+OK\r\n"}),
		"DELE is nonsense":   once("DELE", action{reply: "250 OK"}),
		"DELE answered late": once("DELE", action{delay: 1500 * time.Millisecond}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.server.Timeout = 600 * time.Millisecond })
			box := w.box("pair@example.com", 100, 200)
			w.takeAll(box, "alice")
			c := w.open(box, "bob")
			c.list("RETR 1")
			c.say("DELE 1", "+OK*")
			w.hook(box, hook)
			c.quit() // what goes wrong behind it is not the client's business
			left := w.upstream.UniqueIDs(box)
			if !slices.Contains(left, "u2") {
				t.Fatalf("upstream has %v: bob has not deleted u2", left)
			}
			c = w.open(box, "bob")
			c.say("UIDL", "+OK*", "1 u2", ".")
			c.quit()
			w.pass(time.Hour) // whatever was under way is over
			w.look(box, "alice")
			w.has(box, "u2")
			w.look(box, "bob")
			if how := w.find(box, "u1").Message.GoneHow; how != "released" {
				t.Errorf("it left as %q, want released", how)
			}
		})
	}
}

// Another message under a held one's unique-id and size is never removed.
func TestAnotherMessageIsNotReleased(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 200)
	w.takeAll(box, "alice")
	c := w.open(box, "bob")
	c.list("RETR 1")
	c.say("DELE 1", "+OK*")
	other := strings.ReplaceAll(string(mail(1, 200)), "message 1", "MESSAGE 1")
	w.hook(box, func(command string) action {
		if strings.HasPrefix(command, "TOP") {
			return action{reply: "+OK\r\n" + other + "."}
		}
		return action{}
	})
	c.quit()
	w.look(box, "alice")
	w.has(box, "u1")
	if sent := w.received("DELE"); len(sent) > 0 {
		t.Errorf("upstream received %q", sent)
	}
}

func TestUpstreamWithoutTOPReleasesNothingFetched(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.NoTOP = true })
	box := w.box("pair@example.com", 200)
	w.takeAll(box, "alice")
	w.takeAll(box, "bob")
	w.has(box, "u1")
}

func TestWithoutPipeliningUpstream(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.NoPipelining = true })
	box := w.box("pair@example.com", 100, 100, 100)
	w.takeAll(box, "alice")
	w.takeAll(box, "bob")
	w.has(box)
}

func TestRemovedMeanwhile(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100, 200)
	w.takeAll(box, "alice")
	c := w.open(box, "bob")
	w.upstream.Remove(box, "u1")
	c.say("RETR 1", "-ERR*")
	c.say("DELE 1", "+OK*")
	c.say("DELE 2", "+OK*")
	c.quit()
	w.has(box)
	w.look(box, "alice")
	if how := w.find(box, "u1").Message.GoneHow; how != "bypass" {
		t.Errorf("it left as %q, want bypass", how)
	}
}

// Done by leaving alone: fetched in one session, listed and left in a later
// one that ended with QUIT.
func TestDoneByLeavingAlone(t *testing.T) {
	fetch := func(c *client) { c.list("RETR 1"); c.quit() }
	for name, sessions := range map[string]struct {
		of   []func(c *client) // bob's, one after the other
		gone bool
	}{
		"fetched, later listed": {[]func(c *client){fetch, func(c *client) { c.list("UIDL"); c.quit() }}, true},
		"fetched, later LIST":   {[]func(c *client){fetch, func(c *client) { c.list("LIST"); c.quit() }}, true},
		"fetched, UIDL 1":       {[]func(c *client){fetch, func(c *client) { c.say("UIDL 1", "+OK 1 u1"); c.quit() }}, true},
		"listed and fetched":    {[]func(c *client){func(c *client) { c.list("UIDL"); fetch(c) }}, false},
		"never fetched":         {[]func(c *client){func(c *client) { c.list("UIDL"); c.quit() }, func(c *client) { c.list("UIDL"); c.quit() }}, false},
		"STAT only":             {[]func(c *client){fetch, func(c *client) { c.say("STAT", "+OK*"); c.quit() }}, false},
		"without QUIT":          {[]func(c *client){fetch, func(c *client) { c.list("UIDL"); c.drop() }}, false},
		"fetched again":         {[]func(c *client){fetch, func(c *client) { c.list("UIDL"); c.list("RETR 1"); c.quit() }}, false},
		"wanted again, in vain": {[]func(c *client){fetch, func(c *client) { c.list("UIDL"); c.say("RETR 1", "-ERR*"); c.quit() }}, false},
		"deleted and RSET":      {[]func(c *client){fetch, func(c *client) { c.list("UIDL"); c.say("DELE 1", "+OK*"); c.say("RSET", "+OK*"); c.quit() }}, false},
		"header only":           {[]func(c *client){func(c *client) { c.list("TOP 1 0"); c.quit() }, func(c *client) { c.list("UIDL"); c.quit() }}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box := w.box("pair@example.com", 100)
			w.takeAll(box, "alice")
			if strings.HasSuffix(name, "in vain") {
				w.hook(box, onlySecond("RETR", action{reply: "-ERR [SYS/TEMP] not now"}))
			}
			for _, session := range sessions.of {
				session(w.open(box, "bob"))
				w.settle()
			}
			w.look(box, "alice") // releases what is due
			if left := w.upstream.UniqueIDs(box); (len(left) == 0) != sessions.gone {
				t.Errorf("upstream has %v; want it gone: %v", left, sessions.gone)
			}
		})
	}
}
