package upstream

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// session is one client's POP3 session.
type session struct {
	*Server

	id   int // see Removal.Session
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer

	user    string
	box     *mailbox // nil until the login
	inbox   *folder  // as it was at the login
	drop    []*message
	deleted map[*message]bool
	over    bool
}

const bufferSize = 32 << 10

func newSession(s *Server, conn net.Conn) *session {
	return &session{Server: s, id: s.nextSession(), conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriterSize(conn, bufferSize), deleted: make(map[*message]bool)}
}

func (s *session) run() {
	greeting := s.Greeting
	if greeting == "" {
		greeting = "ready."
	}
	s.say("+OK " + greeting)
	for !s.over {
		if s.r.Buffered() == 0 && s.w.Flush() != nil {
			return
		}
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		s.one(strings.TrimRight(line, "\r\n"))
	}
	_ = s.w.Flush() // the client may be gone
}

// one runs one command, as far as the hook lets it.
func (s *session) one(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	s.note(verb, line)
	var action Action
	if s.Hook != nil {
		action = s.Hook(s.user, line)
	}
	switch {
	case action.CloseBefore:
		s.lose()
	case action.Answer != "":
		s.say(action.Answer)
	case action.CloseAfter:
		s.w = bufio.NewWriter(nowhere{})
		s.command(verb, rest)
		s.lose()
	default:
		s.command(verb, rest)
	}
}

// nowhere is where the answers go that a lost connection would have carried.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func (s *session) lose() {
	s.over = true
	s.conn.Close()
}

// note remembers what was received, without secrets.
func (s *session) note(verb, line string) {
	if verb == "PASS" || verb == "AUTH" {
		line = verb
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, line)
	if verb == "XCLIENT" {
		s.clients = append(s.clients, line)
	}
}

func (s *session) say(line string) {
	_, _ = s.w.WriteString(line + "\r\n") // the writer keeps its error for Flush
}

func (s *session) command(verb, rest string) {
	if s.box == nil {
		s.before(verb, rest)
		return
	}
	s.after(verb, rest)
}

// before are the commands before the login.
func (s *session) before(verb, rest string) {
	switch verb {
	case "CAPA":
		s.capa()
	case "XCLIENT":
		s.say("+OK Updated")
	case "STLS":
		s.startTLS()
	case "USER":
		s.user = rest
		s.say("+OK")
	case "PASS":
		s.logIn(s.user, rest)
	case "AUTH":
		s.auth(rest)
	case "QUIT":
		s.say("+OK Logging out")
		s.over = true
	default:
		s.say("-ERR Unknown command.")
	}
}

func (s *session) capa() {
	lines := []string{"+OK", "CAPA", "RESP-CODES", "AUTH-RESP-CODE", "USER"}
	add := func(line string, yes bool) {
		if yes {
			lines = append(lines, line)
		}
	}
	add("TOP", !s.NoTOP)
	add("UIDL", !s.NoUIDL)
	add("PIPELINING", !s.NoPipelining)
	add("SASL PLAIN", !s.NoSASL)
	add("STLS", s.TLS != nil)
	for _, line := range append(append(lines, s.Capabilities...), ".") {
		s.say(line)
	}
}

func (s *session) startTLS() {
	if s.TLS == nil {
		s.say("-ERR TLS is not supported.")
		return
	}
	s.say("+OK Begin TLS negotiation now.")
	if s.w.Flush() != nil || s.r.Buffered() > 0 {
		s.lose()
		return
	}
	s.conn = tls.Server(s.conn, s.TLS)
	s.r, s.w = bufio.NewReader(s.conn), bufio.NewWriterSize(s.conn, bufferSize)
}

// auth is AUTH PLAIN, with or without an initial response.
func (s *session) auth(rest string) {
	mechanism, response, initial := strings.Cut(rest, " ")
	if !strings.EqualFold(mechanism, "PLAIN") || s.NoSASL {
		s.say("-ERR Unsupported authentication mechanism.")
		return
	}
	if !initial {
		s.say("+ ")
		if s.w.Flush() != nil {
			return
		}
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		response = strings.TrimRight(line, "\r\n")
	}
	plain, err := base64.StdEncoding.DecodeString(response)
	parts := strings.Split(string(plain), "\x00")
	if err != nil || len(parts) != 3 {
		s.say("-ERR Invalid authentication data.")
		return
	}
	s.logIn(parts[1], parts[2])
}

func (s *session) logIn(user, password string) {
	box := s.mailbox(user)
	switch {
	case box == nil || box.password != password:
		s.say("-ERR [AUTH] Authentication failed.")
	case s.inUse():
		s.say("-ERR [IN-USE] Mailbox is locked by another POP3 session.")
		s.over = true
	default:
		s.user, s.box, s.inbox = user, box, box.inbox()
		s.drop = s.inbox.snapshot()
		s.say("+OK Logged in.")
	}
}

func (s *session) inUse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.InUse--
	return s.InUse >= 0
}

// after are the commands behind the login.
func (s *session) after(verb, rest string) {
	switch verb {
	case "CAPA":
		s.capa()
	case "STAT":
		count, octets := 0, int64(0)
		s.each(func(_ int, m *message) { count++; octets += m.size() })
		s.say(fmt.Sprintf("+OK %d %d", count, octets))
	case "LIST":
		s.list(rest, func(m *message) string { return strconv.FormatInt(m.size(), 10) })
	case "UIDL":
		if s.NoUIDL {
			s.say("-ERR Unknown command: UIDL")
			return
		}
		s.list(rest, func(m *message) string { return s.uniqueID(s.inbox.uidValidity, m) })
	case "RETR", "TOP":
		s.retrieve(verb, rest)
	case "DELE":
		if m := s.number(rest); m != nil {
			s.deleted[m] = true
			s.say("+OK Marked to be deleted.")
		}
	case "RSET":
		clear(s.deleted)
		s.say("+OK")
	case "NOOP":
		s.say("+OK")
	case "QUIT":
		s.update()
		s.say("+OK Logging out.")
		s.over = true
	default:
		s.say("-ERR Unknown command: " + verb)
	}
}

// update removes what the client marked (RFC 1939, 6).
func (s *session) update() {
	gone := s.inbox.expunge(func(m *message) bool { return s.deleted[m] })
	s.record(s.inbox, gone, Removal{User: s.user, Session: s.id, Command: "QUIT"})
}

func (s *session) each(f func(n int, m *message)) {
	for i, m := range s.drop {
		if !s.deleted[m] {
			f(i+1, m)
		}
	}
}

// number finds a message, or says that there is none.
func (s *session) number(text string) *message {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > len(s.drop) || s.deleted[s.drop[n-1]] {
		s.say("-ERR There's no message " + text + ".")
		return nil
	}
	return s.drop[n-1]
}

func (s *session) list(rest string, value func(*message) string) {
	if rest != "" {
		if m := s.number(rest); m != nil {
			s.say("+OK " + rest + " " + value(m))
		}
		return
	}
	s.say("+OK")
	s.each(func(n int, m *message) { s.say(strconv.Itoa(n) + " " + value(m)) })
	s.say(".")
}

func (s *session) retrieve(verb, rest string) {
	number, lines, _ := strings.Cut(rest, " ")
	m := s.number(number)
	if m == nil {
		return
	}
	if m.gone.Load() {
		s.say("-ERR Message " + number + " expunged.")
		return
	}
	if verb == "RETR" {
		s.say(fmt.Sprintf("+OK %d octets", m.size()))
		_, _ = s.w.Write(m.wire)
		return
	}
	n, err := strconv.Atoi(lines)
	if err != nil || s.NoTOP {
		s.say("-ERR Unknown command: TOP")
		return
	}
	s.say("+OK")
	_, _ = s.w.Write(m.top(n))
}
