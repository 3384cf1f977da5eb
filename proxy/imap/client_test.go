package imap

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailguard/proxy/proxytest"
)

// client is a strict IMAP client: every line ends in CRLF and every command is
// answered once, or the test fails.
type client struct {
	tb   testing.TB
	conn net.Conn
	r    *bufio.Reader
	sent int             // commands
	open map[string]bool // tags that wait for their answer
}

// patience is how long an answer may take: beyond it a session hangs.
const patience = 15 * time.Second

// dial connects and takes the greeting.
func (w *world) dial(tb testing.TB) *client {
	tb.Helper()
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		tb.Fatal(err)
	}
	return greeted(tb, conn)
}

func greeted(tb testing.TB, conn net.Conn) *client {
	tb.Helper()
	c := newClient(tb, conn)
	if got := c.response(); !strings.HasPrefix(got, "* OK [CAPABILITY IMAP4rev1 ") {
		tb.Fatalf("greeting: %q", got)
	}
	return c
}

func newClient(tb testing.TB, conn net.Conn) *client {
	c := &client{tb: tb, conn: conn, r: bufio.NewReaderSize(conn, 64<<10), open: make(map[string]bool)}
	tb.Cleanup(c.drop)
	return c
}

// login logs in as a member of a mailbox; "" is nobody in particular.
func (w *world) login(tb testing.TB, box, who string) *client {
	tb.Helper()
	c := w.dial(tb)
	c.ok("LOGIN " + named(box, who) + ` "` + password + `"`)
	return c
}

func named(box, who string) string {
	if who == "" {
		return box
	}
	return box + "#" + who
}

// enter is login with the INBOX selected.
func (w *world) enter(tb testing.TB, box, who string) *client {
	tb.Helper()
	c := w.login(tb, box, who)
	c.ok("SELECT INBOX")
	return c
}

// drop loses the connection.
func (c *client) drop() { _ = c.conn.Close() }

func (c *client) logout() {
	c.tb.Helper()
	if got := c.ok("LOGOUT"); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "* BYE ") {
		c.tb.Errorf("no BYE in %q", got)
	}
	c.ended()
}

// send writes octets as they are.
func (c *client) send(octets string) {
	c.tb.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.conn, octets); err != nil {
		c.tb.Fatalf("send %.80q: %v", octets, err)
	}
}

// begin sends a command and returns its tag. The command may go on behind a
// literal, which the caller sends.
func (c *client) begin(command string) (tag string) {
	c.tb.Helper()
	c.sent++
	tag = "a" + strconv.Itoa(c.sent)
	c.open[tag] = true
	c.send(tag + " " + command + "\r\n")
	return tag
}

var literal = regexp.MustCompile(`~?\{(\d+)\}\r\n$`)

// read reads one response with its literals, without its line end.
func (c *client) read() (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:len(line)-2], "\r\n\x00") {
			return b.String(), errors.New("a line with a wrong end")
		}
		m := literal.FindStringSubmatch(line)
		if m == nil {
			return strings.TrimSuffix(b.String(), "\r\n"), nil
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return b.String(), err
		}
		if _, err := io.CopyN(&b, c.r, n); err != nil {
			return b.String(), err
		}
	}
}

// response is read that has to succeed. A tag that is answered must be open.
func (c *client) response() string {
	c.tb.Helper()
	line, err := c.read()
	if err != nil {
		c.tb.Fatalf("waiting for a response: %.300q, %v", line, err)
	}
	c.note(line)
	return line
}

// note holds the server to one answer for each command.
func (c *client) note(line string) {
	c.tb.Helper()
	tag, _, _ := strings.Cut(line, " ")
	switch {
	case tag == "*" || tag == "+":
	case !c.open[tag]:
		c.tb.Errorf("an answer that nothing was asked for: %q", line)
	default:
		delete(c.open, tag)
	}
}

// wait reads up to a command's answer. It returns what came before it, and the
// answer without its tag.
func (c *client) wait(tag string) (others []string, answer string) {
	c.tb.Helper()
	others = []string{}
	for {
		line := c.response()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			return others, rest
		}
		others = append(others, line)
	}
}

// do sends a command and reads up to its answer.
func (c *client) do(command string) (others []string, answer string) {
	c.tb.Helper()
	return c.wait(c.begin(command))
}

// answer sends a command and returns its answer, whatever came before it.
func (c *client) answer(command string) string {
	c.tb.Helper()
	_, answer := c.do(command)
	return answer
}

// ok sends a command that has to succeed.
func (c *client) ok(command string) []string {
	c.tb.Helper()
	others, answer := c.do(command)
	if !strings.HasPrefix(answer, "OK ") {
		c.tb.Fatalf("%.100s: %q", command, append(others, answer))
	}
	return others
}

// say sends a command and compares its answer, and what came before it if
// there is something to compare with. A "*" at the end of a line stands for
// any text.
func (c *client) say(command, want string, before ...string) {
	c.tb.Helper()
	others, answer := c.do(command)
	if !fits(answer, want) {
		c.tb.Fatalf("%.100s: got %q, want %q", command, answer, want)
	}
	if before != nil && !slices.EqualFunc(others, before, fits) {
		c.tb.Errorf("%.100s: got %q, want %q", command, others, before)
	}
}

// nothing says that no response comes before an answer.
var nothing = []string{}

func fits(got, want string) bool {
	prefix, wild := strings.CutSuffix(want, "*")
	return got == want || wild && strings.HasPrefix(got, prefix)
}

// shown is what FETCH FLAGS shows, without \Recent.
func (c *client) shown() string {
	c.tb.Helper()
	var all []string
	for _, line := range c.ok("FETCH 1:* (FLAGS)") {
		all = append(all, strings.NewReplacer(` \Recent`, "", `\Recent `, "", `\Recent`, "", "* ", "", "FETCH (FLAGS (", "(", "))", ")").Replace(line))
	}
	return strings.Join(all, ", ")
}

// shows fails the test unless FETCH FLAGS shows this.
func (c *client) shows(want string) {
	c.tb.Helper()
	if got := c.shown(); got != want {
		c.tb.Errorf("flags are %s, want %s", got, want)
	}
}

// finds fails the test unless a search finds this.
func (c *client) finds(search, want string) {
	c.tb.Helper()
	for _, line := range c.ok(search) {
		if rest, ok := strings.CutPrefix(line, "* SEARCH"); ok {
			if got := strings.TrimSpace(rest); got != want {
				c.tb.Errorf("%s finds %q, want %q", search, got, want)
			}
			return
		}
	}
	c.tb.Errorf("%s: no answer", search)
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
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(c.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Errorf("the session hangs behind %.200q", rest)
	}
	return string(rest)
}

// goodbye reads up to a BYE, behind which the connection must end.
func (c *client) goodbye() string {
	c.tb.Helper()
	for {
		if line := c.response(); strings.HasPrefix(line, "* BYE ") {
			c.ended()
			return line
		}
	}
}

// startTLS is STARTTLS and the handshake.
func (c *client) startTLS() {
	c.tb.Helper()
	c.ok("STARTTLS")
	_, pool := proxytest.Cert(c.tb)
	t := tls.Client(c.conn, &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err := t.Handshake(); err != nil {
		c.tb.Fatal(err)
	}
	c.conn = t
	c.r.Reset(t)
}

// capabilities is what CAPABILITY says.
func (c *client) capabilities() []string {
	c.tb.Helper()
	for _, line := range c.ok("CAPABILITY") {
		if rest, ok := strings.CutPrefix(line, "* CAPABILITY "); ok {
			return strings.Fields(rest)
		}
	}
	c.tb.Fatal("no capabilities")
	return nil
}

// lit is a string as a literal that is not waited for.
func lit(s string) string { return fmt.Sprintf("{%d+}\r\n%s", len(s), s) }
