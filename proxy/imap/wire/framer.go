package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Segment is a piece of a response: a line, or what stands before, between and
// behind the literals of one. Its text is valid until the next call of a
// method of the Framer.
type Segment struct {
	Text    []byte // up to its line end, which is part of it; without one where Open
	Literal int64  // octets of the literal that follows, not read yet; -1: none
	Open    bool   // the line goes on in the next segment: it did not fit into the buffer

	first bool // it begins its response
}

// Last reports whether the response ends with this segment.
func (s Segment) Last() bool { return s.Literal < 0 && !s.Open }

// Framer cuts a server's stream into segments. It reads into a buffer that it
// borrows, looks for line ends only, and never into literals. One goroutine
// uses it.
type Framer struct {
	r          io.Reader
	buf        []byte
	start, end int   // what has been read and not returned yet
	inside     bool  // the next segment continues a response
	status     bool  // this response is text for people: it has no literals
	literal    int64 // octets of the announced literal that are still to be read
}

// MaxSegment is the longest piece of a response without a literal that is held
// in memory at once, in octets. An envelope with thousands of addresses is
// shorter; a line without end must not fill the memory.
const MaxSegment = 16 << 20

// announceMax is the longest announcement of a literal, with its line end:
// "~{18446744073709551615}" and CRLF.
const announceMax = 26

var (
	// ErrNonsense is the error of a server that does not speak IMAP.
	ErrNonsense = errors.New("the upstream's answer is not IMAP")

	errLongLine = fmt.Errorf("%w: a line of more than %d octets", ErrNonsense, MaxSegment)
)

// NewFramer returns a framer that reads from r. It has no buffer until Lend.
func NewFramer(r io.Reader) *Framer { return &Framer{r: r} }

// Lend gives the framer its buffer. It must hold what the framer had when
// Return took its last one, which is nothing between two responses that were
// read to their end.
func (f *Framer) Lend(buf []byte) {
	n := copy(buf, f.buf[f.start:f.end])
	f.buf, f.start, f.end = buf, 0, n
}

// Return takes the buffer back, if nothing is in it; else it stays, and false
// is returned. A buffer that has grown is another one than was lent.
func (f *Framer) Return() (buf []byte, ok bool) {
	if f.start < f.end || f.inside || f.literal > 0 {
		return nil, false
	}
	buf, f.buf, f.start, f.end = f.buf, nil, 0, 0
	return buf, true
}

// Feed gives the framer octets that were read elsewhere, at the end of what it
// has. They must fit into its buffer.
func (f *Framer) Feed(p []byte) { f.end += copy(f.buf[f.end:], p) }

// Ready reports whether a whole segment has been read already, so that Next
// does not wait for the server.
func (f *Framer) Ready() bool {
	return f.literal == 0 && bytes.IndexByte(f.buf[f.start:f.end], '\n') >= 0
}

// Next returns the next segment, reading as needed. A segment longer than the
// buffer is returned open; Grow returns it whole. Before it is called, the
// literal of the segment before was read.
func (f *Framer) Next() (Segment, error) {
	scanned := 0
	for {
		held := f.buf[f.start:f.end]
		if i := bytes.IndexByte(held[scanned:], '\n'); i >= 0 {
			return f.take(scanned + i + 1)
		}
		scanned = len(held)
		if len(held) == len(f.buf) {
			return f.takeOpen()
		}
		if err := f.fill(); err != nil {
			return Segment{}, err
		}
	}
}

// Grow takes an open segment back, reads on until its line is complete and
// returns it whole. The larger buffer stays.
func (f *Framer) Grow(open Segment) (Segment, error) {
	f.start -= len(open.Text)
	f.inside = !open.first
	for bytes.IndexByte(f.buf[f.start:f.end], '\n') < 0 {
		if f.end-f.start >= MaxSegment {
			return Segment{}, errLongLine
		}
		if f.end-f.start == len(f.buf) {
			bigger := make([]byte, min(4*len(f.buf), MaxSegment))
			f.end = copy(bigger, f.buf[f.start:f.end])
			f.buf, f.start = bigger, 0
		}
		if err := f.fill(); err != nil {
			return Segment{}, err
		}
	}
	return f.Next()
}

// take returns the first n octets, which end in LF.
func (f *Framer) take(n int) (Segment, error) {
	s := Segment{Text: f.buf[f.start : f.start+n], Literal: -1, first: !f.inside}
	f.start += n
	if !f.inside {
		f.status = isStatus(s.Text)
	}
	if !f.status {
		size, announced, err := announcement(s.Text)
		if err != nil {
			return s, err
		}
		if announced {
			s.Literal, f.literal = size, size
		}
	}
	f.inside = s.Literal >= 0
	return s, nil
}

// takeOpen returns what the buffer holds, but for the last octets, in which an
// announcement may have begun.
func (f *Framer) takeOpen() (Segment, error) {
	n := f.end - f.start - announceMax
	if n <= 0 {
		return Segment{}, errLongLine
	}
	s := Segment{Text: f.buf[f.start : f.start+n], Literal: -1, Open: true, first: !f.inside}
	if !f.inside {
		f.status = isStatus(s.Text)
	}
	f.start += n
	f.inside = true
	return s, nil
}

// fill reads once. It makes room first.
func (f *Framer) fill() error {
	if f.start > 0 {
		f.end = copy(f.buf, f.buf[f.start:f.end])
		f.start = 0
	}
	n, err := f.r.Read(f.buf[f.end:])
	f.end += n
	if n > 0 {
		return nil
	}
	return err
}

// CopyLiteral writes up to most octets of the announced literal to w, and
// reports how many are left. It waits for the server at most once.
func (f *Framer) CopyLiteral(w io.Writer, most int64) (left int64, err error) {
	if f.literal > 0 && f.start == f.end {
		f.start, f.end = 0, 0
		if err := f.fill(); err != nil {
			return f.literal, err
		}
	}
	n := min(int64(f.end-f.start), f.literal, most)
	_, err = w.Write(f.buf[f.start : f.start+int(n)])
	f.start += int(n)
	f.literal -= n
	return f.literal, err
}

// announcement reads the announcement of a literal at the end of a line: {n},
// or ~{n} (RFC 3516, 4.3), which looks the same from behind.
func announcement(line []byte) (size int64, announced bool, err error) {
	rest, ok := bytes.CutSuffix(line, []byte("}\r\n"))
	if !ok {
		return 0, false, nil
	}
	digits := len(rest)
	for digits > 0 && rest[digits-1] >= '0' && rest[digits-1] <= '9' {
		digits--
	}
	number := rest[digits:]
	if len(number) == 0 || digits == 0 || rest[digits-1] != '{' {
		return 0, false, nil
	}
	for _, d := range number {
		if size = size*10 + int64(d-'0'); size > maxAnnounced {
			return 0, false, fmt.Errorf("%w: a literal of %s octets", ErrNonsense, number)
		}
	}
	return size, true, nil
}

// maxAnnounced bounds a literal: RFC 9051, 4.3 allows 63 bits; no message is
// that long, and no memory is taken by this number.
const maxAnnounced = 1 << 50

// Buffered is how many octets have been read and not returned yet.
func (f *Framer) Buffered() int { return f.end - f.start }
