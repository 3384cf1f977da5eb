package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mailguard/proxy/proxytest"
)

// Commands and forms of a capability that the server does not have are unknown
// to it, and it is not announced.
func TestWithout(t *testing.T) {
	for _, test := range []struct{ without, command string }{
		{"UIDPLUS", "UID EXPUNGE 1"}, {"MOVE", "MOVE 1 INBOX"}, {"MOVE", "UID MOVE 1 INBOX"}, {"UNSELECT", "UNSELECT"},
		{"ESEARCH", "SEARCH RETURN (ALL) ALL"}, {"IDLE", "IDLE"}, {"ID", "ID NIL"}, {"NAMESPACE", "NAMESPACE"}, {"ENABLE", "ENABLE X"},
		{"BINARY", "FETCH 1 BINARY.PEEK[1]"}, {"BINARY", "APPEND INBOX ~{4+}\r\nA: b"}, {"ACL", "MYRIGHTS INBOX"},
		{"MULTIAPPEND", "APPEND INBOX {4+}\r\nA: b {4+}\r\nA: b"}, {"LIST-EXTENDED", `LIST "" * RETURN (CHILDREN)`},
	} {
		t.Run(test.without+" "+test.command, func(t *testing.T) {
			_, address := newServer(t, nil)
			c := logIn(t, address, user)
			c.do("SELECT INBOX")
			if got := c.do(test.command); strings.Contains(got[len(got)-1], " BAD ") {
				t.Fatalf("with it: %q", got)
			}
			_, address = newServer(t, func(s *Server) { s.IMAP.Without = []string{test.without} })
			c = logIn(t, address, user)
			c.do("SELECT INBOX")
			if got := c.do("CAPABILITY"); strings.Contains(got[0]+" ", " "+test.without+" ") {
				t.Errorf("announced: %q", got[0])
			}
			if got := c.do(test.command); !strings.Contains(got[len(got)-1], " BAD ") {
				t.Errorf("without it: %q", got)
			}
			if got := c.do("NOOP"); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "a") {
				t.Errorf("out of step: %q", got)
			}
		})
	}
}

func TestWithoutUIDPLUSNoCodes(t *testing.T) {
	_, address := newServer(t, func(s *Server) { s.IMAP.Without = []string{"UIDPLUS"} })
	c := logIn(t, address, user)
	want(t, c.do("APPEND INBOX {4+}\r\nA: b"), "OK")
	c.do("SELECT INBOX")
	want(t, c.do("COPY 1 INBOX"), "* 7 EXISTS", "* 7 RECENT", "OK")
	want(t, c.do("MOVE 1 INBOX"), "* 1 EXPUNGE", "* 7 EXISTS", "OK")
}

// As on Courier the content of {n+} is a command.
func TestWithoutLiteralPlus(t *testing.T) {
	_, address := newServer(t, func(s *Server) { s.IMAP.Without = []string{"LITERAL+"} })
	c := logIn(t, address, user)
	c.do("SELECT INBOX")
	c.do(`STORE 1 +FLAGS (\Deleted)`)
	c.send("x STATUS {11+}\r\nz EXPUNGE\r\n (MESSAGES)\r\n")
	for _, want := range []string{"x BAD", "* 1 EXPUNGE"} {
		if got := c.response(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLosesPipelined(t *testing.T) {
	_, address := newServer(t, func(s *Server) { s.IMAP.LosesPipelined = true })
	c := dial(t, address)
	c.response()
	c.send("x LOGIN " + user + " secret\r\ny NOOP\r\n")
	if got := c.response(); !strings.HasPrefix(got, "x OK") {
		t.Fatal(got)
	}
	want(t, c.do("NOOP"), "OK")
}

func TestCourierNames(t *testing.T) {
	s, address := newServer(t, func(s *Server) {
		s.IMAP = IMAPOptions{Prefix: "INBOX.", Delimiter: '.', SpecialFolders: true, NoUIDNext: true, NoUnseen: true, CapabilitiesLater: true}
	})
	c := logIn(t, address, user)
	want(t, c.do("NAMESPACE"), `* NAMESPACE (("INBOX." ".")) NIL NIL`, "OK")
	want(t, c.do("CREATE INBOX.a.b"), "OK")
	want(t, c.do("CREATE x"), "NO [CANNOT]")
	want(t, c.do("CREATE INBOX.a/b"), "NO [CANNOT]")
	want(t, c.do(`LIST "" INBOX.%`),
		`* LIST (\HasNoChildren \Archive) "." INBOX.Archive`, `* LIST (\HasNoChildren \Drafts) "." INBOX.Drafts`,
		`* LIST (\HasNoChildren \Junk) "." INBOX.Junk`, `* LIST (\HasNoChildren \Sent) "." INBOX.Sent`,
		`* LIST (\HasNoChildren \Trash) "." INBOX.Trash`, `* LIST (\Noselect \HasChildren) "." INBOX.a`, "OK")
	want(t, c.do("APPEND inbox.a.b {4+}\r\nA: b"), "OK [APPENDUID N 1]")
	if got := s.Messages(user, "a/b"); len(got) != 1 {
		t.Errorf("a/b has %d messages", len(got))
	}
	want(t, c.do("SELECT INBOX"), `* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)`,
		`* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)]`, "* 5 EXISTS", "* 5 RECENT", "* OK [UIDVALIDITY N]", "OK [READ-WRITE]")
}

// Without the rights t and e a message stays, and the server says OK.
func TestReadOnlyRights(t *testing.T) {
	s, address := newServer(t, func(s *Server) { s.IMAP.SpecialFolders = true })
	s.Grant(user, user, "lrswi")
	c := logIn(t, address, user)
	c.do("SELECT INBOX")
	want(t, c.do("MYRIGHTS INBOX"), "* MYRIGHTS INBOX lrswi", "OK")
	want(t, c.do(`STORE 1 +FLAGS (\Deleted)`), "OK")
	want(t, c.do(`STORE 1 FLAGS (\Deleted \Seen)`), `* 1 FETCH (FLAGS (\Seen \Recent))`, "OK")
	if err := s.SetFlags(user, "INBOX", 2, `\Deleted`); err != nil {
		t.Fatal(err)
	}
	want(t, c.do("STORE 2 FLAGS ()"), `* 2 FETCH (FLAGS (\Deleted \Recent))`, "OK")
	want(t, c.do("EXPUNGE"), "OK")
	want(t, c.do("UID EXPUNGE 1:*"), "OK")
	want(t, c.do("MOVE 1 Trash"), "NO [NOPERM]")
	want(t, c.do("COPY 1 Trash"), "OK [COPYUID N 1 1]")
	want(t, c.do("APPEND Trash (\\Deleted) {4+}\r\nA: b"), "OK [APPENDUID N 2]")
	want(t, c.do("DELETE Trash"), "NO [NOPERM]")
	want(t, c.do("RENAME Trash T"), "NO [NOPERM]")
	want(t, c.do("CLOSE"), "OK")
	if len(s.Removed()) > 0 || len(s.Messages(user, "Trash")[1].Flags) > 0 {
		t.Errorf("removed %v, Trash %v", s.Removed(), s.Messages(user, "Trash"))
	}
}

func TestOtherUsers(t *testing.T) {
	s, address := newServer(t, nil)
	for _, name := range []string{"alice", "bob"} {
		s.AddUser(name, "secret")
	}
	s.Grant(user, "alice", "lrswit")
	if _, err := s.Append(user, "Team/2026", letter(1), letterDate, `\Flagged`); err != nil {
		t.Fatal(err)
	}
	alice, bob := logIn(t, address, "alice"), logIn(t, address, "bob")
	want(t, alice.do("NAMESPACE"), `* NAMESPACE (("" "/")) (("shared/" "/")) NIL`, "OK")
	want(t, bob.do("NAMESPACE"), `* NAMESPACE (("" "/")) NIL NIL`, "OK")
	want(t, alice.do(`LIST "" shared/*`),
		`* LIST (\HasChildren) "/" shared/u@example.com`, `* LIST (\HasNoChildren) "/" shared/u@example.com/Team/2026`,
		`* LIST (\Noselect \HasChildren) "/" shared/u@example.com/Team`, "OK")
	for _, name := range []string{"shared/u@example.com", "shared/u@example.com/INBOX", "shared/u@example.com/inbox"} {
		want(t, alice.do("STATUS "+name+" (MESSAGES)"), "* STATUS "+name+" (MESSAGES 5)", "OK")
		want(t, bob.do("STATUS "+name+" (MESSAGES)"), "NO")
	}
	alice.do("SELECT shared/u@example.com")
	want(t, alice.do(`STORE 1 +FLAGS (\Deleted)`), `* 1 FETCH (FLAGS (\Deleted \Recent))`, "OK")
	want(t, alice.do("EXPUNGE"), "OK")
	want(t, alice.do("COPY 2 INBOX"), "OK [COPYUID N 2 1]")
	want(t, alice.do("CREATE shared/u@example.com/x"), "NO [NOPERM]")
	if len(s.Messages("alice", "INBOX")) != 1 || len(s.Messages(user, "INBOX")) != 5 {
		t.Error("the copy is not where it belongs")
	}
}

func TestMechanisms(t *testing.T) {
	_, address := newServer(t, nil)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"PLAIN at once", []string{"AUTHENTICATE PLAIN " + encode("\x00u@example.com\x00secret")}, "OK [CAPABILITY]"},
		{"PLAIN for somebody else", []string{"AUTHENTICATE PLAIN " + encode("x\x00u@example.com\x00secret")}, "NO [AUTHENTICATIONFAILED]"},
		{"PLAIN", []string{"AUTHENTICATE plain", encode("\x00u@example.com\x00secret")}, "OK [CAPABILITY]"},
		{"LOGIN", []string{"AUTHENTICATE LOGIN", encode(user), encode("secret")}, "OK [CAPABILITY]"},
		{"LOGIN cancelled", []string{"AUTHENTICATE LOGIN", encode(user), "*"}, "BAD"},
		{"XOAUTH2", []string{"AUTHENTICATE XOAUTH2 " + encode("user=u@example.com\x01auth=Bearer secret\x01\x01")}, "OK [CAPABILITY]"},
		{"XOAUTH2 refused", []string{"AUTHENTICATE XOAUTH2", encode("user=u@example.com\x01auth=Bearer no\x01\x01"), ""}, "NO [AUTHENTICATIONFAILED]"},
		{"no base64", []string{"AUTHENTICATE PLAIN", "???"}, "BAD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, address)
			c.response()
			got := c.do(test.lines[0])
			for _, line := range test.lines[1:] {
				c.send(line + "\r\n")
				got = c.answers()
			}
			want(t, got, test.want)
		})
	}
}

func TestGreetings(t *testing.T) {
	_, address := newServer(t, func(s *Server) { s.IMAP.Greeting = "BYE not today" })
	c := dial(t, address)
	if got, end := c.response(), c.response(); got != "* BYE not today" || end != "" {
		t.Errorf("got %q, %q", got, end)
	}
	_, address = newServer(t, func(s *Server) { s.IMAP.Greeting = "PREAUTH hello" })
	c = dial(t, address)
	c.response()
	want(t, c.do("STATUS INBOX (MESSAGES)"), "* STATUS INBOX (MESSAGES 5)", "OK")
}

func TestStartTLS(t *testing.T) {
	certFile, keyFile, caFile := proxytest.WriteCert(t, t.TempDir())
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	_, address := newServer(t, func(s *Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}} })

	c := dial(t, address)
	if got := c.response(); !strings.Contains(got, " STARTTLS ") {
		t.Errorf("greeted by %q", got)
	}
	want(t, c.do("STARTTLS"), "OK")
	secure := tls.Client(c.conn, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	c.conn = secure
	c.r.Reset(secure)
	if got := c.do("CAPABILITY"); strings.Contains(got[0], "STARTTLS") {
		t.Errorf("inside of TLS: %q", got[0])
	}
	want(t, c.do("LOGIN "+user+" secret"), "OK [CAPABILITY]")

	injected := dial(t, address)
	injected.response()
	injected.send("a1 STARTTLS\r\na2 NOOP\r\n")
	injected.command = 1
	injected.answers()
	if got := injected.response(); got != "" {
		t.Errorf("what came with STARTTLS was answered: %q", got)
	}
}

// Python's imaplib is a client that nobody here has written.
func TestPythonsImaplib(t *testing.T) {
	python, err := exec.LookPath("python3")
	need(t, err)
	s, address := newServer(t, func(s *Server) { s.IMAP.SpecialFolders = true })
	host, port, _ := strings.Cut(address, ":")
	out, err := exec.Command(python, "-c", script, host, port).CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if inbox, trash := s.Messages(user, "INBOX"), s.Messages(user, "Trash"); len(inbox) != 4 || len(trash) != 1 || string(trash[0].Text) != string(letter(2)) {
		t.Errorf("INBOX %v, Trash %v", inbox, trash)
	}
}

const script = `
import imaplib, sys, time
m = imaplib.IMAP4(sys.argv[1], int(sys.argv[2]))
m.login("u@example.com", "secret")
assert m.select() == ("OK", [b"5"])
typ, data = m.search(None, "SUBJECT", '"message 3"')
assert data == [b"3"], data
typ, data = m.fetch("1:2", "(UID FLAGS BODY[])")
assert len(data) == 4 and b"Hello 1" in data[0][1], data
assert m.store("1", "+FLAGS", r"(\Deleted)")[1] == [rb"1 (FLAGS (\Deleted \Seen \Recent))"]
assert m.expunge() == ("OK", [b"1"])
assert m.uid("COPY", "2", "Trash")[0] == "OK"
assert m.uid("STORE", "2", "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK"
assert m.uid("EXPUNGE", "2")[0] == "OK"
assert m.append("INBOX", r"(\Seen)", imaplib.Time2Internaldate(time.time()), b"Subject: new\r\n\r\nbody\r\n")[0] == "OK"
assert m.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b"INBOX (MESSAGES 4 UNSEEN 3)"]
assert len(m.list()[1]) == 6
assert m.close()[0] == "OK"
assert m.logout()[0] == "BYE"
`
