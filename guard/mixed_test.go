package guard

import (
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
	"mailguard/release"
)

// due are the held messages that may be released now.
func (s *scene) due() []message.Identity {
	s.t.Helper()
	r := release.New(release.Options{Ledger: s.Ledger, Policy: s.Policy, Mailbox: s.MailboxFacts, Now: s.clock.Now})
	due, err := r.Due(s.t.Context(), box, true)
	if err != nil {
		s.t.Fatal(err)
	}
	return due
}

func whenDone() policy.Rule {
	return policy.Rule{Name: "r", When: "true", Then: policy.Defer, Release: &policy.Release{When: "everyone_is_done()"}}
}

// What two members have deleted over POP3 is released, unless somebody uses the
// mailbox by IMAP: a third, or one of the two. What was done over IMAP to the
// same message, as far as anybody could tell, changes nothing.
func TestAnIMAPUserKeepsWhatPOP3Deleted(t *testing.T) {
	for _, c := range []struct {
		name string
		imap []member.Name // who uses the mailbox by IMAP
		do   bool          // they fetch everything and delete it
		due  int
	}{
		{"nobody", nil, false, 1},
		{"a third", []member.Name{"carol"}, false, 0},
		{"one of the two", []member.Name{"bob"}, false, 0},
		{"somebody who cannot be told apart", []member.Name{""}, false, 0},
		{"a third who deletes", []member.Name{"carol"}, true, 0},
		{"all who delete", []member.Name{"alice", "bob"}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, whenDone())
			print := &message.Fingerprint{1}
			for _, who := range []member.Name{"alice", "bob"} {
				m := s.enter(who, Protect)
				m.Fetched(0, s.clock.Now(), print)
				if _, err := m.Commit(t.Context(), s.rulings(m, 0), nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, who := range c.imap {
				f := s.inbox(who)
				eventually(t, "they are on record", func() bool {
					e, err := s.Ledger.Everyone(t.Context(), box)
					return err == nil && usedByIMAP(e, who)
				})
				if !c.do {
					continue
				}
				f.Fetched(1, listing[0].Size, s.clock.Now(), print)
				for _, outcome := range []policy.Outcome{policy.Deferred, policy.Allowed} {
					s.recordPast(f, outcome)
				}
				s.settle(f, uidsFrom(1), nil)
			}
			if due := s.due(); len(due) != c.due {
				t.Errorf("due: %v, want %d", due, c.due)
			}
		})
	}
}

func usedByIMAP(e policy.Everyone, who member.Name) bool {
	for _, u := range e.Used {
		if u.Member == who && u.Protocol == member.IMAP {
			return true
		}
	}
	return false
}

// recordPast records a deletion over IMAP, past the guard's verdict.
func (s *scene) recordPast(f *Folder, outcome policy.Outcome) {
	s.t.Helper()
	d := ledger.FolderDecision{
		Seen: message.Seen{UID: 1, Size: listing[0].Size}, Verdict: policy.Defer, Rule: "r", Outcome: outcome, Facts: &policy.Facts{Op: policy.IMAPExpunge},
	}
	now := s.clock.Now()
	if _, err := s.Ledger.RecordFolder(s.t.Context(), f.visit(now), f.key, ledger.FolderRecord{At: now, Decisions: []ledger.FolderDecision{d}}); err != nil {
		s.t.Fatal(err)
	}
}

// The other way round: what POP3 members have deleted, or left alone, lets
// nobody expunge over IMAP what waits for everyone.
func TestAPOP3UserKeepsWhatIMAPWouldExpunge(t *testing.T) {
	for _, pop3 := range []bool{false, true} {
		s := newScene(t, policy.Rule{Name: "done", When: "everyone_is_done()", Then: policy.Allow}, policy.Rule{Name: "rest", When: "true", Then: policy.Refuse})
		if pop3 {
			m := s.enter("bob", Protect)
			if _, err := m.Commit(t.Context(), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, who := range []member.Name{"alice", "bob"} {
			f := s.inbox(who)
			eventually(t, "they are on record", func() bool {
				e, err := s.Ledger.Everyone(t.Context(), box)
				return err == nil && usedByIMAP(e, who)
			})
			s.recordPast(f, policy.Deferred)
		}
		s.clock.pass(2 * time.Hour)
		r := s.decide(s.inbox("alice"), expunge, looked(uidsFrom(1))...)[0]
		if want := map[bool]policy.Outcome{false: policy.Allowed, true: policy.Refused}[pop3]; r.Outcome != want {
			t.Errorf("with POP3 in use: %v: %s, want %s", pop3, r.Outcome, want)
		}
	}
}
