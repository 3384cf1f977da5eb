package imap

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// decided lists what is on record of decisions in a mailbox, in order: the
// UID, the op, the verdict and the outcome.
func (w *world) decided(t *testing.T, box string) []string {
	t.Helper()
	return w.query(t, `SELECT concat_ws(' ', m.uid, d.facts ->> 'op', d.verdict, d.outcome) FROM decisions d
		JOIN mailboxes b ON b.id = d.mailbox_id LEFT JOIN messages m ON m.id = d.message_id WHERE b.name = ? ORDER BY d.id`, box)
}

// query reads one column from the ledger's file.
func (w *world) query(t *testing.T, query string, args ...any) (all []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// In observe mode everything goes upstream as it is, and what went is on
// record with the verdict that would have been.
func TestObserve(t *testing.T) {
	w := newWorld(t)
	for i, test := range []struct {
		commands []string
		gone     []uint32
		decided  []string
	}{
		{[]string{`STORE 1:2 +FLAGS (\Deleted)`}, nil, nil},
		{[]string{`STORE 1:2 +FLAGS (\Deleted)`, "EXPUNGE"}, []uint32{1, 2}, []string{"1 imap.expunge defer observe", "2 imap.expunge defer observe"}},
		{[]string{`STORE 1:2 +FLAGS (\Deleted)`, "UID EXPUNGE 2:3"}, []uint32{2}, []string{"2 imap.expunge defer observe"}},
		{[]string{`STORE 3 +FLAGS (\Deleted)`, "CLOSE", "SELECT INBOX"}, []uint32{3}, []string{"3 imap.expunge defer observe"}},
		{[]string{"EXPUNGE", "CLOSE"}, nil, nil},
		{[]string{"MOVE 1 Keep"}, []uint32{1}, []string{"1 imap.move defer observe"}},
		{[]string{"UID MOVE 2:* Keep"}, []uint32{2, 3}, []string{"2 imap.move defer observe", "3 imap.move defer observe"}},
		{[]string{"UID MOVE 77 Keep"}, nil, nil},
		{[]string{"COPY 1 Keep", `STORE 1 +FLAGS (\Deleted)`, "EXPUNGE"}, []uint32{1}, []string{"1 imap.move defer observe"}},
		{[]string{"DELETE Keep"}, nil, []string{"imap.delete_folder defer observe"}},
		{[]string{"RENAME Keep Kept"}, nil, []string{"imap.rename_folder defer observe"}},
	} {
		t.Run(strings.Join(test.commands, " "), func(t *testing.T) {
			box := w.box(fmt.Sprintf("watch%d@example.com", i), 100, 200, 300)
			w.folder(t, box, "Keep")
			c := w.enter(t, box, "alice")
			for _, command := range test.commands {
				c.ok(command)
			}
			c.logout()
			w.settle()
			if got := slices.Sorted(slices.Values(w.removed(box))); !slices.Equal(got, test.gone) {
				t.Errorf("removed %v, want %v", got, test.gone)
			}
			if got := w.decided(t, box); !slices.Equal(got, test.decided) {
				t.Errorf("on record: %q, want %q", got, test.decided)
			}
			if left := w.query(t, `SELECT uid FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id WHERE b.name = ? AND claimed_at IS NOT NULL AND gone_at IS NULL`, box); len(left) > 0 {
				t.Errorf("not settled: %q", left)
			}
		})
	}
}

// In observe mode the server's own marks are everybody's, as without a guard.
func TestObserveShowsTheServersMarks(t *testing.T) {
	w := newWorld(t)
	box := w.box("watch@example.com", 100, 200)
	alice, bob := w.enter(t, box, "alice"), w.enter(t, box, "bob")
	alice.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	bob.say("NOOP", "OK*", `* 1 FETCH (FLAGS (\Deleted))`)
	bob.finds("SEARCH DELETED", "1")
	bob.ok("CLOSE")
	if got := w.removed(box); !slices.Equal(got, []uint32{1}) {
		t.Errorf("removed %v", got)
	}
}

// Decisions are on record in enforce mode as well, with what became of them.
func TestDecisionsOnRecord(t *testing.T) {
	w := newWorld(t)
	box := w.box("mixed@example.com", 100, 200, 300)
	w.folder(t, box, "Keep")
	c := w.enter(t, box, "alice")
	c.do(`STORE 1:3 +FLAGS.SILENT (\Deleted)`) // the mark is made of the first
	c.ok("EXPUNGE")
	c.do("MOVE 1:* Keep")
	c.do("DELETE Keep")
	c.logout()
	w.settle()
	want := []string{"1 imap.expunge allow allow", "2 imap.move refuse refuse", "3 imap.expunge defer defer"}
	got := w.decided(t, box)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("on record: %q, want %q", got, line)
		}
	}
}

// What goes wrong while the guard looks on does not stand in the way.
func TestObserveGoesOn(t *testing.T) {
	for _, at := range []string{"UID SEARCH", "UID FETCH"} {
		w := newWorld(t)
		box := w.box("watch@example.com", 100, 200)
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		w.on(box, once(at, upstream.Action{Answer: "{tag} NO not now"}))
		c.ok("EXPUNGE")
		if got := w.removed(box); !slices.Equal(got, []uint32{1}) {
			t.Errorf("%s: removed %v", at, got)
		}
	}
	w := newWorld(t)
	box := w.box("watch@example.com", 100, 200)
	c := w.enter(t, box, "alice")
	if err := w.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok("EXPUNGE")
	c.ok("MOVE 1 INBOX")
	c.ok("CLOSE")
	if got := w.removed(box); len(got) != 2 {
		t.Errorf("removed %v", got)
	}
}
