package guard

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// look is a look at a folder with ten UIDs given away, that shows one range.
func (s *scene) look(first, last message.UID) Look {
	s.clock.pass(time.Second)
	return Look{At: s.clock.Now(), UpTo: 10, Exists: uint32(last - first + 1), Present: []UIDRange{{First: first, Last: last}}}
}

// A folder is swept once a day, by one of all sessions that open it.
func TestSweepIsDueOnce(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	due := func(when string, want bool, f *Folder) {
		t.Helper()
		if got := f.SweepDue(); got != want {
			t.Errorf("%s: due %v", when, got)
		}
	}
	due("nothing is known", false, s.inbox("alice"))
	s.hide(s.inbox("alice"), 1)
	due("it is new", false, s.inbox("alice"))
	s.clock.pass(24 * time.Hour)
	f, other, watching := s.inbox("alice"), s.inbox("bob"), s.folder("carol", Watch, inbox, nil)
	due("a day later", true, f)
	due("asked again", false, f)
	due("another session", false, other)
	due("an observed session", false, watching)
	due("another folder", false, s.trash("alice"))
	s.clock.pass(sweepAgain)
	due("it was begun and not reported", true, other)
	if err := f.Swept(t.Context(), s.look(1, 3)); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(sweepAgain)
	due("opened before it was swept", false, watching)
	due("swept", false, s.inbox("bob"))
	s.close()
	s.start() // another process
	due("swept, as the ledger knows", false, s.inbox("bob"))
	s.clock.pass(24 * time.Hour)
	due("the next day", true, s.folder("carol", Watch, inbox, nil))
	s.close()
	due("without a ledger", false, s.inbox("bob"))
}

// What went past the guard is hidden and marked no more, for everybody, and the
// copies of what came back by an undo are shown.
func TestSwept(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	alice, bob := s.inbox("alice"), s.inbox("bob")
	s.hide(alice, 1, 2, 3, 4)
	s.hide(bob, 2)
	s.mark(bob, uidsFrom(1, 5, 8), nil)
	s.move(alice, 6, 16)
	s.undo(s.trash("alice"), 16)
	bob.Copied(uidsFrom(7), "INBOX", "", 7, uidsFrom(8))
	f := s.folder("carol", Watch, inbox, nil)
	for _, bad := range []Look{{At: s.clock.Now(), UpTo: 10, Exists: 3}, {At: s.clock.Now(), UpTo: 10, Exists: 3, Present: s.look(1, 2).Present}} {
		if err := f.Swept(t.Context(), bad); err == nil {
			t.Error("a look that shows a part is taken")
		}
		s.wantHidden("refused", alice, 1, 2, 3, 4, 6)
	}
	if err := f.Swept(t.Context(), s.look(3, 5)); err != nil {
		t.Fatal(err)
	}
	s.wantHidden("swept", alice, 3, 4)
	s.wantHidden("swept", bob)
	s.wantMarks("swept", bob, 5)
	s.wantHidden("at the next SELECT", s.inbox("alice"), 3, 4)
	s.wantHidden("the copy is back", s.trash("alice"))
	if op := s.decide(bob, expunge, looked(uidsFrom(7))...)[0].Facts.Op; op != policy.IMAPExpunge {
		t.Errorf("the copy is gone, and an expunge is %s", op)
	}
}

// Where the ledger fails nothing is forgotten, in memory either.
func TestSweptWithoutALedger(t *testing.T) {
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(policy.Defer, ""))
			f := s.inbox("alice")
			s.hide(f, 1, 2)
			s.mark(f, uidsFrom(3), nil)
			c.fail(s)
			if err := f.Swept(t.Context(), s.look(5, 9)); err == nil {
				t.Error("it says that it swept")
			}
			s.wantHidden("failed", f, 1, 2)
			if got := f.Marks(); !slices.Equal(got, uidsFrom(3)) {
				t.Errorf("marks %v", got)
			}
			if err := s.FolderGone(t.Context(), f.visitor, "Old"); err == nil {
				t.Error("it says that a folder is gone")
			}
		})
	}
	s := newScene(t, always(policy.Defer, ""))
	s.close()
	if err := s.inbox("alice").Swept(t.Context(), s.look(5, 9)); !errors.Is(err, ErrTemporary) {
		t.Errorf("blind: %v", err)
	}
}

// A folder that was deleted holds nothing any more. How its messages went
// depends on whether the deletion was only observed.
func TestFolderGone(t *testing.T) {
	for mailbox, how := range map[member.Mailbox]string{box: "allowed", "watched@example.com": "observed"} {
		s := newScene(t, always(policy.Defer, ""))
		s.box = mailbox
		s.move(s.folder("alice", Protect, OpenedFolder{Name: "Old", UIDValidity: 7}, nil), 1, 11)
		in, below := s.trash("alice"), s.folder("alice", Protect, OpenedFolder{Name: "Old/below", UIDValidity: 7}, nil)
		s.hide(below, 2)
		if back, err := in.Undo(t.Context(), s.decide(in, Deletion{Op: policy.IMAPMove, Destination: "Old"}, looked(uidsFrom(11))...), "Old", 7); err != nil || len(back) != 1 {
			t.Fatalf("back %v, %v", back, err)
		}
		s.hide(s.folder("bob", Protect, OpenedFolder{Name: "Old", UIDValidity: 7}, nil), 3)
		if err := s.FolderGone(t.Context(), in.visitor, "Old"); err != nil {
			t.Fatal(err)
		}
		s.wantHidden("gone", s.folder("bob", Protect, OpenedFolder{Name: "Old", UIDValidity: 7}, nil))
		s.wantHidden("below it", s.folder("alice", Protect, OpenedFolder{Name: "Old/below", UIDValidity: 7}, nil), 2)
		s.wantHidden("the copy is back", s.trash("alice"))
		if n := s.sql(s.path, "SELECT count(*) FROM messages WHERE gone_how = '"+how+"'"); n != 2 {
			t.Errorf("%s: %d messages went so", mailbox, n)
		}
	}
}

// Housekeep forgets what is long gone, and what is on record of it, at once, and
// ends with its context.
func TestHousekeep(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	s.AuditKeep = keptFor
	f := s.inbox("alice")
	for uid := range message.UID(3) {
		f.Fetched(uid+1, 100, s.clock.Now(), nil)
	}
	if err := f.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.settle(f, uidsFrom(1, 2), nil)
	s.clock.pass(2 * keptFor)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Housekeep(ctx) }()
	eventually(t, "what is gone is forgotten", func() bool { return s.sql(s.path, "SELECT count(*) FROM messages") == 1 })
	cancel()
	<-ended
}

// The record is kept as long as the configuration says, and with it the bare
// rows of what it speaks of.
func TestTidyKeepsTheRecord(t *testing.T) {
	for keep, want := range map[time.Duration]int64{0: 1, 2*keptFor + time.Hour: 1, 2 * keptFor: 0} {
		s := newScene(t, always(policy.Defer, ""))
		s.AuditKeep = keep
		s.hide(s.inbox("alice"), 1)
		s.clock.pass(time.Second)
		s.sweptEmpty("alice")
		s.exec("DELETE FROM decisions WHERE kind = 'verdict'")
		s.clock.pass(2*keptFor + time.Second)
		s.tidy(t.Context())
		if n := s.sql(s.path, "SELECT count(*) FROM decisions"); n != want {
			t.Errorf("kept for %v: %d entries, want %d", keep, n, want)
		}
		if n := s.sql(s.path, "SELECT count(*) FROM messages"); n != want {
			t.Errorf("kept for %v: %d messages, want %d", keep, n, want)
		}
	}
}

// sweptEmpty finds the inbox empty.
func (s *scene) sweptEmpty(who member.Name) {
	s.t.Helper()
	f := s.inbox(who)
	s.settle(f, f.Hidden(), nil)
}

// What fails is tried again sooner.
func TestTidyFails(t *testing.T) {
	s := newScene(t, always(policy.Defer, ""))
	if wait := s.tidy(t.Context()); wait != housekeepEvery {
		t.Errorf("again after %v", wait)
	}
	s.close()
	if wait := s.tidy(t.Context()); wait != housekeepAgain {
		t.Errorf("failed, again after %v", wait)
	}
}
