package upstream

import (
	"fmt"
	"slices"
	"time"
)

// Removal is one message that left a folder for good, and what did it.
type Removal struct {
	Mailbox     string // its owner
	Folder      string // "/" between levels
	UIDValidity uint32
	UID         uint32
	Text        []byte // not to be changed

	User    string // who was logged in; "" is Server.Remove
	Session int    // which session, from 1 in the order of their connections
	Command string // as Received shows it
}

// Message is one message of a folder as it is now.
type Message struct {
	UID   uint32
	Flags []string // without \Recent
	Date  time.Time
	Text  []byte // not to be changed
}

// record notes what was removed from f.
func (s *Server) record(f *folder, gone []*message, by Removal) {
	by.Mailbox, by.Folder, by.UIDValidity = f.box.owner, f.called(), f.uidValidity
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range gone {
		by.UID, by.Text = m.uid, m.raw
		s.removed = append(s.removed, by)
	}
}

// Removed lists all messages that left a folder for good, in order: those that
// were moved and those of deleted folders too.
func (s *Server) Removed() []Removal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.removed)
}

// Remove takes messages of an INBOX away past every session, as an
// administrator would.
func (s *Server) Remove(user string, uniqueIDs ...string) {
	inbox := s.mailbox(user).inbox()
	gone := inbox.expunge(func(m *message) bool { return slices.Contains(uniqueIDs, s.uniqueID(inbox.uidValidity, m)) })
	s.record(inbox, gone, Removal{})
}

// UniqueIDs lists what is in a user's INBOX.
func (s *Server) UniqueIDs(user string) []string {
	var ids []string
	inbox := s.mailbox(user).inbox()
	for _, m := range inbox.snapshot() {
		ids = append(ids, s.uniqueID(inbox.uidValidity, m))
	}
	return ids
}

// Messages lists what is in a user's folder, past every session. "/" parts
// levels. It is empty where there is no such folder.
func (s *Server) Messages(user, folder string) []Message {
	f := s.mailbox(user).folder(folder)
	if f == nil {
		return nil
	}
	var messages []Message
	for _, m := range f.snapshot() {
		messages = append(messages, Message{UID: m.uid, Flags: m.flags.Load().names(), Date: m.date, Text: m.raw})
	}
	return messages
}

// Folders lists a user's folders, the INBOX first.
func (s *Server) Folders(user string) []string { return s.mailbox(user).names() }

// Append puts a message into a folder, which is made where it is missing, and
// returns its UID. A zero date is now.
func (s *Server) Append(user, folder string, octets []byte, date time.Time, flags ...string) (uint32, error) {
	c, bad := parseFlags('=', flags)
	if bad != "" {
		return 0, fmt.Errorf("append to %s: %s is no flag that can be set", folder, bad)
	}
	if date.IsZero() {
		date = time.Now()
	}
	b := s.mailbox(user)
	b.create(folder)
	return b.folder(folder).add([]draftMessage{{text: newText(clone(octets)), date: date, flags: c}}), nil
}

// SetFlags gives a message other flags past every session. The error says that
// there is no such message, or no such flag.
func (s *Server) SetFlags(user, folder string, uid uint32, flags ...string) error {
	c, bad := parseFlags('=', flags)
	if bad != "" {
		return fmt.Errorf("flags of message %d in %s: %s is no flag that can be set", uid, folder, bad)
	}
	f := s.mailbox(user).folder(folder)
	if f == nil {
		return fmt.Errorf("no folder %s", folder)
	}
	for _, m := range f.snapshot() {
		if m.uid == uid {
			f.store([]*message{m}, c, allRights)
			return nil
		}
	}
	return fmt.Errorf("no message %d in %s", uid, folder)
}

// Grant says what a user may do in all folders of owner's mailbox, as letters
// of RFC 4314, 2.1. Others than the owner find them in the other users'
// namespace, IMAPOptions.Others. The owner's own rights can be cut in this way
// as well: without t and e a STORE of \Deleted and an EXPUNGE are answered OK
// and do nothing, as Dovecot does.
func (s *Server) Grant(owner, user, rights string) {
	b := s.mailbox(owner)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rights[user] = rights
}
