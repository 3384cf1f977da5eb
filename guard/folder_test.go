package guard

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Over IMAP a deferral is a refusal, and so is whatever is pinned. The second
// message is pinned.
func TestFolderOutcomeOfEveryCombination(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	f := s.inbox("alice")
	if s.commit(f, s.decide(f, expunge, looked(uidsFrom(1, 2))...)); f.Pending() != 0 {
		t.Fatalf("%d things are not on record", f.Pending())
	}
	s.sql(s.path, "UPDATE messages SET pinned = 1 WHERE uid = 2 RETURNING id")
	before := s.sql(s.path, traces)
	for _, e := range []struct {
		verdict       policy.Verdict
		anonymous     policy.Anonymous
		named, nobody policy.Outcome
	}{
		{policy.Allow, "", policy.Allowed, policy.Allowed},
		{policy.Refuse, "", policy.Refused, policy.Refused},
		{policy.Defer, "", policy.Deferred, policy.Deferred},
		{policy.Defer, policy.AnonymousHide, policy.Deferred, policy.Deferred},
		{policy.Defer, policy.AnonymousRefuse, policy.Deferred, policy.Refused},
		{policy.Defer, policy.AnonymousAccept, policy.Deferred, policy.Accepted},
	} {
		s.use(always(e.verdict, e.anonymous))
		for _, c := range []struct {
			who    member.Name
			stance Stance
			want   []policy.Outcome
		}{
			{"alice", Protect, []policy.Outcome{e.named, policy.Refused}},
			{"", Protect, []policy.Outcome{e.nobody, policy.Refused}},
			{"alice", Watch, []policy.Outcome{policy.Observed, policy.Observed}},
			{"", Watch, []policy.Outcome{policy.Observed, policy.Observed}},
		} {
			t.Run(fmt.Sprintf("%s %s, %q, %s", e.verdict, e.anonymous, c.who, c.stance), func(t *testing.T) {
				f := s.folder(c.who, c.stance, inbox, nil)
				preview, err := f.Preview(t.Context(), expunge, looked(uidsFrom(1, 2)))
				if got := outcomes(preview); err != nil || !slices.Equal(got, c.want) {
					t.Errorf("preview: %v, %v; want %v", got, err, c.want)
				}
				if n := f.Pending(); n != 0 {
					t.Errorf("a preview leaves %d things for the record", n)
				}
				rulings := s.decide(f, expunge, looked(uidsFrom(1, 2))...)
				if got := outcomes(rulings); !slices.Equal(got, c.want) || rulings[0].Decision.Verdict != e.verdict {
					t.Errorf("decided: %v, %+v; want %v", got, rulings[0].Decision, c.want)
				}
			})
		}
	}
	if n := s.sql(s.path, traces); n != before {
		t.Errorf("%d things are on record before Commit, want %d", n, before)
	}
}

func TestFolderFacts(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	drafts := OpenedFolder{Name: "Work/Drafts", Use: "drafts", UIDValidity: 9}
	f := s.folder("alice", Protect, drafts, nil)
	date := s.clock.Now().Add(-48 * time.Hour)
	f.Fetched(1, 0, s.clock.Now(), nil)
	f.Fetched(2, 70, s.clock.Now(), nil)
	fetched := s.clock.Now()
	if err := f.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(time.Hour)
	bob := s.folder("bob", Protect, drafts, nil)
	move := Deletion{Op: policy.IMAPMove, Destination: "Trash", DestinationUse: "trash"}
	rulings := s.decide(bob, move,
		message.Seen{UID: 1, Size: 50, InternalDate: date, Flags: []string{`\Seen`}}, message.Seen{UID: 2}, message.Seen{UID: 3, Size: 5})
	common := rulings[0].Facts
	if common.Op != policy.IMAPMove || common.Folder != "Work/Drafts" || common.FolderUse != "drafts" || common.Destination != "Trash" ||
		common.DestinationUse != "trash" || !common.Now.Equal(s.clock.Now()) || common.Member.Name != "bob" || common.Member.Protocol != member.IMAP {
		t.Errorf("%+v", common)
	}
	if e := common.Mailbox.Everyone; !common.Mailbox.Shared || len(e.Used) != 2 && len(e.Used) != 1 || len(e.Configured) != 2 {
		t.Errorf("%+v", common.Mailbox)
	}
	for i, want := range []policy.MessageFacts{
		{FirstSeen: date, Size: 50, Flags: []string{`\Seen`}, FlagsKnown: true, Fetched: []policy.Progress{{Member: "alice", Protocol: member.IMAP}}},
		{FirstSeen: fetched, Size: 70, FlagsKnown: true, Fetched: []policy.Progress{{Member: "alice", Protocol: member.IMAP}}},
		{FirstSeen: bob.since, Size: 5, FlagsKnown: true},
	} {
		if got := rulings[i].Facts.Message; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("message %d: %v, want %v", i+1, got, want)
		}
	}
}

func TestExpungeFromMarkToGone(t *testing.T) {
	s := newScene(t, ifOkay()...)
	f, other := s.inbox("alice"), s.inbox("bob")
	s.mark(f, uidsFrom(1, 2, 3, 4), nil)
	s.mark(other, uidsFrom(1, 4), nil)
	rulings := append(s.decide(f, expunge, looked(uidsFrom(3, 2, 1), okay)...), s.decide(f, expunge, looked(uidsFrom(4))...)...)
	s.wantMarks("before Commit", f, 1, 2, 3, 4)
	if remove := s.commit(f, rulings); !slices.Equal(remove, uidsFrom(1, 2, 3)) {
		t.Fatalf("remove %v", remove)
	}
	s.wantMarks("the refused one's ends", f, 1, 2, 3)
	s.wantMarks("another member's stays", other, 1, 4)
	if n := s.sql(s.path, "SELECT count(*) FROM decisions WHERE outcome = 'allow' OR outcome = 'refuse'"); n != 4 {
		t.Errorf("%d decisions on record", n)
	}
	s.settle(f, uidsFrom(1), uidsFrom(2)) // of 3 the upstream said nothing
	s.wantMarks("gone, there, and unknown", f, 2, 3)
	s.wantMarks("gone", other, 4)
	if got := s.inbox("carol").Unsettled(); !slices.Equal(got, uidsFrom(3)) {
		t.Errorf("unsettled %v", got)
	}
	if remove := s.commit(other, s.decide(other, expunge, looked(uidsFrom(1, 2, 3), okay)...)); !slices.Equal(remove, uidsFrom(2)) {
		t.Errorf("of one that is gone, one that stayed and one in doubt another may remove %v", remove)
	}
	s.clock.pass(20 * time.Minute)
	late := s.inbox("bob")
	s.settle(late, nil, late.Unsettled())
	if remove := s.commit(late, s.decide(late, expunge, looked(uidsFrom(2, 3), okay)...)); !slices.Equal(remove, uidsFrom(2, 3)) {
		t.Errorf("of two that stayed another may remove %v", remove)
	}
}

// A decision is on record whether or not Commit follows, and once.
func TestRefusalsGoOnRecordOnce(t *testing.T) {
	s := newScene(t, ifOkay()...)
	f := s.inbox("alice")
	rulings := s.decide(f, expunge, looked(uidsFrom(1, 2))...)
	if f.Pending() != 2 {
		t.Errorf("%d things wait", f.Pending())
	}
	for range 2 {
		if err := f.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.commit(f, rulings)
	s.commit(f, s.decide(f, expunge, looked(uidsFrom(3))...))
	if n := s.sql(s.path, "SELECT count(*) FROM decisions"); n != 3 || f.Pending() != 0 {
		t.Errorf("%d decisions on record, %d wait", n, f.Pending())
	}
}

func TestOneSessionRemovesOverIMAP(t *testing.T) {
	s := newScene(t, always(policy.Allow, ""))
	removed := make([][]message.UID, 5)
	var wg sync.WaitGroup
	for i, who := range []member.Name{"alice", "alice", "bob", "carol", ""} {
		f := s.inbox(who)
		rulings := s.decide(f, expunge, looked(uidsFrom(1, 2, 3))...)
		wg.Go(func() {
			var err error
			if removed[i], err = f.Commit(t.Context(), rulings); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(removed...)
	if slices.Sort(all); !slices.Equal(all, uidsFrom(1, 2, 3)) {
		t.Errorf("removed %v", removed)
	}
}

// In observe mode marks go upstream, everything passes, and what went is known.
func TestObservedFolder(t *testing.T) {
	s := newScene(t, always(policy.Refuse, ""))
	s.mark(s.inbox("alice"), uidsFrom(1), nil)
	f := s.folder("alice", Watch, inbox, nil)
	s.mark(f, uidsFrom(2), nil)
	if marks := f.Marks(); len(marks) != 0 {
		t.Errorf("marks %v", marks)
	}
	s.commit(f, s.decide(f, expunge, looked(uidsFrom(1, 3))...))
	s.settle(f, uidsFrom(1), uidsFrom(3))
	if n := s.sql(s.path, "SELECT count(*) FROM messages WHERE uid = 1 AND gone_how = 'observed'"); n != 1 {
		t.Error("what went is not on record as observed")
	}
	if n := s.sql(s.path, "SELECT count(*) FROM decisions WHERE verdict = 'refuse' AND outcome = 'observe'"); n != 2 {
		t.Errorf("%d decisions on record", n)
	}
	s.wantMarks("what is gone", s.inbox("alice"))
}

// That somebody uses a mailbox is on record without a write when a folder is
// opened, and is tried again.
func TestArrivalByIMAP(t *testing.T) {
	s := newScene(t)
	f := s.inbox("alice")
	at := s.clock.Now()
	eventually(t, "alice is on record", func() bool { return s.useOf(box, "alice").Protocol == member.IMAP })
	if f.Pending() != 0 {
		t.Errorf("%d things wait", f.Pending())
	}
	s.clock.pass(arrivalsRenew)
	if f.Pending() != 1 {
		t.Error("a member who stays for long is not noticed")
	}
	if err := f.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "alice is on record again", func() bool { return s.useOf(box, "alice").Last.After(at) })
}
