package imap

import (
	"context"
	"strings"

	"github.com/emersion/go-imap/v2"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// replyTooManyHidden is the answer to a search in whose result the guard cannot
// do without the messages that are hidden.
var replyTooManyHidden = Reply{Word: "NO", Code: "LIMIT", Text: "Too many deleted messages are kept for others to do this here"}

// searchView is SEARCH, SORT and THREAD where this member does not see all of the
// folder. The upstream leaves the hidden messages out itself, so that it counts
// right, and what it finds by number is translated. Where so many are hidden that
// no server takes them in a line, the guard leaves them out.
func (s *session) searchView(ctx context.Context, cmd command.Command, key command.SearchKey) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	byUID := strings.HasPrefix(cmd.Name, "UID ")
	key, err := s.upstreamKey(ctx, key, byUID)
	if err != nil {
		return err
	}
	hidden, fits := s.notHidden()
	returns := searchOf(cmd.Args).Return
	switch args := cmd.Args.(type) {
	case command.Search:
		if !fits && returns != nil {
			return s.searchAll(ctx, cmd, args, key)
		}
	case command.Thread:
		if !fits {
			return replyTooManyHidden
		}
	default:
		if !fits && returns != nil {
			return replyTooManyHidden
		}
	}
	if fits {
		key = command.AndKey(key, hidden)
	}
	if fits && byUID { // nothing hidden is found, and UIDs are the same for everybody
		cmd.Args = withKey(cmd.Args, key)
		return s.passOn(ctx, cmd)
	}
	f := finding{s: s, tag: cmd.Tag, byUID: byUID}
	res, err := s.sayForClient(ctx, cmd.Name, withKey(cmd.Args, key), f.collect)
	if err == nil {
		err = f.err
	}
	if err != nil {
		return err
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// upstreamKey is a key in the upstream's numbers. What it finds of hidden messages
// is to be left out in any case. mayTell is as for learnLast.
func (s *session) upstreamKey(ctx context.Context, key command.SearchKey, mayTell bool) (command.SearchKey, error) {
	var last view.Place
	if key.Any(func(k command.SearchKey) bool { return k.Op == command.OpUID && k.Set.Dynamic() }) {
		var err error
		if last, err = s.lastSeen(ctx, mayTell); err != nil {
			return key, err
		}
	}
	s.out.Lock()
	defer s.out.Unlock()
	return key.Rewrite(func(k command.SearchKey) command.SearchKey { return s.upstreamTerm(k, last) }), nil
}

// upstreamTerm translates one term of a key. The upstream's "*" may be hidden; the
// last message of the view is in every set of UIDs with a "*".
func (s *session) upstreamTerm(k command.SearchKey, last view.Place) command.SearchKey {
	switch set := k.Set.(type) {
	case imap.SeqSet:
		up := s.folder.view.SearchSetToUpstream(set)
		if len(up) == 0 {
			return command.UIDKey(nil)
		}
		k.Set = up
	case imap.UIDSet:
		if set.Dynamic() && last.UID != 0 {
			k.Set = append(set[:len(set):len(set)], imap.UIDRange{Start: last.UID, Stop: last.UID})
		}
	}
	return k
}

// notHidden is the key for what is not hidden, if that fits into a line.
func (s *session) notHidden() (key command.SearchKey, fits bool) {
	s.out.Lock()
	defer s.out.Unlock()
	hidden := s.folder.view.Hidden()
	if len(wire.ChunkUIDSet(hidden, maxSet)) > 1 {
		return key, false
	}
	return command.NotKey(command.UIDKey(hidden)), true
}

// searchAll asks for all that a search finds, and computes of it what the client
// wants to know (RFC 4731, 3.1).
func (s *session) searchAll(ctx context.Context, cmd command.Command, args command.Search, key command.SearchKey) error {
	wanted := args.Return
	args.Return, args.Key = nil, key
	f := finding{s: s, tag: cmd.Tag, byUID: strings.HasPrefix(cmd.Name, "UID "), gather: true}
	res, err := s.sayForClient(ctx, cmd.Name, args, f.collect)
	if err == nil {
		err = f.err
	}
	if err == nil && res.ok() {
		err = s.reply("* ESEARCH (TAG \"" + cmd.Tag + "\")" + f.computed(wanted))
	}
	if err != nil {
		return err
	}
	return s.reply(cmd.Tag + " " + s.filterResult(res))
}

// firstUnseen finds the client's number of the first message that has not been
// seen, where the upstream's first one is hidden; 0 if there is none.
func (s *session) firstUnseen(ctx context.Context, f *folder) (view.ClientSeq, error) {
	key := command.AndKey(command.SearchKey{Op: "UNSEEN"})
	if hidden, fits := s.notHidden(); fits {
		key = command.AndKey(key, hidden)
	}
	find := finding{s: s, gather: true}
	_, err := s.sayForClient(ctx, "SEARCH", command.Search{Key: key}, find.collect)
	if err != nil || len(find.found) == 0 {
		return 0, err
	}
	return view.ClientSeq(find.found.lowest()), nil
}

// unseenHidden counts the hidden messages of the selected folder that have not been
// seen. Where they are too many for a line it is asked once what has not been seen
// from the first of them to the last, and not once for every piece of the set.
func (s *session) unseenHidden(ctx context.Context) (n int, err error) {
	s.out.Lock()
	hidden := s.folder.view.Hidden()
	s.out.Unlock()
	if len(hidden) == 0 {
		return 0, nil
	}
	if len(wire.ChunkUIDSet(hidden, maxSet)) > 1 {
		hidden = imap.UIDSet{{Start: hidden[0].Start, Stop: hidden[len(hidden)-1].Stop}}
	}
	found, err := s.search(ctx, command.AndKey(command.SearchKey{Op: "UNSEEN"}, command.UIDKey(hidden)))
	if err != nil {
		return 0, err
	}
	s.out.Lock()
	defer s.out.Unlock()
	w := s.folder.view.Walk()
	for _, u := range found {
		if w.Hides(imap.UID(u)) {
			n++
		}
	}
	return n, nil
}
