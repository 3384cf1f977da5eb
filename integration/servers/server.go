package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// readyWithin bounds the start. It takes half a second on a quiet machine;
	// a loaded one with two cores needs more.
	readyWithin = 30 * time.Second
	// attempts is how often other ports are tried when somebody else took one
	// between its choice and the server's start.
	attempts = 4
	// patience is how long processes may take to be gone after a SIGKILL, and
	// a program to ask for a password.
	patience = 5 * time.Second
)

// server is what Cyrus and Courier have in common.
type server struct {
	name    string
	options Options
	root    root
	journal *journal
	ports   map[string]int // imap, pop3

	mu        sync.Mutex
	processes []*process // none while stopped
}

func newServer(name string, options Options) (*server, error) {
	if err := Installed(); err != nil {
		return nil, err
	}
	if err := options.check(); err != nil {
		return nil, err
	}
	root, err := newRoot(name)
	if err != nil {
		return nil, err
	}
	journal, err := newJournal(root)
	if err != nil {
		return nil, errors.Join(err, root.remove())
	}
	return &server{name: name, options: options, root: root, journal: journal}, nil
}

// start runs the programs on ports that are free and returns when ready says
// so. Ports are chosen anew when somebody else was quicker.
func (s *server) start(ctx context.Context, programs func() error, ready func(context.Context) error) error {
	for i := 1; ; i++ {
		err := s.startOnce(ctx, programs, ready)
		if err == nil {
			return nil
		}
		err = errors.Join(fmt.Errorf("start %s: %w; its log says:\n%s", s.name, err, s.Log()), s.Kill())
		if i == attempts || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

// errPortTaken says that a port was free, and now is not.
var errPortTaken = errors.New("a port is in use already")

func (s *server) startOnce(ctx context.Context, programs func() error, ready func(context.Context) error) error {
	logged := len(s.Log())
	if err := s.choosePorts(); err != nil {
		return err
	}
	if err := programs(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if strings.Contains(s.Log()[logged:], "in use") { // EADDRINUSE; Cyrus then goes on without the service
			return errPortTaken
		}
		select {
		case <-s.ended():
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// choosePorts finds ports that are free now. Both are held until the second is
// found, or one might be found twice.
func (s *server) choosePorts() error {
	s.ports = map[string]int{"imap": 0, "pop3": 0}
	for name := range s.ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("a free port for %s: %w", s.name, err)
		}
		defer func() { _ = listener.Close() }()
		s.ports[name] = listener.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// launch runs one of the server's programs until Kill or Close.
func (s *server) launch(env []string, program string, arguments ...string) error {
	cmd := s.root.command(program, arguments...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = s.journal.file, s.journal.file
	p, err := launch(cmd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
	return nil
}

// ended is closed when the program that was started last has ended.
func (s *server) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[len(s.processes)-1].exited
}

// IMAP is the address of IMAP in clear text.
func (s *server) IMAP() string { return s.address("imap") }

// POP3 is the address of POP3 in clear text.
func (s *server) POP3() string { return s.address("pop3") }

func (s *server) address(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports[name]))
}

// Log is what the server has logged so far.
func (s *server) Log() string { return s.journal.String() }

// Kill ends all processes at once, as a crash would: nobody is told, and
// sessions that are open lose their connection. The mail stays until Close.
func (s *server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, p := range s.processes {
		all = append(all, p.kill())
	}
	s.processes = nil
	return errors.Join(all...)
}

// Close ends all processes and removes the server's directory with its mail.
// It may be called again.
func (s *server) Close() error {
	err := s.Kill()
	s.journal.close()
	return errors.Join(err, s.root.remove())
}
