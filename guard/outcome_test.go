package guard

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const box = "support@example.com"

// fixture is a guard over a ledger of its own.
type fixture struct {
	*Guard

	path string
}

func newFixture(t *testing.T, rules []policy.Rule, change func(*Options)) *fixture {
	t.Helper()
	p, mistakes := policy.Compile(rules)
	if len(mistakes) > 0 {
		t.Fatal(mistakes[0])
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := ledger.Open(t.Context(), ledger.Options{Path: path, Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	o := Options{
		Ledger: l, Policy: p, Mode: Enforce, LearnFor: time.Hour, Now: time.Now, Log: zerolog.Nop(),
		Mailboxes: NewDirectory([]Entry{
			{Match: box, Settings: Settings{Shared: SharedYes, Members: []member.Name{"alice", "bob"}}},
			{Match: "*@private.example.com", Settings: Settings{Shared: SharedNo}},
			{Match: "*@watched.example.com", Settings: Settings{Shared: SharedYes, Mode: Observe}},
		}),
	}
	if change != nil {
		change(&o)
	}
	return &fixture{Guard: New(o), path: path}
}

func visitor(mailbox member.Mailbox, who member.Name) Visitor {
	return Visitor{Identity: member.Identity{Mailbox: mailbox, Member: who}, Protocol: member.POP3, NoFlags: true}
}

var listing = []message.Listed{{UniqueID: "u1", Size: 100}, {UniqueID: "u2", Size: 200}}

func (f *fixture) open(t *testing.T, who member.Name, stance Stance) *Maildrop {
	t.Helper()
	m, err := f.OpenMaildrop(t.Context(), visitor(box, who), stance, time.Now(), listing)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOutcomes(t *testing.T) {
	rule := func(then policy.Verdict, a policy.Anonymous) []policy.Rule {
		return []policy.Rule{{Name: "r", When: "true", Then: then, Anonymous: a}}
	}
	for _, c := range []struct {
		what   string
		rules  []policy.Rule
		who    member.Name
		stance Stance
		want   policy.Outcome
	}{
		{"allow", rule(policy.Allow, ""), "alice", Protect, policy.Allowed},
		{"refuse", rule(policy.Refuse, ""), "alice", Protect, policy.Refused},
		{"defer", rule(policy.Defer, ""), "alice", Protect, policy.Deferred},
		{"anonymous, by default", rule(policy.Defer, ""), "", Protect, policy.Deferred},
		{"anonymous: hide", rule(policy.Defer, policy.AnonymousHide), "", Protect, policy.Deferred},
		{"anonymous: refuse", rule(policy.Defer, policy.AnonymousRefuse), "", Protect, policy.Refused},
		{"anonymous: accept", rule(policy.Defer, policy.AnonymousAccept), "", Protect, policy.Accepted},
		{"a named member, anonymous: refuse", rule(policy.Defer, policy.AnonymousRefuse), "alice", Protect, policy.Deferred},
		{"observe, refuse", rule(policy.Refuse, ""), "alice", Watch, policy.Observed},
		{"observe, defer", rule(policy.Defer, ""), "alice", Watch, policy.Observed},
	} {
		t.Run(c.what, func(t *testing.T) {
			r, err := newFixture(t, c.rules, nil).open(t, c.who, c.stance).Decide(t.Context(), 0)
			if err != nil || r.Outcome != c.want {
				t.Errorf("got %q, %v; want %q", r.Outcome, err, c.want)
			}
		})
	}
}

// Without a ledger nothing is deleted; in observe mode nothing is held up.
func TestLedgerFails(t *testing.T) {
	f := newFixture(t, nil, nil)
	protected, watched := f.open(t, "alice", Protect), f.open(t, "bob", Watch)
	ruling, err := protected.Decide(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := protected.Decide(t.Context(), 1); !errors.Is(err, ErrTemporary) {
		t.Errorf("Decide: %v", err)
	}
	if remove, err := protected.Commit(t.Context(), []Ruling{ruling}, nil); !errors.Is(err, ErrTemporary) || len(remove) > 0 {
		t.Errorf("Commit: %v, %v", remove, err)
	}
	if _, err := f.OpenMaildrop(t.Context(), visitor(box, "carol"), Protect, time.Now(), listing); !errors.Is(err, ErrTemporary) {
		t.Errorf("OpenMaildrop: %v", err)
	}
	if _, err := watched.Commit(t.Context(), nil, []int{0}); err != nil {
		t.Errorf("Commit in observe mode: %v", err)
	}
	if _, err := f.OpenMaildrop(t.Context(), visitor(box, "carol"), Watch, time.Now(), listing); err != nil {
		t.Errorf("OpenMaildrop in observe mode: %v", err)
	}
}

// Two sessions may both have an allowed deletion of one message; one removes it.
func TestOneRemoves(t *testing.T) {
	f := newFixture(t, []policy.Rule{{Name: "r", When: "true", Then: policy.Allow}}, nil)
	var removed []int
	for _, who := range []member.Name{"alice", "bob"} {
		m := f.open(t, who, Protect)
		r, err := m.Decide(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		remove, err := m.Commit(t.Context(), []Ruling{r}, nil)
		if err != nil {
			t.Fatal(err)
		}
		removed = append(removed, remove...)
	}
	if len(removed) != 1 || removed[0] != 1 {
		t.Errorf("removed: %v", removed)
	}
	if hidden := f.open(t, "bob", Protect).Hidden(); !hidden[1] || hidden[0] {
		t.Errorf("hidden from bob: %v", hidden)
	}
}

func TestAdmit(t *testing.T) {
	f := newFixture(t, nil, nil)
	for _, c := range []struct {
		mailbox member.Mailbox
		want    Stance
	}{{box, Protect}, {"carla@private.example.com", Relay}, {"x@watched.example.com", Watch}, {"unlisted@example.net", Relay}} {
		if got := f.Admit(t.Context(), visitor(c.mailbox, "alice")); got != c.want {
			t.Errorf("%s: %s, want %s", c.mailbox, got, c.want)
		}
	}
	if got := f.Admit(t.Context(), visitor("unlisted@example.net", "bob")); got != Protect {
		t.Errorf("a second named member makes a mailbox a shared one: %s", got)
	}
}

// As long as nobody can say who uses an unlisted mailbox, it counts as shared.
func TestUnlistedMailboxWithoutALedger(t *testing.T) {
	f := newFixture(t, nil, nil)
	if err := f.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.Admit(context.Background(), visitor("unlisted@example.net", "")); got != Protect {
		t.Errorf("unlisted: %s", got)
	}
	if got := f.Admit(context.Background(), visitor("carla@private.example.com", "")); got != Relay {
		t.Errorf("not shared: %s", got)
	}
}

func TestDirectory(t *testing.T) {
	mode := func(m Mode) Settings { return Settings{Mode: m} }
	d := NewDirectory([]Entry{
		{"a@example.com", mode("1")}, {"*@example.com", mode("2")}, {"b@example.com", mode("3")},
		{"x*y*@example.net", mode("4")}, {"a@example.com", mode("5")},
	})
	for name, want := range map[member.Mailbox]Mode{
		"a@example.com": "1", "b@example.com": "2", "c@example.com": "2", "xy@example.net": "4", "x1y2@example.net": "4", "yx@example.net": "", "z": "",
	} {
		if got := d.Lookup(name).Mode; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
