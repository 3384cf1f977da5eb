package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// plain is a mailbox in which everything is deferred, and alice has deleted the
// second and the fourth of six messages.
func (w *world) deferred(t *testing.T, name string) (box string, alice *client) {
	t.Helper()
	box = w.box(name+"@example.com", 100, 200, 300, 400, 500, 600)
	alice = w.enter(t, box, "alice")
	alice.ok(`STORE 2,4 +FLAGS.SILENT (\Deleted)`)
	alice.say("EXPUNGE", "OK*", "* 4 EXPUNGE", "* 2 EXPUNGE")
	return box, alice
}

// What a member deletes is gone for that member, in every session, and for
// nobody else.
func TestDeferredIsGoneForOne(t *testing.T) {
	w := newWorld(t)
	box, alice := w.deferred(t, "plain")
	for _, c := range []*client{alice, w.enter(t, box, "alice")} {
		c.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)", "* 4 FETCH (UID 6)")
	}
	again := w.login(t, box, "alice")
	again.says(`SELECT INBOX`, "* 4 EXISTS", "* 4 RECENT") // the upstream's \Recent is the first session's, and the guard asked before
	bob := w.enter(t, box, "bob")
	bob.shows("1 (), 2 (), 3 (), 4 (), 5 (), 6 ()")
	w.has(t, box, inbox, 1, 2, 3, 4, 5, 6)
	if got := w.removed(box); len(got) > 0 {
		t.Errorf("removed %v", got)
	}
}

// says fails the test unless a command's answer has these lines, among others.
// Of RECENT it is enough that there is a number.
func (c *client) says(command string, want ...string) {
	c.tb.Helper()
	got := strings.Join(c.ok(command), "\n") + "\n"
	for _, line := range want {
		if !strings.Contains(got, line+"\n") && !strings.HasSuffix(line, "RECENT") {
			c.tb.Errorf("%s: %q, and not %q", command, got, line)
		}
	}
}

// Numbers, sets and searches are those of the view.
func TestNumbersOfAView(t *testing.T) {
	w := newWorld(t)
	_, alice := w.deferred(t, "plain")
	for _, test := range []struct {
		command, answer string
		want            []string
	}{
		{"FETCH 2 (UID)", "OK*", []string{"* 2 FETCH (UID 3)"}},
		{"FETCH 4:2 (UID)", "OK*", []string{"* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)", "* 4 FETCH (UID 6)"}},
		{"FETCH * (UID)", "OK*", []string{"* 4 FETCH (UID 6)"}},
		{"FETCH 5 (UID)", "BAD*", nothing},
		{"FETCH 3:5 (UID)", "BAD*", nothing},
		{"UID FETCH 2 (FLAGS)", "OK Fetch completed", nothing},
		{"UID FETCH 2:5 (UID)", "OK*", []string{"* 2 FETCH (UID 3)", "* 3 FETCH (UID 5)"}},
		{"UID FETCH 4294967295:* (UID)", "OK*", []string{"* 4 FETCH (UID 6)"}},
		{"UID STORE 4 +FLAGS (\\Seen)", "OK Store completed", nothing},
		{"UID COPY 4 INBOX", "OK No messages found", nothing},
		{"UID MOVE 4 INBOX", "OK No messages found", nothing},
		{"SEARCH ALL", "OK*", []string{"* SEARCH 1 2 3 4"}},
		{"SEARCH NOT 1", "OK*", []string{"* SEARCH 2 3 4"}},
		{"SEARCH 2:3", "OK*", []string{"* SEARCH 2 3"}},
		{"SEARCH OR 1 UID 4", "OK*", []string{"* SEARCH 1"}},
		{"SEARCH UID 4:*", "OK*", []string{"* SEARCH 3 4"}},
		{"UID SEARCH 2:*", "OK*", []string{"* SEARCH 3 5 6"}},
		{"SEARCH RETURN (MIN MAX COUNT ALL) ALL", "OK*", []string{`* ESEARCH (TAG "*") MIN 1 MAX 4 ALL 1:4 COUNT 4`}},
		{"UID SEARCH RETURN (MIN MAX COUNT ALL) ALL", "OK*", []string{`* ESEARCH (TAG "*") UID MIN 1 MAX 6 ALL 1,3,5:6 COUNT 4`}},
		{"UID SEARCH RETURN (COUNT) UID 2,4", "OK*", []string{`* ESEARCH (TAG "*") UID COUNT 0`}},
		{"STATUS INBOX (MESSAGES UNSEEN SIZE)", "OK*", []string{"* STATUS INBOX (MESSAGES 4 UNSEEN 4 SIZE 1500)"}},
		{`LIST "" INBOX RETURN (STATUS (MESSAGES UNSEEN))`, "OK*", []string{`* LIST () "/" INBOX`, "* STATUS INBOX (MESSAGES 4 UNSEEN 4)"}},
		{"STORE 2 +FLAGS (\\Seen)", "OK*", []string{`* 2 FETCH (FLAGS (\Seen \Recent))`}},
		{"STATUS INBOX (MESSAGES UIDVALIDITY UNSEEN)", "OK*", []string{"* STATUS INBOX (MESSAGES 4 UIDVALIDITY * UNSEEN 3)"}},
	} {
		others, answer := alice.do(test.command)
		if !fits(answer, test.answer) || !sameLines(others, test.want) {
			t.Errorf("%s: %q %q, want %q %q", test.command, others, answer, test.want, test.answer)
		}
	}
}

// sameLines compares lines; a "*" in the middle stands for a word.
func sameLines(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		a, b := strings.Fields(strings.Trim(got[i], "* ")), strings.Fields(strings.Trim(want[i], "* "))
		if len(a) != len(b) {
			return false
		}
		for j := range a {
			if before, behind, wild := strings.Cut(b[j], "*"); a[j] != b[j] && !(wild && strings.HasPrefix(a[j], before) && strings.HasSuffix(a[j], behind)) {
				return false
			}
		}
	}
	return true
}

// Arrivals, and what others remove, come in the numbers of the view. Of a hidden
// message that is removed the client has heard.
func TestViewFollowsTheUpstream(t *testing.T) {
	w := newWorld(t)
	box, alice := w.deferred(t, "plain")
	w.upstream.Deliver(box, mail(7, 700))
	alice.news("* 5 EXISTS")
	ids := w.upstream.UniqueIDs(box)
	w.upstream.Remove(box, ids[3])
	alice.news()
	w.upstream.Remove(box, ids[4])
	alice.news("* 3 EXPUNGE")
	alice.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 6)", "* 4 FETCH (UID 7)")
	w.enter(t, box, "alice").shows("1 (), 2 (), 3 (), 4 ()")
}

// news fails the test unless NOOP tells this, whatever is recent.
func (c *client) news(want ...string) {
	c.tb.Helper()
	got := slices.DeleteFunc(c.ok("NOOP"), func(line string) bool { return strings.HasSuffix(line, " RECENT") })
	if !slices.Equal(got, want) {
		c.tb.Errorf("NOOP tells %q, want %q", got, want)
	}
}

// What one session of a member hides leaves the others, at a moment when they may
// be told; in IDLE at once. Other members hear nothing.
func TestSessionsOfAViewer(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300, 400)
	first, second, idling, bob := w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "bob")
	tag := idling.idle()
	first.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	idling.sees(`* 2 FETCH (UID 2 FLAGS (\Deleted))`)
	first.say("EXPUNGE", "OK*", "* 2 EXPUNGE")
	idling.sees("* 2 EXPUNGE")
	second.say("FETCH 3 (UID)", "OK*", "* 3 FETCH (UID 3)") // not now: numbers stay in the answer to FETCH
	second.says("NOOP", "* 2 EXPUNGE")
	second.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 3)", "* 3 FETCH (UID 4)")
	idling.done(tag)
	idling.say("FETCH 3 (UID)", "OK*", "* 3 FETCH (UID 4)")
	bob.say("NOOP", "OK*", nothing...)
	bob.shows("1 (), 2 (), 3 (), 4 ()")
}

// CLOSE hides as EXPUNGE does, and says nothing.
func TestCloseHides(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	alice := w.enter(t, box, "alice")
	alice.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	alice.say("CLOSE", "OK*", nothing...)
	alice.say("STATUS INBOX (MESSAGES SIZE UNSEEN)", "OK*", "* STATUS INBOX (MESSAGES 2 UNSEEN 2 SIZE 500)")
	alice.says("SELECT INBOX", "* 2 EXISTS")
	w.has(t, box, inbox, 1, 2, 3)
}

// The first unseen message is the first of the view.
func TestUnseenOfAView(t *testing.T) {
	for _, without := range [][]string{nil, {"ESEARCH"}} {
		w := newWorld(t, without1(without...))
		box, alice := w.deferred(t, "plain")
		w.flags(t, box, 1, `\Seen`) // the upstream's first unseen one is the second
		alice.says("SELECT INBOX", "* OK [UNSEEN 2] First unseen.")
		w.flags(t, box, 3, `\Seen`)
		w.flags(t, box, 5, `\Seen`)
		alice.says("SELECT INBOX", "* OK [UNSEEN 4] First unseen.")
		w.flags(t, box, 6, `\Seen`)
		for _, line := range alice.ok("SELECT INBOX") {
			if strings.Contains(line, "UNSEEN") {
				t.Errorf("all are seen: %q", line)
			}
		}
	}
}

// A deferred move copies, and hides. A later mover gets no second copy, and
// moving back brings the original back.
func TestDeferredMove(t *testing.T) {
	for _, server := range [][]string{nil, {"MOVE"}, {"UIDPLUS", "MOVE"}} {
		t.Run(strings.Join(server, " "), func(t *testing.T) {
			w := newWorld(t, without1(server...))
			box := w.box("plain@example.com", 100, 200, 300)
			w.folder(t, box, "Keep")
			alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
			alice.ok("UID MOVE 1,3 Keep")
			alice.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 2)")
			bob.shows("1 (), 2 (), 3 ()")
			bob.ok("MOVE 1 Keep")
			copies := 3
			if len(server) == 2 { // nobody knows which message a copy is of
				copies = 4
			}
			if n := len(w.upstream.Messages(box, "Keep")); n != copies {
				t.Errorf("%d messages in Keep", n)
			}
			if got := w.removed(box); len(got) > 0 {
				t.Errorf("removed %v", got)
			}
			if len(server) == 2 {
				return
			}
			alice.ok("SELECT Keep")
			others := alice.ok("MOVE 2 INBOX") // UID 2 is the copy of message 1
			if countOf(others, "[COPYUID ") != 1 || countOf(others, " 2 1]") != 1 || countOf(others, "* 2 EXPUNGE") != 1 {
				t.Errorf("moving back: %q", others)
			}
			alice.ok("SELECT INBOX")
			alice.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)")
			bob.say("FETCH 1:* (UID)", "OK*", "* 1 FETCH (UID 2)", "* 2 FETCH (UID 3)")
			w.has(t, box, inbox, 1, 2, 3)
		})
	}
}

// A copy that is refused hides nothing.
func TestDeferredMoveRefusedUpstream(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	w.on(box, func(command string) upstream.Action {
		if strings.HasPrefix(command, "UID COPY") {
			return upstream.Action{Answer: "{tag} NO [OVERQUOTA] Quota exceeded"}
		}
		return upstream.Action{}
	})
	alice := w.enter(t, box, "alice")
	alice.say("MOVE 1:2 Keep", "NO [OVERQUOTA]*", nothing...)
	alice.say("MOVE 1:2 Nowhere", "NO*", nothing...)
	alice.shows("1 (), 2 (), 3 ()")
	w.enter(t, box, "alice").shows("1 (), 2 (), 3 ()")
}

// With so many hidden messages that no server takes them in a line, everything
// is as with a few.
func TestManyHidden(t *testing.T) {
	const n = 3400 // of which the hidden half fills more than a line
	w := newWorld(t)
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = 100
	}
	box := w.box("plain@example.com", sizes...)
	w.folder(t, box, "Keep")
	alice := w.enter(t, box, "alice")
	var odd []string
	for i := 1; i <= n; i += 2 {
		odd = append(odd, fmt.Sprint(i))
	}
	alice.ok(`UID STORE ` + strings.Join(odd, ",") + ` +FLAGS.SILENT (\Deleted)`)
	if got := countOf(alice.ok("EXPUNGE"), "EXPUNGE"); got != n/2 {
		t.Fatalf("%d times EXPUNGE", got)
	}
	alice = w.enter(t, box, "alice")
	for command, want := range map[string]int{
		"UID FETCH 1:* (FLAGS)": n / 2, "FETCH 1:* (UID)": n / 2, "UID FETCH 1:* (BODY.PEEK[HEADER])": n / 2, "UID FETCH 1:100 (UID)": 50,
		"FETCH 1:* (BODY.PEEK[])": n / 2, `STORE 1:* +FLAGS (\Seen)`: n / 2, "FETCH 1700 (UID)": 1,
	} {
		if got := countOf(alice.ok(command), " FETCH ("); got != want {
			t.Errorf("%s: %d times FETCH, want %d", command, got, want)
		}
	}
	seen := 0
	for _, m := range w.upstream.Messages(box, inbox) {
		if strings.Contains(strings.Join(m.Flags, " "), "Seen") {
			seen++
		}
	}
	if seen != n/2 {
		t.Errorf("%d messages are seen: hidden ones among them", seen)
	}
	alice.finds("SEARCH UID 3390:*", "1695 1696 1697 1698 1699 1700")
	alice.finds("UID SEARCH 1698:*", "3396 3398 3400")
	alice.say("UID SEARCH RETURN (MIN MAX COUNT) ALL", "OK*", `* ESEARCH (TAG "*`)
	alice.say("SEARCH RETURN (ALL) 7:3400", "OK*", `* ESEARCH (TAG "*`)
	if others := alice.ok("COPY 1:* Keep"); len(w.upstream.Messages(box, "Keep")) != n/2+1 {
		t.Errorf("COPY: %d messages in Keep, %.100q", len(w.upstream.Messages(box, "Keep")), others)
	}
	alice.says("SELECT INBOX", fmt.Sprintf("* %d EXISTS", n/2))
}

// A message that comes back cannot be shown in a folder that is open: whoever has
// it open opens it again.
func TestWhatComesBack(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	mover, idling, reading, elsewhere, bob := w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "alice"), w.enter(t, box, "bob")
	idling.idle()
	mover.ok("MOVE 2 Keep")
	idling.sees("* 2 EXPUNGE")
	reading.says("NOOP", "* 2 EXPUNGE")
	elsewhere.says("NOOP", "* 2 EXPUNGE")
	elsewhere.ok("SELECT Keep")
	mover.ok("SELECT Keep")
	mover.ok("UID MOVE 2 INBOX")
	for _, c := range []*client{idling, reading} {
		c.sees("* BYE A message has come back*")
		c.ended()
	}
	mover.ok("SELECT INBOX")
	mover.shows("1 (), 2 (), 3 ()")
	elsewhere.ok("NOOP")
	bob.ok("NOOP")
}
