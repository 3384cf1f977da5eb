package imap

import (
	"testing"

	"mailguard/demo/upstream"
)

// closed fails the test unless nothing is selected: messages cannot be named, and
// what happens in the folder is not told.
func (c *client) closed(w *world, box string) {
	c.tb.Helper()
	c.say("FETCH 1:* (UID)", "BAD*", nothing...)
	w.upstream.Deliver(box, mail(9, 900))
	c.say("NOOP", "OK*", nothing...)
	c.say(`STORE 1 +FLAGS.SILENT (\Deleted)`, "BAD*", nothing...)
	c.say("EXPUNGE", "BAD*", nothing...)
}

// A folder that is being left is left, whatever the upstream refuses meanwhile: it
// does not stay open in silence, with numbers that the client does not know.
func TestLeavingAFolderFails(t *testing.T) {
	for _, test := range []struct {
		command, refused, answer string
		left                     []uint32
	}{
		{"CLOSE", "NOOP", "OK*", []uint32{1, 3, 4}},
		{"UNSELECT", "NOOP", "OK*", []uint32{1, 2, 3, 4}},
		{"CLOSE", "UNSELECT", "NO*", []uint32{1, 3, 4}},
		{"UNSELECT", "UNSELECT", "NO*", []uint32{1, 2, 3, 4}},
	} {
		t.Run(test.command+" without "+test.refused, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("allow@example.com", 100, 200, 300, 400)
			alice := w.enter(t, box, "alice")
			alice.ok("FETCH 1 (BODY.PEEK[])") // so that the guard asks once more before it leaves
			alice.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
			alice.ok("FETCH 1 (BODY.PEEK[])")
			w.on(box, once(test.refused, upstream.Action{Answer: notNow}))
			alice.say(test.command, test.answer, nothing...)
			w.has(t, box, inbox, test.left...)
			alice.closed(w, box)
			w.has(t, box, inbox, append(test.left, 5)...)
		})
	}
}

// A SELECT that fails when it has succeeded upstream leaves nothing selected.
func TestSelectFails(t *testing.T) {
	w := newWorld(t)
	box, _ := w.deferred(t, "plain")
	alice := w.login(t, box, "alice")
	w.on(box, once("UID FETCH", upstream.Action{Answer: notNow}))
	alice.say("SELECT INBOX", "NO*")
	if len(w.received("UNSELECT")) == 0 {
		t.Error("the upstream has it selected still")
	}
	alice.closed(w, box)
	alice.says("SELECT INBOX", "* 5 EXISTS")
}
