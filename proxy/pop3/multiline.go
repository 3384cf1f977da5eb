package pop3

import (
	"bytes"

	"mailguard/message"
)

// terminator finds the end of a multi-line response (CRLF "." CRLF, RFC 1939,
// 3) in a stream that comes in pieces of any size. Only a line that begins
// behind CRLF counts: a mail's text with a bare LF in it must not end the
// response here and go on as answers there. The zero value stands at the
// beginning of a line.
type terminator struct{ state terminatorState }

type terminatorState int

const (
	atLineStart terminatorState = iota
	inLine
	afterCR
	afterDot
	afterDotCR
)

// scan looks at the next piece and returns how much of it belongs to the
// response, and whether the response ends there.
func (t *terminator) scan(p []byte) (n int, done bool) {
	for n < len(p) {
		if t.state == inLine {
			n += t.skipLine(p[n:])
			continue
		}
		c := p[n]
		n++
		switch {
		case t.state == afterDotCR && c == '\n':
			return n, true
		case t.state == afterCR && c == '\n':
			t.state = atLineStart
		case t.state == atLineStart && c == '.':
			t.state = afterDot
		case t.state == afterDot && c == '\r':
			t.state = afterDotCR
		case c == '\r':
			t.state = afterCR
		default:
			t.state = inLine
		}
	}
	return n, false
}

// skipLine goes on to the next dot at the beginning of a line, which is rare:
// looking for dots is many times faster than looking at lines.
func (t *terminator) skipLine(p []byte) int {
	dot := bytes.IndexByte(p, '.')
	before := p
	if dot >= 0 {
		before = p[:dot]
	}
	switch {
	case bytes.HasSuffix(before, []byte("\r\n")):
		t.state = atLineStart
	case dot < 0 && bytes.HasSuffix(before, []byte("\r")):
		t.state = afterCR
	case dot >= 0:
		return dot + 1 // a dot within a line
	}
	return len(before)
}

// observer looks at a message that passes in a RETR or TOP response: it takes
// the fingerprint, and counts lines where TOP has to be told from RETR.
type observer struct {
	hasher     *message.Hasher
	count      bool // count lines
	lines      int  // line ends of the whole response, its terminator included
	headLines  int  // of the header block, the empty line included
	startsLine bool // the next octet begins a line of the header block
	empty      bool // the line of the header block has had no octet but CR so far
	body       bool // the header block has passed
}

func newObserver(countLines bool) *observer {
	return &observer{hasher: message.NewHasher(), count: countLines, startsLine: true, empty: true}
}

// write takes the next octets of the response.
func (o *observer) write(p []byte) {
	if o.count {
		o.lines += bytes.Count(p, []byte("\n"))
	}
	for len(p) > 0 && !o.body {
		p = o.writeLine(p)
	}
}

// writeLine gives the header block to the hasher as it is stored, without the
// dots that the transport adds in front of dots (RFC 1939, 3). Where the header
// ends is seen here: the hasher gives up at an overlong line.
func (o *observer) writeLine(p []byte) (rest []byte) {
	if o.startsLine && p[0] == '.' {
		p = p[1:]
	}
	end := bytes.IndexByte(p, '\n')
	o.startsLine = end >= 0
	piece := p[:end+1]
	if end < 0 {
		piece = p
	}
	_, _ = o.hasher.Write(piece)
	o.empty = o.empty && len(bytes.TrimRight(piece, "\r\n")) == 0
	if end < 0 {
		return nil
	}
	o.headLines++
	o.body, o.empty = o.empty, true
	return p[end+1:]
}

// bodyLines is how many lines of the body have passed, once the response has
// ended.
func (o *observer) bodyLines() int {
	const terminatorLine = 1
	return max(0, o.lines-o.headLines-terminatorLine)
}

// fingerprint is the message's, or nil where none could be taken.
func (o *observer) fingerprint() *message.Fingerprint {
	if f, ok := o.hasher.Sum(); ok {
		return &f
	}
	return nil
}
