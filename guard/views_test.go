package guard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// ifOkayElseDefer allows what carries a flag and defers the rest.
func ifOkayElseDefer() []policy.Rule {
	rules := ifOkay()
	rules[1].Then = policy.Defer
	return rules
}

func (s *scene) wantHidden(when string, f *Folder, want ...message.UID) {
	s.t.Helper()
	if got := f.Hidden(); !slices.Equal(got, want) {
		s.t.Errorf("%s: hidden %v, want %v", when, got, want)
	}
}

func (s *scene) wantHides(when string, f *Folder, want ...message.UID) {
	s.t.Helper()
	if got := f.Hides(); !slices.Equal(got, want) {
		s.t.Errorf("%s: hides %v, want %v", when, got, want)
	}
}

// hide defers the deletion of messages.
func (s *scene) hide(f *Folder, list ...message.UID) {
	s.t.Helper()
	rulings := s.decide(f, expunge, looked(list)...)
	if remove := s.commit(f, rulings); len(remove) > 0 || !slices.Equal(f.Deferred(rulings), list) {
		s.t.Fatalf("remove %v, deferred %v, want %v", remove, f.Deferred(rulings), list)
	}
}

// With views a deferral hides, whoever it is of; what is pinned stays refused.
// Without them it is a refusal, see TestFolderOutcomeOfEveryCombination.
func TestDeferredOutcome(t *testing.T) {
	for _, c := range []struct {
		who    member.Name
		a      policy.Anonymous
		stance Stance
		want   policy.Outcome
	}{
		{"alice", "", Protect, policy.Deferred},
		{"alice", policy.AnonymousRefuse, Protect, policy.Deferred},
		{"alice", policy.AnonymousAccept, Protect, policy.Deferred},
		{"", policy.AnonymousHide, Protect, policy.Deferred},
		{"", policy.AnonymousRefuse, Protect, policy.Refused},
		{"", policy.AnonymousAccept, Protect, policy.Accepted},
		{"alice", "", Watch, policy.Observed},
	} {
		t.Run(fmt.Sprintf("%q %s %s", c.who, c.a, c.stance), func(t *testing.T) {
			s := newScene(t, always(policy.Refuse, ""))
			f := s.inbox("bob")
			s.commit(f, s.decide(f, expunge, looked(uidsFrom(2))...))
			s.sql(s.path, "UPDATE messages SET pinned = 1 WHERE uid = 2 RETURNING id")
			s.use(always(policy.Defer, c.a))
			pinned := policy.Refused
			if c.stance == Watch {
				pinned = policy.Observed
			}
			f = s.folder(c.who, c.stance, inbox, nil)
			if got := outcomes(s.decide(f, expunge, looked(uidsFrom(1, 2))...)); !slices.Equal(got, []policy.Outcome{c.want, pinned}) {
				t.Errorf("outcomes %v", got)
			}
		})
	}
}

func TestHideFromMarkToGone(t *testing.T) {
	s := newScene(t, ifOkayElseDefer()...)
	f, bob := s.inbox("alice"), s.inbox("bob")
	s.mark(f, uidsFrom(1, 2, 3), nil)
	rulings := append(s.decide(f, expunge, looked(uidsFrom(1), okay)...), s.decide(f, expunge, looked(uidsFrom(3, 2))...)...)
	s.wantHidden("before Commit", f)
	if remove := s.commit(f, rulings); !slices.Equal(remove, uidsFrom(1)) {
		t.Errorf("remove %v", remove)
	}
	s.wantHidden("committed", f, 2, 3)
	s.wantMarks("committed", f, 1)
	s.wantHidden("another member", bob)
	s.wantHidden("the ledger's", s.inbox("alice"), 2, 3)
	s.wantHidden("in observe mode", s.folder("alice", Watch, inbox, nil))
	s.wantHidden("in a folder made anew", s.folder("alice", Protect, OpenedFolder{Name: "INBOX", UIDValidity: 8}, nil))
	if n := s.sql(s.path, "SELECT count(*) FROM messages WHERE held_since IS NOT NULL AND claimed_at IS NULL"); n != 2 {
		t.Errorf("%d messages are held", n)
	}
	s.settle(bob, uidsFrom(2), uidsFrom(1, 3))
	s.wantHidden("gone", f, 3)
	s.wantHidden("gone, in the ledger", s.inbox("alice"), 3)
}

func TestHidesReachTheMembersOtherSessions(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	var told, elsewhere atomic.Int32
	f, twin := s.inbox("alice"), s.folder("alice", Protect, inbox, func() { told.Add(1) })
	others := []*Folder{
		s.folder("bob", Protect, inbox, func() { elsewhere.Add(1) }),
		s.folder("", Protect, inbox, func() { elsewhere.Add(1) }),
		s.folder("alice", Protect, OpenedFolder{Name: "INBOX", UIDValidity: 8}, func() { elsewhere.Add(1) }),
		s.folder("alice", Watch, inbox, func() { elsewhere.Add(1) }),
	}
	s.hide(f, 1, 2)
	s.wantHides("its own", f)
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	s.wantHidden("not said yet", twin)
	s.wantHides("another session's", twin, 1, 2)
	s.wantHides("said once", twin)
	s.wantHidden("said", twin, 1, 2)
	if before := told.Load(); true {
		s.hide(f, 1)
		if told.Load() != before {
			t.Error("told of what it knows")
		}
	}
	s.hide(f, 5, 6, 7)
	s.settle(f, uidsFrom(6), nil)
	s.hide(twin, 7, 8) // its client saw 7, and it hides that by itself
	s.wantHides("gone, or hidden by itself", twin, 5)
	s.wantHides("the twin's", f, 8)
	s.wantHidden("in the end", f, 1, 2, 5, 7, 8)
	s.wantHidden("in the end", twin, 1, 2, 5, 7, 8)
	for _, other := range others {
		s.wantHides("elsewhere", other)
		s.wantHidden("elsewhere", other)
	}
	if elsewhere.Load() != 0 {
		t.Error("sessions elsewhere are told")
	}
	twin.Close()
	s.wantHides("closed", twin)
	s.wantHidden("closed", twin)
}

func TestHiddenCountsOfAFolder(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	f := s.inbox("alice")
	s.commit(f, s.decide(f, expunge, append(looked(uidsFrom(1, 2), `\Seen`), looked(uidsFrom(3))...)...))
	v := imapVisitor(box, "alice")
	counts, err := s.HiddenIn(t.Context(), v, "INBOX")
	want := HiddenCount{UIDValidity: 7, Messages: 3, Octets: 300, Unseen: 1}
	if err != nil || counts.In(7) != want || counts.In(8) != (HiddenCount{UIDValidity: 8}) {
		t.Errorf("%v, %v", counts, err)
	}
	all, err := s.HiddenEverywhere(t.Context(), v)
	if err != nil || !reflect.DeepEqual(all, map[string]HiddenCounts{"INBOX": {want}}) {
		t.Errorf("%v, %v", all, err)
	}
	s.close()
	if c, err := s.HiddenIn(t.Context(), v, "INBOX"); !errors.Is(err, ErrTemporary) || c != nil {
		t.Errorf("without a ledger: %v, %v", c, err)
	}
	if c, err := s.HiddenEverywhere(t.Context(), v); !errors.Is(err, ErrTemporary) || c != nil {
		t.Errorf("without a ledger: %v, %v", c, err)
	}
}

// What an administrator gives back is there at the next SELECT, and sessions
// that have the folder open are told so: the member's own, and nobody else's.
func TestReturned(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	told := 0
	open := s.folder("alice", Protect, inbox, func() { told++ })
	s.hide(s.inbox("alice"), 1, 2)
	open.Hides()
	bob, elsewhere := s.inbox("bob"), s.folder("alice", Protect, OpenedFolder{Name: "Trash", UIDValidity: 3}, nil)
	s.hide(bob, 1)
	told = 0
	id := message.ID(s.sql(s.path, "SELECT id FROM messages WHERE uid = 1"))
	alice := member.Name("alice")
	done, err := s.Ledger.Restore(t.Context(), ledger.Restore{IDs: []message.ID{id}, Member: &alice})
	if err != nil || len(done.Returned) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	r := done.Returned[0]
	s.Returned(r.Mailbox, r.Folder, r.Member, []message.UID{r.UID})
	if told != 1 || !open.Stale() || bob.Stale() || elsewhere.Stale() {
		t.Errorf("told %d times; stale: %t; bob: %t; another folder: %t", told, open.Stale(), bob.Stale(), elsewhere.Stale())
	}
	s.wantHidden("an open view keeps what it hides", open, 1, 2)
	s.wantHidden("at the next SELECT", s.inbox("alice"), 2)
	s.wantHidden("bob's", s.inbox("bob"), 1)
	s.Returned("nobody@example.com", r.Folder, r.Member, []message.UID{1})
}

// Sessions of a member hide at the same time. Each client is told once of every
// message, by its own session or by Hides, and in the end all see the same.
func TestSessionsOfAMemberHideTogether(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	const each = 25
	folders := make([]*Folder, 4)
	for i := range folders {
		folders[i] = s.inbox("alice")
	}
	gone := make([]map[message.UID]int, len(folders))
	var working sync.WaitGroup
	for i, f := range folders {
		gone[i] = make(map[message.UID]int)
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 2))
			for range each {
				uid := message.UID(random.IntN(30) + 1)
				for _, u := range f.Hides() {
					gone[i][u]++
				}
				if gone[i][uid] > 0 {
					continue // its client has it no more
				}
				rulings, err := f.Decide(t.Context(), expunge, looked(uidsFrom(uid)))
				if err == nil {
					_, err = f.Commit(t.Context(), rulings)
				}
				if err != nil {
					t.Error(err)
				}
				gone[i][uid]++
			}
		})
	}
	working.Wait()
	want := s.inbox("alice").Hidden()
	for i, f := range folders {
		for _, u := range f.Hides() {
			gone[i][u]++
		}
		s.wantHidden("in the end", f, want...)
		for _, u := range want {
			if gone[i][u] != 1 {
				t.Errorf("client %d was told %d times that %d is gone", i, gone[i][u], u)
			}
		}
		if len(gone[i]) != len(want) {
			t.Errorf("client %d misses %d messages, want %d", i, len(gone[i]), len(want))
		}
	}
}
