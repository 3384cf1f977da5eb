package ledger

import (
	"errors"
	"slices"
	"testing"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// mark changes marks, which must not fail.
func (f *fixture) mark(name member.Name, key FolderKey, add, remove []message.UID) {
	f.tb.Helper()
	if err := f.Mark(f.tb.Context(), f.visitIMAP(name), key, add, remove); err != nil {
		f.tb.Fatal(err)
	}
}

func (f *fixture) wantMarks(when string, name member.Name, key FolderKey, want ...message.UID) {
	f.tb.Helper()
	if got := f.openIn(name, key).Marks; !slices.Equal(got, want) {
		f.tb.Errorf("%s: %q has marks %v in %v, want %v", when, name, got, key, want)
	}
}

func TestMarks(t *testing.T) {
	f := newFixture(t)
	trash, anew := FolderKey{"Trash", 7}, FolderKey{"INBOX", 8}
	f.wantMarks("at first", "alice", inbox)
	f.mark("alice", inbox, []message.UID{9, 2, 4294967295, 2}, nil)
	f.wantMarks("marked", "alice", inbox, 2, 9, 4294967295)
	f.mark("alice", inbox, []message.UID{2, 3}, []message.UID{3, 9, 100})
	f.wantMarks("in both lists", "alice", inbox, 2, 4294967295)
	f.mark("bob", inbox, []message.UID{5}, nil)
	f.mark("", inbox, []message.UID{6}, nil)
	f.mark("alice", trash, []message.UID{1}, nil)
	f.wantMarks("of another", "bob", inbox, 5)
	f.wantMarks("of nobody", "", inbox, 6)
	f.wantMarks("of a stranger", "carol", inbox)
	f.wantMarks("of alice, still", "alice", inbox, 2, 4294967295)
	f.mark("alice", inbox, nil, []message.UID{2, 4294967295})
	f.wantMarks("taken away", "alice", inbox)
	f.mark("alice", anew, []message.UID{1}, nil)
	f.wantMarks("the folder was made anew", "bob", inbox)
	f.wantMarks("the folder was made anew", "", inbox)
	f.wantMarks("in the new one", "alice", anew, 1)
	f.wantMarks("elsewhere", "alice", trash, 1)
}

// Marks are a mailbox's own, and survive the process.
func TestMarksLast(t *testing.T) {
	path := t.TempDir() + "/ledger.db"
	f := openFixture(t, path)
	f.mark("alice", inbox, []message.UID{1, 2}, nil)
	v := f.visitIMAP("alice")
	v.Mailbox = "sales@example.com"
	if err := f.Mark(t.Context(), v, FolderKey{"INBOX", 8}, []message.UID{3}, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	openFixture(t, path).wantMarks("after a restart", "alice", inbox, 1, 2)
}

// What is gone is marked by nobody; what is recorded as refused, by its member
// no more.
func TestMarksEnd(t *testing.T) {
	f := newFixture(t)
	for _, name := range []member.Name{"alice", "bob"} {
		f.mark(name, inbox, []message.UID{1, 2, 3}, nil)
	}
	f.settle(Settlement{Gone: []message.UID{1}, There: []message.UID{2}})
	f.wantMarks("gone", "alice", inbox, 2, 3)
	f.wantMarks("gone", "bob", inbox, 2, 3)
	f.recordIn("alice", inbox, FolderRecord{Decisions: folderDecisions(policy.Refused, 3), Unmark: []message.UID{3}})
	f.wantMarks("refused", "alice", inbox, 2)
	f.wantMarks("refused to another", "bob", inbox, 2, 3)
}

func TestMarksOfAClosedLedger(t *testing.T) {
	f := newFixture(t)
	v := f.visitIMAP("alice")
	_ = f.Close()
	if err := f.Mark(t.Context(), v, inbox, []message.UID{1}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Mark: %v", err)
	}
	if opened, err := f.OpenFolder(t.Context(), v, inbox); !errors.Is(err, ErrClosed) || opened != nil {
		t.Errorf("OpenFolder: %v, %v", opened, err)
	}
}
