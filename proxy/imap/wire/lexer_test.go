package wire

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// lexerOn returns a lexer on a text, with the smallest buffer there is.
func lexerOn(r io.Reader, ask func() error) (*Lexer, *bufio.Reader) {
	b := bufio.NewReaderSize(r, 16)
	l := NewLexer(ask)
	l.Reset(b)
	return l, b
}

func agree() error { return nil }

func TestLinesLongerThanTheBuffer(t *testing.T) {
	for _, n := range []int{1, 14, 15, 16, 17, 31, 32, 33, 1000, MaxLine - 2} {
		text := strings.Repeat("x", n)
		l, _ := lexerOn(iotest.HalfReader(strings.NewReader(text+"\r\nnext\r\n")), agree)
		if err := l.Begin(); err != nil {
			t.Fatal(err)
		}
		if got := l.Atom(); got != text || !l.AtEnd() || l.Finish() != nil {
			t.Errorf("%d octets: read %d, %v", n, len(got), l.Finish())
		}
		if err := l.Begin(); err != nil || l.Atom() != "next" {
			t.Errorf("%d octets: the next line is lost: %v", n, err)
		}
	}
}

func TestLimits(t *testing.T) {
	limits := Limits{Line: 100, Literals: 20, Tokens: 12, Depth: 3}
	for _, c := range []struct {
		name, in string
		read     func(*Lexer)
		want     string // "", or the error
		close    bool
	}{
		{"line of the limit", strings.Repeat("x", 98), func(l *Lexer) { l.Atom() }, "", false},
		{"line too long", strings.Repeat("x", 99), func(l *Lexer) { l.Atom() }, "Command too long", true},
		{"two lines of the limit", "{1+}\r\na" + strings.Repeat("x", 92), func(l *Lexer) { l.AString(); l.Atom() }, "", false},
		{"two lines too long", "{1+}\r\na" + strings.Repeat("x", 93), func(l *Lexer) { l.AString(); l.Atom() }, "Command too long", true},
		{"literals of the limit", "{10+}\r\n0123456789{10}\r\n0123456789", func(l *Lexer) { l.AString(); l.AString() }, "", false},
		{"literals too big together", "{10+}\r\n0123456789{11}\r\n0123456789", func(l *Lexer) { l.AString(); l.AString() }, "Literal too big", true},
		{"literal too big", "{21+}\r\n", func(l *Lexer) { l.AString() }, "Literal too big", true},
		{"tokens of the limit", "a b c d e f g", func(l *Lexer) { words(l, 6) }, "", false},
		{"too many tokens", "a b c d e f g h", func(l *Lexer) { words(l, 7) }, "Too many arguments", false},
		{"depth of the limit", "((()))", func(l *Lexer) { nest(l) }, "", false},
		{"too deep", "(((())))", func(l *Lexer) { nest(l) }, "Nested too deep", false},
		{"side by side is not deep", "(() () ())", func(l *Lexer) { nest(l) }, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _ := lexerOn(strings.NewReader(c.in+"\r\n"), agree)
			l.SetLimits(limits)
			if err := l.Begin(); err != nil {
				t.Fatal(err)
			}
			l.Check()
			c.read(l)
			checkSyntax(t, l.Finish(), c.want, c.close)
		})
	}
}

func words(l *Lexer, n int) {
	for range n {
		l.Atom()
		l.Space()
	}
}

func nest(l *Lexer) { l.List(0, func() { nest(l) }) }

func checkSyntax(t *testing.T, err error, want string, closes bool) {
	t.Helper()
	var syntax *SyntaxError
	switch {
	case want == "" && err != nil, want != "" && !errors.As(err, &syntax):
		t.Errorf("got %v, want %q", err, want)
	case syntax != nil && (syntax.Text != want || syntax.Close != closes):
		t.Errorf("got %+v, want %q, close %t", syntax, want, closes)
	}
}

// The budget is the command's: the next one has its own.
func TestBudgetIsGivenAnew(t *testing.T) {
	l, _ := lexerOn(strings.NewReader(strings.Repeat("{15+}\r\n0123456789abcde\r\n", 10)), agree)
	l.SetLimits(Limits{Line: 20, Literals: 20, Tokens: 3, Depth: 1})
	for range 10 {
		if err := l.Begin(); err != nil || l.AString() != "0123456789abcde" || l.Finish() != nil {
			t.Fatal(err, l.Finish())
		}
	}
}

// stutter is a reader that fails before every octet, as a connection that is
// paused does.
type stutter struct {
	r    io.Reader
	next bool
}

var errPaused = errors.New("paused")

func (s *stutter) Read(p []byte) (int, error) {
	if s.next = !s.next; s.next {
		return 0, errPaused
	}
	return s.r.Read(p[:1])
}

func TestLineGoesOnAfterAnError(t *testing.T) {
	l, b := lexerOn(&stutter{r: strings.NewReader("first\r\nsecond\r\nthird\r\n")}, agree)
	for i, want := range []string{"first", "second"} {
		errs := 0
		for err := l.Begin(); err != nil; err = l.Begin() {
			if errs++; !errors.Is(err, errPaused) || l.Half() != (errs > 1) {
				t.Fatal(err, errs, l.Half())
			}
			l.Reset(nil)
			l.Reset(b)
		}
		if got := l.Atom(); got != want || errs != len(want)+2 || l.Half() {
			t.Fatalf("line %d: %q after %d errors", i, got, errs)
		}
	}
	var line []byte
	err := errPaused
	for errors.Is(err, errPaused) {
		line, err = l.Line(100)
	}
	if err != nil || string(line) != "third" {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestLiterals(t *testing.T) {
	for _, c := range []struct {
		in    string
		want  string
		err   string
		close bool
		asked int
	}{
		{"{0}\r\n", "", "", false, 1},
		{"{0+}\r\n", "", "", false, 0},
		{"{3}\r\na\nb", "a\nb", "", false, 1},
		{"{5+}\r\n{9+}\r", "{9+}\r", "", false, 0},
		{"{5000+}\r\n" + strings.Repeat("x", 5000), strings.Repeat("x", 5000), "", false, 0},
		{"{3+}\r\na\x00b", "", "A literal has a NUL in it", false, 0},
		{"{3+}\r\na\x00b {4+}", "", "A literal has a NUL in it", true, 0},
		{"~{3+}\r\nabc", "", "Expected a string", true, 0},
		{"{3", "", "Expected a string", false, 0},
		{"{3}x", "", "Expected a string", false, 0},
		{"{+3}", "", "A literal's size is wrong", true, 0},
		{"{03+}\r\nabc", "", "A literal's size is wrong", true, 0},
		{"{00000000003+}\r\nabc", "", "Literal too big", true, 0},
	} {
		asked := 0
		l, _ := lexerOn(iotest.OneByteReader(strings.NewReader(c.in+"\r\n")), func() error { asked++; return nil })
		if err := l.Begin(); err != nil {
			t.Fatal(err)
		}
		got := l.String()
		l.End()
		if err := l.Finish(); c.err == "" && (err != nil || got != c.want || asked != c.asked) {
			t.Errorf("%q: got %q, %v, asked %d times", c.in, got, err, asked)
		} else {
			checkSyntax(t, err, c.err, c.close)
		}
	}
}

func TestClientThatCannotBeAsked(t *testing.T) {
	gone := errors.New("gone")
	l, b := lexerOn(strings.NewReader("{3}\r\nabc\r\n"), func() error { return gone })
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	if s := l.String(); s != "" || !errors.Is(l.Finish(), gone) {
		t.Errorf("%q, %v", s, l.Finish())
	}
	if rest, _ := io.ReadAll(b); string(rest) != "abc\r\n" {
		t.Errorf("the literal was read: %q left", rest)
	}
}

// A size that is only announced costs no memory.
func TestAnnouncedMemory(t *testing.T) {
	n := testing.AllocsPerRun(1, func() {
		body, err := readGrowing(strings.NewReader("x"), 1<<40)
		if !errors.Is(err, io.ErrUnexpectedEOF) || body != nil {
			t.Fatal(err)
		}
	})
	if n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func TestLineTail(t *testing.T) {
	for in, want := range map[string]tail{
		"": tailNone, "}": tailNone, "{": tailNone, "x}": tailNone, "{1}x": tailNone, `"{1+}"`: tailNone, "{eleven}": tailNone,
		"{1}": tailWaiting, "~{1}": tailWaiting, "x{1}": tailWaiting, "{}": tailWaiting, "{1}{2}": tailWaiting,
		"{1+}": tailFollowed, "~{1+}": tailFollowed, "{1-}": tailFollowed, "{-1}": tailFollowed, "{ 1}": tailFollowed,
		"{1 }": tailFollowed, "{1+} ": tailFollowed, "{1+}\t\x00\r": tailFollowed, "{+}": tailFollowed, "{0x1+}": tailFollowed,
		"{1} ": tailWaiting,
	} {
		if got := lineTail([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	for _, c := range []struct {
		in, want string
		utf8     bool
		ok       bool
	}{
		{`""`, "", false, true},
		{`"a b"`, "a b", false, true},
		{`"\"\\"`, `"\`, false, true},
		{`"{1+}"`, "{1+}", false, true},
		{"\"\xe9\"", "\xe9", false, true},
		{"\"\xe9\"", "", true, false},
		{"\"\xc3\xa9\"", "é", true, true},
		{`"a`, "", false, false},
		{`"a\`, "", false, false},
		{`"\a"`, "", false, false},
		{`"a\"`, "", false, false},
	} {
		l, _ := lexerOn(strings.NewReader(c.in+"\r\n"), agree)
		l.SetUTF8(c.utf8)
		if err := l.Begin(); err != nil {
			t.Fatal(err)
		}
		if got := l.Quoted(); got != c.want || (l.Finish() == nil) != c.ok {
			t.Errorf("%q: got %q, %v", c.in, got, l.Finish())
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "1": 1, "4294967296": 1 << 32, "9223372036854775807": 1<<63 - 1} {
		l, _ := lexerOn(strings.NewReader(in+"\r\n"), agree)
		_ = l.Begin()
		if n := l.Number(); n != want || l.Finish() != nil {
			t.Errorf("%s: %d, %v", in, n, l.Finish())
		}
	}
	for _, in := range []string{"", "x", "-1", "+1", "01", "00", "9223372036854775808", "99999999999999999999"} {
		l, _ := lexerOn(strings.NewReader(in+"\r\n"), agree)
		_ = l.Begin()
		if n := l.Number(); l.Finish() == nil {
			t.Errorf("%q: read as %d", in, n)
		}
	}
	l, _ := lexerOn(strings.NewReader("4294967296\r\n"), agree)
	_ = l.Begin()
	if n := l.Number32(); n != 0 || l.Finish() == nil {
		t.Error("33 bits are read as", n)
	}
}
