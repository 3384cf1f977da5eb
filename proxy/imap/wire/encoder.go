package wire

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

// Part is a piece of a command on its way upstream. Where it announces a
// literal, its content may be sent only once the upstream has asked for it: an
// upstream that refuses would read the content as commands.
type Part struct {
	Text    []byte // up to the CRLF, which is part of it, unless more is to be written
	Literal []byte // the literal that Text announces; nil: it announces none
	Stream  bool   // Text announces a literal that is not held here: Size octets of somebody else's
	Size    int64  // octets of the literal
}

// Encoder writes commands in canonical form: atoms where they are safe, else
// quoted strings, else literals. The zero value is ready. One goroutine uses
// an Encoder.
type Encoder struct {
	// UTF8 says that the upstream has UTF-8 enabled (RFC 6855): quoted
	// strings may have it, and folder names are not in modified UTF-7.
	UTF8 bool

	text  []byte
	cuts  []cut
	parts []Part
	err   error
}

// cut is where a part ends that announces a literal.
type cut struct {
	end     int
	literal []byte
	stream  bool
	size    int64
}

// errUnwritable is a mistake of our own: nothing that a client sends is read
// to a value that cannot be written.
var errUnwritable = errors.New("a command's value cannot be written in IMAP")

// Reset makes the encoder empty. Parts that it returned are no longer valid.
func (e *Encoder) Reset() {
	e.text, e.cuts, e.parts, e.err = e.text[:0], e.cuts[:0], e.parts[:0], nil
}

// Fail makes Parts return an error.
func (e *Encoder) Fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// Parts returns what was written. It is valid until Reset. With an error
// nothing of it may be sent.
func (e *Encoder) Parts() ([]Part, error) {
	if e.err != nil {
		return nil, e.err
	}
	e.parts = e.parts[:0]
	start := 0
	for _, c := range e.cuts {
		e.parts = append(e.parts, Part{Text: e.text[start:c.end:c.end], Literal: c.literal, Stream: c.stream, Size: c.size})
		start = c.end
	}
	if start < len(e.text) {
		e.parts = append(e.parts, Part{Text: e.text[start:]})
	}
	return e.parts, nil
}

// Space writes a blank.
func (e *Encoder) Space() { e.text = append(e.text, ' ') }

// Open writes an opening bracket.
func (e *Encoder) Open() { e.text = append(e.text, '(') }

// Close writes a closing bracket.
func (e *Encoder) Close() { e.text = append(e.text, ')') }

// End writes the line end.
func (e *Encoder) End() { e.text = append(e.text, '\r', '\n') }

// Raw writes a word of the protocol as it is: printable ASCII without a blank,
// a quote or a brace. Anything else makes Parts fail, so that no value can end
// a line or announce a literal.
func (e *Encoder) Raw(word string) {
	for i := range len(word) {
		if c := word[i]; c <= ' ' || c >= 0x7f || c == '{' || c == '}' || c == '"' {
			e.Fail(errUnwritable)
			return
		}
	}
	e.text = append(e.text, word...)
}

// Number writes a number.
func (e *Encoder) Number(n uint64) { e.text = strconv.AppendUint(e.text, n, 10) }

// Set writes a set of messages. An empty one cannot be written.
func (e *Encoder) Set(set imap.NumSet) {
	switch set := set.(type) {
	case imap.SeqSet:
		for i, r := range set {
			e.setRange(i > 0, uint64(r.Start), uint64(r.Stop))
		}
		e.needSet(len(set))
	case imap.UIDSet:
		if imap.IsSearchRes(set) {
			e.text = append(e.text, '$')
			return
		}
		for i, r := range set {
			e.setRange(i > 0, uint64(r.Start), uint64(r.Stop))
		}
		e.needSet(len(set))
	default:
		e.Fail(errUnwritable)
	}
}

func (e *Encoder) needSet(elements int) {
	if elements == 0 {
		e.Fail(errUnwritable)
	}
}

func (e *Encoder) setRange(comma bool, start, stop uint64) {
	if comma {
		e.text = append(e.text, ',')
	}
	e.setNumber(start)
	if start != stop {
		e.text = append(e.text, ':')
		e.setNumber(stop)
	}
}

func (e *Encoder) setNumber(n uint64) {
	if n == 0 {
		e.text = append(e.text, '*')
	} else {
		e.Number(n)
	}
}

// AString writes a string, as an atom where no parser can take it for anything
// else.
func (e *Encoder) AString(s string) {
	if isPlainAtom(s) {
		e.text = append(e.text, s...)
		return
	}
	e.String(s)
}

func isPlainAtom(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&classPlain == 0 {
			return false
		}
	}
	return s != "" && !(len(s) == 3 && equalFold([]byte(s), "NIL"))
}

// maxQuoted is the longest quoted string that is written, in octets. Servers
// have limits for them; longer ones go in a literal.
const maxQuoted = 4 << 10

// String writes a string, quoted or as a literal.
func (e *Encoder) String(s string) {
	if !e.quotable(s) {
		e.literal("", s)
		return
	}
	e.text = append(e.text, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			e.text = append(e.text, '\\')
		}
		e.text = append(e.text, s[i])
	}
	e.text = append(e.text, '"')
}

// quotable reports whether a string can stand in quotes. RFC 9051, 9 forbids
// CR, LF and NUL there; other control characters are legal, but not believed
// to be understood.
func (e *Encoder) quotable(s string) bool {
	wide := false
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
		wide = wide || s[i] > 0x7f
	}
	return len(s) <= maxQuoted && (!wide || e.UTF8 && utf8.ValidString(s))
}

// NString writes a string, or NIL if ok is false.
func (e *Encoder) NString(s string, ok bool) {
	if !ok {
		e.Raw("NIL")
		return
	}
	e.String(s)
}

// NString8 writes a string that may have a NUL in it, which makes it a
// literal8 (RFC 3516), or NIL if ok is false.
func (e *Encoder) NString8(s string, ok bool) {
	if ok && hasNUL(s) {
		e.literal("~", s)
		return
	}
	e.NString(s, ok)
}

func hasNUL(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

// literal writes the announcement of a literal; its content is held apart.
func (e *Encoder) literal(prefix, s string) {
	if prefix == "" && hasNUL(s) {
		e.Fail(errUnwritable)
		return
	}
	e.announce(prefix, int64(len(s)))
	e.cuts = append(e.cuts, cut{end: len(e.text), literal: []byte(s), size: int64(len(s))})
}

// Announce writes the announcement of a literal whose content the caller sends
// itself.
func (e *Encoder) Announce(size int64, binary bool) {
	prefix := ""
	if binary {
		prefix = "~"
	}
	e.announce(prefix, size)
	e.cuts = append(e.cuts, cut{end: len(e.text), stream: true, size: size})
}

func (e *Encoder) announce(prefix string, size int64) {
	e.text = append(e.text, prefix...)
	e.text = append(e.text, '{')
	e.text = strconv.AppendInt(e.text, size, 10)
	e.text = append(e.text, '}', '\r', '\n')
}

// Folder writes the name of a folder, which is given in UTF-8.
func (e *Encoder) Folder(name string) {
	if !e.UTF8 {
		name = EncodeUTF7(name)
	}
	e.AString(name)
}
