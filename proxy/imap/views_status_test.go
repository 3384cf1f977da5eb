package imap

import (
	"fmt"
	"slices"
	"testing"

	"mailguard/demo/upstream"
)

// STATUS counts a view also where a value is a list, as that of MAILBOXID (RFC
// 8474), and tells nothing that was not asked for.
func TestStatusWithAList(t *testing.T) {
	w := newWorld(t)
	box, alice := w.deferred(t, "plain")
	alice.ok("UNSELECT")
	validity, err := w.upstream.UIDValidity(box, inbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ items, upstream, want string }{
		{"MAILBOXID MESSAGES", "MAILBOXID (F0001) MESSAGES 6 UIDVALIDITY %d", "MAILBOXID (F0001) MESSAGES 4"},
		{"MESSAGES MAILBOXID", "MESSAGES 6 MAILBOXID (F0001) UIDVALIDITY %d", "MESSAGES 4 MAILBOXID (F0001)"},
		{"MESSAGES MAILBOXID", "UIDVALIDITY %d MESSAGES 6 MAILBOXID (F0001)", "MESSAGES 4 MAILBOXID (F0001)"},
	} {
		w.on(box, once("STATUS", upstream.Action{
			Before: "* STATUS INBOX (" + fmt.Sprintf(test.upstream, validity) + ")", Answer: "{tag} OK Status completed.",
		}))
		alice.say("STATUS INBOX ("+test.items+")", "OK*", "* STATUS INBOX ("+test.want+")")
	}
}

// What is hidden in somebody else's folder is not counted in a login that nobody
// guards, either.
func TestStatusOfASharedFolder(t *testing.T) {
	w := newWorld(t, withShared)
	box, own := w.box("plain@example.com", 100, 200, 300), w.box("own@example.com", 100)
	w.upstream.Grant(box, own, "lrswipkxtea")
	c := w.login(t, own, "alice")
	c.ok("SELECT shared/plain@example.com/INBOX")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	c.say("EXPUNGE", "OK*", "* 2 EXPUNGE")
	for _, leave := range []string{"NOOP", "UNSELECT"} {
		c.ok(leave)
		c.say("STATUS shared/plain@example.com/INBOX (MESSAGES)", "OK*", "* STATUS shared/plain@example.com/INBOX (MESSAGES 2)")
		listed := c.ok(`LIST "" "*" RETURN (STATUS (MESSAGES))`)
		for _, want := range []string{"* STATUS INBOX (MESSAGES 1)", "* STATUS shared/plain@example.com (MESSAGES 2)"} {
			if !slices.Contains(listed, want) {
				t.Errorf("behind %s LIST tells %q, and not %q", leave, listed, want)
			}
		}
	}
	w.has(t, box, inbox, 1, 2, 3)
}

// The selected folder is searched only where its own unseen messages are asked for.
func TestStatusSearchesNoMoreThanIsAskedFor(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	alice := w.enter(t, box, "alice")
	alice.ok("UID MOVE 1 Keep")
	alice.ok("SELECT Keep")
	alice.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	alice.say("EXPUNGE", "OK*", "* 1 EXPUNGE")
	for _, test := range []struct {
		command, want string
		searches      int
	}{
		{"STATUS INBOX (MESSAGES)", "* STATUS INBOX (MESSAGES 2)", 0},
		{"STATUS INBOX (MESSAGES UNSEEN)", "* STATUS INBOX (MESSAGES 2 UNSEEN 2)", 0},
		{"STATUS Keep (MESSAGES)", "* STATUS Keep (MESSAGES 1)", 0},
		{"STATUS Keep (MESSAGES UNSEEN)", "* STATUS Keep (MESSAGES 1 UNSEEN 1)", 1},
	} {
		w.upstream.Forget()
		alice.say(test.command, "OK*", test.want)
		if got := w.received("UID SEARCH", "SEARCH"); len(got) != test.searches {
			t.Errorf("%s: the upstream received %q", test.command, got)
		}
	}
}
