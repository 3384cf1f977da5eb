package account

import (
	"context"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
)

// Remove removes exactly these messages of the open folder: UID STORE and UID
// EXPUNGE, nothing else. That it returns nil proves nothing (a server without the
// right to do so says OK as well): Look tells what is left. After an error some
// may be gone, and others marked: Unmark.
func (s *Session) Remove(ctx context.Context, uids []message.UID) error {
	return s.wrap("remove messages", s.inFolder(ctx, uids, func(sets []imap.UIDSet) error {
		if !s.caps.Has(imap.CapUIDPlus) {
			return finding{errNoUIDPlus}
		}
		for _, set := range sets {
			if err := s.mark(set, imap.StoreFlagsAdd); err != nil {
				return err
			}
			// RFC 4315, 2.1: of these only what has \Deleted, and of the others nothing.
			if err := s.client.UIDExpunge(set).Close(); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Unmark takes \Deleted off messages whose removal did not happen.
func (s *Session) Unmark(ctx context.Context, uids []message.UID) error {
	return s.wrap(`take \Deleted off`, s.inFolder(ctx, uids, func(sets []imap.UIDSet) error {
		for _, set := range sets {
			if err := s.mark(set, imap.StoreFlagsDel); err != nil {
				return err
			}
		}
		return nil
	}))
}

// mark changes \Deleted and no other flag.
func (s *Session) mark(set imap.UIDSet, op imap.StoreFlagsOp) error {
	flags := imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	return s.client.Store(set, &flags, nil).Close()
}
