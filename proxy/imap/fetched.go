package imap

import (
	"context"
	"io"
	"slices"
	"sync/atomic"

	"github.com/emersion/go-imap/v2"

	"mailguard/message"
	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/view"
	"mailguard/proxy/imap/wire"
)

// bodyKind is which text of a message an item gives.
type bodyKind uint8

const (
	noBody bodyKind = iota
	wholeBody
	headerOnly
	textOnly
	partOfWhole
)

// gotten is what a client got of a message in one response.
type gotten struct {
	seq         view.UpstreamSeq
	uid         message.UID // 0: the response did not say
	size        int64       // RFC822.SIZE, 0 unknown
	whole       bool
	header      bool
	text        bool
	from, to    int64 // octets of a part; equal: none
	end         bool  // the part was the last one
	hashed      bool
	fingerprint message.Fingerprint
}

// fetched collects what was written to the client. A message counts as fetched
// once all of it was sent, a command was read from the socket afterwards, and
// the message is still there when the upstream next says what is gone: a FETCH
// that races with somebody's EXPUNGE may give an old text (Cyrus) or an invented
// one (Courier). It is guarded by the output.
type fetched struct {
	halves   map[message.UID]*half
	written  []confirmed // in the writer
	awaiting []confirmed // sent
	got      []confirmed // the client has it
	sure     []confirmed // and it is still there
	some     atomic.Bool // something is awaiting; read without the output
}

// half is what a session has got of a message that it has not got whole.
type half struct {
	header, text bool
	upTo         int64 // octets from the beginning, without a gap
	size         int64
}

// confirmed is a message that was written whole.
type confirmed struct {
	seq         view.UpstreamSeq // of this moment
	uid         message.UID
	size        int64
	hashed      bool
	fingerprint message.Fingerprint
}

// Bounds of what a session remembers. What is beyond does not count as fetched:
// a release waits longer.
const (
	maxHalves  = 1000
	maxWritten = 10_000
)

// add notes what a response gave.
func (f *fetched) add(g gotten) {
	if g.uid == 0 || !(g.whole || g.header || g.text || g.to > g.from || g.end) {
		return
	}
	if g.whole || f.completes(g) {
		delete(f.halves, g.uid)
		if len(f.written) < maxWritten {
			f.written = append(f.written, confirmed{g.seq, g.uid, g.size, g.hashed, g.fingerprint})
		}
	}
}

// completes reports whether what came before and this together are the whole
// message.
func (f *fetched) completes(g gotten) bool {
	h := f.halves[g.uid]
	if h == nil {
		if f.halves == nil {
			f.halves = make(map[message.UID]*half)
		}
		if len(f.halves) >= maxHalves {
			return false
		}
		h = &half{}
		f.halves[g.uid] = h
	}
	h.header, h.text = h.header || g.header, h.text || g.text
	h.size = max(h.size, g.size)
	if g.from <= h.upTo {
		h.upTo = max(h.upTo, g.to)
	}
	reached := g.from <= h.upTo && g.end || h.size > 0 && h.upTo >= h.size
	return h.header && h.text || reached
}

// flushed notes that everything written so far is about to be sent.
func (f *fetched) flushed() {
	if len(f.written) > 0 {
		f.awaiting = append(f.awaiting, f.written[:min(len(f.written), maxWritten-len(f.awaiting))]...)
		f.written = f.written[:0]
		f.some.Store(true)
	}
}

// saveEvery is how many fetches are put on record together.
const saveEvery = 500

// confirmFetches notes what the client has shown that it got: it sent another
// command after all of it had been sent. The turn is not held.
func (s *session) confirmFetches() {
	if !s.fetched.some.Swap(false) {
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.out.Lock()
	f := &s.fetched
	f.got = append(f.got, f.awaiting[:min(len(f.awaiting), maxWritten-len(f.got))]...)
	f.awaiting = f.awaiting[:0]
	s.recordFetches(s.folder)
	s.out.Unlock()
	if f := s.folder; f.tracks() && f.guarded.Pending() >= saveEvery {
		ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
		defer cancel()
		_ = f.guarded.Save(ctx) // it is kept, and tried again
	}
}

// looked notes that the upstream has had its moment to say what is gone.
func (f *fetched) looked() {
	if len(f.got) > 0 {
		f.sure = append(f.sure, f.got[:min(len(f.got), maxWritten-len(f.sure))]...)
		f.got = f.got[:0]
	}
}

// looks are the commands in whose answer every server says what is gone.
var looks = map[string]bool{"NOOP": true, "CHECK": true, "IDLE": true}

// recordFetches gives what is sure to the guard; the output and the turn are
// held.
func (s *session) recordFetches(f *folder) {
	if f.tracks() {
		for _, c := range s.fetched.sure {
			var sum *message.Fingerprint
			if c.hashed {
				sum = &c.fingerprint
			}
			f.guarded.Fetched(c.uid, c.size, s.Now(), sum)
		}
	}
	s.fetched.sure = s.fetched.sure[:0]
}

// lookOnce makes sure of what was fetched from a folder that is being left. The
// turn is held, and everything in flight has been answered.
func (s *session) lookOnce(ctx context.Context) error {
	s.out.Lock()
	unsure := s.folder.tracks() && len(s.fetched.got) > 0
	s.out.Unlock()
	if !unsure {
		return nil
	}
	return s.mustSay(ctx, "NOOP", command.None{}, nil)
}

// expunged forgets a message that is gone, and follows the numbers.
func (f *fetched) expunged(seq view.UpstreamSeq) {
	for _, list := range []*[]confirmed{&f.written, &f.awaiting, &f.got} {
		*list = slices.DeleteFunc(*list, func(c confirmed) bool { return c.seq == seq })
		for i := range *list {
			if (*list)[i].seq > seq {
				(*list)[i].seq--
			}
		}
	}
}

// vanished is expunged for VANISHED, by UID.
func (f *fetched) vanished(set imap.UIDSet) {
	for _, list := range []*[]confirmed{&f.written, &f.awaiting, &f.got} {
		*list = slices.DeleteFunc(*list, func(c confirmed) bool { return set.Contains(imap.UID(c.uid)) })
	}
}

// forget lets go of what was not confirmed when a folder is closed.
func (f *fetched) forget() {
	f.halves, f.written, f.awaiting, f.got, f.sure = nil, nil, nil, nil, nil
	f.some.Store(false)
}

// text looks at an item that may be the text of the message.
func (f *fetching) text(seg wire.Segment, item wire.Item, value []byte) {
	kind, from := textOf(item.Name)
	size := int64(len(value))
	switch {
	case item.Literal:
		size = seg.Literal
	case len(value) == 0 || value[0] != '"': // NIL: there is nothing
		return
	}
	f.body = kind
	switch kind {
	case wholeBody:
		f.got.whole, f.got.size = true, size
	case headerOnly:
		f.got.header = true
	case textOnly:
		f.got.text = true
	case partOfWhole:
		f.got.from, f.got.to = from, from+size
		sought := f.session.flight.partial()
		f.got.end = size == 0 || sought > 0 && uint64(size) < sought
	}
}

// textOf says which text an item gives, and for a part from which octet on.
func textOf(name []byte) (kind bodyKind, from int64) {
	switch {
	case isWord(name, "BODY[]"), isWord(name, "RFC822"), isWord(name, "BINARY[]"):
		return wholeBody, 0
	case isWord(name, "BODY[HEADER]"), isWord(name, "RFC822.HEADER"):
		return headerOnly, 0
	case isWord(name, "BODY[TEXT]"), isWord(name, "RFC822.TEXT"):
		return textOnly, 0
	}
	for _, prefix := range [...]string{"BODY[]<", "BINARY[]<"} {
		if len(name) > len(prefix) && isWord(name[:len(prefix)], prefix) && name[len(name)-1] == '>' {
			return partOfWhole, parseSize(name[len(prefix) : len(name)-1])
		}
	}
	return noBody, 0
}

func isWord(b []byte, upper string) bool { return wire.Head{Word: b}.Is(upper) }

// copyBody copies the literal behind a segment. The fingerprint of a whole
// message is taken while it passes.
func (s *session) copyBody(f *fetching, seg wire.Segment) error {
	if seg.Literal < 0 {
		return nil
	}
	if f.body != wholeBody || f.broken {
		return s.copyLiteral(seg, &s.out)
	}
	if s.hashing.hasher == nil {
		s.hashing.hasher = message.NewHasher()
	}
	s.hashing.hasher.Reset()
	s.hashing.to = &s.out
	if err := s.copyLiteral(seg, &s.hashing); err != nil {
		return err
	}
	f.got.fingerprint, f.got.hashed = s.hashing.hasher.Sum()
	return nil
}

// hashing writes through, and takes the fingerprint until the header is over.
type hashing struct {
	to     io.Writer
	hasher *message.Hasher
}

func (h *hashing) Write(p []byte) (int, error) {
	if !h.hasher.Complete() {
		_, _ = h.hasher.Write(p) // never fails
	}
	return h.to.Write(p)
}

func parseUID(value []byte) message.UID { return message.UID(uint32(parseSize(value))) }

// parseSize reads a number; what is none is 0.
func parseSize(value []byte) (n int64) {
	for _, c := range value {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
