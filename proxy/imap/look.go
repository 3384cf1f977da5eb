package imap

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// seen is what a FETCH of the guard's own showed of a message.
type seen struct {
	message.Seen
	seq     view.UpstreamSeq
	deleted bool // \Deleted is set upstream
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
	found, err := s.fetch(ctx, m, lookItems, hasUID|hasFlags|hasSize|hasDate)
	if err != nil {
		return nil, err
	}
	s.out.Lock()
	defer s.out.Unlock()
	return slices.DeleteFunc(found, func(m seen) bool { return s.folder.view.Hides(imap.UID(m.UID)) }), nil
}

// locate finds out where messages stand.
func (s *session) locate(ctx context.Context, uids []message.UID) ([]view.Place, error) {
	found, err := s.fetch(ctx, byUID(uids), locateItems, hasUID)
	return placesOf(found), err
}

// fetch runs a FETCH of the guard's own, in as many pieces as its set needs.
func (s *session) fetch(ctx context.Context, m command.Messages, items []command.FetchItem, want shows) ([]seen, error) {
	l := looking{want: want}
	for _, chunk := range chunks(m) {
		l.asked = chunk.Set
		res, err := s.say(ctx, fetchName(m.UID), command.Fetch{Messages: chunk, Items: items}, l.collect)
		if err != nil {
			return nil, err
		}
		if !res.ok() {
			return nil, Reply{Word: res.word, Text: clean(res.human(), 200)}
		}
	}
	return l.messages(), nil
}

func fetchName(uid bool) string {
	if uid {
		return "UID FETCH"
	}
	return "FETCH"
}

// shows are the items that a FETCH response has, of those that the guard reads.
type shows uint8

const (
	hasUID shows = 1 << iota
	hasFlags
	hasSize
	hasDate
)

// looking collects the answers to a FETCH of the guard's own. What the server
// tells of other messages at the same time, as news of their flags, must not be
// taken for one: they would be deleted with those that were asked for.
type looking struct {
	want  shows
	asked imap.NumSet
	found []seen
}

// collect is what the pump calls; see call. What tells the client something as
// well is for both.
func (l *looking) collect(r *response) (mine bool) {
	switch {
	case r.Kind == wire.Numbered && r.Is("FETCH"):
		one, has, ok := parseSeen(r)
		if !ok || has&l.want != l.want || !l.names(one) {
			return false
		}
		l.found = append(l.found, one)
		return has == l.want
	case r.Kind == wire.Numbered && r.Is("EXPUNGE"):
		l.expunged(view.UpstreamSeq(r.Number))
	case r.Kind == wire.Data && r.Is("VANISHED"):
		l.vanished(r.text())
	}
	return false
}

// names reports whether the guard asked for a message. What "*" names only the
// server knows.
func (l *looking) names(m seen) bool {
	if l.asked.Dynamic() {
		return true
	}
	switch set := l.asked.(type) {
	case imap.UIDSet:
		return set.Contains(imap.UID(m.UID))
	case imap.SeqSet:
		return set.Contains(uint32(m.seq))
	}
	return false
}

// expunged follows what goes while the guard looks: UID FETCH may tell it.
func (l *looking) expunged(seq view.UpstreamSeq) {
	l.found = slices.DeleteFunc(l.found, func(m seen) bool { return m.seq == seq })
	for i := range l.found {
		if l.found[i].seq > seq {
			l.found[i].seq--
		}
	}
}

// vanished is the same for VANISHED (RFC 7162, 3.2.10).
func (l *looking) vanished(text []byte) {
	set, err := wire.ParseUIDSet(bytes.TrimRight(text, "\r\n"))
	if err != nil { // VANISHED (EARLIER)
		return
	}
	var places view.Marks
	places.Add(placesOf(l.found)...)
	places.Vanished(set)
	now := make(map[imap.UID]view.UpstreamSeq)
	for _, p := range places.In(everything(), view.Place{Seq: 1<<32 - 1}) {
		now[p.UID] = p.Seq
	}
	l.found = slices.DeleteFunc(l.found, func(m seen) bool { return now[imap.UID(m.UID)] == 0 })
	for i, m := range l.found {
		l.found[i].seq = now[imap.UID(m.UID)]
	}
}

// messages are what was found, each once, as it was said last.
func (l *looking) messages() []seen {
	if l.ascends() { // as servers answer: nothing was said twice
		return l.found
	}
	at := make(map[message.UID]int, len(l.found))
	var all []seen
	for _, m := range l.found {
		if i, known := at[m.UID]; known {
			all[i] = m
			continue
		}
		at[m.UID] = len(all)
		all = append(all, m)
	}
	return all
}

func (l *looking) ascends() bool {
	for i := 1; i < len(l.found); i++ {
		if l.found[i].UID <= l.found[i-1].UID {
			return false
		}
	}
	return true
}

func placesOf(found []seen) []view.Place {
	places := make([]view.Place, len(found))
	for i, m := range found {
		places[i] = m.place()
	}
	return places
}

// parseSeen reads a FETCH response without literals that says a UID.
func parseSeen(r *response) (m seen, has shows, ok bool) {
	var items wire.Items
	items.Begin(r.Rest)
	m.seq = view.UpstreamSeq(r.Number)
	for {
		item, more, err := items.Next(r.seg.Text, r.seg.Literal >= 0)
		if err != nil || item.Literal {
			return m, has, false
		}
		if !more {
			return m, has, m.UID != 0
		}
		has |= m.read(&item, string(r.seg.Text[item.Value:item.End]))
	}
}

// read takes one item, and says which one it was.
func (m *seen) read(item *wire.Item, value string) shows {
	switch {
	case item.Is("UID"):
		n, _ := strconv.ParseUint(value, 10, 32) // 0 is no UID
		m.UID = message.UID(n)
		return hasUID
	case item.Is("RFC822.SIZE"):
		m.Size, _ = strconv.ParseInt(value, 10, 64)
		return hasSize
	case item.Is("INTERNALDATE"):
		m.InternalDate, _ = time.Parse("_2-Jan-2006 15:04:05 -0700", strings.Trim(value, `"`))
		return hasDate
	case item.Is("FLAGS"):
		m.Flags, m.deleted = parseFlags(value), strings.Contains(strings.ToLower(value), `\deleted`)
		return hasFlags
	}
	return 0
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
