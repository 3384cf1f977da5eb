package ledger

import (
	"slices"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

func TestANewMessageGetsARow(t *testing.T) {
	f := newFixture(t)
	first := f.enter("alice", mail("a", 1), mail("b", 2))
	second := f.enter("bob", mail("b", 2), mail("c", 3), mail("a", 1))
	want := []message.ID{first.IDs[1], second.IDs[1], first.IDs[0]}
	if !slices.Equal(second.IDs, want) || slices.Contains(first.IDs, second.IDs[1]) || slices.Contains(first.IDs, 0) {
		t.Errorf("ids %v, then %v", first.IDs, second.IDs)
	}
}

func TestWhatIsAnotherMessage(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	again := f.enter("alice", mail("a", 2), mail("A", 1), mail("a", 1))
	if again.IDs[2] != s.IDs[0] || slices.Contains(again.IDs[:2], s.IDs[0]) {
		t.Errorf("ids %v", again.IDs)
	}
	if !slices.Equal(again.Hidden, []bool{false, false, true}) {
		t.Errorf("hidden %v", again.Hidden)
	}
}

func TestMailboxesAreApart(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	v := f.visit("alice")
	v.Mailbox = "sales@example.com"
	other := f.open(v, mail("a", 1))
	if other.IDs[0] == s.IDs[0] || other.Hidden[0] {
		t.Errorf("another mailbox's row: %v %v", other.IDs, other.Hidden)
	}
	if h, err := f.Lookup(t.Context(), v.Mailbox, s.IDs[0]); h != nil || err != nil {
		t.Errorf("Lookup finds another mailbox's message: %v", err)
	}
	ids, err := f.Claim(t.Context(), v.Mailbox, s.IDs, f.clock.Now(), alwaysDue)
	if len(ids) != 0 || err != nil {
		t.Errorf("claimed through another mailbox: %v", err)
	}
}

func TestAViewIsPerMemberAndProtocol(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	imap := f.visit("alice")
	imap.Protocol = "imap"
	if f.enter("bob", mail("a", 1)).Hidden[0] || f.open(imap, mail("a", 1)).Hidden[0] || !f.enter("alice", mail("a", 1)).Hidden[0] {
		t.Error("a deletion is of one member by one protocol")
	}
}

func TestInvalidUniqueIDs(t *testing.T) {
	f := newFixture(t)
	listing := []message.Listed{mail("", 1), mail("a b", 1), mail("ok", 1), mail("", 1)}
	s := f.enter("alice", listing...)
	if s.IDs[0] != 0 || s.IDs[1] != 0 || s.IDs[2] == 0 || s.IDs[3] != 0 {
		t.Errorf("ids %v", s.IDs)
	}
}

// A server whose UIDL fails for once has not lost its messages.
func TestListingWithoutUniqueIDs(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1), mail("b", 1))
	s.dele(policy.Deferred, s.IDs[0])
	v := f.visit("alice")
	if _, err := f.OpenMaildrop(t.Context(), v, []message.Listed{{Size: 1}, {Size: 1}}); err == nil {
		t.Error("alice sees what she has deleted")
	}
	if bob := f.enter("bob", message.Listed{Size: 1}, message.Listed{Size: 1}); bob.Hidden[0] || bob.IDs[0] != 0 {
		t.Errorf("bob: %v %v", bob.IDs, bob.Hidden)
	}
	if h := f.found(s.IDs[0]); !h.Message.Gone.IsZero() {
		t.Errorf("it is taken for gone: %s", h.Message.GoneHow)
	}
}

// gone makes a message go in one of the ways, and says so by a listing.
func (f *fixture) gone(how string, id message.ID) {
	f.tb.Helper()
	switch how {
	case goneReleased:
		if ids, err := f.Claim(f.tb.Context(), box, []message.ID{id}, f.clock.pass(time.Second), alwaysDue); err != nil || len(ids) != 1 {
			f.tb.Fatalf("claimed %v, %v", ids, err)
		}
	case goneAllowed, goneObserved:
		outcome := map[string]policy.Outcome{goneAllowed: policy.Allowed, goneObserved: policy.Observed}[how]
		s := f.enter("carol", mail("a", 1))
		if claimed := s.dele(outcome, s.IDs[0]); len(claimed) != 1 {
			f.tb.Fatalf("claimed %v", claimed)
		}
	}
	f.enter("bob")
}

func TestGoneAndThereAgain(t *testing.T) {
	tests := []struct {
		name  string
		how   string
		after time.Duration
		same  bool // it is the same message
	}{
		{"past the guard", goneBypass, time.Hour, true},
		{"past the guard, long ago", goneBypass, comesBack + time.Hour, false},
		{"released", goneReleased, time.Hour, false},
		{"allowed", goneAllowed, time.Hour, false},
		{"observed", goneObserved, time.Hour, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			s := f.enter("alice", mail("a", 1))
			s.dele(policy.Deferred, s.IDs[0])
			f.gone(test.how, s.IDs[0])
			h := f.found(s.IDs[0])
			if h.Message.GoneHow != test.how || h.Message.Gone.IsZero() {
				t.Fatalf("gone %q, want %q", h.Message.GoneHow, test.how)
			}
			f.clock.pass(test.after)
			again := f.enter("alice", mail("a", 1))
			if same := again.IDs[0] == s.IDs[0]; same != test.same || again.Hidden[0] != test.same {
				t.Errorf("same row %v, hidden %v; want %v", same, again.Hidden[0], test.same)
			}
			if h := f.found(s.IDs[0]); h.Message.Gone.IsZero() != test.same {
				t.Errorf("gone %v", h.Message.Gone)
			}
		})
	}
}

// Without writing, too, a message that came back is hidden.
func TestReadMaildropHidesWhatCameBack(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	f.gone(goneBypass, s.IDs[0])
	drop, err := f.ReadMaildrop(t.Context(), f.visit("alice"), []message.Listed{mail("a", 1)})
	if err != nil || !drop.Hidden[0] {
		t.Errorf("%v, %v", drop, err)
	}
}

func TestReadMaildropOfSomebodyUnknown(t *testing.T) {
	f := newFixture(t)
	drop, err := f.ReadMaildrop(t.Context(), f.visit("alice"), []message.Listed{mail("a", 1)})
	if err != nil || drop.Hidden[0] || drop.IDs[0] != 0 || f.number("SELECT count(*) FROM members") != 0 {
		t.Errorf("%v, %v", drop, err)
	}
}

// A removal that was sent is settled by reading: what is still there long
// after it was not removed.
func TestClaimExpires(t *testing.T) {
	tests := []struct {
		name    string
		after   time.Duration
		listed  bool
		claimed bool
		how     string
	}{
		{"under way", claimLasts - time.Minute, true, true, ""},
		{"still there long after", claimLasts + time.Minute, true, false, ""},
		{"gone soon", time.Minute, false, true, goneReleased},
		{"gone when seen long after", 100 * claimLasts, false, true, goneReleased},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			s := f.enter("alice", mail("a", 1))
			s.dele(policy.Deferred, s.IDs[0])
			held := f.found(s.IDs[0]).Message.HeldSince
			f.mustClaim(s.IDs[0])
			f.clock.pass(test.after)
			listing := []message.Listed{mail("a", 1)}
			if !test.listed {
				listing = nil
			}
			f.enter("bob", listing...)
			m := f.found(s.IDs[0]).Message
			if m.Claimed.IsZero() == test.claimed || m.GoneHow != test.how || !m.HeldSince.Equal(held) {
				t.Errorf("claimed %v, gone %q, held since %v", m.Claimed, m.GoneHow, m.HeldSince)
			}
		})
	}
}

// An allowed deletion that did not happen upstream is out of the member's view
// all the same, and waits.
func TestAllowedAndStillThere(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	if claimed := s.dele(policy.Allowed, s.IDs[0]); len(claimed) != 1 {
		t.Fatal("not claimed")
	}
	deleted := f.found(s.IDs[0]).Deletions[0].At
	if h := f.found(s.IDs[0]); !h.Message.HeldSince.IsZero() {
		t.Error("it is held while it is being removed")
	}
	f.clock.pass(claimLasts + time.Minute)
	again := f.enter("alice", mail("a", 1))
	h := f.found(s.IDs[0])
	if !again.Hidden[0] || !h.Message.HeldSince.Equal(deleted) || h.Deletions[0].Verdict != policy.Allow {
		t.Errorf("hidden %v, held since %v, deleted %v", again.Hidden[0], h.Message.HeldSince, deleted)
	}
}

// Of two equal copies one is removed. If the other were taken for it, the
// removal would seem to have failed, and be carried out again: on the copy
// that nobody has deleted.
func TestARemovedCopyIsNotTheOtherOne(t *testing.T) {
	for _, how := range []string{goneReleased, goneAllowed, goneObserved} {
		t.Run(how, func(t *testing.T) {
			f := newFixture(t)
			s := f.enter("alice", mail("a", 1), mail("a", 1))
			if how == goneReleased {
				s.dele(policy.Deferred, s.IDs[0])
			}
			claimTwin(f, how, s)
			f.clock.pass(time.Minute)
			again := f.enter("alice", mail("a", 1))
			if again.IDs[0] != s.IDs[1] || again.Hidden[0] {
				t.Errorf("ids %v then %v, hidden %v", s.IDs, again.IDs, again.Hidden)
			}
			f.clock.pass(2 * claimLasts)
			f.enter("bob", mail("a", 1))
			if h := f.found(s.IDs[0]); h.Message.GoneHow != how {
				t.Errorf("the first copy is gone %q, want %q", h.Message.GoneHow, how)
			}
			if h := f.found(s.IDs[1]); !h.Message.Gone.IsZero() || !h.Message.HeldSince.IsZero() {
				t.Error("the second copy is gone, or waits to be removed")
			}
		})
	}
}

func claimTwin(f *fixture, how string, s *opened) {
	f.tb.Helper()
	switch how {
	case goneReleased:
		f.mustClaim(s.IDs[0])
	case goneAllowed:
		s.dele(policy.Allowed, s.IDs[0])
	case goneObserved:
		s.dele(policy.Observed, s.IDs[0])
	}
}

func TestTwinsAreHiddenOneByOne(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1), mail("x", 1), mail("a", 1), mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	s.dele(policy.Deferred, s.IDs[2])
	again := f.enter("alice", mail("a", 1), mail("a", 1), mail("a", 1), mail("a", 1), mail("x", 1))
	if want := []bool{true, true, false, false, false}; !slices.Equal(again.Hidden, want) {
		t.Errorf("hidden %v, want %v", again.Hidden, want)
	}
	if want := []message.ID{s.IDs[0], s.IDs[2], s.IDs[3]}; !slices.Equal(again.IDs[:3], want) {
		t.Errorf("ids %v then %v", s.IDs, again.IDs)
	}
}
