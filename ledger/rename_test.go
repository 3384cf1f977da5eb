package ledger

import (
	"testing"

	"mailguard/message"
	"mailguard/policy"
)

// where is the folder in which a message of a UID is now, "" nowhere.
func (f *fixture) where(uid message.UID) (name string) {
	f.tb.Helper()
	err := f.reading(func(q querier) error {
		return q.QueryRowContext(f.tb.Context(), "SELECT coalesce(max(folder), '') FROM messages WHERE uid = ?", uid).Scan(&name)
	})
	if err != nil {
		f.tb.Fatal(err)
	}
	return name
}

func TestRenameFolder(t *testing.T) {
	before := []string{"a", "a/b", "a/b/c", "ab", "A", "a%", "a/", "é", "é/x", "INBOX", "INBOX/a"}
	for _, test := range []struct {
		from, to string
		want     map[string]string // what changes
		fails    bool
	}{
		{"a", "z", map[string]string{"a": "z", "a/b": "z/b", "a/b/c": "z/b/c", "a/": "z/"}, false},
		{"a/b", "z/y", map[string]string{"a/b": "z/y", "a/b/c": "z/y/c"}, false},
		{"é", "ü€", map[string]string{"é": "ü€", "é/x": "ü€/x"}, false},
		{"a%", "z", map[string]string{"a%": "z"}, false},
		{"nowhere", "z", nil, false},
		{"ab", "A", map[string]string{"ab": "A", "A": ""}, false},
		{"INBOX/a", "a/b", map[string]string{"INBOX/a": "a/b", "a/b": "", "a/b/c": ""}, false},
		{"a/b", "a", map[string]string{"a/b": "a", "a/b/c": "a/c", "a": "", "a/": ""}, false},
		{"INBOX", "old", nil, true},
		{"a", "a", nil, true},
		{"a", "a/b/d", nil, true},
	} {
		t.Run(test.from+" to "+test.to, func(t *testing.T) {
			f := newFixture(t)
			for i, name := range before {
				key := FolderKey{name, 7}
				f.recordIn("alice", key, FolderRecord{Decisions: folderDecisions(policy.Refused, message.UID(i+1))})
				f.mark("alice", key, []message.UID{message.UID(i + 1)}, nil)
			}
			pop3 := f.enter("alice", mail("x", 1)).IDs[0]
			if err := f.RenameFolder(t.Context(), box, test.from, test.to); (err != nil) != test.fails {
				t.Fatal(err)
			}
			for i, name := range before {
				want, changes := test.want[name]
				if !changes {
					want = name
				}
				uid := message.UID(i + 1)
				if got := f.where(uid); got != want {
					t.Errorf("%q is now %q, want %q", name, got, want)
				}
				if n := f.number("SELECT count(*) FROM marks WHERE uid = ? AND folder = ?", uid, want); n != min(1, int64(len(want))) {
					t.Errorf("%q: %d marks in %q", name, n, want)
				}
			}
			if n := f.number("SELECT count(*) FROM messages WHERE uid IS NULL AND unique_id IS NULL AND gone_how <> 'bypass'"); n != 0 {
				t.Error("what has no name any more is not gone")
			}
			if m := f.found(pop3).Message; m.Folder != "INBOX" || !m.Gone.IsZero() {
				t.Errorf("what was seen over POP3 changes: %+v", m)
			}
		})
	}
}

// A folder may get the name of one that had the same UIDVALIDITY and UIDs.
func TestRenameToAKnownName(t *testing.T) {
	f := newFixture(t)
	f.recordIn("alice", FolderKey{"a", 7}, FolderRecord{Decisions: folderDecisions(policy.Refused, 1)})
	f.recordIn("alice", FolderKey{"b", 7}, FolderRecord{Decisions: folderDecisions(policy.Allowed, 1)})
	if err := f.RenameFolder(t.Context(), box, "a", "b"); err != nil {
		t.Fatal(err)
	}
	found, err := f.LookupFolder(t.Context(), box, FolderKey{"b", 7}, []message.UID{1})
	if err != nil || found[1] == nil || !found[1].Message.Claimed.IsZero() {
		t.Errorf("%v, %v", found, err)
	}
	if err := f.RenameFolder(t.Context(), "nobody@example.com", "a", "b"); err != nil {
		t.Errorf("in a mailbox that nobody knows: %v", err)
	}
}

func TestHoldsHeld(t *testing.T) {
	f := newFixture(t)
	f.recordIn("alice", FolderKey{"a/b", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 1)})
	f.recordIn("alice", FolderKey{"c", 7}, FolderRecord{Decisions: folderDecisions(policy.Refused, 2, 3)})
	f.recordIn("alice", FolderKey{"d", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 4)})
	f.exec("UPDATE messages SET pinned = 1 WHERE uid = 3")
	if _, err := f.SettleFolder(t.Context(), box, FolderKey{"d", 7}, Settlement{At: f.clock.Now(), Gone: []message.UID{4}}); err != nil {
		t.Fatal(err)
	}
	heldOnes(f, "x")
	for name, want := range map[string]bool{
		"a": true, "a/b": true, "a/b/c": false, "a/": false, "A": false, "c": true, "d": false, "e": false, "": false, "INBOX": true,
	} {
		if got, err := f.HoldsHeld(t.Context(), box, name); err != nil || got != want {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if got, err := f.HoldsHeld(t.Context(), "sales@example.com", "a"); err != nil || got {
		t.Errorf("in another mailbox: %v, %v", got, err)
	}
}
