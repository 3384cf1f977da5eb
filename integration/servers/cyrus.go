package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"mailguard/integration/imapconn"
)

// Cyrus is one running Cyrus imapd. Its methods may be called by several
// goroutines at once.
type Cyrus struct {
	*server
	secret    string // the administrator's password
	passwords *passwords
}

// StartCyrus runs Cyrus and returns when every user can log in. Whatever it
// began is gone again when it returns an error. The context ends the wait, not
// the server; the caller closes it.
func StartCyrus(ctx context.Context, options Options) (*Cyrus, error) {
	s, err := newServer("cyrus", options)
	if err != nil {
		return nil, err
	}
	c := &Cyrus{server: s}
	err = c.configure()
	if err == nil {
		err = c.start(ctx, c.programs, c.ready)
	}
	if err == nil {
		err = c.makeMailboxes(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends all processes and removes the server's directory with its mail.
// It may be called again.
func (c *Cyrus) Close() error {
	err := c.server.Close()
	if c.passwords != nil {
		c.passwords.close()
	}
	return err
}

func (c *Cyrus) programs() error {
	if err := c.writePorts(); err != nil {
		return err
	}
	// No power is cut in these tests, and fsync takes half of all time.
	quick := []string{"LD_PRELOAD=libeatmydata.so"}
	return c.launch(quick, cyrusBin+"master", "-C", "/etc/imapd.conf", "-M", "/etc/cyrus.conf", "-p", "/run/cyrus/master.pid")
}

func (c *Cyrus) ready(ctx context.Context) error {
	conn, err := c.dial(ctx, administrator, c.secret)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func (c *Cyrus) makeMailboxes(ctx context.Context) error {
	conn, err := c.dial(ctx, administrator, c.secret)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, u := range c.options.Users {
		if err := must(conn, "CREATE user/"+u.Name); err != nil {
			return err
		}
	}
	return nil
}

// Deliver appends a message to the user's INBOX, without flags. Line ends
// become CRLF: Cyrus takes nothing else.
func (c *Cyrus) Deliver(user string, message []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	conn, err := c.dial(ctx, user, c.options.password(user))
	if err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	defer func() { _ = conn.Close() }()
	message = bytes.ReplaceAll(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	if err := must(conn, fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(message), message)); err != nil {
		return fmt.Errorf("deliver to %s: %w", user, err)
	}
	return nil
}

// Expire runs cyr_expire, as every Cyrus does once a day: it removes what is
// older than the folder's annotation /vendor/cmu/cyrus-imapd/expire allows.
func (c *Cyrus) Expire() error {
	_, err := c.root.run(nil, cyrusBin+"cyr_expire", "-C", "/etc/imapd.conf", "-E", "1", "-D", "0", "-X", "0")
	return err
}

func (s *server) dial(ctx context.Context, user, password string) (*imapconn.Conn, error) {
	conn, err := imapconn.Dial(ctx, s.IMAP(), nil)
	if err != nil {
		return nil, err
	}
	if err := conn.LogIn(user, password); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// must gives a command whose answer has to be OK.
func must(conn *imapconn.Conn, command string) error {
	_, tagged, err := conn.Do(command)
	if err == nil && !strings.HasPrefix(tagged, "OK") {
		verb, _, _ := strings.Cut(command, " ")
		err = fmt.Errorf("%s: %s", verb, tagged)
	}
	return err
}
