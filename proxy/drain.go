package proxy

import (
	"context"
	"fmt"
	"time"
)

// cutGrace is how long sessions that were cut may take to end. Their sockets are
// closed and their contexts ended; one that is still there has a bug, and must
// not keep the server from stopping.
const cutGrace = 10 * time.Second

// Sessions counts the connections being served.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Shutdown stops accepting, interrupts the sessions that are not busy at once,
// waits for the busy ones until ctx ends and then cuts those that are left. It
// returns when the goroutines of all sessions have ended, with an error only if
// some did not.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.poller.close()
	busy := s.stop()
	if busy > 0 {
		s.o.Log.Info().Int("busy", busy).Msg("waiting for sessions to end")
	}
	select {
	case <-s.drained:
		return nil
	case <-ctx.Done():
	}
	if n := s.cut(); n > 0 {
		s.o.Log.Warn().Int("cut", n).Msg("time for draining is over, sessions were cut")
	}
	return s.waitForCut()
}

// Parked counts the sessions that wait without a goroutine. Sessions counts them,
// too.
func (s *Server) Parked() int { return s.poller.len() }

// Close stops accepting and cuts all sessions.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Shutdown(ctx)
}

// stop ends accepting, and every session that is not busy. It returns how many
// are.
func (s *Server) stop() (busy int) {
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	if first {
		close(s.stopping)
		s.noteDrained()
	}
	s.mu.Unlock()
	if first {
		_ = s.o.Listener.Close() // nothing to do about an error: nobody accepts any more
	}
	for _, ses := range s.list() {
		if ses.conn.drain() {
			busy++
		}
	}
	return busy
}

// cut ends the sessions that are left, and returns how many there were.
func (s *Server) cut() int {
	left := s.list()
	for _, ses := range left {
		ses.cancel()
		ses.conn.abort()
	}
	return len(left)
}

func (s *Server) waitForCut() error {
	t := time.NewTimer(cutGrace)
	defer t.Stop()
	select {
	case <-s.drained:
		return nil
	case <-t.C:
		return fmt.Errorf("%d sessions did not end after they were cut", s.Sessions())
	}
}

// add registers a session, unless the server has stopped.
func (s *Server) add(ses *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.sessions[ses] = struct{}{}
	return true
}

// remove is the last thing that a session's goroutine does.
func (s *Server) remove(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ses)
	s.freeSlot() // after the deletion: Sessions never exceeds the slots
	s.noteDrained()
}

// noteDrained closes drained once there is nothing left. The lock is held; after
// the stop no session is added, so the last one comes by once.
func (s *Server) noteDrained() {
	if s.stopped && len(s.sessions) == 0 {
		close(s.drained)
	}
}

// list copies the sessions, so that none is interrupted with the lock held.
func (s *Server) list() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for ses := range s.sessions {
		all = append(all, ses)
	}
	return all
}

func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}
