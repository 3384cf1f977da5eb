package guard

import (
	"errors"
	"os"
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/message"
	"mailguard/policy"
)

// failures are the ways in which a ledger fails for good.
var failures = []struct {
	name string
	fail func(s *scene)
}{
	{"closed", (*scene).close},
	{"gone", func(s *scene) {
		s.rename(s.path, s.path+".away")
		s.clock.pass(time.Minute) // so that no commit of a moment ago vouches for it
	}},
}

func (s *scene) rename(from, to string) {
	s.t.Helper()
	if err := os.Rename(from, to); err != nil {
		s.t.Fatal(err)
	}
}

// left counts the traces in the ledger's file after it failed, wherever it is.
func (s *scene) left() int64 {
	s.t.Helper()
	_ = s.Ledger.Close()
	if _, err := os.Stat(s.path); err != nil { // what is in the log belongs to the file of the old name
		s.rename(s.path+".away", s.path)
	}
	return s.sql(s.path, traces)
}

func TestNothingWithoutALedger(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(policy.Defer, ""))
			m := s.enter("alice", Protect)
			m.Fetched(1, s.clock.Now(), nil)
			deletions := s.rulings(m, 0)
			c.fail(s)
			if r, err := m.Decide(t.Context(), 1); !errors.Is(err, ErrTemporary) || r.Facts != nil {
				t.Errorf("Decide: %+v, %v", r, err)
			}
			if remove, err := m.Commit(t.Context(), deletions, []int{1}); !errors.Is(err, ErrTemporary) || remove != nil {
				t.Errorf("Commit: %v, %v", remove, err)
			}
			if _, err := s.OpenMaildrop(t.Context(), visitor(box, "bob"), Protect, s.clock.Now(), listing); !errors.Is(err, ErrTemporary) {
				t.Errorf("OpenMaildrop: %v", err)
			}
			if n := s.left(); n != 0 {
				t.Errorf("%d things are on record", n)
			}
		})
	}
}

// Who deletes nothing is told nothing that depends on the ledger.
func TestQuitWithoutDeletions(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m := s.enter("alice", Protect)
			m.Fetched(0, s.clock.Now(), nil)
			c.fail(s)
			if err := m.Save(t.Context()); err == nil {
				t.Error("Save says that it saved")
			}
			if remove, err := m.Commit(t.Context(), nil, []int{1}); err != nil || len(remove) > 0 {
				t.Errorf("Commit: %v, %v", remove, err)
			}
		})
	}
}

func TestObserveWithoutALedger(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(policy.Refuse, ""))
			m := s.enter("alice", Watch)
			deletions := s.rulings(m, 0)
			c.fail(s)
			if _, err := m.Commit(t.Context(), deletions, []int{1}); err != nil {
				t.Errorf("Commit: %v", err)
			}
			later, err := s.OpenMaildrop(t.Context(), visitor(box, "bob"), Watch, s.clock.Now(), listing)
			if err != nil {
				t.Fatalf("OpenMaildrop: %v", err)
			}
			if hidden := later.Hidden(); len(hidden) != len(listing) || hidden[0] || hidden[1] || later.ID(0) != 0 {
				t.Errorf("hidden %v, number %d", hidden, later.ID(0))
			}
			// The verdict may be unknown; that must be an error which the caller
			// can tell, and the end of the session must not fail by it.
			later.Fetched(0, s.clock.Now(), nil)
			r, err := later.Decide(t.Context(), 0)
			if err != nil && !errors.Is(err, ErrTemporary) {
				t.Errorf("Decide: %v", err)
			}
			if _, err := later.Commit(t.Context(), []Ruling{r}, nil); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
}

// full makes the ledger one that can be read but takes no new message: its
// numbers have run out, which SQLite reports as a full disk.
func (s *scene) full() []message.Listed {
	s.t.Helper()
	s.sql(s.path, "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'messages' RETURNING 1")
	return append(listing[:2:2], message.Listed{UniqueID: "new", Size: 1})
}

func TestReadOn(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	m := s.enter("alice", Protect)
	if _, err := m.Commit(t.Context(), s.rulings(m, 0), nil); err != nil {
		t.Fatal(err)
	}
	more := s.full()
	s.clock.pass(time.Second)
	v, now := visitor(box, "alice"), s.clock.Now()
	if _, err := s.OpenMaildrop(t.Context(), v, Protect, now, more); !errors.Is(err, ErrTemporary) || !errors.Is(err, ledger.ErrReadOnly) {
		t.Fatalf("without ReadOn: %v", err)
	}
	s.ReadOn = true
	reads, err := s.OpenMaildrop(t.Context(), v, Protect, now, more)
	if err != nil {
		t.Fatalf("with ReadOn: %v", err)
	}
	if hidden := reads.Hidden(); !hidden[0] || hidden[1] || hidden[2] {
		t.Errorf("hidden %v", hidden)
	}
	before := s.sql(s.path, traces)
	reads.Fetched(1, now, nil)
	if _, err := reads.Decide(t.Context(), 1); !errors.Is(err, ErrTemporary) || !errors.Is(err, ledger.ErrReadOnly) {
		t.Errorf("Decide: %v", err)
	}
	if remove, err := reads.Commit(t.Context(), nil, []int{1}); err != nil || len(remove) > 0 {
		t.Errorf("Commit: %v, %v", remove, err)
	}
	if remove, err := reads.Commit(t.Context(), []Ruling{{Index: 1, Outcome: policy.Allowed}}, nil); !errors.Is(err, ErrTemporary) || len(remove) > 0 {
		t.Errorf("Commit of a deletion: %v, %v", remove, err)
	}
	if after := s.sql(s.path, traces); after != before {
		t.Errorf("%d things on record, %d before", after, before)
	}
}

// A ledger that cannot even be read shows nothing, ReadOn or not.
func TestReadOnNeedsALedgerThatCanBeRead(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.ReadOn = true
			c.fail(s)
			if _, err := s.OpenMaildrop(t.Context(), visitor(box, "alice"), Protect, s.clock.Now(), listing); !errors.Is(err, ErrTemporary) {
				t.Errorf("error %v", err)
			}
		})
	}
}
