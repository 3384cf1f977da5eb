package pop3

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"mailguard/demo/upstream"
	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/member"
	"mailguard/policy"
	"mailguard/proxy"
	"mailguard/proxy/proxytest"
	"mailguard/release"
)

func TestMain(m *testing.M) {
	// Many tests wait for a timeout, which takes no processor.
	set("test.parallel", "16")
	set("rapid.checks", "6")
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// set changes the default of a flag.
func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}

const password = "correct horse"

// setup is what a test may change of its world before it starts.
type setup struct {
	upstream.Options

	guard    guard.Options
	rules    []policy.Rule
	members  member.Options
	entries  []guard.Entry // asked first
	limits   Limits
	server   Upstream
	needsTLS bool
	noSTLS   bool
	noTap    bool // the guard talks to the upstream itself
	equalIDs bool // all unique-ids are the same
}

// world is everything behind one listener: a real ledger, guard, releaser and
// policy between the handler and an upstream in memory.
type world struct {
	tb       testing.TB
	upstream *upstream.Server
	server   *Upstream
	ledger   *ledger.Ledger
	path     string // of the ledger
	releaser *release.Releaser
	guard    *guard.Guard
	policy   *policy.Policy
	proxy    *proxy.Server
	tap      *tap
	direct   string       // the upstream's address
	address  string       // the guard's
	ahead    atomic.Int64 // how much later it is here, in nanoseconds
	log      *transcript

	mu      sync.Mutex
	ended   *sync.Cond // a session has
	running int        // sessions
}

// transcript is a log that is shown when a test fails.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// entries are the mailboxes of every world: the name says how a mailbox is
// guarded.
var entries = []guard.Entry{
	{Match: "pair*", Settings: guard.Settings{Shared: guard.SharedYes, Members: []member.Name{"alice", "bob"}}},
	{Match: "trio*", Settings: guard.Settings{Shared: guard.SharedYes, Members: []member.Name{"alice", "bob", "carol"}}},
	{Match: "watch*", Settings: guard.Settings{Shared: guard.SharedYes, Mode: guard.Observe}},
	{Match: "own*", Settings: guard.Settings{Shared: guard.SharedNo}},
	{Match: "*", Settings: guard.Settings{Shared: guard.SharedYes}},
}

// newWorld starts a world. It ends with the test.
func newWorld(tb testing.TB, change ...func(*setup)) *world {
	tb.Helper()
	s := &setup{
		members: member.Options{Order: []member.Proof{member.ByLogin}, Separator: "#"},
		limits:  Limits{Login: 20 * time.Second, Handshake: 5 * time.Second, Idle: 20 * time.Second},
		server:  Upstream{Name: "memory", Domains: []string{"*"}, NoIMAP: true, Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(s)
	}
	w := &world{tb: tb, log: &transcript{}}
	w.ended = sync.NewCond(&w.mu)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log:\n%s", w.log)
		}
	})
	w.startUpstream(s)
	w.startGuard(s)
	w.startProxy(s)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) startUpstream(s *setup) {
	w.upstream = upstream.New()
	s.UniqueID = func(index int) string { return fmt.Sprintf("u%d", index+1-firstIndex()) }
	if s.equalIDs {
		s.UniqueID = func(int) string { return "same" }
	}
	s.Greeting = w.upstream.Greeting
	w.upstream.Options = s.Options
	l := listen(w.tb)
	served := make(chan struct{})
	go func() { defer close(served); _ = w.upstream.Serve(l) }()
	w.tb.Cleanup(func() { _ = w.upstream.Close(); <-served })
	w.server = &s.server //nolint:govet // the setup is not used afterwards
	w.direct = l.Addr().String()
	w.server.Dialer.Address, w.server.Dialer.Timeout = w.direct, 5*time.Second
	if !s.noTap {
		w.tap, w.server.Dialer.Address = newTap(w.tb, w.direct)
	}
	if w.server.Dialer.Mode == "" {
		w.server.Dialer.Mode = proxy.TLSNone
	}
}

func (w *world) startGuard(s *setup) {
	compiled, mistakes := policy.Compile(s.rules)
	if len(mistakes) > 0 {
		w.tb.Fatal(mistakes[0])
	}
	w.policy = compiled
	w.path = filepath.Join(w.tb.TempDir(), "ledger.db")
	if err := os.WriteFile(w.path, emptyLedger(), 0o600); err != nil {
		w.tb.Fatal(err)
	}
	log := zerolog.New(w.log)
	var err error
	if w.ledger, err = ledger.Open(w.tb.Context(), ledger.Options{Path: w.path, Now: w.now, Log: log}); err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { _ = w.ledger.Close() })
	o := s.guard
	o.Ledger, o.Policy, o.Now, o.Log = w.ledger, w.policy, w.now, log
	o.Mailboxes = guard.NewDirectory(append(slices.Clone(s.entries), entries...))
	w.guard = guard.New(o)
	w.releaser = release.New(release.Options{Ledger: w.ledger, Policy: w.policy, Mailbox: w.guard.MailboxFacts, Now: w.now})
}

// emptyLedger is a ledger in which nothing is. Making one takes most of the
// time that a world needs to start.
var emptyLedger = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.db")
	l, err := ledger.Open(context.Background(), ledger.Options{Path: path, Now: time.Now, Log: zerolog.Nop()})
	if err == nil {
		err = l.Close()
	}
	made, readErr := os.ReadFile(path)
	if err = errors.Join(err, readErr); err != nil {
		panic(err)
	}
	return made
})

func (w *world) startProxy(s *setup) {
	log := zerolog.New(w.log)
	cert, _ := proxytest.Cert(w.tb)
	o := Options{
		Guard: w.guard, Releaser: w.releaser, Members: member.NewResolver(s.members), Upstreams: []*Upstream{w.server},
		STLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, NeedsTLS: s.needsTLS,
		Now: w.now, Log: log, Limits: s.limits,
	}
	if s.noSTLS {
		o.STLS = nil
	}
	l := listen(w.tb)
	w.address = l.Addr().String()
	w.proxy = proxy.NewServer(proxy.ServerOptions{Listener: l, Handler: counted{NewHandler(o), w}, Log: log})
	served := make(chan struct{})
	go func() { defer close(served); _ = w.proxy.Serve() }()
	w.tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.proxy.Shutdown(ctx); err != nil {
			w.tb.Errorf("a session hangs: %v", err)
		}
		<-served
		if n := w.proxy.Panics(); n > 0 {
			w.tb.Errorf("%d sessions panicked", n)
		}
	})
}

// counted is a handler of which one can wait for the sessions.
type counted struct {
	proxy.Handler

	w *world
}

func (h counted) ServeConn(ctx context.Context, c *proxy.Conn) error {
	h.count(1)
	defer h.count(-1)
	return h.Handler.ServeConn(ctx, c)
}

func (h counted) count(n int) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.running += n
	h.w.ended.Broadcast()
}

// settle waits until every session has ended, once their clients have gone.
func (w *world) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.running > 0 {
		w.ended.Wait()
	}
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// box makes a mailbox with messages of these sizes, and returns its name.
func (w *world) box(name string, sizes ...int) string {
	w.upstream.AddUser(name, password)
	for i, size := range sizes {
		w.upstream.Deliver(name, mail(i+1, size))
	}
	return name
}

// mail is a message of so many octets.
func mail(n, size int) []byte {
	head := fmt.Sprintf("From: customer@example.net\r\nSubject: message %d\r\n\r\n", n)
	line := "A line of text, as long as it takes.\r\n"
	body := strings.Repeat(line, size/len(line)+1)
	return []byte(head + body[:size-len(head)-2] + "\r\n")
}

// hook sets what happens to a user's commands on their way upstream.
func (w *world) hook(user string, h hook) { w.tap.hook(user, h) }

// once is a hook for the first command that begins with prefix.
func once(prefix string, a action) hook {
	var done atomic.Bool
	return func(command string) action {
		if strings.HasPrefix(command, prefix) && done.CompareAndSwap(false, true) {
			return a
		}
		return action{}
	}
}

// has fails the test unless the upstream's mailbox holds exactly these.
func (w *world) has(box string, uniqueIDs ...string) {
	w.tb.Helper()
	if got := w.upstream.UniqueIDs(box); !slices.Equal(got, uniqueIDs) {
		w.tb.Errorf("upstream has %v, want %v", got, uniqueIDs)
	}
}

// received lists the commands that went upstream, with one of these verbs if
// there are any.
func (w *world) received(verbs ...string) []string {
	w.tap.mu.Lock()
	defer w.tap.mu.Unlock()
	var lines []string
	for _, line := range w.tap.commands {
		verb, _, _ := strings.Cut(line, " ")
		if len(verbs) == 0 || slices.Contains(verbs, verb) {
			lines = append(lines, line)
		}
	}
	return lines
}

// firstIndex is the index that the upstream gives a mailbox's first message.
var firstIndex = sync.OnceValue(func() (first int) {
	s := upstream.New()
	s.UniqueID = func(index int) string { first = index; return "" }
	s.AddUser("probe", "")
	s.Deliver("probe", []byte("\r\n"))
	s.UniqueIDs("probe")
	return first
})
