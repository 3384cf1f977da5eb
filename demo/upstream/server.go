package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
)

// Options change how a server behaves. They are set before it serves.
type Options struct {
	Greeting     string      // behind "+OK "; "" is an ordinary one. "[XCLIENT]" in it announces XCLIENT
	TLS          *tls.Config // nil: no STLS
	NoUIDL       bool
	NoTOP        bool
	NoPipelining bool
	NoSASL       bool
	Capabilities []string // further lines of CAPA
	InUse        int      // so many logins are answered [IN-USE] first

	// UniqueID names messages in another way: uid counts the messages that
	// the mailbox ever had, from 1.
	UniqueID func(uid int) string

	// Hook is called before each command, in the session's goroutine. What it
	// returns replaces or surrounds the command. Nil: nothing. An IMAP command
	// comes without its tag and as far as its first line goes: where a literal
	// follows, "{5}" is the end of it, and the literal was not asked for yet.
	Hook func(user, command string) Action

	// IMAP are the options of the IMAP side.
	IMAP IMAPOptions
}

// Action is what a hook does to a command. In IMAP the text of Answer, Before
// and After may hold several lines, parted by CRLF, and "{tag}" in it is the
// command's tag.
type Action struct {
	Answer      string // answer this instead of running the command; "" runs it
	CloseBefore bool   // lose the connection, the command is not run
	CloseAfter  bool   // run the command, lose the connection instead of answering

	// IMAP only.
	Silent bool   // never answer; the command is not run, the session goes on
	Before string // lines in front of the answer
	After  string // lines behind the answer
	Refuse string // instead of a continuation: the tagged answer, such as "NO not now"
	Pieces int    // write the answer in pieces of so many octets
	Cut    int    // lose the connection after so many octets of the answer
}

// Server is a POP3 and IMAP server. Its methods may be called from any
// goroutine.
type Server struct {
	Options

	mu        sync.Mutex
	mailboxes map[string]*mailbox
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	closed    bool
	received  []string // every command line of every session, passwords left out
	clients   []string // what XCLIENT said
	removed   []Removal
	count     int // of the sessions so far
	sessions  sync.WaitGroup
}

// New returns a server without users.
func New() *Server {
	return &Server{mailboxes: make(map[string]*mailbox), conns: make(map[net.Conn]struct{})}
}

// AddUser makes a mailbox.
func (s *Server) AddUser(name, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mailboxes[name] = newMailbox(name, password)
}

// RemoveUser takes a mailbox away with what is in it. Sessions that are logged
// in to it go on.
func (s *Server) RemoveUser(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mailboxes, name)
}

// Deliver puts a message into a user's mailbox. Line ends become CRLF.
func (s *Server) Deliver(user string, message []byte) {
	s.mailbox(user).deliver(message)
}

// Received lists the command lines that reached the server, in order.
func (s *Server) Received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Forget empties what Received, Clients and Removed tell, which else grows with
// every command.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received, s.clients, s.removed = nil, nil, nil
}

// Clients lists what XCLIENT said.
func (s *Server) Clients() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.clients)
}

func (s *Server) mailbox(user string) *mailbox {
	s.mu.Lock()
	b := s.mailboxes[user]
	s.mu.Unlock()
	if b != nil && s.IMAP.SpecialFolders {
		b.makeSpecial()
	}
	return b
}

// Serve takes POP3 connections until Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, s.ServeConn) }

func (s *Server) serve(l net.Listener, serveConn func(net.Conn)) error {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	closed := s.closed
	s.mu.Unlock()
	if closed { // Close came first
		return l.Close()
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go serveConn(conn)
	}
}

// ServeConn serves one POP3 connection to its end, and closes it.
func (s *Server) ServeConn(conn net.Conn) {
	if !s.add(conn) {
		conn.Close()
		return
	}
	defer s.remove(conn)
	newSession(s, conn).run()
}

// nextSession numbers the sessions of both protocols from 1.
func (s *Server) nextSession() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return s.count
}

func (s *Server) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[conn] = struct{}{}
	s.sessions.Add(1)
	return true
}

func (s *Server) remove(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	s.sessions.Done()
}

// Close ends all sessions, as a crash would.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.sessions.Wait()
	return errors.Join(errs...)
}
