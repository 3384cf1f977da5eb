package account

import (
	"context"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailguard/member"
)

// Session is the service account in one mailbox, on a connection of its own. One
// goroutine uses it. The context of each method ends what it does, by closing
// the connection; every later call then says why. An error that is no [*Refusal]
// leaves open what has happened on the server.
type Session struct {
	account *Account
	mailbox member.Mailbox
	conn    *socket
	client  *imapclient.Client // nil until there is a connection
	caps    imap.CapSet        // after the login
	rev2    bool               // IMAP4rev2 is enabled: names are UTF-8
	spaces  *spaces            // nil: not asked for yet

	folder   string // the open one's canonical name; "" none
	name     string // what the server calls it
	validity uint32

	ended error // why nothing can be said any more
}

// run runs an exchange with the server. Its answers have their time, and ctx
// ends it.
func (s *Session) run(ctx context.Context, exchange func() error) error {
	if s.ended != nil {
		return s.ended
	}
	stop := s.conn.CloseWith(ctx)
	defer stop()
	s.limit(s.account.Timeout)
	defer s.limit(0)
	err := exchange()
	if err == nil {
		return nil
	}
	err, usable := s.explain(ctx, err)
	if !usable {
		s.abandon(err)
	}
	return err
}

// limit sets how long the server may say nothing. Between two exchanges it may
// do so for ever.
func (s *Session) limit(silence time.Duration) {
	s.conn.SetTimeouts(silence, s.account.Timeout)
}

// abandon closes the connection at once. Nothing is removed by that.
func (s *Session) abandon(why error) {
	if s.ended == nil {
		s.ended = why
	}
	_ = s.conn.Close()
	if s.client != nil {
		_ = s.client.Close() // waits for the client's goroutine
	}
}

// farewell is how long the server has for its goodbye.
const farewell = 2 * time.Second

// Close ends the session. It is idempotent, and always returns nil: nothing
// depends on the server's goodbye. What is marked and not removed stays.
func (s *Session) Close() error {
	if s.ended == nil {
		s.conn.SetDeadline(time.Now().Add(farewell))
		_ = s.client.Logout().Wait()
	}
	s.abandon(errClosed)
	return nil
}
