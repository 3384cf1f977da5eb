package admin

import (
	"context"
	"net/http"
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

	t      *testing.T
	ledger *ledger.Ledger
	socket string
	ms     atomic.Int64 // the clock
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
	s.serve(&Reader{Ledger: s.ledger, Explain: explain, Facts: facts, Now: s.now})
	s.Client = NewClient(s.socket)
	return s
}

func (s *scene) serve(r *Reader) {
	s.t.Helper()
	listener, err := Listen(s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: Handler(r), ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close(); <-done })
}

func (s *scene) now() time.Time       { return time.UnixMilli(s.ms.Load()).UTC() }
func (s *scene) pass(d time.Duration) { s.ms.Add(d.Milliseconds()) }

func explain(_ context.Context, h *ledger.Held) (ledger.Ruling, error) {
	return ledger.Ruling{Due: h.Message.Size > 100, Why: "a test says so"}, nil
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
			Message: drop.IDs[i], Verdict: policy.Defer, Rule: rule, Outcome: policy.Deferred, Facts: &policy.Facts{Op: policy.POP3Dele},
		})
	}
	if _, err := s.ledger.Record(s.t.Context(), v, drop, record); err != nil {
		s.t.Fatal(err)
	}
	return drop.IDs
}
