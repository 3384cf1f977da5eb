package imap

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mailguard/demo/upstream"
	"mailguard/message"
)

// thirdHidden is a mailbox of n messages of which alice has deleted every third.
func (w *world) thirdHidden(t *testing.T, n int) (box string) {
	t.Helper()
	box = w.box("plain@example.com", slices.Repeat([]int{100}, n)...)
	var thirds []string
	for uid := 3; uid <= n; uid += 3 {
		thirds = append(thirds, strconv.Itoa(uid))
	}
	alice := w.enter(t, box, "alice")
	alice.ok("UID STORE " + strings.Join(thirds, ",") + ` +FLAGS.SILENT (\Deleted)`)
	alice.ok("EXPUNGE")
	return box
}

// before is a hook that runs do before the first command that begins with prefix.
func before(prefix string, do func()) hook {
	first := once(prefix, upstreamSays("* OK Now"))
	return func(command string) upstream.Action {
		if first(command).Before != "" {
			do()
		}
		return upstream.Action{}
	}
}

// copiedFrom are the UIDs that a COPYUID names as copied.
func copiedFrom(t *testing.T, answer string) []message.UID {
	t.Helper()
	words := strings.Fields(answer)
	if len(words) < 4 || words[1] != "[COPYUID" {
		t.Fatalf("no COPYUID: %.200q", answer)
	}
	uids, ok := expand(words[3])
	if !ok {
		t.Fatalf("COPYUID names %.200q", words[3])
	}
	return uids
}

// A command that goes to the upstream in pieces names the messages that it named
// when it came, whatever others remove in between. A piece of a FETCH that fails does
// not end it.
func TestPiecesWhileOthersRemove(t *testing.T) {
	const n, seen = 2700, 1800 // so many that what is seen fills more than a line
	w := newWorld(t)
	box := w.thirdHidden(t, n)
	w.folder(t, box, "Keep")
	hidden := w.upstream.UniqueIDs(box)[2]

	t.Run("COPY counts on", func(t *testing.T) {
		alice := w.enter(t, box, "alice")
		w.on(box, func(command string) upstream.Action {
			if strings.HasPrefix(command, "COPY ") || strings.HasPrefix(command, "UID COPY ") {
				w.upstream.Remove(box, hidden) // again does no harm
			}
			return upstream.Action{}
		})
		got := copiedFrom(t, alice.answer(fmt.Sprintf("COPY 1:%d Keep", seen)))
		for i, uid := range got {
			if want := message.UID(1 + i + i/2); uid != want {
				t.Fatalf("message %d of the view is copied as UID %d", i+1, uid)
			}
		}
		if len(got) != seen {
			t.Errorf("%d messages are copied", len(got))
		}
		if pieces := w.received("COPY ", "UID COPY "); len(pieces) < 2 {
			t.Errorf("it went in %d pieces", len(pieces))
		}
	})
	t.Run("FETCH goes on behind a piece that fails", func(t *testing.T) {
		alice := w.enter(t, box, "alice")
		w.upstream.Forget()
		const gone = "NO [EXPUNGEISSUED] Some of the requested messages no longer exist." // as Dovecot says
		w.on(box, once("UID FETCH ", upstream.Action{Answer: "{tag} " + gone}))
		others, answer := alice.do("UID FETCH 1:* (UID BODY.PEEK[])")
		if got := countOf(others, " FETCH "); got == 0 || answer != gone {
			t.Errorf("of what is in %d pieces %d messages are fetched, and %q", len(w.received("UID FETCH ")), got, answer)
		}
	})
}

// A "*" is never the upstream's last message, which may be a hidden one by the time
// that the command is run.
func TestStarIsNoHiddenMessage(t *testing.T) {
	w := newWorld(t)
	for i, test := range []struct{ command, at string }{ // at is what the upstream gets then
		{`UID STORE 3:* +FLAGS (\Seen)`, "UID STORE"},
		{`UID STORE 3:* +FLAGS (\Seen \Deleted)`, "UID FETCH"},
		{`UID STORE * +FLAGS (\Seen)`, "UID STORE"},
		{"UID FETCH 3:* (BODY[])", "UID FETCH"},
		{"UID COPY 3:* Keep", "UID COPY"},
		{"UID MOVE 3:* Keep", "UID COPY"},
	} {
		box := w.box(fmt.Sprintf("plain%d@example.com", i), 100, 200, 300)
		w.folder(t, box, "Keep")
		alice := w.enter(t, box, "alice")
		alice.ok(`STORE 2 +FLAGS.SILENT (\Deleted)`)
		alice.say("EXPUNGE", "OK*", "* 2 EXPUNGE")
		last := w.upstream.UniqueIDs(box)[2]
		w.on(box, before(test.at, func() { w.upstream.Remove(box, last) }))
		w.upstream.Forget()
		alice.do(test.command) // of a message that is gone: OK and NO are both right
		w.has(t, box, inbox, 1, 2)
		if got := strings.Join(w.received(), "; "); strings.Contains(got, "*") {
			t.Errorf("%s: the upstream received %s", test.command, got)
		}
		for _, m := range w.upstream.Messages(box, inbox) {
			if m.UID == 2 && len(m.Flags) > 0 {
				t.Errorf("%s: the hidden message has %v", test.command, m.Flags)
			}
		}
		if got := len(w.upstream.Messages(box, "Keep")); got != 1 {
			t.Errorf("%s: %d messages in Keep, the hidden one among them", test.command, got)
		}
	}
}

// Searches by number and by mark are those of the view, within NOT and OR too.
func TestSearchKeysOfAView(t *testing.T) {
	w := newWorld(t)
	_, alice := w.deferred(t, "plain")
	alice.ok(`STORE 4 +FLAGS.SILENT (\Deleted)`)
	alice.say("EXPUNGE", "OK*", "* 4 EXPUNGE") // the upstream's last
	alice.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	for search, want := range map[string]string{
		"SEARCH NOT (OR DELETED UID 5:*)":                             "2",
		"SEARCH NOT UID *":                                            "1 2",
		"SEARCH NOT *":                                                "1 2",
		"SEARCH OR NOT 1:2 UNDELETED":                                 "2 3",
		"UID SEARCH NOT UID 100:*":                                    "1 3",
		"SEARCH CHARSET UTF-8 SUBJECT " + lit("message 3"):            "2",
		"UID SEARCH CHARSET UTF-8 OR UID * SUBJECT {9+}\r\nmessage 2": "5",
	} {
		alice.finds(search, want)
	}
}

// Where all that a command names is hidden it is answered as a server answers for
// messages that are not there.
func TestHiddenInAFolderOpenForReading(t *testing.T) {
	w := newWorld(t)
	_, alice := w.deferred(t, "plain")
	alice.ok("EXAMINE INBOX")
	for command, want := range map[string]string{
		`UID STORE 2 +FLAGS (\Deleted)`: "NO [READ-ONLY]*",
		`UID STORE 2 +FLAGS (\Seen)`:    "NO [READ-ONLY]*",
		"UID MOVE 2 Nowhere":            "NO [READ-ONLY]*",
		"UID COPY 2 Nowhere":            "OK No messages found",
		"UID FETCH 2 (FLAGS)":           "OK Fetch completed",
	} {
		alice.say(command, want, nothing...)
	}
}
