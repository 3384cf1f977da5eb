package release

import (
	"database/sql"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// scene is a releaser over a ledger file that tests can change past it, with
// as many mailboxes and messages as they like.
type scene struct {
	*Releaser

	t       *testing.T
	path    string
	ms      atomic.Int64 // the clock
	members []member.Name
	box     member.Mailbox // whose messages are due
}

func newScene(t *testing.T, rules ...policy.Rule) *scene {
	t.Helper()
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "ledger.db"), box: box, members: []member.Name{"alice", "bob"}}
	s.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	l, err := ledger.Open(t.Context(), ledger.Options{Path: s.path, Now: s.now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s.Releaser = New(Options{Ledger: l, Now: s.now, Mailbox: func(m member.Mailbox, e policy.Everyone) policy.MailboxFacts {
		e.Configured = s.members
		return policy.MailboxFacts{Name: m, Shared: true, QuotaUsed: -1, Everyone: e}
	}})
	s.use(rules...)
	return s
}

func (s *scene) now() time.Time       { return time.UnixMilli(s.ms.Load()).UTC() }
func (s *scene) pass(d time.Duration) { s.ms.Add(d.Milliseconds()) }

func (s *scene) use(rules ...policy.Rule) {
	s.t.Helper()
	p, mistakes := policy.Compile(rules)
	if len(mistakes) > 0 {
		s.t.Fatal(mistakes[0])
	}
	s.Policy = p
}

// two is a listing of two messages.
var two = []message.Listed{{UniqueID: "u1", Size: 100}, {UniqueID: "u2", Size: 200}}

// visits is a session that deletes the messages of the listing with these
// places, under a rule.
func (s *scene) visits(mailbox member.Mailbox, who member.Name, rule string, outcome policy.Outcome, places ...int) []message.ID {
	s.t.Helper()
	s.pass(time.Second)
	v := ledger.Visit{Mailbox: mailbox, Member: who, Protocol: member.POP3, Configured: s.members, At: s.now()}
	drop, err := s.Ledger.OpenMaildrop(s.t.Context(), v, two)
	if err != nil {
		s.t.Fatal(err)
	}
	verdict := map[policy.Outcome]policy.Verdict{policy.Allowed: policy.Allow, policy.Deferred: policy.Defer}[outcome]
	record := ledger.Record{At: s.now()}
	for _, i := range places {
		record.Decisions = append(record.Decisions, ledger.Decision{
			Message: drop.IDs[i], Verdict: verdict, Rule: rule, Outcome: outcome, Facts: &policy.Facts{Op: policy.POP3Dele},
		})
	}
	if _, err := s.Ledger.Record(s.t.Context(), v, drop, record); err != nil {
		s.t.Fatal(err)
	}
	return drop.IDs
}

// pin pins all messages, or takes the pins off.
func (s *scene) pin(pinned int) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), "UPDATE messages SET pinned = ?", pinned); err != nil {
		s.t.Fatal(err)
	}
}

// wantDue compares what is due, in its order.
func (s *scene) wantDue(when string, want ...message.ID) {
	s.t.Helper()
	due, err := s.Due(s.t.Context(), s.box, true)
	var ids []message.ID
	for _, d := range due {
		ids = append(ids, d.ID)
	}
	if err != nil || !slices.Equal(ids, want) {
		s.t.Errorf("%s: due %v, %v; want %v", when, ids, err, want)
	}
}

func (s *scene) wantClaimed(when string, mailbox member.Mailbox, ids []message.ID, want ...message.ID) {
	s.t.Helper()
	claimed, err := s.Claim(s.t.Context(), mailbox, ids, true)
	if slices.Sort(claimed); err != nil || !slices.Equal(claimed, want) {
		s.t.Errorf("%s: claimed %v, %v; want %v", when, claimed, err, want)
	}
}

func (s *scene) why(id message.ID, flagsFresh bool) string {
	s.t.Helper()
	h, err := s.Ledger.Find(s.t.Context(), id)
	if err != nil || h == nil {
		s.t.Fatalf("message %d: %v, %v", id, h, err)
	}
	ruling, err := s.Explain(s.t.Context(), h, flagsFresh)
	if err != nil {
		s.t.Fatal(err)
	}
	return ruling.Why
}
