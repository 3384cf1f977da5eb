package guard

import (
	"errors"
	"testing"

	"mailguard/ledger"
	"mailguard/policy"
)

// A message is held in Work/Done; one is pinned in Important.
func (s *scene) holdSome() {
	s.t.Helper()
	for name, outcome := range map[string]policy.Outcome{"Work/Done": policy.Deferred, "Important": policy.Refused} {
		v := s.visit(imapVisitor(box, "alice"), s.clock.Now())
		_, err := s.Ledger.RecordFolder(s.t.Context(), v, ledger.FolderKey{Name: name, UIDValidity: 1}, ledger.FolderRecord{
			At: s.clock.Now(), Decisions: []ledger.FolderDecision{{Seen: looked(uidsFrom(1))[0], Outcome: outcome, Facts: &policy.Facts{}}},
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.sql(s.path, "UPDATE messages SET pinned = 1 WHERE folder = 'Important' RETURNING id")
}

func TestDecideFolder(t *testing.T) {
	deletion := Deletion{Op: policy.IMAPDeleteFolder}
	renaming := Deletion{Op: policy.IMAPRenameFolder, Destination: "Other"}
	for _, c := range []struct {
		name   string
		then   policy.Verdict
		stance Stance
		folder string
		d      Deletion
		want   policy.Outcome
	}{
		{"allowed", policy.Allow, Protect, "Old", deletion, policy.Allowed},
		{"renaming allowed", policy.Allow, Protect, "Old", renaming, policy.Allowed},
		{"refused", policy.Refuse, Protect, "Old", deletion, policy.Refused},
		{"deferred", policy.Defer, Protect, "Old", deletion, policy.Refused},
		{"holds held", policy.Allow, Protect, "Work/Done", deletion, policy.Refused},
		{"has one that holds held below it", policy.Allow, Protect, "Work", renaming, policy.Refused},
		{"beside one that holds held", policy.Allow, Protect, "Work/Don", deletion, policy.Allowed},
		{"holds pinned", policy.Allow, Protect, "Important", deletion, policy.Refused},
		{"INBOX", policy.Allow, Protect, "INBOX", renaming, policy.Refused},
		{"observed", policy.Refuse, Watch, "Work", deletion, policy.Observed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, always(c.then, ""))
			s.holdSome()
			r, err := s.DecideFolder(t.Context(), imapVisitor(box, "alice"), c.stance, OpenedFolder{Name: c.folder}, c.d)
			if err != nil || r.Outcome != c.want || r.Decision.Verdict != c.then || r.Facts.Destination != c.d.Destination {
				t.Errorf("%+v, %v; want %s", r, err, c.want)
			}
			if n := s.sql(s.path, "SELECT count(*) FROM decisions WHERE message_id IS NULL AND outcome = '"+string(c.want)+"'"); n != 1 {
				t.Errorf("%d such decisions on record", n)
			}
		})
	}
}

// A rule that asks for facts of a message says nothing of a folder.
func TestDecideFolderByFactsOfAMessage(t *testing.T) {
	for _, when := range []string{"message.size < 1000", `!("bob" in message.fetched_by)`, "!message.held", "message.age > days(1)", "everyone_is_done() || true && !everyone_has_fetched()"} {
		s := newScene(t, policy.Rule{Name: "r", When: when, Then: policy.Allow})
		r, err := s.DecideFolder(t.Context(), imapVisitor(box, "alice"), Protect, OpenedFolder{Name: "Old"}, Deletion{Op: policy.IMAPDeleteFolder})
		if !errors.Is(err, ErrTemporary) || r.Outcome != "" {
			t.Errorf("%s: %+v, %v", when, r, err)
		}
	}
}
