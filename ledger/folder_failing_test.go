package ledger

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// dump is all that the ledger says of messages and members.
func (f *fixture) dump() string {
	f.tb.Helper()
	var all strings.Builder
	for _, table := range []string{"mailboxes", "members", "uses", "messages", "fetches", "deletions", "decisions", "marks", "moved_copies", "undone_moves", "folder_lives"} {
		err := f.reading(func(q querier) error {
			return each(f.tb.Context(), q, func(rows *sql.Rows) error {
				columns, err := rows.Columns()
				row := make([]any, len(columns))
				for i := range row {
					row[i] = new(any)
				}
				if err == nil {
					err = rows.Scan(row...)
				}
				fmt.Fprint(&all, table)
				for _, value := range row {
					fmt.Fprintf(&all, " %v", *value.(*any))
				}
				fmt.Fprintln(&all)
				return err
			}, "SELECT * FROM "+table)
		})
		if err != nil {
			f.tb.Fatal(err)
		}
	}
	return all.String()
}

// A write that fails anywhere within a call leaves nothing of the call behind,
// and does not stand in the way of the next.
func TestAFaultAnywhere(t *testing.T) {
	record := func(f *fixture) error {
		v := f.visitIMAP("dave")
		r := FolderRecord{
			At: v.At, Unmark: []message.UID{7}, Fetches: []FolderFetch{{UID: 8, At: v.At, Fingerprint: fingerprint(8)}},
			Decisions: slices.Concat(folderDecisions(policy.Allowed, 5, 6), folderDecisions(policy.Refused, 7), moves(policy.Deferred, 10, 9)),
			Copies:    []FolderCopy{{Original: 10, Folder: "Trash", Placed: Placed{3, 1}}},
		}
		claimed, err := f.RecordFolder(f.tb.Context(), v, inbox, r)
		if err != nil && claimed != nil {
			f.tb.Errorf("claimed %v, and failed", claimed)
		}
		return err
	}
	for _, test := range []struct {
		name   string
		faults string // table and event, where the call writes
		call   func(f *fixture) error
	}{
		{"RecordFolder", "uses INSERT, members INSERT, messages INSERT, messages UPDATE, fetches INSERT, decisions INSERT, deletions INSERT, moved_copies INSERT, marks DELETE, folder_lives INSERT", record},
		{"UndoMoves", "uses INSERT, messages INSERT, messages UPDATE, decisions INSERT, deletions INSERT, deletions DELETE, marks DELETE, undone_moves INSERT", func(f *fixture) error {
			v := f.visitIMAP("alice")
			back, err := f.UndoMoves(f.tb.Context(), v, trash, Undo{At: v.At, Copies: moves(policy.Deferred, 51), To: inbox})
			if (err == nil) != (len(back) == 1) {
				f.tb.Errorf("back %v, %v", back, err)
			}
			return err
		}},
		{"Mark", "uses INSERT, marks INSERT, marks DELETE", func(f *fixture) error {
			return f.Mark(f.tb.Context(), f.visitIMAP("dave"), inbox, []message.UID{10}, []message.UID{7})
		}},
		{"Mark in a new folder", "marks INSERT, marks DELETE, folder_lives INSERT", func(f *fixture) error {
			return f.Mark(f.tb.Context(), f.visitIMAP("dave"), FolderKey{"INBOX", 8}, []message.UID{10}, nil)
		}},
		{"SettleFolder", "messages UPDATE, marks DELETE, deletions UPDATE, deletions DELETE, moved_copies DELETE, undone_moves DELETE, decisions INSERT", func(f *fixture) error {
			at := f.clock.pass(claimLasts + time.Minute)
			back, err := f.SettleFolder(f.tb.Context(), box, inbox, Settlement{At: at, Since: at, Gone: []message.UID{7, 12, 14}, There: []message.UID{9, 15}})
			if (err == nil) != (len(back) == 1) {
				f.tb.Errorf("back %v, %v", back, err)
			}
			return err
		}},
		{"FolderGone", "messages UPDATE, deletions UPDATE, marks DELETE, moved_copies DELETE, folder_lives DELETE", func(f *fixture) error {
			_, err := f.FolderGone(f.tb.Context(), box, "a", false)
			return err
		}},
		{"Restore", "messages UPDATE, deletions DELETE, undone_moves DELETE, decisions INSERT", func(f *fixture) error {
			var ids []message.ID
			for _, uid := range []message.UID{54, 55} {
				ids = append(ids, message.ID(f.number("SELECT id FROM messages WHERE folder = 'Trash' AND uid = ?", uid)))
			}
			done, err := f.Restore(f.tb.Context(), Restore{IDs: ids})
			if (err == nil) != (len(done.Returned) == 2) {
				f.tb.Errorf("returned %v, %v", done, err)
			}
			return err
		}},
		{"Purge", "messages UPDATE, decisions INSERT", func(f *fixture) error {
			_, err := f.Purge(f.tb.Context(), []message.ID{1, 2}, "asked")
			return err
		}},
		{"RenameFolder", "messages UPDATE, deletions UPDATE, marks UPDATE, marks DELETE, moved_copies UPDATE, moved_copies DELETE, folder_lives UPDATE, folder_lives DELETE", func(f *fixture) error {
			return f.RenameFolder(f.tb.Context(), box, "a", "b")
		}},
		{"Audit", "uses INSERT, decisions INSERT", func(f *fixture) error {
			return f.Audit(f.tb.Context(), f.visitIMAP("bob"), Decision{Outcome: policy.Allowed, Facts: &policy.Facts{}}, f.clock.Now())
		}},
	} {
		for fault := range strings.SplitSeq(test.faults, ", ") {
			t.Run(test.name+", "+fault, func(t *testing.T) {
				f := newFixture(t)
				f.expunge("bob", policy.Refused, 5)
				f.expunge("bob", policy.Allowed, 9)
				for _, key := range []FolderKey{inbox, {"a", 7}, {"b", 7}} {
					f.mark("alice", key, []message.UID{5, 7}, nil)
				}
				if !strings.HasPrefix(fault, "members") {
					f.mark("dave", inbox, []message.UID{7}, nil)
				}
				f.recordIn("bob", FolderKey{"a", 7}, FolderRecord{Decisions: folderDecisions(policy.Refused, 1)})
				f.recordIn("alice", FolderKey{"a", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 2)})
				f.moveToTrash("alice", 12, 51)
				f.mark("alice", trash, []message.UID{51}, nil)
				for _, uid := range []message.UID{14, 15} { // undone, and not seen since
					f.moveToTrash("alice", uid, 40+uid)
					f.undo("alice", inbox, 40+uid)
				}
				for i, name := range []string{"INBOX", "a", "b"} { // copies in these folders
					f.recordIn("alice", FolderKey{"elsewhere", 7}, FolderRecord{
						Decisions: moves(policy.Deferred, message.UID(i+1)),
						Copies:    []FolderCopy{{Original: message.UID(i + 1), Folder: name, Placed: Placed{7, 7}}},
					})
				}
				table, event, _ := strings.Cut(fault, " ")
				f.exec(fmt.Sprintf("CREATE TRIGGER fault BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'fault'); END", event, table))
				before := f.dump()
				if err := test.call(f); err == nil || !strings.Contains(err.Error(), "fault") {
					t.Fatalf("it does not fail: %v", err)
				}
				if after := f.dump(); after != before {
					t.Errorf("it leaves something behind:\n%s\nbefore:\n%s", after, before)
				}
				f.exec("DROP TRIGGER fault")
				if err := test.call(f); err != nil {
					t.Errorf("the next fails too: %v", err)
				}
			})
		}
	}
}

// What is known of messages over IMAP changes nothing of what is known over
// POP3, where nothing says that they are the same ones. What was fetched is
// kept by content, by whatever protocol.
func TestPOP3RowsAreUntouched(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 100), mail("b", 100))
	s.fetch(s.IDs[0], fingerprint(1))
	s.dele(policy.Deferred, s.IDs[1])
	before := []*Held{f.found(s.IDs[0]), f.found(s.IDs[1])}
	same := func(when string) {
		t.Helper()
		for i, id := range s.IDs {
			h := f.found(id)
			h.Fetches = slices.DeleteFunc(h.Fetches, func(g Fetched) bool { return g.Protocol == member.IMAP })
			if now := fmt.Sprintf("%+v", *h); now != fmt.Sprintf("%+v", *before[i]) {
				t.Errorf("%s: %s\nbefore: %+v", when, now, *before[i])
			}
		}
	}
	// The same messages, by size and fingerprint, in the same folder.
	at := f.clock.pass(time.Second)
	f.recordIn("alice", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 2, Size: 100, At: at, Fingerprint: fingerprint(1)}}})
	f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 1, Size: 100, At: at, Fingerprint: fingerprint(1)}}})
	same("fetched over IMAP")
	f.expunge("bob", policy.Allowed, 1)
	f.expunge("alice", policy.Deferred, 2)
	f.settle(Settlement{Gone: []message.UID{1}, There: []message.UID{2}})
	same("deleted over IMAP")
	later := f.enter("alice", mail("a", 100), mail("b", 100))
	if later.Hidden[0] || !later.Hidden[1] || later.IDs[0] != s.IDs[0] || later.IDs[1] != s.IDs[1] {
		t.Errorf("%+v", later.Maildrop)
	}
	f.enter("alice") // everything is gone by POP3
	if h := f.in(2); !h.Message.Gone.IsZero() || len(h.Fetches) != 3 {
		t.Errorf("POP3 changes what IMAP knows: %+v", h)
	}
}

// A ledger of the release before is brought up to date with what it holds.
func TestLedgerFromBeforeIMAP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	f := openFixture(t, path)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	migrateTo(t, path, 1)
	f = openFixture(t, path)
	f.clock.pass(time.Hour)
	if again := f.enter("alice", mail("a", 1)); !again.Hidden[0] || again.IDs[0] != s.IDs[0] {
		t.Errorf("%+v", again.Maildrop)
	}
	f.mark("alice", inbox, []message.UID{1}, nil)
	f.expunge("alice", policy.Allowed, 1)
}

// The folders of a ledger from before views are known to have been there: they
// are swept, and nothing of them is forgotten before its time.
func TestLedgerFromBeforeViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	f := openFixture(t, path)
	f.expunge("alice", policy.Allowed, 1)
	f.mark("alice", trash, []message.UID{2}, nil)
	f.mark("bob", trash, []message.UID{3}, nil)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	migrateTo(t, path, 2)
	f = openFixture(t, path)
	for _, key := range []FolderKey{inbox, trash} {
		if n := f.number("SELECT last_at FROM folder_lives WHERE folder = ? AND uid_validity = ?", key.Name, key.UIDValidity); n < millis(time.Now().Add(-time.Hour)) {
			t.Errorf("%v was last seen at %v", key, fromMillis(n))
		}
	}
	if got := f.openIn("bob", trash); !slices.Equal(got.Marks, []message.UID{3}) {
		t.Errorf("%+v", got)
	}
	f.expunge("alice", policy.Deferred, 4)
	f.wantHidden("afterwards", "alice", 4)
}

// migrateTo takes a ledger back to an earlier form.
func migrateTo(t *testing.T, path string, version int64) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	provider, err := newProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
