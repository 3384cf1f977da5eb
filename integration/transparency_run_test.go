package integration

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"mailguard/integration/imapconn"
)

// played is a step and all that was answered to it, normalised.
type played struct {
	step   scriptStep
	answer []string
	lost   bool // left out, because the connection was lost before
}

// scriptPlayer plays the script to one server.
type scriptPlayer struct {
	dial        func() (*imapconn.Conn, error)
	first       *imapconn.Conn // of the section
	second      *imapconn.Conn // of the same user, once the section asks for it
	uidValidity string         // the last one that the first connection saw
	modSeq      string         // the last HIGHESTMODSEQ
	waiting     []string       // tags of pipelined commands that have no answer yet
}

// What may stand behind the name of a section.
const (
	notLoggedIn = "(not logged in)"
	notStrict   = "(not strict)"
)

// play runs the whole script. Where the server does not answer, the rest of the
// section is left out; the error says where and why.
func (s *scriptPlayer) play(steps []scriptStep) ([]played, error) {
	defer s.close()
	var all []played
	var errs []error
	lost := false
	for i, st := range steps {
		if lost = lost && st.kind != "==="; lost {
			all = append(all, played{step: st, lost: true})
			continue
		}
		answer, err := s.step(st, i+1 < len(steps) && steps[i+1].kind == "P:")
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w\n%s", st, err, tail(s.transcript())))
			lost = true
		}
		s.remember(answer)
		all = append(all, played{step: st, answer: normaliseStep(st, answer)})
	}
	return all, errors.Join(errs...)
}

// normaliseStep is normalise; the answers to pipelined commands may come in any
// order.
func normaliseStep(st scriptStep, answer []string) []string {
	answer = normalise(answer)
	if st.kind == "P:" {
		slices.Sort(answer)
	}
	return answer
}

func (s *scriptPlayer) step(st scriptStep, morePipelined bool) ([]string, error) {
	text := strings.NewReplacer("$UIDVALIDITY", s.uidValidity, "$MODSEQ", s.modSeq).Replace(st.text)
	switch st.kind {
	case "===":
		return s.section(text)
	case "C:":
		return do(s.first, text)
	case "2:":
		return s.onSecond(text)
	case "P:":
		return s.pipeline(text, morePipelined)
	case ">":
		return nil, s.first.Send(text)
	}
	return s.await(text)
}

// section begins anew: with connections of its own.
func (s *scriptPlayer) section(name string) ([]string, error) {
	s.close()
	var err error
	if s.first, err = s.dial(); err != nil {
		return nil, err
	}
	s.first.Strict = !strings.HasSuffix(name, notStrict)
	answer := []string{s.first.Greeting}
	if strings.HasSuffix(name, notLoggedIn) {
		return answer, nil
	}
	return answer, s.first.LogIn(private, password)
}

func (s *scriptPlayer) close() {
	for _, c := range []*imapconn.Conn{s.first, s.second} {
		if c != nil {
			_ = c.Close()
		}
	}
	s.first, s.second, s.waiting = nil, nil, nil
}

func do(c *imapconn.Conn, command string) ([]string, error) {
	untagged, tagged, err := c.Do(command)
	return append(untagged, tagged), err
}

func (s *scriptPlayer) onSecond(command string) ([]string, error) {
	if s.second == nil {
		var err error
		if s.second, err = s.dial(); err != nil {
			return nil, err
		}
		s.second.Strict = true
		if err := s.second.LogIn(private, password); err != nil {
			return nil, err
		}
	}
	return do(s.second, command)
}

// pipeline sends a command and, behind the last one of a row, waits for the
// answers to all.
func (s *scriptPlayer) pipeline(command string, more bool) ([]string, error) {
	tag := fmt.Sprintf("p%d", len(s.waiting)+1)
	s.waiting = append(s.waiting, tag)
	if err := s.first.Send(tag + " " + command + "\r\n"); err != nil || more {
		return nil, err
	}
	var all []string
	for left := len(s.waiting); left > 0; {
		response, err := s.first.Response()
		if err != nil {
			return all, err
		}
		all = append(all, response)
		if strings.HasPrefix(response, "p") {
			left--
		}
	}
	s.waiting = nil
	return all, nil
}

// await reads until a response begins with these words, or until the end.
func (s *scriptPlayer) await(words string) ([]string, error) {
	var all []string
	for {
		response, err := s.first.Response()
		if words == "end" && errors.Is(err, io.EOF) {
			return append(all, "end"), nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, response)
		if words != "end" && strings.HasPrefix(response, words) {
			return all, nil
		}
	}
}

var (
	seenUIDValidity = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	seenModSeq      = regexp.MustCompile(`\[HIGHESTMODSEQ (\d+)\]`)
)

// remember keeps what later steps name as $UIDVALIDITY and $MODSEQ.
func (s *scriptPlayer) remember(answer []string) {
	for _, response := range answer {
		if found := seenUIDValidity.FindStringSubmatch(response); found != nil {
			s.uidValidity = found[1]
		}
		if found := seenModSeq.FindStringSubmatch(response); found != nil {
			s.modSeq = found[1]
		}
	}
}

func (s *scriptPlayer) transcript() string {
	if s.first == nil {
		return ""
	}
	return s.first.Transcript()
}
