package imap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailguard/proxy/imap/command"
	"mailguard/proxy/imap/wire"
)

// The functions of this file speak to the upstream. The turn is held.

// maxInFlight bounds the commands that wait for an answer: a client that sends
// more is read on when one of them is answered.
const maxInFlight = 100

// forward sends a client's command upstream. Its answer goes to the client.
func (s *session) forward(ctx context.Context, tag string, c *call, args command.Args) error {
	c.tag = tag
	if n, _ := s.flight.count(); n >= maxInFlight {
		if err := s.drain(ctx); err != nil {
			return err
		}
	}
	return s.failed(c, s.send(ctx, c, args))
}

// errAnswered is the error of a command that failed and that the session's
// goroutine does not answer any more.
var errAnswered = errors.New("the command has been answered")

// failed is the error of a client's command that may be in flight. Nobody
// answers it twice: see withdraw.
func (s *session) failed(c *call, err error) error {
	if err == nil || s.flight.withdraw(c) {
		return err
	}
	return fmt.Errorf("%w: %w", errAnswered, err)
}

// say runs a command of the guard's own and returns its answer. Everything in
// flight has been drained. collect sees the untagged responses; see call.
func (s *session) say(ctx context.Context, name string, args command.Args, collect func(*response) bool) (result, error) {
	return s.sayCall(ctx, &call{name: name, collect: collect}, args)
}

// sayForClient is say for a command of the client's that the guard has to listen
// to: it may take as long as one that is passed.
func (s *session) sayForClient(ctx context.Context, name string, args command.Args, collect func(*response) bool) (result, error) {
	return s.sayCall(ctx, &call{name: name, collect: collect, forClient: true}, args)
}

// sayCall is say for a call that says more about the command.
func (s *session) sayCall(ctx context.Context, c *call, args command.Args) (result, error) {
	c.done = make(chan result, 1)
	if err := s.send(ctx, c, args); err != nil {
		return result{}, err
	}
	return s.answerTo(ctx, c)
}

// answerTo waits for the answer to one of the guard's own commands.
func (s *session) answerTo(ctx context.Context, c *call) (result, error) {
	most := s.upstream.Timeout
	if c.forClient {
		most = max(most, s.Limits.Answer)
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case res := <-c.done:
			if res.word == "" {
				return res, errUpstreamLost
			}
			return res, nil
		case <-timer.C:
			if wait := most - s.sinceHeard(); wait > 0 { // it is still answering
				timer.Reset(wait)
				continue
			}
			_ = s.server.conn.Close()
			return result{}, fmt.Errorf("%w: no answer to %s", errUpstreamLost, c.name)
		case <-ctx.Done():
			return result{}, ctx.Err()
		}
	}
}

// send writes a command upstream. Literals are synchronizing: their content is
// sent only once the upstream has asked for it, and never if it refuses: it
// would be read as commands. The answer of a command that was refused there
// comes as that of any other.
func (s *session) send(ctx context.Context, c *call, args command.Args) error {
	s.encoder.Reset()
	s.encoder.UTF8 = s.utf8
	cmd := command.Command{Tag: s.flight.tag(c), Name: c.name, Args: args}
	cmd.Encode(&s.encoder)
	parts, err := s.encoder.Parts()
	if err != nil {
		return err
	}
	if parts[0].Literal != nil || parts[0].Stream {
		c.continued, c.ended = make(chan struct{}, 1), make(chan struct{})
	}
	if !s.flight.add(c, s.Now()) {
		return errUpstreamLost
	}
	return s.sendParts(ctx, c, parts)
}

// sendParts writes a command up to its end, or up to a literal that somebody
// else writes.
func (s *session) sendParts(ctx context.Context, c *call, parts []wire.Part) error {
	for _, p := range parts {
		if _, err := s.server.conn.Write(p.Text); err != nil {
			return err
		}
		if p.Literal == nil {
			continue
		}
		asked, err := s.asked(ctx, c)
		if err != nil || !asked {
			return err
		}
		if _, err := s.server.conn.Write(p.Literal); err != nil {
			return err
		}
	}
	return nil
}

// asked waits until the upstream asks for a literal. False says that it
// answered the command instead.
func (s *session) asked(ctx context.Context, c *call) (bool, error) {
	if c.isEnded() && !s.flight.isDead() { // also if it asked before it answered
		return false, nil
	}
	select {
	case <-c.continued:
		return true, nil
	case <-c.ended:
		if s.flight.isDead() {
			return false, errUpstreamLost
		}
		return false, nil
	case <-s.flight.dead:
		return false, errUpstreamLost
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// drain waits until every command in flight has been answered.
func (s *session) drain(ctx context.Context) error {
	if s.idle != nil {
		if _, err := s.endUpstreamIdle(ctx); err != nil {
			return err
		}
	}
	select {
	case <-s.flight.drained():
		if s.flight.isDead() {
			return errUpstreamLost
		}
		return nil
	case <-s.flight.dead:
		return errUpstreamLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sinceHeard is how long the upstream has said nothing.
func (s *session) sinceHeard() time.Duration {
	return s.Now().Sub(time.Unix(0, s.heard.Load()))
}
