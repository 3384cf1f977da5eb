package upstream

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailguard/demo/dovecot"
)

// A dialogue is a file in testdata/dialogues. A line that begins with a letter
// is what the session of that name sends:
//
//	A SELECT INBOX   a command, which gets a tag
//	A+ DONE          a line as it is
//	A= 2             nothing: so many answers are awaited
//
// \r and \n stand for themselves. The indented lines behind it are the answers,
// to the tagged one or to a continuation, without what may differ: texts for
// people, UIDVALIDITY, today's dates. Lines with # are comments. The files were
// written by Dovecot (-update), and Dovecot is held to them as our server is.
var update = flag.Bool("update", false, "write Dovecot's answers into testdata/dialogues")

const dialogues = "testdata/dialogues/*.txt"

// letterDate is a time long ago.
var letterDate = time.Date(2020, 1, 1, 10, 0, 0, 0, time.UTC)

// letter is what every mailbox of the dialogues holds, as messages 1 to 5.
func letter(i int) []byte {
	return fmt.Appendf(nil, "From: \"A. B\" <a%d@example.com>\r\nTo: Team <support@example.com>, b@c.d\r\nSubject: message %d\r\nDate: Mon, 23 Nov 2026 10:0%d:00 +0100\r\nMessage-ID: <m%d@x>\r\n\r\nHello %d\r\nline two\r\n", i, i, i, i, i)
}

func TestDialogues(t *testing.T) {
	for _, file := range dialogueFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := New()
			s.IMAP.SpecialFolders = true
			s.AddUser("u@example.com", "secret")
			for i := range 5 {
				s.Deliver("u@example.com", letter(i+1))
			}
			checkDialogue(t, file, serveIMAP(t, s), "u@example.com")
		})
	}
}

// special gives Dovecot the folders that our server gives.
const special = `
namespace inbox {
  inbox = yes
  separator = /
  mailbox Archive {
    auto = create
    special_use = \Archive
  }
  mailbox Drafts {
    auto = create
    special_use = \Drafts
  }
  mailbox Junk {
    auto = create
    special_use = \Junk
  }
  mailbox Sent {
    auto = create
    special_use = \Sent
  }
  mailbox Trash {
    auto = create
    special_use = \Trash
  }
}
`

func TestDovecotSaysTheSame(t *testing.T) {
	need(t, dovecot.Installed())
	files := dialogueFiles(t)
	o := dovecot.Options{NoSync: true, Extra: special}
	for i := range files {
		o.Users = append(o.Users, dovecot.User{Name: fmt.Sprintf("u%d@example.com", i), Password: "secret"})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := dovecot.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for m := range 5 {
				if err := d.Deliver(o.Users[i].Name, letter(m+1)); err != nil {
					t.Fatal(err)
				}
			}
			checkDialogue(t, file, d.IMAP(), o.Users[i].Name)
		})
	}
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

func dialogueFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(dialogues)
	if err != nil || len(files) < 10 {
		t.Fatalf("%d dialogues: %v", len(files), err)
	}
	return files
}

// serveIMAP serves on a free port until the test ends.
func serveIMAP(t testing.TB, s *Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeIMAP(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// checkDialogue runs a dialogue and compares it with its file.
func checkDialogue(t *testing.T, file, address, user string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialogue{t: t, address: address, user: user, clients: make(map[string]*client)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("so far:\n%s", d.log.String())
		}
	})
	for line := range strings.Lines(string(want)) {
		d.line(strings.TrimRight(line, "\n"))
	}
	if *update && strings.HasPrefix(t.Name(), "TestDovecot") {
		if err := os.WriteFile(file, []byte(d.log.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(d.log.String(), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

type dialogue struct {
	t             *testing.T
	address, user string
	clients       map[string]*client
	log           strings.Builder
}

// line plays one line of the file.
func (d *dialogue) line(line string) {
	if strings.HasPrefix(line, "\t") {
		return
	}
	d.log.WriteString(line + "\n")
	who, text, ok := strings.Cut(line, " ")
	if !ok || who == "#" {
		return
	}
	text = strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(text)
	c := d.client(who[:1])
	var answers []string
	switch who[1:] {
	case "":
		c.command++
		c.send(fmt.Sprintf("a%d %s\r\n", c.command, text))
		answers = c.answers()
	case "+":
		c.send(text + "\r\n")
		answers = c.answers()
	case "=":
		n, _ := strconv.Atoi(text)
		for range n {
			answers = append(answers, c.response())
		}
	default:
		d.t.Fatalf("what is %q?", line)
	}
	for _, a := range normalise(answers) {
		d.log.WriteString("\t" + a + "\n")
	}
}

// client is the session of that name, logged in by its own first command; the
// name in lower case is one that is not logged in.
func (d *dialogue) client(name string) *client {
	if c := d.clients[name]; c != nil {
		return c
	}
	c := dial(d.t, d.address)
	d.clients[name] = c
	if greeting := c.response(); !strings.HasPrefix(greeting, "* OK") {
		d.t.Fatalf("greeted by %q", greeting)
	}
	if name == strings.ToUpper(name) {
		if got := c.do("LOGIN " + d.user + " secret"); !strings.Contains(got[len(got)-1], " OK ") {
			d.t.Fatalf("login: %q", got)
		}
	}
	return c
}

// client is one connection. Whatever it does not get within ten seconds it
// fails for.
type client struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	command int
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

var literalEnd = regexp.MustCompile(`~?\{(\d+)\}\r\n$`)

// response reads one response with its literals, without the line end. "" is
// the end of the connection.
func (c *client) response() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err == io.EOF && b.Len() == 0 && line == "" {
			return ""
		}
		if err != nil {
			c.t.Fatalf("%v behind %q", err, b.String()+line)
		}
		b.WriteString(line)
		m := literalEnd.FindStringSubmatch(line)
		if m == nil {
			return strings.TrimSuffix(b.String(), "\r\n")
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if _, err := io.CopyN(&b, c.r, n); err != nil {
			c.t.Fatalf("%v in a literal behind %q", err, b.String())
		}
	}
}

// answers reads up to the tagged answer, a continuation, or the end.
func (c *client) answers() []string {
	c.t.Helper()
	for all := []string{}; ; {
		r := c.response()
		if r != "" {
			all = append(all, r)
		}
		if r == "" || strings.HasPrefix(r, "+") || strings.HasPrefix(r, fmt.Sprintf("a%d ", c.command)) || strings.HasPrefix(r, "* BAD") {
			return all
		}
	}
}

// do sends a command and returns its answers.
func (c *client) do(command string) []string {
	c.t.Helper()
	c.command++
	c.send(fmt.Sprintf("a%d %s\r\n", c.command, command))
	return c.answers()
}

var (
	statusText = regexp.MustCompile(`^(\* |a\d+ )(OK|NO|BAD|BYE|PREAUTH)( \[[^\]]*\])?.*`)
	validity   = regexp.MustCompile(`(UIDVALIDITY|COPYUID|APPENDUID) \d+`)
	date       = regexp.MustCompile(`INTERNALDATE "[^"]*"`)
	capability = regexp.MustCompile(`CAPABILITY[^\]]*`)
	esearchTag = regexp.MustCompile(`TAG "a\d+"`)
	identity   = regexp.MustCompile(`^\* ID \(.*\)`)
)

// normaliseDate leaves out when the test was run, and where.
func normaliseDate(item string) string {
	at, err := time.Parse(`INTERNALDATE "`+dateTime+`"`, item)
	switch {
	case err != nil:
		return item
	case time.Since(at) < time.Hour:
		return `INTERNALDATE "today"`
	}
	return at.UTC().Format(`INTERNALDATE "02-Jan-2006 15:04:05 -0700"`)
}

// normalise leaves out what may differ, and puts LIST and LSUB in order.
func normalise(answers []string) []string {
	var plain []string
	for _, a := range answers {
		a = statusText.ReplaceAllString(a, "$1$2$3")
		a = regexp.MustCompile(`^a\d+ `).ReplaceAllString(a, "")
		a = validity.ReplaceAllString(a, "$1 N")
		a = date.ReplaceAllStringFunc(a, normaliseDate)
		a = capability.ReplaceAllString(a, "CAPABILITY")
		a = esearchTag.ReplaceAllString(a, `TAG "tag"`)
		a = identity.ReplaceAllString(a, `* ID (...)`)
		a = strings.ReplaceAll(a, ` \UnMarked`, "") // a hint that Dovecot gives now and then
		a = strings.ReplaceAll(a, `(\UnMarked`, "(")
		if strings.HasPrefix(a, "+ ") && a != "+ " {
			a = "+ ..."
		}
		plain = append(plain, strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(a))
	}
	if len(plain) > 0 && (strings.HasPrefix(plain[0], "* LIST") || strings.HasPrefix(plain[0], "* LSUB")) && !strings.Contains(strings.Join(plain, " "), "* STATUS") {
		slices.Sort(plain[:len(plain)-1])
	}
	return plain
}
