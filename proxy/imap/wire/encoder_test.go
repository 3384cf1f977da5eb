package wire

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncodeStrings(t *testing.T) {
	long := strings.Repeat("x ", maxQuoted)
	for _, c := range []struct {
		name, in string
		utf8     bool
		want     []Part
	}{
		{"plain", "a/b-c.d@e", false, parts("a/b-c.d@e")},
		{"empty", "", false, parts(`""`)},
		{"NIL", "nil", false, parts(`"nil"`)},
		{"NILS", "nils", false, parts("nils")},
		{"blank", "a b", false, parts(`"a b"`)},
		{"quote and backslash", `"\`, false, parts(`"\"\\"`)},
		{"looks like a literal", "x {11+}", false, parts(`"x {11+}"`)},
		{"brackets", "(a)", false, parts(`"(a)"`)},
		{"wildcards", "%*", false, parts(`"%*"`)},
		{"backslash", `\Deleted`, false, parts(`"\\Deleted"`)},
		{"tilde", "~x", false, parts(`"~x"`)},
		{"CRLF", "a\r\nb", false, []Part{{Text: []byte("{4}\r\n"), Literal: []byte("a\r\nb"), Size: 4}}},
		{"control character", "a\x01", false, []Part{{Text: []byte("{2}\r\n"), Literal: []byte("a\x01"), Size: 2}}},
		{"DEL", "a\x7f", false, []Part{{Text: []byte("{2}\r\n"), Literal: []byte("a\x7f"), Size: 2}}},
		{"8-bit", "é", false, []Part{{Text: []byte("{2}\r\n"), Literal: []byte("é"), Size: 2}}},
		{"UTF-8", "é", true, parts(`"é"`)},
		{"8-bit that is not UTF-8", "\xe9", true, []Part{{Text: []byte("{1}\r\n"), Literal: []byte("\xe9"), Size: 1}}},
		{"long", long, false, []Part{{Text: []byte("{8192}\r\n"), Literal: []byte(long), Size: 8192}}},
	} {
		e := Encoder{UTF8: c.utf8}
		e.AString(c.in)
		got, err := e.Parts()
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
	}
}

func parts(text string) []Part { return []Part{{Text: []byte(text)}} }

func TestEncodeFolder(t *testing.T) {
	for _, utf8 := range []bool{false, true} {
		e := Encoder{UTF8: utf8}
		e.Folder("é&")
		want := parts(`&AOk-&-`)
		if utf8 {
			want = parts(`"é&"`)
		}
		if got, err := e.Parts(); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// A mistake of our own is an error, not bytes.
func TestEncoderRefuses(t *testing.T) {
	for name, write := range map[string]func(*Encoder){
		"CR in a word":            func(e *Encoder) { e.Raw("a\rb") },
		"LF in a word":            func(e *Encoder) { e.Raw("a\n") },
		"NUL in a word":           func(e *Encoder) { e.Raw("\x00") },
		"blank in a word":         func(e *Encoder) { e.Raw("a b") },
		"brace in a word":         func(e *Encoder) { e.Raw("{1}") },
		"quote in a word":         func(e *Encoder) { e.Raw(`"`) },
		"8-bit in a word":         func(e *Encoder) { e.Raw("é") },
		"NUL in a string":         func(e *Encoder) { e.AString("a\x00") },
		"NUL in a folder's name":  func(e *Encoder) { e.UTF8 = true; e.Folder("a\x00") },
		"set of nothing":          func(e *Encoder) { e.Set(imap.UIDSet{}) },
		"sequence set of nothing": func(e *Encoder) { e.Set(imap.SeqSet(nil)) },
		"no set":                  func(e *Encoder) { e.Set(nil) },
	} {
		e := Encoder{}
		e.Raw("a")
		write(&e)
		e.Raw("b")
		if got, err := e.Parts(); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		e.Reset()
		e.Raw("a")
		if got, err := e.Parts(); err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v after Reset", name, got, err)
		}
	}
}

// Whatever string is written is read as itself.
func TestStringsThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[^\x00]*`), 1, 5).Draw(t, "words")
		e := Encoder{UTF8: rapid.Bool().Draw(t, "utf8")}
		for _, w := range words {
			e.AString(w)
			e.Space()
		}
		e.NString8("a\x00b", true)
		e.End()
		written, err := e.Parts()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, p := range written {
			text.Write(p.Text)
			text.Write(p.Literal)
		}
		l, _ := lexerOn(strings.NewReader(text.String()), agree)
		l.SetUTF8(e.UTF8)
		_ = l.Begin()
		for _, w := range words {
			if got := l.AString(); got != w {
				t.Fatalf("%q: %q, %v instead of %q", text.String(), got, l.Err(), w)
			}
			l.Space()
		}
		if got, ok := l.NString8(); got != "a\x00b" || !ok {
			t.Fatal(got, ok)
		}
		if l.End(); l.Finish() != nil {
			t.Fatal(l.Finish())
		}
	})
}
