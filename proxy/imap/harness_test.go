package imap

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
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
)

func TestMain(m *testing.M) {
	// Many tests wait for a timeout, which takes no processor.
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const password = "correct horse"

// setup is what a test may change of its world before it starts.
type setup struct {
	upstream.Options

	guard      guard.Options
	rules      []policy.Rule
	members    member.Options
	entries    []guard.Entry // asked first
	limits     Limits
	server     Upstream
	needsTLS   bool
	noSTARTTLS bool
	implicit   bool // the listener speaks TLS from the beginning
}

// world is everything behind one listener: a real ledger, guard and policy
// between the handler and an upstream in memory.
type world struct {
	tb       testing.TB
	upstream *upstream.Server
	server   *Upstream
	ledger   *ledger.Ledger
	path     string // of the ledger
	guard    *guard.Guard
	handler  *Handler
	proxy    *proxy.Server
	address  string       // the guard's
	ahead    atomic.Int64 // how much later it is here, in nanoseconds
	log      *transcript

	mu      sync.Mutex
	hooks   map[string]hook // by user; "" before the login
	ended   *sync.Cond      // a session has
	running int             // stretches of sessions that have a goroutine
}

// hook looks at a command before the upstream runs it. It may wait.
type hook func(command string) upstream.Action

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
	{Match: "watch*", Settings: guard.Settings{Shared: guard.SharedYes, Mode: guard.Observe}},
	{Match: "own*", Settings: guard.Settings{Shared: guard.SharedNo}},
	{Match: "auto*", Settings: guard.Settings{Shared: guard.SharedAuto}},
	{Match: "*", Settings: guard.Settings{Shared: guard.SharedYes, Members: []member.Name{"alice", "bob"}}},
}

// rules are those of every world: the name of a mailbox, or the size of a
// message in a mixed one, says what may be deleted. Where none matches the
// deletion is deferred.
var rules = []policy.Rule{
	{Name: "allowed", When: `mailbox.name.startsWith("allow") && message.size < 5000000`, Then: policy.Allow},
	{Name: "own", When: `mailbox.name.startsWith("own")`, Then: policy.Allow},
	{Name: "refused", When: `mailbox.name.startsWith("refuse")`, Then: policy.Refuse, Message: askCarol},
	{Name: "refused without a word", When: `mailbox.name.startsWith("unsaid")`, Then: policy.Refuse},
	{Name: "no moves", When: `mailbox.name.startsWith("stay") && op == "imap.move"`, Then: policy.Refuse, Message: askCarol},
	{Name: "all but moves", When: `mailbox.name.startsWith("stay")`, Then: policy.Allow},
	{Name: "small", When: `mailbox.name.startsWith("mixed") && message.size < 150`, Then: policy.Allow},
	{Name: "middle", When: `mailbox.name.startsWith("mixed") && message.size < 250`, Then: policy.Refuse, Message: askCarol},
	{Name: "trash", When: `mailbox.name.startsWith("trash") && destination_use == "trash"`, Then: policy.Allow},
	{Name: "folders", When: `mailbox.name.startsWith("folders") && folder == "Old"`, Then: policy.Allow},
	{Name: "anonymous accepted", When: `mailbox.name.startsWith("anonaccept")`, Then: policy.Defer, Anonymous: policy.AnonymousAccept},
}

const askCarol = "Ask Carol before you delete"

// newWorld starts a world. It ends with the test.
func newWorld(tb testing.TB, change ...func(*setup)) *world {
	tb.Helper()
	s := &setup{
		rules:   rules,
		members: member.Options{Order: []member.Proof{member.ByLogin}, Separator: "#"},
		limits: Limits{
			Login: 20 * time.Second, Handshake: 5 * time.Second, Idle: 30 * time.Minute,
			Command: 20 * time.Second, Answer: 20 * time.Second, Quiet: 20 * time.Second,
		},
	}
	s.server.Name, s.server.Domains, s.server.Timeout = "memory", []string{"*"}, 10*time.Second
	for _, f := range change {
		f(s)
	}
	w := &world{tb: tb, log: &transcript{}, hooks: make(map[string]hook)}
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
	w.upstream.Options = s.Options
	w.upstream.Hook = w.ask
	l := listen(w.tb)
	served := make(chan struct{})
	go func() { defer close(served); _ = w.upstream.ServeIMAP(l) }()
	w.tb.Cleanup(func() { _ = w.upstream.Close(); <-served })
	w.server = &s.server
	w.server.Dialer.Timeout = 5 * time.Second
	if w.server.Dialer.Address == "" {
		w.server.Dialer.Address = l.Addr().String()
	}
	if w.server.Dialer.Mode == "" {
		w.server.Dialer.Mode = proxy.TLSNone
	}
}

func (w *world) ask(user, command string) upstream.Action {
	w.mu.Lock()
	h := w.hooks[user]
	w.mu.Unlock()
	if h == nil {
		return upstream.Action{}
	}
	return h(command)
}

func (w *world) startGuard(s *setup) {
	compiled, mistakes := policy.Compile(s.rules)
	if len(mistakes) > 0 {
		w.tb.Fatal(mistakes[0])
	}
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
	o.Ledger, o.Policy, o.Now, o.Log = w.ledger, compiled, w.now, log
	o.Mailboxes = guard.NewDirectory(append(slices.Clone(s.entries), entries...))
	w.guard = guard.New(o)
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
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	o := Options{
		Guard: w.guard, Members: member.NewResolver(s.members), Upstreams: []*Upstream{w.server},
		STARTTLS: config, NeedsTLS: s.needsTLS, Now: w.now, Log: log, Limits: s.limits,
	}
	if s.noSTARTTLS || s.implicit {
		o.STARTTLS = nil
	}
	w.handler = NewHandler(o)
	l := listen(w.tb)
	w.address = l.Addr().String()
	w.proxy = proxy.NewServer(proxy.ServerOptions{
		Listener: l, Handler: counted{w.handler, w}, Log: log,
		TLS: config, Implicit: s.implicit, HandshakeTimeout: 5 * time.Second,
	})
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
		if strings.Contains(w.log.String(), "ended by a bug") {
			w.tb.Error("a session panicked while it read the upstream")
		}
	})
}

// counted is a handler of which one can wait for the sessions, and see which
// of them have a goroutine.
type counted struct {
	*Handler

	w *world
}

func (h counted) ServeConn(ctx context.Context, c *proxy.Conn) error {
	return h.stretch(func() error { return h.Handler.ServeConn(ctx, c) })
}

// stretch counts one stretch of a session, and the ones behind it.
func (h counted) stretch(run func() error) error {
	h.w.count(1)
	defer h.w.count(-1)
	err := run()
	var parked *proxy.Parked
	if errors.As(err, &parked) {
		resume := parked.Resume
		parked.Resume = func(ctx context.Context) error {
			return h.stretch(func() error { return resume(ctx) })
		}
	}
	return err
}

func (w *world) count(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running += n
	w.ended.Broadcast()
}

// settle waits until no session has a goroutine: they have ended, or are
// parked.
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

// serverTLS are the two ends of TLS to the upstream.
func serverTLS() (server, client *tls.Config) {
	cert, pool := proxytest.Cert(&testing.T{})
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}
