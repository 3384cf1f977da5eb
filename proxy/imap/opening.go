package imap

import (
	"context"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
)

// opening is what SELECT says of a folder in numbers, held back until it is
// known what this member does not see of it.
type opening struct {
	recent     uint32
	saysRecent bool             // IMAP4rev2 does not (RFC 9051, appendix E)
	unseen     view.UpstreamSeq // the first unseen message, 0 not known any more
	saysUnseen bool
}

// hold keeps what the upstream says of numbers while the folder is opened. Flags
// of messages are left out: the client does not count any yet. It runs in the
// pump.
func (s *session) hold(r *response) error {
	f := s.folder
	switch {
	case r.Is("EXISTS"):
		if _, _, err := f.view.Exists(r.Number); err != nil {
			return nonsense(err)
		}
	case r.Is("RECENT"):
		f.opening.recent, f.opening.saysRecent = r.Number, true
	}
	return s.drop(r)
}

// expunged follows a message that goes while the folder is opened.
func (o *opening) expunged(seq view.UpstreamSeq) {
	switch {
	case o == nil:
	case o.unseen == seq:
		o.unseen = 0
	case o.unseen > seq:
		o.unseen--
	}
}

// show tells the client the numbers that were held back, as this member counts.
// From now on the view is the client's.
func (s *session) show(ctx context.Context, f *folder) error {
	s.out.Lock()
	f.view.Report() // the client has counted nothing yet: nobody has to be told
	s.out.Unlock()
	recent, err := s.recentInView(ctx, f)
	if err != nil {
		return err
	}
	unseen, err := s.unseenInView(ctx, f)
	if err != nil {
		return err
	}
	s.out.Lock()
	defer s.out.Unlock()
	lines := []string{fmt.Sprintf("* %d EXISTS", f.view.Count())}
	if f.opening.saysRecent {
		lines = append(lines, fmt.Sprintf("* %d RECENT", min(recent, f.view.Count())))
	}
	if unseen > 0 && uint32(unseen) <= f.view.Count() {
		lines = append(lines, fmt.Sprintf("* OK [UNSEEN %d] First unseen.", unseen))
	}
	f.opening = nil
	for _, line := range lines {
		if err := s.writeLine(line); err != nil {
			return err
		}
	}
	return nil
}

// recentInView is how many of the messages that this member sees are recent.
func (s *session) recentInView(ctx context.Context, f *folder) (uint32, error) {
	s.out.Lock()
	recent, hides := f.opening.recent, f.hides()
	s.out.Unlock()
	if recent == 0 || !hides {
		return recent, nil
	}
	found, err := s.search(ctx, command.SearchKey{Op: command.OpRecent})
	if isReply(err) { // no such key: the number is good enough for what it is
		return recent, nil
	}
	s.out.Lock()
	defer s.out.Unlock()
	found = slices.DeleteFunc(found, func(u message.UID) bool { return f.view.Hides(imap.UID(u)) })
	return uint32(len(found)), err
}

// unseenInView is the client's number of the first message that it has not
// seen; 0 if there is none, or the upstream does not say.
func (s *session) unseenInView(ctx context.Context, f *folder) (view.ClientSeq, error) {
	s.out.Lock()
	if !f.opening.saysUnseen {
		s.out.Unlock()
		return 0, nil
	}
	n, sees := f.view.ToClient(f.opening.unseen)
	s.out.Unlock()
	if sees {
		return n, nil
	}
	return s.firstUnseen(ctx, f)
}
