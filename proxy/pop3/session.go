package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/proxy"
)

// state is a session's state (RFC 1939, 3). The update state has no commands.
type state int

const (
	authorization state = 1 << iota
	transaction
)

// session is one client's session. One goroutine runs it and owns both
// connections.
type session struct {
	*Options

	client *proxy.Conn
	server *server // nil until the client has logged in
	state  state
	log    zerolog.Logger

	user     string // of USER, waiting for PASS
	utf8     bool   // UTF8 was given before the login (RFC 6856, 2)
	bad      int    // bad commands, in a row
	failures int    // failed logins

	midAnswer bool // a multi-line answer has begun and is not complete

	upstream *Upstream
	visitor  guard.Visitor
	stance   guard.Stance
	since    time.Time // before the upstream let us in

	drop    *maildrop       // nil in relay
	guarded *guard.Maildrop // nil in relay
	rulings map[int]guard.Ruling
	fetches fetches
	touched map[int]bool // places that the client fetched or deleted
	listed  map[int]bool // places that were listed to the client one by one
	all     bool         // the whole maildrop was listed to the client

	counts struct {
		retrieved, deleted, released int
		quit                         bool
	}
}

// errEnd ends a session in good order.
var errEnd = errors.New("session ended")

// serve is the life of a session: greet; run commands until the client has
// logged in and quits, or one side is lost.
func (s *session) serve(ctx context.Context) error {
	s.state = authorization
	if err := s.reply(Reply{OK: true, Text: "mailguard ready"}); err != nil {
		return err
	}
	for {
		line, err := s.readCommand()
		if err == nil {
			err = s.run(ctx, line)
		}
		if err != nil {
			err = s.answerError(err)
		}
		if errors.Is(err, errEnd) {
			return s.client.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// readCommand reads the next command line. What was answered so far is sent
// before the session waits for the client, so pipelined commands share their
// packets.
func (s *session) readCommand() ([]byte, error) {
	r := s.client.Reader()
	buffered, _ := r.Peek(r.Buffered())
	if bytes.IndexByte(buffered, '\n') < 0 {
		if err := s.client.Flush(); err != nil {
			return nil, err
		}
		s.fetches.sent()
	}
	reads := s.client.Reads()
	line, err := readLine(r, s.lineLimit())
	if err == nil && s.client.Reads() > reads { // the end of the connection proves nothing
		s.confirmFetches()
	}
	return line, err
}

func (s *session) lineLimit() int {
	if s.state == authorization {
		return maxLoginLine
	}
	return maxLine
}

// The numbers of bad commands in a row after which a client is not speaking
// POP3, or not to us.
const (
	maxBadBeforeLogin = 3
	maxBad            = 20
)

// answerError answers a command that failed. It returns an error if the
// session cannot go on.
func (s *session) answerError(err error) error {
	var syntax *SyntaxError
	var reply Reply
	isSyntax := errors.As(err, &syntax)
	switch {
	case errors.Is(err, errEnd):
		return err
	case s.midAnswer: // a status line would become part of the answer
		return err
	case isSyntax || errors.As(err, &reply) || errors.Is(err, guard.ErrTemporary):
	default:
		return s.giveUp(err)
	}
	if isSyntax {
		s.bad++
	}
	if sendErr := s.reply(replyFor(err)); sendErr != nil {
		return sendErr
	}
	limit := maxBad
	if s.state == authorization {
		limit = maxBadBeforeLogin
	}
	if s.bad >= limit || (isSyntax && syntax.Close) {
		return errEnd
	}
	return nil
}

// giveUp ends a session of which a side is lost, or whose upstream talks
// nonsense. Nothing was deleted. The client is told, if it can be.
func (s *session) giveUp(err error) error {
	var broken *proxy.Error
	if errors.As(err, &broken) && broken.Side == proxy.Client {
		return err
	}
	_ = s.reply(replyFor(err))
	_ = s.client.Flush()
	return err
}

// reply writes a status line to the client.
func (s *session) reply(r Reply) error {
	_, err := s.client.Writer().WriteString(r.String() + "\r\n")
	return err
}

func (s *session) ok(format string, args ...any) error {
	return s.reply(Reply{OK: true, Text: fmt.Sprintf(format, args...)})
}

// writeLines writes a multi-line answer whose lines need no dot-stuffing.
func (s *session) writeLines(text string, lines []string) error {
	if err := s.ok("%s", text); err != nil {
		return err
	}
	for _, l := range append(lines, ".") {
		if _, err := s.client.Writer().WriteString(l + "\r\n"); err != nil {
			return err
		}
	}
	return nil
}

// finish ends what the session leaves behind: nothing is deleted by it.
func (s *session) finish(ctx context.Context) {
	if s.guarded != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		if err := s.guarded.Save(ctx); err != nil {
			s.log.Warn().Err(err).Msg("fetches of this session are not on record")
		}
	}
	if s.server != nil {
		s.server.close()
	}
}

const saveTimeout = 10 * time.Second

// needsTLS reports whether the client has to do STLS before it logs in.
func (s *session) needsTLS() bool {
	_, on := s.client.TLS()
	return s.NeedsTLS && !on
}

// fetches are messages that were written to the client. They count as fetched
// once a command was read from the socket after they had been sent.
type fetches struct {
	written  []fetch // in the writer or sent
	awaiting []fetch // sent
}

type fetch struct {
	place       int
	fingerprint *message.Fingerprint
}

func (f *fetches) add(x fetch) { f.written = append(f.written, x) }

// sent notes that everything written so far has left.
func (f *fetches) sent() {
	f.awaiting = append(f.awaiting, f.written...)
	f.written = nil
}

// confirmFetches puts on record what the client has shown that it got.
func (s *session) confirmFetches() {
	for _, f := range s.fetches.awaiting {
		s.guarded.Fetched(f.place, s.Now(), f.fingerprint)
	}
	s.fetches.awaiting = nil
}
