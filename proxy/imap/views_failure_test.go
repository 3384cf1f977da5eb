package imap

import (
	"fmt"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// closesLedger is a hook: from a command on the ledger cannot be had.
func (w *world) closesLedger(at string) hook {
	return func(command string) upstream.Action {
		if strings.HasPrefix(command, at) {
			_ = w.ledger.Close() // again does no harm
		}
		return upstream.Action{}
	}
}

// copies is how many messages are in Keep beside the one that it was made with.
func (w *world) copies(box string) int { return len(w.upstream.Messages(box, "Keep")) - 1 }

// A deferral that cannot be put on record hides nothing, although it was decided
// before: the client is told that it did not happen, and the mark stays.
func TestDeferralThatCannotBeRecorded(t *testing.T) {
	for _, test := range []struct {
		command, at, answer string
		copies              int
	}{
		{"EXPUNGE", "UID FETCH", "NO [UNAVAILABLE]*", 0},
		{"EXPUNGE", "UID SEARCH", "NO [UNAVAILABLE]*", 0}, // behind the decision: message 4 is gone, and looked for
		{"CLOSE", "UID SEARCH", "OK*", 0},
		{"UID MOVE 1:2 Keep", "UID FETCH", "NO [UNAVAILABLE]*", 0},
		{"UID MOVE 1:2 Keep", "UID COPY", "NO [UNAVAILABLE]*", 2}, // nobody takes copies away
	} {
		t.Run(test.command+" "+test.at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box := w.box("plain@example.com", 100, 200, 300, 400)
			w.folder(t, box, "Keep")
			c := w.enter(t, box, "alice")
			c.ok(`STORE 1,4 +FLAGS.SILENT (\Deleted)`)
			w.upstream.Remove(box, w.upstream.UniqueIDs(box)[3])
			w.on(box, w.closesLedger(test.at))
			others, answer := c.do(test.command)
			if countOf(others, "1 EXPUNGE")+countOf(others, "2 EXPUNGE") > 0 || !fits(answer, test.answer) {
				t.Errorf("%q %q, want %q", others, answer, test.answer)
			}
			if test.command != "CLOSE" {
				c.ok("NOOP")
				c.shows(`1 (\Deleted), 2 (), 3 ()`)
			}
			w.has(t, box, inbox, 1, 2, 3)
			if n := w.copies(box); n != test.copies {
				t.Errorf("%d copies in Keep, want %d", n, test.copies)
			}
		})
	}
}

// Where the ledger cannot be read when a folder is opened everything in it is
// shown, and nothing is deleted. What is open keeps its view.
func TestViewWithoutALedger(t *testing.T) {
	for name, fail := range breakLedger {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box, alice := w.deferred(t, "plain")
			fail(t, w)
			alice.shows("1 (), 2 (), 3 (), 4 ()")
			alice.says("SELECT INBOX", "* 6 EXISTS")
			alice.shows("1 (), 2 (), 3 (), 4 (), 5 (), 6 ()")
			alice.say(`STORE 1 +FLAGS.SILENT (\Deleted)`, "NO [UNAVAILABLE]*")
			w.has(t, box, inbox, 1, 2, 3, 4, 5, 6)
		})
	}
}

// Numbers of the upstream that cannot be right end a session with a view: what
// it would be told from then on could be about other messages.
func TestViewIsOutOfStep(t *testing.T) {
	for _, nonsense := range []string{"* 1 EXISTS", "* 99 EXPUNGE", "* 0 EXPUNGE"} {
		t.Run(nonsense, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box, alice := w.deferred(t, "plain")
			w.on(box, once("NOOP", upstreamSays(nonsense)))
			if answer := alice.answer("NOOP"); !strings.HasPrefix(answer, "NO [UNAVAILABLE]") {
				t.Errorf("NOOP: %q", answer)
			}
			alice.goodbye()
			w.enter(t, box, "alice").shows("1 (), 2 (), 3 (), 4 ()")
			w.has(t, box, inbox, 1, 2, 3, 4, 5, 6)
		})
	}
}

// A client that is lost while its deletions are put on record has deleted them:
// it does not see them when it comes again.
func TestLostBeforeTheEXPUNGE(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	alice := w.enter(t, box, "alice")
	alice.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	w.on(box, func(command string) upstream.Action {
		if strings.HasPrefix(command, "UID FETCH 2 ") { // the look before the decision
			alice.drop()
		}
		return upstream.Action{}
	})
	if _, err := fmt.Fprint(alice.conn, "x EXPUNGE\r\n"); err != nil {
		t.Fatal(err)
	}
	alice.ended()
	w.settle()
	w.on(box, nil)
	again := w.enter(t, box, "alice")
	again.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)")
	w.enter(t, box, "bob").shows("1 (), 2 (), 3 ()")
	w.has(t, box, inbox, 1, 2, 3)
}

// An upstream that is lost behind the copy of a deferred move, before anything is
// on record: the copy stays, and nothing is hidden.
func TestLostBehindTheCopy(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	alice := w.enter(t, box, "alice")
	w.on(box, once("UID COPY", upstream.Action{CloseAfter: true}))
	alice.say("UID MOVE 2 Keep", "NO [UNAVAILABLE]*", nothing...)
	alice.goodbye()
	w.enter(t, box, "alice").shows("1 (), 2 (), 3 ()")
	w.has(t, box, inbox, 1, 2, 3)
	if n := w.copies(box); n != 1 {
		t.Errorf("%d copies in Keep, want one", n)
	}
}
