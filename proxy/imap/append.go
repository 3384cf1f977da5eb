package imap

import (
	"context"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/guard"
	"mailguard/proxy"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// handleAppend is APPEND (RFC 9051, 6.3.12), of several messages perhaps
// (RFC 3502). Messages are streamed: their octets go upstream only once the
// upstream has asked for them. In a guarded mailbox \Deleted is left out of
// their flags: it would be everybody's.
func (s *session) handleAppend(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Append)
	guarded := s.stanceTo(ctx, s.resolve(args.Folder)) == guard.Protect
	args.Message = allowedFlags(args.Message, guarded)
	if err := s.appendable(args.Message, false); err != nil {
		return s.refuseAppend(args.Message, err)
	}
	c := &call{name: cmd.Name, tag: cmd.Tag}
	if err := s.send(ctx, c, args); err != nil {
		return s.failed(c, err)
	}
	message := args.Message
	for {
		asked, err := s.asked(ctx, c)
		if err != nil {
			return s.failed(c, err)
		}
		if !asked {
			return s.refuseAppend(message, nil)
		}
		next, err := s.streamMessage(c, message, guarded)
		if err != nil || next == nil {
			return s.failed(c, err)
		}
		message = *next
	}
}

func allowedFlags(m command.AppendMessage, guarded bool) command.AppendMessage {
	if guarded {
		m.Flags = slices.DeleteFunc(slices.Clone(m.Flags), func(f imap.Flag) bool { return f == imap.FlagDeleted })
	}
	return m
}

// appendable says why a message cannot be passed on as the client announces it.
// A server that does not know the form might read the message as commands.
func (s *session) appendable(m command.AppendMessage, further bool) error {
	switch {
	case m.UTF8 && !s.utf8: // RFC 6855, 4
		return Reply{Word: "BAD", Text: "UTF8=ACCEPT is not enabled"}
	case m.Binary && !m.UTF8 && !s.upstreamHas("BINARY"):
		return Reply{Word: "BAD", Text: "The mail server does not take a literal8"}
	case further && !s.upstreamHas("MULTIAPPEND"):
		return Reply{Word: "BAD", Text: "The mail server takes one message at a time"}
	}
	return nil
}

// streamMessage passes the octets of one message, and what stands behind them:
// the end of the command, or the announcement of the next message. A command
// that turns out to be wrong behind the octets cannot be taken back but by
// losing the connection: a server stores nothing of an APPEND that has no end.
func (s *session) streamMessage(c *call, m command.AppendMessage, guarded bool) (next *command.AppendMessage, err error) {
	if m.Sync {
		if err := s.continueClient(); err != nil {
			return nil, err
		}
	}
	if err := s.copyOctets(uploading{s, c}, m.Size); err != nil {
		return nil, err
	}
	if c.isEnded() { // the upstream did not wait for the end
		return nil, s.refuseRest()
	}
	if next, err = s.parser.NextAppend(); err != nil {
		return nil, s.breakAppend(c, err)
	}
	if next != nil {
		if err := s.appendable(*next, true); err != nil {
			return nil, s.breakAppend(c, &wire.SyntaxError{Text: replyFor(err).Text})
		}
	}
	s.encoder.Reset()
	if m.UTF8 {
		s.encoder.Close()
	}
	if next == nil {
		s.encoder.End()
	} else {
		*next = allowedFlags(*next, guarded)
		next.Encode(&s.encoder)
	}
	parts, err := s.encoder.Parts()
	if err != nil {
		return nil, s.breakAppend(c, err)
	}
	for _, p := range parts {
		if _, err := s.server.conn.Write(p.Text); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// refuseRest drops what follows the octets of a message in an APPEND that has
// been answered already. What was announced upstream has been sent, so the
// upstream is still in step.
func (s *session) refuseRest() error {
	next, err := s.parser.NextAppend()
	if err != nil {
		return s.inDoubt(err, false)
	}
	if _, err := s.server.conn.Write([]byte("\r\n")); err != nil || next == nil {
		return err
	}
	return s.refuseAppend(*next, nil)
}

// uploading writes a message upstream. As long as it flows the upstream cannot
// answer, and is not late.
type uploading struct {
	s *session
	c *call
}

func (u uploading) Write(p []byte) (int, error) {
	u.s.flight.touch(u.c, u.s.Now())
	return u.s.server.conn.Write(p)
}

// breakAppend loses the upstream in the middle of a command, which is answered
// here unless it has been answered.
func (s *session) breakAppend(c *call, err error) error {
	if !isSyntax(err) {
		_ = s.server.conn.Close()
		return err
	}
	unanswered := s.flight.withdraw(c)
	_ = s.server.conn.Close()
	return s.inDoubt(&wire.SyntaxError{Text: err.Error(), Close: true}, unanswered)
}

// maxSkipped is the longest message, in octets, that is read and dropped because
// the client has sent it without waiting. Mail is rarely larger; behind a larger
// one the connection is closed.
const maxSkipped = 64 << 20

var (
	errCannotSkip   = &wire.SyntaxError{Text: "The message is too big to be skipped", Close: true}
	errEarlyLiteral = &wire.SyntaxError{Text: "A literal was sent before it was asked for", Close: true}
)

// inDoubt ends a session that cannot tell where the next command begins. A
// command that has been answered gets no second answer.
func (s *session) inDoubt(err error, unanswered bool) error {
	if unanswered || !isSyntax(err) {
		return err
	}
	_ = s.reply("* BYE " + err.Error())
	return errEnd
}

// refuseAppend drops what is left of an APPEND that is not carried out: the
// upstream has answered already, or err is the answer. A client that waits sends
// nothing more; one that does not wait has sent the octets, and they are no
// commands.
func (s *session) refuseAppend(m command.AppendMessage, err error) error {
	for {
		switch {
		case m.Sync && s.in.r.Buffered() > 0:
			return s.inDoubt(errEarlyLiteral, err != nil)
		case m.Sync:
			return err
		case m.Size > maxSkipped:
			return s.inDoubt(errCannotSkip, err != nil)
		}
		if err := s.copyOctets(io.Discard, m.Size); err != nil {
			return err
		}
		next, syntax := s.parser.NextAppend()
		if syntax != nil {
			return s.inDoubt(syntax, err != nil)
		}
		if next == nil {
			return err
		}
		m = *next
	}
}

// copyOctets copies so many octets from the client. Each piece may take the
// time of a command.
func (s *session) copyOctets(to io.Writer, left int64) error {
	buffer := proxy.GetBuffer()
	defer proxy.PutBuffer(buffer)
	for left > 0 {
		s.in.within(s.Limits.Command)
		n, err := s.in.r.Read((*buffer)[:min(left, int64(len(*buffer)))])
		if n > 0 {
			if _, err := to.Write((*buffer)[:n]); err != nil {
				return err
			}
			left -= int64(n)
		}
		if err != nil {
			return err
		}
	}
	s.in.within(s.Limits.Command)
	return nil
}
