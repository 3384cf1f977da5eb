package guard

import (
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/policy"
)

// clock is a clock that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func (c *clock) Now() time.Time       { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// scene is a guard over a ledger of its own, with a clock that tests move.
type scene struct {
	*Guard

	t     testing.TB
	path  string
	clock *clock
	box   member.Mailbox // that sessions open
}

func newScene(t testing.TB, rules ...policy.Rule) *scene {
	t.Helper()
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "ledger.db"), box: box, clock: &clock{}}
	s.clock.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	s.Guard = New(Options{
		Mode: Enforce, LearnFor: time.Hour, Now: s.clock.Now, Log: zerolog.Nop(),
		Mailboxes: NewDirectory([]Entry{
			{Match: box, Settings: Settings{Shared: SharedYes, Members: []member.Name{"alice", "bob"}}},
			{Match: "shared*@example.com", Settings: Settings{Shared: SharedYes}},
			{Match: "private@example.com", Settings: Settings{Shared: SharedNo}},
			{Match: "watched@example.com", Settings: Settings{Shared: SharedYes, Mode: Observe}},
			{Match: "enforced@example.com", Settings: Settings{Shared: SharedYes, Mode: Enforce}},
		}),
	})
	s.use(rules...)
	s.start()
	t.Cleanup(func() { _ = s.Ledger.Close() })
	return s
}

// start opens the ledger, for a guard that knows nothing yet.
func (s *scene) start() {
	s.t.Helper()
	l, err := ledger.Open(s.t.Context(), ledger.Options{Path: s.path, Now: s.clock.Now, Log: zerolog.Nop()})
	if err != nil {
		s.t.Fatal(err)
	}
	o := s.Options
	o.Ledger = l
	s.Guard = New(o)
}

func (s *scene) close() {
	s.t.Helper()
	if err := s.Ledger.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) use(rules ...policy.Rule) {
	s.t.Helper()
	p, mistakes := policy.Compile(rules)
	if len(mistakes) > 0 {
		s.t.Fatal(mistakes[0])
	}
	s.Policy = p
}

// enter opens a session that begins a second from now.
func (s *scene) enter(who member.Name, stance Stance) *Maildrop {
	s.t.Helper()
	s.clock.pass(time.Second)
	m, err := s.OpenMaildrop(s.t.Context(), visitor(s.box, who), stance, s.clock.Now(), listing)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// rulings decides about the messages, none of which may fail.
func (s *scene) rulings(m *Maildrop, messages ...int) []Ruling {
	s.t.Helper()
	var all []Ruling
	for _, i := range messages {
		r, err := m.Decide(s.t.Context(), i)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// sql runs a statement on the ledger's file, past the ledger.
func (s *scene) sql(path, query string) (n int64) {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(s.t.Context(), query).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// traces counts what sessions leave in a ledger file besides their messages.
const traces = `SELECT (SELECT count(*) FROM decisions) + (SELECT count(*) FROM deletions) + (SELECT count(*) FROM fetches)
	+ (SELECT count(*) FROM messages WHERE claimed_at IS NOT NULL OR held_since IS NOT NULL)`

func always(then policy.Verdict, a policy.Anonymous) policy.Rule {
	return policy.Rule{Name: "r", When: "true", Then: then, Anonymous: a}
}
