package command

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"mailguard/proxy/imap/wire"
)

// outcomes is what becomes of a client's bytes: the commands that would go
// upstream, without their line ends; "BAD", with the tag if there is one; the
// same with "close" where nothing more is read; "half" for a line without end.
func outcomes(t *testing.T, r io.Reader, utf8 bool) (list []string) {
	t.Helper()
	s := newSession(r)
	s.r = bufio.NewReaderSize(r, 4096)
	s.Reset(s.r)
	s.SetSearchRes(false)
	s.SetUTF8(utf8)
	for {
		c, text, err := s.next()
		var syntax *wire.SyntaxError
		switch {
		case err == nil:
			list = append(list, strings.ReplaceAll(strings.TrimSuffix(text, "\r\n"), "\r\n", "|"))
		case errors.As(err, &syntax) && syntax.Close:
			return append(list, strings.TrimSpace(c.Tag+" BAD close"))
		case errors.As(err, &syntax):
			list = append(list, strings.TrimSpace(c.Tag+" BAD"))
		case errors.Is(err, io.ErrUnexpectedEOF):
			return append(list, "half")
		case errors.Is(err, io.EOF):
			return list
		default:
			t.Fatal(err)
		}
	}
}

func TestAttacks(t *testing.T) {
	for _, c := range attacks {
		got := outcomes(t, strings.NewReader(c.in), false)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q:\n got %q\nwant %q", c.name, c.in, got, c.want)
		}
		slow := outcomes(t, iotest.OneByteReader(strings.NewReader(c.in)), false)
		want := c.want
		if c.slowly != nil {
			want = c.slowly
		}
		if !slices.Equal(slow, want) {
			t.Errorf("%s, octet by octet: %q:\n got %q\nwant %q", c.name, c.in, slow, want)
		}
	}
}
