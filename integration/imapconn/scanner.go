package imapconn

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// command is one that has no reply yet.
type command struct {
	tag, name string // the name in upper case, "UID FETCH" in one
	arguments string // of the first line
	complete  bool   // all of it was sent: it is in progress (RFC 9051, 7.5.1)
	asks      bool   // it waits for "+" again and again: IDLE, AUTHENTICATE
	asked     int    // how many "+" came for which no answer went
	order     int    // of all commands
	begun     int    // how many responses had come before it
	results   int    // how many responses came that only it can have asked for
	wanted    []int  // messages that it asks for and that were not shown yet, UIDs for a UID command
}

func (c *command) isUID() bool { return strings.HasPrefix(c.name, "UID ") }

// scanner reads commands as a server does, from the bytes that the client
// sends. It understands what is well formed; behind what is not it is lost, for
// nobody can say how a server reads that.
type scanner struct {
	line    []byte // of the command that is being sent
	skip    int    // octets of a literal still to come
	waits   bool   // for "+", before a synchronizing literal
	within  bool   // a literal was in this command: the next line belongs to it, too
	lost    bool
	current *command // the one that is being sent
	count   int      // of commands
	replied int      // the order of the last one that has its reply
	pending []*command
	begun   func(*command)    // told of each command; nil is nobody
	heard   func(line string) // told of each line, without passwords; nil is nobody
}

// maxCommandLine is more than any server reads.
const maxCommandLine = 1 << 20

func (s *scanner) feed(raw string) {
	for len(raw) > 0 {
		if s.waits || s.first("STARTTLS") != nil { // the server has not asked for the literal, or is changing to TLS
			s.lost = true
		}
		if s.skip > 0 {
			n := min(s.skip, len(raw))
			s.skip, raw = s.skip-n, raw[n:]
			continue
		}
		end := strings.IndexByte(raw, '\n')
		if end < 0 {
			s.keep(raw)
			return
		}
		s.keep(raw[:end+1])
		raw = raw[end+1:]
		s.endOfLine()
	}
}

func (s *scanner) keep(piece string) {
	if len(s.line)+len(piece) > maxCommandLine {
		s.line, s.lost = s.line[:0], true
		return
	}
	s.line = append(s.line, piece...)
}

// endOfLine is the end of a command, or an announcement of a literal in it.
func (s *scanner) endOfLine() {
	line := string(s.line)
	s.line = s.line[:0]
	s.lost = s.lost || !framed(line)
	s.tell(line)
	if !s.within {
		if s.answer(line) {
			return
		}
		s.begin(line)
	}
	found := inCommand.FindStringSubmatch(line)
	s.within = found != nil
	if found != nil {
		s.skip, _ = strconv.Atoi(found[1]) // nine digits at most
		s.waits = found[2] == ""
		return
	}
	s.end()
}

// framed reports whether every server finds the same end of a line and of the
// literal behind it.
func framed(line string) bool {
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return false
	}
	if !strings.HasSuffix(text, "}") {
		return true
	}
	return plainLiteral.MatchString(line) && !openQuote(text)
}

var (
	plainLiteral = regexp.MustCompile(`[ (\]]~?\{(0|[1-9]\d{0,8})\+?\}\r\n$`)
	plainCommand = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64} [A-Za-z][A-Za-z0-9-]*( [^ \r]|\r\n$)`)
)

func openQuote(text string) bool {
	text = strings.NewReplacer(`\\`, "", `\"`, "").Replace(text)
	return strings.Count(text, `"`)%2 == 1
}

// begin enters a command when its first line is complete.
func (s *scanner) begin(line string) {
	s.current = nil
	s.lost = s.lost || !plainCommand.MatchString(line)
	tag, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	name, rest, _ := strings.Cut(rest, " ")
	if tag == "" || name == "" {
		return
	}
	s.count++
	c := &command{tag: tag, name: strings.ToUpper(name), order: s.count}
	if c.name == "UID" {
		name, rest, _ = strings.Cut(rest, " ")
		c.name += " " + strings.ToUpper(name)
	}
	c.arguments = rest
	c.asks = oneOf(c.name, "IDLE", "AUTHENTICATE")
	s.current = c
	s.pending = append(s.pending, c)
	if s.begun != nil {
		s.begun(c)
	}
}

func (s *scanner) end() {
	if s.current != nil {
		s.current.complete = true
	}
	s.current = nil
}

// answer takes a line that is an answer to a "+": DONE or SASL.
func (s *scanner) answer(line string) bool {
	i := slices.IndexFunc(s.pending, func(c *command) bool { return c.asks })
	if i < 0 {
		return false
	}
	c := s.pending[i]
	if c.name == "IDLE" { // RFC 9051, 6.3.13: the client sends nothing else
		s.lost = s.lost || !strings.EqualFold(line, "DONE\r\n")
		c.asks = false
		return true
	}
	s.lost = s.lost || c.asked == 0
	c.asked = 0
	return true
}

// continued takes a "+"; it is false where no command waits for one.
func (s *scanner) continued() bool {
	if s.waits {
		s.waits = false
		return true
	}
	for _, c := range s.pending {
		// DONE may have been sent before the server says that it waits for it.
		if oneOf(c.name, "IDLE", "AUTHENTICATE") && c.asked == 0 {
			c.asked = 1
			return true
		}
	}
	return false
}

// done takes a reply to a command.
func (s *scanner) done(tag string) (*command, bool) {
	c := s.byTag(tag)
	if c == nil {
		return nil, false
	}
	if c == s.current {
		if s.waits { // refused in place of "+": no literal will come
			s.waits, s.skip, s.within, s.line = false, 0, false, nil
		}
		s.current = nil
	}
	s.pending = slices.DeleteFunc(s.pending, func(p *command) bool { return p == c })
	s.replied = max(s.replied, c.order)
	return c, true
}

// restart forgets everything: TLS has begun.
func (s *scanner) restart() { *s = scanner{begun: s.begun, heard: s.heard} }

// found ends being lost with the reply to a command behind which nothing was
// sent: the server has read it as the scanner has, and answered everything before
// it.
func (s *scanner) found(c *command) {
	behind := slices.ContainsFunc(s.pending, func(p *command) bool { return p.order > c.order })
	if s.lost && !behind && !s.within && len(s.line) == 0 {
		s.lost, s.pending = false, nil
	}
}

// oldest is the command that is being answered, nil for none.
func (s *scanner) oldest() *command {
	if len(s.pending) == 0 || !s.pending[0].complete {
		return nil
	}
	return s.pending[0]
}

// first is the oldest outstanding command with one of these names, nil for
// none.
func (s *scanner) first(names ...string) *command {
	i := slices.IndexFunc(s.pending, func(c *command) bool { return slices.Contains(names, c.name) })
	if i < 0 {
		return nil
	}
	return s.pending[i]
}

func (s *scanner) byTag(tag string) *command {
	i := slices.IndexFunc(s.pending, func(c *command) bool { return c.tag == tag })
	if i < 0 {
		return nil
	}
	return s.pending[i]
}

// tags names the commands without a reply, "" where there is none.
func (s *scanner) tags() string { return s.tagsBefore(s.count + 1) }

// tagsBefore are those of commands that were sent before one.
func (s *scanner) tagsBefore(order int) string {
	var all []string
	for _, c := range s.pending {
		if c.order < order {
			all = append(all, c.tag+" "+c.name)
		}
	}
	return strings.Join(all, ", ")
}

// secret is what stands behind a password's command.
var secret = regexp.MustCompile(`(?i)(LOGIN|AUTHENTICATE) [^\r\n]*`)

// tell shows a line as people may see it.
func (s *scanner) tell(line string) {
	if s.heard == nil {
		return
	}
	hidden := s.current != nil && s.current.name == "LOGIN" ||
		slices.ContainsFunc(s.pending, func(c *command) bool { return c.name == "AUTHENTICATE" })
	if hidden {
		line = "********"
	}
	s.heard(secret.ReplaceAllString(line, "$1 ********"))
}
