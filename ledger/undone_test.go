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

// undoneInbox is a ledger in which alice has moved message 5 to the trash, as
// 51, and back.
func undoneInbox(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	if back := f.undo("alice", inbox, 51); len(back) != 1 {
		t.Fatalf("back %v", back)
	}
	return f
}

// look settles as a session does that was opened now.
func (f *fixture) look(gone, there []message.UID) []Returned {
	f.tb.Helper()
	at := f.clock.pass(time.Second)
	back, err := f.SettleFolder(f.tb.Context(), box, inbox, Settlement{At: at, Since: at, Gone: gone, There: there})
	if err != nil {
		f.tb.Fatal(err)
	}
	return back
}

func (f *fixture) wantBinned(name member.Name, want ...message.UID) {
	f.tb.Helper()
	if got := f.openIn(name, trash).Hidden; !slices.Equal(got, want) {
		f.tb.Errorf("in the trash %v are hidden from %q, want %v", got, name, want)
	}
}

// What came back is unsettled for the member, in that life of that folder,
// until it was seen there.
func TestUndoneIsUnsettled(t *testing.T) {
	f := undoneInbox(t)
	for _, c := range []struct {
		name member.Name
		key  FolderKey
		want []message.UID
	}{{"alice", inbox, []message.UID{5}}, {"bob", inbox, nil}, {"alice", FolderKey{"INBOX", 8}, nil}, {"alice", trash, nil}} {
		if got := f.openIn(c.name, c.key).Unsettled; !slices.Equal(got, c.want) {
			t.Errorf("%s, %v: unsettled %v, want %v", c.name, c.key, got, c.want)
		}
	}
	f.expunge("bob", policy.Allowed, 5)
	if got := f.openIn("alice", inbox).Unsettled; !slices.Equal(got, []message.UID{5}) {
		t.Errorf("claimed too: unsettled %v", got)
	}
}

func TestUndoneIsSettled(t *testing.T) {
	only := []message.UID{5}
	for _, test := range []struct {
		name    string
		then    func(f *fixture)
		back    bool // what a look then returns that finds the original gone
		binned  bool // whether the copy is hidden from alice in the end
		heldFor int  // by how many it is deleted
	}{
		{"gone", func(*fixture) {}, true, false, 0},
		{"gone, and the copy is hidden from bob", func(f *fixture) {
			f.recordIn("bob", trash, FolderRecord{Decisions: folderDecisions(policy.Deferred, 51)})
		}, true, false, 1},
		{"gone, and the copy is being removed", func(f *fixture) {
			f.recordIn("bob", trash, FolderRecord{Decisions: folderDecisions(policy.Allowed, 51)})
		}, true, false, 1},
		{"gone, and the folder of the copy was renamed there and back", func(f *fixture) {
			for _, names := range [][2]string{{"Trash", "Bin"}, {"Bin", "Trash"}} {
				if err := f.RenameFolder(t.Context(), box, names[0], names[1]); err != nil {
					t.Error(err)
				}
			}
		}, true, false, 0},
		{"seen, and gone later", func(f *fixture) { f.look(nil, only) }, false, true, 1},
		{"seen by another, and gone later", func(f *fixture) { f.expunge("bob", policy.Refused, 5); f.look(nil, only) }, false, true, 1},
		{"seen before it came back", func(f *fixture) { f.settle(Settlement{There: only}) }, true, false, 0},
		{"another is seen", func(f *fixture) { f.look([]message.UID{7}, []message.UID{6}) }, true, false, 0},
		{"deleted again", func(f *fixture) { f.expunge("alice", policy.Deferred, 5) }, false, true, 1},
		{"removed by the member", func(f *fixture) { f.expunge("alice", policy.Allowed, 5) }, false, true, 1},
		{"refused to the member", func(f *fixture) { f.expunge("alice", policy.Refused, 5) }, true, false, 0},
		{"deleted by another", func(f *fixture) { f.expunge("bob", policy.Deferred, 5) }, true, false, 0},
		{"removed by another", func(f *fixture) { f.expunge("bob", policy.Allowed, 5) }, true, false, 0},
		{"moved again, and undone again", func(f *fixture) { f.moveToTrash("alice", 5, 52); f.look(nil, only); f.undo("alice", inbox, 52) }, true, true, 1},
		{"the copy is gone too", func(f *fixture) {
			if _, err := f.SettleFolder(t.Context(), box, trash, Settlement{At: f.clock.Now(), Gone: []message.UID{51}}); err != nil {
				t.Error(err)
			}
		}, false, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := undoneInbox(t)
			test.then(f)
			want := []Returned(nil)
			if test.back {
				want = []Returned{{"alice", trash, 51}}
			}
			if test.name == "moved again, and undone again" {
				want[0].UID = 52
			}
			if back := f.look(only, nil); !reflect.DeepEqual(back, want) {
				t.Errorf("back %v, want %v", back, want)
			}
			if test.binned {
				f.wantBinned("alice", 51)
			} else {
				f.wantBinned("alice")
			}
			found, err := f.LookupFolder(t.Context(), box, trash, []message.UID{51})
			if err != nil || len(found[51].Deletions) != test.heldFor {
				t.Errorf("%+v, %v", found[51], err)
			}
			if h := found[51]; h.Message.Gone.IsZero() && !h.Message.HeldSince.IsZero() != hides(f, h) {
				t.Errorf("held since %v, deletions %v", h.Message.HeldSince, h.Deletions)
			}
			if n := f.number("SELECT count(*) FROM undone_moves"); n != 0 {
				t.Errorf("%d undone moves are remembered", n)
			}
		})
	}
}

// hides reports whether a deletion hides the message.
func hides(f *fixture, h *Held) bool {
	return f.number("SELECT count(*) FROM deletions WHERE hides = 1 AND message_id = ?", h.Message.ID) > 0
}

// Everybody who got the original back gets their copy.
func TestUndoneBySeveral(t *testing.T) {
	f := undoneInbox(t)
	f.moveToTrash("bob", 5, 52)
	f.undo("bob", inbox, 52)
	held := f.openIn("carol", trash)
	back := f.look([]message.UID{5}, nil)
	slices.SortFunc(back, func(a, b Returned) int { return int(a.UID) - int(b.UID) })
	if want := []Returned{{"alice", trash, 51}, {"bob", trash, 52}}; !reflect.DeepEqual(back, want) {
		t.Errorf("back %v", back)
	}
	f.wantBinned("alice")
	f.wantBinned("bob")
	if len(held.Hidden) != 0 {
		t.Errorf("%v", held)
	}
}

// An original whose folder goes, because another takes its name, is gone too.
func TestUndoneInAFolderThatGoes(t *testing.T) {
	f := newFixture(t)
	f.recordIn("alice", FolderKey{"Old", 7}, FolderRecord{
		Decisions: moves(policy.Deferred, 5), Copies: []FolderCopy{{Original: 5, Folder: trash.Name, Placed: Placed{trash.UIDValidity, 51}}},
	})
	f.undo("alice", FolderKey{"Old", 7}, 51)
	f.wantBinned("alice", 51)
	if err := f.RenameFolder(t.Context(), box, "New", "Old"); err != nil {
		t.Fatal(err)
	}
	f.wantBinned("alice")
}
