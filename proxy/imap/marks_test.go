package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// STORE in all its forms: the mark is the member's own, every other flag goes
// upstream, and the answers look as they do without a guard.
func TestStoreForms(t *testing.T) {
	w := newWorld(t)
	for i, test := range []struct {
		before   string // a command in front; "" none
		command  string
		answers  []string
		shows    string
		upstream string // flags of the first message there
	}{
		{"", `STORE 1 +FLAGS (\Deleted)`, []string{`* 1 FETCH (FLAGS (\Recent \Deleted))`}, `1 (\Deleted), 2 ()`, ``},
		{"", `STORE 1 +FLAGS \Deleted`, []string{`* 1 FETCH (FLAGS (\Recent \Deleted))`}, `1 (\Deleted), 2 ()`, ``},
		{"", `store 1 +flags (\dELETED)`, []string{`* 1 FETCH (FLAGS (\Recent \Deleted))`}, `1 (\Deleted), 2 ()`, ``},
		{"", `STORE 1 +FLAGS.SILENT (\Deleted)`, nothing, `1 (\Deleted), 2 ()`, ``},
		{"", `UID STORE 1 +FLAGS.SILENT (\Seen \Deleted)`, nothing, `1 (\Seen \Deleted), 2 ()`, `\Seen`},
		{"", `STORE 1:* +FLAGS.SILENT (\Deleted)`, nothing, `1 (\Deleted), 2 (\Deleted)`, ``},
		{"", `STORE * +FLAGS.SILENT (\Deleted)`, nothing, `1 (), 2 (\Deleted)`, ``},
		{"", `UID STORE 4294967295:1 +FLAGS.SILENT (\Deleted)`, nothing, `1 (\Deleted), 2 (\Deleted)`, ``},
		{"", `UID STORE 900:* +FLAGS.SILENT (\Deleted)`, nothing, `1 (), 2 (\Deleted)`, ``},
		{"", `UID STORE 700 +FLAGS (\Deleted)`, nothing, `1 (), 2 ()`, ``},
		{"", `STORE 1 FLAGS.SILENT (\Deleted \Seen)`, nothing, `1 (\Seen \Deleted), 2 ()`, `\Seen`},
		{`STORE 1 +FLAGS.SILENT (\Flagged \Deleted)`, `STORE 1 FLAGS.SILENT (\Seen)`, nothing, `1 (\Seen), 2 ()`, `\Seen`},
		{`STORE 1 +FLAGS.SILENT (\Flagged \Deleted)`, `STORE 1 FLAGS.SILENT ()`, nothing, `1 (), 2 ()`, ``},
		{`STORE 1 +FLAGS.SILENT (\Flagged \Deleted)`, `STORE 1 -FLAGS.SILENT (\Deleted)`, nothing, `1 (\Flagged), 2 ()`, `\Flagged`},
		{`STORE 1 +FLAGS.SILENT (\Flagged \Deleted)`, `STORE 1 -FLAGS.SILENT (\Flagged)`, nothing, `1 (\Deleted), 2 ()`, ``},
		{`STORE 1:2 +FLAGS.SILENT (\Deleted)`, `STORE * -FLAGS.SILENT (\Deleted)`, nothing, `1 (\Deleted), 2 ()`, ``},
		{`STORE 1:2 +FLAGS.SILENT (\Deleted)`, `UID STORE 1 -FLAGS (\Deleted)`, []string{`* 1 FETCH (UID 1 FLAGS (\Recent))`}, `1 (), 2 (\Deleted)`, ``},
		{"", `STORE 1 +FLAGS.SILENT (\Deleted kept)`, []string{`* FLAGS*`, `* OK [PERMANENTFLAGS*`}, `1 (kept \Deleted), 2 ()`, `kept`},
		{"", `STORE 1 +FLAGS.SILENT (\Seen)`, nothing, `1 (\Seen), 2 ()`, `\Seen`},
	} {
		t.Run(test.command, func(t *testing.T) {
			box := w.box(fmt.Sprintf("allow%d@example.com", i), 100, 200)
			c := w.enter(t, box, "alice")
			if test.before != "" {
				c.ok(test.before)
			}
			c.say(test.command, "OK*", test.answers...)
			c.shows(test.shows)
			if got := strings.Join(w.upstream.Messages(box, inbox)[0].Flags, " "); got != test.upstream {
				t.Errorf("upstream has (%s), want (%s)", got, test.upstream)
			}
			c.logout()
			w.has(t, box, inbox, 1, 2)
		})
	}
}

// A mark that policy would not let become a deletion is not made; the other
// flags of the command are set all the same.
func TestMarkRefused(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ box, command, answer, shows string }{
		{"refuse1@example.com", `STORE 1 +FLAGS (\Seen \Deleted)`, "NO [NOPERM] " + askCarol, `1 (\Seen), 2 (), 3 ()`},
		{"unsaid1@example.com", `STORE 1 +FLAGS (\Seen \Deleted)`, "NO [NOPERM] " + defaultRefusal, `1 (\Seen), 2 (), 3 ()`},
		{"unsaid2@example.com", `STORE 1:3 +FLAGS (\Deleted)`, "NO [NOPERM] 3 messages are kept*", `1 (), 2 (), 3 ()`},
		{"mixed1@example.com", `STORE 1:3 +FLAGS.SILENT (\Seen \Deleted)`, "NO [NOPERM] " + askCarol, `1 (\Seen \Deleted), 2 (\Seen), 3 (\Seen \Deleted)`},
		{"mixed2@example.com", `UID STORE 1,2 FLAGS.SILENT (\Deleted)`, "NO [NOPERM] " + askCarol, `1 (\Deleted), 2 (), 3 ()`},
		{"plain1@example.com", `STORE 1:2 +FLAGS.SILENT (\Deleted)`, "OK*", `1 (\Deleted), 2 (\Deleted), 3 ()`},
		{"stay1@example.com", `STORE 1 +FLAGS.SILENT (\Deleted)`, "OK*", `1 (\Deleted), 2 (), 3 ()`},
	} {
		t.Run(test.box, func(t *testing.T) {
			box := w.box(test.box, 100, 200, 300)
			c := w.enter(t, box, "alice")
			c.say(test.command, test.answer)
			c.shows(test.shows)
			w.has(t, box, inbox, 1, 2, 3)
		})
	}
}

func TestStoreNamesNothing(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	c := w.enter(t, box, "alice")
	c.say(`STORE 5 +FLAGS (\Deleted)`, "BAD*")
	c.say(`STORE 5 FLAGS (\Seen)`, "BAD*")
	c.say(`STORE 1 +FLAGS (\Deleted) (x)`, "BAD*")
	c.say(`STORE 1 +FLAGS (\Nonsense)`, "BAD*")
	c.shows("1 ()")
}

// Marks are kept over sessions, and are nobody else's business.
func TestMarksAreDurableAndOnesOwn(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300)
	c := w.enter(t, box, "alice")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	c.ok("CLOSE") // which removes it: what is left has other numbers
	w.has(t, box, inbox, 1, 3)
	c.ok("SELECT INBOX")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	c.drop()
	for who, want := range map[string]string{"alice": `1 (), 2 (\Deleted)`, "bob": `1 (), 2 ()`, "": `1 (), 2 ()`, "stranger": `1 (), 2 ()`} {
		c := w.enter(t, box, who)
		c.shows(want)
		c.logout()
	}
	w.has(t, box, inbox, 1, 3)
}

// Leaving a folder, in whatever way but CLOSE, removes nothing.
func TestLeavingRemovesNothing(t *testing.T) {
	w := newWorld(t)
	for i, leave := range []func(c *client){
		func(c *client) { c.ok("UNSELECT") },
		func(c *client) { c.ok("SELECT INBOX") },
		func(c *client) { c.ok("EXAMINE INBOX") },
		func(c *client) { c.say("SELECT nowhere", "NO*") },
		(*client).logout,
		(*client).drop,
	} {
		box := w.box(fmt.Sprintf("allow%d@example.com", i), 100, 200)
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		leave(c)
		c.drop()
		c = w.enter(t, box, "alice")
		c.shows(`1 (\Deleted), 2 ()`)
		c.logout()
		w.has(t, box, inbox, 1, 2)
	}
}

// What the upstream has marked is shown to nobody, and nobody removes it.
func TestUpstreamsOwnMarks(t *testing.T) {
	w := newWorld(t)
	for _, without := range []string{"", "UIDPLUS"} {
		t.Run("without "+without, func(t *testing.T) {
			w := w
			if without != "" {
				w = newWorld(t, without1(without))
			}
			box := w.box("allow"+without+"@example.com", 100, 200, 300)
			w.flags(t, box, 2, deleted, `\Seen`)
			c := w.enter(t, box, "alice")
			c.shows(`1 (), 2 (\Seen), 3 ()`)
			c.finds("SEARCH DELETED", "")
			c.finds("SEARCH UNDELETED", "1 2 3")
			c.ok("EXPUNGE")
			if without == "" {
				c.ok("UID EXPUNGE 1:*")
			}
			c.ok("CLOSE")
			if gone := w.removed(box); gone != nil {
				t.Errorf("removed %v", gone)
			}
		})
	}
}

// without1 makes an upstream that lacks capabilities.
func without1(words ...string) func(*setup) {
	return func(s *setup) { s.IMAP.Without = words }
}

// A member's marks are in every answer that shows flags, wherever they stand
// in it.
func TestMarksInFetch(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200)
	c := w.enter(t, box, "alice")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	body := fmt.Sprintf("{200}\r\n%s", mail(2, 200))
	for _, test := range []struct{ command, want string }{
		{"FETCH 2 FLAGS", `* 2 FETCH (FLAGS (\Recent \Deleted))`},
		{"FETCH 2 (FLAGS)", `* 2 FETCH (FLAGS (\Recent \Deleted))`},
		{"UID FETCH 2 (FLAGS)", `* 2 FETCH (UID 2 FLAGS (\Deleted \Recent))`},
		{"FETCH 2 (RFC822.SIZE FLAGS)", `* 2 FETCH (RFC822.SIZE 200 FLAGS (\Deleted \Recent))`},
		{"FETCH 2 (BODY.PEEK[] FLAGS)", `* 2 FETCH (FLAGS (\Deleted \Recent) BODY[] ` + body + `)`},
		{"FETCH 2 (BODY.PEEK[] FLAGS UID)", `* 2 FETCH (FLAGS (\Recent \Deleted) UID 2 BODY[] ` + body + `)`},
	} {
		others := c.ok(test.command)
		if len(others) != 1 || normal(others[0]) != normal(test.want) {
			t.Errorf("%s: got %q, want %q", test.command, others, test.want)
		}
	}
	w.flags(t, box, 2, `\Flagged`)
	c.say("NOOP", "OK*", `* 2 FETCH (FLAGS (\Flagged \Recent \Deleted))`)
}

// normal puts flags in one order.
func normal(line string) string {
	before, list, ok := strings.Cut(line, "FLAGS (")
	if !ok {
		return line
	}
	list, behind, _ := strings.Cut(list, ")")
	flags := strings.Fields(list)
	slices.Sort(flags)
	return before + "FLAGS (" + strings.Join(flags, " ") + ")" + behind
}

// Flags in answers that the upstream in memory does not give.
func TestMarksInOddAnswers(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200)
	c := w.enter(t, box, "alice")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	for _, test := range []struct{ says, want string }{
		{`* 2 FETCH (FLAGS ())`, `* 2 FETCH (FLAGS (\Deleted))`},
		{`* 2 fetch (flags (\Seen))`, `* 2 fetch (flags (\Seen \Deleted))`},
		{`* 2 FETCH (FLAGS (\deleted \Seen))`, `* 2 FETCH (FLAGS (\deleted \Seen))`},
		{`* 1 FETCH (FLAGS (\DELETED \Seen))`, `* 1 FETCH (FLAGS (\Seen))`},
		{`* 1 FETCH (FLAGS (\Seen \Deleted))`, `* 1 FETCH (FLAGS (\Seen))`},
		{`* 1 FETCH (FLAGS (\Seen \Deleted $Junk))`, `* 1 FETCH (FLAGS (\Seen $Junk))`},
		{`* 1 FETCH (FLAGS (\Deleted))`, `* 1 FETCH (FLAGS ())`},
		{`* 1 FETCH (FLAGS (\Deletedness))`, `* 1 FETCH (FLAGS (\Deletedness))`},
		{`* 1 FETCH (FLAGS (\Seen) MODSEQ (12))`, `* 1 FETCH (FLAGS (\Seen))`},
		{`* 1 FETCH (MODSEQ (12) FLAGS (\Seen \Deleted) UID 1)`, `* 1 FETCH (FLAGS (\Seen) UID 1)`},
		{"* 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nFLAGS (\\Seen)\n FLAGS (\\Seen))", "* 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {14}\r\nFLAGS (\\Seen)\n FLAGS (\\Seen \\Deleted))"},
		{"* 2 FETCH (BODY[] {3}\r\nabc UID 2 FLAGS () BODY[TEXT] {1}\r\n) FLAGS (\\Seen))", "* 2 FETCH (BODY[] {3}\r\nabc UID 2 FLAGS (\\Deleted) BODY[TEXT] {1}\r\n) FLAGS (\\Seen \\Deleted))"},
		{"* 2 FETCH (ENVELOPE (NIL {2}\r\nab NIL) FLAGS ())", "* 2 FETCH (ENVELOPE (NIL {2}\r\nab NIL) FLAGS (\\Deleted))"},
		{"* 2 FETCH (ENVELOPE (NIL \"FLAGS (\\\\Deleted)\" NIL) FLAGS (\\Seen))", "* 2 FETCH (ENVELOPE (NIL \"FLAGS (\\\\Deleted)\" NIL) FLAGS (\\Seen \\Deleted))"},
		{`* FLAGS (\Answered \Seen)`, `* FLAGS (\Answered \Seen \Deleted)`},
		{`* FLAGS (\Answered \deleted)`, `* FLAGS (\Answered \deleted)`},
		{`* FLAGS ()`, `* FLAGS (\Deleted)`},
		{`* OK [PERMANENTFLAGS (\Answered \*)] Limited`, `* OK [PERMANENTFLAGS (\Answered \* \Deleted)] Limited`},
		{`* OK [PERMANENTFLAGS ()] None`, `* OK [PERMANENTFLAGS (\Deleted)] None`},
		{`* MYRIGHTS INBOX lrs`, `* MYRIGHTS INBOX lrste`},
		{`* MYRIGHTS INBOX lrswipkxtea`, `* MYRIGHTS INBOX lrswipkxtea`},
		{`* OK [HIGHESTMODSEQ 17] Highest`, `* OK [NOMODSEQ] A mark of one's own has no modification sequence`},
	} {
		w.on(box, once("NOOP", upstreamSays(test.says)))
		c.say("NOOP", "OK*", test.want)
	}
}
