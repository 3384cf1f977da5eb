package guard

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

func (s *scene) trash(who member.Name) *Folder {
	s.t.Helper()
	return s.folder(who, Protect, trash, nil)
}

var toTrash = Deletion{Op: policy.IMAPMove, Destination: "Trash", DestinationUse: "trash"}

var toInbox = Deletion{Op: policy.IMAPMove, Destination: "INBOX"}

// move moves a message to the trash, where its copy gets a UID.
func (s *scene) move(f *Folder, uid, copied message.UID) {
	s.t.Helper()
	rulings := s.decide(f, toTrash, looked(uidsFrom(uid))...)
	if err := f.CommitMove(s.t.Context(), rulings, "Trash", 3, map[message.UID]message.UID{uid: copied}); err != nil {
		s.t.Fatal(err)
	}
}

// undo moves copies back from the trash.
func (s *scene) undo(f *Folder, copies ...message.UID) map[message.UID]Original {
	s.t.Helper()
	back, err := f.Undo(s.t.Context(), s.decide(f, toInbox, looked(copies)...), "INBOX", 7)
	if err != nil {
		s.t.Fatal(err)
	}
	return back
}

func TestDeferredMove(t *testing.T) {
	s := newScene(t, ifOkayElseDefer()...)
	f, bob := s.inbox("alice"), s.inbox("bob")
	s.mark(f, uidsFrom(1, 2), nil)
	rulings := append(s.decide(f, toTrash, looked(uidsFrom(1))...), s.decide(f, toTrash, looked(uidsFrom(2, 4), okay)...)...)
	pairs := map[message.UID]message.UID{1: 11, 2: 12, 3: 13}
	if err := f.CommitMove(t.Context(), rulings, "Trash", 3, pairs); err != nil {
		t.Fatal(err)
	}
	s.wantHidden("what was allowed is deferred with the rest", f, 1, 2, 4)
	s.wantMarks("moved", f)
	if n := s.sql(s.path, "SELECT count(*) FROM messages WHERE claimed_at IS NOT NULL"); n != 0 {
		t.Errorf("%d messages are claimed", n)
	}
	copies, err := bob.MovedCopy(t.Context(), uidsFrom(1, 2, 3, 4), "Trash", 0)
	if want := (map[message.UID]Copy{1: {UIDValidity: 3, UID: 11}, 2: {UIDValidity: 3, UID: 12}}); err != nil || !reflect.DeepEqual(copies, want) {
		t.Errorf("copies %v, %v", copies, err)
	}
	if copies, err := bob.MovedCopy(t.Context(), uidsFrom(1), "Archive", 0); err != nil || len(copies) != 0 {
		t.Errorf("copies elsewhere %v, %v", copies, err)
	}
}

// Without COPYUID a move hides all the same.
func TestDeferredMoveWithoutCopies(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	f := s.inbox("alice")
	if err := f.CommitMove(t.Context(), s.decide(f, toTrash, looked(uidsFrom(1))...), "Trash", 0, map[message.UID]message.UID{1: 11}); err != nil {
		t.Fatal(err)
	}
	if err := f.CommitMove(t.Context(), nil, "Trash", 3, nil); err != nil {
		t.Error(err)
	}
	s.wantHidden("moved", f, 1)
	if copies, err := f.MovedCopy(t.Context(), uidsFrom(1), "Trash", 0); err != nil || len(copies) != 0 {
		t.Errorf("copies %v, %v", copies, err)
	}
}

func TestUndo(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	var told atomic.Int32
	f, twin := s.inbox("alice"), s.inbox("alice")
	s.move(f, 1, 11)
	s.move(f, 2, 12)
	s.move(s.inbox("bob"), 1, 11)
	in, other := s.trash("alice"), s.folder("alice", Protect, trash, func() { told.Add(1) })
	s.mark(in, uidsFrom(11), nil)
	told.Store(0)
	originals, err := in.Originals(t.Context(), uidsFrom(11, 12, 13), "INBOX")
	if want := (map[message.UID]Original{11: {UIDValidity: 7, UID: 1}, 12: {UIDValidity: 7, UID: 2}}); err != nil || !reflect.DeepEqual(originals, want) {
		t.Fatalf("originals %v, %v", originals, err)
	}
	if back := s.undo(in, 11, 13); !reflect.DeepEqual(back, map[message.UID]Original{11: {UIDValidity: 7, UID: 1}}) {
		t.Errorf("back %v", back)
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	s.wantHidden("the copy", in, 11)
	s.wantMarks("the copy's", in)
	s.wantHides("the copy, in another session", other, 11)
	s.wantHidden("an open view keeps what it hides", f, 1, 2)
	s.wantHides("what came back before it was said", twin, 2)
	again := s.inbox("alice")
	s.wantHidden("at the next SELECT", again, 2)
	s.wantHidden("another member's", s.inbox("bob"), 1)
	s.move(again, 1, 21)
	s.wantHides("hidden again, in a view that never showed it since", f)
	s.wantHides("hidden again, in a view that shows it", twin, 1)
}

// Nothing is undone where the original cannot come back, or the copy has to
// stay.
func TestUndoThatIsNone(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	s.move(s.inbox("alice"), 1, 11)
	in := s.trash("alice")
	rulings := s.decide(in, toInbox, looked(uidsFrom(11))...)
	refused := slices.Clone(rulings)
	refused[0].Outcome = policy.Refused
	for name, c := range map[string]struct {
		f        *Folder
		rulings  []FolderRuling
		dest     string
		validity uint32
	}{
		"nothing":                    {in, nil, "INBOX", 7},
		"refused":                    {in, refused, "INBOX", 7},
		"to another folder":          {in, rulings, "Archive", 7},
		"to a folder made anew":      {in, rulings, "INBOX", 8},
		"of a member who moved none": {s.trash("bob"), rulings, "INBOX", 7},
	} {
		back, err := c.f.Undo(t.Context(), c.rulings, c.dest, c.validity)
		if err != nil || len(back) != 0 {
			t.Errorf("%s: %v, %v", name, back, err)
		}
		s.wantHidden(name, c.f)
	}
	s.wantHidden("in the end", s.inbox("alice"), 1)
}

// Where nothing can be hidden nothing is: in observe mode, in a
// closed folder, without a ledger.
func TestNoDeferredMove(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(s *scene) *Folder
		asks bool // it can be asked what was moved
	}{
		{"observed", func(s *scene) *Folder { return s.folder("alice", Watch, inbox, nil) }, true},
		{"closed", func(s *scene) *Folder { f := s.inbox("alice"); f.Close(); return f }, true},
		{"blind", func(s *scene) *Folder { s.close(); return s.inbox("alice") }, false},
		{"ledger gone", func(s *scene) *Folder { f := s.inbox("alice"); failures[1].fail(s); s.close(); return f }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(policy.Defer, ""))
			rulings := s.decide(s.inbox("bob"), toTrash, looked(uidsFrom(1))...)
			f := c.open(s)
			if err := f.CommitMove(t.Context(), rulings, "Trash", 3, map[message.UID]message.UID{1: 11}); !errors.Is(err, ErrTemporary) {
				t.Errorf("CommitMove: %v", err)
			}
			if back, err := f.Undo(t.Context(), rulings, "Trash", 3); !errors.Is(err, ErrTemporary) || back != nil {
				t.Errorf("Undo: %v, %v", back, err)
			}
			if copies, err := f.MovedCopy(t.Context(), uidsFrom(1), "Trash", 0); len(copies) != 0 || (err == nil) != c.asks {
				t.Errorf("MovedCopy: %v, %v", copies, err)
			}
			if originals, err := f.Originals(t.Context(), uidsFrom(1), "Trash"); len(originals) != 0 || (err == nil) != c.asks {
				t.Errorf("Originals: %v, %v", originals, err)
			}
			if len(f.Hidden()) != 0 || s.left() != 0 {
				t.Errorf("hidden %v, %d things on record", f.Hidden(), s.left())
			}
		})
	}
}

// A fault at any write leaves memory and ledger as they were.
func TestAFaultAnywhereInAView(t *testing.T) {
	for _, fault := range []string{
		"uses INSERT", "messages INSERT", "messages UPDATE", "decisions INSERT", "deletions INSERT", "marks DELETE",
		"moved_copies INSERT", "deletions DELETE",
	} {
		t.Run(fault, func(t *testing.T) {
			s := newScene(t, always(policy.Defer, ""))
			s.move(s.inbox("alice"), 9, 99)
			f, in := s.inbox("alice"), s.trash("alice")
			twin := s.inbox("alice")
			s.mark(f, uidsFrom(1, 2), nil)
			s.mark(in, uidsFrom(99), nil)
			_, _ = twin.Changes()
			rulings, backs := s.decide(f, expunge, looked(uidsFrom(1, 2))...), s.decide(in, toInbox, looked(uidsFrom(99))...)
			table, event, _ := strings.Cut(fault, " ")
			before := s.sql(s.path, traces)
			s.exec(fmt.Sprintf("CREATE TRIGGER fault BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'fault'); END", event, table))
			failed := 0
			count := func(what string, err error) {
				if err != nil && !errors.Is(err, ErrTemporary) {
					t.Errorf("%s: %v", what, err)
				}
				if err != nil {
					failed++
				}
			}
			if fault != "deletions DELETE" {
				if fault != "moved_copies INSERT" {
					_, err := f.Commit(t.Context(), rulings)
					count("Commit", err)
				}
				count("CommitMove", f.CommitMove(t.Context(), rulings, "Trash", 3, map[message.UID]message.UID{1: 11}))
			}
			if fault != "moved_copies INSERT" {
				back, err := in.Undo(t.Context(), backs, "INBOX", 7)
				if count("Undo", err); back != nil {
					t.Errorf("back %v", back)
				}
			}
			if want := map[string]int{"moved_copies INSERT": 1, "deletions DELETE": 1}[fault]; failed != want && (want != 0 || failed != 3) {
				t.Fatalf("%d calls fail", failed)
			}
			if n := s.sql(s.path, traces); n != before {
				t.Errorf("%d things are on record, %d before", n, before)
			}
			s.wantMarks("failed", f, 1, 2)
			s.wantMarks("failed", in, 99)
			s.wantHidden("failed", f, 9)
			s.wantHidden("failed", in)
			s.wantHides("failed", twin)
			s.exec("DROP TRIGGER fault")
			s.commit(f, rulings)
			s.wantHides("afterwards", twin, 1, 2)
			s.undo(in, 99)
			s.wantHidden("afterwards", s.inbox("alice"), 1, 2)
		})
	}
}

// Whoever hides a copy of their own has moved nothing; others have.
func TestHiddenCopyMakesNoMove(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	f := s.inbox("alice")
	f.Copied(uidsFrom(1, 2), "Trash", "trash", 3, uidsFrom(11, 12))
	op := func(uid message.UID) policy.Op { return s.decide(f, expunge, looked(uidsFrom(uid))...)[0].Facts.Op }
	s.hide(s.trash("bob"), 11)
	if op(1) != policy.IMAPMove {
		t.Error("another member's hiding ends a move")
	}
	s.hide(s.trash("alice"), 11)
	if op(1) != policy.IMAPExpunge || op(2) != policy.IMAPMove {
		t.Errorf("ops %s, %s", op(1), op(2))
	}
}
