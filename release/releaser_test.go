package release

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const box = "support@example.com"

// fixture is a releaser with a clock and a ledger of its own.
type fixture struct {
	*Releaser

	t       *testing.T
	now     time.Time
	members []member.Name
}

func newFixture(t *testing.T, rules ...policy.Rule) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), members: []member.Name{"alice", "bob"}}
	clock := func() time.Time { return f.now }
	l, err := ledger.Open(t.Context(), ledger.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Now: clock, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f.Releaser = New(Options{Ledger: l, Now: clock, Mailbox: func(m member.Mailbox, e policy.Everyone) policy.MailboxFacts {
		e.Configured = f.members
		return policy.MailboxFacts{Name: m, Shared: true, QuotaUsed: -1, Everyone: e}
	}})
	f.use(rules...)
	return f
}

func (f *fixture) use(rules ...policy.Rule) {
	f.t.Helper()
	p, mistakes := policy.Compile(rules)
	if len(mistakes) > 0 {
		f.t.Fatal(mistakes[0])
	}
	f.Policy = p
}

// deletes records that somebody's session deleted the one message.
func (f *fixture) deletes(who member.Name, rule string, verdict policy.Verdict, outcome policy.Outcome) message.ID {
	f.t.Helper()
	f.now = f.now.Add(time.Second)
	v := ledger.Visit{Mailbox: box, Member: who, Protocol: member.POP3, Configured: f.members, At: f.now}
	drop, err := f.Ledger.OpenMaildrop(f.t.Context(), v, []message.Listed{{UniqueID: "u1", Size: 100}})
	if err != nil {
		f.t.Fatal(err)
	}
	d := ledger.Decision{Message: drop.IDs[0], Verdict: verdict, Rule: rule, Outcome: outcome, Facts: &policy.Facts{Op: policy.POP3Dele}}
	if _, err := f.Ledger.Record(f.t.Context(), v, drop, ledger.Record{At: f.now, Decisions: []ledger.Decision{d}}); err != nil {
		f.t.Fatal(err)
	}
	return drop.IDs[0]
}

func (f *fixture) wantDue(when string, want bool) {
	f.t.Helper()
	due, err := f.Due(f.t.Context(), box, true)
	if err != nil || (len(due) == 1) != want {
		f.t.Errorf("%s: due %v, %v; want %t", when, due, err, want)
	}
}

func deferring(name string, r policy.Release) policy.Rule {
	return policy.Rule{Name: name, When: "true", Then: policy.Defer, Release: &r}
}

func TestEveryDeletionHasToBeDue(t *testing.T) {
	f := newFixture(t, deferring("soon", policy.Release{After: time.Hour}), deferring("late", policy.Release{After: 48 * time.Hour}))
	f.deletes("alice", "soon", policy.Defer, policy.Deferred)
	f.wantDue("at once", false)
	f.now = f.now.Add(2 * time.Hour)
	f.wantDue("after its time", true)
	f.deletes("bob", "late", policy.Defer, policy.Deferred)
	f.wantDue("with a deletion under a slower rule", false)
	f.now = f.now.Add(48 * time.Hour)
	f.wantDue("after both times", true)
}

func TestRuleThatIsNoLongerThere(t *testing.T) {
	f := newFixture(t, deferring("r", policy.Release{After: time.Hour}))
	id := f.deletes("alice", "r", policy.Defer, policy.Deferred)
	f.now = f.now.Add(2 * time.Hour)
	f.wantDue("with its rule", true)
	f.use(deferring("other", policy.Release{After: time.Minute}))
	f.wantDue("without its rule", false)
	held, err := f.Ledger.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if why, err := f.Explain(t.Context(), held, true); err != nil || !strings.Contains(why.Why, "r") {
		t.Errorf("%+v, %v", why, err)
	}
}

func TestUnlessAndTheDayAfter(t *testing.T) {
	keep := deferring("r", policy.Release{After: time.Hour, Unless: "message.size > 50"})
	f := newFixture(t, keep)
	f.deletes("alice", "r", policy.Defer, policy.Deferred)
	f.now = f.now.Add(2 * time.Hour)
	f.wantDue("while unless holds", false)
	f.use(deferring("r", policy.Release{After: time.Hour, Unless: "message.size > 500"}))
	f.wantDue("just after it ceased to", false)
	f.now = f.now.Add(25 * time.Hour)
	f.wantDue("a day after", true)
}

// What was allowed and is still there is tried again as long as policy allows.
func TestAllowedAndStillThere(t *testing.T) {
	allow := policy.Rule{Name: "r", When: "true", Then: policy.Allow}
	f := newFixture(t, allow)
	id := f.deletes("alice", "r", policy.Allow, policy.Allowed)
	f.wantDue("while it is claimed", false)
	if err := f.Withdraw(t.Context(), []message.ID{id}); err != nil {
		t.Fatal(err)
	}
	f.wantDue("once it is known to be there", true)
	f.use(policy.Rule{Name: "r", When: "true", Then: policy.Defer})
	f.wantDue("when policy no longer allows it", false)
}

// Between the look and the claim a member may have been added.
func TestClaimAsksAgain(t *testing.T) {
	f := newFixture(t, deferring("r", policy.Release{When: "everyone_is_done()"}))
	f.deletes("alice", "r", policy.Defer, policy.Deferred)
	id := f.deletes("bob", "r", policy.Defer, policy.Deferred)
	f.wantDue("when both are done", true)
	f.members = append(f.members, "carol")
	if claimed, err := f.Claim(t.Context(), box, []message.ID{id}, true); err != nil || len(claimed) > 0 {
		t.Errorf("claimed %v, %v although carol is not done", claimed, err)
	}
	f.members = f.members[:2]
	if claimed, err := f.Claim(t.Context(), "other@example.com", []message.ID{id}, true); err != nil || len(claimed) > 0 {
		t.Errorf("claimed %v, %v of another mailbox", claimed, err)
	}
	for i, want := range []int{1, 0} {
		if claimed, err := f.Claim(t.Context(), box, []message.ID{id}, true); err != nil || len(claimed) != want {
			t.Errorf("claim %d: %v, %v", i, claimed, err)
		}
	}
	if err := f.Withdraw(t.Context(), []message.ID{id}); err != nil {
		t.Fatal(err)
	}
	f.wantDue("after it was given back", true)
}
