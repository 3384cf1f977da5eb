package pop3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Command is one command of a client, parsed. What is written upstream is
// made from it by String, never from the client's bytes.
type Command struct {
	Verb   string // upper case
	Number int    // message number, 0 if there is none
	Lines  int    // of TOP
	Text   string // of USER, PASS, AUTH, LANG: everything behind the verb
}

// grammar is the form of a command's arguments.
type grammar int

const (
	noArgument grammar = iota
	optionalNumber
	oneNumber
	numberAndLines
	optionalText // whatever is behind the verb, or nothing
	anyText      // the same, but not nothing
)

// SyntaxError is a command that cannot be read. Its text is for the client.
type SyntaxError struct {
	Text  string
	Close bool // the framing itself is in doubt: nothing more can be read
}

func (e *SyntaxError) Error() string { return e.Text }

// The longest lines that are read, in octets with their line end. RFC 2449, 4
// allows 255; what carries a token before login may be longer.
const (
	maxLine      = 512
	maxLoginLine = 16 << 10
)

var errLongLine = &SyntaxError{Text: "Line too long", Close: true}

// readLine reads one line and returns it without its CRLF. The line is valid
// until the next read. A line that does not end in CRLF, or has a CR or NUL in
// it, is an error: other parsers would see another command there.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = readLongLine(r, line, limit)
	}
	if err != nil {
		return nil, err
	}
	if len(line) > limit {
		return nil, errLongLine
	}
	body, ok := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !ok:
		return nil, &SyntaxError{Text: "Lines end in CRLF"}
	case bytes.ContainsAny(body, "\r\x00"):
		return nil, &SyntaxError{Text: "A line has no CR or NUL in it"}
	}
	return body, nil
}

// readLongLine goes on where the reader's buffer was too small.
func readLongLine(r *bufio.Reader, head []byte, limit int) ([]byte, error) {
	line := bytes.Clone(head)
	for len(line) <= limit {
		more, err := r.ReadSlice('\n')
		line = append(line, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return nil, errLongLine
}

// splitVerb separates the verb from what is behind it. A verb is 3 or 4 or
// more letters (RFC 1939, 3; RFC 2449); one blank stands behind it.
func splitVerb(line []byte) (verb, rest string, err error) {
	head, tail, blank := strings.Cut(string(line), " ")
	for i := range len(head) {
		c := head[i] | 0x20
		if (c < 'a' || c > 'z') && (head[i] < '0' || head[i] > '9') {
			return "", "", &SyntaxError{Text: "Unknown command"}
		}
	}
	if head == "" || len(head) > maxVerb {
		return "", "", &SyntaxError{Text: "Unknown command"}
	}
	if blank && tail == "" {
		return "", "", &SyntaxError{Text: "Unexpected blank behind the command"}
	}
	return strings.ToUpper(head), tail, nil
}

const maxVerb = 16

// parseArguments reads what is behind the verb.
func parseArguments(verb, rest string, g grammar) (Command, error) {
	cmd := Command{Verb: verb}
	switch g {
	case noArgument:
		if rest != "" {
			return cmd, &SyntaxError{Text: verb + " takes no argument"}
		}
	case optionalText, anyText:
		if rest == "" && g == anyText {
			return cmd, &SyntaxError{Text: verb + " takes an argument"}
		}
		cmd.Text = rest
		return cmd, checkArgument(rest)
	default:
		return parseNumbers(cmd, rest, g)
	}
	return cmd, nil
}

func parseNumbers(cmd Command, rest string, g grammar) (Command, error) {
	if rest == "" && g == optionalNumber {
		return cmd, nil
	}
	first, second, two := strings.Cut(rest, " ")
	if two != (g == numberAndLines) {
		return cmd, &SyntaxError{Text: fmt.Sprintf("%s takes %s", cmd.Verb, g.words())}
	}
	var ok bool
	if cmd.Number, ok = parseNumber(first); !ok || cmd.Number == 0 {
		return cmd, &SyntaxError{Text: "Not a message number"}
	}
	if two {
		if cmd.Lines, ok = parseNumber(second); !ok {
			return cmd, &SyntaxError{Text: "Not a number of lines"}
		}
	}
	return cmd, nil
}

func (g grammar) words() string {
	switch g {
	case numberAndLines:
		return "a message number and a number of lines"
	case oneNumber:
		return "a message number"
	default:
		return "one message number, or nothing"
	}
}

// maxNumber keeps numbers within what every server can read: 31 bits.
const (
	maxNumber = 1<<31 - 1
	maxDigits = 10
)

// parseNumber reads decimal digits and nothing else: no sign, no blank, no
// leading zero.
func parseNumber(s string) (int, bool) {
	if s == "" || len(s) > maxDigits || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n <= maxNumber
}

// checkArgument refuses control characters: they end a line on some servers.
func checkArgument(s string) error {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return &SyntaxError{Text: "An argument has no control characters in it"}
		}
	}
	return nil
}

// String is the command as it is written upstream, without its line end.
func (c Command) String() string {
	switch {
	case c.Text != "":
		return c.Verb + " " + c.Text
	case c.Verb == "TOP":
		return c.Verb + " " + strconv.Itoa(c.Number) + " " + strconv.Itoa(c.Lines)
	case c.Number != 0:
		return c.Verb + " " + strconv.Itoa(c.Number)
	default:
		return c.Verb
	}
}
