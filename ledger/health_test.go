package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

// fill makes the ledger as full as its file is now.
func (f *fixture) fill() {
	f.pragma("max_page_count", f.number("PRAGMA page_count"))
}

// pragma sets a pragma of the connection that writes.
func (f *fixture) pragma(name string, value int64) {
	f.tb.Helper()
	if _, err := f.handles.Load().write.Exec(fmt.Sprintf("PRAGMA %s = %d", name, value)); err != nil {
		f.tb.Fatal(err)
	}
}

// A ledger that can be read and not written refuses all at once, says so once,
// and works again by itself.
func TestReadOnly(t *testing.T) {
	tests := []struct {
		name         string
		damage, mend func(f *fixture)
	}{
		{"full", (*fixture).fill, func(f *fixture) { f.pragma("max_page_count", 1<<30) }},
		{"cannot be written", func(f *fixture) { f.pragma("query_only", 1) }, func(f *fixture) { f.pragma("query_only", 0) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			s := f.enter("alice", mail("a", 1), mail("b", 1))
			s.dele(policy.Deferred, s.IDs[0])
			test.damage(f)
			f.failToWrite(s)
			if err := f.Writable(t.Context()); !errors.Is(err, ErrReadOnly) {
				t.Errorf("Writable: %v", err)
			}
			drop, err := f.ReadMaildrop(t.Context(), f.visit("alice"), []message.Listed{mail("a", 1), mail("b", 1), mail("new", 1)})
			if err != nil || !drop.Hidden[0] || drop.Hidden[1] || drop.IDs[2] != 0 {
				t.Errorf("it cannot be read: %v, %v", drop, err)
			}
			if n := f.log.count(`"level":"error"`); n != 1 {
				t.Errorf("%d errors in the log, want 1", n)
			}
			test.mend(f)
			eventually(t, "the ledger works again", func() bool { return f.State() == Healthy })
			s.dele(policy.Deferred, s.IDs[1])
			if again := f.enter("alice", mail("a", 1), mail("b", 1)); !again.Hidden[0] || !again.Hidden[1] {
				t.Errorf("hidden %v", again.Hidden)
			}
		})
	}
}

// failToWrite records until the ledger is full; what failed left nothing.
func (f *fixture) failToWrite(s *opened) {
	f.tb.Helper()
	big := make([]Decision, 500)
	for i := range big {
		big[i] = decisions(policy.Accepted, s.IDs[1])[0]
	}
	before := f.number("SELECT count(*) FROM decisions")
	for range 3 {
		r := Record{Decisions: append(decisions(policy.Deferred, s.IDs[1]), big...), At: f.clock.Now()}
		if _, err := f.Record(f.tb.Context(), s.visit, s.Maildrop, r); !errors.Is(err, ErrReadOnly) {
			f.tb.Fatalf("error %v", err)
		}
	}
	if n := f.number("SELECT count(*) FROM decisions"); n != before {
		f.tb.Errorf("%d decisions of a record that failed", n-before)
	}
	if n := len(f.found(s.IDs[1]).Deletions); n != 0 {
		f.tb.Errorf("%d deletions of a record that failed", n)
	}
}

// A ledger that turns corrupt while it is open is closed, and is open again
// once the file is put right.
func TestCorruptWhileOpen(t *testing.T) {
	f := newFixture(t)
	f.fail(errors.New("database disk image is malformed"), Unreadable)
	if err := f.Writable(t.Context()); err != nil && !errors.Is(err, ErrUnreadable) {
		t.Errorf("error %v", err)
	}
	eventually(t, "the ledger works again", func() bool { return f.State() == Healthy })
	f.enter("alice", mail("a", 1))
}

// However failures and recoveries meet, a ledger that says it is healthy has
// its file open.
func TestFailuresMeetRecoveries(t *testing.T) {
	f := newFixture(t)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				f.fail(errors.New("a test"), ReadOnly)
				f.fail(errors.New("a test"), Unreadable)
			}
		}
	}()
	for range 20 {
		eventually(t, "it is tried again", func() bool {
			f.health.mu.Lock()
			defer f.health.mu.Unlock()
			if has := f.handles.Load() != nil; has != (f.health.state != Unreadable) {
				t.Errorf("state %d, handles %v", f.health.state, has)
			}
			return true
		})
		<-time.After(quickly)
	}
	close(stop)
	<-done
	eventually(t, "the ledger works again", func() bool { return f.State() == Healthy && f.heartbeat(t.Context()) == nil })
}

func TestWritableWritesOncePerSecond(t *testing.T) {
	f := newFixture(t)
	beat := func() int64 { return f.number("SELECT coalesce(max(at), 0) FROM heartbeat") }
	f.clock.pass(time.Minute)
	if err := f.Writable(t.Context()); err != nil || beat() != f.clock.Now().UnixMilli() {
		t.Fatalf("nothing was tried: %v", err)
	}
	first := beat()
	f.clock.pass(vouches / 2)
	if err := f.Writable(t.Context()); err != nil || beat() != first {
		t.Errorf("it is tried although somebody just wrote: %v", err)
	}
	f.clock.pass(vouches)
	if err := f.Writable(t.Context()); err != nil || beat() == first {
		t.Errorf("an old commit vouches: %v", err)
	}
}

func TestClosed(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, recordErr := f.Record(t.Context(), s.visit, s.Maildrop, Record{Decisions: decisions(policy.Deferred, s.IDs...)})
	_, heldErr := f.Held(t.Context(), Filter{})
	for name, err := range map[string]error{
		"Record": recordErr, "Held": heldErr, "Writable": f.Writable(t.Context()), "Arrive": f.Arrive(t.Context(), s.visit),
		"commit": f.commit(t.Context(), func(context.Context, *sql.Tx) error { return nil }),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
