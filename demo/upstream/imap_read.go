package upstream

import (
	"bufio"
	"errors"
	"slices"
	"strings"
)

// Limits of what a client may send. Dovecot's are alike, but the message's.
const (
	maxLine    = 64 << 10
	maxLiteral = 64 << 10
	maxMessage = 256 << 20
	maxShown   = 200 // octets of a literal that Received shows
)

// command is one command of a client.
type command struct {
	tag    string
	name   string // in upper case, "UID FETCH" with the UID
	uid    bool
	args   []arg
	shown  string // without tag and passwords, for Received
	action Action
	after  string // a line behind the tagged answer

	storesByUID bool // the news are the answer, and have UIDs
	noNews      bool // Dovecot tells none behind some failures
	hasSets     bool // a search by numbers or UIDs: Dovecot tells no EXPUNGE then

	problem string    // the answer, where the command could not be read
	drafts  *appender // what APPEND reads
}

// argKind says how an argument was written.
type argKind int

const (
	atom argKind = iota
	quoted
	literal
	list
)

// arg is one argument.
type arg struct {
	kind argKind
	text string
	list []arg
}

// word reports whether a is a string in one of its forms.
func (a arg) word() bool { return a.kind != list }

// is compares an atom.
func (a arg) is(name string) bool { return a.kind == atom && strings.EqualFold(a.text, name) }

// isOneOf compares an atom with several.
func (a arg) isOneOf(names ...string) bool { return slices.ContainsFunc(names, a.is) }

// errTooLong is a line that is too long. Its end was read.
var errTooLong = errors.New("the line is too long")

// readLine reads a line without its end, which is CRLF or LF.
func (s *imapSession) readLine() (string, error) {
	var line []byte
	long := false
	for {
		part, err := s.r.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	if long {
		return "", errTooLong
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}

// readCommand reads one command with its literals. Where there is nothing to
// run it has answered itself and returns nil. The error is the connection's.
func (s *imapSession) readCommand() (*command, error) {
	line, err := s.readLine()
	if errors.Is(err, errTooLong) {
		s.say("* BAD Error in IMAP command: Too long argument.")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, rest := parseCommand(line)
	if !validTag(c.tag) {
		s.say("* BAD Error in IMAP tag: Invalid tag.")
		return nil, nil
	}
	if c.name == "" || c.name == "UID" {
		s.say(c.tag + " BAD Error in IMAP command: Invalid command name.")
		return nil, nil
	}
	if s.Hook != nil {
		_, shown, _ := strings.Cut(line, " ")
		c.action = s.Hook(s.user, shown)
	}
	return c, s.readArgs(c, rest)
}

// parseCommand takes tag and name off a line.
func parseCommand(line string) (c *command, rest string) {
	c = &command{}
	c.tag, rest, _ = strings.Cut(line, " ")
	name, rest, _ := strings.Cut(rest, " ")
	c.name = strings.ToUpper(name)
	if c.name == "UID" {
		name, rest, _ = strings.Cut(rest, " ")
		c.uid, c.name = true, strings.TrimRight("UID "+strings.ToUpper(name), " ")
	}
	return c, rest
}

func validTag(tag string) bool {
	return tag != "" && !strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`(){%*"\+`, r) })
}

// readArgs reads the arguments, and notes the command for Received.
func (s *imapSession) readArgs(c *command, rest string) error {
	s.command = c
	l := &lexer{s: s, c: c, line: rest, brackets: strings.HasSuffix(c.name, "FETCH")}
	l.shown.WriteString(rest)
	if c.action.CloseBefore {
		s.noteCommand(c, rest)
		return nil
	}
	if c.name == "APPEND" {
		c.drafts = &appender{}
	}
	var err error
	c.args, err = l.args(0)
	var refusal refused
	switch {
	case errors.As(err, &refusal) && refusal != "":
		c.problem = string(refusal)
	case errors.As(err, &refusal): // answered already
		c.action.Silent = true
	case err != nil:
		return err
	}
	s.noteCommand(c, l.shown.String())
	return nil
}

// noteCommand remembers what was received, without secrets.
func (s *imapSession) noteCommand(c *command, rest string) {
	c.shown = c.name
	switch {
	case c.name == "LOGIN" || c.name == "AUTHENTICATE":
		if len(c.args) > 0 && c.args[0].word() {
			c.shown += " " + c.args[0].text
		}
	case rest != "":
		c.shown += " " + rest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, c.shown)
}
