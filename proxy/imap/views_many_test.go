package imap

import (
	"fmt"
	"strings"
	"testing"
)

// Where so much is hidden that its UIDs fit into no line, everything is as it is
// with little: of 4,000 messages alice has deleted the even ones, and bob has seen
// those from 11 to 3990.
func TestHiddenBeyondALine(t *testing.T) {
	const all = 4000
	w := newWorld(t)
	box := w.box("many@example.com")
	for range all {
		w.upstream.Deliver(box, mail(1, 100))
	}
	bob := w.enter(t, box, "bob")
	bob.ok(`STORE 11:3990 +FLAGS.SILENT (\Seen)`)
	alice := w.enter(t, box, "alice")
	for from := 2; from <= all; from += 1000 {
		var uids []string
		for uid := from; uid < from+1000; uid += 2 {
			uids = append(uids, fmt.Sprint(uid))
		}
		alice.ok("UID STORE " + strings.Join(uids, ",") + ` +FLAGS.SILENT (\Deleted)`)
	}
	alice.ok("EXPUNGE")
	again := w.enter(t, box, "alice")
	for _, c := range []*client{alice, again} {
		c.say("STATUS INBOX (MESSAGES UNSEEN)", "OK*", "* STATUS INBOX (MESSAGES 2000 UNSEEN 10)")
		c.say("SEARCH UNSEEN", "OK*", "* SEARCH 1 2 3 4 5 1996 1997 1998 1999 2000")
		c.say("UID SEARCH UNSEEN", "OK*", "* SEARCH 1 3 5 7 9 3991 3993 3995 3997 3999")
		if got := c.ok("SEARCH RETURN (MIN MAX ALL COUNT) UNSEEN"); len(got) != 1 || !strings.HasSuffix(got[0], ") MIN 1 MAX 2000 ALL 1:5,1996:2000 COUNT 10") {
			t.Errorf("SEARCH RETURN: %q", got)
		}
		c.say("FETCH 1999:* (UID)", "OK*", "* 1999 FETCH (UID 3997)", "* 2000 FETCH (UID 3999)")
		c.say("UID FETCH 3997:* (UID)", "OK*", "* 1999 FETCH (UID 3997)", "* 2000 FETCH (UID 3999)")
		if got := c.ok("FETCH 1:* (UID)"); len(got) != all/2 || got[999] != "* 1000 FETCH (UID 1999)" {
			t.Errorf("%d responses to FETCH, %q among them", len(got), got[min(999, len(got)-1)])
		}
	}
	again.says("SELECT INBOX", "* 2000 EXISTS", "* OK [UNSEEN 1] First unseen.")
}
