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
	c := &call{name: cmd.Name, tag: cmd.Tag}
	if err := s.send(ctx, c, args); err != nil {
		return err
	}
	message := args.Message
	for {
		asked, err := s.asked(ctx, c)
		if err != nil {
			return err
		}
		if !asked {
			return s.refusedAppend(message)
		}
		next, err := s.streamMessage(c, message, guarded)
		if err != nil || next == nil {
			return err
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
	if err := s.copyOctets(s.server.conn, m.Size); err != nil {
		return nil, err
	}
	if next, err = s.parser.NextAppend(); err != nil {
		return nil, s.breakAppend(err)
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
		return nil, s.breakAppend(err)
	}
	for _, p := range parts {
		if _, err := s.server.conn.Write(p.Text); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// breakAppend loses the upstream in the middle of a command.
func (s *session) breakAppend(err error) error {
	_ = s.server.conn.Close()
	if isSyntax(err) {
		return &wire.SyntaxError{Text: err.Error(), Close: true}
	}
	return err
}

// refusedAppend drops what is left of an APPEND that the upstream has answered
// already. A client that waits sends nothing more; one that does not wait has
// sent the octets, and they are no commands.
func (s *session) refusedAppend(m command.AppendMessage) error {
	for {
		if m.Sync {
			if s.in.r.Buffered() > 0 {
				return &wire.SyntaxError{Text: "A literal was sent before it was asked for", Close: true}
			}
			return nil
		}
		if err := s.copyOctets(io.Discard, m.Size); err != nil {
			return err
		}
		next, err := s.parser.NextAppend()
		if err != nil || next == nil {
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
