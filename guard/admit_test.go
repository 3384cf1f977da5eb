package guard

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
)

const unlisted = "unlisted@example.net"

// eventually waits for what is done beside the session.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("it never happens: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// use is what the ledger knows of a member's use of a mailbox, or nothing.
func (s *scene) useOf(mailbox member.Mailbox, who member.Name) (found ledger.MemberUse) {
	s.t.Helper()
	all, err := s.Ledger.Mailboxes(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range all {
		for _, u := range m.Uses {
			if m.Name == mailbox && u.Member == who {
				found = u
			}
		}
	}
	return found
}

func (s *scene) wantStance(when string, mailbox member.Mailbox, who member.Name, want Stance) {
	s.t.Helper()
	if got := s.Admit(s.t.Context(), visitor(mailbox, who)); got != want {
		s.t.Errorf("%s: %s for %q in %s, want %s", when, got, who, mailbox, want)
	}
}

func TestStances(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct {
		name    string
		mode    Mode
		mailbox member.Mailbox
		want    Stance
	}{
		{"shared", Enforce, box, Protect},
		{"not shared", Enforce, "private@example.com", Relay},
		{"not listed", Enforce, unlisted, Relay},
		{"observed", Enforce, "watched@example.com", Watch},
		{"everything observed", Observe, box, Watch},
		{"not shared, everything observed", Observe, "private@example.com", Relay},
		{"enforced, everything else observed", Observe, "enforced@example.com", Protect},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Mode = c.mode
			s.wantStance("at first", c.mailbox, "alice", c.want)
			if c.want == Relay {
				eventually(t, "the arrival is on record", func() bool { return s.useOf(c.mailbox, "alice").Member == "alice" })
			}
		})
	}
}

// A mailbox without a guard is written about once an hour.
func TestArrivalIsRenewed(t *testing.T) {
	s := newScene(t)
	first := s.clock.Now()
	s.wantStance("at first", unlisted, "alice", Relay)
	eventually(t, "the arrival is on record", func() bool { return s.useOf(unlisted, "alice").Last.Equal(first) })
	s.clock.pass(arrivalsRenew / 2)
	s.wantStance("half an hour later", unlisted, "alice", Relay)
	if last := s.useOf(unlisted, "alice").Last; !last.Equal(first) {
		t.Errorf("put on record again at %s", last)
	}
	s.clock.pass(arrivalsRenew / 2)
	s.wantStance("an hour later", unlisted, "alice", Relay)
	eventually(t, "the later arrival is on record", func() bool { return s.useOf(unlisted, "alice").Last.Equal(s.clock.Now()) })
}

func TestSecondNamedMember(t *testing.T) {
	s := newScene(t)
	for _, who := range []member.Name{"alice", "", "alice", ""} {
		s.wantStance("with one named member", unlisted, who, Relay)
	}
	eventually(t, "alice is on record", func() bool { return s.useOf(unlisted, "alice").Member != "" })
	s.wantStance("the second", unlisted, "bob", Protect)
	s.wantStance("with two", unlisted, "alice", Protect)
	s.wantStance("elsewhere", "other@example.net", "bob", Relay)
	if _, err := s.OpenMaildrop(t.Context(), visitor(unlisted, "bob"), Protect, s.clock.Now(), listing); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.start()
	s.wantStance("after a restart", unlisted, "", Protect)
	s.wantStance("elsewhere, after a restart", "third@example.net", "bob", Relay)
}

// Somebody known from before a restart is the first of two.
func TestFirstMemberBeforeARestart(t *testing.T) {
	s := newScene(t)
	s.wantStance("the first", unlisted, "alice", Relay)
	eventually(t, "alice is on record", func() bool { return s.useOf(unlisted, "alice").Member != "" })
	s.close()
	s.start()
	s.wantStance("alone", unlisted, "alice", Relay)
	s.wantStance("the second", unlisted, "bob", Protect)
}

// As long as the ledger was never read nobody can say who uses a mailbox.
func TestUnreadableAtStart(t *testing.T) {
	s := newScene(t)
	s.path = filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(s.path, []byte("this is not a ledger, and it is long enough to say so"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.close()
	s.start()
	s.wantStance("unlisted", unlisted, "", Protect)
	s.wantStance("shared: no", "private@example.com", "alice", Relay)
	s.wantStance("shared: yes", box, "alice", Protect)
	s.wantStance("observed", "watched@example.com", "alice", Watch)
}

// Once the ledger was read, its failure closes no mailbox that has no guard.
func TestUnreadableLater(t *testing.T) {
	s := newScene(t)
	s.wantStance("before", unlisted, "alice", Relay)
	s.close()
	s.wantStance("after", unlisted, "alice", Relay)
	s.wantStance("of another", "other@example.net", "carol", Relay)
	s.wantStance("the second", unlisted, "bob", Protect)
}
