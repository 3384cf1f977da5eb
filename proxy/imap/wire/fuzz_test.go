package wire

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cutReader gives octets in pieces. Behind the last cut it gives all that is
// left.
type cutReader struct {
	left []byte
	cuts []byte
}

func (r *cutReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := len(r.left)
	if len(r.cuts) > 0 {
		n, r.cuts = min(n, int(r.cuts[0])+1), r.cuts[1:]
	}
	n = copy(p, r.left[:n])
	r.left = r.left[n:]
	return n, nil
}

// plainPiece is a piece of a response as the plainest of readers cuts it.
type plainPiece struct {
	text    string
	literal string
	more    bool // the response goes on behind the literal
}

var (
	plainAnnouncement = regexp.MustCompile(`\{([0-9]+)\}\r\n$`)
	plainStatus       = regexp.MustCompile(`(?i)^\* (OK|NO|BAD|BYE|PREAUTH)( |\r?\n$)`)
)

// plainPieces cuts what a server said, up to what is not whole.
func plainPieces(in string) (all []plainPiece) {
	first := true // of a response
	literals := false
	for {
		i := strings.IndexByte(in, '\n')
		if i < 0 {
			return all
		}
		p := plainPiece{text: in[:i+1]}
		in = in[i+1:]
		if first {
			literals = strings.HasPrefix(p.text, "* ") && !plainStatus.MatchString(p.text)
		}
		if m := plainAnnouncement.FindStringSubmatch(p.text); literals && m != nil {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil || n > maxAnnounced {
				return all // not IMAP
			}
			if n > int64(len(in)) {
				return append(all, p) // without its literal
			}
			p.literal, p.more = in[:n], true
			in = in[n:]
		}
		first = !p.more
		all = append(all, p)
	}
}

// FuzzFramer: however a server's octets arrive, and however small the buffer
// is, they are cut as the plainest of readers cuts them, and none is lost.
func FuzzFramer(f *testing.F) {
	for _, in := range framerSeeds {
		f.Add([]byte(in), []byte{0, 1, 2, 0, 0, 0, 7}, byte(0))
		f.Add([]byte(in), []byte{}, byte(255))
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, size byte) {
		framer := NewFramer(&cutReader{in, cuts})
		framer.Lend(make([]byte, announceMax+2+int(size)))
		var out bytes.Buffer
		i, want := 0, plainPieces(string(in))
		for {
			seg, err := framer.Next()
			if err == nil && seg.Open {
				seg, err = framer.Grow(seg)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, ErrNonsense) {
					t.Fatal(err)
				}
				break
			}
			if i == len(want) || string(seg.Text) != want[i].text || seg.Open {
				t.Fatalf("piece %d is %q, of %q", i, seg.Text, in)
			}
			out.Write(seg.Text)
			literal, whole := readLiteral(t, framer, seg.Literal)
			out.Write(literal)
			if !whole {
				break
			}
			if string(literal) != want[i].literal || seg.Last() == want[i].more {
				t.Fatalf("piece %d ends with the literal %q, not %q", i, literal, want[i].literal)
			}
			i++
		}
		if !bytes.HasPrefix(in, out.Bytes()) || i < len(want)-1 {
			t.Fatalf("%d of %d pieces, %q of %q", i, len(want), out.Bytes(), in)
		}
	})
}

var framerSeeds = []string{
	"* OK ready {5}\r\n* 1 FETCH (FLAGS (\\Seen) BODY[] {5}\r\nab\r\nc UID 3)\r\ng1 OK done\r\n",
	"* LIST () \"/\" {5}\r\nINBOX\r\n* LIST () NIL ~{0}\r\n\r\n+ go on {3}\r\n* bye\n* 1 FETCH (BODY[] {99999999999999999999}\r\n",
	"* 1 FETCH (ENVELOPE (" + strings.Repeat("NIL ", 300) + "{3}\r\n{1} NIL))\r\n", "\n\r\n{}\r\n{1}\r\n* X {1}\r\n", "* bye\rx {5}\r\nabcde\r\n", "* X {1125899906842624}\r\nabc", strings.Repeat("x", 600),
}

// readLiteral reads an announced literal, as far as it comes.
func readLiteral(t *testing.T, framer *Framer, size int64) (literal []byte, whole bool) {
	var b bytes.Buffer
	for left := size; left > 0; {
		var err error
		if left, err = framer.CopyLiteral(&b, left); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return b.Bytes(), false
		}
	}
	return b.Bytes(), true
}

// plainItem is an item of a FETCH response.
type plainItem struct{ name, value string }

// plainReader reads the items of a FETCH response by the grammar of RFC 9051,
// 9. Each of its tokens is an octet, or a whole literal.
type plainReader struct {
	tokens []string
	failed bool
}

func (r *plainReader) peek() string {
	if len(r.tokens) == 0 {
		return ""
	}
	return r.tokens[0]
}

func (r *plainReader) take() string {
	c := r.peek()
	if c == "" {
		r.failed = true
		return ""
	}
	r.tokens = r.tokens[1:]
	return c
}

func (r *plainReader) expect(c string) {
	if r.take() != c {
		r.failed = true
	}
}

func (r *plainReader) atom(stop string) (s string) {
	for c := r.peek(); len(c) == 1 && !strings.Contains(stop, c) && c[0] > ' '; c = r.peek() {
		s += r.take()
	}
	r.failed = r.failed || s == ""
	return s
}

func (r *plainReader) quoted() string {
	s := r.take()
	for !r.failed {
		c := r.take()
		s += c
		switch {
		case len(c) != 1:
			r.failed = true
		case c == `\`:
			s += r.take()
		case c == `"`:
			return s
		}
	}
	return s
}

// name reads a name with its section: BODY[HEADER.FIELDS ("a]b")]<0>.
func (r *plainReader) name() string {
	s := r.atom(`()"[] `)
	if r.peek() != "[" {
		return s
	}
	for !r.failed && r.peek() != "]" {
		if r.peek() == `"` {
			s += r.quoted()
			continue
		}
		c := r.take()
		if len(c) != 1 {
			r.failed = true
		}
		s += c
	}
	s += r.take()
	if r.peek() == "<" {
		s += r.atom(`()"[] `)
	}
	return s
}

func (r *plainReader) value() string {
	switch c := r.peek(); {
	case len(c) > 1: // a literal
		return r.take()
	case c == `"`:
		return r.quoted()
	case c == "(":
		return r.list()
	default:
		return r.atom(`()"`)
	}
}

func (r *plainReader) list() string {
	s := r.take()
	for !r.failed && r.peek() != ")" {
		if s != "(" && r.peek() == " " {
			s += r.take()
		}
		s += r.value()
	}
	return s + r.take()
}

// plainItems reads all items; ok is false for what is not by the grammar.
func plainItems(tokens []string) (all []plainItem, ok bool) {
	r := &plainReader{tokens: tokens}
	r.expect("(")
	for !r.failed && r.peek() != ")" {
		if len(all) > 0 {
			r.expect(" ")
		}
		name := r.name()
		r.expect(" ")
		all = append(all, plainItem{name, r.value()})
	}
	r.expect(")")
	return all, !r.failed && len(r.tokens) == 0
}

// tokensOf takes a response apart. Literals begin with a NUL, which no octet
// outside of them is.
func tokensOf(pieces []plainPiece, from int) (tokens []string) {
	for _, p := range pieces {
		text := strings.TrimSuffix(strings.TrimSuffix(p.text[from:], "\n"), "\r")
		if p.more {
			text = text[:strings.LastIndexByte(text, '{')]
			text = strings.TrimSuffix(text, "~")
		}
		for i := range len(text) {
			tokens = append(tokens, text[i:i+1])
		}
		if p.more {
			tokens = append(tokens, "\x00literal"+p.literal)
		}
		from = 0
	}
	return tokens
}

// FuzzItems: what is by the grammar is found as the plainest of readers finds
// it, in whatever segments it comes; what is not does no harm.
func FuzzItems(f *testing.F) {
	for _, in := range itemSeeds {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		text := "* 1 FETCH " + string(in)
		pieces := plainPieces(text)
		end := slices.IndexFunc(pieces, func(p plainPiece) bool { return !p.more })
		if end < 0 || strings.Contains(text, "\x00") {
			return
		}
		pieces = pieces[:end+1]
		head := ParseHead([]byte(pieces[0].text))
		if head.Kind != Numbered || !head.Is("FETCH") || head.Rest > len(pieces[0].text) {
			return
		}
		got, gotErr := itemsOf(pieces, head.Rest)
		want, ok := plainItems(tokensOf(pieces, head.Rest))
		if !ok {
			return
		}
		if gotErr != nil || len(got) != len(want) {
			t.Fatalf("%q: %q, %v, want %q", text, got, gotErr, want)
		}
		for i, w := range want {
			split := strings.Contains(w.value, "\x00literal") && w.value[0] == '(' // its name was in an earlier segment
			if got[i] != w && !(split && got[i] == plainItem{}) {
				t.Errorf("%q: item %d is %q, want %q", text, i, got[i], w)
			}
		}
	})
}

// itemsOf reads the items as a session does.
func itemsOf(pieces []plainPiece, at int) (all []plainItem, err error) {
	var items Items
	for _, p := range pieces {
		items.Begin(at)
		for {
			item, ok, err := items.Next([]byte(p.text), p.more)
			if err != nil {
				return all, err
			}
			if !ok {
				break
			}
			value := p.text[item.Value:item.End]
			switch {
			case item.Name == nil:
				value = ""
			case item.Literal:
				value = "\x00literal" + p.literal
			}
			all = append(all, plainItem{string(item.Name), value})
		}
		at = 0
	}
	return all, nil
}

var itemSeeds = []string{
	"(UID 1 FLAGS (\\Seen \\Deleted))\r\n", "()\r\n", "(BODY[] {3}\r\na)b FLAGS ())\r\n", "(FLAGS () BODY[HEADER.FIELDS (\"a]b\" X)]<0> {0}\r\n)\r\n",
	"(ENVELOPE (\"a \\\" ) b\" {4}\r\n) (x NIL ((NIL))) BODY[] NIL UID 7)\r\n", "(BODY[1] {2}\r\nab BODY[2] ~{1}\r\n) X-GM-LABELS (\"\\\\Sent\" {1}\r\n() MODSEQ (12))\r\n",
	"(FLAGS (\\Seen\r\n", "(FLAGS\r\n", "(UID 1)x\r\n", "(BODYSTRUCTURE ((\"a\" \"b\")(\"c\" NIL) \"mixed\"))\r\n", "(A ({1}\r\nx {1}\r\ny) B {1}\r\nz)\r\n",
}
