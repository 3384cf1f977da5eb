package imap

import (
	"fmt"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

const letter = "Subject: new\r\n\r\nz EXPUNGE\r\n"

// waited is a literal that is waited for.
func waited(s string) string { return fmt.Sprintf("{%d}", len(s)) }

// APPEND with literals of both kinds, one message and several, on servers of
// all kinds: the message arrives as it is, and nothing of it is a command.
func TestAppend(t *testing.T) {
	for server, without := range map[string][]string{"full": nil, "no LITERAL+": {"LITERAL+", "UIDPLUS"}} {
		t.Run(server, func(t *testing.T) {
			w := newWorld(t, without1(without...))
			box := w.box("allow@example.com", 100)
			c := w.enter(t, box, "alice")
			for _, lines := range [][]string{
				{"APPEND INBOX " + waited(letter), letter},
				{"APPEND INBOX " + lit(letter)},
				{`APPEND inbox (\Seen) "01-Jan-2026 10:00:00 +0000" ` + lit(letter)},
				{`APPEND {5}`, `INBOX (\Seen) ` + waited(letter), letter},
				{"APPEND INBOX " + waited(letter), letter + " " + waited(letter), letter},
				{"APPEND INBOX " + lit(letter) + " () " + lit(letter)},
			} {
				before := len(w.upstream.Messages(box, inbox))
				if got := c.converse(lines); !strings.HasPrefix(got, "OK ") {
					t.Fatalf("%q: %q", lines, got)
				}
				messages := w.upstream.Messages(box, inbox)
				if n := strings.Count(strings.Join(lines, "|"), letter); len(messages) != before+n {
					t.Errorf("%q: %d messages, want %d more than %d", lines, len(messages), n, before)
				}
				if got := string(messages[len(messages)-1].Text); got != letter {
					t.Errorf("%q: the message is %q", lines, got)
				}
			}
			c.ok("NOOP")
			c.logout()
			if got := w.removed(box); got != nil {
				t.Errorf("removed %v", got)
			}
		})
	}
}

// A message is not put into a shared mailbox with everybody's mark on it.
func TestAppendWithDeleted(t *testing.T) {
	w := newWorld(t)
	for box, flags := range map[string]string{"allow@example.com": `\Seen`, "own@example.com": `\Deleted \Seen`} {
		w.box(box)
		c := w.login(t, box, "alice")
		c.ok(`APPEND INBOX (\Deleted \Seen) ` + lit(letter))
		c.ok(`APPEND INBOX (\DELETED \Seen) ` + lit(letter) + ` (\deleted \Seen) ` + lit(letter))
		for _, m := range w.upstream.Messages(box, inbox) {
			if got := strings.Join(m.Flags, " "); got != flags {
				t.Errorf("%s: flags are %s, want %s", box, got, flags)
			}
		}
	}
}

// An APPEND that is refused, by the guard or by the server and wherever, is
// answered once, and its message is not run.
func TestAppendRefused(t *testing.T) {
	w := newWorld(t, without1("MULTIAPPEND"))
	box := w.box("allow@example.com", 100)
	for _, test := range []struct {
		lines  []string
		answer string
		ends   bool
	}{
		{[]string{"APPEND nowhere " + waited(letter)}, "NO [TRYCREATE]*", false},
		{[]string{"APPEND nowhere " + lit(letter)}, "NO [TRYCREATE]*", false},
		{[]string{"APPEND INBOX (\\Nonsense) " + lit(letter)}, "BAD*", true},
		{[]string{`APPEND INBOX "nonsense" ` + lit(letter)}, "BAD*", true},
		{[]string{"APPEND INBOX (\\Seen " + lit(letter)}, "BAD*", true},
		{[]string{"APPEND INBOX ~" + lit(letter)}, "OK*", false},
		{[]string{"APPEND INBOX {0+}\r\n"}, "NO*", false},
		{[]string{"APPEND INBOX UTF8 (~" + lit(letter) + ")"}, "BAD*", false},
		{[]string{"APPEND INBOX CATENATE (TEXT " + lit(letter) + ")"}, "BAD*", true},
		{[]string{"APPEND nowhere " + lit(letter) + " " + lit(letter)}, "NO [TRYCREATE]*", false},
		{[]string{"APPEND INBOX " + lit(letter) + " " + lit(letter)}, "BAD*", true},
		{[]string{"APPEND INBOX {99999999999+}"}, "BAD*", true},
		{[]string{"APPEND INBOX {99999999999999999999999}"}, "BAD*", true},
	} {
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		got, ended := c.tries(test.lines[0])
		switch {
		case got != "" && !fits(got, test.answer), got == "" && !test.ends:
			t.Errorf("%.100q: %q, want %q", test.lines, got, test.answer)
		case !test.ends && !ended:
			c.ok("NOOP")
		}
		c.drop()
		if got := w.removed(box); got != nil {
			t.Fatalf("%.100q: removed %v", test.lines, got)
		}
	}
}

// tries sends a command that may end the session, and then its answer may be
// lost with it.
func (c *client) tries(command string) (answer string, ended bool) {
	c.tb.Helper()
	tag := c.begin(command)
	for {
		line, err := c.read()
		if err != nil {
			return answer, true
		}
		c.note(line)
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return rest, false
		}
	}
}

// What the server says before it has all of a message ends the command there.
func TestAppendRefusedByTheServer(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100)
	for _, lines := range [][]string{
		{"APPEND INBOX " + waited(letter)}, {"APPEND INBOX " + lit(letter)}, {"APPEND INBOX " + lit(letter) + " " + lit(letter)},
	} {
		c := w.enter(t, box, "alice")
		w.on(box, once("APPEND", upstream.Action{Refuse: "NO [OVERQUOTA] full"}))
		if got := c.converse(lines); got != "NO [OVERQUOTA] full" {
			t.Errorf("%q: %q", lines, got)
		}
		c.ok("NOOP")
		c.logout()
	}
	if n := len(w.upstream.Messages(box, inbox)); n != 1 {
		t.Errorf("%d messages", n)
	}
}
