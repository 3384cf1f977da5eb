package imap

import (
	"strings"
	"testing"
)

// sees reads responses until one of them is this.
func (c *client) sees(want string) {
	c.tb.Helper()
	for {
		if line := c.response(); fits(line, want) {
			return
		} else if strings.Contains(line, " FETCH ") {
			c.tb.Fatalf("got %q, want %q", line, want)
		}
	}
}

// idle begins an IDLE.
func (c *client) idle() (tag string) {
	c.tb.Helper()
	tag = c.begin("IDLE")
	if got := c.response(); !strings.HasPrefix(got, "+ ") {
		c.tb.Fatalf("IDLE: %q", got)
	}
	return tag
}

// done ends an IDLE.
func (c *client) done(tag string) []string {
	c.tb.Helper()
	c.send("DONE\r\n")
	others, answer := c.wait(tag)
	if !strings.HasPrefix(answer, "OK ") {
		c.tb.Errorf("IDLE: %q", answer)
	}
	return others
}

// What one session of a member marks, the member's other sessions hear of:
// without asking, also in IDLE; other members hear nothing.
func TestSessionsOfAMember(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300)
	first, second, idling, bob := w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "bob")
	tag := idling.idle()
	first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	idling.sees(`* 2 FETCH (UID 2 FLAGS (\Deleted))`)
	second.say("NOOP", "OK*", `* 2 FETCH (UID 2 FLAGS (\Deleted))`)
	second.shows(`1 (), 2 (\Deleted), 3 ()`)
	second.ok(`STORE 2 -FLAGS.SILENT (\Deleted)`)
	idling.sees(`* 2 FETCH (UID 2 FLAGS ())`)
	first.say("UID FETCH 1 UID", "OK*", `* 2 FETCH (UID 2 FLAGS (\Recent))`, `* 1 FETCH (UID 1)`)
	first.ok(`STORE 3 +FLAGS.SILENT (\Deleted)`)
	idling.sees(`* 3 FETCH (UID 3 FLAGS (\Deleted))`)
	if others := idling.done(tag); len(others) > 0 {
		t.Errorf("behind DONE: %q", others)
	}
	idling.shows(`1 (), 2 (), 3 (\Deleted)`)
	bob.say("NOOP", "OK*", nothing...)
	bob.shows(`1 (), 2 (), 3 ()`)
	second.say("EXPUNGE", "OK*", `* 3 FETCH (UID 3 FLAGS (\Deleted))`, "* 3 EXPUNGE")
	tag = idling.begin("IDLE") // and hears of the message that is gone
	idling.sees("* 3 EXPUNGE")
	idling.sees("+ idling")
	idling.done(tag)
	idling.shows(`1 (), 2 ()`)
	w.gone(t, box, 3, 3)
}

// With no command in progress numbers stay what they are, whatever other
// sessions do: a number that the client is just sending means what it knows.
func TestNumbersStayBetweenCommands(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300, 400)
	first, second, bob := w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "bob")
	bob.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	bob.ok("EXPUNGE")
	second.ok("NOOP")
	second.ok(`UID STORE 4 +FLAGS.SILENT (\Deleted)`) // which the first session hears of
	first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)      // before it was told that the first message is gone
	first.ok("NOOP")
	first.shows(`1 (\Deleted), 2 (), 3 (\Deleted)`)
	first.ok("CLOSE")
	w.gone(t, box, 4, 1, 2, 4)
}

// CLOSE is about marks of all sessions, and says nothing.
func TestCloseWithMarksOfAnotherSession(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300)
	first, second := w.enter(t, box, "alice"), w.enter(t, box, "alice")
	first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	second.say("CLOSE", "OK*", nothing...)
	w.gone(t, box, 3, 2)
	first.say("NOOP", "OK*", "* 2 EXPUNGE", "* 2 RECENT")
}

// Marks of a client that has not seen a new message yet.
func TestMarkOfANewMessage(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	first := w.enter(t, box, "alice")
	w.upstream.Deliver(box, mail(2, 200))
	second := w.enter(t, box, "alice")
	second.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	first.ok("NOOP")
	first.shows(`1 (), 2 (\Deleted)`)
}

// IDLE passes the upstream's news on, and ends as the client wants it.
func TestIdle(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.enter(t, box, "alice")
	tag := c.idle()
	w.upstream.Deliver(box, mail(2, 200))
	c.sees("* 2 EXISTS")
	c.done(tag)
	for _, test := range []struct{ end, answer string }{
		{"DONE", "OK*"}, {"done", "OK*"}, {"DONE x", "BAD*"}, {"x EXPUNGE", "BAD*"}, {"", "BAD*"},
	} {
		tag := c.idle()
		c.send(test.end + "\r\n")
		if _, answer := c.wait(tag); !fits(answer, test.answer) {
			t.Errorf("%.20q: %q, want %q", test.end, answer, test.answer)
		}
		c.ok("NOOP")
	}
	tag = c.idle()
	c.send(strings.Repeat("x", 2*maxDone) + "\r\n")
	if _, answer := c.wait(tag); !fits(answer, "BAD*") {
		t.Errorf("too long: %q", answer)
	}
	c.goodbye()
	c = w.enter(t, box, "alice")
	c.send("i IDLE\r\nDONE\r\nn NOOP\r\n")
	c.open["i"], c.open["n"] = true, true
	c.wait("i")
	c.wait("n")
	c.logout()
}

// A mailbox that becomes shared is guarded in sessions that are open already.
func TestMailboxBecomesShared(t *testing.T) {
	w := newWorld(t)
	box := w.box("auto@example.com", 100, 200)
	alice := w.enter(t, box, "alice")
	alice.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	alice.ok("EXPUNGE")
	w.gone(t, box, 2, 1)
	w.enter(t, box, "bob").logout()
	alice.do(`STORE 1 +FLAGS.SILENT (\Deleted)`) // perhaps she is asked to try again
	alice.do("EXPUNGE")
	alice.ok(`STORE 1:* +FLAGS.SILENT (\Deleted)`)
	alice.ok("EXPUNGE")
	alice.say("FETCH 1:* (FLAGS)", "BAD*") // she sees nothing any more
	w.gone(t, box, 2, 1)
}

// In an account of its own everything is as without a guard: marks are the
// server's, and others who log in see them.
func TestUnsharedMailbox(t *testing.T) {
	w := newWorld(t)
	box := w.box("own@example.com", 100, 200)
	c, other := w.enter(t, box, ""), w.enter(t, box, "")
	c.say(`STORE 1 +FLAGS (\Deleted)`, "OK*", `* 1 FETCH (FLAGS (\Deleted \Recent))`)
	other.say("NOOP", "OK*", `* 1 FETCH (FLAGS (\Deleted))`)
	other.ok("EXPUNGE")
	w.gone(t, box, 2, 1)
}

// An anonymous member whose deletions are accepted: success is reported, and
// everything stays.
func TestAnonymousAccepted(t *testing.T) {
	w := newWorld(t)
	box := w.box("anonaccept@example.com", 100, 200)
	c := w.enter(t, box, "")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.say("EXPUNGE", "OK*", `* 1 FETCH (FLAGS (\Recent))`)
	c.shows("1 (), 2 ()")
	w.gone(t, box, 2)
}
