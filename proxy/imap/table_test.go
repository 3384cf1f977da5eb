package imap

import (
	"slices"
	"strings"
	"testing"
)

// Every row of the table is complete, and leads to capabilities that the guard
// knows.
func TestCommandTable(t *testing.T) {
	for name, row := range commands {
		t.Run(name, func(t *testing.T) {
			if name != strings.ToUpper(name) {
				t.Error("the name is not in upper case")
			}
			if (row.grammar == nil) != (row.treat == notOffered) {
				t.Errorf("treated as %q, grammar: %v", row.treat, row.grammar != nil)
			}
			if row.states == 0 {
				t.Error("it is legal in no state")
			}
			if row.treat == pass && row.handle != nil {
				t.Error("passed, and yet it has a handler")
			}
			if row.treat != pass && row.treat != notOffered && row.handle == nil {
				t.Errorf("treated as %q by nobody", row.treat)
			}
			if _, known := passed(row.capability); row.capability != "" && !known {
				t.Errorf("%s is offered to nobody", row.capability)
			}
		})
	}
}

// What may remove something waits for everything before it.
func TestDecisionsAreBarriers(t *testing.T) {
	for _, name := range []string{
		"EXPUNGE", "UID EXPUNGE", "CLOSE", "MOVE", "UID MOVE", "DELETE", "RENAME", "SELECT", "EXAMINE", "UNSELECT",
		"SETACL", "DELETEACL", "SETQUOTA", "SETMETADATA", "IDLE", "LOGOUT", "ENABLE",
	} {
		if !commands[name].barrier {
			t.Errorf("%s does not wait", name)
		}
	}
}

// Capabilities that would blind the guard, or let a client past it, are in no
// table.
func TestCapabilitiesThatAreNotPassed(t *testing.T) {
	for _, word := range []string{
		"COMPRESS=DEFLATE", "NOTIFY", "CATENATE", "URLAUTH", "URLAUTH=BINARY", "URL-PARTIAL", "MULTISEARCH", "CONTEXT=SEARCH", "CONTEXT=SORT",
		"UIDONLY", "REPLACE", "UNAUTHENTICATE", "FILTERS", "LOGIN-REFERRALS", "MAILBOX-REFERRALS", "STARTTLS", "LOGINDISABLED",
		"AUTH=PLAIN", "AUTH=SCRAM-SHA-1-PLUS", "LITERAL+", "LITERAL-", "X-REPLICATION", "XMOVE", "SCAN", "ANNOTATE-EXPERIMENT-1", "",
	} {
		if _, known := passed(word); known {
			t.Errorf("%q is passed on", word)
		}
	}
}

// What is not offered, is unknown or is not understood is answered BAD, and
// the upstream hears nothing of it.
func TestUnknownCommandsStayHere(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.IMAP.Capabilities = []string{"COMPRESS=DEFLATE", "REPLACE", "CONDSTORE"} })
	box := w.box("allow@example.com", 100, 200)
	commandLines := []string{
		"COMPRESS DEFLATE", "UID REPLACE 1 INBOX", "XMOVE 1 INBOX", "UID XMOVE 1 INBOX", "XYZZY", "UNAUTHENTICATE",
		"SETACL INBOX x lrs", "GETQUOTA \"\"", "EXPUNGE 1", "EXPUNGE ", "CLOSE x", "UID EXPUNGE", "UID EXPUNGE 0", "UID EXPUNGE 1:*:2", "STORE 1 +FLAGS",
		"FETCH 1 (MODSEQ)", "FETCH 1 (FLAGS) (CHANGEDSINCE 1)", "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", "SEARCH MODSEQ 1", "SELECT INBOX (CONDSTORE)",
		"SEARCH RETURN (SAVE) ALL", "FETCH $ FLAGS", "STATUS INBOX (HIGHESTMODSEQ)", "STATUS INBOX (DELETED)", "LIST \"\" * RETURN (STATUS (DELETED))",
		"MOVE 1 \"a\x01b\"", "LOGIN x y", "AUTHENTICATE PLAIN", "STARTTLS", "NOOP\x00", "UID NOOP", "UID",
	}
	for start := range slices.Chunk(commandLines, 15) { // more in a row end the session
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1:2 +FLAGS.SILENT (\Deleted)`)
		before := len(w.upstream.Received())
		for _, line := range start {
			verb, _, _ := strings.Cut(line, " ")
			if others, answer := c.do(line); !strings.HasPrefix(answer, "BAD ") && !(verb == "SETACL" && strings.HasPrefix(answer, "NO ")) || len(others) > 0 {
				t.Errorf("%q: %q, %q", line, others, answer)
			}
		}
		if got := w.upstream.Received()[before:]; len(got) > 0 {
			t.Errorf("the upstream received %q", got)
		}
		c.shows(`1 (\Deleted), 2 (\Deleted)`)
		c.logout()
	}
	w.has(t, box, inbox, 1, 2)
}

// Behind a literal of which nobody knows what it is nothing is read any more.
func TestLiteralsOfUnknownCommands(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	for _, line := range []string{"XYZZY {11+}", "NOOP {11+}", "UID REPLACE 1 INBOX {11+}", "EXPUNGE {11+}", "FETCH {11+}", "COMPRESS {11}"} {
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		c.send("x " + line + "\r\nz EXPUNGE\r\n\r\n")
		for { // a reset may take the last words away
			line, err := c.read()
			if err != nil {
				break
			}
			if !strings.HasPrefix(line, "x BAD ") && !strings.HasPrefix(line, "* BYE ") {
				t.Errorf("%q", line)
			}
		}
		w.has(t, box, inbox, 1)
	}
}

// A client that speaks something else is sent away, and soon.
func TestTooManyBadCommands(t *testing.T) {
	w := newWorld(t)
	c := w.dial(t)
	for range maxBadBeforeLogin {
		c.say("XYZZY", "BAD*")
	}
	c.goodbye()
	c = w.login(t, w.box("own@example.com"), "")
	for range maxBad - 1 {
		c.say("XYZZY", "BAD*")
	}
	c.ok("NOOP") // which begins the count anew
	for range maxBad {
		c.say("XYZZY", "BAD*")
	}
	c.goodbye()
}

// Every command that needs another state is BAD, whatever its arguments.
func TestStates(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	out, in := w.dial(t), w.login(t, box, "alice")
	for _, line := range []string{
		"SELECT INBOX", "LIST \"\" *", "APPEND INBOX {3+}\r\nabc", "FETCH 1 FLAGS", "EXPUNGE", "IDLE", "ENABLE UTF8=ACCEPT", "CLOSE", "DELETE x",
	} {
		out.say(line, "BAD*")
		if out = w.again(t, out); out.sent > 1 {
			t.Fatal("not a new client")
		}
	}
	for _, line := range []string{
		"FETCH 1 FLAGS", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "UID EXPUNGE 1", "CLOSE", "UNSELECT", "MOVE 1 x", "COPY 1 x", "SEARCH ALL", "CHECK",
		"LOGIN x y", "AUTHENTICATE PLAIN", "STARTTLS",
	} {
		in.say(line, "BAD "+replyWrongState.Text)
	}
	if got := w.received("FETCH", "STORE", "EXPUNGE", "SELECT", "LIST", "APPEND"); len(got) > 0 {
		t.Errorf("the upstream received %q", got)
	}
	in.ok("NOOP")
}

// again is a new client in place of another.
func (w *world) again(tb testing.TB, c *client) *client {
	tb.Helper()
	c.drop()
	return w.dial(tb)
}
