package upstream

import (
	"bytes"
	"slices"
	"sync"
)

// text is what a message consists of. It does not change, and all copies of a
// message share it.
type text struct {
	raw    []byte // as IMAP shows it, with CRLF
	wire   []byte // as POP3 sends it, with dots stuffed and the terminator; the same memory where no dot is
	header int    // how much of raw is the header block, the empty line included

	once sync.Once
	root *part // the MIME structure
}

// spare is the room behind a message that spares newText a copy.
const spare = len("\r\n.\r\n")

// newText takes octets over. Line ends become CRLF.
func newText(octets []byte) *text {
	if bareLF(octets) {
		octets = bytes.ReplaceAll(octets, []byte("\r\n"), []byte("\n"))
		octets = bytes.ReplaceAll(octets, []byte("\n"), []byte("\r\n"))
	}
	wire := stuff(octets)
	if len(wire) == len(octets)+len(".\r\n") { // nothing stuffed, nothing added
		octets = wire[:len(octets):len(octets)]
	}
	return &text{raw: octets, wire: wire, header: headerLength(octets)}
}

// bareLF finds a line end that is not CRLF.
func bareLF(octets []byte) bool {
	for from := 0; ; {
		i := bytes.IndexByte(octets[from:], '\n')
		if i < 0 {
			return false
		}
		if at := from + i; at == 0 || octets[at-1] != '\r' {
			return true
		}
		from += i + 1
	}
}

// headerLength is the length of the header block with its empty line.
func headerLength(raw []byte) int {
	if bytes.HasPrefix(raw, []byte("\r\n")) {
		return len("\r\n")
	}
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return i + len("\r\n\r\n")
	}
	return len(raw)
}

// structure is read when somebody asks for it.
func (t *text) structure() *part {
	t.once.Do(func() { t.root = parsePart(t.raw, "text/plain") })
	return t.root
}

// stuff is RFC 1939, 3: a dot in front of a line that begins with one, and the
// terminator. It may use the room behind the octets.
func stuff(octets []byte) []byte {
	wire := octets
	if dots := bytes.Count(octets, []byte("\r\n.")); dots > 0 || bytes.HasPrefix(octets, []byte(".")) {
		wire = make([]byte, 0, len(octets)+dots+1+spare)
		if octets[0] == '.' {
			wire = append(wire, '.')
		}
		wire = append(wire, bytes.ReplaceAll(octets, []byte("\r\n."), []byte("\r\n.."))...)
	}
	if !bytes.HasSuffix(wire, []byte("\r\n")) {
		wire = append(wire, "\r\n"...)
	}
	return append(wire, ".\r\n"...)
}

// top returns the header and n lines of the body as POP3 sends them.
func (t *text) top(n int) []byte {
	wire := t.wire
	last := len(wire) - len(".\r\n")
	end := last
	if i := bytes.Index(wire, []byte("\r\n\r\n")); i >= 0 {
		end = i + len("\r\n\r\n")
	}
	for ; n > 0 && end < last; n-- {
		end += bytes.IndexByte(wire[end:last], '\n') + 1
	}
	return append(slices.Clone(wire[:end]), ".\r\n"...)
}
