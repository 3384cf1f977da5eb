package ledger

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

func TestRecordByOutcome(t *testing.T) {
	tests := []struct {
		outcome               policy.Outcome
		claimed, hidden, held bool
	}{
		{policy.Deferred, false, true, true},
		{policy.Allowed, true, true, false},
		{policy.Observed, true, false, false},
		{policy.Refused, false, false, false},
		{policy.Accepted, false, false, false},
	}
	for _, test := range tests {
		t.Run(string(test.outcome), func(t *testing.T) {
			f := newFixture(t)
			s := f.enter("alice", mail("a", 1))
			claimed := s.dele(test.outcome, s.IDs[0])
			if got := slices.Equal(claimed, s.IDs); got != test.claimed {
				t.Errorf("claimed %v", claimed)
			}
			again := f.enter("alice", mail("a", 1))
			h := f.found(s.IDs[0])
			if again.Hidden[0] != test.hidden || h.Message.HeldSince.IsZero() == test.held {
				t.Errorf("hidden %v, held since %v", again.Hidden[0], h.Message.HeldSince)
			}
			if n := f.number("SELECT count(*) FROM decisions WHERE outcome = ?", test.outcome); n != 1 {
				t.Errorf("%d decisions on record", n)
			}
		})
	}
}

// Of what several sessions may remove, one removes it.
func TestAllowedIsClaimedOnce(t *testing.T) {
	f := newFixture(t)
	names := []member.Name{"alice", "bob", "carol", "dave"}
	var all sync.WaitGroup
	claims := make([]int, len(names))
	for i, name := range names {
		s := f.enter(name, mail("a", 1), mail("b", 1), mail("c", 1))
		r := Record{At: f.clock.Now(), Decisions: decisions(policy.Allowed, s.IDs...)}
		all.Go(func() {
			claimed, err := f.Record(t.Context(), s.visit, s.Maildrop, r)
			if err != nil {
				t.Error(err)
			}
			claims[i] = len(claimed)
		})
	}
	all.Wait()
	if sum := claims[0] + claims[1] + claims[2] + claims[3]; sum != 3 {
		t.Errorf("claimed %v, want three in all", claims)
	}
	for _, name := range names {
		if s := f.enter(name, mail("a", 1), mail("b", 1), mail("c", 1)); slices.Contains(s.Hidden, false) {
			t.Errorf("%s sees what was deleted: %v", name, s.Hidden)
		}
	}
}

func TestPinnedIsNeverClaimed(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	f.exec("UPDATE messages SET pinned = 1 WHERE id = ?", s.IDs[0])
	for _, outcome := range []policy.Outcome{policy.Allowed, policy.Observed} {
		if claimed := s.dele(outcome, s.IDs[0]); len(claimed) != 0 {
			t.Errorf("%s: claimed", outcome)
		}
	}
	ids, err := f.Claim(t.Context(), box, s.IDs, f.clock.Now(), alwaysDue)
	if err != nil || len(ids) != 0 {
		t.Errorf("claimed for release: %v, %v", ids, err)
	}
	if again := f.enter("alice", mail("a", 1)); !again.Hidden[0] || f.found(s.IDs[0]).Message.HeldSince.IsZero() {
		t.Error("it is visible to whoever deleted it, or not held")
	}
}

func TestTheFirstDeletionStands(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	first := f.found(s.IDs[0])
	again := f.enter("alice", mail("a", 1))
	d := decisions(policy.Deferred, s.IDs[0])
	d[0].Rule = "another"
	again.record(Record{Decisions: d})
	f.enter("bob", mail("a", 1)).dele(policy.Deferred, s.IDs[0])
	h := f.found(s.IDs[0])
	if !h.Message.HeldSince.Equal(first.Message.HeldSince) || len(h.Deletions) != 2 || h.Deletions[0] != first.Deletions[0] || h.Deletions[1].Member != "bob" {
		t.Errorf("held since %v, %+v; at first %+v", h.Message.HeldSince, h.Deletions, first.Deletions)
	}
}

// What fails leaves nothing: not the part before it either.
func TestRecordIsAllOrNothing(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	r := Record{
		At: f.clock.Now(), Fetches: []Fetch{{Message: s.IDs[0], At: f.clock.Now()}},
		Decisions: append(decisions(policy.Allowed, s.IDs[0]), decisions(policy.Deferred, 12345)...),
	}
	if claimed, err := f.Record(t.Context(), s.visit, s.Maildrop, r); err == nil || len(claimed) != 0 {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	h := f.found(s.IDs[0])
	if len(h.Deletions)+len(h.Fetches) != 0 || !h.Message.Claimed.IsZero() || f.number("SELECT count(*) FROM decisions") != 0 {
		t.Errorf("something was written: %+v", h)
	}
}

func fingerprint(octet byte) *message.Fingerprint { return &message.Fingerprint{octet} }

// fetch puts a fetch on record.
func (o *opened) fetch(id message.ID, print *message.Fingerprint) {
	at := o.f.clock.pass(time.Millisecond)
	o.record(Record{At: at, Fetches: []Fetch{{Message: id, At: at, Fingerprint: print}}})
}

// whoFetched are the members who have a message.
func (f *fixture) whoFetched(id message.ID) []member.Name {
	var names []member.Name
	for _, g := range f.found(id).Fetches {
		names = append(names, g.Member)
	}
	return names
}

func TestFetchesAreByContent(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1), mail("b", 1), mail("c", 2), mail("d", 1))
	for i, print := range []*message.Fingerprint{fingerprint(1), fingerprint(1), fingerprint(1), fingerprint(2)} {
		f.exec("UPDATE messages SET fingerprint = ? WHERE id = ?", print[:], s.IDs[i])
	}
	v := f.visit("alice")
	v.Mailbox = "sales@example.com"
	other := f.open(v, mail("a", 1))
	f.exec("UPDATE messages SET fingerprint = ? WHERE id = ?", fingerprint(1)[:], other.IDs[0])
	s.fetch(s.IDs[0], nil)
	for _, test := range []struct {
		name string
		id   message.ID
		want bool
	}{
		{"itself", s.IDs[0], true},
		{"an equal copy", s.IDs[1], true},
		{"of another size", s.IDs[2], false},
		{"of another fingerprint", s.IDs[3], false},
		{"in another mailbox", other.IDs[0], false},
	} {
		if got := len(f.whoFetched(test.id)) == 1; got != test.want {
			t.Errorf("%s: fetched %v", test.name, got)
		}
	}
}

func TestUnknownFingerprintsAreNotEqual(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1), mail("b", 1))
	s.fetch(s.IDs[0], nil)
	if len(f.whoFetched(s.IDs[1])) != 0 {
		t.Error("a message of which nothing is known counts as fetched")
	}
}

func TestTheFirstFingerprintStands(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.fetch(s.IDs[0], fingerprint(1))
	s.fetch(s.IDs[0], fingerprint(2))
	if got := f.found(s.IDs[0]).Message.Fingerprint; *got != *fingerprint(1) {
		t.Errorf("%s", got)
	}
}

func TestLeftAlone(t *testing.T) {
	tests := []struct {
		name string
		run  func(f *fixture, s *opened)
		want bool
	}{
		{"fetched, and left alone in a later session", func(f *fixture, s *opened) {
			s.fetch(s.IDs[0], nil)
			f.enter("alice", mail("a", 1), mail("b", 1)).leave(s.IDs[0])
		}, true},
		{"never fetched", func(f *fixture, s *opened) {
			f.enter("alice", mail("a", 1), mail("b", 1)).leave(s.IDs[0])
		}, false},
		{"fetched in the same session", func(_ *fixture, s *opened) {
			s.fetch(s.IDs[0], nil)
			s.leave(s.IDs[0])
		}, false},
		{"fetched by somebody else", func(f *fixture, s *opened) {
			s.fetch(s.IDs[0], nil)
			f.enter("bob", mail("a", 1), mail("b", 1)).leave(s.IDs[0])
		}, false},
		{"fetched by another protocol", func(f *fixture, s *opened) {
			s.fetch(s.IDs[0], nil)
			v := f.visit("alice")
			v.Protocol = "imap"
			f.open(v, mail("a", 1), mail("b", 1)).leave(s.IDs[0])
		}, false},
		{"fetched while the session was already open", func(f *fixture, s *opened) {
			other := f.enter("alice", mail("a", 1), mail("b", 1))
			s.fetch(s.IDs[0], nil)
			other.leave(s.IDs[0])
		}, false},
		{"fetched in the millisecond in which the session began", func(f *fixture, s *opened) {
			v := f.visit("alice")
			other := f.open(v, mail("a", 1), mail("b", 1))
			s.record(Record{Fetches: []Fetch{{Message: s.IDs[0], At: v.At}}})
			other.leave(s.IDs[0])
		}, false},
		{"an equal copy was fetched", func(f *fixture, s *opened) {
			s.fetch(s.IDs[0], fingerprint(1))
			s.fetch(s.IDs[1], fingerprint(1))
			f.exec("DELETE FROM fetches WHERE message_id = ?", s.IDs[0])
			f.enter("alice", mail("a", 1), mail("b", 1)).leave(s.IDs[0])
		}, true},
		{"the equal copy was left alone", func(f *fixture, s *opened) {
			s.fetch(s.IDs[0], fingerprint(1))
			s.fetch(s.IDs[1], fingerprint(1))
			f.enter("alice", mail("a", 1), mail("b", 1)).leave(s.IDs[1])
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.run(f, f.enter("alice", mail("a", 1), mail("b", 1)))
			h := f.held("a")
			done := slices.ContainsFunc(h.Fetches, func(g Fetched) bool { return !g.LeftAlone.IsZero() })
			if done != test.want {
				t.Errorf("left alone: %v, %+v", done, h.Fetches)
			}
		})
	}
}

func (o *opened) leave(ids ...message.ID) { o.record(Record{LeftAlone: ids}) }

// held is the message with a unique-id.
func (f *fixture) held(id message.UniqueID) *Held {
	f.tb.Helper()
	return f.found(message.ID(f.number("SELECT id FROM messages WHERE unique_id = ?", id)))
}

// Leaving alone counts from the first time on.
func TestLeftAloneSince(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.fetch(s.IDs[0], nil)
	f.enter("alice", mail("a", 1)).leave(s.IDs[0])
	first := f.found(s.IDs[0]).Fetches
	f.clock.pass(time.Hour)
	f.enter("alice", mail("a", 1)).leave(s.IDs[0])
	if again := f.found(s.IDs[0]).Fetches; len(again) != 1 || again[0] != first[0] {
		t.Errorf("%+v, then %+v", first, again)
	}
}
