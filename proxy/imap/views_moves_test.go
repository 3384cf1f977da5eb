package imap

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mailguard/demo/upstream"
	"mailguard/policy"
)

// uids are the UIDs of a folder as a client sees them, which it selects.
func (c *client) uids(folder string) string {
	c.tb.Helper()
	c.ok("SELECT " + folder)
	var all []string
	for _, line := range c.ok("UID FETCH 1:* (UID)") {
		all = append(all, strings.TrimSuffix(line[strings.LastIndexByte(line, ' ')+1:], ")"))
	}
	return strings.Join(all, " ")
}

// Of a move, what is accepted stays in sight, of this session as of later ones; only
// what is hidden is told to be gone.
func TestAcceptedMoves(t *testing.T) {
	hideSmall := policy.Rule{
		Name: "hide small", When: `mailbox.name.startsWith("anonaccept") && message.size < 150`, Then: policy.Defer, Anonymous: policy.AnonymousHide,
	}
	for _, test := range []struct {
		name, command string
		rules         []policy.Rule
		expunged      int
		sees          string
	}{
		{"to the folder itself", "MOVE 1 INBOX", nil, 0, "1 2 3"},
		{"to another", "MOVE 1:2 Keep", nil, 0, "1 2 3"},
		{"with one that is hidden", "MOVE 1:2 Keep", []policy.Rule{hideSmall}, 1, "2 3"},
		{"behind one that is hidden", "UID MOVE 2,1 Keep", []policy.Rule{hideSmall}, 1, "2 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(s *setup) { s.rules = append(slices.Clone(test.rules), s.rules...) })
			box := w.box("anonaccept@example.com", 100, 200, 300)
			w.folder(t, box, "Keep")
			c := w.enter(t, box, "")
			if others := c.ok(test.command); countOf(others, "EXPUNGE") != test.expunged {
				t.Errorf("%q", others)
			}
			if got := countOf(c.ok("FETCH 1:* (UID)"), " FETCH "); got != len(strings.Fields(test.sees)) {
				t.Errorf("it counts %d messages", got)
			}
			if got := w.login(t, box, "").uids("INBOX"); got != test.sees {
				t.Errorf("a later session sees %s, want %s", got, test.sees)
			}
			w.has(t, box, inbox, 1, 2, 3)
		})
	}
}

// A move of which a later part fails does not say that nothing has happened.
func TestMoveThatFailsHalfway(t *testing.T) {
	const n = commitAtOnce + 10
	w := newWorld(t)
	box := w.box("plain@example.com", slices.Repeat([]int{100}, n)...)
	w.folder(t, box, "Keep")
	alice := w.enter(t, box, "alice")
	var copies atomic.Int32
	w.on(box, func(command string) upstream.Action {
		if strings.HasPrefix(command, "UID COPY") && copies.Add(1) == 2 {
			_ = w.ledger.Close()
		}
		return upstream.Action{}
	})
	others, answer := alice.do("MOVE 1:* Keep")
	if got := countOf(others, "EXPUNGE"); got != commitAtOnce || answer != "NO [UNAVAILABLE] "+replyPartly.Text {
		t.Errorf("%d times EXPUNGE, and %q", got, answer)
	}
	if got := countOf(alice.ok("FETCH 1:* (UID)"), " FETCH "); got != n-commitAtOnce {
		t.Errorf("%d messages are left in sight", got)
	}
	if got := len(w.upstream.Messages(box, inbox)); got != n {
		t.Errorf("%d messages are left upstream", got)
	}
}

// What the upstream does not name among the copies that it has made stays in sight.
func TestMoveThatCopiesOnlySome(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	validity, err := w.upstream.UIDValidity(box, "Keep")
	if err != nil {
		t.Fatal(err)
	}
	alice := w.enter(t, box, "alice")
	copyFirst := once("UID COPY", upstream.Action{Answer: fmt.Sprintf("{tag} OK [COPYUID %d 1 2] Copy completed.", validity)})
	w.on(box, func(command string) upstream.Action {
		a := copyFirst(command)
		if a.Answer != "" {
			w.folder(t, box, "Keep") // one more message, which has UID 2
		}
		return a
	})
	alice.say("MOVE 1:2 Keep", "OK*", fmt.Sprintf("* OK [COPYUID %d 1 2] Moved", validity), "* 1 EXPUNGE")
	for _, c := range []*client{alice, w.login(t, box, "alice")} {
		if in, keep := c.uids("INBOX"), c.uids("Keep"); in != "2 3" || keep != "1 2" {
			t.Errorf("INBOX %s, Keep %s", in, keep)
		}
	}
	w.has(t, box, inbox, 1, 2, 3)
}

// A message that is moved back, and whose original has gone past the guard, is not
// lost: its copy is in sight again as soon as somebody has looked for the original.
func TestMoveBackOfAnOriginalThatIsGone(t *testing.T) {
	w := newWorld(t)
	box := w.box("plain@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	alice := w.enter(t, box, "alice")
	alice.ok("UID MOVE 1 Keep")
	w.upstream.Remove(box, w.upstream.UniqueIDs(box)[0])
	alice.ok("SELECT Keep")
	alice.ok("UID MOVE 2 INBOX")
	if in, keep := alice.uids("INBOX"), alice.uids("Keep"); in != "2 3" || keep != "1 2" {
		t.Errorf("INBOX %s, Keep %s", in, keep)
	}
	w.has(t, box, "Keep", 1, 2)
}
