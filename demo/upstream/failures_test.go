package upstream

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// user has 5 messages, like the mailboxes of the dialogues.
const user = "u@example.com"

func newServer(t testing.TB, change func(*Server)) (*Server, string) {
	t.Helper()
	s := New()
	s.AddUser(user, "secret")
	for i := range 5 {
		s.Deliver(user, letter(i+1))
	}
	if change != nil {
		change(s)
	}
	return s, serveIMAP(t, s)
}

// logIn is a client behind the login.
func logIn(t testing.TB, address, user string) *client {
	t.Helper()
	c := dial(t, address)
	c.response()
	if got := c.do("LOGIN " + user + " secret"); !strings.Contains(got[len(got)-1], " OK ") {
		t.Fatalf("login: %q", got)
	}
	return c
}

// want fails unless the answers, normalised, are these.
func want(t testing.TB, got []string, lines ...string) {
	t.Helper()
	if got := normalise(got); !slices.Equal(got, lines) {
		t.Fatalf("got  %q\nwant %q", got, lines)
	}
}

// on acts on the commands that begin so.
func on(prefix string, a Action) func(*Server) {
	return func(s *Server) {
		s.Hook = func(_, command string) Action {
			if strings.HasPrefix(command, prefix) {
				return a
			}
			return Action{}
		}
	}
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		name    string
		action  Action
		command string
		want    []string
	}{
		{"answer", Action{Answer: "* 1 FETCH (FLAGS ())\r\n{tag} NO [TRYCREATE] no"}, "CHECK", []string{"* 1 FETCH (FLAGS ())", "NO [TRYCREATE]"}},
		{"before", Action{Before: "* 9 EXISTS\r\ngarbage\r\n+ go on"}, "CHECK", []string{"* 9 EXISTS", "garbage", "+ ..."}},
		{"lost before", Action{CloseBefore: true}, "STORE 1 +FLAGS (\\Deleted)", nil},
		{"lost after", Action{CloseAfter: true}, "STORE 1 +FLAGS (\\Deleted)", nil},
		{"in pieces", Action{Pieces: 1}, "FETCH 1 BODY.PEEK[TEXT]", []string{`* 1 FETCH (BODY[TEXT] {19}\r\nHello 1\r\nline two\r\n)`, "OK"}},
		{"refused literal", Action{Refuse: "NO [LIMIT] not now"}, "APPEND INBOX {4}", []string{"NO [LIMIT]"}},
		{"refused IDLE", Action{Refuse: "BAD no"}, "IDLE", []string{"BAD"}},
		{"answer for a literal", Action{Answer: "{tag} NO no"}, "APPEND INBOX {4}", []string{"NO"}},
		{"answer for a literal that is sent", Action{Answer: "{tag} NO no"}, "APPEND INBOX {4+}\r\nA: b", []string{"NO"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			verb, _, _ := strings.Cut(test.command, " ")
			_, address := newServer(t, on(verb, test.action))
			c := logIn(t, address, user)
			c.do("SELECT INBOX")
			want(t, c.do(test.command), test.want...)
		})
	}
}

// What a lost connection did and did not do.
func TestLostConnections(t *testing.T) {
	for name, stored := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			s, address := newServer(t, on("STORE", Action{CloseBefore: !stored, CloseAfter: stored}))
			c := logIn(t, address, user)
			c.do("SELECT INBOX")
			if got := c.do(`STORE 1 +FLAGS (\Deleted)`); len(got) > 0 {
				t.Errorf("answered %q", got)
			}
			if got := len(s.Messages(user, "INBOX")[0].Flags) == 1; got != stored {
				t.Errorf("stored: %v", got)
			}
		})
	}
}

func TestCutLiteral(t *testing.T) {
	_, address := newServer(t, on("FETCH", Action{Cut: 40}))
	c := logIn(t, address, user)
	c.do("SELECT INBOX")
	c.send("x FETCH 1 BODY.PEEK[]\r\n")
	var got []byte
	for b, err := c.r.ReadByte(); err == nil; b, err = c.r.ReadByte() {
		got = append(got, b)
	}
	if want := "* 1 FETCH (BODY[] {170}\r\nFrom: \"A. B\" <a"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSilence(t *testing.T) {
	_, address := newServer(t, on("SELECT", Action{Silent: true}))
	c := logIn(t, address, user)
	c.send("x SELECT INBOX\r\n")
	want(t, c.do("FETCH 1 FLAGS"), "BAD") // the first answer, and nothing is open
}

func TestAfter(t *testing.T) {
	_, address := newServer(t, on("CHECK", Action{After: "* 7 EXISTS"}))
	c := logIn(t, address, user)
	c.do("SELECT INBOX")
	want(t, c.do("CHECK"), "OK")
	want(t, c.do("NOOP"), "* 7 EXISTS", "OK")
}

func TestReceivedHasNoPasswords(t *testing.T) {
	s, address := newServer(t, nil)
	c := dial(t, address)
	c.response()
	c.do("LOGIN u@example.com {3+}\r\nno1")
	c.do(`LOGIN "u@example.com" no2`)
	c.do("LOGIN u@example.com no3 no4")
	c.do("LOGIN u@example.com (no5")
	c.do("AUTHENTICATE PLAIN AHUAbm82")
	c.do("AUTHENTICATE PLAIN")
	c.send("AHUAbm82\r\n")
	c.answers()
	c.do("LOGIN u@example.com secret")
	c.do("UID FETCH 1 (FLAGS)")
	c.do("STATUS {5+}\r\nINBOX (MESSAGES)")
	c.do("APPEND INBOX (\\Seen) {4+}\r\nA: b")
	want := []string{
		"LOGIN u@example.com", "LOGIN u@example.com", "LOGIN u@example.com", "LOGIN u@example.com",
		"AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN", "LOGIN u@example.com",
		"UID FETCH 1 (FLAGS)", "STATUS {5+}\r\nINBOX (MESSAGES)", "APPEND INBOX (\\Seen) {4+}\r\n",
	}
	if got := s.Received(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRemoved(t *testing.T) {
	s, address := newServer(t, func(s *Server) { s.IMAP.SpecialFolders = true })
	c := logIn(t, address, user) // session 1
	c.do("SELECT INBOX")
	c.do(`STORE 1 +FLAGS (\Deleted)`)
	c.do("UID EXPUNGE 1:2")
	c.do("MOVE 1 Trash") // UID 2
	c.do(`STORE 1 +FLAGS (\Deleted)`)
	c.do("CLOSE") // UID 3
	c.do("DELETE Trash")
	popped := pop3(t, s) // session 2
	for _, line := range []string{"USER " + user, "PASS secret", "DELE 1", "QUIT"} {
		popped.send(line + "\r\n")
		if got := popped.response(); !strings.HasPrefix(got, "+OK") {
			t.Fatalf("%s: %q", line, got)
		}
	}
	s.Remove(user, s.UniqueIDs(user)...)
	type removal struct {
		folder, user, command string
		uid                   uint32
		session               int
	}
	var got []removal
	for _, r := range s.Removed() {
		got = append(got, removal{r.Folder, r.User, r.Command, r.UID, r.Session})
	}
	want := []removal{
		{"INBOX", user, "UID EXPUNGE 1:2", 1, 1},
		{"INBOX", user, "MOVE 1 Trash", 2, 1},
		{"INBOX", user, "CLOSE", 3, 1},
		{"Trash", user, "DELETE Trash", 1, 1},
		{"INBOX", user, "QUIT", 4, 2},
		{"INBOX", "", "", 5, 0},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// pop3 is a client of the POP3 side.
func pop3(t testing.TB, s *Server) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	c := dial(t, l.Addr().String())
	c.response()
	return c
}

// Both sides show the same mail.
func TestOneMailbox(t *testing.T) {
	s, address := newServer(t, nil)
	c := logIn(t, address, user)
	c.do("SELECT INBOX")
	p := pop3(t, s)
	ask := func(line, want string) {
		t.Helper()
		p.send(line + "\r\n")
		if got := p.response(); !strings.HasPrefix(got, want) {
			t.Fatalf("%s: %q, want %q", line, got, want)
		}
	}
	ask("USER "+user, "+OK")
	ask("PASS secret", "+OK")
	c.do(`STORE 1,2 +FLAGS.SILENT (\Deleted)`)
	c.do("EXPUNGE")
	ask("STAT", "+OK 5 850") // its snapshot
	ask("RETR 1", "-ERR")    // gone
	ask("DELE 3", "+OK")
	s.Deliver(user, []byte(".dots\n.\n\n..\n"))
	want(t, c.do("NOOP"), "* 4 EXISTS", "* 4 RECENT", "OK")
	want(t, c.do("FETCH 4 (UID BODY.PEEK[])"), `* 4 FETCH (UID 6 BODY[] {16}\r\n.dots\r\n.\r\n\r\n..\r\n)`, "OK")
	c.do("IDLE")
	ask("QUIT", "+OK")
	if got := []string{c.response(), c.response()}; !slices.Equal(got, []string{"* 1 EXPUNGE", "* 3 RECENT"}) {
		t.Errorf("IDLE told %q", got)
	}
}

// A crash ends sessions that wait in IDLE or for a literal.
func TestCloseEndsSessions(t *testing.T) {
	s, address := newServer(t, nil)
	idle, appending := logIn(t, address, user), logIn(t, address, user)
	idle.do("IDLE")
	appending.do("APPEND INBOX {10}")
	closed := make(chan struct{})
	go func() { defer close(closed); _ = s.Close() }()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("Close waits for a session that waits for its client")
	}
	if n := len(s.Messages(user, "INBOX")); n != 5 {
		t.Errorf("%d messages: half a message was stored", n)
	}
}
