package wire

import (
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

// class says in which tokens an octet may stand.
type class uint8

const (
	classTag     class = 1 << iota // tag (RFC 9051, 9): ASTRING-CHAR but "+"
	classAtom                      // ATOM-CHAR
	classAString                   // ASTRING-CHAR: ATOM-CHAR and "]"
	classPattern                   // list-char: ASTRING-CHAR and the wildcards
	classKeyword                   // what the words of commands are made of
	classSet                       // sequence-set
	classPlain                     // an atom that no parser takes for anything else
)

var classes = makeClasses()

func makeClasses() (t [256]class) {
	for c := byte(0x21); c < 0x7f; c++ {
		switch c {
		case '(', ')', '{', '"', '\\':
		case '%', '*':
			t[c] = classPattern
		case ']':
			t[c] = classTag | classAString | classPattern
		case '+':
			t[c] = classAtom | classAString | classPattern
		case '}':
			t[c] = classAtom | classAString | classPattern // not in a tag: it looks like a literal
		default:
			t[c] = classTag | classAtom | classAString | classPattern
		}
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if letter || digit || c == '.' || c == '-' || c == '_' {
			t[c] |= classKeyword | classPlain
		}
		if digit || c == ':' || c == ',' || c == '*' || c == '$' {
			t[c] |= classSet
		}
		if c == '/' || c == '&' || c == '@' || c == '=' {
			t[c] |= classPlain
		}
	}
	return t
}

// run reads as many octets of the class as come.
func (l *Lexer) run(k class) []byte {
	if !l.token() {
		return nil
	}
	start := l.pos
	for l.pos < len(l.lines.line) && classes[l.lines.line[l.pos]]&k != 0 {
		l.pos++
	}
	return l.lines.line[start:l.pos]
}

// expectRun is run, where nothing is an error.
func (l *Lexer) expectRun(k class, what string) []byte {
	b := l.run(k)
	if len(b) == 0 {
		l.Fail("Expected " + what)
	}
	return b
}

// Tag reads the tag of a command (RFC 9051, 9), of at most limit octets.
func (l *Lexer) Tag(limit int) string {
	b := l.expectRun(classTag, "a tag")
	if len(b) > limit {
		l.Fail("Tag too long")
		return ""
	}
	return string(b)
}

// Keyword reads a word of the protocol and returns it in upper case. It is
// valid until a literal is read. Letters, digits, ".", "-" and "_" are in it.
func (l *Lexer) Keyword() []byte {
	b := l.expectRun(classKeyword, "a word")
	for i, c := range b { // the line is ours
		if c >= 'a' && c <= 'z' {
			b[i] = c - 0x20
		}
	}
	return b
}

// Atom reads an atom.
func (l *Lexer) Atom() string { return string(l.expectRun(classAtom, "an atom")) }

// SetText reads the text of a number set. It is valid until a literal is read.
func (l *Lexer) SetText() []byte { return l.expectRun(classSet, "a set of messages") }

// NumSet reads a set of messages, of UIDs if uid is set. "$" is one if
// searchRes is set.
func (l *Lexer) NumSet(uid, searchRes bool) imap.NumSet {
	text := l.SetText()
	if l.err != nil {
		return nil
	}
	set, err := ParseNumSet(text, uid, searchRes)
	l.fail(err)
	return set
}

// maxDigits is how many digits the largest number has (RFC 9051, 9: number64
// has 63 bits).
const maxDigits = 19

// Number reads a number of at most 63 bits.
func (l *Lexer) Number() uint64 {
	if !l.token() {
		return 0
	}
	start := l.pos
	for l.pos < len(l.lines.line) && l.lines.line[l.pos] >= '0' && l.lines.line[l.pos] <= '9' {
		l.pos++
	}
	n, ok := parseDecimal(l.lines.line[start:l.pos], maxDigits)
	if !ok || n > 1<<63-1 {
		l.Fail("Expected a number")
		return 0
	}
	return n
}

// Number32 reads a number of at most 32 bits.
func (l *Lexer) Number32() uint32 {
	n := l.Number()
	if n > 1<<32-1 {
		l.Fail("A number is too large")
		return 0
	}
	return uint32(n)
}

// parseDecimal reads digits and nothing else: no sign, no blank, no leading
// zero. There may be at most 19, so that the number cannot wrap.
func parseDecimal(b []byte, digits int) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > digits || (b[0] == '0' && len(b) > 1) {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, true
}

// Quoted reads a quoted string (RFC 9051, 9). Octets of 8 bits are taken, as
// every server does; they go on in a literal. With UTF-8 enabled they must be
// UTF-8.
func (l *Lexer) Quoted() string {
	l.Expect('"')
	if l.err != nil {
		return ""
	}
	line := l.lines.line
	start, escaped := l.pos, false
	for ; l.pos < len(line) && line[l.pos] != '"'; l.pos++ {
		if line[l.pos] != '\\' {
			continue
		}
		escaped = true
		l.pos++
		if l.pos == len(line) || (line[l.pos] != '"' && line[l.pos] != '\\') {
			l.Fail(`In a quoted string "\" stands before "\" or a quote`)
			return ""
		}
	}
	if l.pos >= len(line) {
		l.Fail("A quoted string has no end")
		return ""
	}
	body := line[start:l.pos]
	l.pos++
	if l.utf8 && !utf8.Valid(body) {
		l.Fail("A quoted string is not UTF-8")
		return ""
	}
	return unquote(body, escaped)
}

func unquote(body []byte, escaped bool) string {
	if !escaped {
		return string(body)
	}
	b := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] == '\\' {
			i++
		}
		b = append(b, body[i])
	}
	return string(b)
}

// String reads a string: quoted, or a literal.
func (l *Lexer) String() string {
	if l.Peek() == '"' {
		return l.Quoted()
	}
	return l.literal(false)
}

// AString reads an atom or a string.
func (l *Lexer) AString() string { return l.stringOr(classAString) }

// Pattern reads what LIST looks for: an atom in which wildcards may stand, or a
// string (RFC 9051, 9: list-mailbox).
func (l *Lexer) Pattern() string { return l.stringOr(classPattern) }

func (l *Lexer) stringOr(k class) string {
	switch l.Peek() {
	case '"', '{':
		return l.String()
	default:
		return string(l.expectRun(k, "a string"))
	}
}

// NString reads a string or NIL; ok is false for NIL.
func (l *Lexer) NString() (s string, ok bool) {
	switch l.Peek() {
	case '"', '{':
		return l.String(), true
	default:
		return "", l.null()
	}
}

// NString8 reads a string, a literal8 (RFC 3516) or NIL. Only here may a NUL be
// in it.
func (l *Lexer) NString8() (s string, ok bool) {
	if l.Peek() == '~' {
		return l.literal(true), true
	}
	return l.NString()
}

// null reads NIL and returns false, so that a caller can return it at once.
func (l *Lexer) null() bool {
	if string(l.Keyword()) != "NIL" {
		l.Fail("Expected a string or NIL")
	}
	return false
}
