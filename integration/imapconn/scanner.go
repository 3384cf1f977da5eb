package imapconn

import (
	"slices"
	"strconv"
	"strings"
)

// command is one that has no reply yet.
type command struct {
	tag, name string // the name in upper case, "UID FETCH" in one
	asks      bool   // it waits for "+" again and again: IDLE, AUTHENTICATE
}

// scanner reads commands as a server does, from the bytes that the client
// sends. It understands what is well formed; of nonsense it makes something.
type scanner struct {
	line    []byte // of the command that is being sent
	skip    int    // octets of a literal still to come
	waits   bool   // for "+", before a synchronizing literal
	pending []command
}

func (s *scanner) feed(raw string) {
	for len(raw) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(raw))
			s.skip, raw = s.skip-n, raw[n:]
			continue
		}
		end := strings.IndexByte(raw, '\n')
		if end < 0 {
			s.line = append(s.line, raw...)
			return
		}
		s.line, raw = append(s.line, raw[:end+1]...), raw[end+1:]
		s.endOfLine()
	}
}

// endOfLine is the end of a command, or an announcement of a literal in it.
func (s *scanner) endOfLine() {
	s.begin()
	found := inCommand.FindSubmatch(s.line)
	s.line = s.line[:0]
	if found == nil {
		s.line = nil
		return
	}
	s.skip, _ = strconv.Atoi(string(found[1])) // nine digits at most
	s.waits = len(found[2]) == 0
	s.line = append(s.line, ' ') // the rest is no new command
}

// begin enters a command when its first line is complete.
func (s *scanner) begin() {
	words := strings.Fields(string(s.line))
	if len(s.line) == 0 || s.line[0] == ' ' || len(words) < 2 || s.answering() {
		return
	}
	c := command{tag: words[0], name: strings.ToUpper(words[1])}
	if c.name == "UID" && len(words) > 2 {
		c.name += " " + strings.ToUpper(words[2])
	}
	c.asks = oneOf(c.name, "IDLE", "AUTHENTICATE")
	s.pending = append(s.pending, c)
}

// answering says that a line is an answer to a "+": DONE or SASL.
func (s *scanner) answering() bool {
	return slices.ContainsFunc(s.pending, func(c command) bool { return c.asks })
}

// continued takes a "+"; it is false where no command waits for one.
func (s *scanner) continued() bool {
	waited := s.waits || s.answering()
	s.waits = false
	return waited
}

// done takes a reply to a command.
func (s *scanner) done(tag string) (command, bool) {
	i := slices.IndexFunc(s.pending, func(c command) bool { return c.tag == tag })
	if i < 0 {
		return command{}, false
	}
	c := s.pending[i]
	if s.waits && i == len(s.pending)-1 { // refused in place of "+": no literal will come
		s.waits, s.skip, s.line = false, 0, nil
	}
	s.pending = slices.Delete(s.pending, i, i+1)
	return c, true
}

func (s *scanner) oldest() (command, bool) {
	if len(s.pending) == 0 {
		return command{}, false
	}
	return s.pending[0], true
}

func (s *scanner) outstanding(name string) bool {
	return slices.ContainsFunc(s.pending, func(c command) bool { return c.name == name })
}

func (s *scanner) has(tag string) bool {
	return slices.ContainsFunc(s.pending, func(c command) bool { return c.tag == tag })
}

// tags names the commands without a reply, "" where there is none.
func (s *scanner) tags() string {
	var all []string
	for _, c := range s.pending {
		all = append(all, c.tag+" "+c.name)
	}
	return strings.Join(all, ", ")
}
