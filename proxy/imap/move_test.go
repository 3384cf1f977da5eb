package imap

import (
	"strings"
	"testing"
)

// Moves are all or nothing, on servers with MOVE and without.
func TestMoves(t *testing.T) {
	for server, change := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change)
			keep := "Keep"
			if server == "like Courier" {
				keep = "INBOX.Keep"
			}
			for _, test := range []struct {
				kind, command, answer string
				gone                  []uint32 // upstream
				hidden                int
			}{
				{"allow", "MOVE 1:3 ", "OK*", []uint32{1, 2, 3}, 0},
				{"allow", "UID MOVE 3,2,1 ", "OK*", []uint32{1, 2, 3}, 0},
				{"allow", "UID MOVE * ", "OK*", []uint32{4}, 0},
				{"allow", "UID MOVE 4294967295:3 ", "OK*", []uint32{3, 4}, 0},
				{"allow", "UID MOVE 77 ", "OK No messages found*", nil, 0},
				{"allow", "MOVE 77 ", "BAD*", nil, 0},
				{"mixed", "MOVE 1:3 ", "NO [NOPERM] " + askCarol, nil, 0},
				{"mixed", "UID MOVE 1,4 ", "OK*", []uint32{1, 4}, 0},
				{"mixed", "UID MOVE 1,2 ", "NO [NOPERM] " + askCarol, nil, 0},
				{"mixed", "UID MOVE 1,3 ", "OK*", nil, 2},
				{"refuse", "MOVE 1 ", "NO [NOPERM] " + askCarol, nil, 0},
				{"plain", "MOVE 1:3 ", "OK*", nil, 3},
				{"plain", "MOVE 1 ", "OK*", nil, 1},
				{"unsaid", "MOVE 1:3 ", "NO [NOPERM] 3 messages*", nil, 0},
			} {
				box := w.box(test.kind+strings.NewReplacer(" ", "", ":", "-", "*", "last", ",", "-").Replace(strings.ToLower(test.command))+"@example.com", 100, 200, 300, 100)
				w.folder(t, box, "Keep")
				c := w.enter(t, box, "alice")
				others, answer := c.do(test.command + keep)
				if !fits(answer, test.answer) {
					t.Errorf("%s in %s: %q", test.command, box, answer)
				}
				if n := countOf(others, " EXPUNGE"); n != len(test.gone)+test.hidden {
					t.Errorf("%s in %s: %d times EXPUNGE in %q", test.command, box, n, others)
				}
				if n := countOf(append(others, answer), "[COPYUID "); n != min(1, len(test.gone)+test.hidden) {
					t.Errorf("%s in %s: %d times COPYUID in %q", test.command, box, n, others)
				}
				w.gone(t, box, 4, test.gone...)
				if n := len(w.upstream.Messages(box, "Keep")); n != 1+len(test.gone)+test.hidden {
					t.Errorf("%s in %s: %d messages in Keep", test.command, box, n)
				}
				c.logout()
			}
		})
	}
}

func countOf(lines []string, part string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// folder makes a folder with one message.
func (w *world) folder(t *testing.T, box, name string) {
	t.Helper()
	if _, err := w.upstream.Append(box, name, mail(1, 100), w.now()); err != nil {
		t.Fatal(err)
	}
}

// A server that has MOVE, but not UIDPLUS, moves all the same.
func TestMoveWithoutUIDPLUS(t *testing.T) {
	w := newWorld(t, without1("UIDPLUS"))
	box := w.box("allow@example.com", 100, 200)
	w.folder(t, box, "Keep")
	c := w.enter(t, box, "alice")
	if _, answer := c.do("MOVE 1 Keep"); strings.HasPrefix(answer, "OK ") {
		w.gone(t, box, 2, 1)
	} else {
		w.gone(t, box, 2)
	}
}

// A move that the server cannot carry out changes nothing.
func TestMoveFails(t *testing.T) {
	for server, change := range servers {
		w := newWorld(t, change)
		box := w.box("allow@example.com", 100, 200)
		c := w.enter(t, box, "alice")
		name := "nowhere"
		if server == "like Courier" {
			name = "INBOX.nowhere"
		}
		c.say("MOVE 1 "+name, "NO [TRYCREATE]*", nothing...)
		w.gone(t, box, 2)
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		c.ok("EXPUNGE") // it can still be deleted
		w.gone(t, box, 2, 1)
	}
}

// In a folder that was opened for reading nothing is changed, whatever the
// server would do: this one moves.
func TestExamine(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200)
	w.folder(t, box, "Keep")
	c := w.enter(t, box, "alice")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok("EXAMINE INBOX")
	c.shows(`1 (\Deleted), 2 ()`)
	for _, command := range []string{"EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Keep", "UID MOVE 1 Keep", `STORE 2 +FLAGS (\Deleted)`, `STORE 1 -FLAGS (\Deleted)`} {
		c.say(command, "NO [READ-ONLY]*", nothing...)
	}
	c.ok("CLOSE")
	c.say("FETCH 1 FLAGS", "BAD*")
	c.ok("SELECT INBOX")
	c.shows(`1 (\Deleted), 2 ()`)
	w.gone(t, box, 2)
}

// A login without the right to remove: the server says OK and does nothing. What
// policy allows leaves the member's view all the same, and a move is not told to
// have happened.
func TestWithoutTheRight(t *testing.T) {
	w := newWorld(t)
	for how, run := range map[string]func(c *client){
		"EXPUNGE": func(c *client) {
			c.say("EXPUNGE", "OK*", "* 1 EXPUNGE")
			c.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 2)")
		},
		"CLOSE": func(c *client) { c.ok("CLOSE") },
		"MOVE":  func(c *client) { c.say("MOVE 1 Keep", "NO*") },
	} {
		for _, rights := range []string{"lrswikxa", "lrswitkxa", "lrswiekxa"} {
			box := w.box("allow-"+strings.ToLower(how)+rights+"@example.com", 100, 200)
			w.folder(t, box, "Keep")
			w.upstream.Grant(box, box, rights)
			c := w.enter(t, box, "alice")
			c.say(`STORE 1 +FLAGS (\Deleted)`, "OK*", `* 1 FETCH (FLAGS (\Recent \Deleted))`)
			run(c)
			w.gone(t, box, 2)
			c.logout()
		}
	}
}

// Where a move goes to is a fact of the decision.
func TestMoveToTrash(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.IMAP.SpecialFolders = true })
	box := w.box("trash@example.com", 100, 200, 300)
	c := w.enter(t, box, "alice")
	c.ok("MOVE 1 Archive") // deferred
	c.ok("MOVE 1 Trash")
	c.ok("COPY 1 Trash")
	c.ok(`STORE 1 +FLAGS (\Deleted)`)
	c.ok("EXPUNGE")
	w.gone(t, box, 3, 2, 3)
}

// The same by the configuration, where the server does not say.
func TestMoveToTrashByConfiguration(t *testing.T) {
	w := newWorld(t, without1("SPECIAL-USE"), func(s *setup) { s.server.FolderUses = map[string]string{"trash": "Old/Bin"} })
	box := w.box("trash@example.com", 100, 200)
	w.folder(t, box, "Old/Bin")
	w.folder(t, box, "Bin")
	c := w.enter(t, box, "alice")
	c.ok("MOVE 1 Bin") // deferred
	c.ok("MOVE 1 Old/Bin")
	w.gone(t, box, 2, 2)
}

// Whole folders go where the rule of the folder says so, and never if a
// deferral would be needed.
func TestFolders(t *testing.T) {
	w := newWorld(t)
	box := w.box("folders@example.com", 100)
	for _, name := range []string{"Old", "Old2", "Other"} {
		w.folder(t, box, name)
	}
	c := w.login(t, box, "alice")
	for _, test := range []struct{ command, answer string }{
		{"DELETE Other", "NO [NOPERM]*"},
		{"RENAME Other Old9", "NO [NOPERM]*"},
		{"DELETE INBOX", "NO [CANNOT]*"},
		{"DELETE inbox", "NO [CANNOT]*"},
		{"RENAME INBOX Old", "NO [CANNOT]*"},
		{"RENAME InBox {3+}\r\nOld", "NO [CANNOT]*"},
		{"DELETE Other/", "NO*"},
		{"DELETE /Other", "NO*"},
		{"DELETE Other//", "NO*"},
		{"DELETE Old2", "NO [NOPERM]*"},
		{"CREATE Old3", "OK*"},
		{"DELETE Old", "OK*"},
	} {
		c.say(test.command, test.answer)
	}
	if got := strings.Join(w.upstream.Folders(box), " "); got != "INBOX Old2 Old3 Other" {
		t.Errorf("folders are %s", got)
	}
	w.gone(t, box, 1)
}

// Marks go with a folder that is renamed.
func TestRenameKeepsMarks(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.rules = append(s.rules[:0:0], s.rules...); s.rules[6].When = `folder == "Old"` })
	box := w.box("stay@example.com", 100)
	w.folder(t, box, "Old")
	c := w.login(t, box, "alice")
	c.ok("SELECT Old")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok("UNSELECT")
	c.ok("RENAME Old New")
	c.ok("SELECT New")
	c.shows(`1 (\Deleted)`)
}
