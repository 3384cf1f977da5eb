package account

import (
	"context"
	"time"

	"mailguard/member"
	"mailguard/proxy"
)

// Account is the service account of one upstream that has IMAP. Its methods may
// be called from any goroutine.
type Account struct {
	Upstream string // what logs and errors call the server
	Dialer   proxy.Dialer
	Keyring  *Keyring
	Timeout  time.Duration // for each answer; zero: none but the contexts
}

// Login opens a mailbox. The session belongs to the caller, who closes it. ctx
// ends the login, not the session. An error that wraps [ErrLogin] says that the
// server refused the service account: trying again soon will not help.
func (a *Account) Login(ctx context.Context, mailbox member.Mailbox) (*Session, error) {
	s := &Session{account: a, mailbox: mailbox}
	c, err := a.Keyring.Credentials(ctx, mailbox)
	if err != nil {
		return nil, s.wrap("login", err)
	}
	conn, err := a.Dialer.Dial(ctx)
	if err != nil {
		return nil, s.wrap("login", err)
	}
	s.conn = &socket{Conn: conn}
	if err := s.run(ctx, func() error { return s.enter(c) }); err != nil {
		s.abandon(err)
		return nil, s.wrap("login", err)
	}
	return s, nil
}
