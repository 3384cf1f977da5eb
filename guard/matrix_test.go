package guard

import (
	"fmt"
	"testing"

	"mailguard/member"
	"mailguard/policy"
)

// expected is the table of outcomes: one line for each verdict and value of
// `anonymous`; the columns are for a named member and for the anonymous one.
var expected = []struct {
	verdict          policy.Verdict
	anonymous        policy.Anonymous
	named, nobody    policy.Outcome
	namedIfPinned    policy.Outcome
	nobodyIfPinned   policy.Outcome
	leavesTheirViews bool // of a named member's, once it was committed
}{
	{policy.Allow, "", policy.Allowed, policy.Allowed, policy.Deferred, policy.Deferred, true},
	{policy.Refuse, "", policy.Refused, policy.Refused, policy.Refused, policy.Refused, false},
	{policy.Defer, "", policy.Deferred, policy.Deferred, policy.Deferred, policy.Deferred, true},
	{policy.Defer, policy.AnonymousHide, policy.Deferred, policy.Deferred, policy.Deferred, policy.Deferred, true},
	{policy.Defer, policy.AnonymousRefuse, policy.Deferred, policy.Refused, policy.Deferred, policy.Refused, true},
	{policy.Defer, policy.AnonymousAccept, policy.Deferred, policy.Accepted, policy.Deferred, policy.Accepted, true},
}

// The second message is pinned.
func TestOutcomeOfEveryCombination(t *testing.T) {
	s := newScene(t)
	pinned := s.enter("alice", Protect).ID(1)
	s.sql(s.path, fmt.Sprintf("UPDATE messages SET pinned = 1 WHERE id = %d RETURNING id", pinned))
	for _, e := range expected {
		s.use(always(e.verdict, e.anonymous))
		for _, c := range []struct {
			what   string
			who    member.Name
			stance Stance
			want   [2]policy.Outcome
		}{
			{"named", "alice", Protect, [2]policy.Outcome{e.named, e.namedIfPinned}},
			{"anonymous", "", Protect, [2]policy.Outcome{e.nobody, e.nobodyIfPinned}},
			{"named, observed", "alice", Watch, [2]policy.Outcome{policy.Observed, policy.Observed}},
			{"anonymous, observed", "", Watch, [2]policy.Outcome{policy.Observed, policy.Observed}},
		} {
			t.Run(fmt.Sprintf("%s %s, %s", e.verdict, e.anonymous, c.what), func(t *testing.T) {
				for i, r := range s.rulings(s.enter(c.who, c.stance), 0, 1) {
					if r.Outcome != c.want[i] || r.Decision.Verdict != e.verdict || r.Decision.Rule != "r" {
						t.Errorf("message %d: %+v, %q; want %q", i, r.Decision, r.Outcome, c.want[i])
					}
				}
			})
		}
	}
	if n := s.sql(s.path, traces); n != 0 {
		t.Errorf("%d things are on record before Commit", n)
	}
}

// What a member was told is deleted is out of their view, and of nobody else's.
func TestViewAfterCommit(t *testing.T) {
	s := newScene(t)
	for i, e := range expected {
		t.Run(fmt.Sprintf("%s %s", e.verdict, e.anonymous), func(t *testing.T) {
			s.box = member.Mailbox(fmt.Sprintf("shared%d@example.com", i)) // one of its own
			s.use(always(e.verdict, e.anonymous))
			m := s.enter("alice", Protect)
			var deletions []Ruling
			if r := s.rulings(m, 0); r[0].Outcome != policy.Refused {
				deletions = r
			}
			if _, err := m.Commit(t.Context(), deletions, nil); err != nil {
				t.Fatal(err)
			}
			if hidden := s.enter("alice", Protect).Hidden(); hidden[0] != e.leavesTheirViews || hidden[1] {
				t.Errorf("hidden from alice: %v", hidden)
			}
			for who, stance := range map[member.Name]Stance{"bob": Protect, "": Protect, "alice": Watch} {
				if hidden := s.enter(who, stance).Hidden(); hidden[0] || hidden[1] {
					t.Errorf("hidden from %q (%s): %v", who, stance, hidden)
				}
			}
			if n := s.sql(s.path, "SELECT count(*) FROM decisions"); n != int64(i+1) {
				t.Errorf("%d decisions are on record, want %d", n, i+1)
			}
		})
	}
}

// A message without a valid unique-id cannot be remembered: it cannot be
// deferred either, but it can be refused.
func TestMessageThatCannotBeRemembered(t *testing.T) {
	s := newScene(t)
	for verdict, want := range map[policy.Verdict]bool{policy.Refuse: true, policy.Defer: false, policy.Allow: false} {
		s.use(always(verdict, ""))
		unnamed := append(listing[:1:1], listing[1])
		unnamed[1].UniqueID = "not valid"
		m, err := s.OpenMaildrop(t.Context(), visitor(box, "alice"), Protect, s.clock.Now(), unnamed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Decide(t.Context(), 1); (err == nil) != want {
			t.Errorf("%s: %v", verdict, err)
		}
	}
}
