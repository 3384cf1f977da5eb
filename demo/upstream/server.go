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
	// returns replaces or surrounds the command. Nil: nothing.
	Hook func(user, command string) Action
}

// Action is what a hook does to a command.
type Action struct {
	Answer      string // answer this instead of running the command; "" runs it
	CloseBefore bool   // lose the connection, the command is not run
	CloseAfter  bool   // run the command, lose the connection instead of answering
}

// Server is a POP3 server. Its methods may be called from any goroutine.
type Server struct {
	Options

	mu        sync.Mutex
	mailboxes map[string]*mailbox
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	closed    bool
	received  []string // every command line of every session, passwords left out
	clients   []string // what XCLIENT said
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
	s.mailboxes[name] = &mailbox{password: password, nextUID: 1}
}

// Deliver puts a message into a user's mailbox. Line ends become CRLF.
func (s *Server) Deliver(user string, message []byte) {
	s.mailbox(user).deliver(message)
}

// Remove takes messages away past every session, as an administrator would.
func (s *Server) Remove(user string, uniqueIDs ...string) {
	b := s.mailbox(user)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = slices.DeleteFunc(b.messages, func(m *message) bool { return slices.Contains(uniqueIDs, s.uniqueID(m)) })
}

// UniqueIDs lists what is in a user's mailbox.
func (s *Server) UniqueIDs(user string) []string {
	var ids []string
	for _, m := range s.mailbox(user).snapshot() {
		ids = append(ids, s.uniqueID(m))
	}
	return ids
}

// Received lists the command lines that reached the server, in order.
func (s *Server) Received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Clients lists what XCLIENT said.
func (s *Server) Clients() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.clients)
}

func (s *Server) mailbox(user string) *mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mailboxes[user]
}

// Serve takes connections until Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
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
		go s.ServeConn(conn)
	}
}

// ServeConn serves one connection to its end, and closes it.
func (s *Server) ServeConn(conn net.Conn) {
	if !s.add(conn) {
		conn.Close()
		return
	}
	defer s.remove(conn)
	newSession(s, conn).run()
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
