package views

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/demo/dovecot"
	"mailguard/demo/upstream"
	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/member"
	mail "mailguard/message"
	"mailguard/policy"
	"mailguard/proxy"
	"mailguard/proxy/imap"
	"mailguard/proxy/pop3"
)

const password = "secret"

// stage is a guard in this process in front of an upstream. Each history has a
// mailbox of its own in it.
type stage struct {
	tb     testing.TB
	sorts  bool // the upstream has SORT and THREAD
	direct string
	imap   string // the guard's
	pop3   string
	log    logged
	user   func(name string) // makes a mailbox

	ahead    atomic.Int64 // of the clock, in nanoseconds
	boxes    int
	lastWord string // the history that failed last
	tally
}

// tally is what is reported in the end.
type tally struct{ histories, operations, commands, sessions, pictures, hidden, withdrawn, reused, sentAway int }

func (t tally) String() string {
	return fmt.Sprintf("%d operations in %d histories: %d commands in %d sessions, %d pictures compared, %d messages hidden, %d moves withdrawn, %d copies used again, %d sessions sent away",
		t.operations, t.histories, t.commands, t.sessions, t.pictures, t.hidden, t.withdrawn, t.reused, t.sentAway)
}

// command counts a command, before which a millisecond passes: the guard can tell
// by its clock what was before what.
func (s *stage) command() {
	s.commands++
	s.ahead.Add(int64(time.Millisecond))
}

func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// logged is what the guard logs.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.b.String()
	return all[max(0, len(all)-4000):]
}

// rules decide by the size of a message, in mailboxes whose name begins with
// "mix"; in those that begin with "open" everything may go, and elsewhere everything is deferred, and nothing is ever released.
var rules = []policy.Rule{
	{Name: "folders", When: `mailbox.name.startsWith("mix") && op == "imap.rename_folder"`, Then: policy.Allow},
	{Name: "open", When: `mailbox.name.startsWith("open")`, Then: policy.Allow},
	{Name: "small", When: `mailbox.name.startsWith("mix") && message.size < 300`, Then: policy.Allow},
	{Name: "middle", When: `mailbox.name.startsWith("mix") && message.size < 600`, Then: policy.Refuse},
	{Name: "everything", When: "true", Then: policy.Defer},
}

// simulated is a stage in front of the server in memory.
func simulated(tb testing.TB) *stage {
	tb.Helper()
	server := upstream.New()
	s := &stage{tb: tb, user: func(name string) { server.AddUser(name, password) }}
	serve := func(f func(net.Listener) error) string {
		l := listen(tb)
		served := make(chan struct{})
		go func() { defer close(served); _ = f(l) }()
		tb.Cleanup(func() { _ = server.Close(); <-served })
		return l.Addr().String()
	}
	s.direct = serve(server.ServeIMAP)
	s.start(serve(server.Serve))
	return s
}

// anybody lets every name in with the one password. A process serves one session
// after the other: starting one takes longer than most sessions.
const anybody = `
service imap {
  service_count = 0
}
passdb {
  driver = static
  args = password=` + password + `
}
`

// dovecotStage is a stage in front of a Dovecot.
func dovecotStage(tb testing.TB) *stage {
	tb.Helper()
	need(tb, dovecot.Installed())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := dovecot.Start(ctx, dovecot.Options{NoSync: true, Users: []dovecot.User{{Name: "first", Password: password}}, Extra: anybody})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			all := server.Log()
			tb.Logf("Dovecot's log:\n%s", all[max(0, len(all)-3000):])
		}
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	s := &stage{tb: tb, sorts: true, direct: server.IMAP(), user: func(string) {}}
	s.start(server.POP3())
	return s
}

// need skips a test for what this machine lacks, or fails it where nothing may
// be lacking.
func need(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "" {
		tb.Fatal(err)
	}
	tb.Skip(err)
}

// start starts the guard.
func (s *stage) start(directPOP3 string) {
	s.tb.Helper()
	s.tb.Cleanup(func() {
		if s.tb.Failed() {
			s.tb.Logf("the guard's log:\n%s", s.log.tail())
			s.tb.Logf("the history that failed:\n%s", s.lastWord)
		}
	})
	log := zerolog.New(&s.log).Level(zerolog.WarnLevel)
	compiled, mistakes := policy.Compile(rules)
	if len(mistakes) > 0 {
		s.tb.Fatal(mistakes[0])
	}
	kept, err := ledger.Open(s.tb.Context(), ledger.Options{Path: filepath.Join(ledgerDir(s.tb), "ledger.db"), Now: s.now, Log: log})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = kept.Close() })
	g := guard.New(guard.Options{
		Ledger: kept, Policy: compiled, Now: s.now, Log: log,
		Mailboxes: guard.NewDirectory([]guard.Entry{{Match: "*", Settings: guard.Settings{Shared: guard.SharedYes, Members: []member.Name{"alice", "bob", "dora"}}}}),
	})
	members := member.NewResolver(member.Options{Order: []member.Proof{member.ByLogin}, Separator: "#"})
	s.imap = s.serve(log, imap.NewHandler(imap.Options{
		Guard: g, Members: members, Now: s.now, Log: log,
		Upstreams: []*imap.Upstream{{Name: "main", Domains: []string{"*"}, Dialer: dialTo(s.direct), Timeout: patience}},
		Limits:    imap.Limits{Login: patience, Handshake: patience, Idle: 30 * time.Minute, Command: patience, Answer: patience, Quiet: 200 * time.Millisecond},
	}))
	s.pop3 = s.serve(log, pop3.NewHandler(pop3.Options{
		Guard: g, Members: members, Now: s.now, Log: log,
		Releaser:  nothingDue{},
		Upstreams: []*pop3.Upstream{{Name: "main", Domains: []string{"*"}, Dialer: dialTo(directPOP3), Timeout: patience}},
		Limits:    pop3.Limits{Login: patience, Handshake: patience, Idle: 10 * time.Minute},
	}))
}

// nothingDue releases nothing in passing: what members see is the same without,
// and what leaves the server is another model's matter.
type nothingDue struct{}

func (nothingDue) Due(context.Context, member.Mailbox, bool) ([]mail.Identity, error) {
	return nil, nil
}

func (nothingDue) Claim(context.Context, member.Mailbox, []mail.ID, bool) ([]mail.ID, error) {
	return nil, nil
}

func (nothingDue) Withdraw(context.Context, []mail.ID) error { return nil }

// patience is how long an answer may take: beyond it a session hangs.
const patience = 20 * time.Second

func dialTo(address string) proxy.Dialer {
	return proxy.Dialer{Address: address, Mode: proxy.TLSNone, Timeout: patience}
}

// ledgerDir is in memory where that can be had: the ledger waits for the disk
// in each of thousands of histories, and no test cuts the power.
func ledgerDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mailguard-views-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// serve runs a handler of the guard on a port of its own.
func (s *stage) serve(log zerolog.Logger, h proxy.Handler) string {
	l := listen(s.tb)
	p := proxy.NewServer(proxy.ServerOptions{Listener: l, Handler: h, Log: log})
	served := make(chan struct{})
	go func() { defer close(served); _ = p.Serve() }()
	s.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			s.tb.Errorf("a session hangs: %v", err)
		}
		<-served
		if p.Panics() > 0 || strings.Contains(s.log.tail(), "ended by a bug") {
			s.tb.Error("a session panicked")
		}
	})
	return l.Addr().String()
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
