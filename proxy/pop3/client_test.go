package pop3

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mailguard/proxy/proxytest"
)

// client is a strict POP3 client: every line ends in CRLF, or the test fails.
type client struct {
	tb   reporter
	conn net.Conn
	r    *bufio.Reader
}

// reporter is what a client needs of a test: a testing.TB, or a *rapid.T.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
	Cleanup(f func())
}

// patience is how long an answer may take: beyond it a session hangs.
const patience = 15 * time.Second

// dial connects and takes the greeting.
func (w *world) dial() *client {
	w.tb.Helper()
	w.pass(time.Second) // sessions follow one another
	return w.dialAt(w.address)
}

func (w *world) dialAt(address string) *client {
	w.tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		w.tb.Fatal(err)
	}
	c := newClient(w.tb, conn)
	if got := c.line(); !strings.HasPrefix(got, "+OK") {
		w.tb.Fatalf("greeting: %q", got)
	}
	return c
}

func newClient(tb reporter, conn net.Conn) *client {
	c := &client{tb: tb, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	tb.Cleanup(c.drop)
	_ = conn.SetDeadline(time.Now().Add(patience))
	return c
}

// open logs in as a member of a mailbox; "" is nobody in particular.
func (w *world) open(box, who string) *client {
	w.tb.Helper()
	c := w.dial()
	if who != "" {
		box += "#" + who
	}
	c.say("USER "+box, "+OK*")
	c.say("PASS "+password, "+OK*")
	return c
}

// drop loses the connection.
func (c *client) drop() { _ = c.conn.Close() }

func (c *client) quit() {
	c.tb.Helper()
	c.say("QUIT", "+OK*")
	c.ended()
}

// send writes octets as they are.
func (c *client) send(octets string) {
	c.tb.Helper()
	if _, err := io.WriteString(c.conn, octets); err != nil {
		c.tb.Fatalf("send %.80q: %v", octets, err)
	}
}

// line reads one line.
func (c *client) line() string {
	c.tb.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.tb.Fatalf("waiting for a line: %q, %v", line, err)
	}
	if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:len(line)-2], "\r\n\x00") {
		c.tb.Fatalf("a line with a wrong end: %.200q", line)
	}
	return line[:len(line)-2]
}

// say sends a command and compares the lines of the answer; a "*" at the end
// of one stands for any text.
func (c *client) say(command string, want ...string) {
	c.tb.Helper()
	c.send(command + "\r\n")
	c.get(command, want...)
}

func (c *client) get(command string, want ...string) {
	c.tb.Helper()
	for _, w := range want {
		if got := c.line(); !fits(got, w) {
			c.tb.Fatalf("%.100s: got %q, want %q", command, got, w)
		}
	}
}

func fits(got, want string) bool {
	prefix, wild := strings.CutSuffix(want, "*")
	return got == want || (wild && strings.HasPrefix(got, prefix))
}

// ask sends a command and returns its status line.
func (c *client) ask(command string) string {
	c.tb.Helper()
	c.send(command + "\r\n")
	return c.line()
}

// list sends a command with a multi-line answer and returns the lines.
func (c *client) list(command string) []string {
	c.tb.Helper()
	c.say(command, "+OK*")
	return c.rest()
}

func (c *client) rest() []string {
	c.tb.Helper()
	lines := []string{}
	for {
		line := c.line()
		if line == "." {
			return lines
		}
		lines = append(lines, line)
	}
}

// message returns a message as it is stored.
func (c *client) message(command string) string {
	c.tb.Helper()
	var b strings.Builder
	for _, line := range c.list(command) {
		b.WriteString(strings.TrimPrefix(line, ".") + "\r\n")
	}
	return b.String()
}

// ids is what UIDL shows.
func (c *client) ids() string {
	c.tb.Helper()
	var ids []string
	for _, line := range c.list("UIDL") {
		_, id, _ := strings.Cut(line, " ")
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// ended fails the test unless the connection ends without another octet.
func (c *client) ended() {
	c.tb.Helper()
	if rest := c.remainder(); rest != "" {
		c.tb.Errorf("behind the end: %.200q", rest)
	}
}

// remainder is what comes up to the end of the connection, which must come.
func (c *client) remainder() string {
	c.tb.Helper()
	rest, err := io.ReadAll(c.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Errorf("the session hangs behind %.200q", rest)
	}
	return string(rest)
}

// startTLS is STLS and the handshake.
func (c *client) startTLS() {
	c.tb.Helper()
	c.say("STLS", "+OK*")
	c.handshake()
}

func (c *client) handshake() {
	c.tb.Helper()
	_, pool := proxytest.Cert(c.tb.(testing.TB)) // no property is about TLS
	t := tls.Client(c.conn, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err := t.Handshake(); err != nil {
		c.tb.Fatal(err)
	}
	c.conn = t
	c.r.Reset(t)
}
