package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// keptLine is the largest line buffer that is kept between two commands, in
// octets. Longer commands are rare, and sessions are many.
const keptLine = 4 << 10

// lineReader reads lines into a buffer of its own, so that what was read stays
// while more is read. A line that was interrupted (a paused or timed out
// connection) goes on where it stopped.
type lineReader struct {
	r    *bufio.Reader
	line []byte // the line, without its CRLF where it is complete
	half bool   // the line was begun and is not complete: the reader failed in it
}

// read reads the next line, of at most limit octets with its CRLF, and returns
// how many octets it took. What is wrong with the line is a *SyntaxError; the
// line is then read all the same, except where it is too long.
func (l *lineReader) read(limit int) (int, error) {
	if !l.half {
		l.begin()
	}
	for {
		part, err := l.r.ReadSlice('\n')
		l.line = append(l.line, part...)
		l.half = err != nil && len(l.line) > 0
		switch {
		case len(l.line) > limit:
			l.half = false
			return len(l.line), errOverlong
		case err == nil:
			return len(l.line), l.check()
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l.line) > 0:
			return 0, io.ErrUnexpectedEOF // a half line is never acted upon
		default:
			return 0, err
		}
	}
}

func (l *lineReader) begin() {
	if cap(l.line) > keptLine {
		l.line = nil
	}
	l.line = l.line[:0]
}

// check takes the CRLF away (RFC 9051, 2.2). Some servers end a line at a bare
// CR, a bare LF or a NUL: what has one is refused.
func (l *lineReader) check() error {
	body, ok := bytes.CutSuffix(l.line, crlf)
	l.line = body
	switch {
	case !ok:
		return errLineEnd
	case bytes.IndexByte(body, '\r') >= 0 || bytes.IndexByte(body, 0) >= 0:
		return errControl
	}
	return nil
}

var crlf = []byte("\r\n")
