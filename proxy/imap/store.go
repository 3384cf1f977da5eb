package imap

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/policy"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
)

// handleStore is STORE and UID STORE (RFC 9051, 6.4.6). In a guarded folder
// \Deleted never goes upstream: it is this member's own mark, and is kept by
// the guard. The other flags of the command are passed on, whatever becomes of
// the mark.
func (s *session) handleStore(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Store)
	if !s.guarding() {
		return s.passOn(ctx, cmd) // nothing is hidden
	}
	if args.UnchangedSince != nil {
		return Reply{Word: "BAD", Text: "This folder has no modification sequences"}
	}
	others := slices.DeleteFunc(slices.Clone(args.Flags), func(f imap.Flag) bool { return f == imap.FlagDeleted })
	marks := len(others) < len(args.Flags)
	if !marks && args.Op != imap.StoreFlagsSet {
		return s.passNamed(ctx, cmd, call{})
	}
	if err := s.drain(ctx); err != nil {
		return err
	}
	if !marks && s.marked() == 0 { // nothing that FLAGS without \Deleted could take away
		return s.passNamed(ctx, cmd, call{})
	}
	args.Flags = others
	return s.storeMarks(ctx, cmd, args, marks && args.Op != imap.StoreFlagsDel)
}

// storeMarks makes marks, or takes them away, and passes the other flags on.
// Everything before it has been answered.
func (s *session) storeMarks(ctx context.Context, cmd command.Command, args command.Store, add bool) error {
	if s.folder.readOnly {
		return replyReadOnly
	}
	if err := s.storeOthers(ctx, cmd.Name, args); err != nil {
		return err // and nothing is marked
	}
	var markErr error
	if add {
		markErr = s.mark(ctx, args.Messages)
	} else {
		markErr = s.unmark(ctx, args.Messages)
	}
	if markErr != nil && !isReply(markErr) {
		return markErr
	}
	if !args.Silent {
		if err := s.showFlags(ctx, args.Messages); err != nil {
			return err
		}
	}
	if markErr != nil {
		return markErr
	}
	return s.reply(cmd.Tag + " OK Store completed")
}

// storeOthers passes the other flags on.
func (s *session) storeOthers(ctx context.Context, name string, args command.Store) error {
	if len(args.Flags) == 0 && args.Op != imap.StoreFlagsSet {
		return nil
	}
	args.Silent = true // what they are is told when the mark is made as well
	res, err := s.sayPieces(ctx, s.pieces(args), command.Command{Name: name, Args: args}, call{name: name})
	if err == nil && !res.ok() {
		err = Reply{Word: res.word, Text: clean(res.human(), 200)}
	}
	return err
}

// mark marks messages for this member, as far as policy does not refuse their
// deletion as it looks now. It is durable before the client hears of it.
func (s *session) mark(ctx context.Context, m command.Messages) error {
	if s.folder.guarded == nil {
		return replyClosed
	}
	found, err := s.look(ctx, m)
	if err != nil || len(found) == 0 {
		return err
	}
	rulings, err := s.folder.guarded.Preview(ctx, guard.Deletion{Op: policy.IMAPExpunge}, justSeen(found))
	if err != nil {
		return err
	}
	var places []view.Place
	refused := refusal{}
	for i, r := range rulings {
		if r.Outcome == policy.Refused {
			refused.add(r)
			continue
		}
		places = append(places, found[i].place())
	}
	if len(places) > 0 {
		if err := s.folder.guarded.Mark(ctx, uidsOf(places), nil); err != nil {
			return err
		}
		s.changeMarks(places, nil)
	}
	return refused.err()
}

// unmark takes this member's marks of messages away.
func (s *session) unmark(ctx context.Context, m command.Messages) error {
	if s.folder.guarded == nil || s.marked() == 0 {
		return nil
	}
	last, err := s.last(ctx, m.Set)
	if err != nil {
		return err
	}
	s.out.Lock()
	marked := uidsOf(s.folder.marks.In(m.Set, last))
	s.out.Unlock()
	if len(marked) == 0 {
		return nil
	}
	if err := s.folder.guarded.Mark(ctx, nil, marked); err != nil {
		return err
	}
	s.changeMarks(nil, marked)
	return nil
}

// marked counts this member's marks in the folder.
func (s *session) marked() int {
	s.out.Lock()
	defer s.out.Unlock()
	return s.folder.marks.Len()
}

// last is the place of the last message, if a set speaks of it.
func (s *session) last(ctx context.Context, set imap.NumSet) (view.Place, error) {
	if !set.Dynamic() {
		return view.Place{}, nil
	}
	var star imap.SeqSet
	star.AddNum(0)
	found, err := s.fetch(ctx, command.Messages{Set: star}, locateItems, hasUID)
	if err != nil || len(found) == 0 {
		return view.Place{}, err
	}
	return found[len(found)-1].place(), nil
}

// justSeen is what the guard needs of what was found.
func justSeen(found []seen) []message.Seen {
	all := make([]message.Seen, len(found))
	for i, m := range found {
		all[i] = m.Seen
	}
	return all
}

// refusal counts what is refused, with the sentence of the first rule that has
// one.
type refusal struct {
	n    int
	text string
}

func (r *refusal) add(ruling guard.FolderRuling) {
	r.n++
	if r.text == "" {
		r.text = ruling.Decision.Message
	}
}

// err is the answer to a command of which something was refused, or nil.
func (r *refusal) err() error {
	if r.n == 0 {
		return nil
	}
	return Reply{Word: "NO", Code: "NOPERM", Text: r.sentence()}
}

// sentence is for the person at the client.
func (r *refusal) sentence() string {
	switch {
	case r.text != "":
		return clean(r.text, 400)
	case r.n > 1:
		return fmt.Sprintf("%d messages are kept for the other users of this mailbox", r.n)
	}
	return defaultRefusal
}
