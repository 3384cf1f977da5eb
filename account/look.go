package account

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailguard/message"
)

// Look reads messages of the open folder, in ascending order of their UIDs.
// Those that are not there are left out. With headers their fingerprints are
// taken, too.
func (s *Session) Look(ctx context.Context, uids []message.UID, headers bool) ([]message.Found, error) {
	var found []message.Found
	err := s.inFolder(ctx, uids, func(sets []imap.UIDSet) error {
		// What others have removed is told now, and not shown any more.
		if err := s.client.Noop().Wait(); err != nil {
			return err
		}
		for _, set := range sets {
			some, err := s.look(set, headers)
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	if err != nil {
		return nil, s.wrap("look at messages", err)
	}
	return found, nil
}

// inFolder runs an exchange about messages of the open folder.
func (s *Session) inFolder(ctx context.Context, uids []message.UID, exchange func([]imap.UIDSet) error) error {
	sets, err := pieces(uids)
	if err != nil {
		return err
	}
	return s.run(ctx, func() error {
		if s.folder == "" {
			return finding{errNoFolder}
		}
		return exchange(sets)
	})
}

func (s *Session) look(set imap.UIDSet, headers bool) ([]message.Found, error) {
	shown, err := s.readAll(set)
	if err != nil {
		return nil, err
	}
	found := make([]message.Found, 0, len(shown))
	for _, m := range shown {
		found = append(found, *m)
	}
	slices.SortFunc(found, func(a, b message.Found) int { return int(int64(a.UID) - int64(b.UID)) })
	if headers && len(found) > 0 {
		err = s.readHeaders(found)
	}
	return found, err
}

// attempts is how often an answer is asked for that news of other sessions have
// come between.
const attempts = 3

// errIncomplete is the error of answers that show only a part of a message.
var errIncomplete = errors.New("the server does not show size, date and flags of a message that is there")

// readAll reads what is there of a set. News of a message's flags, which come at
// any time, look like the beginning of an answer, and the client takes them for
// the whole: what they left out is asked for once more.
func (s *Session) readAll(set imap.UIDSet) (map[message.UID]*message.Found, error) {
	shown := make(map[message.UID]*message.Found)
	for range attempts {
		partly, err := s.read(set, shown)
		if err != nil {
			return nil, err
		}
		if len(partly) == 0 {
			return shown, nil
		}
		set = partly
	}
	return nil, finding{errIncomplete}
}

// lookAt are the items that are read. There is no literal among them: the UID
// may be anywhere in an answer.
var lookAt = imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true}

// read reads once, and returns those of which only a part was shown.
func (s *Session) read(set imap.UIDSet, shown map[message.UID]*message.Found) (partly imap.UIDSet, err error) {
	cmd := s.client.Fetch(set, &lookAt)
	defer cmd.Close()
	var some []message.UID
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		if one, complete := collect(m); complete {
			shown[one.UID] = one
		} else {
			some = append(some, one.UID)
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	slices.Sort(some)
	return ranges(slices.Compact(some)), nil
}

// collect reads one answer.
func collect(m *imapclient.FetchMessageData) (*message.Found, bool) {
	var one message.Found
	hasFlags, hasSize := false, false
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			one.UID = message.UID(item.UID)
		case imapclient.FetchItemDataRFC822Size:
			one.Size, hasSize = item.Size, true
		case imapclient.FetchItemDataInternalDate:
			one.InternalDate = item.Time
		case imapclient.FetchItemDataFlags:
			hasFlags = true
			setFlags(&one, item.Flags)
		}
	}
	return &one, hasFlags && hasSize && !one.InternalDate.IsZero()
}

// setFlags takes the flags. \Recent is of the session, not of the message.
func setFlags(one *message.Found, flags []imap.Flag) {
	for _, f := range flags {
		if strings.EqualFold(string(f), recent) {
			continue
		}
		one.Flags = append(one.Flags, string(f))
		one.Deleted = one.Deleted || strings.EqualFold(string(f), string(imap.FlagDeleted))
	}
}

const recent = `\Recent`

// header is what fingerprints are taken of.
var header = imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}

// readHeaders takes the fingerprints of messages. One whose header does not come
// has none: it is then another message than the one that is held.
func (s *Session) readHeaders(found []message.Found) error {
	byUID := make(map[message.UID]*message.Found, len(found))
	uids := make([]message.UID, 0, len(found))
	for i := range found {
		byUID[found[i].UID] = &found[i]
		uids = append(uids, found[i].UID)
	}
	sets, err := pieces(uids)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if err := s.readBodies(set, &header, func(uid message.UID, body imap.LiteralReader) {
			if one := byUID[uid]; one != nil {
				one.Fingerprint = fingerprint(body)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// readBodies calls f for each message whose section comes. f need not read it
// all.
func (s *Session) readBodies(set imap.UIDSet, section *imap.FetchItemBodySection, f func(message.UID, imap.LiteralReader)) error {
	cmd := s.client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
	defer cmd.Close()
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		var uid message.UID
		for item := m.Next(); item != nil; item = m.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				uid = message.UID(item.UID)
			case imapclient.FetchItemDataBodySection:
				if item.Literal != nil && item.MatchCommand(section) {
					f(uid, item.Literal)
				}
			}
		}
	}
	return cmd.Close()
}
