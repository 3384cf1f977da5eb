package imap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// sent is one command as it reached the upstream.
type sent struct {
	command.Command

	text    []byte // all of it
	refused bool   // the upstream did not ask for its literal: it has no arguments here
	cut     bool   // an APPEND that the connection's end broke off
	bodies  [][]byte
}

// errNotAsked ends a command whose literal the upstream did not ask for.
var errNotAsked = errors.New("the upstream did not ask for the literal")

// tapReader reads what an upstream got, by the guard's own parser.
type tapReader struct {
	*tapped

	left   *bytes.Reader
	r      *bufio.Reader
	parser *command.Parser
}

func newTapReader(l *tapped) *tapReader {
	s := &tapReader{tapped: l, left: bytes.NewReader(l.got)}
	s.r = bufio.NewReader(s.left)
	s.parser = command.NewParser(s.asked)
	s.parser.Reset(s.r)
	return s
}

// at is how many octets have been read.
func (s *tapReader) at() int { return len(s.got) - s.left.Len() - s.r.Buffered() }

// asked looks whether the upstream asked for the literal that is announced
// here, and makes sure that nothing was sent before.
func (s *tapReader) asked() error {
	if !slices.Contains(s.ends, s.at()) {
		return fmt.Errorf("a literal was sent before the upstream asked for it, behind %q", s.got[:s.at()])
	}
	var text []byte
	for _, w := range s.said {
		if w.at == s.at() {
			text = append(text, w.text...)
		}
	}
	if bytes.HasPrefix(text, []byte("+ ")) || bytes.Contains(text, []byte("\r\n+ ")) {
		return nil
	}
	return errNotAsked
}

// commands reads all commands. Every octet belongs to one of them, and each is
// written as the guard writes commands.
func (s *tapReader) commands() (all []sent, err error) {
	for {
		start := s.at()
		c, err := s.next()
		c.text = s.got[start:s.at()]
		switch {
		case errors.Is(err, io.EOF) && len(c.text) == 0:
			return all, nil
		case err != nil:
			return all, fmt.Errorf("%q: %w", c.text, err)
		}
		all = append(all, c)
		if c.Name == "IDLE" && s.asked() == nil && !s.readDone() {
			return all, fmt.Errorf("an IDLE is not ended by DONE: %q", s.got[s.at():])
		}
	}
}

// readDone reads the end of an IDLE. The last one may have none.
func (s *tapReader) readDone() bool {
	if s.at() == len(s.got) {
		return true
	}
	line, err := s.r.ReadString('\n')
	return err == nil && line == "DONE\r\n"
}

func (s *tapReader) next() (c sent, err error) {
	if c.Tag, c.Name, err = s.parser.Start(); err != nil {
		return c, err
	}
	row, known := commands[c.Name]
	if !known || row.grammar == nil {
		return c, errors.New("the guard's parser knows no such command")
	}
	c.Args, err = s.parser.Args(row.grammar)
	if errors.Is(err, errNotAsked) {
		c.refused = true
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if c.Tag[0] != tagPrefix {
		return c, s.login(c)
	}
	if a, ok := c.Args.(command.Append); ok {
		return s.append(c, a)
	}
	return c, nil
}

// login reads what stands behind a command of a login.
func (s *tapReader) login(c sent) error {
	switch a := c.Args.(type) {
	case command.Authenticate:
		if a.IR || s.at() == len(s.got) {
			return nil
		}
		line, err := s.parser.Line(maxLoginLine)
		if err == nil {
			_, err = decodeBase64(string(line))
		}
		return err
	case command.Login, command.ID, command.None:
		return nil
	}
	return errors.New("no command of a login")
}

// append reads the messages of an APPEND.
func (s *tapReader) append(c sent, a command.Append) (sent, error) {
	for m := &a.Message; m != nil; {
		if err := s.asked(); err != nil {
			c.refused = errors.Is(err, errNotAsked)
			if c.refused && len(c.bodies) == 0 {
				return c, nil
			}
			return c, err
		}
		body := make([]byte, min(m.Size, int64(len(s.got)-s.at())))
		if _, err := io.ReadFull(s.r, body); err != nil {
			return c, err
		}
		c.bodies = append(c.bodies, body)
		if s.at() == len(s.got) {
			c.cut = true
			return c, nil
		}
		var err error
		if m, err = s.parser.NextAppend(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// rewritten is a command as the guard would write it, without the messages of
// an APPEND.
func rewritten(c command.Command) ([]byte, error) {
	var e wire.Encoder
	c.Encode(&e)
	parts, err := e.Parts()
	var all []byte
	for _, p := range parts {
		all = append(append(all, p.Text...), p.Literal...)
	}
	return all, err
}

// judgeText says what is wrong with how a command was written: it is read as a
// value, and the value is written as the same octets.
func (c sent) judgeText() error {
	if c.refused && len(c.bodies) == 0 && c.Args == nil {
		if bytes.Count(c.text, []byte("\r\n")) == 0 || !bytes.HasSuffix(c.text, []byte("}\r\n")) {
			return fmt.Errorf("%q does not end where the upstream refused it", c.text)
		}
		return nil
	}
	want, err := rewritten(c.Command)
	if err != nil {
		return err
	}
	if _, isAppend := c.Args.(command.Append); isAppend && bytes.HasPrefix(c.text, want) {
		return nil
	}
	if !bytes.Equal(c.text, want) {
		return fmt.Errorf("%q reads as what is written %q", c.text, want)
	}
	return nil
}
