package dovecot

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Server is one running Dovecot. Its methods may be called by several
// goroutines at once; Kill, Restart and Close wait for each other.
type Server struct {
	options   Options
	dir       string
	temporary bool
	account   account
	probe     User           // logs in to see whether the server is ready
	ports     map[string]int // pop3, pop3s, imap, imaps; 0 is off

	mu      sync.Mutex
	process *process // nil while stopped
	closed  bool

	delivery sync.Mutex
	last     int64 // the microsecond of the last delivery
}

// maxDir keeps the longest socket path below it within the 108 octets that
// the kernel allows.
const maxDir = 70

// attempts is how often other ports are tried when somebody else took one
// between its choice and Dovecot's start.
const attempts = 4

// Start runs Dovecot and returns when it answers logins. Whatever it began is
// gone again when it returns an error. The context ends the wait, not the
// server.
func Start(ctx context.Context, options Options) (*Server, error) {
	if err := Installed(); err != nil {
		return nil, err
	}
	if err := options.check(); err != nil {
		return nil, err
	}
	account, err := runAs()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, account: account, probe: User{Name: "mailguard-probe", Password: rand.Text()}}
	if err := s.makeDirs(); err != nil {
		return nil, errors.Join(err, s.removeDir())
	}
	for i := 1; ; i++ {
		err = s.startOnce(ctx)
		if err == nil {
			return s, nil
		}
		if i == attempts || !strings.Contains(s.Log(), "Address already in use") {
			return nil, errors.Join(err, s.Close())
		}
	}
}

// startOnce tries one choice of ports.
func (s *Server) startOnce(ctx context.Context) error {
	if err := s.choosePorts(); err != nil {
		return err
	}
	if err := s.configure(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run(ctx)
}

// run starts the processes and waits until they answer. s.mu is held.
func (s *Server) run(ctx context.Context) error {
	p, err := startProcess(s.dir, s.account)
	if err != nil {
		return err
	}
	if err := s.waitReady(ctx, p); err != nil {
		return errors.Join(fmt.Errorf("%w; its log says:\n%s", err, s.Log()), p.kill())
	}
	s.process = p
	return nil
}

func (s *Server) makeDirs() error {
	s.dir = s.options.Dir
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "mailguard-dovecot-")
		if err != nil {
			return fmt.Errorf("a directory for Dovecot: %w", err)
		}
		s.dir, s.temporary = dir, true
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return fmt.Errorf("the directory for Dovecot: %w", err)
	}
	s.dir = dir
	if len(dir) > maxDir || strings.ContainsAny(dir, " \t\n#\"%$") {
		return fmt.Errorf("the directory %q cannot hold Dovecot's sockets: at most %d octets, no blanks and none of # \" %% $", dir, maxDir)
	}
	folders := []string{"", "run", "state", "mail"}
	for _, u := range s.options.Users {
		home := filepath.Join("mail", strings.ToLower(u.Name))
		for _, sub := range []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
			folders = append(folders, filepath.Join(home, sub))
		}
	}
	for _, folder := range folders {
		if err := s.account.mkdir(filepath.Join(dir, folder)); err != nil {
			return fmt.Errorf("directories for Dovecot: %w", err)
		}
	}
	return s.reachable()
}

// reachable sees to it that the account can come to the directory: a test's
// own temporary folder is closed to all but root, and what Dovecot says then
// explains little.
func (s *Server) reachable() error {
	if os.Getuid() != 0 {
		return nil
	}
	for dir := filepath.Dir(s.dir); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("the directory for Dovecot: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("a Dovecot that root runs runs as user %s, and %s is closed to others: name another directory, or none", s.account.user, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// choosePorts finds ports that are free now. All are held until the last is
// found, or one might be found twice.
func (s *Server) choosePorts() error {
	s.ports = map[string]int{"pop3": 0, "imap": 0, "pop3s": 0, "imaps": 0}
	for name := range s.ports {
		if strings.HasSuffix(name, "s") && s.options.TLS == nil {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("a free port for Dovecot: %w", err)
		}
		defer func() { _ = listener.Close() }()
		s.ports[name] = listener.Addr().(*net.TCPAddr).Port
	}
	return nil
}

func (s *Server) address(name string) string {
	if s.ports[name] == 0 {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ports[name]))
}

// POP3 is the address of POP3 in clear text, with STLS where Options.TLS is set.
func (s *Server) POP3() string { return s.address("pop3") }

// POP3S is the address of POP3 over TLS, "" without Options.TLS.
func (s *Server) POP3S() string { return s.address("pop3s") }

// IMAP is the address of IMAP in clear text, with STARTTLS where Options.TLS is set.
func (s *Server) IMAP() string { return s.address("imap") }

// IMAPS is the address of IMAP over TLS, "" without Options.TLS.
func (s *Server) IMAPS() string { return s.address("imaps") }

// Dir is where the server keeps everything.
func (s *Server) Dir() string { return s.dir }

// Log is what Dovecot has logged so far.
func (s *Server) Log() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "dovecot.log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(log))
}

// Kill ends all processes at once, as a crash would: nobody is told, and
// sessions that are open lose their connection. Restart runs it again.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := s.process.kill()
	s.process = nil
	return err
}

// Restart stops Dovecot where it still runs, and starts it again on the same
// ports with the same mail. It returns when logins are answered.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("this Dovecot was closed")
	}
	if err := s.stop(); err != nil {
		return err
	}
	return s.run(ctx)
}

// Close stops Dovecot, and removes its directory if it is a temporary one. It
// may be called again.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return errors.Join(s.stop(), s.removeDir())
}

// stop ends the processes in order. s.mu is held.
func (s *Server) stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.stop()
	s.process = nil
	return err
}

func (s *Server) removeDir() error {
	if !s.temporary {
		return nil
	}
	return os.RemoveAll(s.dir)
}
