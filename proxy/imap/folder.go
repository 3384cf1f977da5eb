package imap

import (
	"bytes"
	"context"
	"strings"
	"time"

	"mailguard/guard"
	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// folder is the selected folder.
type folder struct {
	target
	use         string // special use in lower case, "" none
	stance      guard.Stance
	uidValidity uint32
	uidNext     uint32 // when it was selected; 0: the upstream did not say
	readOnly    bool

	view    view.View // what this member sees; all of it where the guard does not decide
	opening *opening  // what SELECT has said in numbers; nil once the client knows them

	guarded   *guard.Folder // nil where policy can never touch it, or nothing is known of its mailbox
	marks     view.Marks    // this member's own \Deleted
	follow    view.Marks    // messages that an operation under way has in hand
	news      news          // what other sessions have done; guarded by turn
	releaseAt time.Time     // not before that time, what is due is looked for again
	silent    bool          // EXPUNGE is kept from the client: it closes the folder
}

// is reports whether the selected folder is this one.
func (f *folder) is(t target) bool { return f != nil && f.mailbox == t.mailbox && f.folder == t.folder }

// protects reports whether the guard decides in this folder.
func (f *folder) protects() bool { return f != nil && f.stance == guard.Protect }

// observes reports whether what is deleted in this folder is recorded.
func (f *folder) observes() bool { return f != nil && f.stance == guard.Watch && f.guarded != nil }

// newFolder is a folder of which the upstream has said nothing yet.
func newFolder(t target, stance guard.Stance, readOnly bool) *folder {
	f := &folder{target: t, stance: stance, readOnly: readOnly}
	if stance == guard.Protect {
		f.opening = &opening{}
	}
	return f
}

// guarding reports whether the guard decides in the selected folder.
func (s *session) guarding() bool { return s.folder.protects() }

// remaining reads which of these messages are still there. They are few, or
// ranges: the answer is as short as the question.
func (s *session) remaining(ctx context.Context, uids []message.UID) (map[message.UID]bool, error) {
	there := make(map[message.UID]bool, len(uids))
	for _, chunk := range chunks(byUID(uids)) {
		found, err := s.search(ctx, command.SearchKey{Op: command.OpUID, Set: chunk.Set})
		if err != nil {
			return nil, err
		}
		for _, u := range found {
			there[u] = true
		}
	}
	return there, nil
}

// search runs a UID SEARCH of the guard's own.
func (s *session) search(ctx context.Context, key command.SearchKey) (found []message.UID, err error) {
	answered := false
	res, err := s.say(ctx, "UID SEARCH", command.Search{Key: command.AndKey(key)}, func(r *response) (mine bool) {
		switch {
		case r.Kind == wire.Data && r.Is("SEARCH"):
			found = append(found, searched(r.text())...)
		case r.Kind == wire.Data && r.Is("ESEARCH"): // IMAP4rev2 has no other answer (RFC 9051, 6.4.4)
			more, ok := expand(esearchAll(r.text()))
			if !ok {
				return true
			}
			found = append(found, more...)
		default:
			return false
		}
		answered = true
		return true
	})
	switch {
	case err == nil && !res.ok():
		err = Reply{Word: "NO", Text: clean(res.human(), 200)}
	case err == nil && !answered: // nothing said is not nothing found
		err = Reply{Word: "NO", Code: "UNAVAILABLE", Text: "The mail server did not say what it found"}
	}
	return found, err
}

// searched are the UIDs of a SEARCH response.
func searched(text []byte) (uids []message.UID) {
	for word := range bytes.FieldsSeq(text) {
		if u := parseUID(word); u != 0 {
			uids = append(uids, u)
		}
	}
	return uids
}

// esearchAll is the set that an ESEARCH response found (RFC 4731, 3.1), "" if
// nothing was.
func esearchAll(text []byte) string {
	words := strings.Fields(string(text))
	for i, w := range words {
		if strings.EqualFold(w, "ALL") && i+1 < len(words) {
			return words[i+1]
		}
	}
	return ""
}

// closeFolder lets go of the selected folder. The turn is held.
func (s *session) closeFolder(ctx context.Context) {
	s.out.Lock()
	f := s.folder
	s.recordFetches(f)
	s.folder = nil
	s.fetched.forget()
	s.out.Unlock()
	if f == nil || f.guarded == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := f.guarded.Save(ctx); err != nil {
		s.log.Warn().Err(err).Msg("fetches of this session are not on record")
	}
	f.guarded.Close()
}

// saveTimeout bounds what is written at the end of a session.
const saveTimeout = 10 * time.Second
