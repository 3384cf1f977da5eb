package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Every check of the model writes to the disk some dozen times. More are
	// for whoever asks: -rapid.checks=1000.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("4")
	}
	goleak.VerifyTestMain(m)
}

// fewChecks has a model that takes long checked less often, unless somebody asks for
// more.
func fewChecks(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == "4" {
		_ = checks.Value.Set("2")
		t.Cleanup(func() { _ = checks.Value.Set("4") })
	}
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pass moves the clock and returns the new time.
func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// logged is a log that tests can read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// fixture is a ledger with its clock and log.
type fixture struct {
	*Ledger

	tb    testing.TB
	clock *clock
	log   *logged
}

// quickly is how often the tests' ledgers are tried again.
const quickly = 5 * time.Millisecond

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	return openFixture(tb, filepath.Join(tb.TempDir(), "ledger.db"))
}

func openFixture(tb testing.TB, path string) *fixture {
	tb.Helper()
	f := &fixture{tb: tb, clock: newClock(), log: &logged{}}
	var err error
	f.Ledger, err = open(context.Background(), Options{Path: path, Now: f.clock.Now, Log: zerolog.New(f.log)}, quickly)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	tb.Cleanup(f.checkHidden)
	return f
}

const box = member.Mailbox("support@example.com")

// visit is a session of a member that begins a second from now, so that it is
// later than whatever was before it.
func (f *fixture) visit(name member.Name) Visit {
	at := f.clock.pass(time.Second)
	return Visit{Mailbox: box, Member: name, Protocol: member.POP3, Proof: member.ByLogin, At: at}
}

// opened is a session with its maildrop open.
type opened struct {
	*Maildrop

	f     *fixture
	visit Visit
}

func (f *fixture) open(v Visit, listing ...message.Listed) *opened {
	f.tb.Helper()
	drop, err := f.OpenMaildrop(f.tb.Context(), v, listing)
	if err != nil {
		f.tb.Fatal(err)
	}
	return &opened{drop, f, v}
}

// enter opens a session of a member that begins now.
func (f *fixture) enter(name member.Name, listing ...message.Listed) *opened {
	f.tb.Helper()
	return f.open(f.visit(name), listing...)
}

// record puts on record, and returns what was claimed.
func (o *opened) record(r Record) []message.ID {
	o.f.tb.Helper()
	if r.At.IsZero() {
		r.At = o.f.clock.pass(time.Second)
	}
	claimed, err := o.f.Record(o.f.tb.Context(), o.visit, o.Maildrop, r)
	if err != nil {
		o.f.tb.Fatal(err)
	}
	return claimed
}

// dele puts deletions with one outcome on record.
func (o *opened) dele(outcome policy.Outcome, ids ...message.ID) []message.ID {
	o.f.tb.Helper()
	return o.record(Record{Decisions: decisions(outcome, ids...)})
}

func decisions(outcome policy.Outcome, ids ...message.ID) []Decision {
	verdict := policy.Defer
	if outcome == policy.Allowed {
		verdict = policy.Allow
	}
	var all []Decision
	for _, id := range ids {
		all = append(all, Decision{
			Message: id, Verdict: verdict, Rule: "rule", Outcome: outcome, Facts: &policy.Facts{Op: policy.POP3Dele},
		})
	}
	return all
}

// found is the message with everything about it, which must be there.
func (f *fixture) found(id message.ID) *Held {
	f.tb.Helper()
	h, err := f.Find(f.tb.Context(), id)
	if err != nil || h == nil {
		f.tb.Fatalf("message %d: %v, %v", id, h, err)
	}
	return h
}

// exec changes the ledger past its methods.
func (f *fixture) exec(query string, args ...any) {
	f.tb.Helper()
	err := f.commit(f.tb.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		f.tb.Fatal(err)
	}
}

// number is the answer to a query that gives one number.
func (f *fixture) number(query string, args ...any) (n int64) {
	f.tb.Helper()
	err := f.reading(func(q querier) error { return q.QueryRowContext(f.tb.Context(), query, args...).Scan(&n) })
	if err != nil {
		f.tb.Fatal(err)
	}
	return n
}

// eventually waits until something holds that the ledger does by itself.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			tb.Fatalf("it never happens: %s", what)
		case <-time.After(quickly):
		}
	}
}

func mail(id string, size int64) message.Listed {
	return message.Listed{UniqueID: message.UniqueID(id), Size: size}
}

func noLog() zerolog.Logger { return zerolog.Nop() }

// listingOf is a listing of messages of one octet.
func (o *opened) listingOf(ids ...string) []message.Listed {
	var all []message.Listed
	for _, id := range ids {
		all = append(all, mail(id, 1))
	}
	return all
}

func (f *fixture) write(d *difference, mailbox int64) {
	f.tb.Helper()
	err := f.commit(f.tb.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return d.write(ctx, tx, mailbox, f.clock.Now())
	})
	if err != nil {
		f.tb.Fatal(err)
	}
}

func alwaysDue(*Held, policy.Everyone) (Ruling, error) { return Ruling{Due: true}, nil }

// mustClaim claims a held message for release.
func (f *fixture) mustClaim(id message.ID) {
	f.tb.Helper()
	ids, err := f.Claim(f.tb.Context(), box, []message.ID{id}, f.clock.pass(time.Second), alwaysDue)
	if err != nil || len(ids) != 1 {
		f.tb.Fatalf("claimed %v, %v", ids, err)
	}
}
