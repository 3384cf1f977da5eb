package imap

import (
	"errors"
	"fmt"
	"io"

	"mailguard/proxy"
	"mailguard/proxy/imap/wire"
)

// response is the first segment of a response, with its head. It is valid
// until the pump reads on.
type response struct {
	wire.Head
	seg wire.Segment
}

// text is what stands behind the word.
func (r *response) text() []byte { return r.seg.Text[min(r.Rest, len(r.seg.Text)):] }

// pump passes the upstream's responses on until the upstream is lost or the
// connection is paused.
func (s *session) pump() error {
	r := new(response) // one for all of them, which come by the ten thousand
	for {
		seg, err := s.nextResponse()
		if err != nil {
			return err
		}
		*r = response{Head: wire.ParseHead(seg.Text), seg: seg}
		if err := s.respondAlone(r); err != nil {
			return err
		}
	}
}

// respondAlone handles one response with the output, which a bug must not take
// with it: the end of the session needs it.
func (s *session) respondAlone(r *response) error {
	s.out.Lock()
	defer s.out.Unlock()
	before := s.out.n
	err := s.respond(r)
	if err != nil && s.out.n > before {
		s.out.breakOff(err)
	}
	return err
}

// nextResponse waits for a response. Before it does, the client gets what has
// been written for it.
func (s *session) nextResponse() (wire.Segment, error) {
	if s.server.framer.Ready() {
		return s.server.framer.Next()
	}
	if err := s.flush(); err != nil {
		return wire.Segment{}, err
	}
	if s.server.framer.Buffered() == 0 {
		s.resting = true
		err := s.server.wait()
		s.resting = false
		if err != nil {
			return wire.Segment{}, err
		}
	}
	return s.server.framer.Next()
}

// read is where the upstream's octets come from. A pause ends it only between two
// responses, and a time-out only if the upstream was silent for too long.
func (s *session) read(p []byte) (int, error) {
	for {
		n, err := s.server.conn.Read(p)
		switch {
		case n > 0:
			s.heard.Store(s.Now().UnixNano())
			return n, nil
		case errors.Is(err, proxy.ErrPaused):
			if s.resting {
				return 0, err
			}
			s.goOn()
		case isTimeout(err) && !s.overdue():
		default:
			return n, err
		}
	}
}

// overdue reports whether the upstream has been silent for too long: with a
// command to answer, or in the middle of a response.
func (s *session) overdue() bool {
	since := s.Now().Add(-s.Limits.Answer)
	return s.sinceHeard() >= s.Limits.Answer && (!s.resting || s.flight.overdue(since))
}

// goOn lifts a pause that came in the middle of a response.
func (s *session) goOn() {
	s.server.conn.Unpause()
	select {
	case s.busy <- struct{}{}:
	default:
	}
}

func (s *session) flush() error {
	s.out.Lock()
	defer s.out.Unlock()
	s.fetched.flushed()
	return s.out.Flush()
}

// respond handles one response; the output is held.
func (s *session) respond(r *response) error {
	switch r.Kind {
	case wire.Continuation:
		return s.continuation()
	case wire.Tagged:
		return s.tagged(r)
	case wire.Status:
		return s.statusResponse(r)
	case wire.Numbered, wire.Data:
		return s.untagged(r)
	default:
		return fmt.Errorf("%w: a line that is no response: %s", wire.ErrNonsense, clean(string(r.seg.Text), 80))
	}
}

// continuation gives a "+" to the command that waits for it. One that nobody
// waits for is a server out of step: what comes next could be taken for
// something that it is not.
func (s *session) continuation() error {
	c := s.flight.newest()
	if c == nil || c.continued == nil {
		return fmt.Errorf("%w: a continuation that nobody asked for", wire.ErrNonsense)
	}
	select {
	case c.continued <- struct{}{}:
		return nil
	default:
		return fmt.Errorf("%w: more continuations than literals", wire.ErrNonsense)
	}
}

// tagged ends a command: the guard's own hears of it, the client's is answered.
func (s *session) tagged(r *response) error {
	seg, err := s.whole(r)
	if err != nil {
		return err
	}
	res := parseResult(seg.Text[len(r.Tag)+1:])
	if res.word == "" { // the command is in flight still, and is answered with the others
		return fmt.Errorf("%w: a command ended with %q", wire.ErrNonsense, clean(string(r.Word), 20))
	}
	c := s.flight.end(r.Tag)
	if c == nil {
		return fmt.Errorf("%w: an answer to a command that was not sent", wire.ErrNonsense)
	}
	if looks[c.name] {
		s.fetched.looked()
	}
	if c.after != nil {
		c.after(res)
	}
	if c.done != nil {
		c.done <- res
		return nil
	}
	return s.writeLine(c.tag + " " + s.filterResult(res))
}

// whole returns a response's first segment with its line complete.
func (s *session) whole(r *response) (wire.Segment, error) {
	if !r.seg.Open {
		return r.seg, nil
	}
	seg, err := s.server.framer.Grow(r.seg)
	if err == nil {
		*r = response{Head: wire.ParseHead(seg.Text), seg: seg}
	}
	return seg, err
}

// pass writes the response as it is, with its literals.
func (s *session) pass(r *response) error {
	return s.copyRest(r.seg, &s.out)
}

// drop reads the response to its end and keeps it from the client.
func (s *session) drop(r *response) error {
	return s.copyRest(r.seg, io.Discard)
}

// copyRest writes a segment and everything behind it up to the end of the
// response.
func (s *session) copyRest(seg wire.Segment, to io.Writer) error {
	for {
		if _, err := to.Write(seg.Text); err != nil {
			return err
		}
		if err := s.copyLiteral(seg, to); err != nil || seg.Last() {
			return err
		}
		var err error
		if seg, err = s.server.framer.Next(); err != nil {
			return fmt.Errorf("in the middle of a response: %w", err)
		}
	}
}

// copyLiteral writes the literal that a segment announces.
func (s *session) copyLiteral(seg wire.Segment, to io.Writer) error {
	for left := seg.Literal; left > 0; {
		var err error
		if left, err = s.server.framer.CopyLiteral(to, left); err != nil {
			return fmt.Errorf("in the middle of a literal: %w", err)
		}
	}
	return nil
}
