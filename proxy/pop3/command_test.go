package pop3

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// parseLine is what a session does with a line.
func parseLine(line []byte) (Command, error) {
	verb, rest, err := splitVerb(line)
	if err != nil {
		return Command{}, err
	}
	spec, known := commands[verb]
	if !known {
		return Command{}, &SyntaxError{Text: replyUnknown.Text}
	}
	return parseArguments(verb, rest, spec.arguments)
}

func TestParse(t *testing.T) {
	for line, want := range map[string]Command{
		"stat":                 {Verb: "STAT"},
		"LIST":                 {Verb: "LIST"},
		"List 17":              {Verb: "LIST", Number: 17},
		"RETR 1":               {Verb: "RETR", Number: 1},
		"TOP 1 0":              {Verb: "TOP", Number: 1},
		"TOP 1 99999999":       {Verb: "TOP", Number: 1, Lines: 99999999},
		"TOP 1 2147483647":     {Verb: "TOP", Number: 1, Lines: 2147483647},
		"DELE 20000":           {Verb: "DELE", Number: 20000},
		"USER support@x#alice": {Verb: "USER", Text: "support@x#alice"},
		"PASS  two  blanks ":   {Verb: "PASS", Text: " two  blanks "},
		"AUTH PLAIN AHg=":      {Verb: "AUTH", Text: "PLAIN AHg="},
		"LANG":                 {Verb: "LANG"},
		"quit":                 {Verb: "QUIT"},
	} {
		got, err := parseLine([]byte(line))
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"", " ", " STAT", "\tSTAT", "STAT ", "STAT x", "STAT\t", "QUIT ", "QUIT now", "QUITX", "NOOP 1", "RSET 1",
		"DELE", "DELE ", "DELE  1", "DELE 1 ", "DELE 1 2", "DELE 0", "DELE -1", "DELE +1", "DELE 01", "DELE 1x", "DELE x1",
		"DELE 99999999999", "DELE 2147483648", "DELE 1\t", "DELE\t1", "DELE \xd9\xa1", "DELE 1,2", "DELE 1:2", "DELE *",
		"RETR", "RETR all", "TOP", "TOP 1", "TOP 1 ", "TOP 1 1 1", "TOP 0 1", "TOP 1 -1", "LIST 1 2", "UIDL 0",
		"LAST", "XTND XMIT", "XDELE 1", "APOP a b", "EHLO x", "GET / HTTP/1.1", "Host: x", "STLS now", "CAPA x",
		"USER", "PASS", "AUTH", "USER a\x7f", "USER a\x01b", "\xff\xfe", "DELE1", strings.Repeat("A", 100),
	} {
		got, err := parseLine([]byte(line))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %+v, %v; want a syntax error", line, got, err)
		}
	}
}

func TestReadLine(t *testing.T) {
	for _, c := range []struct {
		what, in, want string
		text           string // of the error, "" for none
	}{
		{"line", "STAT\r\nDELE 1\r\n", "STAT", ""},
		{"empty line", "\r\n", "", ""},
		{"bare LF", "DELE 1\nQUIT\r\n", "", "CRLF"},
		{"bare CR", "NOOP\rDELE 1\r\n", "", "CR or NUL"},
		{"CR CR LF", "DELE 1\r\r\n", "", "CR or NUL"},
		{"NUL", "DELE 1\x00\r\n", "", "CR or NUL"},
		{"NUL in front", "\x00DELE 1\r\n", "", "CR or NUL"},
		{"too long", strings.Repeat("x", 600) + "\r\n", "", "too long"},
		{"endless", strings.Repeat("x", 100_000), "", "too long"},
		{"half a line", "QUIT", "", "EOF"},
		{"half a line end", "QUIT\r", "", "EOF"},
	} {
		for reader, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.in), "one octet": iotest.OneByteReader(strings.NewReader(c.in)),
		} {
			t.Run(c.what+"/"+reader, func(t *testing.T) {
				line, err := readLine(bufio.NewReaderSize(r, 64), maxLine)
				if c.text == "" && (err != nil || string(line) != c.want) {
					t.Errorf("got %q, %v", line, err)
				}
				if c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
					t.Errorf("got %q, %v; want an error with %q", line, err, c.text)
				}
			})
		}
	}
}

func TestOverlongLineEndsTheSession(t *testing.T) {
	_, err := readLine(bufio.NewReader(strings.NewReader(strings.Repeat("x", 10_000)+"\r\nDELE 1\r\n")), maxLine)
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || !syntax.Close {
		t.Errorf("got %v; want an error that closes the connection", err)
	}
}

// Whatever a client sends: nothing panics, and what would be written upstream
// is one line that reads back to the same command.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"STAT\r\n", "DELE 1\nQUIT\r\n", "DELE 1\x00\r\n", "TOP 1 99999999\r\n", "USER a b\r\n", "PASS  x \r\n", "NOOP\rDELE 1\r\n",
		"AUTH PLAIN AHN1cHBvcnQAcHc=\r\n", "LIST\r\nUIDL 7\r\n", "LANG \r\n", "DELE +1\r\n", " QUIT\r\n", "AUTH XOAUTH2 dXNlcj0=\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(strings.NewReader(string(in)), 64)
		for {
			line, err := readLine(r, maxLine)
			var syntax *SyntaxError
			if errors.As(err, &syntax) && !syntax.Close {
				continue
			}
			if err != nil {
				return
			}
			cmd, err := parseLine(line)
			if err != nil {
				continue
			}
			out := cmd.String()
			if strings.ContainsAny(out, "\r\n\x00") {
				t.Fatalf("%q would be written as %q", line, out)
			}
			back, err := parseLine([]byte(out))
			if err != nil || back != cmd {
				t.Fatalf("%q: written as %q, read back as %+v, %v", line, out, back, err)
			}
		}
	})
}
