package command

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"mailguard/proxy/imap/wire"
)

// FuzzCommand is the promise of this package: whatever a client sends, what is
// written of it is exactly one command in one line, and reads as the same
// value.
func FuzzCommand(f *testing.F) {
	for _, in := range clientLines {
		f.Add([]byte("a "+strings.ReplaceAll(in, "\n", "\r\n")+"\r\n"), false)
	}
	for _, list := range canonical {
		for _, c := range list {
			f.Add([]byte("a "+c.in+"\r\n"), false)
		}
	}
	for _, a := range attacks {
		f.Add([]byte(a.in), true)
	}
	f.Fuzz(checkInput)
}

// checkInput reads all commands of an input and checks each that can be read.
func checkInput(t *testing.T, in []byte, utf8 bool) {
	s := newSession(bytes.NewReader(in))
	s.SetUTF8(utf8)
	for range 100 {
		c, text, err := s.next()
		var syntax *wire.SyntaxError
		switch {
		case err == nil:
			checkParts(t, c, utf8)
			checkAgain(t, c, text, utf8)
		case !errors.As(err, &syntax):
			return
		case syntax.Text == "":
			t.Fatalf("an error without a text: %q", in)
		case syntax.Close:
			return
		}
	}
}

// checkParts checks that no text has anything in it that ends a line or looks
// like a literal, but for what was announced.
func checkParts(t *testing.T, c Command, utf8 bool) {
	t.Helper()
	e := wire.Encoder{UTF8: utf8}
	c.Encode(&e)
	parts, err := e.Parts()
	if err != nil {
		t.Fatalf("%#v: %v", c, err)
	}
	for i, p := range parts {
		text, ended := bytes.CutSuffix(p.Text, []byte("\r\n"))
		announces := p.Stream || p.Literal != nil
		switch {
		case !ended, bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
			t.Fatalf("%q is not one line", p.Text)
		case !utf8 && bytes.ContainsFunc(text, func(r rune) bool { return r > 0x7f }):
			t.Fatalf("%q has 8-bit octets", p.Text)
		case !announces && i != len(parts)-1, announces != bytes.HasSuffix(text, []byte("}")):
			t.Fatalf("%q looks like a literal, or is none", p.Text)
		case p.Literal != nil && int64(len(p.Literal)) != p.Size:
			t.Fatalf("%q announces %d octets, not %d", p.Text, p.Size, len(p.Literal))
		case bytes.IndexByte(p.Literal, 0) >= 0 && !bytes.Contains(text, []byte(" ~{")):
			t.Fatalf("%q announces a NUL", p.Text)
		}
	}
}

// checkAgain reads what was written, with a parser that has what was written
// octet by octet and behind it another command.
func checkAgain(t *testing.T, c Command, text string, utf8 bool) {
	t.Helper()
	s := newSession(iotest.OneByteReader(strings.NewReader(text + "z NOOP\r\n")))
	s.SetUTF8(utf8)
	again, second, err := s.next()
	if err != nil || second != text {
		t.Fatalf("%q reads as %q, %v", text, second, err)
	}
	if a, ok := c.Args.(Append); ok {
		a.Message.Sync = true // what is written always waits
		c.Args = a
	}
	if !reflect.DeepEqual(c, again) {
		t.Fatalf("%q: %#v reads as %#v", text, c, again)
	}
	if last, _, err := s.next(); err != nil || last.Tag != "z" || last.Name != "NOOP" {
		t.Fatalf("%q: what is behind it reads as %v, %v", text, last, err)
	}
	if _, _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Fatalf("%q: something is left: %v", text, err)
	}
}

// What real clients send must be readable.
func TestClients(t *testing.T) {
	for _, in := range clientLines {
		in = "a " + strings.ReplaceAll(in, "\n", "\r\n") + "\r\n"
		s := newSession(strings.NewReader(in))
		s.r = bufio.NewReader(strings.NewReader(in))
		s.Reset(s.r)
		if _, _, err := s.next(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		checkInput(t, []byte(in), false)
	}
}
