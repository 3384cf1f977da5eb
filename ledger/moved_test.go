package ledger

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

var trash = FolderKey{Name: "Trash", UIDValidity: 3}

func moves(outcome policy.Outcome, list ...message.UID) []FolderDecision {
	all := folderDecisions(outcome, list...)
	for i := range all {
		all[i].Facts.Op = policy.IMAPMove
	}
	return all
}

// moveToTrash is a deferred move of one message of the inbox.
func (f *fixture) moveToTrash(name member.Name, uid, copied message.UID) {
	f.tb.Helper()
	f.recordIn(name, inbox, FolderRecord{
		Decisions: moves(policy.Deferred, uid),
		Copies:    []FolderCopy{{Original: uid, Folder: trash.Name, Placed: Placed{trash.UIDValidity, copied}}},
	})
}

// undo moves copies from the trash back to the inbox.
func (f *fixture) undo(name member.Name, to FolderKey, copies ...message.UID) map[message.UID]Placed {
	f.tb.Helper()
	v := f.visitIMAP(name)
	back, err := f.UndoMoves(f.tb.Context(), v, trash, Undo{At: v.At, Copies: moves(policy.Allowed, copies...), To: to})
	if err != nil {
		f.tb.Fatal(err)
	}
	return back
}

// copyOf is the copy in the trash of a message of the inbox, 0 none.
func (f *fixture) copyOf(uid message.UID) message.UID {
	f.tb.Helper()
	found, err := f.MovedCopies(f.tb.Context(), box, inbox, []message.UID{uid, 77}, FolderKey{Name: "Trash"})
	if err != nil {
		f.tb.Fatal(err)
	}
	return found[uid].UID
}

func (f *fixture) originalOf(name member.Name, copied message.UID) message.UID {
	f.tb.Helper()
	found, err := f.Originals(f.tb.Context(), f.visitIMAP(name), trash, []message.UID{copied, 77}, "INBOX")
	if err != nil {
		f.tb.Fatal(err)
	}
	if o, ok := found[copied]; ok && o.UIDValidity != inbox.UIDValidity {
		f.tb.Errorf("%+v", found)
	}
	return found[copied].UID
}

// A copy is good for a later mover while its original is held and nobody has
// touched the copy; it is a way back for whoever moved, while the original is
// there.
func TestMovedCopies(t *testing.T) {
	inTrash := func(f *fixture, outcome policy.Outcome) {
		f.recordIn("bob", trash, FolderRecord{Decisions: folderDecisions(outcome, 51)})
	}
	for _, test := range []struct {
		name           string
		after          func(f *fixture)
		copy, original message.UID
	}{
		{"untouched", func(*fixture) {}, 51, 5},
		{"moved by another too", func(f *fixture) { f.moveToTrash("bob", 5, 51) }, 51, 5},
		{"the copy was refused to somebody", func(f *fixture) { inTrash(f, policy.Refused) }, 51, 5},
		{"the copy is hidden from somebody", func(f *fixture) { inTrash(f, policy.Deferred) }, 0, 5},
		{"the copy is being removed", func(f *fixture) { inTrash(f, policy.Allowed) }, 0, 5},
		{"a later copy", func(f *fixture) { f.moveToTrash("bob", 5, 50) }, 50, 5},
		{"the copy is gone", func(f *fixture) {
			if _, err := f.SettleFolder(t.Context(), box, trash, Settlement{At: f.clock.Now(), Gone: []message.UID{51}}); err != nil {
				t.Error(err)
			}
		}, 0, 0},
		{"the original is gone", func(f *fixture) { f.settle(Settlement{Gone: []message.UID{5}}) }, 0, 0},
		{"the original is being released", func(f *fixture) { f.mustClaim(f.in(5).Message.ID) }, 51, 0},
		{"moved back", func(f *fixture) { f.undo("alice", inbox, 51) }, 0, 0},
		{"the folder of the copy is renamed", func(f *fixture) {
			if err := f.RenameFolder(t.Context(), box, "Trash", "Bin"); err != nil {
				t.Error(err)
			}
		}, 0, 0},
		{"renamed there and back", func(f *fixture) {
			for _, names := range [][2]string{{"Trash", "Bin"}, {"Bin", "Trash"}} {
				if err := f.RenameFolder(t.Context(), box, names[0], names[1]); err != nil {
					t.Error(err)
				}
			}
		}, 51, 5},
		{"another folder got the name of the copy's", func(f *fixture) {
			if err := f.RenameFolder(t.Context(), box, "Old", "Trash"); err != nil {
				t.Error(err)
			}
		}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.moveToTrash("alice", 5, 51)
			test.after(f)
			if got := f.copyOf(5); got != test.copy {
				t.Errorf("the copy is %d, want %d", got, test.copy)
			}
			if got := f.originalOf("alice", 51); got != test.original {
				t.Errorf("the original is %d, want %d", got, test.original)
			}
			for _, name := range []member.Name{"", "carol"} {
				if got := f.originalOf(name, 51); got != 0 {
					t.Errorf("%q, who has not moved it, gets %d back", name, got)
				}
			}
		})
	}
}

// Copies are found in their folder, their life of it, and their mailbox.
func TestMovedCopiesElsewhere(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	for _, c := range []struct {
		mailbox member.Mailbox
		key     FolderKey
		dest    string
	}{{box, inbox, "Archive"}, {box, FolderKey{"INBOX", 8}, "Trash"}, {box, trash, "Trash"}, {"sales@example.com", inbox, "Trash"}} {
		if found, err := f.MovedCopies(t.Context(), c.mailbox, c.key, []message.UID{5, 51}, FolderKey{Name: c.dest}); err != nil || len(found) != 0 {
			t.Errorf("%v: %v, %v", c, found, err)
		}
	}
	for _, key := range []FolderKey{{"Trash", 4}, {"Archive", 3}, inbox} {
		if found, err := f.Originals(t.Context(), f.visitIMAP("alice"), key, []message.UID{5, 51}, "INBOX"); err != nil || len(found) != 0 {
			t.Errorf("%v: %v, %v", key, found, err)
		}
	}
	if found, err := f.Originals(t.Context(), f.visitIMAP("alice"), trash, []message.UID{51}, "Archive"); err != nil || len(found) != 0 {
		t.Errorf("back to another folder: %v, %v", found, err)
	}
}

// An expunged message has no way back by a copy that another member made.
func TestOriginalOfAnExpunge(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.expunge("bob", policy.Deferred, 5)
	if got := f.originalOf("bob", 51); got != 0 {
		t.Errorf("%d would come back", got)
	}
}

func TestUndoMoves(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.moveToTrash("alice", 6, 61)
	first := f.in(5).Message.HeldSince
	f.moveToTrash("bob", 5, 51)
	second := f.in(5).Deletions[1].At
	f.mark("alice", trash, []message.UID{51, 61, 99}, nil)
	if back := f.undo("alice", inbox, 51, 99); !reflect.DeepEqual(back, map[message.UID]Placed{51: {7, 5}}) {
		t.Fatalf("back %v", back)
	}
	f.wantHidden("undone", "alice", 6)
	f.wantHidden("another member's", "bob", 5)
	opened := f.openIn("alice", trash)
	if !slices.Equal(opened.Hidden, []message.UID{51}) || !slices.Equal(opened.Marks, []message.UID{61, 99}) {
		t.Errorf("in the trash: %+v", opened)
	}
	if h := f.in(5); h.Message.HeldSince.Equal(first) || !h.Message.HeldSince.Equal(second) || len(h.Deletions) != 1 {
		t.Errorf("%+v; want held since %v", h, second)
	}
	if got := f.openIn("bob", trash).Hidden; len(got) != 0 {
		t.Errorf("hidden from bob in the trash: %v", got)
	}
	f.undo("bob", inbox, 51)
	if h := f.in(5); !h.Message.HeldSince.IsZero() || len(h.Deletions) != 0 {
		t.Errorf("deleted by nobody: %+v", h)
	}
	if n := f.number("SELECT count(*) FROM decisions WHERE verdict = 'allow' AND outcome = 'defer'"); n != 2 {
		t.Errorf("%d decisions say that the copies are deferred", n)
	}
	if again := f.undo("alice", inbox, 51); len(again) != 0 {
		t.Errorf("undone twice: %v", again)
	}
}

// Nothing is undone that could not come back: the copy must not go instead.
func TestNoUndo(t *testing.T) {
	for _, test := range []struct {
		name   string
		to     FolderKey
		before func(f *fixture)
	}{
		{"another life of the folder", FolderKey{"INBOX", 8}, func(*fixture) {}},
		{"another folder", FolderKey{"Archive", 7}, func(*fixture) {}},
		{"gone", inbox, func(f *fixture) { f.settle(Settlement{Gone: []message.UID{5}}) }},
		{"being removed", inbox, func(f *fixture) { f.expunge("bob", policy.Allowed, 5) }},
		{"being released", inbox, func(f *fixture) { f.mustClaim(f.in(5).Message.ID) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.moveToTrash("alice", 5, 51)
			test.before(f)
			if back := f.undo("alice", test.to, 51); len(back) != 0 {
				t.Errorf("back %v", back)
			}
			if got := f.openIn("alice", trash).Hidden; len(got) != 0 {
				t.Errorf("hidden in the trash: %v", got)
			}
		})
	}
}

// Of two copies of one message only one is moved back.
func TestUndoOfTwoCopies(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.moveToTrash("alice", 5, 52)
	if back := f.undo("alice", inbox, 52, 51); !reflect.DeepEqual(back, map[message.UID]Placed{52: {7, 5}}) {
		t.Errorf("back %v", back)
	}
	if got := f.openIn("alice", trash).Hidden; !slices.Equal(got, []message.UID{52}) {
		t.Errorf("hidden in the trash: %v", got)
	}
}

// Whoever moves again after an undo gets a copy of their own: the first one is
// hidden from them.
func TestMoveAfterUndo(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.undo("alice", inbox, 51)
	f.moveToTrash("alice", 5, 52)
	if f.copyOf(5) != 52 || f.originalOf("alice", 52) != 5 {
		t.Errorf("copy %d, original %d", f.copyOf(5), f.originalOf("alice", 52))
	}
	f.clock.pass(time.Hour)
	f.undo("alice", inbox, 52)
	f.wantHidden("undone again", "alice")
}

// A copy in the folder's life before is none, though it may be the one that was
// put on record last: a copy and an expunge count as a move only with the expunge.
func TestMovedCopiesOfAnotherLife(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.recordIn("bob", inbox, FolderRecord{Decisions: moves(policy.Deferred, 5),
		Copies: []FolderCopy{{Original: 5, Folder: trash.Name, Placed: Placed{trash.UIDValidity - 1, 7}}}})
	for validity, want := range map[uint32]message.UID{0: 7, trash.UIDValidity: 51, trash.UIDValidity - 1: 7, trash.UIDValidity + 1: 0} {
		found, err := f.MovedCopies(t.Context(), box, inbox, []message.UID{5}, FolderKey{trash.Name, validity})
		if err != nil || found[5].UID != want {
			t.Errorf("UIDVALIDITY %d: %v, %v; want %d", validity, found, err, want)
		}
	}
}
