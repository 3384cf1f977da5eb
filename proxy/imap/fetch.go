package imap

import (
	"bytes"
	"context"
	"strconv"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// handleFetch is FETCH and UID FETCH (RFC 9051, 6.4.5). In a guarded folder the
// guard asks for the UID as well where a body is fetched: it has to know which
// message it was.
func (s *session) handleFetch(ctx context.Context, cmd command.Command) error {
	args := cmd.Args.(command.Fetch)
	if s.guarding() && (args.Has(command.FetchModSeq) || args.ChangedSince != nil) {
		return Reply{Word: "BAD", Text: "This folder has no modification sequences"} // RFC 7162, 3.1.2.2
	}
	c := call{asksUID: args.UID || args.Has(command.FetchUID), part: soughtPart(args)}
	if s.folder.tracks() && asksForText(args) && !c.asksUID {
		args, c.addedUID = args.WithUID(), true
	}
	cmd.Args = args
	return s.passNamed(ctx, cmd, c)
}

// tracks reports whether what is fetched from the folder goes on record.
func (f *folder) tracks() bool { return f != nil && f.guarded != nil }

// asksForText reports whether a FETCH may give a message, or a part of the
// whole of one.
func asksForText(a command.Fetch) bool {
	for _, i := range a.Items {
		switch i.Name {
		case command.FetchRFC822, command.FetchRFC822Header, command.FetchRFC822Text:
			return true
		case command.FetchBody, command.FetchBodyPeek, command.FetchBinary, command.FetchBinaryPeek:
			if i.Section != nil && len(i.Section.Part) == 0 {
				return true
			}
		}
	}
	return false
}

// soughtPart is how many octets of the whole message a FETCH asks for; 0: no
// part, or several of different sizes. An answer that is shorter was the end of
// the message.
func soughtPart(a command.Fetch) (sought uint64) {
	for _, i := range a.Items {
		if i.Partial == nil || i.Section == nil || len(i.Section.Part) > 0 || i.Section.Text != "" {
			continue
		}
		if sought != 0 && sought != i.Partial.Count {
			return 0
		}
		sought = i.Partial.Count
	}
	return sought
}

// edit is a change to a segment: text in place of what stands there.
type edit struct {
	start, end int
	text       []byte
}

// maxEdits is how much of one segment is rewritten: the message's number, FLAGS,
// UID, MODSEQ.
const maxEdits = 5

// fetchResponse passes a FETCH response on, with this member's mark in its
// flags and without what only the guard asked for. Values are skipped, bodies
// are copied.
func (s *session) fetchResponse(r *response) error {
	if _, err := s.whole(r); err != nil {
		return err
	}
	n, sees := s.folder.view.ToClient(view.UpstreamSeq(r.Number))
	if !sees {
		return s.drop(r)
	}
	f := fetching{session: s, seq: view.UpstreamSeq(r.Number), stripUID: s.flight.stripUID()}
	f.got.seq = f.seq
	seg, at := r.seg, r.Rest
	f.renumber(seg.Text, r.Number, n)
	for {
		f.items.Begin(at)
		f.scan(seg)
		if f.empty && seg.Last() { // nothing in it was for the client
			return nil
		}
		if err := f.write(seg); err != nil {
			return err
		}
		if err := s.copyBody(&f, seg); err != nil {
			return err
		}
		if seg.Last() {
			s.fetched.add(f.got)
			return nil
		}
		var err error
		if seg, err = s.nextPiece(); err != nil {
			return err
		}
		at, f.n = 0, 0
	}
}

// nextPiece is the next segment of a response that has begun.
func (s *session) nextPiece() (wire.Segment, error) {
	seg, err := s.server.framer.Next()
	if err == nil && seg.Open {
		seg, err = s.server.framer.Grow(seg)
	}
	return seg, err
}

// fetching is one FETCH response under way.
type fetching struct {
	session  *session
	seq      view.UpstreamSeq
	items    wire.Items
	stripUID bool
	broken   bool // the items make no sense: the rest is passed as it is

	edits [maxEdits]edit
	n     int

	total    int  // items so far, in all segments
	stripped int  // those that are taken out
	empty    bool // every item is taken out

	got  gotten // what the client gets of the message
	body bodyKind
}

// scan goes through the items of a segment.
func (f *fetching) scan(seg wire.Segment) {
	f.body, f.empty = noBody, false
	for ; !f.broken; f.total++ {
		item, ok, err := f.items.Next(seg.Text, seg.Literal >= 0)
		if err != nil {
			f.broken = true
		}
		if !ok || err != nil {
			f.empty = f.total > 0 && f.stripped == f.total
			return
		}
		f.item(seg, item)
	}
}

func (f *fetching) item(seg wire.Segment, item wire.Item) {
	value := seg.Text[item.Value:item.End]
	switch {
	case item.Name == nil:
	case item.Is("FLAGS"):
		f.flags(value, item)
	case item.Is("UID"):
		f.got.uid = parseUID(value)
		if f.stripUID {
			f.strip(seg.Text, item)
		}
	case item.Is("MODSEQ") && f.session.guarding():
		f.strip(seg.Text, item)
	case item.Is("RFC822.SIZE"):
		f.got.size = parseSize(value)
	default:
		f.text(seg, item, value)
	}
}

// flags rewrites a list of flags where it differs from what this member sees:
// the upstream's \Deleted is shown to nobody, the member's own mark is shown.
func (f *fetching) flags(list []byte, item wire.Item) {
	s := f.session
	if !s.guarding() {
		return
	}
	marked, has := s.folder.marks.Has(f.seq), hasDeleted(list)
	if marked == has {
		return
	}
	s.scratch = appendFlags(s.scratch[:0], list, marked)
	f.change(item.Value, item.End, s.scratch)
}

// renumber puts the client's number in place of the upstream's.
func (f *fetching) renumber(text []byte, upstream uint32, n view.ClientSeq) {
	if uint32(n) == upstream {
		return
	}
	const start = len("* ")
	f.session.digits = strconv.AppendUint(f.session.digits[:0], uint64(n), 10)
	f.change(start, start+bytes.IndexByte(text[start:], ' '), f.session.digits)
}

// strip takes an item out of the list, with one blank beside it: the one before
// it, unless an item before it has taken that along.
func (f *fetching) strip(text []byte, item wire.Item) {
	f.stripped++
	taken := f.n > 0 && f.edits[f.n-1].end == item.Start
	switch {
	case item.Start > 0 && text[item.Start-1] == ' ' && !taken:
		f.change(item.Start-1, item.End, nil)
	case item.End < len(text) && text[item.End] == ' ':
		f.change(item.Start, item.End+1, nil)
	default:
		f.change(item.Start, item.End, nil)
	}
}

func (f *fetching) change(start, end int, text []byte) {
	if f.n < maxEdits && start >= 0 {
		f.edits[f.n] = edit{start, end, text}
		f.n++
	}
}

// write writes a segment with its changes.
func (f *fetching) write(seg wire.Segment) error {
	w, at := &f.session.out, 0
	for _, e := range f.edits[:f.n] {
		if _, err := w.Write(seg.Text[at:e.start]); err != nil {
			return err
		}
		if _, err := w.Write(e.text); err != nil {
			return err
		}
		at = e.end
	}
	_, err := w.Write(seg.Text[at:])
	return err
}

// hasDeleted looks for \Deleted in a list of flags, in any case.
func hasDeleted(list []byte) bool {
	for i := range list {
		if isDeleted(list, i) {
			return true
		}
	}
	return false
}

// isDeleted reports whether the flag \Deleted, and not a part of another one,
// stands in a list at i.
func isDeleted(list []byte, i int) bool {
	b := list[i:]
	if b[0] != '\\' || len(b) < len(deleted) || i > 0 && list[i-1] != ' ' && list[i-1] != '(' {
		return false
	}
	for i := range len(deleted) {
		if b[i]|0x20 != deleted[i]|0x20 {
			return false
		}
	}
	return len(b) == len(deleted) || b[len(deleted)] == ' ' || b[len(deleted)] == ')'
}

// appendFlags writes a list of flags without \Deleted, or with it.
func appendFlags(b, list []byte, marked bool) []byte {
	b = append(b, '(')
	for i := 0; i < len(list); i++ {
		if isDeleted(list, i) {
			i += len(deleted) - 1
			continue
		}
		switch list[i] {
		case '(', ')':
		case ' ':
			if b[len(b)-1] != '(' && b[len(b)-1] != ' ' {
				b = append(b, ' ')
			}
		default:
			b = append(b, list[i])
		}
	}
	if b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	if marked {
		if len(b) > 1 {
			b = append(b, ' ')
		}
		b = append(b, deleted...)
	}
	return append(b, ')')
}
