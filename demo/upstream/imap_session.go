package upstream

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
)

// imapSession is one client's IMAP session.
type imapSession struct {
	*Server

	id   int // see Removal.Session
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer

	user    string
	account *mailbox // nil until the login
	open    *view    // nil while no folder is selected
	command *command // the one that runs
	idling  bool     // something else than the session's goroutine reads
	over    bool
}

func newIMAPSession(s *Server, conn net.Conn) *imapSession {
	i := &imapSession{Server: s, id: s.nextSession()}
	i.use(conn)
	return i
}

// use takes a connection, or the same one inside of TLS.
func (s *imapSession) use(conn net.Conn) {
	s.conn = conn
	s.r = bufio.NewReader(flusher{s})
	s.w = bufio.NewWriterSize(conn, bufferSize)
}

// flusher reads from the session's connection. Whatever was answered is sent
// before the session waits for more.
type flusher struct{ s *imapSession }

func (f flusher) Read(p []byte) (int, error) {
	if !f.s.idling {
		if err := f.s.w.Flush(); err != nil {
			return 0, err
		}
	}
	return f.s.conn.Read(p)
}

func (s *imapSession) run() {
	s.greet()
	for !s.over {
		c, err := s.readCommand()
		if err != nil {
			return
		}
		if c != nil {
			s.one(c)
		}
	}
	_ = s.w.Flush() // the client may be gone
}

func (s *imapSession) greet() {
	greeting := s.IMAP.Greeting
	if greeting == "" {
		greeting = "OK " + s.capabilityCode(false) + "ready."
	}
	s.say("* " + greeting)
	s.over = strings.HasPrefix(strings.ToUpper(greeting), "BYE")
	if strings.HasPrefix(strings.ToUpper(greeting), "PREAUTH") {
		s.preauthenticate()
	}
}

// preauthenticate logs in whoever is the only user.
func (s *imapSession) preauthenticate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, b := range s.mailboxes {
		s.user, s.account = name, b
	}
}

// capabilityCode is for the greeting and for the answer to a login.
func (s *imapSession) capabilityCode(loggedIn bool) string {
	if s.IMAP.CapabilitiesLater {
		return ""
	}
	return "[CAPABILITY " + s.capability(loggedIn, s.encrypted()) + "] "
}

func (s *imapSession) encrypted() bool {
	_, is := s.conn.(*tls.Conn)
	return is
}

// say writes one line, or several that CRLF parts.
func (s *imapSession) say(line string) {
	_, _ = s.w.WriteString(line) // the writer keeps its error for Flush
	_, _ = s.w.WriteString("\r\n")
}

// one runs one command, as far as the hook lets it.
func (s *imapSession) one(c *command) {
	s.command = c
	switch a := c.action; {
	case a.CloseBefore:
		s.lose()
	case a.Silent:
	case a.CloseAfter:
		s.w.Reset(nowhere{})
		s.run1(c)
		s.lose()
	case a.Pieces > 0 || a.Cut > 0:
		s.damage(c)
	default:
		s.surrounded(c)
	}
}

// damage runs a command whose answer arrives in pieces, or not to its end.
func (s *imapSession) damage(c *command) {
	if s.w.Flush() != nil {
		return
	}
	conn := s.conn
	s.w.Reset(&damaged{conn: conn, pieces: c.action.Pieces, cut: c.action.Cut})
	s.surrounded(c)
	if s.w.Flush() != nil || c.action.Cut > 0 {
		s.lose()
		return
	}
	if s.conn == conn { // not STARTTLS
		s.w.Reset(conn)
	}
}

// damaged is a connection that writes in pieces and ends early.
type damaged struct {
	conn        net.Conn
	pieces, cut int
}

func (d *damaged) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n := len(p) - written
		if d.pieces > 0 {
			n = min(n, d.pieces)
		}
		if d.cut > 0 {
			n = min(n, d.cut)
		}
		wrote, err := d.conn.Write(p[written : written+n])
		written += wrote
		if err != nil {
			return written, err
		}
		if d.cut > 0 {
			if d.cut -= wrote; d.cut == 0 {
				return written, net.ErrClosed
			}
		}
	}
	return written, nil
}

// surrounded runs a command with what the hook wants around its answer.
func (s *imapSession) surrounded(c *command) {
	s.extra(c.action.Before)
	if c.action.Answer != "" {
		s.extra(c.action.Answer)
	} else {
		s.run1(c)
	}
	s.extra(c.action.After)
}

// extra says what a hook made up.
func (s *imapSession) extra(lines string) {
	if lines != "" {
		s.say(strings.ReplaceAll(lines, "{tag}", s.command.tag))
	}
}

// run1 runs a command, tells the news where that is allowed, and answers.
func (s *imapSession) run1(c *command) {
	row, answer := s.check(c)
	if answer == "" {
		answer = row.run(s, c)
	}
	if answer == "" { // the connection was lost, or there is nothing to say
		return
	}
	if row.news != never && !c.noNews && !strings.HasPrefix(answer, "BAD") {
		s.tellNews(row.news == all || row.news == notBySequence && c.uid && !c.hasSets, c.storesByUID)
		if s.over { // said BYE, and nothing else
			return
		}
	}
	s.say(c.tag + " " + answer)
	if c.after != "" {
		s.say(c.after)
	}
}

// goOn asks the client for more; no if the hook refused that.
func (s *imapSession) goOn(text string) bool {
	if c := s.command; c != nil && c.action.Refuse != "" {
		s.say(c.tag + " " + c.action.Refuse)
		return false
	}
	s.say("+ " + text)
	return true
}

func (s *imapSession) lose() {
	s.over = true
	_ = s.conn.Close()
}
