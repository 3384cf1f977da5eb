package imapconn

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"mailguard/proxy/proxytest"
)

// stage is a scripted server behind a Between. A script has the lines of both
// sides: "C:..." is said by the client, "TLS" is the handshake, "C:end" and
// "S:end" close the connection, all else is said by the server. Each side must
// get exactly what the other one says.
type betweenStage struct {
	t       *testing.T
	between *Between
	config  *tls.Config // of the client

	mu       sync.Mutex
	violated []string
}

func newStage(t *testing.T, script []string, change func(*BetweenOptions)) *betweenStage {
	t.Helper()
	cert, roots := proxytest.Cert(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &betweenStage{t: t, config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	o := BetweenOptions{To: l.Addr().String(), Client: s.config, Server: &tls.Config{Certificates: []tls.Certificate{cert}}, Report: s.take}
	if change != nil {
		change(&o)
	}
	if s.between, err = NewBetween(o); err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if o.Implicit {
			conn = tls.Server(conn, o.Server)
		}
		follow(t, conn, script, "S:", func(c net.Conn) *tls.Conn { return tls.Server(c, o.Server) })
	})
	t.Cleanup(func() { _ = s.between.Close(); _ = l.Close(); server.Wait() })
	return s
}

func (s *betweenStage) take(violation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violated = append(s.violated, violation)
}

// follow plays one side of a script, and closes the connection when the script
// says so, or when the other side has.
func follow(t *testing.T, conn net.Conn, script []string, side string, secure func(net.Conn) *tls.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(defaultTimeout))
	for _, entry := range script {
		text, isClient := strings.CutPrefix(entry, "C:")
		text = strings.TrimPrefix(text, "S:")
		speaks := isClient == (side == "C:")
		switch {
		case entry == "TLS":
			encrypted := secure(conn)
			if err := encrypted.HandshakeContext(context.Background()); err != nil {
				t.Errorf("%s %v", side, err)
				return
			}
			conn = encrypted
		case text == "end":
			if !speaks {
				_, _ = io.Copy(io.Discard, conn)
			}
			return
		case speaks:
			_, _ = io.WriteString(conn, text)
		default:
			got := make([]byte, len(text))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
				t.Errorf("%s got %q, %v; want %q", side, got, err, text)
				return
			}
		}
	}
}

// play plays the client's side. It returns all violations.
func (s *betweenStage) play(script []string, implicit bool) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.between.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	secure := func(c net.Conn) *tls.Conn { return tls.Client(c, s.config) }
	if implicit {
		conn = secure(conn)
	}
	follow(s.t, conn, script, "C:", secure)
	s.settle()
	if err := s.between.Close(); err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.violated, "\n")
}

// settle waits until the connection has ended on all sides.
func (s *betweenStage) settle() {
	s.t.Helper()
	for begun := time.Now(); time.Since(begun) < defaultTimeout; time.Sleep(time.Millisecond) {
		s.between.mu.Lock()
		left := len(s.between.links)
		s.between.mu.Unlock()
		if left == 0 {
			return
		}
	}
	s.t.Error("the connection does not end")
}

// selectInbox opens a folder of three messages.
var selectInbox = []string{
	hello, "C:a SELECT INBOX\r\n", "* FLAGS ()\r\n", "* 3 EXISTS\r\n* OK [UIDNEXT 9] next\r\n", "a OK selected\r\n",
}

var planted = []struct {
	name   string
	script []string // behind selectInbox
	broken string   // "" for nothing
}{
	{"nothing", []string{"C:b LOGOUT\r\n", "* BYE bye\r\nb OK done\r\n", "S:end"}, ""},
	{"EXPUNGE during FETCH", []string{"C:b FETCH 1 FLAGS\r\n", "* 1 EXPUNGE\r\n", "b OK done\r\n", "C:end"}, "EXPUNGE during FETCH"},
	{"EXPUNGE unasked", []string{"* 1 EXPUNGE\r\n", "C:end"}, "no command is in progress"},
	{"EXPUNGE in pieces", []string{"C:b NOOP\r\n", "* 4 EX", "PUNGE\r", "\n", "C:end"}, "out of range"},
	{"EXISTS that shrinks", []string{"* 2 EXISTS\r\n", "C:end"}, "EXISTS shrinks"},
	{"a number out of range", []string{"C:b FETCH 1:9 FLAGS\r\n", "* 4 FETCH (FLAGS ())\r\n", "C:end"}, "out of range"},
	{"a UID that comes back", []string{"C:b UID FETCH 1:* FLAGS\r\n", "* 2 FETCH (UID 7 FLAGS ())\r\nb OK done\r\n", "C:c NOOP\r\n", "* 2 EXPUNGE\r\nc OK done\r\n",
		"C:d UID SEARCH ALL\r\n", "* SEARCH 7\r\n", "C:end"}, "UID 7 was reported as expunged"},
	{"behind a literal", []string{"C:b FETCH 1 BODY[]\r\n", "* 1 FETCH (BODY[] {15}\r\n* 9 EXPUNGE\r\n)(", " UID 4)\r\n* 9 EXPUNGE\r\n", "C:end"}, "EXPUNGE during FETCH"},
	{"only within a literal", []string{"C:b FETCH 1 BODY[]\r\n", "* 1 FETCH (BODY[] {15}\r\n* 9 EXPUNGE\r\n)(", " UID 4)\r\nb OK done\r\n", "C:end"}, ""},
	{"a second reply", []string{"C:b NOOP\r\n", "b OK done\r\nb OK done\r\n", "C:end"}, "or a second one"},
	{"a reply that is missing", []string{"C:b NOOP\r\n", "S:end"}, "no BYE, and no reply to b NOOP"},
	{"a reply that is missing, with BYE", []string{"C:b NOOP\r\n", "* BYE sorry\r\n", "S:end"}, ""},
	{"a reply that is left out", []string{"C:b NOOP\r\nc NOOP\r\n", "c OK done\r\n", "C:end"}, "there is none to b NOOP"},
	{"a client that does not wait for the last", []string{"C:b NOOP\r\nc NOOP\r\n", "b OK done\r\n", "C:end"}, ""},
	{"a client that does not wait", []string{"C:b NOOP\r\n", "C:end"}, ""},
	{"a response that is cut off", []string{"* 4 EXI", "S:end"}, "ends within a response"},
	{"a line of nonsense", []string{"nonsense\r\n", "C:end"}, "neither tagged nor"},
	{"a client that is not understood", []string{"C:b  NOOP\n", "* BAD what?\r\n* 9 EXPUNGE\r\n", "S:end"}, ""},
}

func TestBetweenFindsWhatIsPlanted(t *testing.T) {
	for _, test := range planted {
		for _, implicit := range []bool{false, true} {
			t.Run(test.name+map[bool]string{true: " in TLS"}[implicit], func(t *testing.T) {
				t.Parallel()
				script := append(append([]string(nil), selectInbox...), test.script...)
				s := newStage(t, script, func(o *BetweenOptions) { o.Implicit = implicit })
				found := s.play(script, implicit)
				if (test.broken == "") != (found == "") || !strings.Contains(found, test.broken) {
					t.Errorf("found %q, want %q", found, test.broken)
				}
			})
		}
	}
}

var behindStartTLS = []struct {
	name   string
	script []string
	broken string
}{
	{"a violation", append(append([]string{hello, "C:s STARTTLS\r\n", "s OK go on\r\n", "TLS"}, selectInbox[1:]...), "* 1 EXPUNGE\r\n", "C:end"), "no command is in progress"},
	{"nothing", append(append([]string{hello, "C:s STARTTLS\r\n", "s OK go on\r\n", "TLS"}, selectInbox[1:]...), "C:end"), ""},
	{"refused", append(append([]string{hello, "C:s STARTTLS\r\n", "s NO not here\r\n"}, selectInbox[1:]...), "* 1 EXPUNGE\r\n", "C:end"), "no command is in progress"},
	{"a word in clear behind it", []string{hello, "C:s STARTTLS\r\n", "s OK go on\r\n* 1 EXISTS\r\n", "C:end"}, "in clear behind its OK"},
	{"no handshake", []string{hello, "C:s STARTTLS\r\n", "s OK go on\r\n", "C:b NOOP\r\n", "what's this?", "C:end"}, ""},
	{"commands in the same packet", []string{hello, "C:s STARTTLS\r\nb NOOP\r\n", "s OK go on\r\n", "TLS", "b OK a mistake\r\n", "C:end"}, "or a second one"},
	{"closed instead", []string{hello, "C:s STARTTLS\r\n", "S:end"}, "no reply to s STARTTLS"},
}

func TestBetweenFollowsSTARTTLS(t *testing.T) {
	for _, test := range behindStartTLS {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found := newStage(t, test.script, nil).play(test.script, false)
			if (test.broken == "") != (found == "") || !strings.Contains(found, test.broken) {
				t.Errorf("found %q, want %q", found, test.broken)
			}
		})
	}
}

// A test that ends the server in the middle says so.
func TestBetweenForgives(t *testing.T) {
	script := append(append([]string(nil), selectInbox...), "C:b NOOP\r\n", "S:end")
	if found := newStage(t, script, func(o *BetweenOptions) { o.MayVanish = true }).play(script, false); found != "" {
		t.Error(found)
	}
	before := append(append([]string(nil), selectInbox...), "C:b NOOP\r\n", "* 4 EXISTS\r\n", "C:c NOOP\r\n", "S:end")
	s := newStage(t, before, nil)
	c, err := net.Dial("tcp", s.between.Addr())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(hello))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	s.between.Forgive()
	follow(t, c, before[1:], "C:", nil)
	s.settle()
	if err := s.between.Close(); err != nil || len(s.violated) > 0 {
		t.Errorf("%v, %q", err, s.violated)
	}
}

// Who connects while the server is not running is closed out, and nobody is to
// blame.
func TestBetweenWithoutAServer(t *testing.T) {
	s := newStage(t, nil, func(o *BetweenOptions) { o.To = "127.0.0.1:1" })
	if found := s.play([]string{"S:end"}, false); found != "" {
		t.Error(found)
	}
}

func TestBetweenShowsNoPassword(t *testing.T) {
	script := []string{
		hello, "C:a LOGIN x geheim\r\n", "a NO no\r\n", "C:b LOGIN {1}\r\n", "+ go\r\n", "C:x geheim\r\n", "b NO no\r\n",
		"C:c AUTHENTICATE PLAIN\r\n", "+ \r\n", "C:geheim\r\n", "c NO no\r\n", "C:d authenticate plain geheim\r\n", "d NO no\r\n", "* 1 EXISTS\r\n", "C:end",
	}
	found := newStage(t, script, nil).play(script, false)
	if strings.Contains(found, "geheim") || !strings.Contains(found, "C: a LOGIN ********\nS: a NO no\n") {
		t.Error(found)
	}
}

// What a message holds is not held.
func TestAssemblerHoldsNoLiteral(t *testing.T) {
	var took string
	a := assembler{took: func(r string) { took = r }, heard: func(string) {}}
	a.feed([]byte("* 1 FETCH (BODY[] {50000000}\r\n"))
	for range 50 {
		a.feed(make([]byte, 1_000_000))
	}
	if len(a.text) > 100 || took != "" {
		t.Errorf("%d octets are held", len(a.text))
	}
	a.feed([]byte(" BODY[1] {2}\r"))
	a.feed([]byte("\n\r\n)\r"))
	a.feed([]byte("\n"))
	if want := "* 1 FETCH (BODY[] {0}\r\n BODY[1] {0}\r\n)\r\n"; took != want || a.within() {
		t.Errorf("%q", took)
	}
}

// However bytes are cut into pieces, the responses are those which Response
// reads, but for what is in literals.
func TestAssemblerInPieces(t *testing.T) {
	const text = "* OK {3}\r\n* 1 FETCH (BODY[] {3}\r\na\r\n X {0}\r\n)\r\na NO {9}\r\n+ {1}\r\n* LIST () \"/\" ~{2}\r\n\r\n\r\n"
	want := []string{"* OK {3}\r\n", "* 1 FETCH (BODY[] {0}\r\n X {0}\r\n)\r\n", "a NO {9}\r\n", "+ {1}\r\n", "* LIST () \"/\" ~{0}\r\n\r\n"}
	for size := 1; size <= len(text); size++ {
		var got []string
		a := assembler{took: func(r string) { got = append(got, r) }, heard: func(string) {}}
		for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
			a.feed([]byte(rest[:min(size, len(rest))]))
		}
		if strings.Join(got, "|") != strings.Join(want, "|") || a.within() {
			t.Errorf("pieces of %d: %q", size, got)
		}
	}
}

func TestTranscriptLast(t *testing.T) {
	var all transcript
	for _, line := range []string{"a\r\n", "b\r\n", "c\r\n"} {
		all.sent(line)
	}
	for lines, want := range map[int]string{0: "", 2: "C: b\nC: c\n", 3: "C: a\nC: b\nC: c\n", 9: "C: a\nC: b\nC: c\n"} {
		if got := all.last(lines); got != want {
			t.Errorf("%d: %q, want %q", lines, got, want)
		}
	}
}
