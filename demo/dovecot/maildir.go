package dovecot

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Deliver puts a message into the user's Maildir as a delivery agent would:
// written to tmp, renamed to new. The octets are stored as given, with LF or
// CRLF. Dovecot numbers messages in the order of their delivery.
func (s *Server) Deliver(user string, message []byte) error {
	maildir := s.maildir(user)
	if _, err := os.Stat(maildir); err != nil {
		return fmt.Errorf("deliver to %s: no such user", user)
	}
	name := s.nextName()
	draft := filepath.Join(maildir, "tmp", name)
	if err := s.account.write(draft, message); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	if err := os.Rename(draft, filepath.Join(maildir, "new", name)); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	return nil
}

// Messages returns the files in the user's INBOX, oldest first: what is
// really there, whatever any server says.
func (s *Server) Messages(user string) ([]string, error) {
	before, err := s.list(user)
	for range 20 { // Dovecot may be renaming: believe what was seen twice
		if err != nil {
			return nil, fmt.Errorf("messages of %s: %w", user, err)
		}
		var again []string
		again, err = s.list(user)
		if err == nil && slices.Equal(before, again) {
			return again, nil
		}
		before = again
	}
	return nil, fmt.Errorf("messages of %s: the Maildir does not come to rest", user)
}

func (s *Server) list(user string) ([]string, error) {
	var paths []string
	for _, folder := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(s.maildir(user), folder))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			paths = append(paths, filepath.Join(s.maildir(user), folder, entry.Name()))
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return paths, nil
}

func (s *Server) maildir(user string) string {
	return filepath.Join(s.dir, "mail", strings.ToLower(user), "Maildir")
}

// nextName is a file name that no other delivery has and that sorts behind
// all earlier ones: Dovecot sorts by the second and by the microsecond behind
// the M.
func (s *Server) nextName() string {
	s.delivery.Lock()
	s.last = max(s.last+1, time.Now().UnixMicro())
	now := s.last
	s.delivery.Unlock()
	return fmt.Sprintf("%d.M%06dP%d.mailguard", now/1e6, now%1e6, os.Getpid())
}
