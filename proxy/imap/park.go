package imap

import (
	"context"
	"errors"
	"fmt"

	"mailguard/proxy"
	"mailguard/proxy/imap/wire"
)

// startPump starts the goroutine that reads the upstream. The turn is held, or
// nobody else knows of the session yet.
func (s *session) startPump() {
	s.pumpEnd = make(chan struct{})
	s.heard.Store(s.Now().UnixNano())
	go func(end chan<- struct{}) {
		defer close(end)
		defer s.recoverPump()
		if err := s.pump(); !errors.Is(err, proxy.ErrPaused) {
			s.lost(err)
		}
	}(s.pumpEnd)
}

// recoverPump keeps a bug within its session.
func (s *session) recoverPump() {
	if p := recover(); p != nil {
		s.log.Error().Str("panic", fmt.Sprint(p)).Msg("session ended by a bug")
		s.server.close()
		s.flight.lose()
		s.client.Interrupt()
	}
}

// lost ends a session whose upstream is gone, or talks nonsense: whatever is in
// flight is answered, so that no client waits for ever. The session's goroutine
// says goodbye behind it.
func (s *session) lost(err error) {
	waiting := s.flight.lose()
	for _, c := range waiting {
		if c.done != nil {
			c.done <- result{}
		}
	}
	if s.ending.Load() {
		return
	}
	s.server.close()
	e := s.log.Warn()
	if proxy.IsDisconnect(err) {
		e = s.log.Info()
	}
	e.Err(err).Int("in_flight", len(waiting)).Msg("the upstream is lost")
	s.out.Lock()
	defer s.out.Unlock()
	for _, c := range waiting {
		if c.tag != "" {
			_ = s.writeLine(c.tag + " " + replyUpstream.String())
		}
	}
	_ = s.out.Flush()
	s.client.Interrupt()
}

// dropOnPanic lets go of what a session has when a bug ends it; the server, which
// is above, says so. Locks may be held: none is taken.
func (s *session) dropOnPanic() {
	p := recover()
	if p == nil {
		return
	}
	s.ending.Store(true)
	if s.server != nil {
		s.server.close()
	}
	if f := s.folder; f.tracks() {
		f.guarded.Close()
	}
	panic(p)
}

// park ends the pump and gives the buffers back, if both sides are quiet. It
// reports whether the session can be parked now.
func (s *session) park() bool {
	if s.server == nil || !proxy.CanPark(s.client, s.server.conn) || !s.turn.TryLock() {
		return false
	}
	defer s.turn.Unlock()
	if _, quiet := s.flight.count(); !quiet || s.in.r.Buffered() > 0 || s.idling != "" && s.news.Load() {
		return false
	}
	select {
	case <-s.busy: // of an earlier attempt
	default:
	}
	s.server.conn.Pause()
	select {
	case <-s.pumpEnd:
	case <-s.busy: // in the middle of a response: it has gone on
		return false
	}
	if s.flight.isDead() {
		return false
	}
	s.awake = false
	s.encoder, s.scratch, s.hashing = wire.Encoder{}, nil, hashing{}
	s.parser.Reset(nil)
	s.in.giveBack()
	s.out.giveBack()
	return true
}

// parked is how a quiet session leaves its goroutine. In an IDLE the upstream
// says from time to time that it is still there, and TCP finds out who is not.
func (s *session) parked() *proxy.Parked {
	p := &proxy.Parked{Upstream: s.server.conn, Resume: s.resume}
	if s.idling == "" {
		p.Until = s.lastCommand.Add(s.Limits.Idle)
	}
	return p
}

// resume goes on with a session that was parked.
func (s *session) resume(ctx context.Context) error {
	defer s.dropOnPanic()
	s.turn.Lock()
	s.server.conn.Unpause()
	s.wake()
	s.startPump()
	s.awake = true
	s.turn.Unlock()
	s.tellNews(ctx)
	return s.stop(ctx, s.commands(ctx))
}
