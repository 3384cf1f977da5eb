package imap

import (
	"context"
	"slices"
	"strconv"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
)

// hides reports whether the client's message numbers are not the upstream's. The
// output is held, or the turn.
func (f *folder) hides() bool { return f != nil && f.view.Len() > 0 }

// hide takes messages that this member has deleted, and that others keep, out of
// its view, and tells the client as if they had been expunged. The ledger has it
// already, and it is a moment at which that may be told (RFC 9051, 7.5.1).
func (s *session) hide(places []view.Place) error {
	s.out.Lock()
	defer s.out.Unlock()
	f := s.folder
	if err := f.view.Hide(places...); err != nil {
		return nonsense(err)
	}
	uids := make([]imap.UID, len(places))
	for i, p := range places {
		uids[i] = p.UID
	}
	f.marks.Remove(uids...)
	s.counts.hidden += len(places)
	return s.report()
}

// report tells the client of everything that is hidden and that it counts still;
// the output is held.
func (s *session) report() error {
	f := s.folder
	if !s.qresync {
		for _, n := range f.view.Report() {
			if err := s.writeLine("* " + number(n) + " EXPUNGE"); err != nil {
				return err
			}
		}
		return nil
	}
	// The mailbox has become shared since the client enabled QRESYNC: it is told
	// by UID, as it asked for (RFC 7162, 3.2.10).
	if gone := f.view.PendingUIDs(); len(gone) > 0 {
		f.view.Report()
		return s.writeLine("* VANISHED " + gone.String())
	}
	return nil
}

// hideFollowed hides messages whose places the pump has followed. Nobody is told
// in a folder that is being closed.
func (s *session) hideFollowed(uids []message.UID) error {
	if len(uids) == 0 {
		return nil
	}
	s.out.Lock()
	places := s.folder.follow.Remove(wireUIDs(uids)...)
	silent := s.folder.silent
	s.out.Unlock()
	if silent {
		return nil
	}
	return s.hide(places)
}

// hideOthers takes what other sessions of this member have hidden out of this
// one's view.
func (s *session) hideOthers(ctx context.Context) error {
	f := s.folder
	f.news.hidden = append(f.news.hidden, f.guarded.Hides()...)
	s.out.Lock()
	hidden := slices.DeleteFunc(slices.Clone(f.news.hidden), func(u message.UID) bool { return f.view.Hides(imap.UID(u)) })
	s.out.Unlock()
	var places []view.Place
	if len(hidden) > 0 {
		var err error
		places, err = s.locate(ctx, hidden)
		if err == nil && len(places) < len(hidden) { // one that this session has not been told of
			if err = s.mustSay(ctx, "NOOP", command.None{}, nil); err == nil {
				places, err = s.locate(ctx, hidden)
			}
		}
		if err != nil {
			return err
		}
	}
	f.news.hidden = nil
	return s.hide(places)
}

// number is a number as text.
func number[T ~uint32](n T) string {
	return strconv.FormatUint(uint64(n), 10)
}
