package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// servers are upstreams that can remove single messages, and lack something
// else or are otherwise.
var servers = map[string]func(*setup){
	"full":        func(*setup) {},
	"no MOVE":     without1("MOVE"),
	"no UNSELECT": without1("UNSELECT", "ESEARCH", "IDLE", "NAMESPACE", "LIST-EXTENDED", "SPECIAL-USE", "ID", "ENABLE", "LITERAL+", "MULTIAPPEND"),
	"like Courier": func(s *setup) {
		s.IMAP.Prefix, s.IMAP.Delimiter, s.IMAP.LosesPipelined, s.IMAP.NoUIDNext, s.IMAP.NoUnseen = "INBOX.", '.', true, true, true
		s.IMAP.Without = []string{"LITERAL+", "MOVE", "UNSELECT", "ESEARCH", "SPECIAL-USE", "ID", "SASL-IR", "LIST-EXTENDED"}
	},
}

// kinds are mailboxes, and what of the messages 1 to 3 may be deleted in them.
var kinds = map[string][]uint32{"allow": {1, 2, 3}, "mixed": {1}, "refuse": nil, "plain": nil, "own": {1, 2, 3}, "watch": {1, 2, 3}}

// expunges are the ways to remove messages 1 to 3 without moving them. Each
// returns the last answer.
var expunges = map[string]func(c *client) string{
	"EXPUNGE":     func(c *client) string { c.do(`STORE 1:3 +FLAGS.SILENT (\Deleted)`); return c.answer("EXPUNGE") },
	"UID EXPUNGE": func(c *client) string { c.do(`STORE 1:3 +FLAGS.SILENT (\Deleted)`); return c.answer("UID EXPUNGE 1:*") },
	"CLOSE":       func(c *client) string { c.do(`STORE 1:3 +FLAGS.SILENT (\Deleted)`); return c.answer("CLOSE") },
	"FLAGS":       func(c *client) string { c.do(`UID STORE 1:3 FLAGS (\Deleted \Seen)`); return c.answer("EXPUNGE") },
	"EXPUNGE that is pipelined": func(c *client) string {
		tag := c.begin(`STORE 1:3 +FLAGS.SILENT (\Deleted)`)
		last := c.begin("EXPUNGE")
		c.wait(tag)
		_, answer := c.wait(last)
		return answer
	},
	"one by one": func(c *client) string {
		for uid := range 3 {
			c.do(fmt.Sprintf(`UID STORE %d +FLAGS (\Deleted)`, uid+1))
			c.ok(fmt.Sprintf("UID EXPUNGE %d", uid+1))
		}
		return c.answer("EXPUNGE")
	},
}

// Whatever command is used, and whatever the server has: exactly what policy
// allows leaves.
func TestExpunges(t *testing.T) {
	for server, change := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change)
			for how, run := range expunges {
				for kind, allowed := range kinds {
					box := w.box(kind+"-"+strings.ReplaceAll(strings.ToLower(how), " ", "-")+"@example.com", 100, 200, 300, 100)
					c := w.enter(t, box, "alice")
					if got := run(c); !strings.HasPrefix(got, "OK ") {
						t.Errorf("%s in %s: %q", how, kind, got)
					}
					w.gone(t, box, 4, allowed...)
					c.logout()
				}
			}
		})
	}
}

// gone fails the test unless exactly these of the messages 1 to n left the
// INBOX.
func (w *world) gone(t *testing.T, box string, n uint32, uids ...uint32) {
	t.Helper()
	var want []uint32
	for uid := range n {
		if !slices.Contains(uids, uid+1) {
			want = append(want, uid+1)
		}
	}
	w.has(t, box, inbox, want...)
	if got := slices.Sorted(slices.Values(w.removed(box))); !slices.Equal(got, slices.Sorted(slices.Values(uids))) {
		t.Errorf("removed from %s: %v, want %v", box, got, uids)
	}
}

// Where single messages cannot be removed, nothing is: a plain EXPUNGE could
// take what others have marked. What is allowed is hidden instead.
func TestWithoutUIDPLUS(t *testing.T) {
	w := newWorld(t, without1("UIDPLUS"))
	for how, run := range map[string]func(c *client){
		"EXPUNGE": func(c *client) {
			c.say("EXPUNGE", "OK*", "* 4 FETCH (FLAGS*", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 1 EXPUNGE")
			c.shows("1 ()")
		},
		"CLOSE": func(c *client) { c.ok("CLOSE") },
	} {
		box := w.box("allow-"+strings.ToLower(how)+"@example.com", 100, 200, 300, 100)
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1:3 +FLAGS.SILENT (\Deleted)`)
		w.flags(t, box, 4, deleted) // somebody's, past the guard
		run(c)
		if got := w.removed(box); got != nil {
			t.Errorf("%s removed %v", how, got)
		}
		w.enter(t, box, "alice").shows("1 ()")
		w.enter(t, box, "bob").shows("1 (), 2 (), 3 (), 4 ()")
	}
	if got := w.received("EXPUNGE", "CLOSE", "UID EXPUNGE"); len(got) > 0 {
		t.Errorf("the upstream received %q", got)
	}
}

// What is refused loses its mark and stays, and the client is told so in a
// response that stops no fetcher.
func TestKeptByExpunge(t *testing.T) {
	w := newWorld(t)
	box := w.box("stay@example.com", 100, 200, 300)
	if _, err := w.upstream.Append(box, "Keep", mail(1, 100), w.now()); err != nil {
		t.Fatal(err)
	}
	c := w.enter(t, box, "alice")
	c.ok(`STORE 1:3 +FLAGS.SILENT (\Deleted \Flagged)`)
	c.ok("COPY 1:2 Keep") // which makes a move of it, which is refused
	c.say("EXPUNGE", "OK*", "* 3 EXPUNGE", "* 2 RECENT", `* 1 FETCH (FLAGS (\Flagged \Recent))`, `* 2 FETCH (FLAGS (\Flagged \Recent))`, "* NO [NOPERM] "+askCarol)
	c.shows(`1 (\Flagged), 2 (\Flagged)`)
	w.gone(t, box, 3, 3)
	c.finds("SEARCH DELETED", "")
	c.say("EXPUNGE", "OK*", nothing...)
}

// A move by COPY, mark and EXPUNGE is one only to whom it was copied by.
func TestCopyAndExpunge(t *testing.T) {
	w := newWorld(t)
	box := w.box("stay@example.com", 100, 200, 300)
	if _, err := w.upstream.Append(box, "Keep", mail(1, 100), w.now()); err != nil {
		t.Fatal(err)
	}
	alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	alice.ok("UID COPY 1:3 Keep")
	bob.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	bob.ok("EXPUNGE")
	w.gone(t, box, 3, 1)
	alice.say(`UID STORE 2 +FLAGS.SILENT (\Deleted)`, "NO [NOPERM] "+askCarol)
	w.pass(11 * time.Minute)
	alice.ok(`UID STORE 2 +FLAGS.SILENT (\Deleted)`)
	alice.ok("EXPUNGE")
	w.gone(t, box, 3, 1, 2)
}

// The set of a UID EXPUNGE bounds what goes.
func TestUIDExpungeSets(t *testing.T) {
	w := newWorld(t)
	for i, test := range []struct {
		set  string
		gone []uint32
	}{
		{"1", []uint32{1}}, {"1:2", []uint32{1, 2}}, {"2:1", []uint32{1, 2}}, {"*", nil}, {"4:*", nil}, {"*:3", []uint32{3}}, {"900:*", nil},
		{"900", nil}, {"3:4294967295", []uint32{3}}, {"4294967295:2", []uint32{2, 3}}, {"1,3,77", []uint32{1, 3}}, {"1:*", []uint32{1, 2, 3}},
	} {
		box := w.box(fmt.Sprintf("allow%d@example.com", i), 100, 200, 300, 100)
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1:3 +FLAGS.SILENT (\Deleted)`)
		c.ok("UID EXPUNGE " + test.set)
		w.gone(t, box, 4, test.gone...)
		var left []string
		for uid := range 3 {
			if !slices.Contains(test.gone, uint32(uid+1)) {
				left = append(left, fmt.Sprint(uid+1))
			}
		}
		c.finds("UID SEARCH DELETED", strings.Join(left, " "))
	}
}

// What others removed meanwhile is neither removed again nor confused with
// what took its number.
func TestNumbersShift(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300, 400, 500)
	alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	alice.ok(`STORE 2,4 +FLAGS.SILENT (\Deleted)`)
	bob.ok(`STORE 1,4 +FLAGS.SILENT (\Deleted)`)
	bob.say("EXPUNGE", "OK*", "* 4 EXPUNGE", "* 1 EXPUNGE")
	alice.ok("NOOP")
	alice.shows(`1 (\Deleted), 2 (), 3 ()`)
	alice.finds("SEARCH DELETED", "1")
	alice.finds("UID SEARCH NOT DELETED", "3 5")
	alice.ok("EXPUNGE")
	w.gone(t, box, 5, 1, 2, 4)
	alice.shows(`1 (), 2 ()`)
	bob.ok("NOOP")
	bob.shows(`1 (), 2 ()`)
}

// The same while the client has not been told: what a number means is what
// the client was told.
func TestNumbersBeforeTheNews(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300)
	alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	bob.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	bob.ok("EXPUNGE")
	alice.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`) // still the message with UID 2
	alice.ok("EXPUNGE")
	w.gone(t, box, 3, 1, 2)
}

// The client's own view of what happens: EXPUNGE once for each message, at its
// number of that moment.
func TestExpungeResponses(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300, 400)
	c := w.enter(t, box, "alice")
	c.ok(`STORE 1,3 +FLAGS.SILENT (\Deleted)`)
	c.say("EXPUNGE", "OK*", "* 3 EXPUNGE", "* 1 EXPUNGE", "* 2 RECENT")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	c.say("CLOSE", "OK*", nothing...)
	c.say("FETCH 1 FLAGS", "BAD*")
	c.ok("SELECT INBOX")
	c.shows("1 ()")
	w.gone(t, box, 4, 1, 3, 4)
}

// Searches see this member's marks, in any combination.
func TestSearches(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300)
	w.flags(t, box, 3, `\Seen`, deleted)
	c := w.enter(t, box, "alice")
	c.finds("SEARCH DELETED", "")
	c.finds("SEARCH NOT DELETED", "1 2 3")
	c.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	for search, want := range map[string]string{
		"SEARCH DELETED": "2", "UID SEARCH DELETED": "2", "SEARCH UNDELETED": "1 3", "SEARCH NOT DELETED": "1 3", "SEARCH NOT UNDELETED": "2",
		"SEARCH OR DELETED SEEN": "2 3", "SEARCH (DELETED UNSEEN)": "2", "SEARCH deleted seen": "", "SEARCH 1:2 UNDELETED": "1",
		"SEARCH OR (NOT (DELETED)) (SEEN)": "1 3", "SEARCH CHARSET UTF-8 DELETED": "2", "SEARCH ALL": "1 2 3", "SEARCH DELETED SUBJECT {9+}\r\nmessage 2": "2",
	} {
		c.finds(search, want)
	}
	c.say("SEARCH RETURN (MIN COUNT) DELETED", "OK*", fmt.Sprintf(`* ESEARCH (TAG "a%d") MIN 2 COUNT 1`, c.sent+1))
	c.say("UID SEARCH RETURN () UNDELETED", "OK*", fmt.Sprintf(`* ESEARCH (TAG "a%d") UID ALL 1,3`, c.sent+1))
}

// SORT and THREAD go upstream with the marks in place of DELETED.
func TestSortAndThread(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.IMAP.Capabilities = []string{"SORT", "THREAD=REFERENCES"} })
	box := w.box("allow@example.com", 100, 200, 300)
	c := w.enter(t, box, "alice")
	c.ok(`STORE 2:3 +FLAGS.SILENT (\Deleted)`)
	for command, want := range map[string]string{
		"SORT (DATE) UTF-8 DELETED":                  "SORT (DATE) UTF-8 UID 2:3",
		"UID SORT (REVERSE SIZE) US-ASCII UNDELETED": "UID SORT (REVERSE SIZE) US-ASCII NOT UID 2:3",
		"THREAD REFERENCES UTF-8 NOT DELETED":        "THREAD REFERENCES UTF-8 NOT UID 2:3",
	} {
		c.say(command, "OK*")
		if got := w.received("SORT", "UID SORT", "THREAD"); len(got) == 0 || got[len(got)-1] != want {
			t.Errorf("the upstream received %q, want %q", got, want)
		}
	}
}

// What the server tells of another message while the guard looks at those that
// are to be deleted is news, and no wish.
func TestNewsAreNotDeleted(t *testing.T) {
	w := newWorld(t)
	for i, command := range []string{"EXPUNGE", "UID EXPUNGE 1", "CLOSE", "UID MOVE 1 Keep", "MOVE 1 Keep"} {
		for j, news := range []string{
			`* 3 FETCH (UID 3 FLAGS (\Seen))`, `* 3 FETCH (FLAGS (\Seen) UID 3)`, `* 1 FETCH (UID 1 FLAGS (\Seen))`,
			`* 3 FETCH (UID 3 FLAGS () RFC822.SIZE 100 INTERNALDATE "01-Jan-2026 10:00:00 +0000")`,
		} {
			box := w.box(fmt.Sprintf("allow%d-%d@example.com", i, j), 100, 200, 300)
			w.folder(t, box, "Keep")
			c := w.enter(t, box, "alice")
			c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			at := "UID FETCH"
			if strings.HasPrefix(command, "MOVE") {
				at = "FETCH"
			}
			w.on(box, once(at, upstreamSays(news)))
			others := c.ok(command)
			news = strings.Replace(news, `1 FLAGS (\Seen)`, `1 FLAGS (\Seen \Deleted)`, 1) // as she sees it
			if partial := !strings.Contains(news, "SIZE"); partial && command != "CLOSE" && !slices.Contains(others, news) {
				t.Errorf("%s, %s: the client has not heard of it: %q", command, news, others)
			}
			w.gone(t, box, 3, 1)
		}
	}
}

// Messages that go while the guard looks where others stand.
func TestExpungeWhileTheGuardLooks(t *testing.T) {
	w := newWorld(t)
	box := w.box("allow@example.com", 100, 200, 300, 400)
	alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	bob.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	bob.ok("EXPUNGE")
	alice.ok(`UID STORE 3 +FLAGS.SILENT (\Deleted)`) // within which the server tells of it
	alice.shows(`1 (), 2 (\Deleted), 3 ()`)
	alice.finds("SEARCH DELETED", "2")
	alice.ok("EXPUNGE")
	w.gone(t, box, 4, 1, 3)
}
