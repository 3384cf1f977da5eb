package imap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"mailguard/proxy"
	"mailguard/proxy/imap/wire"
)

// server is one connection to an upstream. Up to the end of the login it goes
// in lock-step: some servers lose what is pipelined behind a login (Courier).
// From then on the session's pump reads it.
type server struct {
	conn    *proxy.Conn
	framer  *wire.Framer
	lent    *[]byte      // the framer's buffer; nil: it has none
	caps    capabilities // nil: not known
	words   []string     // the same, in the server's order
	timeout time.Duration
	detach  func() bool // from then on the connection outlives the session's context
	tags    int         // of the commands in lock-step

	source func([]byte) (int, error) // what the framer reads from; nil: conn
}

// Read is the framer's source.
func (s *server) Read(p []byte) (int, error) {
	if s.source != nil {
		return s.source(p)
	}
	return s.conn.Read(p)
}

// readBuffers are the buffers that upstreams are read with.
var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

// readBufferSize is two TLS records and a bit: a piece of a literal passes in
// one write.
const readBufferSize = 64 << 10

// borrow gives the framer a buffer.
func (s *server) borrow() {
	s.lent = readBuffers.Get().(*[]byte)
	s.framer.Lend(*s.lent)
}

// giveBack takes the buffer back, if nothing is in it. Where the framer has
// gone on with a larger one, that is left to the collector.
func (s *server) giveBack() bool {
	_, ok := s.framer.Return()
	if ok && s.lent != nil {
		readBuffers.Put(s.lent)
		s.lent = nil
	}
	return ok
}

// waitBuffers are what is held while an upstream says nothing, which is most of
// the time. They hold what comes unasked, and the answers to small commands.
var waitBuffers = sync.Pool{New: func() any {
	b := make([]byte, waitBufferSize)
	return &b
}}

const waitBufferSize = 2 << 10

// wait waits for the upstream between two responses, and gives the framer what
// has come. The large buffer is borrowed only then.
func (s *server) wait() error {
	if !s.giveBack() {
		return nil // there is something already
	}
	small := waitBuffers.Get().(*[]byte)
	defer waitBuffers.Put(small)
	n, err := s.Read(*small)
	if n == 0 && err != nil {
		return err
	}
	s.borrow()
	s.framer.Feed((*small)[:n])
	return nil
}

func (s *server) close() {
	s.detach()
	_ = s.conn.Close()
}

// leave says goodbye and closes.
func (s *server) leave() {
	_, _ = s.command("LOGOUT") // whatever it answers, the connection ends
	s.close()
	s.giveBack()
}

// line reads one line; a response with a literal in it is not expected here.
func (s *server) line() ([]byte, error) {
	seg, err := s.framer.Next()
	switch {
	case err != nil:
		return nil, err
	case !seg.Last():
		return nil, fmt.Errorf("%w: a literal or an endless line before the login", wire.ErrNonsense)
	}
	return seg.Text, nil
}

// maxUntagged bounds what a server says before it answers.
const maxUntagged = 1000

// exchange sends a command and reads its answer. challenge is called for each
// "+" with what stands behind it, and returns the line to send; nil is for
// commands without. untagged sees the other lines; nil sees none.
func (s *server) exchange(text string, challenge func(string) (string, error), untagged func(wire.Head, []byte)) (result, error) {
	s.tags++
	tag := "l" + strconv.Itoa(s.tags)
	if err := s.send(tag + " " + text); err != nil {
		return result{}, err
	}
	for range maxUntagged {
		line, err := s.line()
		if err != nil {
			return result{}, err
		}
		head := wire.ParseHead(line)
		switch {
		case head.Kind == wire.Tagged && string(head.Tag) == tag:
			return s.answered(line[len(tag)+1:])
		case head.Kind == wire.Continuation && challenge != nil:
			if err := s.answerChallenge(line[head.Rest:], challenge); err != nil {
				return result{}, err
			}
		case head.Kind == wire.Status && head.Is("BYE"):
			return result{}, errSaidBye // its words may repeat the line with the password
		case head.Kind == wire.Status || head.Kind == wire.Data || head.Kind == wire.Numbered:
			s.noteUntagged(head, line)
			if untagged != nil {
				untagged(head, line)
			}
		default:
			return result{}, fmt.Errorf("%w: %s", wire.ErrNonsense, clean(string(line), 80))
		}
	}
	return result{}, fmt.Errorf("%w: an answer that does not end", wire.ErrNonsense)
}

func (s *server) answered(line []byte) (result, error) {
	res := parseResult(line)
	if res.word == "" {
		return result{}, fmt.Errorf("%w: %s", wire.ErrNonsense, clean(string(line), 80))
	}
	if res.code == "CAPABILITY" {
		s.learnCapabilities(res.arg)
	}
	return res, nil
}

func (s *server) answerChallenge(text []byte, challenge func(string) (string, error)) error {
	answer, err := challenge(strings.TrimRight(string(text), "\r\n"))
	if err != nil {
		return err
	}
	return s.send(answer)
}

// command is exchange for a command without challenges.
func (s *server) command(text string) (result, error) { return s.exchange(text, nil, nil) }

func (s *server) send(line string) error {
	_, err := s.conn.Write([]byte(line + "\r\n"))
	return err
}

// noteUntagged learns capabilities wherever they stand.
func (s *server) noteUntagged(head wire.Head, line []byte) {
	switch {
	case head.Kind == wire.Data && head.Is("CAPABILITY"):
		s.learnCapabilities(string(line[head.Rest:]))
	case head.Kind == wire.Status && head.Is("OK"):
		s.noteCode(line[head.Rest:])
	}
}

func (s *server) noteCode(text []byte) {
	if name, arg, _ := wire.Code(text); strings.EqualFold(string(name), "CAPABILITY") {
		s.learnCapabilities(string(arg))
	}
}

func (s *server) learnCapabilities(words string) {
	s.caps, s.words = parseCapabilities(words), strings.Fields(words)
}

// errSaidBye is the error of an upstream that ends the connection before the
// login is over.
var errSaidBye = errors.New("the upstream said BYE")

// errNoCapabilities is the error of a server that does not answer CAPABILITY.
var errNoCapabilities = errors.New("it does not say what it can do")

// needCapabilities asks for the capabilities, where the server has not said
// them by itself.
func (s *server) needCapabilities() error {
	if s.caps != nil {
		return nil
	}
	res, err := s.command("CAPABILITY")
	if err == nil && (!res.ok() || s.caps == nil) {
		err = errNoCapabilities
	}
	return err
}
