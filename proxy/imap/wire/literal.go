package wire

import (
	"bytes"
	"errors"
	"io"
)

// literalDigits is how many digits the size of a literal may have. A size that
// does not fit into 64 bits is read as another one by some servers.
const literalDigits = 10

// Announcement is what stands before a literal: "{n}", "{n+}", "~{n}" or
// "~{n+}" (RFC 9051, 4.3; RFC 7888; RFC 3516).
type Announcement struct {
	Size   int64 // octets
	Sync   bool  // the client waits to be asked for it
	Binary bool  // literal8: NUL may be in it
}

// Announce reads the announcement of a literal, which ends the line. The
// literal itself is left to the caller.
func (l *Lexer) Announce() (a Announcement) {
	if !l.token() {
		return a
	}
	rest := l.lines.line[l.pos:]
	rest, a.Binary = bytes.CutPrefix(rest, []byte("~"))
	inner, ok := bytes.CutPrefix(rest, []byte("{"))
	if inner, ok = cutEnd(inner, "}", ok); !ok {
		l.Fail("Expected a string")
		return a
	}
	inner, plus := bytes.CutSuffix(inner, []byte("+"))
	size, ok := parseDecimal(inner, literalDigits)
	switch {
	case !ok && len(inner) > literalDigits:
		l.fail(errBigLiteral)
	case !ok:
		l.Fail("A literal's size is wrong")
	}
	a.Size, a.Sync = int64(size), !plus
	l.pos = len(l.lines.line)
	return a
}

func cutEnd(b []byte, end string, ok bool) ([]byte, bool) {
	if !ok {
		return b, false
	}
	return bytes.CutSuffix(b, []byte(end))
}

// literal reads a literal and the line behind it.
func (l *Lexer) literal(binary bool) string {
	if l.err == nil && !binary && l.Peek() != '{' {
		l.Fail("Expected a string")
		return ""
	}
	a := l.Announce()
	if l.err != nil {
		return ""
	}
	if a.Size > l.literals {
		l.fail(errBigLiteral)
		return ""
	}
	l.literals -= a.Size
	return l.content(a)
}

// content reads an announced literal. The line behind it is read before the
// content is looked at: an error can then still say how the command ends.
func (l *Lexer) content(a Announcement) string {
	if a.Sync {
		if err := l.ask(); err != nil {
			l.fail(err)
			return ""
		}
	}
	body, err := readGrowing(l.lines.r, int(a.Size))
	if err != nil {
		l.fail(err)
		return ""
	}
	if l.nextLine() != nil {
		return ""
	}
	if !a.Binary && bytes.IndexByte(body, 0) >= 0 { // RFC 9051, 4.3: CHAR8 has no NUL
		l.Fail("A literal has a NUL in it")
		return ""
	}
	return string(body)
}

// growBy is how much memory a literal gets before its content has come, in
// octets: a size that is only announced costs nothing.
const growBy = 4 << 10

// readGrowing reads n octets.
func readGrowing(r io.Reader, n int) ([]byte, error) {
	body := make([]byte, 0, min(n, growBy))
	for len(body) < n {
		have := len(body)
		more := min(n-have, growBy)
		body = append(body, make([]byte, more)...)
		if _, err := io.ReadFull(r, body[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return body, nil
}
