package admin

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const (
	support = "support@example.com"
	sales   = "sales@example.com"
)

// scene is a server on a socket, with a client and a ledger of its own.
type scene struct {
	*Client

	t       *testing.T
	ledger  *ledger.Ledger
	backend *Backend
	socket  string
	ms      atomic.Int64 // the clock
}

// socketPath is short: the name of a socket has room for some 100 octets, and
// the directory of a test with a long name would take them.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, socket: socketPath(t)}
	s.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	var err error
	s.ledger, err = ledger.Open(t.Context(), ledger.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Now: s.now, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.ledger.Close() })
	s.backend = &Backend{Ledger: s.ledger, Explain: explain, Facts: facts, Now: s.now}
	s.serve(s.backend)
	s.Client = NewClient(s.socket)
	return s
}

func (s *scene) serve(b *Backend) {
	s.t.Helper()
	listener, err := Listen(s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: Handler(b), ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close(); <-done })
}

func (s *scene) now() time.Time       { return time.UnixMilli(s.ms.Load()).UTC() }
func (s *scene) pass(d time.Duration) { s.ms.Add(d.Milliseconds()) }

// explain has large messages due, and small ones ten days after they were deleted.
func explain(_ context.Context, h *ledger.Held) (ledger.Ruling, error) {
	r := ledger.Ruling{Due: h.Message.Size > 100, Why: "a test says so"}
	if !r.Due && !h.Message.HeldSince.IsZero() {
		r.Again = h.Message.HeldSince.Add(10 * 24 * time.Hour)
	}
	return r, nil
}

func facts(m member.Mailbox, e policy.Everyone) policy.MailboxFacts {
	if m == support {
		e.Configured = []member.Name{"alice", "carol"}
	}
	return policy.MailboxFacts{Name: m, Shared: m == support, Everyone: e}
}

// visits is a session, a second from now, that fetches and deletes the
// messages of a listing with these places.
func (s *scene) visits(mailbox member.Mailbox, who member.Name, rule string, places ...int) []message.ID {
	s.t.Helper()
	s.pass(time.Second)
	v := ledger.Visit{Mailbox: mailbox, Member: who, Protocol: member.POP3, Proof: member.ByPassword, At: s.now()}
	drop, err := s.ledger.OpenMaildrop(s.t.Context(), v, []message.Listed{{UniqueID: "u1", Size: 100}, {UniqueID: "u2", Size: 200}})
	if err != nil {
		s.t.Fatal(err)
	}
	record := ledger.Record{At: s.now()}
	for _, i := range places {
		record.Fetches = append(record.Fetches, ledger.Fetch{Message: drop.IDs[i], At: s.now()})
		record.Decisions = append(record.Decisions, ledger.Decision{
			Message: drop.IDs[i], Verdict: policy.Defer, Rule: rule, Outcome: policy.Deferred,
			Facts: &policy.Facts{Op: policy.POP3Dele, Folder: "INBOX", Member: policy.MemberFacts{
				Name: who, Protocol: member.POP3, Proof: member.ByLogin, Address: netip.MustParseAddr("192.0.2.1"), Client: "test",
			}},
		})
	}
	if _, err := s.ledger.Record(s.t.Context(), v, drop, record); err != nil {
		s.t.Fatal(err)
	}
	return drop.IDs
}

// deletesByIMAP is a session, a second from now, that deletes messages of the
// inbox.
func (s *scene) deletesByIMAP(mailbox member.Mailbox, who member.Name, list ...message.UID) []message.ID {
	s.t.Helper()
	s.pass(time.Second)
	v := ledger.Visit{Mailbox: mailbox, Member: who, Protocol: member.IMAP, Proof: member.ByPassword, At: s.now()}
	record := ledger.FolderRecord{At: s.now()}
	for _, uid := range list {
		record.Decisions = append(record.Decisions, ledger.FolderDecision{
			Seen: message.Seen{UID: uid, Size: 100}, Verdict: policy.Defer, Rule: "r", Outcome: policy.Deferred, Facts: &policy.Facts{Op: policy.IMAPMove},
		})
		record.Copies = append(record.Copies, ledger.FolderCopy{Original: uid, Folder: "Trash", Placed: ledger.Placed{UIDValidity: 3, UID: 50 + uid}})
	}
	if _, err := s.ledger.RecordFolder(s.t.Context(), v, inbox, record); err != nil {
		s.t.Fatal(err)
	}
	found, err := s.ledger.LookupFolder(s.t.Context(), mailbox, inbox, list)
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []message.ID
	for _, uid := range list {
		ids = append(ids, found[uid].Message.ID)
	}
	return ids
}

var inbox = ledger.FolderKey{Name: "INBOX", UIDValidity: 7}
