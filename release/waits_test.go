package release

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// The message is deleted by alice, and a second later by bob, each under a
// rule of their own; it is due only by both.
func TestDue(t *testing.T) {
	s := newScene(t)
	hour, two := policy.Release{After: time.Hour}, policy.Release{After: 2 * time.Hour}
	for i, c := range []struct {
		name       string
		alice, bob policy.Release
		after      time.Duration // since the first deletion
		want       bool
	}{
		{"too early", hour, hour, time.Hour - time.Millisecond, false},
		{"at its time, which counts from the first deletion", hour, hour, time.Hour, true},
		{"one rule is slower", hour, two, time.Hour, false},
		{"the other rule is slower", two, hour, time.Hour, false},
		{"the slower one's time", hour, two, 2 * time.Hour, true},
		{"a condition that holds", policy.Release{When: "everyone_is_done()"}, policy.Release{When: "true"}, time.Minute, true},
		{"a condition that does not", policy.Release{When: "true"}, policy.Release{When: "message.size > 1000"}, time.Hour, false},
		{"a condition or a time", policy.Release{When: "false", After: time.Hour}, hour, time.Hour, true},
		{"unless beats the time", policy.Release{After: time.Hour, Unless: "true"}, hour, 2 * time.Hour, false},
		{"no condition at all", hour, policy.Release{}, 1000 * time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := []policy.Rule{deferring("alice's", c.alice), deferring("bob's", c.bob)}
			if c.bob == (policy.Release{}) {
				rules[1].Release = nil
			}
			s.use(rules...)
			s.box = member.Mailbox(fmt.Sprintf("case%d@example.com", i)) // one of its own
			id := s.visits(s.box, "alice", "alice's", policy.Deferred, 0)[0]
			s.visits(s.box, "bob", "bob's", policy.Deferred, 0)
			s.pass(c.after - time.Second)
			var want []message.ID
			if c.want {
				want = append(want, id)
			}
			s.wantDue("then", want...)
			s.wantClaimed("then", s.box, []message.ID{id}, want...)
		})
	}
}

// One message waits by a rule that was taken away, and the other does not wait
// for it.
func TestRuleTakenAway(t *testing.T) {
	s := newScene(t, deferring("kept", policy.Release{After: time.Hour}))
	ids := s.visits(box, "alice", "taken", policy.Deferred, 0)
	s.visits(box, "alice", "kept", policy.Deferred, 1)
	s.pass(1000 * time.Hour)
	s.wantDue("without its rule", ids[1])
	s.wantClaimed("without its rule", box, ids, ids[1])
	if why := s.why(ids[0], true); !strings.Contains(why, `"taken" no longer exists`) {
		t.Errorf("why: %s", why)
	}
}

func TestUnlessLastsADay(t *testing.T) {
	while := deferring("r", policy.Release{After: time.Hour, Unless: "message.size == 100"})
	ceased := deferring("r", policy.Release{After: time.Hour, Unless: "message.size == 999"})
	const day = 24 * time.Hour
	for name, look := range map[string]func(s *scene, ids []message.ID){
		"seen by Due":   func(s *scene, _ []message.ID) { s.wantDue("while it holds") },
		"seen by Claim": func(s *scene, ids []message.ID) { s.wantClaimed("while it holds", box, ids) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, while)
			id := s.visits(box, "alice", "r", policy.Deferred, 0)[0]
			s.pass(day)
			look(s, []message.ID{id})
			s.pass(day) // the later look counts
			look(s, []message.ID{id})
			s.use(ceased)
			s.pass(day - time.Millisecond)
			s.wantDue("just before the day is over")
			s.wantClaimed("just before the day is over", box, []message.ID{id})
			s.pass(time.Millisecond)
			s.wantDue("after a day", id)
			s.wantClaimed("after a day", box, []message.ID{id}, id)
		})
	}
}

// Flags that nobody has just read keep a message that depends on them.
func TestStaleFlags(t *testing.T) {
	s := newScene(t, deferring("r", policy.Release{After: time.Hour, Unless: `"\\Flagged" in message.flags`}))
	id := s.visits(box, "alice", "r", policy.Deferred, 0)[0]
	s.pass(2 * time.Hour)
	if due, err := s.Due(t.Context(), box, false); err != nil || len(due) > 0 {
		t.Errorf("due %v, %v", due, err)
	}
	if claimed, err := s.Claim(t.Context(), box, []message.ID{id}, false); err != nil || len(claimed) > 0 {
		t.Errorf("claimed %v, %v", claimed, err)
	}
	if why := s.why(id, false); !strings.Contains(why, "flags") {
		t.Errorf("why: %s", why)
	}
	s.wantDue("with fresh flags", id)
}

func TestPinned(t *testing.T) {
	for name, c := range map[string]struct {
		outcome policy.Outcome
		rule    policy.Rule
	}{
		"deferred": {policy.Deferred, deferring("r", policy.Release{When: "true"})},
		"allowed":  {policy.Allowed, policy.Rule{Name: "r", When: "true", Then: policy.Allow}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, c.rule)
			ids := s.visits(box, "alice", "r", c.outcome, 0)[:1]
			if err := s.Withdraw(t.Context(), ids); err != nil {
				t.Fatal(err)
			}
			s.pass(time.Hour)
			s.pin(1)
			s.wantDue("while it is pinned")
			s.wantClaimed("while it is pinned", box, ids)
			if why := s.why(ids[0], true); why != "it is pinned" {
				t.Errorf("why: %s", why)
			}
			s.pin(0)
			s.wantDue("without the pin", ids...)
		})
	}
}
