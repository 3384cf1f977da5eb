package upstream

import (
	"fmt"
	"slices"
)

// What follows happens past every session, as if an administrator or another
// server did it. Folders are named as in Messages.

// Expunge removes messages from a folder, whatever their flags, and returns the
// UIDs of those that were there.
func (s *Server) Expunge(user, folder string, uids ...uint32) []uint32 {
	f := s.mailbox(user).folder(folder)
	if f == nil {
		return nil
	}
	gone := f.expunge(func(m *message) bool { return slices.Contains(uids, m.uid) })
	s.record(f, gone, Removal{})
	var were []uint32
	for _, m := range gone {
		were = append(were, m.uid)
	}
	return were
}

// CreateFolder makes a folder; the error says that there is one.
func (s *Server) CreateFolder(user, folder string) error {
	if !s.mailbox(user).create(folder) {
		return fmt.Errorf("folder %s is there already", folder)
	}
	return nil
}

// DeleteFolder takes a folder away with what is in it. Sessions that have it
// open are ended when they look again. The error says that there is none, or
// that it is the INBOX, which cannot be deleted.
func (s *Server) DeleteFolder(user, folder string) error {
	if folder == inboxName {
		return fmt.Errorf("the INBOX cannot be deleted")
	}
	b := s.mailbox(user)
	f := b.folder(folder)
	gone, there := b.destroy(folder)
	if !there {
		return fmt.Errorf("no folder %s", folder)
	}
	s.record(f, gone, Removal{})
	return nil
}

// RenameFolder gives a folder and those below it another name. Sessions that
// have one of them open are ended when they look again. The error says that
// there is none, that there is one with the new name, or that it is the INBOX.
func (s *Server) RenameFolder(user, from, to string) error {
	b := s.mailbox(user)
	switch {
	case from == inboxName:
		return fmt.Errorf("the INBOX cannot be renamed")
	case b.folder(from) == nil:
		return fmt.Errorf("no folder %s", from)
	case b.folder(to) != nil:
		return fmt.Errorf("folder %s is there already", to)
	}
	b.rename(from, to)
	return nil
}

// UIDValidity is a folder's. The error says that there is none.
func (s *Server) UIDValidity(user, folder string) (uint32, error) {
	f := s.mailbox(user).folder(folder)
	if f == nil {
		return 0, fmt.Errorf("no folder %s", folder)
	}
	return f.uidValidity, nil
}

// ChangeUIDValidity gives a folder another UIDVALIDITY, a higher one, and its
// messages other UIDs, from 1 on, as a server does that lost its index.
// Sessions that have it open are ended when they look again; what a POP3
// session marked is not deleted. The error says that there is no such folder.
func (s *Server) ChangeUIDValidity(user, folder string) (uint32, error) {
	uidValidity, there := s.mailbox(user).renumber(folder)
	if !there {
		return 0, fmt.Errorf("no folder %s", folder)
	}
	return uidValidity, nil
}
