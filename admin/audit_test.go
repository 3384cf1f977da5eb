package admin

import (
	"testing"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

func TestAudit(t *testing.T) {
	s := newScene(t)
	ids := s.visits(support, "alice", "r", 0)
	at := s.now()
	s.visits(sales, "", "other", 0)
	s.pass(time.Second)
	s.do(Approve, Order{IDs: ids[:1], Reason: "asked"})
	for _, test := range []struct {
		name  string
		query AuditQuery
		want  int
	}{
		{"all", AuditQuery{}, 3},
		{"mailbox", AuditQuery{Mailbox: support}, 2},
		{"folder", AuditQuery{Folder: "INBOX"}, 3},
		{"another folder", AuditQuery{Folder: "Trash"}, 0},
		{"member", AuditQuery{Member: "alice"}, 1},
		{"anonymous", AuditQuery{Anonymous: true}, 1},
		{"rule", AuditQuery{Rule: "other"}, 1},
		{"op", AuditQuery{Op: policy.POP3Dele}, 2},
		{"verdict", AuditQuery{Verdict: policy.Allow}, 0},
		{"kind", AuditQuery{Kind: "approved"}, 1},
		{"message", AuditQuery{Message: ids[0]}, 2},
		{"since", AuditQuery{Since: at.Add(time.Millisecond)}, 2},
		{"until", AuditQuery{Until: at.Add(time.Millisecond)}, 1},
		{"limit", AuditQuery{Limit: 2}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, err := s.Audit(t.Context(), test.query)
			if err != nil || page.Entries == nil || len(page.Entries) != test.want || (page.Next != "") != (test.query.Limit > 0) {
				t.Errorf("%d entries, next %q, %v; want %d", len(page.Entries), page.Next, err, test.want)
			}
		})
	}
	page, err := s.Audit(t.Context(), AuditQuery{Message: ids[0]})
	if err != nil || len(page.Entries) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	if e := page.Entries[0]; e.Kind != "approved" || e.Why != "asked" || e.By != nil || e.Folder != "INBOX" || e.ID != ids[0] || e.Mailbox != support {
		t.Errorf("%+v", e)
	}
	e := page.Entries[1]
	if !e.At.Equal(at) || e.Kind != "verdict" || e.Verdict != policy.Defer || e.Outcome != policy.Deferred || e.Rule != "r" || e.Facts == nil {
		t.Errorf("%+v", e)
	}
	if want := (By{"alice", member.ByLogin, member.POP3, "192.0.2.1", "test", policy.POP3Dele}); e.By == nil || *e.By != want {
		t.Errorf("%+v, want %+v", e.By, want)
	}
}

func TestBypassesAreCounted(t *testing.T) {
	s := newScene(t)
	id := s.deletesByIMAP(support, "alice", 5)[0]
	s.settleGone(5)
	boxes, err := s.Mailboxes(t.Context())
	if err != nil || len(boxes) != 1 || boxes[0].Bypassed != 1 {
		t.Errorf("%+v, %v", boxes, err)
	}
	if page, err := s.Audit(t.Context(), AuditQuery{Kind: "bypass"}); err != nil || len(page.Entries) != 1 || page.Entries[0].ID != id {
		t.Errorf("%+v, %v", page, err)
	}
}

// settleGone finds messages of the inbox gone.
func (s *scene) settleGone(list ...message.UID) {
	s.t.Helper()
	if _, err := s.ledger.SettleFolder(s.t.Context(), support, inbox, ledger.Settlement{At: s.now(), Gone: list}); err != nil {
		s.t.Fatal(err)
	}
}
