package account

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
)

var (
	errGone    = errors.New("the message is not there")
	errPartial = errors.New("the message did not come whole")
)

// Copy puts a copy of a message into the open folder, with its flags (without
// \Deleted) and its date, and returns the copy's UID, 0 if the server does not
// say. The message passes from this connection to a second one, and is nowhere
// whole. Where it returns an error there may be a copy all the same, unless the
// error is a [*Refusal].
func (s *Session) Copy(ctx context.Context, uid message.UID) (message.UID, error) {
	if s.ended != nil {
		return 0, s.wrap("copy a message", s.ended)
	}
	to, err := s.account.Login(ctx, s.mailbox)
	if err != nil {
		return 0, err
	}
	defer to.Close() //nolint:errcheck // it has none
	var copied message.UID
	err = s.inFolder(ctx, []message.UID{uid}, func(sets []imap.UIDSet) error {
		copied, err = s.copyTo(ctx, to, sets[0], uid)
		return err
	})
	return copied, s.wrap("copy a message", err)
}

func (s *Session) copyTo(ctx context.Context, to *Session, set imap.UIDSet, uid message.UID) (copied message.UID, err error) {
	shown, err := s.readAll(set)
	if err != nil {
		return 0, err
	}
	original := shown[uid]
	if original == nil {
		return 0, finding{errGone}
	}
	appendErr := errGone
	err = s.readBodies(set, &imap.FetchItemBodySection{Peek: true}, func(of message.UID, body imap.LiteralReader) {
		if of != uid || !errors.Is(appendErr, errGone) {
			return
		}
		copied, appendErr = to.append(ctx, s, original, body)
	})
	if err != nil {
		return 0, errors.Join(err, appendErr)
	}
	if appendErr != nil {
		return 0, finding{appendErr}
	}
	return copied, nil
}

// append appends a message to the folder that another session has open.
func (s *Session) append(ctx context.Context, from *Session, original *message.Found, body imap.LiteralReader) (copied message.UID, err error) {
	if s.rev2 != from.rev2 {
		return 0, errors.New("the server does not do the same twice")
	}
	options := imap.AppendOptions{Flags: kept(original.Flags), Time: original.InternalDate}
	err = s.run(ctx, func() error {
		cmd := s.client.Append(from.name, body.Size(), &options) // waits until the server wants the message
		s.limit(0)                                               // it says nothing while it is sent to; each write has its time
		if n, err := io.Copy(cmd, body); n < body.Size() {
			if refused(err) == nil {
				_ = s.conn.Close() // what follows would be taken for the rest of the message
			}
			_ = cmd.Close()
			return errors.Join(errPartial, err)
		}
		s.limit(s.account.Timeout)
		if err := cmd.Close(); err != nil {
			return err
		}
		data, err := cmd.Wait()
		if err == nil && data.UIDValidity == from.validity {
			copied = message.UID(data.UID)
		}
		return err
	})
	return copied, err
}

// kept are the flags that a copy gets.
func kept(flags []string) []imap.Flag {
	var all []imap.Flag
	for _, f := range flags {
		if !strings.EqualFold(f, string(imap.FlagDeleted)) {
			all = append(all, imap.Flag(f))
		}
	}
	return slices.Clip(all)
}
