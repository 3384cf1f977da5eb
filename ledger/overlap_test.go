package ledger

import (
	"testing"
	"time"

	"mailguard/policy"
)

// Sessions overlap: one lists the maildrop, others change it, and only then
// does the first one open it in the ledger.

func TestOlderListingDoesNotUndo(t *testing.T) {
	t.Run("a message that came meanwhile", func(t *testing.T) {
		f := newFixture(t)
		older := f.visit("alice") // lists nothing yet
		newer := f.enter("bob", mail("a", 1))
		f.clock.pass(time.Second)
		f.open(older)
		if h := f.found(newer.IDs[0]); !h.Message.Gone.IsZero() {
			t.Error("it is taken for gone")
		}
	})
	t.Run("began later, listed earlier", func(t *testing.T) {
		f := newFixture(t)
		bob := f.visit("bob")     // will list a message that is about to come
		alice := f.visit("alice") // lists before it
		f.clock.pass(time.Second)
		s := f.open(bob, mail("a", 1))
		f.open(alice)
		if h := f.found(s.IDs[0]); !h.Message.Gone.IsZero() {
			t.Error("it is taken for gone")
		}
	})
	t.Run("a message that went meanwhile", func(t *testing.T) {
		f := newFixture(t)
		s := f.enter("alice", mail("a", 1))
		s.dele(policy.Deferred, s.IDs[0])
		older := f.visit("alice") // lists it
		f.mustClaim(s.IDs[0])
		f.enter("bob")
		again := f.open(older, mail("a", 1))
		if again.IDs[0] != s.IDs[0] || !again.Hidden[0] {
			t.Errorf("ids %v then %v, hidden %v", s.IDs, again.IDs, again.Hidden)
		}
		if h := f.found(s.IDs[0]); h.Message.GoneHow != goneReleased {
			t.Errorf("gone %q", h.Message.GoneHow)
		}
	})
	t.Run("began later, listed it before it went", func(t *testing.T) {
		f := newFixture(t)
		s := f.enter("alice", mail("a", 1))
		s.dele(policy.Deferred, s.IDs[0])
		f.mustClaim(s.IDs[0])
		bob := f.visit("bob")     // will list after the removal
		alice := f.visit("alice") // lists before it
		f.clock.pass(time.Second)
		f.open(bob)
		if again := f.open(alice, mail("a", 1)); again.IDs[0] != s.IDs[0] || !again.Hidden[0] {
			t.Errorf("ids %v then %v, hidden %v", s.IDs, again.IDs, again.Hidden)
		}
	})
}

// Two sessions that list the same new message make one row.
func TestTheSameNewMessageTwice(t *testing.T) {
	f := newFixture(t)
	alice, bob := f.visit("alice"), f.visit("bob")
	listing := []string{"a", "b"}
	known, err := f.knownCopies(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	first := f.open(alice, mail(listing[0], 1), mail(listing[1], 1), mail(listing[1], 1))
	// Bob's session read the ledger before Alice's wrote.
	diff := compare(known, first.listingOf("a", "b", "b"), bob.At)
	f.write(diff, first.mailbox)
	for i, id := range diff.ids {
		if id != first.IDs[i] {
			t.Errorf("ids %v and %v", first.IDs, diff.ids)
		}
	}
}

// Times in one millisecond are equal to the ledger.
func TestWithinAMillisecond(t *testing.T) {
	f := newFixture(t)
	older := f.visit("alice")
	older.At = older.At.Add(100 * time.Microsecond)
	newer := f.visit("bob")
	newer.At = older.At.Add(200 * time.Microsecond)
	f.clock.pass(newer.At.Sub(f.clock.Now()))
	s := f.open(newer, mail("a", 1))
	older.At = newer.At.Add(100 * time.Microsecond)
	f.open(older)
	if h := f.found(s.IDs[0]); !h.Message.Gone.IsZero() {
		t.Error("it is taken for gone by a listing of the same moment")
	}
}

// A claim that was made anew while a session was being opened stands.
func TestExpiryMeetsANewClaim(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	f.mustClaim(s.IDs[0])
	f.clock.pass(2 * claimLasts)
	bob := f.visit("bob")
	known, err := f.knownCopies(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	f.enter("carol", mail("a", 1)) // the old claim has expired
	f.mustClaim(s.IDs[0])
	f.write(compare(known, s.listingOf("a"), bob.At), s.mailbox)
	if h := f.found(s.IDs[0]); h.Message.Claimed.IsZero() {
		t.Error("a removal that is under way lost its claim")
	}
}
