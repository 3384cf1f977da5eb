package pop3

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"mailguard/member"
	"mailguard/message"
	"mailguard/proxy/credentials"
)

var (
	// ErrInUse says that somebody else has the maildrop open. That is normal:
	// come later.
	ErrInUse = errors.New("another session has the maildrop open")

	// ErrAccount says that the server does not let the service account in.
	ErrAccount = errors.New("the server does not let the service account in")

	errAccountOver = errors.New("the session is over")
	errNoSuch      = errors.New("no such message in the listing")
)

// Keyring makes the credentials that the service account logs in with.
type Keyring interface {
	// Credentials are what opens a mailbox. No error has a secret in it.
	Credentials(ctx context.Context, mailbox member.Mailbox) (credentials.Credentials, error)
	// Refused says that the server did not take these.
	Refused(c credentials.Credentials)
}

// Account is the service account of an upstream without IMAP: with nobody logged
// in it removes what is released. Its methods may be called from any goroutine.
type Account struct {
	Upstream *Upstream
	Keyring  Keyring
}

// AccountSession is the service account in one maildrop, which is locked for
// everybody else meanwhile: it is to last for seconds. One goroutine uses it. The
// context of each method ends what it does, by closing the connection; nothing is
// removed by that.
type AccountSession struct {
	account *Account
	mailbox member.Mailbox
	server  *server
	count   int  // messages, once they are listed
	over    bool // nothing can be said any more
}

// Login opens a maildrop. The session belongs to the caller, who closes it. The
// error wraps [ErrInUse] where the maildrop is locked, and [ErrAccount] where the
// service account was refused, so that trying again soon will not help.
func (a *Account) Login(ctx context.Context, mailbox member.Mailbox) (*AccountSession, error) {
	s := &AccountSession{account: a, mailbox: mailbox, count: -1}
	c, err := a.Keyring.Credentials(ctx, mailbox)
	if err != nil {
		return nil, s.wrap("login", err)
	}
	if s.server, err = a.Upstream.connect(ctx, netip.AddrPort{}); err != nil {
		return nil, s.wrap("login", because(ctx, err))
	}
	reply, err := s.server.authenticate(c, c.Login.Name, refuseToken)
	var refused Reply
	if errors.As(err, &refused) {
		reply, err = refused, nil
	}
	switch {
	case err == nil && reply.OK:
		s.server.detach()
		return s, nil
	case err == nil:
		err = refusedAccount(reply)
	case !errors.Is(err, ErrAccount): // what the server wrote may have the password in it
		err = discreet(err)
	}
	if errors.Is(err, ErrAccount) {
		a.Keyring.Refused(c)
	}
	s.server.close()
	return nil, s.wrap("login", because(ctx, err))
}

// refuseToken ends an exchange in which the server tells why it takes no token.
func refuseToken([]byte) ([]byte, error) { return nil, ErrAccount }

// refusedAccount is the error of a login that was refused. The server's own words
// are left out; see reason.
func refusedAccount(reply Reply) error {
	switch reply.Code {
	case "IN-USE":
		return ErrInUse
	case "SYS/TEMP", "LOGIN-DELAY":
		return Reply{Code: reply.Code, Text: "not for the moment"}
	}
	return fmt.Errorf("%w: %w", ErrAccount, Reply{Code: reply.Code})
}

// discreet leaves out of an error what the server wrote.
func discreet(err error) error {
	if errors.Is(err, errNonsense) {
		return errNonsense
	}
	return err
}

// because says that a context ended, where that is why there was an error.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// wrap says of an error where it happened.
func (s *AccountSession) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("upstream %s, mailbox %s: %s: %w", s.account.Upstream.Name, s.mailbox, doing, err)
}

// run runs an exchange, which ctx ends.
func (s *AccountSession) run(ctx context.Context, doing string, exchange func() error) error {
	if s.over {
		return s.wrap(doing, errAccountOver)
	}
	stop := s.server.conn.CloseWith(ctx)
	defer stop()
	return s.wrap(doing, because(ctx, exchange()))
}

// List lists the maildrop. A server without UIDL gives no unique-ids.
func (s *AccountSession) List(ctx context.Context) (listing []message.Listed, err error) {
	err = s.run(ctx, "list the messages", func() error {
		listing, err = s.server.listing()
		return err
	})
	if err == nil {
		s.count = len(listing)
	}
	return listing, err
}

// Fingerprint takes the fingerprint of the message at an index of the listing.
// It is nil where the message has none, and where the server has no TOP.
func (s *AccountSession) Fingerprint(ctx context.Context, index int) (f *message.Fingerprint, err error) {
	err = s.run(ctx, "read a header", func() error {
		switch {
		case index < 0 || index >= s.count:
			return errNoSuch
		case !s.server.caps.TOP:
			return nil
		}
		seen := newObserver(false)
		reply, err := s.server.readMessage(Command{Verb: "TOP", Number: index + 1}, seen)
		if err == nil && !reply.OK {
			err = reply
		}
		if err == nil {
			f = seen.fingerprint()
		}
		return err
	})
	return f, err
}

// Remove removes the messages at these indexes of the listing, and ends the
// session. failed are those that the server did not delete; sent reports whether
// QUIT may have reached it. After an error nothing was removed if it was not
// sent, and if it was, only reading can tell.
func (s *AccountSession) Remove(ctx context.Context, indexes []int) (failed []int, sent bool, err error) {
	err = s.run(ctx, "remove messages", func() error {
		for _, i := range indexes {
			if i < 0 || i >= s.count {
				return errNoSuch
			}
		}
		s.over = true
		defer s.server.close()
		failed, sent, err = s.server.removeAndQuit(indexes)
		return err
	})
	return failed, sent, err
}

// Close ends the session, and removes nothing. It is idempotent.
func (s *AccountSession) Close() {
	if s.over {
		return
	}
	s.over = true
	if s.server.err != nil {
		s.server.close()
		return
	}
	s.server.leave()
}
