package ledger

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

// heldOnes are messages that alice has deleted.
func heldOnes(f *fixture, ids ...string) *opened {
	f.tb.Helper()
	var listing []message.Listed
	for _, id := range ids {
		listing = append(listing, mail(id, 1))
	}
	s := f.enter("alice", listing...)
	s.dele(policy.Deferred, s.IDs...)
	return s
}

func TestClaimAsksWithinTheTransaction(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b")
	// Due says yes as long as somebody has deleted the message; before the
	// claim is carried out a deletion is taken back.
	release := f.occupy()
	var claimed []message.ID
	var err error
	var all sync.WaitGroup
	take := func() {
		f.exec("DELETE FROM deletions WHERE message_id = ?", s.IDs[0])
	}
	all.Go(take)
	eventually(t, "it waits", func() bool { return len(f.jobs) == 1 })
	all.Go(func() {
		claimed, err = f.Claim(t.Context(), box, s.IDs, f.clock.Now(), func(h *Held, _ policy.Everyone) (Ruling, error) {
			return Ruling{Due: len(h.Deletions) > 0}, nil
		})
	})
	eventually(t, "both wait", func() bool { return len(f.jobs) == 2 })
	release()
	all.Wait()
	if err != nil || !slices.Equal(claimed, s.IDs[1:]) {
		t.Errorf("claimed %v of %v, %v", claimed, s.IDs, err)
	}
}

func TestTwoClaimsOneWins(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b", "c")
	var all sync.WaitGroup
	claimed := make([][]message.ID, 4)
	for i := range claimed {
		all.Go(func() {
			var err error
			if claimed[i], err = f.Claim(t.Context(), box, s.IDs, f.clock.Now(), alwaysDue); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := slices.Concat(claimed...); !slices.Equal(got, s.IDs) {
		t.Errorf("claimed %v of %v", claimed, s.IDs)
	}
}

func TestWhatIsNotClaimed(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fixture, id message.ID)
		ruling Ruling
		want   int
	}{
		{"due", nil, Ruling{Due: true}, 1},
		{"not due", nil, Ruling{}, 0},
		{"kept by unless", nil, Ruling{Due: true, UnlessHolds: true}, 0},
		{"pinned", func(f *fixture, id message.ID) { f.exec("UPDATE messages SET pinned = 1 WHERE id = ?", id) }, Ruling{Due: true}, 0},
		{"claimed", func(f *fixture, id message.ID) { f.mustClaim(id) }, Ruling{Due: true}, 0},
		{"gone", func(f *fixture, _ message.ID) { f.enter("bob") }, Ruling{Due: true}, 0},
		{"not held", func(f *fixture, id message.ID) { f.exec("UPDATE messages SET held_since = NULL WHERE id = ?", id) }, Ruling{Due: true}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			s := heldOnes(f, "a")
			if test.change != nil {
				test.change(f, s.IDs[0])
			}
			at := f.clock.pass(time.Second)
			ids, err := f.Claim(t.Context(), box, s.IDs, at, func(*Held, policy.Everyone) (Ruling, error) { return test.ruling, nil })
			if err != nil || len(ids) != test.want {
				t.Errorf("claimed %v, %v", ids, err)
			}
			if got := f.found(s.IDs[0]).Message.UnlessSeen; test.ruling.UnlessHolds && !got.Equal(at) {
				t.Errorf("unless held %v, want %v", got, at)
			}
		})
	}
}

func TestClaimFailsWhole(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b")
	errDue := errors.New("no fact")
	ids, err := f.Claim(t.Context(), box, s.IDs, f.clock.Now(), func(h *Held, _ policy.Everyone) (Ruling, error) {
		if h.Message.ID == s.IDs[1] {
			return Ruling{}, errDue
		}
		return Ruling{Due: true}, nil
	})
	if !errors.Is(err, errDue) || len(ids) != 0 || !f.found(s.IDs[0]).Message.Claimed.IsZero() {
		t.Errorf("claimed %v, %v", ids, err)
	}
}

func TestWithdraw(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a")
	held := f.found(s.IDs[0]).Message.HeldSince
	f.mustClaim(s.IDs[0])
	if err := f.Withdraw(t.Context(), s.IDs); err != nil {
		t.Fatal(err)
	}
	m := f.found(s.IDs[0]).Message
	if !m.Claimed.IsZero() || !m.HeldSince.Equal(held) {
		t.Errorf("claimed %v, held since %v", m.Claimed, m.HeldSince)
	}
	f.mustClaim(s.IDs[0])
	f.enter("bob")
	if err := f.Withdraw(t.Context(), s.IDs); err != nil || f.found(s.IDs[0]).Message.GoneHow != goneReleased {
		t.Errorf("what is gone changes: %v", err)
	}
}
