package dovecot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// readyWithin bounds the start. It takes a third of a second on a quiet
// machine; a loaded one with two cores needs more.
const readyWithin = 20 * time.Second

// waitReady returns when POP3 and IMAP take a login. A listening port proves
// little: until its authentication process runs Dovecot keeps clients waiting.
func (s *Server) waitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		err := s.tryLogins(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("start Dovecot: it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("start Dovecot: it answers no login: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) tryLogins(ctx context.Context) error {
	user, password := s.probe.Name, s.probe.Password
	pop3 := []string{"+OK", "USER " + user, "+OK", "PASS " + password, "+OK", "QUIT", "+OK"}
	imap := []string{"* OK [CAPABILITY", "a LOGIN " + user + " " + password, "a OK", "b LOGOUT", "* BYE"}
	if err := converse(ctx, s.POP3(), pop3); err != nil {
		return err
	}
	return converse(ctx, s.IMAP(), imap)
}

// converse reads and writes lines by turns, and expects each line read to
// begin as the script says.
func converse(ctx context.Context, address string, script []string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	lines := bufio.NewReader(conn)
	for i, words := range script {
		if i%2 == 1 {
			if _, err := fmt.Fprintf(conn, "%s\r\n", words); err != nil {
				return err
			}
			continue
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, words) {
			return fmt.Errorf("%s said %q", address, strings.TrimSpace(line))
		}
	}
	return nil
}
