package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailguard/policy"
)

// Whatever fails: nothing is removed, nothing is marked that the ledger does
// not know, and the client can be told to try again.
func TestNoFolderWithoutALedger(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, ifOkay()...)
			f := s.inbox("alice")
			eventually(t, "alice is on record", func() bool { return s.useOf(box, "alice").Member == "alice" })
			rulings := s.decide(f, expunge, looked(uidsFrom(1, 2), okay)...)
			refused := s.decide(f, expunge, looked(uidsFrom(3))...)
			f.Fetched(4, 100, s.clock.Now(), nil)
			c.fail(s)
			if remove, err := f.Commit(t.Context(), rulings); !errors.Is(err, ErrTemporary) || remove != nil {
				t.Errorf("Commit: %v, %v", remove, err)
			}
			if remove, err := f.Commit(t.Context(), refused); !errors.Is(err, ErrTemporary) || remove != nil {
				t.Errorf("Commit of a refusal: %v, %v", remove, err)
			}
			if remove, err := f.Commit(t.Context(), nil); err != nil || remove != nil {
				t.Errorf("Commit of nothing: %v, %v", remove, err)
			}
			if err := f.Mark(t.Context(), uidsFrom(1), nil); !errors.Is(err, ErrTemporary) || len(f.Marks()) != 0 {
				t.Errorf("Mark: %v, %v", err, f.Marks())
			}
			if r, err := f.Decide(t.Context(), expunge, looked(uidsFrom(1), okay)); !errors.Is(err, ErrTemporary) || r != nil {
				t.Errorf("Decide: %v, %v", r, err)
			}
			if err := f.Settle(t.Context(), uidsFrom(1), nil); err == nil {
				t.Error("Settle says that it settled")
			}
			if err := f.Save(t.Context()); err == nil || f.Pending() < 2 {
				t.Errorf("Save: %v, %d wait", err, f.Pending())
			}
			o := OpenedFolder{Name: "Old"}
			s.use(always(policy.Allow, ""))
			if r, err := s.DecideFolder(t.Context(), f.visitor, Protect, o, Deletion{Op: policy.IMAPDeleteFolder}); !errors.Is(err, ErrTemporary) || r.Outcome != "" {
				t.Errorf("DecideFolder: %v, %v", r, err)
			}
			if n := s.left(); n != 0 {
				t.Errorf("%d things are on record", n)
			}
		})
	}
}

// A session that begins without a ledger shows everything and deletes nothing.
func TestBlindFolder(t *testing.T) {
	s := newScene(t, always(policy.Allow, ""))
	s.mark(s.inbox("alice"), uidsFrom(1), nil)
	s.close()
	f := s.inbox("alice")
	if f.Marks() != nil || f.Unsettled() != nil {
		t.Errorf("marks %v, unsettled %v", f.Marks(), f.Unsettled())
	}
	s.wantChanges("blind", f, nil, nil)
	if r, err := f.Preview(t.Context(), expunge, looked(uidsFrom(1))); !errors.Is(err, ErrTemporary) || r != nil {
		t.Errorf("Preview: %v, %v", r, err)
	}
	if r, err := f.Decide(t.Context(), expunge, looked(uidsFrom(1))); !errors.Is(err, ErrTemporary) || r != nil {
		t.Errorf("Decide: %v, %v", r, err)
	}
	if err := f.Mark(t.Context(), uidsFrom(1), nil); !errors.Is(err, ErrTemporary) {
		t.Errorf("Mark: %v", err)
	}
	if remove, err := f.Commit(t.Context(), []FolderRuling{{Outcome: policy.Allowed, Facts: &policy.Facts{}}}); !errors.Is(err, ErrTemporary) || remove != nil {
		t.Errorf("Commit: %v, %v", remove, err)
	}
}

func TestObservedFolderWithoutALedger(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(policy.Refuse, ""))
			before := s.folder("alice", Watch, inbox, nil)
			rulings := s.decide(before, expunge, looked(uidsFrom(1))...)
			c.fail(s)
			for _, f := range []*Folder{before, s.folder("alice", Watch, inbox, nil)} {
				if err := f.Mark(t.Context(), uidsFrom(1), nil); err != nil {
					t.Errorf("Mark: %v", err)
				}
				if _, err := f.Commit(t.Context(), rulings); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
			r, err := s.DecideFolder(t.Context(), before.visitor, Watch, inbox, Deletion{Op: policy.IMAPDeleteFolder})
			if err != nil || r.Outcome != policy.Observed {
				t.Errorf("DecideFolder: %+v, %v", r, err)
			}
		})
	}
}

// A fault at any write of a call fails the call, and leaves memory and ledger
// as they were.
func TestAFaultAnywhereInAFolder(t *testing.T) {
	for _, fault := range []string{
		"uses INSERT", "messages INSERT", "messages UPDATE", "decisions INSERT", "deletions INSERT", "fetches INSERT", "marks INSERT", "marks DELETE",
	} {
		t.Run(fault, func(t *testing.T) {
			s := newScene(t, ifOkay()...)
			f := s.inbox("alice")
			eventually(t, "alice is on record", func() bool { return s.useOf(box, "alice").Member == "alice" })
			s.mark(f, uidsFrom(1, 2, 3), nil)
			rulings := append(s.decide(f, expunge, looked(uidsFrom(1, 2), okay)...), s.decide(f, expunge, looked(uidsFrom(3))...)...)
			f.Fetched(4, 100, s.clock.Now(), nil)
			table, event, _ := strings.Cut(fault, " ")
			s.exec(fmt.Sprintf("CREATE TRIGGER fault BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'fault'); END", event, table))
			remove, err := f.Commit(t.Context(), rulings)
			if table != "marks" || event == "DELETE" {
				if !errors.Is(err, ErrTemporary) || remove != nil {
					t.Fatalf("Commit: %v, %v", remove, err)
				}
				if n := s.sql(s.path, traces); n != 0 {
					t.Errorf("%d things are on record", n)
				}
				s.wantMarks("Commit failed", f, 1, 2, 3)
			}
			if table == "marks" || table == "uses" {
				before := f.Marks()
				if err := f.Mark(t.Context(), uidsFrom(9), uidsFrom(1)); !errors.Is(err, ErrTemporary) {
					t.Errorf("Mark: %v", err)
				}
				s.wantMarks("Mark failed", f, before...)
			}
			s.exec("DROP TRIGGER fault")
			if remove == nil {
				remove = s.commit(f, rulings)
			}
			if !slices.Equal(remove, uidsFrom(1, 2)) {
				t.Errorf("afterwards remove %v", remove)
			}
			if n := s.sql(s.path, "SELECT count(*) FROM decisions"); n != 3 {
				t.Errorf("%d decisions on record", n)
			}
		})
	}
}

// A ledger that is full can be read: everything is shown, nothing deleted.
func TestFolderWithAFullLedger(t *testing.T) {
	s := newScene(t, always(policy.Allow, ""))
	s.mark(s.inbox("alice"), uidsFrom(1), nil)
	s.inbox("alice").Fetched(1, 100, s.clock.Now(), nil)
	s.enter("alice", Protect)
	s.full()
	f := s.inbox("alice")
	rulings := s.decide(f, expunge, looked(uidsFrom(1))...)
	if remove, err := f.Commit(t.Context(), rulings); !errors.Is(err, ErrTemporary) || remove != nil {
		t.Errorf("Commit: %v, %v", remove, err)
	}
	if r, err := f.Decide(t.Context(), expunge, looked(uidsFrom(1))); !errors.Is(err, ErrTemporary) || r != nil {
		t.Errorf("Decide once it is known: %v, %v", r, err)
	}
	if got := s.inbox("alice").Marks(); !slices.Equal(got, uidsFrom(1)) {
		t.Errorf("marks %v", got)
	}
}
