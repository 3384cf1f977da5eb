package guard

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"mailguard/message"
	"mailguard/policy"
)

// An original that came back and is gone: the member gets the copy back.
func TestUndoneAndGone(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	s.move(s.inbox("alice"), 1, 11)
	s.move(s.inbox("alice"), 2, 12)
	in, twin := s.trash("alice"), s.trash("alice")
	s.undo(in, 11, 12)
	f := s.inbox("alice")
	if got := f.Unsettled(); !slices.Equal(got, uidsFrom(1, 2)) {
		t.Fatalf("unsettled %v", got)
	}
	if got := s.inbox("bob").Unsettled(); len(got) != 0 {
		t.Errorf("unsettled for bob: %v", got)
	}
	for _, fault := range []string{"DELETE ON deletions", "UPDATE ON messages", "DELETE ON undone_moves"} {
		s.exec(fmt.Sprintf("CREATE TRIGGER fault BEFORE %s BEGIN SELECT RAISE(ABORT, 'fault'); END", fault))
		if err := f.Settle(t.Context(), uidsFrom(1), uidsFrom(2)); err == nil {
			t.Errorf("%s: Settle says that it settled", fault)
		}
		s.exec("DROP TRIGGER fault")
		s.wantHidden(fault, s.trash("alice"), 11, 12)
	}
	s.settle(f, uidsFrom(1), uidsFrom(2))
	s.wantHidden("an open view keeps what it hides", in, 11, 12)
	s.wantHides("the copy that came back is not said to be gone", twin, 12)
	s.wantHidden("at the next SELECT", s.trash("alice"), 12)
	if got := s.inbox("alice").Unsettled(); len(got) != 0 {
		t.Errorf("still unsettled: %v", got)
	}
	s.settle(s.inbox("alice"), uidsFrom(2), nil)
	s.wantHidden("gone after it was seen", s.trash("alice"), 12)
	if n := s.sql(s.path, "SELECT count(*) FROM messages WHERE held_since IS NOT NULL AND gone_at IS NULL"); n != 1 {
		t.Errorf("%d messages are held", n)
	}
}

// A look that began before the undo proves nothing.
func TestUndoneAfterALook(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	f := s.inbox("alice")
	s.move(f, 1, 11)
	s.undo(s.trash("alice"), 11)
	s.settle(f, nil, uidsFrom(1))
	if got := s.inbox("alice").Unsettled(); !slices.Equal(got, uidsFrom(1)) {
		t.Errorf("unsettled %v", got)
	}
}

// COPY, \Deleted and EXPUNGE that are deferred move: a later mover gets the
// same copy, and moving it back is an undo.
func TestDeferredExpungeOfACopied(t *testing.T) {
	s := newScene(t, ifOkayElseDefer()...)
	f := s.inbox("alice")
	f.Copied(uidsFrom(1, 2, 4), "Trash", "trash", 3, uidsFrom(11, 12, 14))
	rulings := append(s.decide(f, expunge, looked(uidsFrom(1, 3, 4))...), s.decide(f, expunge, looked(uidsFrom(2), okay)...)...)
	s.settle(s.trash("bob"), uidsFrom(14), nil) // between verdict and commit the copy of 4 goes
	if remove := s.commit(f, rulings); !slices.Equal(remove, uidsFrom(2)) {
		t.Fatalf("remove %v", remove)
	}
	copies, err := s.inbox("bob").MovedCopy(t.Context(), uidsFrom(1, 2, 3, 4), "Trash", 0)
	if want := (map[message.UID]Copy{1: {UIDValidity: 3, UID: 11}}); err != nil || !reflect.DeepEqual(copies, want) {
		t.Errorf("copies %v, %v", copies, err)
	}
	in := s.trash("alice")
	if back := s.undo(in, 11, 12); !reflect.DeepEqual(back, map[message.UID]Original{11: {UIDValidity: 7, UID: 1}}) {
		t.Errorf("back %v", back)
	}
	s.wantHidden("the copy", in, 11)
	s.wantHidden("at the next SELECT", s.inbox("alice"), 3, 4)
}

// What is only expunged, by somebody who copied nothing, has no copy.
func TestExpungeOfWhatAnotherCopied(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	s.inbox("alice").Copied(uidsFrom(1), "Trash", "trash", 3, uidsFrom(11))
	s.hide(s.inbox("bob"), 1)
	if n := s.sql(s.path, "SELECT count(*) FROM moved_copies"); n != 0 {
		t.Errorf("%d copies on record", n)
	}
}
