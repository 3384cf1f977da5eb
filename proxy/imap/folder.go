package imap

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

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
	readOnly    bool
	exists      uint32 // messages, as the upstream last said

	guarded *guard.Folder // nil where policy can never touch it, or nothing is known of its mailbox
	marks   view.Marks    // this member's own \Deleted
	follow  view.Marks    // messages that an operation under way has in hand
	silent  bool          // EXPUNGE is kept from the client: it closes the folder
}

// protects reports whether the guard decides in this folder.
func (f *folder) protects() bool { return f != nil && f.stance == guard.Protect }

// observes reports whether what is deleted in this folder is recorded.
func (f *folder) observes() bool { return f != nil && f.stance == guard.Watch && f.guarded != nil }

// guarding reports whether the guard decides in the selected folder.
func (s *session) guarding() bool { return s.folder.protects() }

// seen is what a FETCH of the guard's own showed of a message.
type seen struct {
	message.Seen
	seq view.UpstreamSeq
}

func (m seen) place() view.Place { return view.Place{Seq: m.seq, UID: imap.UID(m.UID)} }

// lookItems are what is read of a message for a decision.
var lookItems = []command.FetchItem{
	{Name: command.FetchUID}, {Name: command.FetchFlags}, {Name: command.FetchRFC822Size}, {Name: command.FetchInternalDate},
}

// locateItems are what is read to find out where a message stands.
var locateItems = []command.FetchItem{{Name: command.FetchUID}}

// maxSet is the longest set that the guard writes of its own, in octets:
// Exchange takes lines of about 10 kB.
const maxSet = 8000

// look reads what a decision needs to know of messages. Those that are not
// there are left out.
func (s *session) look(ctx context.Context, m command.Messages) ([]seen, error) {
	return s.fetch(ctx, m, lookItems, true)
}

// locate finds out where messages stand.
func (s *session) locate(ctx context.Context, uids []message.UID) ([]view.Place, error) {
	found, err := s.fetch(ctx, byUID(uids), locateItems, false)
	places := make([]view.Place, len(found))
	for i, m := range found {
		places[i] = m.place()
	}
	return places, err
}

// fetch runs a FETCH of the guard's own, in as many pieces as its set needs. A
// response with flags in it tells the client something, unless the guard asked
// for them.
func (s *session) fetch(ctx context.Context, m command.Messages, items []command.FetchItem, flags bool) ([]seen, error) {
	var found []seen
	collect := func(r *response) bool {
		if r.Kind != wire.Numbered || !r.Is("FETCH") {
			return false
		}
		one, hasFlags, ok := parseSeen(r)
		if !ok || hasFlags != flags {
			return false
		}
		found = append(found, one)
		return true
	}
	for _, chunk := range chunks(m) {
		res, err := s.say(ctx, fetchName(m.UID), command.Fetch{Messages: chunk, Items: items}, collect)
		if err != nil {
			return nil, err
		}
		if !res.ok() {
			return nil, Reply{Word: res.word, Text: clean(res.human(), 200)}
		}
	}
	return found, nil
}

func fetchName(uid bool) string {
	if uid {
		return "UID FETCH"
	}
	return "FETCH"
}

// parseSeen reads a response to a FETCH of the guard's own. It has a UID, and
// no literals.
func parseSeen(r *response) (m seen, flags, ok bool) {
	var items wire.Items
	items.Begin(r.Rest)
	m.seq = view.UpstreamSeq(r.Number)
	for {
		item, more, err := items.Next(r.seg.Text, r.seg.Literal >= 0)
		if err != nil || item.Literal {
			return m, flags, false
		}
		if !more {
			return m, flags, m.UID != 0
		}
		value := string(r.seg.Text[item.Value:item.End])
		switch {
		case item.Is("UID"):
			n, _ := strconv.ParseUint(value, 10, 32) // 0 is no UID
			m.UID = message.UID(n)
		case item.Is("RFC822.SIZE"):
			m.Size, _ = strconv.ParseInt(value, 10, 64)
		case item.Is("INTERNALDATE"):
			m.InternalDate, _ = time.Parse("_2-Jan-2006 15:04:05 -0700", strings.Trim(value, `"`))
		case item.Is("FLAGS"):
			flags, m.Flags = true, parseFlags(value)
		}
	}
}

// parseFlags reads a list of flags, without a \Deleted that the upstream has:
// it is from before the guard, or set past it, and nobody acts on it. System
// flags are spelt as in RFC 9051.
func parseFlags(list string) []string {
	var flags []string
	for _, f := range strings.Fields(strings.Trim(list, "()")) {
		if known, ok := systemFlags[strings.ToLower(f)]; ok {
			f = known
		}
		if f != deleted {
			flags = append(flags, f)
		}
	}
	return flags
}

const deleted = `\Deleted`

var systemFlags = map[string]string{
	`\deleted`: deleted, `\seen`: `\Seen`, `\answered`: `\Answered`, `\flagged`: `\Flagged`, `\draft`: `\Draft`, `\recent`: `\Recent`,
}

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
	res, err := s.say(ctx, "UID SEARCH", command.Search{Key: command.AndKey(key)}, func(r *response) bool {
		if r.Kind != wire.Data || !r.Is("SEARCH") {
			return false
		}
		for word := range bytes.FieldsSeq(r.text()) {
			if u := parseUID(word); u != 0 {
				found = append(found, u)
			}
		}
		return true
	})
	if err == nil && !res.ok() {
		err = Reply{Word: "NO", Text: clean(res.human(), 200)}
	}
	return found, err
}

// closeFolder lets go of the selected folder. The turn is held.
func (s *session) closeFolder(ctx context.Context) {
	s.out.Lock()
	f := s.folder
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
