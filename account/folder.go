package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
)

// Open opens a folder of the mailbox's own, by its canonical name: UTF-8, without
// namespace prefix, "/" between levels, INBOX in upper case. The error wraps
// [message.ErrNoFolder] only if the server says that there is none. Nothing is
// removed from the folder that was open before; after an error none is open.
func (s *Session) Open(ctx context.Context, folder string) (message.Opened, error) {
	s.folder, s.name, s.validity = "", "", 0
	var opened message.Opened
	err := s.run(ctx, func() error {
		name, err := s.find(folder)
		if err != nil {
			return err
		}
		opened, err = s.selectFolder(name)
		if err == nil {
			s.folder, s.name, s.validity = folder, name, opened.UIDValidity
		}
		return err
	})
	if err != nil {
		return message.Opened{}, s.wrap("open the folder "+clean(folder), err)
	}
	return opened, nil
}

// find finds out what the server calls a folder.
func (s *Session) find(folder string) (string, error) {
	if folder != inbox { // whose name is the same everywhere
		if err := s.askSpaces(); err != nil {
			return "", err
		}
	}
	names, err := s.spaces.names(folder)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if err := s.writable(name); err != nil {
			return "", err
		}
	}
	if len(names) > 1 {
		return s.onlyOne(names)
	}
	return names[0], nil
}

// onlyOne chooses the name that there is. Two folders of one name are none: it
// might be the other that is meant.
func (s *Session) onlyOne(names []string) (string, error) {
	var there []string
	for _, name := range names {
		listed, err := s.listed(name)
		if err != nil {
			return "", err
		}
		if listed {
			there = append(there, name)
		}
	}
	switch len(there) {
	case 0:
		return "", finding{message.ErrNoFolder}
	case 1:
		return there[0], nil
	}
	return "", finding{fmt.Errorf("there are %d folders of this name, in different namespaces", len(there))}
}

// selectFolder selects a folder. Not every server says that it does not exist in
// a way that a program can read (RFC 5530, 3): then its list is asked.
func (s *Session) selectFolder(name string) (message.Opened, error) {
	data, err := s.client.Select(name, nil).Wait()
	no := refused(err)
	switch {
	case no != nil && no.Code == string(imap.ResponseCodeNonExistent):
		return message.Opened{}, finding{fmt.Errorf("%w: %w", message.ErrNoFolder, no)}
	case no != nil:
		listed, listErr := s.listed(name)
		if listErr == nil && !listed {
			return message.Opened{}, finding{fmt.Errorf("%w: %w", message.ErrNoFolder, no)}
		}
		return message.Opened{}, errors.Join(err, listErr)
	case err != nil:
		return message.Opened{}, err
	case data.UIDValidity == 0: // its UIDs would mean nothing (RFC 9051, 2.3.1.1)
		return message.Opened{}, finding{errors.New("the server does not say the folder's UIDVALIDITY")}
	}
	return message.Opened{UIDValidity: data.UIDValidity, UIDNext: uint32(data.UIDNext)}, nil
}

// listed reports whether the server lists a folder that can be opened. The name
// is a pattern there: what it finds besides does not count.
func (s *Session) listed(name string) (bool, error) {
	all, err := s.client.List("", name, nil).Collect()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(l *imap.ListData) bool {
		return l.Mailbox == name && !slices.Contains(l.Attrs, imap.MailboxAttrNonExistent) && !slices.Contains(l.Attrs, imap.MailboxAttrNoSelect)
	}), nil
}
