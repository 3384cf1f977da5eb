package release

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const elsewhere = "other@example.com"

func doneBoth(t *testing.T) (*scene, []message.ID) {
	t.Helper()
	s := newScene(t, deferring("r", policy.Release{When: "everyone_is_done()"}))
	ids := s.visits(box, "alice", "r", policy.Deferred, 0, 1)
	s.visits(box, "bob", "r", policy.Deferred, 0, 1)
	s.wantDue("when everyone is done", ids...)
	return s, ids
}

// What is claimed is due when it is claimed, whatever was due before.
func TestClaimDeniesWhatIsNoLongerDue(t *testing.T) {
	for name, change := range map[string]func(s *scene){
		"a member is configured": func(s *scene) { s.members = append(s.members, "carol") },
		"somebody unknown came":  func(s *scene) { s.visits(box, "", "r", policy.Deferred) },
		"the rule is gone":       func(s *scene) { s.use() },
		"the rule is another":    func(s *scene) { s.use(deferring("r", policy.Release{After: 1000 * time.Hour})) },
		"it is pinned":           func(s *scene) { s.pin(1) },
	} {
		t.Run(name, func(t *testing.T) {
			s, ids := doneBoth(t)
			change(s)
			s.wantClaimed("after the change", box, ids)
			s.wantDue("after the change")
		})
	}
}

func TestClaimOfAnotherMailbox(t *testing.T) {
	s, ids := doneBoth(t)
	s.visits(elsewhere, "alice", "r", policy.Deferred, 0)
	others := s.visits(elsewhere, "bob", "r", policy.Deferred, 0)[:1]
	s.wantClaimed("by the wrong mailbox", elsewhere, ids)
	s.wantClaimed("by a mailbox that is not known", "nobody@example.com", ids)
	s.wantClaimed("numbers that do not exist", box, []message.ID{0, -1, 12345})
	s.wantClaimed("among its own", elsewhere, append(ids[:2:2], others...), others...)
	s.wantDue("in its own mailbox", ids...)
}

func TestWithdrawGivesBack(t *testing.T) {
	s, ids := doneBoth(t)
	s.wantClaimed("the first time", box, ids, ids...)
	s.wantDue("while it is claimed")
	s.wantClaimed("twice", box, ids)
	if err := s.Withdraw(t.Context(), ids[1:]); err != nil {
		t.Fatal(err)
	}
	s.wantDue("given back", ids[1])
	s.wantClaimed("given back", box, ids, ids[1])
	if err := s.Withdraw(t.Context(), nil); err != nil {
		t.Errorf("nothing to give back: %v", err)
	}
}

// Whoever claims at the same time, each message goes to one of them.
func TestClaimedOnce(t *testing.T) {
	s, ids := doneBoth(t)
	claimed := make([][]message.ID, 8)
	var wg sync.WaitGroup
	for i := range claimed {
		wg.Go(func() {
			var err error
			if claimed[i], err = s.Claim(t.Context(), box, ids, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(claimed...)
	if slices.Sort(all); !slices.Equal(all, ids) {
		t.Errorf("claimed %v", claimed)
	}
}

// An allowed deletion that did not happen is found by the next listing, and is
// tried again only as long as policy allows it.
func TestAllowedIsRetried(t *testing.T) {
	allow := policy.Rule{Name: "r", When: "true", Then: policy.Allow}
	s := newScene(t, allow)
	ids := s.visits(box, "alice", "r", policy.Allowed, 0)[:1]
	s.wantDue("while it is being removed")
	s.pass(time.Hour)
	s.visits(box, "bob", "", policy.Deferred) // lists it, and deletes nothing
	s.wantDue("still listed", ids...)
	for _, then := range []policy.Verdict{policy.Defer, policy.Refuse} {
		s.use(policy.Rule{Name: "r", When: "true", Then: then})
		s.wantDue("policy says " + string(then))
		s.wantClaimed("policy says "+string(then), box, ids)
	}
	s.use(policy.Rule{Name: "another", When: "member.name == 'alice'", Then: policy.Allow})
	s.pass(time.Hour) // what is not due is looked at every hour
	s.wantDue("another rule allows it", ids...)
	s.use(allow)
	s.wantClaimed("the rule is back", box, ids, ids...)
}

// The oldest deletion comes first, and a mailbox without anything has nothing.
func TestDueInOrder(t *testing.T) {
	s := newScene(t, deferring("r", policy.Release{When: "true"}))
	s.wantDue("before anything was held")
	ids := s.visits(box, "alice", "r", policy.Deferred, 1)
	s.visits(box, "bob", "r", policy.Deferred, 0)
	s.wantDue("in order", ids[1], ids[0])
	due, err := s.Due(t.Context(), box, true)
	if err != nil || due[0].UniqueID != "u2" || due[0].Size != 200 {
		t.Errorf("identity %+v, %v", due, err)
	}
	for _, mailbox := range []member.Mailbox{elsewhere, ""} {
		if due, _ := s.Due(t.Context(), mailbox, true); mailbox != "" && len(due) > 0 {
			t.Errorf("%q: %v", mailbox, due)
		}
	}
}
