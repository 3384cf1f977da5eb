package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fetchedBy lists what is on record as fetched in a mailbox: member and UID.
func (w *world) fetchedBy(t *testing.T, box string) []string {
	t.Helper()
	return w.query(t, `SELECT concat_ws(' ', p.name, m.uid) FROM fetches f JOIN messages m ON m.id = f.message_id
		JOIN mailboxes b ON b.id = m.mailbox_id JOIN members p ON p.id = f.member_id WHERE b.name = ? ORDER BY m.uid`, box)
}

// What counts as fetched, and what does not.
func TestFetched(t *testing.T) {
	w := newWorld(t)
	for i, test := range []struct {
		commands string // parted by "|"
		fetched  []string
	}{
		{"FETCH 1 BODY[]", []string{"alice 1"}},
		{"FETCH 1 BODY.PEEK[]", []string{"alice 1"}},
		{"FETCH 1 (FLAGS BODY.PEEK[] UID)", []string{"alice 1"}},
		{"FETCH 1 RFC822", []string{"alice 1"}},
		{"FETCH 1 BINARY[]", []string{"alice 1"}},
		{"UID FETCH 2 BODY[]", []string{"alice 2"}},
		{"FETCH 1:3 BODY[]", []string{"alice 1", "alice 2", "alice 3"}},
		{"FETCH 1 (BODY[HEADER] BODY[TEXT])", []string{"alice 1"}},
		{"FETCH 1 BODY[HEADER]|FETCH 1 BODY[TEXT]", []string{"alice 1"}},
		{"FETCH 1 RFC822.HEADER|UID FETCH 1 BODY.PEEK[TEXT]", []string{"alice 1"}},
		{"FETCH 1 BODY[HEADER]|FETCH 2 BODY[TEXT]", nil},
		{"FETCH 1 (BODY[]<0.60> RFC822.SIZE)|FETCH 1 BODY[]<60.60>", []string{"alice 1"}},
		{"FETCH 1 BODY[]<0.60>|FETCH 1 BODY[]<60.60>", []string{"alice 1"}},
		{"FETCH 1 BODY[]<0.50>|FETCH 1 BODY[]<50.50>|FETCH 1 BODY[]<100.50>", []string{"alice 1"}},
		{"FETCH 1 BODY[]<0.100>", nil}, // it may go on
		{"FETCH 1 (BODY[]<0.100> RFC822.SIZE)", []string{"alice 1"}},
		{"FETCH 1 BODY[]<0.60>|FETCH 1 BODY[]<70.60>", nil},
		{"FETCH 1 BODY[]<60.60>", nil},
		{"FETCH 2 (BODY[]<0.150> BODY[]<0.10>)", nil},
		{"FETCH 2 (BODY[]<0.10> BODY[]<0.150>)", nil},
		{"FETCH 1 BODY[1]", nil},
		{"FETCH 1 BODY[HEADER]", nil},
		{"FETCH 1 BODY[TEXT]", nil},
		{"FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]", nil},
		{"FETCH 1 (ENVELOPE BODYSTRUCTURE FLAGS)", nil},
		{"FETCH 1 BODY[TEXT]<0.10>|FETCH 1 BODY[HEADER]", nil},
	} {
		t.Run(test.commands, func(t *testing.T) {
			box := w.box(fmt.Sprintf("allow%d@example.com", i), 100, 200, 300)
			c := w.enter(t, box, "alice")
			for _, command := range strings.Split(test.commands, "|") {
				for _, line := range c.ok(command) {
					if shows := strings.Contains(line, "UID "); shows && !strings.Contains(command, "UID") {
						t.Errorf("%s: a UID that nobody asked for: %q", command, line)
					}
				}
			}
			c.logout()
			w.settle()
			if got := w.fetchedBy(t, box); !slices.Equal(got, test.fetched) {
				t.Errorf("on record: %q, want %q", got, test.fetched)
			}
		})
	}
}

// A message counts only once a command was read from the socket afterwards.
func TestFetchedNeedsProof(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		end     func(c *client)
		fetched []string
	}{
		"lost":                   {func(c *client) { c.ok("FETCH 1 BODY[]"); c.drop() }, nil},
		"logout":                 {func(c *client) { c.ok("FETCH 1 BODY[]"); c.logout() }, []string{"alice 1"}},
		"close":                  {func(c *client) { c.ok("FETCH 1 BODY[]"); c.ok("CLOSE"); c.drop() }, []string{"alice 1"}},
		"another command":        {func(c *client) { c.ok("FETCH 1 BODY[]"); c.ok("NOOP"); c.drop() }, []string{"alice 1"}},
		"buffered command":       {func(c *client) { pipeline(c, "FETCH 1 BODY[]", "NOOP"); c.drop() }, nil},
		"buffered logout":        {func(c *client) { pipeline(c, "FETCH 1 BODY[]", "LOGOUT"); c.drop() }, nil},
		"buffered, then another": {func(c *client) { pipeline(c, "FETCH 1 BODY[]", "NOOP"); c.ok("NOOP"); c.drop() }, []string{"alice 1"}},
	} {
		box := w.box("allow-"+strings.ReplaceAll(name, " ", "-")+"@example.com", 100)
		c := w.enter(t, box, "alice")
		test.end(c)
		w.settle()
		if got := w.fetchedBy(t, box); !slices.Equal(got, test.fetched) {
			t.Errorf("%s: on record: %q, want %q", name, got, test.fetched)
		}
	}
}

// pipeline sends commands in one write, and reads their answers.
func pipeline(c *client, commands ...string) {
	c.tb.Helper()
	var all strings.Builder
	var last string
	for _, command := range commands {
		c.sent++
		last = fmt.Sprintf("a%d", c.sent)
		c.open[last] = true
		fmt.Fprintf(&all, "%s %s\r\n", last, command)
	}
	c.send(all.String())
	c.wait(last)
}

// A body is taken down with its fingerprint, whatever stands beside it, and
// nothing of it is changed.
func TestFingerprints(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200_000, 300)
	c := w.enter(t, box, "alice")
	for _, command := range []string{"FETCH 1 BODY[]", "FETCH 2 (BODY[] FLAGS UID)", "FETCH 3 BODY[]"} {
		if got := c.ok(command); len(got) == 0 || !strings.Contains(got[0], string(mail(int(command[6]-'0'), []int{100, 200_000, 300}[command[6]-'1']))) {
			t.Errorf("%s: not the message", command)
		}
	}
	c.logout()
	w.settle()
	got := w.query(t, `SELECT concat_ws(' ', uid, size, length(fingerprint)) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id WHERE b.name = ? ORDER BY uid`, box)
	if want := []string{"1 100 32", "2 200000 32", "3 300 32"}; !slices.Equal(got, want) {
		t.Errorf("on record: %q, want %q", got, want)
	}
}

// Partials of several commands at once are not taken for an end.
func TestPipelinedPartials(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 1000, 1000)
	c := w.enter(t, box, "alice")
	pipeline(c, "FETCH 1 BODY[]<0.10>", "FETCH 2 BODY[]<0.100>", "FETCH 1 BODY[]<10.500>", "NOOP", "FETCH 2 BODY[]<0.10>", "FETCH 1 BODY[]<0.100>")
	c.logout()
	w.settle()
	if got := w.fetchedBy(t, box); got != nil {
		t.Errorf("on record: %q", got)
	}
}

// In a mailbox that policy never touches nothing is taken down.
func TestFetchedUnguarded(t *testing.T) {
	w := newWorld(t)
	box := w.box("own@example.com", 100)
	c := w.enter(t, box, "alice")
	c.ok("FETCH 1 BODY[]")
	c.logout()
	w.settle()
	if got := w.fetchedBy(t, box); got != nil {
		t.Errorf("on record: %q", got)
	}
}
