package integration

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mailguard/demo/upstream"
)

// attacks are octets that some mail server reads as a command which removes
// mail, or that a careless proxy would pass on.
var attacks = map[string]string{
	"bare LF":                   "DELE 1\nQUIT\r\n",
	"bare LF throughout":        "DELE 1\nDELE 2\nQUIT\n",
	"bare CR":                   "NOOP\rDELE 1\r\nNOOP\rQUIT\r\n",
	"CR CR LF":                  "DELE 1\r\r\nQUIT\r\r\n",
	"NUL behind":                "DELE 1\x00\r\nQUIT\x00\r\n",
	"NUL in front":              "\x00DELE 1\r\n\x00QUIT\r\n",
	"NUL within":                "DE\x00LE 1\r\n",
	"blank in front":            " DELE 1\r\n QUIT\r\n",
	"tab in front":              "\tDELE 1\r\n\tQUIT\r\n",
	"tab between":               "DELE\t1\r\nQUIT\t\r\n",
	"two blanks":                "DELE  1\r\nQUIT \r\n",
	"blank behind":              "DELE 1 \r\nQUIT \r\n",
	"sign":                      "DELE +1\r\nDELE -1\r\nQUIT \r\n",
	"leading zero":              "DELE 01\r\nDELE 0\r\n",
	"more than a number":        "DELE 1x\r\nDELE 1 2\r\nDELE 1,2\r\nDELE 1:2\r\nDELE *\r\n",
	"huge numbers":              "DELE 4294967297\r\nDELE 18446744073709551617\r\nDELE 99999999999999999999999\r\n",
	"other digits":              "DELE \xd9\xa1\r\nDELE \xef\xbc\x91\r\n",
	"overlong line":             "NOOP " + strings.Repeat("x", 9000) + "\r\nDELE 1\r\nQUIT\r\n",
	"overlong line in pieces":   strings.Repeat("x", 8192) + "DELE 1\r\nQUIT\r\n",
	"QUIT without a line end":   "DELE 1\r\nQUIT",
	"QUIT and half a line end":  "DELE 1\r\nQUIT\r",
	"QUIT with an argument":     "DELE 1\r\nQUIT now\r\n",
	"connection lost":           "DELE 1\r\nDELE 2\r\nDELE 3\r\n",
	"RSET":                      "DELE 1\r\nRSET\r\nQUIT\r\n",
	"other verbs":               "XDELE 1\r\nXTND XMIT\r\nLAST\r\nEXPUNGE\r\na1 EXPUNGE\r\nAPOP a b\r\nEHLO x\r\n",
	"login again":               "USER other\r\nPASS x\r\nAUTH PLAIN AAAA\r\nSTLS\r\n",
	"HTTP":                      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nDELE 1\r\n",
	"pipelined garbage":         "\xff\xfe\xfd\r\nDELE\r\nLIST x\r\nUIDL -1\r\nTOP 1\r\nRETR 1 1\r\n" + strings.Repeat("?\r\n", 50),
	"numbers that do not exist": "DELE 4\r\nRETR 99\r\nTOP 99 1\r\nLIST 99\r\n",
}

// canonical are the commands that the guard itself writes.
var canonical = regexp.MustCompile(`^(CAPA|USER \S+|PASS|AUTH|UIDL|LIST|STAT|NOOP|RSET|QUIT|RETR [1-9]\d*|TOP [1-9]\d* \d+)$`)

// Whatever a client sends: the upstream gets commands of the guard's own only,
// and no message is missing.
func TestAttacks(t *testing.T) {
	u := upstream.New()
	u.AddUser(mailbox, password)
	for _, subject := range []string{"one", "two", "three"} {
		u.Deliver(mailbox, mail(subject))
	}
	g := startGuard(t, serveUpstream(t, u), options{
		// The most dangerous policy: what gets through is really removed.
		policy: "policy:\n  rules:\n    - {name: all-may-go, when: op == \"pop3.dele\", then: allow}\n    - {name: not-all, when: 'true', then: defer}",
	})
	for what, bytes := range attacks {
		t.Run(what, func(t *testing.T) {
			s := g.must(mailbox + "#alice")
			answers := s.throw(t, bytes)
			for line := range strings.Lines(answers) {
				if !strings.HasPrefix(line, "+OK") && !strings.HasPrefix(line, "-ERR") {
					t.Errorf("an answer that is neither +OK nor -ERR: %q", line)
				}
			}
			before, err := g.dial("127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			before.throw(t, bytes)
			if ids := u.UniqueIDs(mailbox); len(ids) != 3 {
				t.Fatalf("messages are missing: %v are left", ids)
			}
		})
	}
	for _, line := range u.Received() {
		if !canonical.MatchString(line) {
			t.Errorf("the upstream received %q", line)
		}
	}
	s := g.must(mailbox + "#bob") // and it still works
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Error(err)
		}
	}
	if ids := u.UniqueIDs(mailbox); len(ids) != 2 {
		t.Errorf("an ordinary deletion that is allowed: %v are left", ids)
	}
}

// throw sends octets, ends the sending side, and reads what comes.
func (s *session) throw(t *testing.T, octets string) string {
	t.Helper()
	defer s.conn.Close()
	if _, err := io.WriteString(s.conn, octets); err != nil {
		return "" // the guard has ended the session already, which is an answer
	}
	if c, ok := s.conn.(*tls.Conn); ok {
		_ = c.CloseWrite()
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(sessionTimeout))
	answers, err := io.ReadAll(s.r)
	if e, timeout := err.(net.Error); timeout && e.Timeout() { //nolint:errorlint // as net returns it
		t.Error("the session hangs")
	}
	return string(answers)
}

// clear connects to the listener that waits for STLS.
func (g *guard) clear() *session {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.pop3)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(sessionTimeout))
	s := &session{conn: conn, r: bufio.NewReader(conn)}
	if _, err := s.line(); err != nil {
		g.t.Fatal(err)
	}
	return s
}

func TestSTLS(t *testing.T) {
	u := upstream.New()
	u.AddUser(mailbox, password)
	g := startGuard(t, serveUpstream(t, u), options{})

	s := g.clear()
	for _, command := range []string{"USER " + mailbox, "AUTH PLAIN AGEAYg==", "AUTH LOGIN"} {
		if _, err := s.command(command); err == nil || !strings.HasPrefix(err.Error(), "-ERR [AUTH]") {
			t.Errorf("%s in clear: %v", command, err)
		}
	}
	capa, err := s.lines("CAPA")
	if text := strings.Join(capa, ","); err != nil || !strings.Contains(text, "STLS") || strings.Contains(text, "SASL") {
		t.Errorf("CAPA in clear: %v, %v", capa, err)
	}
	if _, err := s.command("STLS"); err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(s.conn, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
	s = &session{conn: secure, r: bufio.NewReader(secure)}
	capa, err = s.lines("CAPA")
	if text := strings.Join(capa, ","); err != nil || strings.Contains(text, "STLS") || !strings.Contains(text, "SASL PLAIN LOGIN") {
		t.Errorf("CAPA behind STLS: %v, %v", capa, err)
	}
	for _, command := range []string{"USER " + mailbox + "#alice", "PASS " + password, "STAT", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}

	injected := g.clear()
	if answers := injected.throw(t, "STLS\r\nUSER "+mailbox+"\r\nPASS "+password+"\r\n"); strings.Contains(answers, "+OK") {
		t.Errorf("commands in the packet of STLS were answered: %q", answers)
	}
}

// authentications are the ways to log in by AUTH, as lines of the client's.
func authentications() map[string][]string {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	plain := encode("\x00" + mailbox + "#alice\x00" + password)
	return map[string][]string{
		"PLAIN with an initial response": {"AUTH PLAIN " + plain},
		"PLAIN with a continuation":      {"AUTH PLAIN", plain},
		"plain in lower case":            {"auth plain " + plain},
		"LOGIN":                          {"AUTH LOGIN", encode(mailbox + "#alice"), encode(password)},
		"LOGIN with an initial response": {"AUTH LOGIN " + encode(mailbox+"#alice"), encode(password)},
	}
}

func TestAuth(t *testing.T) {
	u := upstream.New()
	u.AddUser(mailbox, password)
	u.AddUser("other@example.com", password)
	g := startGuard(t, serveUpstream(t, u), options{})
	for what, lines := range authentications() {
		t.Run(what, func(t *testing.T) {
			if answer := g.converse(t, lines); !strings.HasPrefix(answer, "+OK") {
				t.Errorf("got %q", answer)
			}
		})
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for what, lines := range map[string][]string{
		"cancelled":                      {"AUTH PLAIN", "*"},
		"not base64":                     {"AUTH PLAIN !!!"},
		"wrong password":                 {"AUTH PLAIN " + encode("\x00"+mailbox+"\x00wrong")},
		"no NULs":                        {"AUTH PLAIN " + encode("x")},
		"line end in the password":       {"AUTH PLAIN " + encode("\x00"+mailbox+"\x00a\r\nDELE 1")},
		"NUL in the password":            {"AUTH PLAIN " + encode("\x00"+mailbox+"\x00a\x00b")},
		"line end in the name":           {"AUTH PLAIN " + encode("\x00"+mailbox+"\r\nQUIT\x00"+password)},
		"authorization identity":         {"AUTH PLAIN " + encode("other@example.com\x00"+mailbox+"\x00"+password)},
		"mechanism with channel binding": {"AUTH SCRAM-SHA-256-PLUS eA=="},
		"mechanism with a layer":         {"AUTH GSSAPI"},
		"mechanism of a token":           {"AUTH XOAUTH2 " + encode("user="+mailbox+"\x01auth=Bearer x\x01\x01")},
	} {
		t.Run(what, func(t *testing.T) {
			if answer := g.converse(t, lines); !strings.HasPrefix(answer, "-ERR") {
				t.Errorf("got %q", answer)
			}
		})
	}
	for _, line := range u.Received() {
		if !canonical.MatchString(line) {
			t.Errorf("the upstream received %q", line)
		}
	}
	if log := g.log.String(); strings.Contains(log, password+`"`) || strings.Contains(log, encode(password)) {
		t.Error("the password is in the log")
	}
}

// converse sends lines, each after an answer, and returns the last answer.
func (g *guard) converse(t *testing.T, lines []string) (answer string) {
	t.Helper()
	s, err := g.dial("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.conn.Close()
	for _, line := range lines {
		if _, err := fmt.Fprintf(s.conn, "%s\r\n", line); err != nil {
			t.Fatal(err)
		}
		if answer, err = s.line(); err != nil {
			t.Fatal(err)
		}
	}
	return answer
}
