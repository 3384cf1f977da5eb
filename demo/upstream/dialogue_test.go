package upstream

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
