package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailguard/demo/dovecot"
	"mailguard/integration/imapconn"
	"mailguard/proxy/proxytest"
)

// binary is the mailguard that all tests run, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mailguard-integration-")
	if err == nil {
		binary = filepath.Join(dir, "mailguard")
		build := exec.Command("go", "build", "-o", binary, "mailguard/cmd/mailguard")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	status := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build mailguard:", err)
	} else {
		status = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// need skips a test for what this machine lacks, or fails it where nothing may
// be lacking.
func need(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" || os.Getenv("MAILGUARD_REQUIRE_ALL") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

const (
	mailbox  = "support@example.com"
	private  = "carla@personal.example.com"
	password = "secret"
)

// startDovecot runs a Dovecot with the mailboxes of the tests.
func startDovecot(t testing.TB, change func(*dovecot.Options)) *dovecot.Server {
	t.Helper()
	need(t, dovecot.Installed())
	o := dovecot.Options{NoSync: true, Users: []dovecot.User{{Name: mailbox, Password: password}, {Name: private, Password: password}}}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := dovecot.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Dovecot's log:\n%s", tail(s.Log()))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// guard is a running mailguard.
type guard struct {
	t       testing.TB
	dir     string                       // its folder: configuration, certificate, ledger
	pop3s   string                       // host:port
	pop3    string                       // with STLS
	imaps   string                       // host:port, "" without options.imap; a checker stands there, see checked
	imap    string                       // with STARTTLS; the same
	behind  struct{ imaps, imap string } // where the server itself listens
	checks  []*imapconn.Between
	ca      string // file
	roots   *x509.CertPool
	process *exec.Cmd
	log     *logBuffer
}

// options say what a test changes.
type options struct {
	imap      string // the upstream's IMAP address; "" is a guard without IMAP
	ledgerDir string // "" is the guard's folder
	extra     string // further lines of configuration
	policy    string // "" is the default policy
	members   string
	upstreams string // "" is the Dovecot given
	mayVanish bool   // an IMAP connection may end without BYE: the test takes the upstream away
}

// newGuard writes a configuration for a guard before an upstream. It is not
// running yet.
func newGuard(t testing.TB, upstream string, o options) *guard {
	t.Helper()
	g := &guard{t: t, dir: t.TempDir(), pop3s: freeAddress(t), pop3: freeAddress(t), log: &logBuffer{}}
	certFile, keyFile, caFile := proxytest.WriteCert(t, g.dir)
	g.ca = caFile
	pem, err := os.ReadFile(g.ca)
	if err != nil {
		t.Fatal(err)
	}
	g.roots = x509.NewCertPool()
	g.roots.AppendCertsFromPEM(pem)
	if o.ledgerDir == "" {
		o.ledgerDir = g.dir
	}
	if o.members == "" {
		o.members = "[alice, bob, carol]"
	}
	if o.policy == "" {
		o.policy = "policy: {mode: enforce}"
	}
	listeners, imap := "", ""
	if o.imap != "" {
		g.behind.imaps, g.behind.imap = freeAddress(t), freeAddress(t)
		g.imaps, g.imap = g.checked(g.behind.imaps, true, o.mayVanish), g.checked(g.behind.imap, false, o.mayVanish)
		listeners = fmt.Sprintf("\n  - {protocol: imap, address: %q, tls: implicit}\n  - {protocol: imap, address: %q, tls: starttls}", g.behind.imaps, g.behind.imap)
		imap = fmt.Sprintf(", imap: {address: %q, tls: none}", o.imap)
	}
	if o.upstreams == "" {
		o.upstreams = fmt.Sprintf("  - {name: main, domains: [\"*\"], pop3: {address: %q, tls: none}%s}", upstream, imap)
	}
	text := fmt.Sprintf(`listeners:
  - {protocol: pop3, address: %q, tls: implicit}
  - {protocol: pop3, address: %q, tls: starttls}%s
tls:
  certificates: [{cert: %q, key: %q}]
upstreams:
%s
ledger: "sqlite:%s/ledger.db"
mailboxes:
  - {match: %q, shared: true, members: %s}
  - {match: "*@personal.example.com", shared: false}
%s
%s
`, g.pop3s, g.pop3, listeners, certFile, keyFile, o.upstreams, o.ledgerDir, mailbox, o.members, o.policy, o.extra)
	if err := os.WriteFile(g.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.cleanUp)
	return g
}

// checked puts a checker in front of an IMAP listener: whatever the guard says
// there that RFC 9051 does not allow at that moment fails the test.
func (g *guard) checked(address string, implicit, mayVanish bool) string {
	g.t.Helper()
	cert, roots := proxytest.Cert(g.t)
	b, err := imapconn.NewBetween(imapconn.BetweenOptions{
		To: address, Implicit: implicit, MayVanish: mayVanish,
		Client: &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		Server: &tls.Config{Certificates: []tls.Certificate{cert}},
		Report: func(violation string) { g.t.Errorf("the guard, to its client: %s", violation) },
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.checks = append(g.checks, b)
	return b.Addr()
}

// startGuard is newGuard, running.
func startGuard(t testing.TB, upstream string, o options) *guard {
	t.Helper()
	g := newGuard(t, upstream, o)
	g.start()
	return g
}

func (g *guard) config() string { return filepath.Join(g.dir, "mailguard.yaml") }

// start runs the server and waits until it takes connections.
func (g *guard) start() {
	g.t.Helper()
	g.process = exec.Command(binary, "serve", "-c", g.config())
	g.process.Stderr = g.log
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
	last := g.pop3 // the listeners are opened in their order
	if g.imap != "" {
		last = g.behind.imap
	}
	for range 500 {
		if c, err := net.Dial("tcp", last); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Fatalf("mailguard does not answer; its log:\n%s", g.log)
}

// kill is kill -9.
func (g *guard) kill() {
	g.t.Helper()
	for _, b := range g.checks {
		b.Forgive()
	}
	if err := g.process.Process.Kill(); err != nil {
		g.t.Fatal(err)
	}
	_ = g.process.Wait() // killed, as its status says
	g.process = nil
}

// stop is SIGTERM, and waits for the end.
func (g *guard) stop() error {
	g.t.Helper()
	if err := g.process.Process.Signal(syscall.SIGTERM); err != nil {
		g.t.Fatal(err)
	}
	err := g.process.Wait()
	g.process = nil
	return err
}

func (g *guard) cleanUp() {
	for _, b := range g.checks {
		if err := b.Close(); err != nil {
			g.t.Error(err)
		}
	}
	if g.process != nil {
		g.kill()
	}
	if g.t.Failed() {
		g.t.Logf("mailguard's log:\n%s", tail(g.log.String()))
	}
}

// run runs a command of mailguard with this configuration.
func (g *guard) run(args ...string) (string, int) {
	g.t.Helper()
	cmd := exec.Command(binary, append(args, "-c", g.config())...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// freeAddress finds a port that is free, and was not given out before. It is free
// until somebody listens on it, and so it is none of those that the system gives
// to clients meanwhile.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(portOfClients-lowestPort))
		if _, before := givenOut.LoadOrStore(address, true); before {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// The ports that freeAddress gives out. The system's own begin at 32768 on Linux,
// and higher elsewhere.
const (
	lowestPort    = 12_000
	portOfClients = 32_768
)

var givenOut sync.Map

// logBuffer keeps what the server logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "..." + s[len(s)-most:]
	}
	return s
}

// session is a POP3 session of the tests' own, for what real clients do not do.
type session struct {
	conn net.Conn
	r    *bufio.Reader
}

const sessionTimeout = 20 * time.Second

// dial connects without logging in, from an address of this machine's.
func (g *guard) dial(from string) (*session, error) {
	local := &net.TCPAddr{IP: net.ParseIP(from)}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: sessionTimeout, LocalAddr: local}, Config: &tls.Config{RootCAs: g.roots, ServerName: "localhost"}}
	conn, err := d.Dial("tcp", g.pop3s)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(sessionTimeout))
	s := &session{conn: conn, r: bufio.NewReader(conn)}
	_, err = s.line()
	return s, err
}

// logIn opens a session. The error is the server's -ERR, too.
func (g *guard) logIn(user string) (*session, error) { return g.logInFrom("127.0.0.1", user) }

func (g *guard) logInFrom(address, user string) (*session, error) {
	s, err := g.dial(address)
	if err != nil {
		return nil, err
	}
	if _, err := s.command("USER " + user); err != nil {
		return nil, err
	}
	if _, err := s.command("PASS " + password); err != nil {
		s.conn.Close()
		return nil, err
	}
	return s, nil
}

// must is logIn that has to work.
func (g *guard) must(user string) *session {
	g.t.Helper()
	s, err := g.logIn(user)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { s.conn.Close() })
	return s
}

func (s *session) line() (string, error) {
	line, err := s.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// command sends a command; -ERR is an error.
func (s *session) command(line string) (string, error) {
	if _, err := s.conn.Write([]byte(line + "\r\n")); err != nil {
		return "", err
	}
	reply, err := s.line()
	if err == nil && !strings.HasPrefix(reply, "+OK") {
		err = fmt.Errorf("%s", reply)
	}
	return reply, err
}

// lines sends a command with a multi-line answer.
func (s *session) lines(command string) ([]string, error) {
	if _, err := s.command(command); err != nil {
		return nil, err
	}
	var all []string
	for {
		line, err := s.line()
		if err != nil || line == "." {
			return all, err
		}
		all = append(all, strings.TrimPrefix(line, "."))
	}
}

// uniqueIDs is what UIDL lists.
func (s *session) uniqueIDs() ([]string, error) {
	list, err := s.lines("UIDL")
	for i, line := range list {
		_, list[i], _ = strings.Cut(line, " ")
	}
	return list, err
}

// mail is a small message.
func mail(subject string) []byte {
	return fmt.Appendf(nil, "From: customer@example.net\nTo: %s\nSubject: %s\nMessage-ID: <%s@example.net>\n\nPlease see to it: %s.\n.\n..dots\n",
		mailbox, subject, strings.ReplaceAll(subject, " ", "-"), subject)
}

func deliver(t testing.TB, d *dovecot.Server, user string, subjects ...string) {
	t.Helper()
	for _, s := range subjects {
		if err := d.Deliver(user, mail(s)); err != nil {
			t.Fatal(err)
		}
	}
}

// stored counts what is really in a mailbox.
func stored(t testing.TB, d *dovecot.Server, user string) int {
	t.Helper()
	files, err := d.Messages(user)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
