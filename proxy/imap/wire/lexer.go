package wire

import (
	"bufio"
	"errors"
)

// Lexer reads one command after the other, each piece when it is asked for.
// After the first error all methods do nothing and return zero values: a
// grammar reads everything it wants and looks at the error once. One goroutine
// uses a Lexer.
//
// A line is read whole before anything in it is looked at, so that no caller
// sees a part of a line that is wrong further on.
type Lexer struct {
	lines  lineReader
	limits Limits
	ask    func() error
	utf8   bool

	pos      int // what of the line has been read
	text     int // octets of text that the command may still have
	literals int64
	tokens   int
	depth    int
	first    error // what is wrong with the first line
	err      error
}

// NewLexer returns a lexer without a reader. The client waits for a line that
// begins with "+" before it sends a literal: ask sends it, and is called on
// the goroutine that uses the lexer. An error of it ends the command.
func NewLexer(ask func() error) *Lexer {
	return &Lexer{ask: ask, limits: DefaultLimits()}
}

// Reset gives the lexer another reader to go on with. With nil, buffers are
// let go of until the next Reset; a line that was half read is kept.
func (l *Lexer) Reset(r *bufio.Reader) {
	l.lines.r = r
	if r == nil && !l.lines.half {
		l.lines.line, l.pos = nil, 0
	}
}

// Half reports whether a line was begun and the reader failed in it.
func (l *Lexer) Half() bool { return l.lines.half }

// SetLimits sets the limits of the commands to come.
func (l *Lexer) SetLimits(limits Limits) { l.limits = limits }

// SetUTF8 says whether the client has enabled UTF-8 (RFC 6855): a quoted
// string must then be valid UTF-8.
func (l *Lexer) SetUTF8(on bool) { l.utf8 = on }

// UTF8 reports what SetUTF8 set.
func (l *Lexer) UTF8() bool { return l.utf8 }

// Begin reads the first line of a command and gives the command its budget. Its
// error is the reader's; Begin may then be called again and goes on with the
// line. What is wrong with the line itself is said by Check, so that the tag
// can be read before.
func (l *Lexer) Begin() error {
	l.err, l.pos, l.depth = nil, 0, 0
	l.refill()
	err := l.nextLine()
	l.first, l.err = nil, nil
	if isSyntax(err) {
		l.first, err = err, nil
	}
	return err
}

// Check ends the command if something is wrong with its first line.
func (l *Lexer) Check() {
	if l.first != nil {
		l.err = l.first
	}
}

// Continue reads a line with which the command goes on, and gives it a new
// budget: what came before it is no longer held. As for Begin, an error of the
// reader is returned, and Continue may be called again.
func (l *Lexer) Continue() error {
	l.err, l.depth = nil, 0
	l.refill()
	err := l.nextLine()
	if isSyntax(err) {
		return nil // Finish says it
	}
	return err
}

func isSyntax(err error) bool {
	if err == nil {
		return false
	}
	var syntax *SyntaxError // takes memory
	return errors.As(err, &syntax)
}

// refill gives the command its budget of text, tokens and literals.
func (l *Lexer) refill() {
	l.text, l.literals, l.tokens = l.limits.Line, l.limits.Literals, l.limits.Tokens
}

// nextLine reads the line that the command goes on with.
func (l *Lexer) nextLine() error {
	n, err := l.lines.read(l.text)
	l.text -= n
	l.pos = 0
	l.fail(err)
	return err
}

// Line reads one line that is not a command: an answer of SASL, or DONE. It is
// valid until the next call.
func (l *Lexer) Line(limit int) ([]byte, error) {
	l.err = nil
	_, err := l.lines.read(limit)
	l.pos = len(l.lines.line)
	return l.lines.line, err
}

// Err is the first error of the command.
func (l *Lexer) Err() error { return l.err }

// Fail ends the command with an error for the client, unless it has one.
func (l *Lexer) Fail(text string) {
	if l.err == nil {
		l.err = &SyntaxError{Text: text}
	}
}

// fail keeps the first error.
func (l *Lexer) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Finish returns the command's error, if it has one, and says in it whether
// the connection can go on. The rest of the line is dropped. A literal that it
// announced is not: if its content has come or will come unasked, what follows
// cannot be told from a command (RFC 7888).
func (l *Lexer) Finish() error {
	if l.err == nil {
		return nil
	}
	var syntax *SyntaxError
	if errors.As(l.err, &syntax) && !syntax.Close && l.doubtful() {
		l.err = &SyntaxError{Text: syntax.Text, Close: true}
	}
	return l.err
}

func (l *Lexer) doubtful() bool {
	switch lineTail(l.lines.line) {
	case tailFollowed:
		return true
	case tailWaiting:
		return l.lines.r.Buffered() > 0
	default:
		return false
	}
}

// Skip drops the rest of a command that nobody wants to read.
func (l *Lexer) Skip() error {
	if l.err == nil && l.doubtful() {
		l.err = &SyntaxError{Text: "A literal is not possible here", Close: true}
	}
	l.pos = len(l.lines.line)
	return l.Finish()
}

// token takes one from the budget and reports whether reading may go on.
func (l *Lexer) token() bool {
	if l.err != nil {
		return false
	}
	if l.tokens--; l.tokens < 0 {
		l.Fail("Too many arguments")
		return false
	}
	return true
}

// Peek returns the next octet of the line without reading it, 0 at its end.
func (l *Lexer) Peek() byte {
	if l.err != nil || l.pos >= len(l.lines.line) {
		return 0
	}
	return l.lines.line[l.pos]
}

// Try reads the octet c if it is the next one.
func (l *Lexer) Try(c byte) bool {
	if l.Peek() != c || c == 0 || !l.token() {
		return false
	}
	l.pos++
	return true
}

// TryText reads the text if it comes next, in any case. It must be in upper
// case.
func (l *Lexer) TryText(upper string) bool {
	if l.err != nil || len(l.lines.line)-l.pos < len(upper) ||
		!equalFold(l.lines.line[l.pos:l.pos+len(upper)], upper) || !l.token() {
		return false
	}
	l.pos += len(upper)
	return true
}

// Expect reads the octet c.
func (l *Lexer) Expect(c byte) {
	if !l.Try(c) {
		l.Fail("Expected " + octetName(c))
	}
}

// Space reads the one blank that stands between two arguments.
func (l *Lexer) Space() { l.Expect(' ') }

func octetName(c byte) string {
	if c == ' ' {
		return "a blank"
	}
	return `"` + string(rune(c)) + `"`
}

// Open reads an opening bracket. Close, or an error, must follow.
func (l *Lexer) Open() {
	l.Expect('(')
	l.Enter()
}

// Close reads a closing bracket.
func (l *Lexer) Close() {
	l.Expect(')')
	l.Leave()
}

// Enter goes one level deeper, as Open does, where the grammar has no bracket.
func (l *Lexer) Enter() {
	if l.depth++; l.depth > l.limits.Depth {
		l.Fail("Nested too deep")
	}
}

// Leave goes back to where Enter began.
func (l *Lexer) Leave() { l.depth-- }

// List reads items in brackets, with one blank between them, at least least of
// them.
func (l *Lexer) List(least int, item func()) {
	l.Open()
	n := 0
	for l.err == nil && l.Peek() != ')' {
		if n > 0 {
			l.Space()
		}
		item()
		n++
	}
	if n < least {
		l.Fail("A list is empty")
	}
	l.Close()
}

// AtEnd reports whether the line has been read.
func (l *Lexer) AtEnd() bool { return l.err == nil && l.pos >= len(l.lines.line) }

// End expects the end of the command.
func (l *Lexer) End() {
	if l.err == nil && !l.AtEnd() {
		l.Fail("Too many arguments, or a wrong one")
	}
}
