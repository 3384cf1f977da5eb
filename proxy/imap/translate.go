package imap

import (
	"context"
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
)

// The functions of this file translate what a client names by number or UID
// where it does not see all of the folder.

// replyNoMessage is the answer to a number that the client does not count.
var replyNoMessage = Reply{Word: "BAD", Text: "No message has this number"}

// translate puts the upstream's numbers in place of the client's in a command
// that names messages. done says that nothing is named that this member sees,
// and that the command has been answered as a server does.
func (s *session) translate(ctx context.Context, cmd command.Command) (_ command.Command, done bool, err error) {
	m, names := command.MessagesOf(cmd.Args)
	if !names || !s.hides() {
		return cmd, false, nil
	}
	if !m.UID || m.Set.Dynamic() { // what is in flight may change numbers, and which message is the last
		if err := s.drain(ctx); err != nil {
			return cmd, false, err
		}
	}
	up, err := s.upstreamMessages(ctx, m)
	if err == nil && len(chunks(up)) > 1 && isHarmless(cmd.Args) {
		up, err = s.messagesAround(m)
	}
	if err != nil {
		return cmd, false, err
	}
	if _, expunges := cmd.Args.(command.UIDExpunge); isEmpty(up) && !expunges {
		return cmd, true, s.answerEmpty(cmd)
	}
	cmd.Args = withMessages(cmd.Args, up)
	return cmd, false, nil
}

// hides reports whether the client does not see all of the selected folder.
func (s *session) hides() bool {
	s.out.Lock()
	defer s.out.Unlock()
	return s.folder.hides()
}

// answerEmpty answers a command that names nothing which this member sees.
func (s *session) answerEmpty(cmd command.Command) error {
	switch cmd.Args.(type) {
	case command.Store, command.Move:
		if s.folder.readOnly {
			return replyReadOnly
		}
	}
	return s.reply(cmd.Tag + " OK " + emptyText(cmd.Args))
}

func emptyText(args command.Args) string {
	switch args.(type) {
	case command.Fetch:
		return "Fetch completed"
	case command.Store:
		return "Store completed"
	}
	return "No messages found" // as Dovecot says of COPY and MOVE
}

// maxLearning bounds how often it is asked which message is the last: messages
// that come and go in between make the answer old.
const maxLearning = 5

// upstreamMessages translates a set. In the result nothing is hidden.
func (s *session) upstreamMessages(ctx context.Context, m command.Messages) (command.Messages, error) {
	for range maxLearning {
		set, err := s.upstreamSet(m.Set)
		switch {
		case errors.Is(err, view.ErrLastUnknown):
			if err := s.learnLast(ctx, true); err != nil {
				return m, err
			}
		case errors.Is(err, view.ErrNoSuchMessage):
			return m, replyNoMessage
		default:
			return command.Messages{Set: set, UID: m.UID}, err
		}
	}
	return m, replyTemporary
}

func (s *session) upstreamSet(set imap.NumSet) (imap.NumSet, error) {
	s.out.Lock()
	defer s.out.Unlock()
	v := &s.folder.view
	if uids, ok := set.(imap.UIDSet); ok {
		return v.UIDsToUpstream(uids)
	}
	return v.SetToUpstream(set.(imap.SeqSet))
}

// isHarmless reports whether a command reads what costs little and changes nothing:
// of hidden messages it may read too much, which the pump keeps from the client. It
// is how clients look what there is.
func isHarmless(args command.Args) bool {
	f, ok := args.(command.Fetch)
	return ok && !slices.ContainsFunc(f.Items, func(i command.FetchItem) bool {
		switch i.Name {
		case command.FetchUID, command.FetchFlags, command.FetchRFC822Size, command.FetchInternalDate:
			return false
		}
		return true
	})
}

// messagesAround is a set in few words: hidden messages are among those that it
// names.
func (s *session) messagesAround(m command.Messages) (command.Messages, error) {
	s.out.Lock()
	defer s.out.Unlock()
	v := &s.folder.view
	switch set := m.Set.(type) {
	case imap.UIDSet:
		around, err := v.UIDsAround(set)
		return command.Messages{Set: around, UID: true}, err
	case imap.SeqSet:
		return command.Messages{Set: v.SearchSetToUpstream(set)}, nil
	}
	return m, nil
}

// learnLast asks for the UID of the last message that this member sees. mayTell
// says that the client may be told an EXPUNGE now.
func (s *session) learnLast(ctx context.Context, mayTell bool) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	s.out.Lock()
	last := s.folder.view.Last()
	s.out.Unlock()
	if last.Seq == 0 {
		return nil
	}
	var set imap.SeqSet
	set.AddNum(uint32(last.Seq))
	found, err := s.fetch(ctx, command.Messages{Set: set}, locateItems, hasUID)
	if err != nil {
		return err
	}
	switch {
	case len(found) > 0:
	case !mayTell:
		return replyTemporary
	default: // it is gone, and nobody has said so yet
		return s.mustSay(ctx, "NOOP", command.None{}, nil)
	}
	s.out.Lock()
	defer s.out.Unlock()
	return nonsense(s.folder.view.Learn(found[0].place()))
}

// lastSeen is the last message that this member sees; the zero Place if there
// is none. mayTell is as for learnLast.
func (s *session) lastSeen(ctx context.Context, mayTell bool) (view.Place, error) {
	for range maxLearning {
		s.out.Lock()
		last := s.folder.view.Last()
		s.out.Unlock()
		if last.Seq == 0 || last.UID != 0 {
			return last, nil
		}
		if err := s.learnLast(ctx, mayTell); err != nil {
			return view.Place{}, err
		}
	}
	return view.Place{}, replyTemporary
}

// withMessages is the command for other messages.
func withMessages(args command.Args, m command.Messages) command.Args {
	switch a := args.(type) {
	case command.Fetch:
		a.Messages = m
		return a
	case command.Store:
		a.Messages = m
		return a
	case command.Copy:
		a.Messages = m
		return a
	case command.Move:
		a.Messages = m
		return a
	case command.UIDExpunge:
		a.Messages = m
		return a
	}
	return args
}
